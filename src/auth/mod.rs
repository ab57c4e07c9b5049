//! Authentication: who is calling.
//!
//! [`AuthLayer`] reads the one credential that a request may carry, has it verified, and leaves the
//! [`Principal`](crate::identity::Principal) in the request context. It protects against broken
//! authentication (OWASP API2:2023), and answers as RFC 6750 (bearer tokens) and RFC 9110 §11 (HTTP
//! authentication) say.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     auth::{AuthLayer, api_key::{ApiKeyFormat, ApiKeyRecord, ApiKeys, KeyHasher}},
//!     backend::memory::MemoryStore,
//!     identity::Principal,
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let format = ApiKeyFormat::new("acme", "live")?;
//! let keys = ApiKeys::new(MemoryStore::new(), format, KeyHasher::ephemeral());
//! let key = keys.issue(ApiKeyRecord::builder("usr_42").scopes(["read:orders"])).await?;
//!
//! let auth = AuthLayer::builder().api_keys(&keys).realm("orders").build()?;
//! let app = Router::new()
//!     .route("/me", get(|caller: Principal| async move { caller.subject().to_owned() }))
//!     .layer(ServiceBuilder::new().layer(auth));
//!
//! let request = Request::get("/me").header("x-api-key", key.secret.expose()).body(Body::empty())?;
//! assert_eq!(app.clone().oneshot(request).await?.status(), StatusCode::OK);
//!
//! let refused = app.oneshot(Request::get("/me").body(Body::empty())?).await?;
//! assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
//! assert_eq!(refused.headers()["www-authenticate"], "Bearer realm=\"orders\"");
//! # Ok(()) }
//! ```
//!
//! `docs/authentication.md` says which method is for whom, how long things last, and what to look at when it
//! does not work.
//!
//! # Credentials
//! * `Authorization: Bearer <token>`, the scheme in any case, one token of at most 8 KiB: a JWT, or
//!   an API key where keys are accepted. Which of the two follows from its form alone: a key has a
//!   checksum, and no dots.
//! * `X-API-Key: <key>`, where API keys are accepted; elsewhere the header is not read.
//! * On request, a bearer token as WebSocket [sub-protocol](AuthLayerBuilder::websocket_protocol) or in
//!   a [cookie](AuthLayerBuilder::cookie), which counts only if nothing else was sent.
//! * What an [`Authenticator`] knows: signed requests, client certificates, a kind of your own.
//!
//! The query and the body are never read. Two credentials are a mistake, not a choice: whoever sends
//! both headers, or one of them twice, gets a 400. What one verifier refuses is never shown to
//! another, and never passes as anonymous: [`optional`](AuthLayerBuilder::optional) lets only
//! *absent* credentials through. Of several issuers' verifiers, [`jwt`](AuthLayerBuilder::jwt) called
//! for each, a token is shown to the one whose `iss` it names. What is not verified selects nothing but the record or key to
//! verify it with.
//!
//! # In the context
//! Reads the wall clock's time. Leaves the principal, and the challenges with which extractors and
//! [`ScopeLayer`](crate::authz::ScopeLayer) refuse anonymous callers. Credential headers stay
//! in the request, marked sensitive, unless [removed](AuthLayerBuilder::remove_credentials). `X-User-ID`,
//! `X-User-Scopes` and `X-User-Tier` are removed from every request and written from the principal only on
//! [request](AuthLayerBuilder::identity_headers).
//!
//! # In the stack
//! Inside [`CorsSecurityLayer`](crate::cors), which answers preflights: they carry no credentials.
//! Outside everything that needs a caller: limits by client, scopes, quotas. Where one `AuthLayer` stands
//! in another, both must let in the same caller by the same credential: else the answer is 500
//! `misconfigured`, and the log says so.
//!
//! # How it fails
//! | what was sent | kind | status | `WWW-Authenticate: Bearer realm="…"` and |
//! |---|---|---|---|
//! | nothing, or another scheme | `missing_credentials` | 401 | no error (RFC 6750 §3.1) |
//! | two credentials on purpose, an unreadable header | `invalid_request` | 400 | `error="invalid_request"` |
//! | a token that is refused | `invalid_token`, `token_expired`, `invalid_signature` … | 401 | `error="invalid_token"` |
//! | an API key that is refused | `invalid_api_key` | 401 | the error, on the line of the scheme that was used |
//! | anything, while a store or key source is down | `backend_unavailable` | 503 | not sent |
//!
//! Where API keys are accepted, a second line `ApiKey realm="…"` says so.
//!
//! # Cost
//! Reading the headers and choosing a verifier allocates nothing; every challenge is written when
//! the layer is built. An API key in the memory store costs one HMAC, one map look-up and no
//! allocation. Only a verifier or store that has to wait costs a box.

mod accepted;
pub mod api_key;
mod authenticator;
mod binding;
mod builder;
mod challenge;
mod condition;
mod credentials;
pub mod dpop;
mod forward;
mod grammar;
mod health;
pub mod introspection;
pub mod jwt;
mod layer;
pub mod logout;
mod metadata;
pub mod mtls;
mod present;
pub mod revocation;
pub mod signed;
mod sources;
mod typed_claims;
mod verified;

pub use self::{
    authenticator::{Authenticator, Head, Presence, Presented},
    builder::AuthLayerBuilder,
    forward::{ForwardedIdentity, IdentityError, IdentityHeaders},
    health::{AuthHealth, IssuerHealth},
    jwt::JwtVerifier,
    layer::{AuthGate, AuthLayer},
    metadata::{ProtectedResource, ProtectedResourceBuilder},
    sources::CookieSource,
    verified::Verified,
};

/// Runs the programs of the page.
#[cfg(all(doctest, feature = "aws-lc"))]
#[doc = include_str!("../../docs/authentication.md")]
struct Page;

#[cfg(test)]
mod tests;
