//! How it stands with the keys, and what is counted on the way.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::auth::jwt::{KeySourceError, key_set::KeySet};

/// How it stands with an issuer's keys: for health endpoints and metrics.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct KeySetHealth {
    /// Whether tokens can be verified now: there are keys, and they are not too old.
    pub usable: bool,
    /// How many keys are in use.
    pub keys: usize,
    /// How many keys of the last set cannot be used (other algorithms, too short, for encryption).
    pub skipped: usize,
    /// Why, and how many for each reason.
    pub skipped_because: Vec<(&'static str, usize)>,
    /// How long ago the keys were fetched; `None` for static keys, or if they never were. If the wall clock
    /// has been set, the longer of what it and the monotonic clock say.
    pub age: Option<Duration>,
    /// Why the last fetch failed; `None` if it did not.
    pub last_error: Option<KeySourceError>,
    /// How often the source was asked.
    pub fetches: u64,
    /// How often it did not answer with keys.
    pub failures: u64,
    /// How many fetches brought other keys than there were: the first, and each rotation.
    pub changes: u64,
    /// How many tokens were refused because a fetch had shown their `kid` to be nobody's.
    pub known_unknown: u64,
    /// How many tokens were refused because the budget for fetches that senders cause was spent.
    pub fetches_denied: u64,
    /// How many tokens were refused because too many others were waiting for the same fetch.
    pub turned_away: u64,
}

impl KeySetHealth {
    /// Keys that are there from the beginning.
    pub(crate) fn of(set: &KeySet) -> Self {
        let mut because: Vec<(&'static str, usize)> = Vec::new();
        let ambiguous = set.keys().windows(2).filter(|pair| match pair {
            [a, b] => a.kid.is_some() && a.kid == b.kid && a.algorithm == b.algorithm,
            _ => false,
        });
        let skipped = set.skipped().iter().map(|reason| reason.0);
        for reason in skipped.chain(ambiguous.map(|_| "two keys have the same kid and algorithm: neither is used")) {
            match because.iter_mut().find(|(seen, _)| *seen == reason) {
                Some((_, count)) => *count = count.saturating_add(1),
                None => because.push((reason, 1)),
            }
        }
        Self {
            usable: !set.keys().is_empty(),
            keys: set.keys().len(),
            skipped: set.skipped().len(),
            skipped_because: because,
            ..Self::default()
        }
    }
}

/// Counters that only rare paths write.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) fetches: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) known_unknown: AtomicU64,
    pub(super) fetches_denied: AtomicU64,
    pub(super) turned_away: AtomicU64,
}

impl Counts {
    pub(super) fn add_to(&self, health: KeySetHealth) -> KeySetHealth {
        KeySetHealth {
            fetches: self.fetches.load(Relaxed),
            failures: self.failures.load(Relaxed),
            known_unknown: self.known_unknown.load(Relaxed),
            fetches_denied: self.fetches_denied.load(Relaxed),
            turned_away: self.turned_away.load(Relaxed),
            ..health
        }
    }
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
