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
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::{ArcSwapOption, Guard};
use tokio::{runtime::Handle, sync::watch, task::JoinHandle};

#[cfg(feature = "jwks")]
pub(crate) use self::fetch::{HttpKeySource, client as http_client};
use self::{
    budget::{Budget, UnknownKids},
    flight::{Flight, lock},
};
use super::{Algorithm, KeySetHealth, KeySource, KeySourceError, VerifierFactory, fault::Fault, key_set::KeySet};
use crate::time::{Clock, Timestamp};

/// Older keys are not used even if the source is down: a day is how long a key that the issuer has
/// withdrawn may go on working.
const MAX_STALE: Duration = Duration::from_secs(24 * 3_600);
/// How long a request waits for a fetch.
const PATIENCE: Duration = Duration::from_secs(2);

/// A key set, and when it was fetched (wall clock).
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) keys: KeySet,
    fetched: Timestamp,
}

impl Loaded {
    pub(crate) fn is_usable(&self, now: Timestamp) -> bool {
        now.since(self.fetched) <= MAX_STALE
    }
}

/// Why a request gets no key.
#[derive(Debug)]
pub(crate) enum NoKey {
    /// It is the token's fault.
    Fault(Fault),
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
    loaded: ArcSwapOption<Loaded>,
    flight: Mutex<Flight>,
    unknown: UnknownKids,
    budget: Budget,
    fetches: AtomicU64,
}

impl KeyCache {
    /// Starts fetching at once.
    pub(crate) fn start(
        source: Arc<dyn KeySource>,
        factory: Arc<dyn VerifierFactory>,
        clock: Arc<dyn Clock>,
        runtime: Handle,
    ) -> Self {
        let shared = Arc::new(Shared {
            source,
            factory,
            budget: Budget::new(Arc::clone(&clock)),
            clock,
            runtime,
            loaded: ArcSwapOption::empty(),
            flight: Mutex::new(Flight::default()),
            unknown: UnknownKids::new(),
            fetches: AtomicU64::new(0),
        });
        let task = shared.runtime.spawn(flight::refresh(Arc::downgrade(&shared)));
        Self { shared, refresher: Mutex::new(Some(task)) }
    }

    /// The keys as they are now.
    pub(crate) fn load(&self) -> Guard<Option<Arc<Loaded>>> {
        self.shared.loaded.load()
    }

    /// Whether a fetch has lately shown that nobody has this key.
    pub(crate) fn is_unknown(&self, kid: &str) -> bool {
        self.shared.unknown.contains(kid, self.shared.clock.now().monotonic)
    }

    /// Waits for keys among which one fits, at most two seconds.
    pub(crate) async fn wait_for(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Arc<Loaded>, NoKey> {
        let shared = &self.shared;
        let now = || shared.clock.now();
        let fitting = |wall: Timestamp| {
            let loaded = shared.loaded.load_full().filter(|loaded| loaded.is_usable(wall));
            loaded.map(|loaded| match loaded.keys.select(kid, algorithm) {
                Err(Fault::UnknownKey) => None,
                // Found, or refused for another reason, which the caller will see again.
                _ => Some(loaded),
            })
        };
        let need = match fitting(now().wall) {
            Some(Some(loaded)) => return Ok(loaded),
            Some(None) => Need::UnknownKid,
            None => Need::Keys,
        };
        let mut flight = shared.join(need)?;
        let waiting = {
            // Another executor may poll this request: the timer is then that of the fetches.
            let _runtime = Handle::try_current().is_err().then(|| shared.runtime.enter());
            tokio::time::timeout(PATIENCE, ended(&mut flight))
        };
        if waiting.await.is_err() {
            return Err(NoKey::Source(KeySourceError::TimedOut));
        }
        match (fitting(now().wall), shared.last_error()) {
            (Some(Some(loaded)), _) => Ok(loaded),
            (_, Some(error)) => Err(NoKey::Source(error)),
            (None, None) => Err(NoKey::Source(KeySourceError::Stopped)),
            (Some(None), None) => {
                shared.unknown.insert(kid.unwrap_or_default(), now().monotonic);
                Err(NoKey::Fault(Fault::UnknownKey))
            }
        }
    }

    /// Waits until there are keys, or the first fetch has failed.
    pub(crate) async fn warm_up(&self) -> Result<(), KeySourceError> {
        if self.shared.loaded.load().is_none() {
            match self.shared.join(Need::Keys) {
                Ok(mut flight) => ended(&mut flight).await,
                Err(NoKey::Source(error)) => return Err(error),
                Err(NoKey::Fault(_)) => {}
            }
        }
        if self.shared.loaded.load().is_some() {
            Ok(())
        } else {
            Err(self.shared.last_error().unwrap_or(KeySourceError::Stopped))
        }
    }

    pub(crate) fn health(&self) -> KeySetHealth {
        let loaded = self.shared.loaded.load();
        let loaded = loaded.as_ref();
        KeySetHealth {
            keys: loaded.map_or(0, |loaded| loaded.keys.keys().len()),
            skipped: loaded.map_or(0, |loaded| loaded.keys.skipped().len()),
            age: loaded.map(|loaded| self.shared.clock.now().wall.since(loaded.fetched)),
            last_error: self.shared.last_error(),
            fetches: self.shared.fetches.load(Relaxed),
        }
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

/// What a request lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// There are no keys, or none that may still be used.
    Keys,
    /// There are keys, but not the one that the token names.
    UnknownKid,
}

/// A flight sends nothing; it ends by dropping its sender.
async fn ended(flight: &mut watch::Receiver<()>) {
    while flight.changed().await.is_ok() {}
}
