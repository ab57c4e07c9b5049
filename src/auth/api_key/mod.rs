//! API keys: `acme_live_4fT9…_…`.
mod crc;
mod digest;
mod format;
mod issue;
mod record;
mod store;
mod verifier;

pub use self::{
    digest::{ApiKeyDigest, DigestError},
    format::ApiKeyFormat,
    issue::ApiKey,
    record::{ApiKeyRecord, ApiKeyRecordBuilder},
    store::ApiKeyStore,
};
pub(crate) use self::{format::is_api_key, verifier::ApiKeyVerifier};
