use std::{
    collections::BTreeSet,
    hash::RandomState,
    num::NonZeroUsize,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use dashmap::{DashMap, Entry};

use super::MemoryStore;
use crate::{
    store::{BoxFuture, StoreError},
    time::Timestamp,
    webhook::{Claimed, Fence, ReplayKey, ReplayStore, Settlement},
};

const DEFAULT_CAPACITY: usize = 100_000;

/// How many expired entries one claim clears away. More than one, so that the backlog shrinks;
/// few, so that no request pays for the others.
const RECLAIM: usize = 4;

/// State of one port: the entries, and the order in which they expire.
///
/// A lock of the map's shard is taken before the one of the order, never the other way round.
#[derive(Debug)]
pub(super) struct Replays {
    capacity: AtomicUsize,
    /// The keys are digests of what a client sends; the hasher is keyed all the same (`SipHash`).
    entries: DashMap<ReplayKey, Row, RandomState>,
    order: Mutex<Order>,
}

#[derive(Debug, Default)]
struct Order {
    /// One for each entry, exactly.
    expiries: BTreeSet<(Timestamp, ReplayKey)>,
    fences: u64,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    fence: Fence,
    completed: bool,
    until: Timestamp,
}

impl Default for Replays {
    fn default() -> Self {
        Self { capacity: AtomicUsize::new(DEFAULT_CAPACITY), entries: DashMap::default(), order: Mutex::default() }
    }
}

impl Replays {
    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claim(&self, key: ReplayKey, lease: Duration, now: Timestamp) -> Result<Claimed, StoreError> {
        self.reclaim(now);
        let until = now.saturating_add(lease);
        match self.entries.entry(key) {
            Entry::Occupied(mut entry) => {
                let row = *entry.get();
                if now < row.until {
                    return Ok(if row.completed {
                        Claimed::Completed
                    } else {
                        Claimed::InFlight { retry_after: row.until.since(now) }
                    });
                }
                let mut order = self.order();
                order.expiries.remove(&(row.until, key));
                let fence = order.enter(until, key);
                entry.insert(Row { fence, completed: false, until });
                Ok(Claimed::Fresh(fence))
            }
            Entry::Vacant(entry) => {
                let mut order = self.order();
                if order.expiries.len() >= self.capacity.load(Relaxed) {
                    return Err(StoreError::Full);
                }
                let fence = order.enter(until, key);
                entry.insert(Row { fence, completed: false, until });
                Ok(Claimed::Fresh(fence))
            }
        }
    }

    /// Whoever holds the fence settles, even after the lease: nobody else has claimed since.
    fn settle(&self, key: ReplayKey, fence: Fence, settlement: Settlement, now: Timestamp) -> bool {
        let Entry::Occupied(mut entry) = self.entries.entry(key) else { return false };
        let row = *entry.get();
        if row.fence != fence || row.completed {
            return false;
        }
        let mut order = self.order();
        order.expiries.remove(&(row.until, key));
        match settlement {
            Settlement::Complete { ttl } => {
                let until = now.saturating_add(ttl);
                order.expiries.insert((until, key));
                entry.insert(Row { fence, completed: true, until });
            }
            Settlement::Release => {
                entry.remove();
            }
        }
        true
    }

    /// Clears away the few entries that expired longest ago.
    fn reclaim(&self, now: Timestamp) {
        for _ in 0..RECLAIM {
            let oldest = self.order().expiries.first().copied();
            let Some((_, key)) = oldest.filter(|(until, _)| *until <= now) else { return };
            // Between the two locks somebody may have claimed the key anew.
            if let Entry::Occupied(entry) = self.entries.entry(key)
                && entry.get().until <= now
            {
                self.order().expiries.remove(&(entry.get().until, key));
                entry.remove();
            }
        }
    }
}

impl Order {
    fn enter(&mut self, until: Timestamp, key: ReplayKey) -> Fence {
        self.expiries.insert((until, key));
        self.fences = self.fences.wrapping_add(1);
        Fence::new(self.fences)
    }
}

impl MemoryStore {
    /// How many webhook events are held at once, in flight and completed together. Default:
    /// 100,000 (about 14 MB when full). With that many live ones the next event is answered 503: a
    /// live one is never forgotten to make room.
    #[must_use]
    pub fn replay_capacity(self, events: NonZeroUsize) -> Self {
        self.inner.replays.capacity.store(events.get(), Relaxed);
        self
    }
}

/// Exact on one machine. Expired events are cleared away a few at each claim, without a sweep.
impl ReplayStore for MemoryStore {
    fn claim(&self, key: ReplayKey, lease: Duration, now: Timestamp) -> BoxFuture<'_, Result<Claimed, StoreError>> {
        Box::pin(std::future::ready(self.inner.replays.claim(key, lease, now)))
    }

    fn settle(
        &self,
        key: ReplayKey,
        fence: Fence,
        settlement: Settlement,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(std::future::ready(Ok(self.inner.replays.settle(key, fence, settlement, now))))
    }

    fn settle_now(
        &self,
        key: ReplayKey,
        fence: Fence,
        settlement: Settlement,
        now: Timestamp,
    ) -> Option<Result<bool, StoreError>> {
        Some(Ok(self.inner.replays.settle(key, fence, settlement, now)))
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const LEASE: Duration = Duration::from_secs(60);
    const DONE: Settlement = Settlement::Complete { ttl: Duration::from_secs(1_000) };

    fn key(id: u32) -> ReplayKey {
        ReplayKey::new("p", "e", &id.to_string())
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn small(capacity: usize) -> Replays {
        let replays = Replays::default();
        replays.capacity.store(capacity, Relaxed);
        replays
    }

    fn fresh(claimed: Result<Claimed, StoreError>) -> Fence {
        match claimed {
            Ok(Claimed::Fresh(fence)) => fence,
            other => panic!("{other:?}"),
        }
    }

    fn held(replays: &Replays) -> (usize, usize) {
        (replays.entries.len(), replays.order().expiries.len())
    }

    #[test]
    fn an_overtaken_claim_settles_nothing() {
        let replays = small(10);
        let first = fresh(replays.claim(key(1), LEASE, at(0)));
        let second = fresh(replays.claim(key(1), LEASE, at(60)));
        assert!(second > first);
        assert!(!replays.settle(key(1), first, Settlement::Release, at(61)));
        assert!(!replays.settle(key(1), first, DONE, at(61)));
        let in_flight = Claimed::InFlight { retry_after: Duration::from_secs(59) };
        assert_eq!(replays.claim(key(1), LEASE, at(61)).unwrap(), in_flight);
        assert!(replays.settle(key(1), second, DONE, at(61)));
        assert!(!replays.settle(key(1), second, Settlement::Release, at(62)), "completed is completed");
        assert_eq!(replays.claim(key(1), LEASE, at(1_060)).unwrap(), Claimed::Completed);
        fresh(replays.claim(key(1), LEASE, at(1_061)));
        assert_eq!(held(&replays), (1, 1));
    }

    #[test]
    fn a_fence_is_not_used_twice_after_a_release() {
        let replays = small(10);
        let first = fresh(replays.claim(key(1), LEASE, at(0)));
        assert!(replays.settle(key(1), first, Settlement::Release, at(0)));
        assert_ne!(fresh(replays.claim(key(1), LEASE, at(0))), first);
        assert!(!replays.settle(key(1), first, DONE, at(0)));
    }

    #[test]
    fn full_of_live_entries_it_fails_closed_and_forgets_none() {
        let replays = small(8);
        for id in 0..8 {
            let fence = fresh(replays.claim(key(id), LEASE, at(0)));
            assert!(replays.settle(key(id), fence, DONE, at(0)));
        }
        assert!(matches!(replays.claim(key(99), LEASE, at(999)), Err(StoreError::Full)));
        for id in 0..8 {
            assert_eq!(replays.claim(key(id), LEASE, at(999)).unwrap(), Claimed::Completed);
        }
        // Once they have expired, there is room, and one claim clears only a few away.
        fresh(replays.claim(key(99), LEASE, at(1_000)));
        assert_eq!(held(&replays), (8 - RECLAIM + 1, 8 - RECLAIM + 1));
    }

    #[test]
    fn claims_and_releases_leave_nothing_behind() {
        let replays = small(2);
        for _ in 0..10_000 {
            let fence = fresh(replays.claim(key(1), LEASE, at(0)));
            assert!(replays.settle(key(1), fence, Settlement::Release, at(0)));
        }
        assert_eq!(held(&replays), (0, 0));
    }

    #[test]
    fn of_many_threads_one_claims() {
        let replays = small(1_000);
        for id in 0..50 {
            let claims: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| replays.claim(key(id), LEASE, at(0)))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
            });
            assert_eq!(claims.iter().filter(|claim| matches!(claim, Claimed::Fresh(_))).count(), 1);
        }
    }

    proptest! {
        /// Against the plainest thing that could work; and the two structures never drift apart.
        #[test]
        fn behaves_like_a_plain_map(steps in prop::collection::vec((0..5_u32, 0..3_u8, 0..40_u64), 1..80)) {
            let replays = small(100);
            let mut model: HashMap<u32, (Fence, bool, u64)> = HashMap::new();
            let mut now = 0;
            for (id, step, wait) in steps {
                now += wait;
                let live = model.get(&id).copied();
                if step == 0 {
                    let said = replays.claim(key(id), LEASE, at(now)).unwrap();
                    match live.filter(|(_, _, until)| now < *until) {
                        Some((_, true, _)) => prop_assert_eq!(said, Claimed::Completed),
                        Some((_, false, until)) => {
                            prop_assert_eq!(said, Claimed::InFlight { retry_after: Duration::from_secs(until - now) });
                        }
                        None => {
                            model.insert(id, (fresh(Ok(said)), false, now + 60));
                        }
                    }
                } else if let Some((fence, false, until)) = live {
                    let settlement = if step == 1 { DONE } else { Settlement::Release };
                    let settled = replays.settle(key(id), fence, settlement, at(now));
                    // One whose lease ran out may have been cleared away by another's claim.
                    prop_assert!(settled || until <= now);
                    if settled && step == 1 {
                        model.insert(id, (fence, true, now + 1_000));
                    } else {
                        model.remove(&id);
                    }
                }
                let (entries, order) = held(&replays);
                prop_assert_eq!(entries, order);
            }
        }
    }
}
