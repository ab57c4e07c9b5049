//! API keys: `{brand}_{environment}_{id}_{secret}{checksum}`, such as
//! `acme_live_4fT9aB2cD3eF_…`.
//!
//! [`ApiKeys`] issues, rotates, revokes and lists them; [`AuthLayer`](crate::auth::AuthLayer) accepts
//! them. They protect against broken authentication (OWASP API2:2023) where there is no identity
//! provider: between services, for scripts, for customers' programs.
//!
//! * The id (twelve characters) is public: stores, logs and audit records name a key by it.
//! * The secret (43 characters, 256 random bits) is shown once, when the key is
//!   [issued](ApiKeys::issue), and kept nowhere: the [`ApiKeyRecord`] holds a digest of the whole key.
//! * The checksum (six characters) refuses typing mistakes and scanners' guesses before a store is
//!   asked, and lets secret scanners recognise a leaked key with certainty
//!   ([`ApiKeyFormat::SCANNER_PATTERN`]).
//! * Only letters, digits and `_`: a double click selects a whole key. At most 96 characters.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     auth::{AuthLayer, api_key::{ApiKeyFormat, ApiKeyRecord, ApiKeys, KeyHasher}},
//!     backend::memory::MemoryStore,
//!     identity::Principal,
//!     secret::Secret,
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let from_configuration = Secret::new(vec![7_u8; 32]);
//! // With feature `sqlite` or `postgres`, a SqlStore in place of the MemoryStore.
//! let format = ApiKeyFormat::new("acme", "live")?;
//! let keys = ApiKeys::new(MemoryStore::new(), format, KeyHasher::hmac(from_configuration)?);
//! let task = keys.spawn_flush(); // writes when keys were last used
//!
//! let record = ApiKeyRecord::builder("usr_42").plan("pro").read_only().allowed_networks(["203.0.113.0/24"]);
//! let from_our_office = keys.issue(record).await?;
//! let from_anywhere = keys.issue(ApiKeyRecord::builder("usr_42").scopes(["read:orders"])).await?;
//!
//! let auth = AuthLayer::builder().api_keys(&keys).build()?;
//! let app = Router::new()
//!     .route("/me", get(|caller: Principal| async move { caller.subject().to_owned() }))
//!     .layer(ServiceBuilder::new().layer(auth));
//! let send = async |key: &Secret| {
//!     let request = Request::get("/me").header("x-api-key", key.expose()).body(Body::empty()).unwrap();
//!     app.clone().oneshot(request).await.unwrap().status()
//! };
//! assert_eq!(send(&from_anywhere.secret).await, StatusCode::OK);
//! // This request comes from nowhere in particular.
//! assert_eq!(send(&from_our_office.secret).await, StatusCode::UNAUTHORIZED);
//!
//! keys.revoke(from_anywhere.record.id(), "the project has ended").await?;
//! assert_eq!(send(&from_anywhere.secret).await, StatusCode::UNAUTHORIZED);
//! task.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! # What is checked, in this order
//! 1. Form and checksum; brand and environment. What fails here costs no look into the store: typing
//!    mistakes, scanners, a live key sent to the test system.
//! 2. The record of the id.
//! 3. The fast digests (HMAC, SHA-256), in constant time. An unknown id costs the same computations as
//!    a wrong secret. A record of one key verifies no other, because the digest covers the id.
//! 4. Revocation, beginning and end, and the networks that the key may be used from; a caller whose
//!    address is unknown is in none of them.
//! 5. Only where the digest has a slow part (Argon2id, bcrypt: feature `password`): the cache of
//!    what was verified in the last five minutes; then a place in the queue; then the budgets of the
//!    caller's network and of the id; then the hash, on a thread for blocking work, as many at once as
//!    there are cores. So ten thousand wrong keys for an id cause ten hashes. Whoever knows the id of
//!    such a key can use up its budget, so that the owner, too, waits when the cache has run out:
//!    [`KeyHasher`] says why `hybrid` is better, and `hmac` best.
//!
//! A refused key is `invalid_api_key` (401), whatever the reason; the log says which.
//!
//! # Rotation
//! [`ApiKeys::rotate`] gives a new key; the old one works on for the overlap. Responses to the old one
//! carry `Deprecation` (RFC 9745: since when) and `Sunset` (RFC 8594: until when). A key that is 90 days
//! old is due: responses carry `X-API-Key-Rotation-Due` (since when, as HTTP date), and the log has a line
//! once a day. These fields stand on every response that comes from further inside.
//!
//! Of two rotations at once, one fails. A rotation that fails half-way leaves a new key whose secret
//! nobody has seen, and revokes it.
//!
//! # Revocation
//! Holds from the next request on: the record is asked for with each request, and its word comes before
//! every cache of digests. That is so in every process that shares the store, unless the store caches
//! (`SqlStore` does only if told to, and says for how long).
//! [`LeakReports`] takes the word of secret scanners.
//!
//! # Stores
//! [`ApiKeyStore`] finds records; a store that has it can be verified against.
//! [`ApiKeyRegistry`] also writes them; [`ApiKeys`] needs it.
//! [`MemoryStore`](crate::backend::memory::MemoryStore) and `SqlStore` (SQLite, PostgreSQL) have both,
//! the pages of the two ports show how to write another, and `portcullis::conformance::api_keys` tests
//! it.
//!
//! # In the context
//! Reads the time and the client's address. Leaves the principal: owner as subject, tenant, plan, scopes,
//! roles, the id as credential id.
//!
//! # How it fails
//! | what | kind | status |
//! |---|---|---|
//! | a key that is refused, for whatever reason | `invalid_api_key` | 401 |
//! | a store that fails, or does not answer within [2 s](ApiKeyVerifierBuilder::patience) | `backend_unavailable` | 503 |
//! | a stored digest of a kind that the hasher does not accept | `backend_unavailable` | 503 |
//! | slow hashes beyond the budget | `rate_limit_exceeded` | 429 |
//! | more slow hashes at once than the queue holds | `service_unavailable` | 503 |
//!
//! # Cost
//! With a fast hasher and the memory store: one HMAC for each pepper in force, one map look-up, an atomic
//! store of the last use, and no allocation.

mod crc;
mod digest;
mod flush;
mod format;
mod hasher;
mod issue;
mod keys;
mod leak;
mod notices;
mod record;
mod record_builder;
mod registry;
mod slow;
mod slow_guard;
mod store;
mod uses;
mod verifier;
mod verifier_builder;

pub(crate) use self::format::is_api_key;
pub use self::{
    digest::{ApiKeyDigest, DigestError},
    flush::ApiKeyFlush,
    format::ApiKeyFormat,
    hasher::KeyHasher,
    issue::ApiKey,
    keys::{ApiKeyError, ApiKeys},
    leak::LeakReports,
    record::{ApiKeyChange, ApiKeyRecord, Changed, Superseded},
    record_builder::ApiKeyRecordBuilder,
    registry::ApiKeyRegistry,
    store::ApiKeyStore,
    uses::ApiKeyUse,
    verifier::ApiKeyVerifier,
    verifier_builder::ApiKeyVerifierBuilder,
};
