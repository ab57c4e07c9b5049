//! One fetch at a time, and when the next one is due.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher as _,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{sync::watch, task::AbortHandle};

use super::{
    KeySourceError, Loaded, Need, NoKey, PATIENCE, Shared,
    health::count,
    parsed::{Parsed, Verifiers},
};
use crate::{
    auth::jwt::{FetchedKeys, key_set::KeySet},
    time::{Now, Timestamp},
};

/// Until a source is given up: it should have its own, shorter limit.
const FETCH_LIMIT: Duration = Duration::from_secs(10);
/// How long a set is fresh, if the source does not say.
const DEFAULT_TTL: Duration = Duration::from_secs(600);
const MIN_TTL: Duration = Duration::from_secs(60);
const MAX_TTL: Duration = Duration::from_secs(24 * 3_600);
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(60);
pub(super) const MAX_BYTES: usize = 1024 * 1024;
/// Timers do not run while a machine is suspended; the clock then tells what was missed.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// The state of the fetching. All times are monotonic.
#[derive(Debug, Default)]
pub(super) struct Flight {
    current: Option<watch::Receiver<()>>,
    task: Option<AbortHandle>,
    /// The one under way has taken longer than a request waits.
    overdue: bool,
    /// Nothing is fetched any more.
    stopped: bool,
    failures: u32,
    last_error: Option<KeySourceError>,
    /// No fetch before this.
    retry_at: Timestamp,
    /// The next scheduled fetch.
    refresh_at: Timestamp,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn last_error(&self) -> Option<KeySourceError> {
        lock(&self.flight).last_error.clone()
    }

    /// The fetch under way, or a new one if a request may start it. An error where to wait is of no
    /// use: nobody is made to wait for a source that is known to be down, or slow.
    pub(super) fn join(self: &Arc<Self>, need: Need) -> Result<watch::Receiver<()>, NoKey> {
        let mut flight = lock(&self.flight);
        if let (Need::OtherKeys(_), Some(error)) = (need, &flight.last_error) {
            return Err(NoKey::Source(error.clone()));
        }
        if let Some(current) = &flight.current {
            let too_late = flight.overdue && need != Need::Warmth;
            return if too_late { Err(NoKey::Source(KeySourceError::TimedOut)) } else { Ok(current.clone()) };
        }
        if flight.stopped {
            return Err(NoKey::Source(KeySourceError::Stopped));
        }
        if let Some(error) = &flight.last_error
            && self.clock.now().monotonic < flight.retry_at
        {
            return Err(NoKey::Source(error.clone()));
        }
        if let Need::OtherKeys(fault) = need
            && !self.budget.spend()
        {
            count(&self.counts.fetches_denied);
            return Err(NoKey::NotLookedFor(fault));
        }
        Ok(self.take_off(&mut flight))
    }

    /// The fetch under way, or a new one; needs nobody's leave. `None` after [`stop`](Self::stop).
    fn join_scheduled(self: &Arc<Self>) -> Option<watch::Receiver<()>> {
        let mut flight = lock(&self.flight);
        match &flight.current {
            Some(current) => Some(current.clone()),
            None if flight.stopped => None,
            None => Some(self.take_off(&mut flight)),
        }
    }

    /// A request has waited for this fetch as long as requests wait.
    pub(super) fn is_overdue(&self, waited_for: &watch::Receiver<()>) {
        let mut flight = lock(&self.flight);
        if flight.current.as_ref().is_some_and(|current| current.same_channel(waited_for)) {
            flight.overdue = true;
        }
    }

    /// Nothing is fetched after this. The fetch under way is given up; its end can be waited for.
    pub(super) fn stop(&self) -> Option<watch::Receiver<()>> {
        let (current, task) = {
            let mut flight = lock(&self.flight);
            flight.stopped = true;
            (flight.current.take(), flight.task.take())
        };
        // Not under the lock: what is aborted may be dropped right here, and then takes it.
        if let Some(task) = task {
            task.abort();
        }
        current
    }

    fn take_off(self: &Arc<Self>, flight: &mut Flight) -> watch::Receiver<()> {
        let (sender, receiver) = watch::channel(());
        flight.current = Some(receiver.clone());
        flight.overdue = false;
        count(&self.counts.fetches);
        // The landing is made in the task: if the runtime is gone, the task is dropped right here,
        // under the lock, and only the sender may then have something to say.
        let shared = Arc::clone(self);
        let task = self.runtime.spawn(async move {
            let landing = Landing { shared, outcome: Err(KeySourceError::Stopped), _sender: sender };
            landing.fly().await;
        });
        // It cannot have landed, which takes the lock: the runtime is gone, and nothing was fetched.
        if task.is_finished() {
            flight.current = None;
            flight.stopped = true;
            flight.last_error = Some(KeySourceError::Stopped);
        }
        flight.task = Some(task.abort_handle());
        receiver
    }

    fn until_refresh(&self) -> Duration {
        let flight = lock(&self.flight);
        let due = if flight.last_error.is_some() { flight.retry_at } else { flight.refresh_at };
        due.since(self.clock.now().monotonic)
    }
}

/// Ends a flight even if the source panics.
struct Landing {
    shared: Arc<Shared>,
    outcome: Result<(Landed, Duration), KeySourceError>,
    _sender: watch::Sender<()>,
}

impl Landing {
    async fn fly(mut self) {
        let asked = self.shared.clock.now().monotonic;
        let answer = fetch(&self.shared).await;
        self.outcome = answer.and_then(|fetched| read(&fetched, asked, &self.shared));
    }
}

