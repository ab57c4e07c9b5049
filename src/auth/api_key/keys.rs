use std::{fmt, sync::Arc, time::Duration};

use super::{
    ApiKey, ApiKeyChange, ApiKeyFlush, ApiKeyFormat, ApiKeyRecord, ApiKeyRecordBuilder, ApiKeyRegistry, ApiKeyVerifier,
    ApiKeyVerifierBuilder, Changed, KeyHasher, registry::Reading, uses::Uses,
};
use crate::{
    config_error::ConfigError,
    store::StoreError,
    time::{Clock, SystemClock, Timestamp},
};

/// Records that [`ApiKeys::list`] reads at once, and the most that it returns.
const PAGE: usize = 100;
const MAX_LISTED: usize = 10_000;
/// An id is 71 random bits: a second one that is taken is a store that is broken.
const ATTEMPTS: usize = 3;

/// Issues, rotates, revokes and lists API keys, and verifies them: one value for the application's
/// routes that manage keys and for the layer that accepts them. Clones are the same one.
///
/// ```
/// use std::time::Duration;
/// use axum::{Router, body::Body, routing::get};
/// use http::{Request, StatusCode};
/// use portcullis::{
///     auth::{AuthLayer, api_key::{ApiKeyFormat, ApiKeyRecord, ApiKeys, KeyHasher}},
///     backend::memory::MemoryStore,
/// };
/// use tower::{ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = ApiKeys::new(MemoryStore::new(), ApiKeyFormat::new("acme", "live")?, KeyHasher::ephemeral());
/// let old = keys.issue(ApiKeyRecord::builder("usr_42").read_only()).await?;
///
/// let auth = AuthLayer::builder().api_keys(&keys).build()?;
/// let app = Router::new().route("/", get(|| async {})).layer(ServiceBuilder::new().layer(auth));
///
/// // A week in which both keys work; responses to the old one say until when.
/// let new = keys.rotate(old.record.id(), Duration::from_secs(7 * 24 * 3_600)).await?;
/// let send = async |key: &[u8]| app.clone().oneshot(Request::get("/").header("x-api-key", key).body(Body::empty()).unwrap()).await;
/// let told = send(old.secret.expose()).await?;
/// assert_eq!(told.status(), StatusCode::OK);
/// assert!(told.headers().contains_key("deprecation") && told.headers().contains_key("sunset"));
/// assert!(!send(new.secret.expose()).await?.headers().contains_key("sunset"));
///
/// // From the next request on.
/// keys.revoke(old.record.id(), "the week is over").await?;
/// assert_eq!(send(old.secret.expose()).await?.status(), StatusCode::UNAUTHORIZED);
/// # Ok(()) }
/// ```
///
/// # When a key was last used
/// The layer notes it in memory (an atomic store). [`flush`](Self::flush) writes what has been noted,
/// in one statement; [`spawn_flush`](Self::spawn_flush) starts a task that does so every minute. The
/// same write carries the digests that are to be made anew, because the pepper was rotated or the
/// hasher changed.
#[derive(Clone)]
pub struct ApiKeys {
    shared: Arc<Shared>,
}

#[derive(Clone)]
struct Shared {
    registry: Arc<dyn ApiKeyRegistry>,
    format: ApiKeyFormat,
    hasher: KeyHasher,
    clock: Arc<dyn Clock>,
    uses: Arc<Uses>,
    verifier: ApiKeyVerifier,
}

/// What stands in the way of a change of keys.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiKeyError {
    /// The record cannot be built.
    #[error(transparent)]
    Record(#[from] ConfigError),
    /// The store could not answer, or would not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such key.
    #[error("there is no API key with this id")]
    Unknown,
    /// The key is revoked, expired, or replaced already.
    #[error("the API key is revoked, expired, or replaced already")]
    NotInForce,
}

impl ApiKeys {
    /// Keys of one brand and environment, in one registry, with digests by `hasher`; others are
    /// refused without asking the registry.
    pub fn new(registry: impl ApiKeyRegistry + 'static, format: ApiKeyFormat, hasher: KeyHasher) -> Self {
        let (registry, uses): (Arc<dyn ApiKeyRegistry>, _) = (Arc::new(registry), Arc::new(Uses::default()));
        let verifier = verifier(&registry, &format, &hasher, &uses).with_defaults();
        let clock = Arc::new(SystemClock::new());
        Self { shared: Arc::new(Shared { registry, format, hasher, clock, uses, verifier }) }
    }

