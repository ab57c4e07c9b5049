//! Opaque tokens, about which the authorization server is asked (RFC 7662).
//!
//! An opaque token says nothing by itself. [`Introspection`] says whom to ask, with which
//! credentials, and for how long an answer holds; the
//! [`IntrospectionVerifier`] that it builds is what
//! [`AuthLayerBuilder::opaque_tokens`](crate::auth::AuthLayerBuilder::opaque_tokens) takes.
//!
//! ```
//! use std::sync::Arc;
//! use axum::{Form, Json, Router, body::Body, routing::{get, post}};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     auth::{AuthLayer, introspection::{Introspection, IntrospectionClient}},
//!     identity::Principal,
//!     secret::Secret,
//! };
//! use serde_json::json;
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[cfg(feature = "jwks")]
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // An authorization server that knows one token.
//! let server = Router::new().route("/introspect", post(|body: String| async move {
//!     let active = body.contains("token=opaque-7f3a");
//!     Json(json!({ "active": active, "sub": "usr_42", "aud": "orders", "scope": "read:orders" }))
//! }));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let endpoint = format!("http://{}/introspect", listener.local_addr()?);
//! tokio::spawn(async move { axum::serve(listener, server).await });
//!
//! let client = IntrospectionClient::basic("orders-api", Secret::new("its own secret"));
//! let tokens = Introspection::new("https://id.example.com", endpoint, client).audience("orders").build()?;
//! let auth = AuthLayer::builder().opaque_tokens(tokens).build()?;
//! let app = Router::new()
//!     .route("/me", get(|caller: Principal| async move { caller.subject().to_owned() }))
//!     .layer(ServiceBuilder::new().layer(auth));
//!
//! let with = |token: &str| Request::get("/me").header("authorization", format!("Bearer {token}")).body(Body::empty());
//! assert_eq!(app.clone().oneshot(with("opaque-7f3a")?).await?.status(), StatusCode::OK);
//! assert_eq!(app.oneshot(with("invented")?).await?.status(), StatusCode::UNAUTHORIZED);
//! # Ok(()) }
//! # #[cfg(not(feature = "jwks"))] fn main() {}
//! ```
//!
//! # Which tokens are opaque
//! A bearer token that has the form of an API key is one, where keys are accepted. One of three parts
//! is a JWT, where an issuer of JWTs is configured. About every other one the server is asked. So a
//! token is judged by one verifier, which follows from its form.
//!
//! # What is checked
//! `active` must be the boolean `true`. What the server says of the token is then judged as the claims
//! of a [JWT](crate::auth::jwt) are: `iss`, if it is there, is the issuer that was asked; `aud` names
//! this service; `exp`, `nbf` and `iat` hold now; there is a subject: `sub`, or the
//! `client_id` of a client's own token (one without `username`, which identifies nobody: RFC 7662 §2.2);
//! it is not marked as an ID token. `token_type`, if it is there, is `Bearer` or `DPoP`. A token with
//! `cnf` needs the proof of its possession, as any other ([`dpop`](crate::auth::dpop),
//! [`mtls`](crate::auth::mtls)). Signed responses (RFC 9701) are not asked for: the answer comes
//! over the connection that this service has made.
//!
//! # The cache
//! An answer holds for [60 s](Introspection::hold_for), and never past `exp`; being used does not
//! prolong it, so that a token which is revoked stops working after so long. It is found by the SHA-256 of the
//! token: tokens themselves are kept nowhere. 10,000 answers are held. That a token is refused is
//! held for 30 s, for 1,000 tokens, apart from the others: who invents tokens pushes out no good ones.
//!
//! Of requests with one token that arrive together one asks. At most
//! [100 questions](Introspection::calls_per_second) in a second are asked, 64 at once. Tokens that held
//! when they were last asked about have as many questions of their own, so that who invents tokens does
//! not keep out who is in; against new callers they do prevail, so put a limit by address
//! [outside](crate::rate_limit). After a failure that is not the token's (400, 413, 414, 422) the
//! server is left alone for a second: for new tokens if it was about a new one, for the others if it was
//! about one of them.
//!
//! # How it fails
//! | what was sent | kind | status |
//! |---|---|---|
//! | a token that is not active, not for this service, of a type that is no access token's | `invalid_token` | 401 |
//! | one whose `exp` has passed, or `nbf` lies ahead | `token_expired`, `token_not_yet_valid` | 401 |
//! | any that is not known, while the server is down, answers wrongly or is asked too much | `backend_unavailable` | 503, `Retry-After: 1` |
//!
//! A server that cannot be asked is never a 401: that would end the sessions of good callers.
//!
//! # Cost
//! A known token costs one SHA-256 and a look-up. An unknown one costs a box, and a round trip of at
//! most 5 s.

mod budget;
mod builder;
#[cfg_attr(not(feature = "jwks"), allow(dead_code, reason = "only the HTTP transport writes requests"))]
mod client;
#[cfg(feature = "jwks")]
mod http;
mod introspector;
mod response;
#[cfg(test)]
mod tests;
mod verifier;

pub use self::{
    builder::Introspection,
    client::IntrospectionClient,
    introspector::{IntrospectionError, Introspector},
    verifier::IntrospectionVerifier,
};
