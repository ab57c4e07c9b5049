use std::sync::Arc;

use super::{
    ApiKeyDigest, ApiKeyFormat, ApiKeyRecord, ApiKeyStore,
    format::{Misshapen, Shaped},
};
use crate::{
    auth::accepted::{Accepted, Checked},
    rejection::{Rejection, RejectionKind},
    store::StoreError,
    time::Timestamp,
};

/// Verifies API keys against a store.
#[derive(Clone, Debug)]
pub(crate) struct ApiKeyVerifier {
    store: Arc<dyn ApiKeyStore>,
    format: Option<ApiKeyFormat>,
}

/// Why a key was refused, for the log. The client learns only that it was: what is told apart here
/// would tell a thief which half of a key to go on with.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the text does not have the form of an API key")]
    Form,
    #[error("the API key's checksum is wrong: it was mistyped or cut off")]
    Checksum,
    #[error("the API key is of another brand or environment than this service's")]
    Foreign,
    #[error("no API key has the id {0}")]
    Unknown(Box<str>),
    #[error("the secret of API key {0} is wrong")]
    WrongSecret(Box<str>),
    #[error("API key {0} is revoked")]
    Revoked(Box<str>),
    #[error("API key {0} has expired")]
    Expired(Box<str>),
}

impl From<Refused> for Rejection {
    fn from(why: Refused) -> Self {
        Self::new(RejectionKind::InvalidApiKey).with_source(why)
    }
}

impl ApiKeyVerifier {
    pub(crate) fn new(store: Arc<dyn ApiKeyStore>, format: Option<ApiKeyFormat>) -> Self {
        Self { store, format }
    }

    /// Form, checksum, brand and environment first: typing mistakes and scanners never reach the
    /// store. What the id selects is a record to compare with, and nothing else.
    pub(crate) fn verify(&self, key: &str, now: Timestamp) -> Checked {
        let shaped = match Shaped::parse(key) {
            Ok(shaped) if self.format.as_ref().is_none_or(|format| shaped.is_of(format)) => shaped,
            Ok(_) => return refuse(Refused::Foreign),
            Err(Misshapen::Form) => return refuse(Refused::Form),
            Err(Misshapen::Checksum) => return refuse(Refused::Checksum),
        };
        let digest = ApiKeyDigest::of(key);
        if let Some(found) = self.store.find_now(shaped.id, now) {
            return Checked::Ready(decide(shaped.id, found, &digest, now));
        }
        let (store, id) = (Arc::clone(&self.store), Box::<str>::from(shaped.id));
        Checked::Wait(Box::pin(async move {
            let found = store.find(&id, now).await;
            decide(&id, found, &digest, now)
        }))
    }
}

fn refuse(why: Refused) -> Checked {
    Checked::Ready(Err(why.into()))
}

/// An unknown id costs the same digest and the same comparison as a wrong secret.
fn decide(
    id: &str,
    found: Result<Option<Arc<ApiKeyRecord>>, StoreError>,
    digest: &ApiKeyDigest,
    now: Timestamp,
) -> Result<Accepted, Rejection> {
    let found = found.map_err(Rejection::backend)?;
    let expected = found.as_deref().map_or(&ApiKeyDigest::NOBODY, ApiKeyRecord::digest);
    let matches = expected.matches(digest);
    let Some(record) = found else { return Err(Refused::Unknown(id.into()).into()) };
    if !matches {
        return Err(Refused::WrongSecret(id.into()).into());
    }
    if record.revoked_at().is_some() {
        return Err(Refused::Revoked(id.into()).into());
    }
    if record.expires_at().is_some_and(|at| now >= at) {
        return Err(Refused::Expired(id.into()).into());
    }
    Ok(record.principal().clone().into())
}