    /// Another clock for what is written into records. Default: the machine's.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        let mut shared = Arc::unwrap_or_clone(self.shared);
        shared.clock = Arc::new(clock);
        Self { shared: Arc::new(shared) }
    }

    /// Another way to verify: patience, the age at which keys are due, the cache of slow hashes.
    ///
    /// # Errors
    /// As [`ApiKeyVerifierBuilder::build`] says.
    pub fn verification(
        self,
        change: impl FnOnce(ApiKeyVerifierBuilder) -> ApiKeyVerifierBuilder,
    ) -> Result<Self, ConfigError> {
        let mut shared = Arc::unwrap_or_clone(self.shared);
        let Shared { registry, format, hasher, uses, .. } = &shared;
        shared.verifier = change(verifier(registry, format, hasher, uses)).build()?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The verifier of these keys, for layers: `AuthLayer::builder().api_keys(&keys)` is the same.
    pub fn verifier(&self) -> ApiKeyVerifier {
        self.shared.verifier.clone()
    }

    /// Issues a key and keeps its record, with the time of issue. The secret is in the result, and
    /// nowhere else.
    ///
    /// # Errors
    /// [`ApiKeyError::Record`] if something is wrong with the record, [`ApiKeyError::Store`] if it could
    /// not be kept.
    pub async fn issue(&self, record: ApiKeyRecordBuilder) -> Result<ApiKey, ApiKeyError> {
        let record = record.created_by_default_at(self.now());
        for _ in 0..ATTEMPTS {
            let key = self.make(record.clone()).await?;
            if self.shared.registry.insert(key.record.clone()).await? {
                return Ok(key);
            }
        }
        Err(ApiKeyError::Store(StoreError::corrupt("every new id is taken")))
    }

    /// Issues a key with the owner and the rights of an old one, which works on for `overlap` (or
    /// until it expires, if that is earlier). Of two rotations of one key at once, one fails.
    ///
    /// The new key lives as long as the old one was meant to, from now on.
    ///
    /// # Errors
    /// [`ApiKeyError::Unknown`], [`ApiKeyError::NotInForce`], or as [`issue`](Self::issue) says.
    pub async fn rotate(&self, id: &str, overlap: Duration) -> Result<ApiKey, ApiKeyError> {
        let now = self.now();
        let old = self.find(id).await?.ok_or(ApiKeyError::Unknown)?;
        let supersede = |by: &str| {
            let (by, until) = (by.to_owned(), now.saturating_add(overlap));
            ApiKeyChange::Supersede { by, at: now, until }
        };
        // So that only a race leaves a key behind that nobody got.
        if old.changed(&supersede(id)).is_none() {
            return Err(ApiKeyError::NotInForce);
        }
        let mut record = old.successor();
        if let (Some(created), Some(end)) = (old.created_at(), old.expires_at()) {
            record = record.expires_at(now.saturating_add(end.since(created)));
        } else if let Some(end) = old.expires_at() {
            record = record.expires_at(end);
        }
        let key = self.issue(record).await?;
        let by = key.record.id();
        let changed = match self.shared.registry.change(id, &supersede(by)).await {
            // Nobody knows whether it was made before somebody has looked.
            Err(_) if self.is_superseded(id, by).await => Ok(Changed::Applied),
            changed => changed,
        };
        if !matches!(changed, Ok(Changed::Applied)) {
            // Nobody has seen its secret.
            let _ = self.revoke(by, "the rotation that it was issued for failed").await;
        }
        match changed? {
            Changed::Applied => Ok(key),
            Changed::NotApplicable => Err(ApiKeyError::NotInForce),
            Changed::Unknown => Err(ApiKeyError::Unknown),
        }
    }

    async fn is_superseded(&self, id: &str, by: &str) -> bool {
        let found = self.find(id).await.ok().flatten();
        found.is_some_and(|old| old.superseded().is_some_and(|superseded| superseded.by() == by))
    }

    /// Ends a key: the next request with it is refused, in this process and in all that share the
    /// store (a store that caches says for how long another process may not know). Whether it was in
    /// force; the first revocation stands.
    ///
    /// # Errors
    /// [`ApiKeyError::Unknown`], or [`ApiKeyError::Store`]: then it may not be revoked, try again.
    pub async fn revoke(&self, id: &str, reason: &str) -> Result<bool, ApiKeyError> {
        let change = ApiKeyChange::Revoke { at: self.now(), reason: reason.to_owned() };
        let changed = self.shared.registry.change(id, &change).await?;
        self.shared.verifier.forget(id);
        match changed {
            Changed::Applied => {
                tracing::info!(target: "portcullis", key = %id, %reason, "an API key was revoked");
                Ok(true)
            }
            Changed::NotApplicable => Ok(false),
            Changed::Unknown => Err(ApiKeyError::Unknown),
        }
    }

    /// The record of a key, in force or not.
    ///
    /// # Errors
    /// [`ApiKeyError::Store`].
    pub async fn find(&self, id: &str) -> Result<Option<Arc<ApiKeyRecord>>, ApiKeyError> {
        Ok(self.shared.registry.find(id, self.now()).await?)
    }

    /// The records of an owner's keys, in force or not, in the order of their ids; at most 10,000.
    ///
    /// # Errors
    /// [`ApiKeyError::Store`].
    pub async fn list(&self, owner: &str) -> Result<Vec<Arc<ApiKeyRecord>>, ApiKeyError> {
        let mut records: Vec<Arc<ApiKeyRecord>> = Vec::new();
        while records.len() < MAX_LISTED {
            let after = records.last().map(|record| record.id().to_owned());
            let page = self.shared.registry.list(owner, after.as_deref(), PAGE).await?;
            let is_last = page.len() < PAGE;
            records.extend(page);
            if is_last {
                break;
            }
        }
        Ok(records)
    }

    /// Writes when keys were last used, and the digests that were made anew, since the last time.
    /// What cannot be written is kept for the next.
    ///
    /// # Errors
    /// [`ApiKeyError::Store`].
    pub async fn flush(&self) -> Result<(), ApiKeyError> {
        let uses = self.shared.uses.take_uses();
        if !uses.is_empty()
            && let Err(error) = self.shared.registry.record_uses(&uses).await
        {
            self.shared.uses.put_back(&uses);
            return Err(error.into());
        }
        for (id, change) in self.shared.uses.take_rehashes() {
            // One that is lost is made again at the next use.
            self.shared.registry.change(&id, &change).await?;
        }
        Ok(())
    }

    /// Spawns a task on the application's runtime that [`flush`](Self::flush)es every minute. It ends,
    /// after a last write, with [`ApiKeyFlush::shutdown`], or when the handle is dropped, without one.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn spawn_flush(&self) -> ApiKeyFlush {
        ApiKeyFlush::spawn(self.clone())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.shared.clock.now().wall
    }

    pub(super) fn both_now(&self) -> crate::time::Now {
        self.shared.clock.now()
    }

    /// A slow hash is made where it does not hold up the runtime.
    async fn make(&self, record: ApiKeyRecordBuilder) -> Result<ApiKey, ApiKeyError> {
        let (format, hasher) = (self.shared.format.clone(), self.shared.hasher.clone());
        if !hasher.is_slow() {
            return Ok(ApiKey::issue(&format, &hasher, record)?);
        }
        let made = tokio::task::spawn_blocking(move || ApiKey::issue(&format, &hasher, record)).await;
        Ok(made.map_err(StoreError::unavailable)??)
    }
}

fn verifier(
    registry: &Arc<dyn ApiKeyRegistry>,
    format: &ApiKeyFormat,
    hasher: &KeyHasher,
    uses: &Arc<Uses>,
) -> ApiKeyVerifierBuilder {
    ApiKeyVerifier::builder(Reading(Arc::clone(registry)), hasher.clone()).format(format.clone()).uses(Arc::clone(uses))
}

impl From<&ApiKeys> for ApiKeyVerifier {
    fn from(keys: &ApiKeys) -> Self {
        keys.verifier()
    }
}

impl From<ApiKeys> for ApiKeyVerifier {
    fn from(keys: ApiKeys) -> Self {
        keys.verifier()
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys")
            .field("registry", &self.shared.registry)
            .field("format", &self.shared.format)
            .field("hasher", &self.shared.hasher)
            .finish_non_exhaustive()
    }
}
