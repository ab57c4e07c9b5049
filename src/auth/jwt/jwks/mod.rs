//! The keys of an issuer, fetched ahead of need.
//!
//! Reads take no lock. There is one fetch at a time, in a task of its own, so that a request that
//! is cancelled cancels nothing and no request waits for a key that is known. Fetches that a
//! sender can cause (an unknown `kid`) have a budget of their own: the scheduled ones never starve.

mod budget;
#[cfg(feature = "jwks")]
mod cache_control;
#[cfg(feature = "jwks")]
mod fetch;
mod flight;
mod health;
mod parsed;
#[cfg(test)]
mod tests;
#[cfg(feature = "jwks")]
mod validators;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::{ArcSwapOption, Guard};
use bytes::Bytes;
use tokio::{runtime::Handle, sync::watch, task::JoinHandle};

#[cfg(feature = "jwks")]
pub(crate) use self::fetch::{HttpKeySource, client as http_client};
pub use self::health::KeySetHealth;
use self::{
    budget::{Budget, UnknownKids},
    flight::{Flight, lock},
    health::{Counts, count},
    parsed::Verifiers,
};
use super::{Algorithm, KeySource, KeySourceError, VerifierFactory, fault::Fault, key_set::KeySet};
use crate::time::{Clock, Timestamp};

/// Older keys are not used even if the source is down: a day is how long a key that the issuer has
/// withdrawn may go on working.
pub(crate) const DEFAULT_MAX_AGE: Duration = Duration::from_secs(24 * 3_600);
/// How long a request waits for a fetch.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many requests wait at once for a key that nobody may have.
const MAX_WAITERS: usize = 64;

/// A key set, and when it was fetched (wall clock).
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) keys: Arc<KeySet>,
    /// Grows with every set that is not the one before it.
    pub(crate) generation: u64,
    text: Bytes,
    fetched: Timestamp,
    /// When the source was asked for it (monotonic): what is newer may be missing in it.
    asked: Timestamp,
    max_age: Duration,
    /// Too old by the monotonic clock, which no request brings along. [`Shared::look_at_age`] finds out.
    outlived: AtomicBool,
}

impl Loaded {
    /// By both clocks: the wall clock may be set back, and the other may stand while the machine sleeps.
    pub(crate) fn is_usable(&self, now: Timestamp) -> bool {
        now.since(self.fetched) <= self.max_age && !self.outlived.load(Relaxed)
    }

    /// Why a request gets no key that came at `since` (monotonic) and was not helped by this set. It may
    /// have joined a fetch that was under way, whose answer is older than the key.
    fn lacks(&self, fault: Fault, since: Timestamp) -> NoKey {
        if self.asked < since { NoKey::NotLookedFor(fault) } else { NoKey::Fault(fault) }
    }
}

/// Why a request gets no key.
#[derive(Debug)]
pub(crate) enum NoKey {
    /// It is the token's fault: a fetch has shown it.
    Fault(Fault),
    /// No fetch was made for it: the budget is spent, or too many wait. Most such tokens are
    /// inventions, but nobody knows.
    NotLookedFor(Fault),
    /// It is the source's fault: 503, for nobody knows whether the token is good.
    Source(KeySourceError),
}

/// The cache of one issuer's keys. The fetching ends when it is dropped.
#[derive(Debug)]
pub(crate) struct KeyCache {
    shared: Arc<Shared>,
    refresher: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    source: Arc<dyn KeySource>,
    factory: Arc<dyn VerifierFactory>,
    clock: Arc<dyn Clock>,
    runtime: Handle,
    max_age: Duration,
    loaded: ArcSwapOption<Loaded>,
    /// Somebody looks each second at how old the keys are, so that requests need not.
    watched: AtomicBool,
    verifiers: Mutex<Verifiers>,
    flight: Mutex<Flight>,
    unknown: UnknownKids,
    budget: Budget,
    waiting: AtomicUsize,
    counts: Counts,
}

