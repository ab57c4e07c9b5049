//! API keys: `{brand}_{environment}_{id}_{secret}{checksum}`, such as
//! `acme_live_4fT9aB2cD3eF_…`.
//!
//! * The id (twelve characters) is public: stores, logs and audit records name a key by it.
//! * The secret (43 characters, 256 random bits) is shown once, when the key is
//!   [issued](ApiKey::issue), and kept nowhere: the [`ApiKeyRecord`] holds a digest of the whole key.
//! * The checksum (six characters) refuses typing mistakes and scanners' guesses before a store is
//!   asked, and lets secret scanners recognise a leaked key with certainty.
//! * Only letters, digits and `_`: a double click selects a whole key. At most 96 characters.
//!
//! A refused key is `invalid_api_key` (401), whatever the reason; the log says whether it was
//! unknown, wrong, revoked or expired. An unknown id costs the same work as a wrong secret, and
//! digests are compared in constant time. A record of one key verifies no other, because the digest
//! covers the id.
//!
//! Keys are kept behind the port [`ApiKeyStore`]: [`MemoryStore`](crate::backend::memory::MemoryStore)
//! is one, and its page shows how to write another.

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