async fn fetch(shared: &Shared) -> Result<FetchedKeys, KeySourceError> {
    let mut fetch = shared.source.fetch();
    if let Ok(answer) = tokio::time::timeout(PATIENCE, &mut fetch).await {
        return answer;
    }
    lock(&shared.flight).overdue = true;
    let answer = tokio::time::timeout(FETCH_LIMIT.saturating_sub(PATIENCE), fetch).await;
    answer.unwrap_or(Err(KeySourceError::TimedOut))
}

impl Drop for Landing {
    fn drop(&mut self) {
        let now = self.shared.clock.now();
        match std::mem::replace(&mut self.outcome, Err(KeySourceError::Stopped)) {
            Ok((landed, ttl)) => {
                let mut flight = lock(&self.shared.flight);
                flight.current = None;
                flight.succeeded(ttl, now);
                *lock(&self.shared.verifiers) = landed.verifiers;
                self.shared.loaded.store(Some(Arc::new(landed.loaded)));
                self.shared.unknown.clear();
            }
            Err(error) => {
                count(&self.shared.counts.failures);
                let stopped = {
                    let mut flight = lock(&self.shared.flight);
                    flight.current = None;
                    flight.failed(error.clone(), now);
                    flight.stopped
                };
                // Not under the lock: what subscribes to events may ask for the health of the keys.
                if !stopped {
                    tracing::warn!(
                        target: "portcullis",
                        error = &error as &(dyn std::error::Error + 'static),
                        source = ?self.shared.source,
                        "keys not refreshed"
                    );
                }
            }
        }
    }
}

impl Flight {
    fn succeeded(&mut self, ttl: Duration, now: Now) {
        self.failures = 0;
        self.last_error = None;
        // At 80 %, so that a request never finds the set expired.
        let ahead = ttl.saturating_mul(4).checked_div(5).unwrap_or(ttl);
        self.refresh_at = now.monotonic.saturating_add(ahead);
    }

    fn failed(&mut self, error: KeySourceError, now: Now) {
        let doubled = FIRST_BACKOFF.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1).min(30);
        self.last_error = Some(error);
        self.retry_at = now.monotonic.saturating_add(jittered(doubled.min(MAX_BACKOFF)));
    }
}

/// Between half of `backoff` and all of it, so that many instances do not come back at once.
fn jittered(backoff: Duration) -> Duration {
    let half = backoff.checked_div(2).unwrap_or(backoff);
    let micros = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
    let random = RandomState::new().hash_one(micros);
    half.saturating_add(Duration::from_micros(random.checked_rem(micros).unwrap_or(0)))
}

/// What a fetch brought, before it is everybody's.
struct Landed {
    loaded: Loaded,
    verifiers: Verifiers,
}

fn read(fetched: &FetchedKeys, asked: Timestamp, shared: &Shared) -> Result<(Landed, Duration), KeySourceError> {
    if fetched.jwks.len() > MAX_BYTES {
        return Err(KeySourceError::TooLarge);
    }
    let now = shared.clock.now().wall;
    // A set that is older than its limit must have been fetched again by then.
    let ttl = fetched.max_age.unwrap_or(DEFAULT_TTL).clamp(MIN_TTL, MAX_TTL).min(shared.max_age);
    let (last, verifiers) = (shared.loaded.load_full(), lock(&shared.verifiers).clone());
    let loaded = |keys, generation| Loaded {
        keys,
        generation,
        text: fetched.jwks.clone(),
        fetched: now,
        asked,
        max_age: shared.max_age,
        outlived: AtomicBool::new(false),
    };
    if let Some(last) = &last
        && last.text == fetched.jwks
    {
        return Ok((Landed { loaded: loaded(Arc::clone(&last.keys), last.generation), verifiers }, ttl));
    }
    let factory = Parsed::new(Arc::clone(&shared.factory), verifiers);
    let keys = KeySet::from_jwks(&fetched.jwks, &factory).map_err(|_| KeySourceError::Malformed)?;
    if !keys.skipped().is_empty() {
        tracing::debug!(target: "portcullis", skipped = ?keys.skipped(), "some keys of the set are not used");
    }
    if keys.keys().is_empty() {
        return Err(KeySourceError::NoUsableKey);
    }
    let generation = last.map_or(0, |last| last.generation).saturating_add(1);
    Ok((Landed { loaded: loaded(Arc::new(keys), generation), verifiers: factory.into_verifiers() }, ttl))
}

/// Says that somebody looks at the age of the keys, until it is dropped: also when the runtime ends.
struct Watch(Weak<Shared>);

impl Watch {
    fn says(&self, watched: bool) {
        if let Some(shared) = self.0.upgrade() {
            shared.watched.store(watched, Relaxed);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.says(false);
    }
}

/// Fetches ahead of need, for as long as somebody holds the cache.
pub(super) async fn refresh(shared: Weak<Shared>) {
    let watch = Watch(Weak::clone(&shared));
    watch.says(true);
    loop {
        let Some(cache) = shared.upgrade() else { return };
        cache.look_at_age();
        let wait = cache.until_refresh();
        if wait.is_zero() {
            let Some(mut flight) = cache.join_scheduled() else { return };
            drop(cache);
            // A fetch may take longer than the keys last.
            let _ = tokio::time::timeout(LONGEST_SLEEP, super::ended(&mut flight)).await;
        } else {
            drop(cache);
            tokio::time::sleep(wait.min(LONGEST_SLEEP)).await;
        }
    }
}