impl KeyCache {
    /// Starts fetching at once.
    pub(crate) fn start(
        source: Arc<dyn KeySource>,
        factory: Arc<dyn VerifierFactory>,
        clock: Arc<dyn Clock>,
        runtime: Handle,
        max_age: Duration,
    ) -> Self {
        let shared = Arc::new(Shared {
            source,
            factory,
            budget: Budget::new(Arc::clone(&clock)),
            clock,
            runtime,
            max_age,
            loaded: ArcSwapOption::empty(),
            watched: AtomicBool::new(false),
            verifiers: Mutex::default(),
            flight: Mutex::new(Flight::default()),
            unknown: UnknownKids::new(),
            waiting: AtomicUsize::new(0),
            counts: Counts::default(),
        });
        let task = shared.runtime.spawn(flight::refresh(Arc::downgrade(&shared)));
        Self { shared, refresher: Mutex::new(Some(task)) }
    }

    /// The keys as they are now.
    pub(crate) fn load(&self) -> Guard<Option<Arc<Loaded>>> {
        if !self.shared.watched.load(Relaxed) {
            self.shared.look_at_age();
        }
        self.shared.loaded.load()
    }

    /// Whether a fetch has lately shown that nobody has this key.
    pub(crate) fn is_unknown(&self, kid: &str) -> bool {
        let known = self.shared.unknown.contains(kid, self.shared.clock.now().monotonic);
        if known {
            count(&self.shared.counts.known_unknown);
        }
        known
    }

    /// Waits for keys among which one fits, at most two seconds.
    pub(crate) async fn wait_for(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Arc<Loaded>, NoKey> {
        let shared = &self.shared;
        let fitting = || {
            shared.usable().map(|loaded| match loaded.keys.select(kid, algorithm) {
                Err(Fault::UnknownKey) => Err(loaded),
                // Found, or refused for another reason, which the caller will see again.
                _ => Ok(loaded),
            })
        };
        let need = match fitting() {
            Some(Ok(loaded)) => return Ok(loaded),
            Some(Err(_)) => Need::OtherKeys(Fault::UnknownKey),
            None => Need::Keys,
        };
        let since = shared.clock.now().monotonic;
        shared.wait(need).await?;
        match (fitting(), shared.last_error()) {
            (Some(Ok(loaded)), _) => Ok(loaded),
            (_, Some(error)) => Err(NoKey::Source(error)),
            (None, None) => Err(NoKey::Source(KeySourceError::Stopped)),
            (Some(Err(loaded)), None) => {
                shared.unknown.insert(kid.unwrap_or_default(), loaded.asked);
                Err(loaded.lacks(Fault::UnknownKey, since))
            }
        }
    }

    /// Waits for a set other than that of `generation`, at most two seconds: a token that names no
    /// key, and that the one key which fits did not sign, may be signed by its successor.
    pub(crate) async fn wait_for_other(&self, generation: u64) -> Result<Arc<Loaded>, NoKey> {
        let shared = &self.shared;
        let other =
            || shared.usable().map(|loaded| if loaded.generation == generation { Err(loaded) } else { Ok(loaded) });
        if let Some(Ok(loaded)) = other() {
            return Ok(loaded);
        }
        let since = shared.clock.now().monotonic;
        shared.wait(Need::OtherKeys(Fault::Signature)).await?;
        match (other(), shared.last_error()) {
            (Some(Ok(loaded)), _) => Ok(loaded),
            (_, Some(error)) => Err(NoKey::Source(error)),
            (Some(Err(loaded)), None) => Err(loaded.lacks(Fault::Signature, since)),
            (None, None) => Err(NoKey::NotLookedFor(Fault::Signature)),
        }
    }

    /// Waits until there are keys, or the first fetch has failed.
    pub(crate) async fn warm_up(&self) -> Result<(), KeySourceError> {
        if self.shared.loaded.load().is_none() {
            match self.shared.join(Need::Warmth) {
                Ok(mut flight) => ended(&mut flight).await,
                Err(NoKey::Source(error)) => return Err(error),
                Err(NoKey::Fault(_) | NoKey::NotLookedFor(_)) => {}
            }
        }
        if self.shared.loaded.load().is_some() {
            Ok(())
        } else {
            Err(self.shared.last_error().unwrap_or(KeySourceError::Stopped))
        }
    }

    pub(crate) fn health(&self) -> KeySetHealth {
        let shared = &self.shared;
        shared.look_at_age();
        let loaded = shared.loaded.load();
        let now = shared.clock.now();
        let of_keys = loaded.as_ref().map_or_else(KeySetHealth::default, |loaded| KeySetHealth {
            usable: loaded.is_usable(now.wall),
            age: Some(now.wall.since(loaded.fetched).max(now.monotonic.since(loaded.asked))),
            changes: loaded.generation,
            ..KeySetHealth::of(&loaded.keys)
        });
        shared.counts.add_to(KeySetHealth { last_error: shared.last_error(), ..of_keys })
    }

    /// Stops the fetching, and waits until it has stopped.
    pub(crate) async fn shutdown(&self) {
        let flight = self.shared.stop();
        let task = lock(&self.refresher).take();
        if let Some(task) = task {
            task.abort();
            let _ = task.await;
        }
        if let Some(mut flight) = flight {
            ended(&mut flight).await;
        }
    }
}

impl Drop for KeyCache {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(task) = lock(&self.refresher).take() {
            task.abort();
        }
    }
}

