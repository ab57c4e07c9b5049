use std::{
    collections::BTreeSet,
    hash::RandomState,
    num::NonZeroUsize,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use dashmap::{DashMap, Entry};

use super::MemoryStore;
use crate::{
    auth::revocation::{Revocation, RevocationKey, RevocationQuery, RevocationStore},
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

const DEFAULT_CAPACITY: usize = 100_000;

/// How many expired entries one revocation clears away: more than one, so that the backlog shrinks.
const RECLAIM: usize = 4;

/// State of one port: the revocations, and the order in which they end.
///
/// A lock of the map's shard is taken before the one of the order, never the other way round.
#[derive(Debug)]
pub(super) struct Revocations {
    capacity: AtomicUsize,
    entries: DashMap<RevocationKey, Bounds, RandomState>,
    /// One for each entry, exactly.
    order: Mutex<BTreeSet<(Timestamp, RevocationKey)>>,
    /// How many entries there are: a look that takes no lock while there is none.
    held: AtomicUsize,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    issued_before: Timestamp,
    until: Timestamp,
}

impl Default for Revocations {
    fn default() -> Self {
        Self {
            capacity: AtomicUsize::new(DEFAULT_CAPACITY),
            entries: DashMap::default(),
            order: Mutex::default(),
            held: AtomicUsize::new(0),
        }
    }
}

impl Revocations {
    fn order(&self) -> MutexGuard<'_, BTreeSet<(Timestamp, RevocationKey)>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_revoked(&self, query: RevocationQuery<'_>, now: Timestamp) -> bool {
        // Most services have revoked nothing most of the time: then not even a digest is made.
        if self.held.load(Relaxed) == 0 {
            return false;
        }
        query.keys().any(|key| {
            let bounds = self.entries.get(&key).map(|bounds| *bounds);
            bounds.is_some_and(|bounds| now < bounds.until && query.is_hit_by(bounds.issued_before))
        })
    }

    fn revoke(&self, revocation: Revocation, now: Timestamp) -> Result<(), StoreError> {
        if revocation.until <= now {
            return Ok(());
        }
        self.reclaim(now);
        match self.entries.entry(revocation.key) {
            Entry::Occupied(mut entry) => {
                let held = *entry.get();
                let held = Revocation { key: revocation.key, issued_before: held.issued_before, until: held.until };
                // What has ended adds nothing to what begins.
                let both = if held.until <= now { revocation } else { held.and(revocation) };
                let mut order = self.order();
                order.remove(&(held.until, held.key));
                order.insert((both.until, both.key));
                entry.insert(Bounds { issued_before: both.issued_before, until: both.until });
            }
            Entry::Vacant(entry) => {
                let mut order = self.order();
                if order.len() >= self.capacity.load(Relaxed) {
                    tracing::error!(target: "portcullis", "no room for another revocation: it does not take effect");
                    return Err(StoreError::Full);
                }
                order.insert((revocation.until, revocation.key));
                entry.insert(Bounds { issued_before: revocation.issued_before, until: revocation.until });
                self.held.store(order.len(), Relaxed);
            }
        }
        Ok(())
    }

    /// Clears away the few entries that ended longest ago.
    fn reclaim(&self, now: Timestamp) {
        for _ in 0..RECLAIM {
            let oldest = self.order().first().copied();
            let Some((_, key)) = oldest.filter(|(until, _)| *until <= now) else { return };
            // Between the two locks somebody may have revoked it anew.
            if let Entry::Occupied(entry) = self.entries.entry(key)
                && entry.get().until <= now
            {
                let mut order = self.order();
                order.remove(&(entry.get().until, key));
                entry.remove();
                self.held.store(order.len(), Relaxed);
            }
        }
    }
}

impl MemoryStore {
    /// How many revocations are held at once. Default: 100,000 (about 16 MB when full). With that
    /// many living ones the next is refused with [`StoreError::Full`], and an event says so: a
    /// living one is never forgotten to make room.
    #[must_use]
    pub fn revocation_capacity(self, revocations: NonZeroUsize) -> Self {
        self.inner.revocations.capacity.store(revocations.get(), Relaxed);
        self
    }
}

/// For one process: others do not hear of it. Ended revocations are cleared away a few at each new
/// one, without a sweep.
impl RevocationStore for MemoryStore {
    fn is_revoked<'a>(&'a self, query: RevocationQuery<'a>, now: Timestamp) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(std::future::ready(Ok(self.inner.revocations.is_revoked(query, now))))
    }

    fn revoke(&self, revocation: Revocation, now: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::ready(self.inner.revocations.revoke(revocation, now)))
    }

    fn is_revoked_now(&self, query: RevocationQuery<'_>, now: Timestamp) -> Option<Result<bool, StoreError>> {
        Some(Ok(self.inner.revocations.is_revoked(query, now)))
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn key(id: u32) -> RevocationKey {
        RevocationKey::token("i", &id.to_string())
    }

    fn small(capacity: usize) -> Revocations {
        let revocations = Revocations::default();
        revocations.capacity.store(capacity, Relaxed);
        revocations
    }

    fn is_revoked(revocations: &Revocations, id: u32, now: u64) -> bool {
        revocations.is_revoked(RevocationQuery::key(key(id), None), at(now))
    }

    #[test]
    fn full_of_living_ones_it_refuses_and_forgets_none() {
        let revocations = small(8);
        for id in 0..8 {
            revocations.revoke(Revocation::whole(key(id), at(100)), at(0)).unwrap();
        }
        assert!(matches!(revocations.revoke(Revocation::whole(key(99), at(100)), at(99)), Err(StoreError::Full)));
        // One that is held may be prolonged.
        revocations.revoke(Revocation::whole(key(0), at(200)), at(99)).unwrap();
        assert!((0..8).all(|id| is_revoked(&revocations, id, 99)) && !is_revoked(&revocations, 99, 99));
        // What has ended makes room, a few at a time.
        revocations.revoke(Revocation::whole(key(99), at(300)), at(100)).unwrap();
        assert_eq!(revocations.entries.len(), 8 - RECLAIM + 1);
        assert!(is_revoked(&revocations, 99, 100) && is_revoked(&revocations, 0, 100));
    }

    #[test]
    fn what_has_ended_already_takes_no_room() {
        let revocations = small(1);
        revocations.revoke(Revocation::whole(key(1), at(5)), at(5)).unwrap();
        assert_eq!(revocations.entries.len(), 0);
    }

    proptest! {
        /// Against the plainest thing that could work; and the structures never drift apart.
        #[test]
        fn behaves_like_a_plain_map(
            steps in prop::collection::vec((0..5_u32, 0..60_u64, 0..30_u64, 0..20_u64), 1..80),
        ) {
            let revocations = small(100);
            let mut model: HashMap<u32, (u64, u64)> = HashMap::new();
            let mut now = 0;
            for (id, issued_before, lives, wait) in steps {
                now += wait;
                let revocation = Revocation { key: key(id), issued_before: at(issued_before), until: at(now + lives) };
                revocations.revoke(revocation, at(now)).unwrap();
                let held = model.get(&id).copied().filter(|(_, until)| now < *until).unwrap_or_default();
                model.insert(id, (held.0.max(if lives > 0 { issued_before } else { 0 }), held.1.max(now + lives)));
                for id in 0..5 {
                    for issued_at in [0, 15, 30, 59] {
                        let expected = model.get(&id).is_some_and(|(before, until)| now < *until && issued_at < *before);
                        let query = RevocationQuery::key(key(id), Some(at(issued_at)));
                        prop_assert_eq!(revocations.is_revoked(query, at(now)), expected);
                    }
                }
                let order = revocations.order().len();
                prop_assert_eq!((revocations.entries.len(), revocations.held.load(Relaxed)), (order, order));
            }
        }
    }
}
