use std::{sync::Arc, time::Duration};

use zeroize::Zeroizing;

use super::{
    ApiKeyDigest, ApiKeyFormat, ApiKeyRecord, ApiKeyStore, ApiKeyVerifierBuilder, KeyHasher,
    format::{Misshapen, Shaped},
    hasher::Match,
    notices::Notices,
    slow_guard::{KeyId, SlowGuard, SlowJob},
    uses::Uses,
};
use crate::{
    auth::accepted::{Accepted, Checked},
    rejection::{Rejection, RejectionKind},
    request::ClientIp,
    store::StoreError,
    time::Now,
};

/// Verifies API keys: what [`AuthLayerBuilder::api_keys`](crate::auth::AuthLayerBuilder::api_keys)
/// takes. Clones are the same verifier.
///
/// It is made of a store and the hasher that made the digests in it; or of an
/// [`ApiKeys`](super::ApiKeys), which has both; or of a
/// [`MemoryStore`](crate::backend::memory::MemoryStore) alone, whose keys were then issued with
/// [`KeyHasher::ephemeral`].
#[derive(Clone, Debug)]
pub struct ApiKeyVerifier(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: Arc<dyn ApiKeyStore>,
    pub(super) hasher: KeyHasher,
    pub(super) is_ephemeral: bool,
    pub(super) format: Option<ApiKeyFormat>,
    pub(super) patience: Duration,
    pub(super) notices: Notices,
    pub(super) guard: SlowGuard,
    /// Where somebody writes them.
    pub(super) uses: Option<Arc<Uses>>,
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
    #[error(
        "the secret of API key {0} is wrong, or the key was issued by another process: \
         KeyHasher::ephemeral ends with its own, use KeyHasher::hmac for keys that are kept"
    )]
    OtherProcess(Box<str>),
    #[error("API key {0} is revoked")]
    Revoked(Box<str>),
    #[error("API key {0} has expired")]
    Expired(Box<str>),
    #[error("API key {0} does not hold yet")]
    Early(Box<str>),
    #[error("API key {0} may not be used from where the request came from")]
    Network(Box<str>),
}

impl From<Refused> for Rejection {
    fn from(why: Refused) -> Self {
        Self::new(RejectionKind::InvalidApiKey).with_source(why)
    }
}

type Found = Result<Option<Arc<ApiKeyRecord>>, StoreError>;

/// A key that has the right form, and who sent it.
struct Sent<'a> {
    key: &'a str,
    id: &'a str,
    now: Now,
    client: ClientIp,
}

/// What is left to do for a verdict.
enum Step {
    Done(Result<Accepted, Rejection>),
    Compare {
        job: SlowJob,
        record: Option<Arc<ApiKeyRecord>>,
        current: bool,
    },
    /// The key holds; its digest is to be made anew, which takes a while.
    Renew(Arc<ApiKeyRecord>),
}

impl ApiKeyVerifier {
    /// A verifier with the defaults of [`builder`](Self::builder).
    pub fn new(store: impl ApiKeyStore + 'static, hasher: KeyHasher) -> Self {
        Self::builder(store, hasher).with_defaults()
    }

    /// A verifier of the keys whose records lie in `store` and were made with `hasher`.
    pub fn builder(store: impl ApiKeyStore + 'static, hasher: KeyHasher) -> ApiKeyVerifierBuilder {
        ApiKeyVerifierBuilder::new(Arc::new(store), hasher)
    }

    pub(super) fn from_inner(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    #[cfg(all(test, feature = "password"))]
    pub(in crate::auth) fn slow_hashes(&self) -> u64 {
        self.0.guard.hashes()
    }

    pub(super) fn forget(&self, id: &str) {
        if let Ok(id) = id.as_bytes().try_into() {
            self.0.guard.forget(&id);
        }
    }

    /// Whether a key is one of those in the store, in force or not, wherever it came from. Within the
    /// same budgets, and never noted as a use.
    pub(super) async fn recognises(&self, key: &str, now: Now) -> Result<bool, Rejection> {
        let Ok(shaped) = Shaped::parse(key) else { return Ok(false) };
        if self.0.format.as_ref().is_some_and(|format| !shaped.is_of(format)) {
            return Ok(false);
        }
        let sent = Sent { key, id: shaped.id, now, client: ClientIp::UNKNOWN };
        let Some(record) = self.0.find(&sent).await.map_err(Rejection::backend)? else { return Ok(false) };
        match self.0.check(Some(record.digest()), &sent)? {
            Match::No => Ok(false),
            Match::Yes { .. } => Ok(true),
            Match::Slow { text, .. } => self.0.guard.verify(sent.job(text), now).await,
        }
    }

    /// Form, checksum, brand and environment first: typing mistakes and scanners never reach the
    /// store. What the id selects is a record to compare with, and nothing else.
    pub(crate) fn verify(&self, key: &str, now: Now, client: ClientIp) -> Checked {
        let shaped = match Shaped::parse(key) {
            Ok(shaped) if self.0.format.as_ref().is_none_or(|format| shaped.is_of(format)) => shaped,
            Ok(_) => return refuse(Refused::Foreign),
            Err(Misshapen::Form) => return refuse(Refused::Form),
            Err(Misshapen::Checksum) => return refuse(Refused::Checksum),
        };
        let sent = Sent { key, id: shaped.id, now, client };
        let step = self.0.store.find_now(shaped.id, now.wall).map(|found| self.0.step(found, &sent));
        if let Some(Step::Done(verdict)) = step {
            return Checked::Ready(verdict);
        }
        let (verifier, key, id) = (self.clone(), Zeroizing::new(key.to_owned()), Box::<str>::from(shaped.id));
        Checked::Wait(Box::pin(async move {
            let sent = Sent { key: &key, id: &id, now, client };
            let step = match step {
                Some(step) => step,
                None => verifier.0.step(verifier.0.find(&sent).await, &sent),
            };
            verifier.0.finish(step, &sent).await
        }))
    }
}

fn refuse(why: Refused) -> Checked {
    Checked::Ready(Err(why.into()))
}

impl Inner {
    async fn find(&self, sent: &Sent<'_>) -> Found {
        let found = tokio::time::timeout(self.patience, self.store.find(sent.id, sent.now.wall)).await;
        found.unwrap_or(Err(StoreError::TimedOut))
    }

