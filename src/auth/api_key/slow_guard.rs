//! What keeps slow hashes from stopping the service: a cache of what was verified, budgets for what
//! was not, and a bounded queue before the cores.

use std::{
    fmt,
    hash::Hash,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::available_parallelism,
    time::Duration,
};

use governor::{Quota, RateLimiter, clock, middleware::NoOpMiddleware, nanos::Nanos, state::keyed::HashMapStateStore};
use hmac::{Hmac, KeyInit as _, Mac as _};
use quick_cache::sync::Cache;
use sha2::Sha256;
use tokio::{sync::Semaphore, task::spawn_blocking};
use zeroize::Zeroizing;

use super::slow::{self, SlowError};
use crate::{
    rejection::{Rejection, RejectionKind},
    request::Network,
    secret::process_key,
    store::StoreError,
    time::{Now, Timestamp},
};

/// How many verified keys are remembered.
const REMEMBERED: usize = 10_000;
/// Slow hashes for one id that was not verified lately: so many at once, then one in this time.
const ID_BURST: u32 = 10;
const ID_PERIOD: Duration = Duration::from_secs(6);
/// The same for one network.
const NETWORK_BURST: u32 = 30;
const NETWORK_PERIOD: Duration = Duration::from_secs(2);
/// Ids, and networks, whose budgets are held at once.
const MAX_BUDGETS: usize = 16_384;
/// Verifications that wait for a core, for each core.
const WAITING: usize = 16;

pub(super) type KeyId = [u8; 12];

pub(super) struct SlowGuard {
    verified: Cache<[u8; 32], Verified>,
    verified_for: Duration,
    ids: Budget<KeyId>,
    networks: Budget<Network>,
    places: Semaphore,
    cores: Semaphore,
    hashes: AtomicU64,
}

#[derive(Clone)]
struct Verified {
    id: KeyId,
    until: Timestamp,
}

/// A key that is to be compared with a stored string.
pub(super) struct SlowJob {
    pub(super) key: Zeroizing<String>,
    pub(super) text: Box<str>,
    pub(super) id: KeyId,
    pub(super) network: Network,
}

impl SlowGuard {
    pub(super) fn new(verified_for: Duration) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            verified: Cache::new(REMEMBERED),
            verified_for,
            ids: Budget::new(ID_BURST, ID_PERIOD),
            networks: Budget::new(NETWORK_BURST, NETWORK_PERIOD),
            places: Semaphore::new(cores.saturating_mul(WAITING.saturating_add(1))),
            cores: Semaphore::new(cores),
            hashes: AtomicU64::new(0),
        }
    }

    /// Whether this key was verified against this stored string a short while ago. A record whose
    /// digest has changed since is another string.
    pub(super) fn remembers(&self, text: &str, key: &str, now: Now) -> bool {
        self.verified.get(&name(text, key)).is_some_and(|verified| now.monotonic < verified.until)
    }

    /// Forgets what was verified for an id: it is revoked.
    pub(super) fn forget(&self, id: &KeyId) {
        self.verified.retain(|_, verified| verified.id != *id);
    }

    /// Compares, if the budgets and the queue allow it.
    pub(super) async fn verify(&self, job: SlowJob, now: Now) -> Result<bool, Rejection> {
        let _place = self.places.try_acquire().map_err(|_| overloaded())?;
        let _core = self.cores.acquire().await.map_err(|_| overloaded())?;
        // Whoever waited for the same key to be verified needs no hash of his own.
        if self.remembers(&job.text, &job.key, now) {
            return Ok(true);
        }
        self.networks.spend(&job.network, now)?;
        self.ids.spend(&job.id, now)?;
        self.hashes.fetch_add(1, Relaxed);
        let SlowJob { key, text, id, .. } = job;
        let name = name(&text, &key);
        let verdict = spawn_blocking(move || slow::verify(&text, &key)).await;
        let verified = verdict
            .map_err(|_| overloaded())?
            .map_err(|error: SlowError| Rejection::backend(StoreError::corrupt(error)))?;
        if verified {
            let until = now.monotonic.saturating_add(self.verified_for);
            self.verified.insert(name, Verified { id, until });
        }
        Ok(verified)
    }

    /// Runs another slow hash, if there is a core to spare.
    pub(super) async fn spare<T: Send + 'static>(&self, hash: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let _core = self.cores.try_acquire().ok()?;
        self.hashes.fetch_add(1, Relaxed);
        spawn_blocking(hash).await.ok()
    }

    #[cfg(all(test, feature = "password"))]
    pub(super) fn hashes(&self) -> u64 {
        self.hashes.load(Relaxed)
    }
}

