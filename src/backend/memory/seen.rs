use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    hash::{BuildHasher as _, RandomState},
    num::NonZeroUsize,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use super::MemoryStore;
use crate::{
    store::{BoxFuture, SeenKey, SeenStore, Sighting, StoreError},
    time::Timestamp,
};

const DEFAULT_CAPACITY: usize = 262_144;
const SHARDS: usize = 16;
/// How many expired entries one sight clears away: more than one, so that the backlog shrinks; few,
/// so that no request pays for the others.
const RECLAIM: usize = 4;

/// State of one port: what was seen, and the order in which it is forgotten.
#[derive(Debug)]
pub(super) struct Seen {
    capacity: AtomicUsize,
    len: AtomicUsize,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    until: HashMap<SeenKey, Timestamp, RandomState>,
    /// One for each entry, exactly: an entry is never changed, only forgotten.
    order: BinaryHeap<Reverse<(Timestamp, SeenKey)>>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            capacity: AtomicUsize::new(DEFAULT_CAPACITY),
            len: AtomicUsize::new(0),
            hasher: RandomState::new(),
            shards: Default::default(),
        }
    }
}

impl Seen {
    fn see(&self, key: SeenKey, keep: Duration, now: Timestamp) -> Result<Sighting, StoreError> {
        // A keyed hash: what is seen is chosen by clients.
        let index = usize::try_from(self.hasher.hash_one(key)).unwrap_or(0) % SHARDS;
        let Some(shard) = self.shards.get(index) else { return Err(StoreError::Full) };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        self.give_back(shard.forget(now, RECLAIM));
        match shard.until.get(&key).copied() {
            Some(until) if now < until => return Ok(Sighting::Again),
            // Expired, and not cleared away yet: all that expired before it goes first.
            Some(_) => self.give_back(shard.forget(now, usize::MAX)),
            None => {}
        }
        if self.len.fetch_add(1, Relaxed) >= self.capacity.load(Relaxed) {
            self.give_back(1);
            return Err(StoreError::Full);
        }
        let until = now.saturating_add(keep);
        shard.until.insert(key, until);
        shard.order.push(Reverse((until, key)));
        Ok(Sighting::First)
    }

    fn give_back(&self, count: usize) {
        self.len.fetch_sub(count, Relaxed);
    }
}

impl Shard {
    /// Forgets at most `most` of what has expired, the oldest first; says how many.
    fn forget(&mut self, now: Timestamp, most: usize) -> usize {
        let mut count = 0_usize;
        while count < most
            && let Some(oldest) = self.order.peek_mut()
            && oldest.0.0 <= now
        {
            let Reverse((_, key)) = std::collections::binary_heap::PeekMut::pop(oldest);
            self.until.remove(&key);
            count = count.saturating_add(1);
        }
        count
    }
}

impl MemoryStore {
    /// How many proofs and nonces are remembered at once. Default: 262,144 (about 25 MB when full),
    /// which is four thousand new ones a second when each is kept for a minute. With that many live
    /// ones the next is answered 503: a live one is never forgotten to make room.
    #[must_use]
    pub fn seen_capacity(self, entries: NonZeroUsize) -> Self {
        self.inner.seen.capacity.store(entries.get(), Relaxed);
        self
    }
}

/// Exact on one machine. What has expired is cleared away a little at each sight, without a sweep.
impl SeenStore for MemoryStore {
    fn see(&self, key: SeenKey, keep: Duration, now: Timestamp) -> BoxFuture<'_, Result<Sighting, StoreError>> {
        Box::pin(std::future::ready(self.inner.seen.see(key, keep, now)))
    }

    fn see_now(&self, key: SeenKey, keep: Duration, now: Timestamp) -> Option<Result<Sighting, StoreError>> {
        Some(self.inner.seen.see(key, keep, now))
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn key(id: u32) -> SeenKey {
        SeenKey::new("test", &[&id.to_be_bytes()])
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn small(capacity: usize) -> Seen {
        let seen = Seen::default();
        seen.capacity.store(capacity, Relaxed);
        seen
    }

    fn held(seen: &Seen) -> (usize, usize, usize) {
        let shards = seen.shards.iter().map(|shard| shard.lock().unwrap());
        let (entries, order) =
            shards.fold((0, 0), |(entries, order), s| (entries + s.until.len(), order + s.order.len()));
        (seen.len.load(Relaxed), entries, order)
    }

    #[test]
    fn what_was_seen_is_known_until_its_time_is_over() {
        let seen = small(10);
        assert_eq!(seen.see(key(1), MINUTE, at(0)).unwrap(), Sighting::First);
        assert_eq!(seen.see(key(1), MINUTE, at(59)).unwrap(), Sighting::Again);
        // Seeing it again does not make it known for longer.
        assert_eq!(seen.see(key(1), MINUTE, at(60)).unwrap(), Sighting::First);
        assert_eq!(held(&seen), (1, 1, 1));
    }

    #[test]
    fn full_of_live_entries_it_fails_closed_and_forgets_none() {
        let seen = small(8);
        for id in 0..8 {
            assert_eq!(seen.see(key(id), MINUTE, at(0)).unwrap(), Sighting::First);
        }
        assert!(matches!(seen.see(key(99), MINUTE, at(59)), Err(StoreError::Full)));
        for id in 0..8 {
            assert_eq!(seen.see(key(id), MINUTE, at(59)).unwrap(), Sighting::Again);
        }
        assert_eq!(seen.see(key(0), MINUTE, at(60)).unwrap(), Sighting::First);
    }

    #[test]
    fn of_many_threads_one_is_the_first() {
        let seen = small(10_000);
        for id in 0..50 {
            let firsts = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| seen.see(key(id), MINUTE, at(0)))).collect();
                let results = threads.into_iter().map(|thread| thread.join().unwrap().unwrap());
                results.filter(|sighting| *sighting == Sighting::First).count()
            });
            assert_eq!(firsts, 1);
        }
    }

    proptest! {
        #[test]
        fn behaves_like_a_plain_map(steps in prop::collection::vec((0..6_u32, 0..40_u64, 1..90_u64), 1..100)) {
            let seen = small(100);
            let mut model = std::collections::HashMap::new();
            let mut now = 0;
            for (id, wait, keep) in steps {
                now += wait;
                let known = model.get(&id).is_some_and(|until| now < *until);
                let expected = if known { Sighting::Again } else { Sighting::First };
                prop_assert_eq!(seen.see(key(id), Duration::from_secs(keep), at(now)).unwrap(), expected);
                if !known {
                    model.insert(id, now + keep);
                }
                let (len, entries, order) = held(&seen);
                prop_assert_eq!((len, entries), (entries, order));
            }
        }
    }
}