    fn step(&self, found: Found, sent: &Sent<'_>) -> Step {
        self.compare(found, sent).unwrap_or_else(|rejection| Step::Done(Err(rejection)))
    }

    /// An unknown id costs the same digests and the same comparisons as a wrong secret.
    fn compare(&self, found: Found, sent: &Sent<'_>) -> Result<Step, Rejection> {
        let record = found.map_err(Rejection::backend)?;
        let stored = record.as_deref().map(ApiKeyRecord::digest);
        let matched = self.check(stored, sent)?;
        let Some(record) = record.as_ref() else {
            return match self.hasher.nobody() {
                Some(text) => Ok(Step::Compare { job: sent.job(&text), record: None, current: true }),
                None => Err(Refused::Unknown(sent.id.into()).into()),
            };
        };
        match matched {
            Match::No if self.is_ephemeral => Err(Refused::OtherProcess(sent.id.into()).into()),
            Match::No => Err(Refused::WrongSecret(sent.id.into()).into()),
            Match::Yes { current } => {
                standing(record, sent)?;
                Ok(self.accept(record, sent, current))
            }
            Match::Slow { text, current } => {
                standing(record, sent)?;
                if self.guard.remembers(text, sent.key, sent.now) {
                    return Ok(self.accept(record, sent, current));
                }
                Ok(Step::Compare { job: sent.job(text), record: Some(Arc::clone(record)), current })
            }
        }
    }

    fn check<'a>(&self, stored: Option<&'a ApiKeyDigest>, sent: &Sent<'_>) -> Result<Match<'a>, Rejection> {
        let matched = self.hasher.check(stored, sent.key, sent.now.wall);
        matched.map_err(|error| Rejection::backend(StoreError::corrupt(error)))
    }

    async fn finish(&self, step: Step, sent: &Sent<'_>) -> Result<Accepted, Rejection> {
        let step = match step {
            Step::Compare { job, record, current } => {
                let verified = self.guard.verify(job, sent.now).await?;
                let record = record.ok_or_else(|| Refused::Unknown(sent.id.into()))?;
                if !verified {
                    return Err(Refused::WrongSecret(sent.id.into()).into());
                }
                self.accept(&record, sent, current)
            }
            step => step,
        };
        match step {
            Step::Done(verdict) => verdict,
            Step::Renew(record) => {
                self.renew(&record, sent).await;
                Ok(self.accepted(&record, sent))
            }
            // `accept` never says so.
            Step::Compare { .. } => Err(Refused::WrongSecret(sent.id.into()).into()),
        }
    }

    /// The key holds. If its digest is not of the present kind, a new one is left to be written.
    fn accept(&self, record: &Arc<ApiKeyRecord>, sent: &Sent<'_>, current: bool) -> Step {
        if let Some(uses) = &self.uses
            && !current
            && !uses.is_rehashing(sent.id)
        {
            if self.hasher.is_slow() {
                return Step::Renew(Arc::clone(record));
            }
            if let Ok(digest) = self.hasher.digest(sent.key) {
                uses.rehash(sent.id, record.digest().clone(), digest);
            }
        }
        Step::Done(Ok(self.accepted(record, sent)))
    }

    async fn renew(&self, record: &ApiKeyRecord, sent: &Sent<'_>) {
        let (hasher, key) = (self.hasher.clone(), Zeroizing::new(sent.key.to_owned()));
        let digest = self.guard.spare(move || hasher.digest(&key)).await;
        if let (Some(Ok(digest)), Some(uses)) = (digest, &self.uses) {
            uses.rehash(sent.id, record.digest().clone(), digest);
        }
    }

    fn accepted(&self, record: &ApiKeyRecord, sent: &Sent<'_>) -> Accepted {
        let id = sent.key_id();
        if let Some(uses) = &self.uses {
            uses.used(&id, sent.now.wall);
        }
        Accepted { principal: record.principal().clone(), response: self.notices.of(record, &id, sent.now.wall) }
    }
}

impl Sent<'_> {
    fn job(&self, text: &str) -> SlowJob {
        SlowJob {
            key: Zeroizing::new(self.key.to_owned()),
            text: text.into(),
            id: self.key_id(),
            network: self.client.network(),
        }
    }

    fn key_id(&self) -> KeyId {
        // Every key of the right form has such an id.
        self.id.as_bytes().try_into().unwrap_or_default()
    }
}

fn standing(record: &ApiKeyRecord, sent: &Sent<'_>) -> Result<(), Refused> {
    let now = sent.now.wall;
    if record.revoked_at().is_some() {
        return Err(Refused::Revoked(sent.id.into()));
    }
    if record.expires_at().is_some_and(|at| now >= at) {
        return Err(Refused::Expired(sent.id.into()));
    }
    if record.not_before().is_some_and(|at| now < at) {
        return Err(Refused::Early(sent.id.into()));
    }
    if !record.allows(sent.client.ip()) {
        return Err(Refused::Network(sent.id.into()));
    }
    Ok(())
}
