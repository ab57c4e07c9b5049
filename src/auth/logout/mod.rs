//! `OpenID` Connect Back-Channel Logout 1.0: the issuer tells this service that a session has ended.
//!
//! Without it, who logs out (or is logged out: a stolen laptop, a dismissed employee) leaves access
//! tokens behind that work until they expire (OWASP API2:2023). The issuer posts a signed logout
//! token to a route of yours; [`BackChannelLogout`] verifies it and writes a
//! [revocation](crate::auth::revocation), which `AuthLayer` sees with the next request.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     auth::{AuthLayer, logout::BackChannelLogout},
//!     backend::memory::MemoryStore,
//!     testing::TestIssuer,
//! };
//! use serde_json::json;
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = TestIssuer::new("https://issuer.test");
//! let (verifier, store) = (issuer.verifier(), MemoryStore::new());
//! let auth = AuthLayer::builder().jwt(verifier.clone()).revocations(store.clone()).build()?;
//! let logout = BackChannelLogout::builder(verifier, "orders-app", store).build()?;
//!
//! let app = Router::new()
//!     .route("/", get(|| async { "in" }))
//!     .layer(ServiceBuilder::new().layer(auth))
//!     // After the layer, so outside it.
//!     .route("/backchannel-logout", logout.route());
//!
//! let token = issuer.token("usr_1").claim("sid", "session-1").sign();
//! let request = || Request::get("/").header("authorization", format!("Bearer {token}")).body(Body::empty());
//! assert_eq!(app.clone().oneshot(request()?).await?.status(), StatusCode::OK);
//!
//! // The issuer's word.
//! let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
//! let word = issuer.token("usr_1").typ("logout+jwt").audience("orders-app");
//! let word = word.claim("events", events).claim("sid", "session-1").sign();
//! let post = Request::post("/backchannel-logout")
//!     .header("content-type", "application/x-www-form-urlencoded")
//!     .body(Body::from(format!("logout_token={word}")))?;
//! assert_eq!(app.clone().oneshot(post).await?.status(), StatusCode::OK);
//!
//! assert_eq!(app.oneshot(request()?).await?.status(), StatusCode::UNAUTHORIZED);
//! # Ok(()) }
//! ```
//!
//! # What is checked (2.6)
//! The body is a form with one field `logout_token`, at most 16 KiB in five seconds. The token is
//! signed with a key of the issuer, by the rules of its access tokens (never `none`), its `typ` is
//! `logout+jwt`, `JWT` or absent. `iss` is the issuer, `aud` names this client; `iat`, `exp` and
//! `jti` are there and `exp` has not passed; `events` has the member of this event; there is a
//! `sub` or a `sid`, and no `nonce`: an ID token logs nobody out. A `jti` counts once.
//!
//! # What is revoked
//! | the token names | revoked is |
//! |---|---|
//! | a session (`sid`) | every token of that session; if it names the subject too, also those tokens of the subject that do not say to which session they belong, and were issued before |
//! | a subject (`sub`) only | every token of the subject that was issued before |
//!
//! "Before" is to the end of the second in which the logout was issued. The revocation is kept for
//! 24 hours, which must be longer than access tokens live:
//! [`remember_for`](BackChannelLogoutBuilder::remember_for).
//!
//! # In the stack
//! A route of its own, outside `AuthLayer`; it reads and leaves nothing in the context. Whoever finds it
//! can make the service verify a signature: put a limit by address in front of it.
//!
//! # How it fails
//! | what happens | kind | status |
//! |---|---|---|
//! | any of the checks | `invalid_request` | 400 (2.8) |
//! | the body is larger, or slower | `payload_too_large`, `request_timeout` | 413, 408 |
//! | the store or the key source does not answer | `backend_unavailable` | 503: the issuer may try again |
//! | the token's key is not known, and was not fetched for it | `backend_unavailable` | 503: the same |
//!
//! The last is so where the [budget](crate::auth::jwt#keys-from-a-url) for unknown keys is spent, too many
//! wait, or a fetch that began before the token came has lately shown that nobody has the key. Only a
//! fetch that began after it came makes it a 400, for that is final.
//!
//! Which check failed is the rejection's source, for the log. Every answer is `no-store`.
//!
//! # Cost
//! One signature, one question to the store and two or three writes.

mod claims;
mod fault;
mod form;
mod route;
#[cfg(test)]
mod tests;

pub use self::route::{BackChannelLogout, BackChannelLogoutBuilder};