/// The name of a verification in the cache: neither the key nor anything that is of use elsewhere.
fn name(text: &str, key: &str) -> [u8; 32] {
    match Hmac::<Sha256>::new_from_slice(&*process_key("verified api keys")) {
        // Neither part contains a zero.
        Ok(mac) => mac.chain_update(text).chain_update([0]).chain_update(key).finalize().into_bytes().into(),
        Err(_) => [0; 32],
    }
}

fn overloaded() -> Rejection {
    Rejection::new(RejectionKind::Overloaded).with_retry_after(Duration::from_secs(1))
}

type Limiter<K> = RateLimiter<K, HashMapStateStore<K>, Fed, NoOpMiddleware<Nanos>>;

/// Verifications that are not in the cache, for each key of a kind.
struct Budget<K: Hash + Eq + Clone> {
    limiter: Limiter<K>,
    fed: Fed,
    period: Duration,
}

impl<K: Hash + Eq + Clone> Budget<K> {
    fn new(burst: u32, period: Duration) -> Self {
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(period).unwrap_or(Quota::per_minute(burst)).allow_burst(burst);
        let fed = Fed::default();
        Self { limiter: RateLimiter::hashmap_with_clock(quota, fed.clone()), fed, period }
    }

    fn spend(&self, key: &K, now: Now) -> Result<(), Rejection> {
        self.fed.0.fetch_max(now.monotonic.as_micros().saturating_mul(1_000), Relaxed);
        if self.limiter.len() >= MAX_BUDGETS {
            self.limiter.retain_recent();
        }
        if self.limiter.len() >= MAX_BUDGETS || self.limiter.check_key(key).is_err() {
            return Err(Rejection::new(RejectionKind::RateLimited).with_retry_after(self.period));
        }
        Ok(())
    }
}

/// A clock for governor that is told the time of each request.
#[derive(Clone, Debug, Default)]
struct Fed(Arc<AtomicU64>);

impl clock::Clock for Fed {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.load(Relaxed))
    }
}

impl fmt::Debug for SlowGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlowGuard")
            .field("verified", &self.verified.len())
            .field("hashes", &self.hashes.load(Relaxed))
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "password"))]
mod tests {
    use super::*;

    fn job(number: u8) -> SlowJob {
        let text = super::super::KeyHasher::cheap_argon2id().nobody().unwrap_or_default();
        // Budgets are not what this is about: everybody is somebody else.
        let network = Network::V4([10, 0, 0, number].into());
        SlowJob { key: Zeroizing::new(format!("key {number}")), text: text.into(), id: [number; 12], network }
    }

    /// With every core taken, the queue fills, and whoever comes then is told at once to come again.
    #[tokio::test]
    async fn a_full_queue_is_503_and_nobody_in_it_is_lost() {
        let guard = Arc::new(SlowGuard::new(Duration::from_secs(300)));
        let now = Now { monotonic: Timestamp::from_secs(9), wall: Timestamp::from_secs(9) };
        let cores = u32::try_from(guard.cores.available_permits()).unwrap();
        let taken = guard.cores.acquire_many(cores).await.unwrap();
        let places = u8::try_from(guard.places.available_permits().min(200)).unwrap();
        let spare = guard.places.available_permits() - usize::from(places);
        let _fill = guard.places.acquire_many(u32::try_from(spare).unwrap()).await.unwrap();
        let waiting: Vec<_> = (0..places)
            .map(|number| {
                let guard = Arc::clone(&guard);
                tokio::spawn(async move { guard.verify(job(number), now).await })
            })
            .collect();
        tokio::task::yield_now().await;
        let refused = guard.verify(job(255), now).await.unwrap_err();
        assert_eq!((refused.kind(), refused.retry_after_secs()), (RejectionKind::Overloaded, Some(1)));
        assert_eq!(guard.hashes(), 0);
        drop(taken);
        for verdict in waiting {
            assert_eq!(verdict.await.unwrap().ok(), Some(false));
        }
        assert_eq!(guard.hashes(), u64::from(places));
        assert_eq!(guard.verify(job(255), now).await.ok(), Some(false));
    }
}