impl Shared {
    /// Keys that are too old are not used from now on, whatever time the wall clock shows.
    fn look_at_age(&self) {
        let now = self.clock.now().monotonic;
        if let Some(loaded) = self.loaded.load().as_deref()
            && now.since(loaded.asked) > loaded.max_age
        {
            loaded.outlived.store(true, Relaxed);
        }
    }

    fn usable(&self) -> Option<Arc<Loaded>> {
        self.look_at_age();
        let wall = self.clock.now().wall;
        self.loaded.load_full().filter(|loaded| loaded.is_usable(wall))
    }

    /// Waits until a fetch has ended, two seconds at most.
    async fn wait(self: &Arc<Self>, need: Need) -> Result<(), NoKey> {
        let _place = match need {
            Need::OtherKeys(fault) => Some(Place::take(self).ok_or(NoKey::NotLookedFor(fault))?),
            // Who waits for the first keys may be honest, and all of them stop waiting together.
            Need::Keys | Need::Warmth => None,
        };
        let mut flight = self.join(need)?;
        let waiting = {
            // Another executor may poll this request: the timer is then that of the fetches.
            let _runtime = Handle::try_current().is_err().then(|| self.runtime.enter());
            tokio::time::timeout(PATIENCE, ended(&mut flight))
        };
        if waiting.await.is_ok() {
            return Ok(());
        }
        // Said here as well as by the flight itself: whoever comes next must not wait again.
        self.is_overdue(&flight);
        Err(NoKey::Source(KeySourceError::TimedOut))
    }
}

/// A place among those that wait; free again when dropped, also if the request is cancelled.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(shared: &'a Shared) -> Option<Self> {
        let place = Self(&shared.waiting);
        if shared.waiting.fetch_add(1, Relaxed) < MAX_WAITERS {
            return Some(place);
        }
        count(&shared.counts.turned_away);
        None
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// What a request lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// There are no keys, or none that may still be used.
    Keys,
    /// The same, of somebody who has time.
    Warmth,
    /// There are keys, but not the one that is needed; without another, this is the fault.
    OtherKeys(Fault),
}

/// A flight sends nothing; it ends by dropping its sender.
async fn ended(flight: &mut watch::Receiver<()>) {
    while flight.changed().await.is_ok() {}
}
