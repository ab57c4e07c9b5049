//! What a sender of unknown kids may cost.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher as _,
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};

use super::flight::lock;
use crate::time::{Clock, Timestamp};

/// One fetch in this time, and two at once.
const PERIOD: Duration = Duration::from_secs(30);
const BURST: NonZeroU32 = match NonZeroU32::new(2) {
    Some(burst) => burst,
    None => NonZeroU32::MIN,
};
/// How long a kid stays unknown, if no fetch succeeds before. No longer than until the budget allows for
/// another fetch: it alone bounds their number, and whose key has been published since need not wait.
const FORGOTTEN_AFTER: Duration = PERIOD;
const MAX_UNKNOWN: usize = 1_024;

/// The fetches that unknown kids may cause.
#[derive(Debug)]
pub(super) struct Budget {
    limiter: RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Nanos>>,
}

impl Budget {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let quota = Quota::with_period(PERIOD).unwrap_or(Quota::per_minute(BURST)).allow_burst(BURST);
        Self { limiter: RateLimiter::direct_with_clock(quota, Ticks(clock)) }
    }

    pub(super) fn spend(&self) -> bool {
        self.limiter.check().is_ok()
    }
}

/// Our clock for governor.
#[derive(Clone, Debug)]
struct Ticks(Arc<dyn Clock>);

impl governor::clock::Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.now().monotonic.as_micros().saturating_mul(1_000))
    }
}

/// Kids that a fetch has shown to be nobody's, by a keyed hash: senders choose them.
#[derive(Debug)]
pub(super) struct UnknownKids {
    hasher: RandomState,
    until: Mutex<HashMap<u64, Timestamp>>,
}

impl UnknownKids {
    pub(super) fn new() -> Self {
        Self { hasher: RandomState::new(), until: Mutex::new(HashMap::new()) }
    }

    pub(super) fn contains(&self, kid: &str, now: Timestamp) -> bool {
        lock(&self.until).get(&self.hasher.hash_one(kid)).is_some_and(|until| now < *until)
    }

    /// `asked`: when the fetch began that has shown it.
    pub(super) fn insert(&self, kid: &str, asked: Timestamp) {
        let mut until = lock(&self.until);
        if until.len() >= MAX_UNKNOWN {
            until.retain(|_, until| asked < *until);
        }
        // When full of living entries, the budget alone protects the source: it is a hard bound.
        if until.len() < MAX_UNKNOWN {
            until.insert(self.hasher.hash_one(kid), asked.saturating_add(FORGOTTEN_AFTER));
        }
    }

    /// A new set may hold what the last one lacked.
    pub(super) fn clear(&self) {
        lock(&self.until).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ManualClock;

    #[test]
    fn two_at_once_and_one_in_thirty_seconds() {
        let clock = ManualClock::at(Timestamp::from_secs(1_700_000_000));
        let budget = Budget::new(Arc::new(clock.clone()));
        assert!(budget.spend() && budget.spend() && !budget.spend());
        clock.advance(Duration::from_secs(29));
        assert!(!budget.spend());
        clock.advance(Duration::from_secs(1));
        assert!(budget.spend() && !budget.spend());
    }

    #[test]
    fn unknown_kids_are_bounded_and_forgotten() {
        let kids = UnknownKids::new();
        let at = Timestamp::from_secs;
        for i in 0..5_000 {
            kids.insert(&i.to_string(), at(0));
        }
        assert_eq!(lock(&kids.until).len(), MAX_UNKNOWN);
        assert!(kids.contains("0", at(29)) && !kids.contains("0", at(30)) && !kids.contains("4999", at(1)));
        kids.insert("new", at(60));
        assert!(kids.contains("new", at(61)));
        assert_eq!(lock(&kids.until).len(), 1);
        kids.clear();
        assert!(!kids.contains("new", at(61)));
    }
}
