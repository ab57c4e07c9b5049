//! Revocation: credentials that verify, and must not be let in any more.
//!
//! A token is good until it expires, whatever has become of its owner: that is what makes it cheap to
//! verify, and what a thief relies on (OWASP API2:2023). A [`RevocationStore`] holds what is to
//! end earlier: one token (`jti`), a session (`sid`), everything that was issued to a subject before a moment
//! (the answer to a stolen password), an API key. `AuthLayer` asks it for every request, also for
//! tokens that it has cached, so a revocation works with the next request.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     auth::{AuthLayer, api_key::{ApiKey, ApiKeyFormat, ApiKeyRecord, KeyHasher}, revocation::{Revocation, RevocationStore}},
//!     backend::memory::MemoryStore,
//!     time::Timestamp,
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new();
//! let key = ApiKey::issue(&ApiKeyFormat::new("acme", "live")?, &KeyHasher::ephemeral(), ApiKeyRecord::builder("usr_42"))?;
//! store.insert_api_key(key.record.clone())?;
//!
//! let auth = AuthLayer::builder().api_keys(store.clone()).revocations(store.clone()).build()?;
//! let app = Router::new().route("/", get(|| async { "in" })).layer(ServiceBuilder::new().layer(auth));
//! let request = || Request::get("/").header("x-api-key", key.secret.expose()).body(Body::empty());
//! assert_eq!(app.clone().oneshot(request()?).await?.status(), StatusCode::OK);
//!
//! // It has no end of its own, so the revocation has none either.
//! store.revoke(Revocation::api_key(key.record.id(), Timestamp::MAX), Timestamp::EPOCH).await?;
//! assert_eq!(app.oneshot(request()?).await?.status(), StatusCode::UNAUTHORIZED);
//! # Ok(()) }
//! ```
//!
//! # What it can be told
//! | [`Revocation`] | hits | forgotten at |
//! |---|---|---|
//! | [`token`](Revocation::token) | the token with this `iss` and `jti` | its `exp` plus leeway |
//! | [`session`](Revocation::session) | all tokens with this `iss` and `sid` | the last of them could live |
//! | [`subject`](Revocation::subject) | all tokens with this `iss` and `sub` and an earlier `iat`, or none | likewise |
//! | [`api_key`](Revocation::api_key) | the API key with this id | it expires |
//! | [`credential`](Revocation::credential) | what another kind of credential calls its id | it expires |
//!
//! A token without `jti` cannot be revoked alone, one without `sid` by no session. Names are kept as
//! SHA-256 digests: the store learns no subject.
//!
//! # In the context
//! Reads the wall clock's time and the credential that was just verified. Leaves nothing.
//!
//! # In the stack
//! It is a condition of `AuthLayer`, no layer of its own.
//!
//! # How it fails
//! | what happens | kind | status |
//! |---|---|---|
//! | a token is revoked | `invalid_token` | 401 |
//! | an API key is revoked | `invalid_api_key` | 401 |
//! | the store does not answer within two seconds, or fails | `backend_unavailable` | 503 |
//!
//! The client is told what it would be told of any credential that does not hold (RFC 6750 §3.1); that it was
//! revoked is the rejection's source, for the log. An outage of the store is no permission:
//! [`dangerously_accept_while_revocations_are_unknown`](crate::auth::AuthLayerBuilder::dangerously_accept_while_revocations_are_unknown)
//! makes it one.
//!
//! # Cost
//! In memory: nothing while nothing is revoked; then up to three SHA-256 digests of short texts and
//! as many map look-ups. A store elsewhere: one box and its round trip, for every request.

mod builder;
mod condition;
mod revoked;
mod store;
#[cfg(test)]
mod tests;

pub(in crate::auth) use self::builder::RevocationSettings;
pub use self::{
    revoked::{Revocation, RevocationKey, RevocationQuery},
    store::RevocationStore,
};
