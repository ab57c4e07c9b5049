//! For stores that compare and swap: who takes a turn, and who waits how long.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hash},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use dashmap::{DashMap, Entry};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// One at a time for each key: what the tasks of one process would fight over by rounds of
/// compare-and-swap, they do one after the other. It has as many entries as there are requests at work.
#[derive(Debug)]
pub(crate) struct Turns<K: Eq + Hash>(DashMap<K, Arc<Mutex<()>>>);

/// The turn at some keys. Dropped, it lets the next one in.
#[derive(Debug)]
pub(crate) struct Turn<'a, K: Eq + Hash> {
    turns: &'a Turns<K>,
    held: Vec<(K, Option<OwnedMutexGuard<()>>)>,
    /// Whether somebody else was at work meanwhile, so that what was loaded before is stale.
    pub(crate) waited: bool,
}

impl<K: Eq + Hash> Default for Turns<K> {
    fn default() -> Self {
        Self(DashMap::default())
    }
}

impl<K: Eq + Hash + Ord + Clone> Turns<K> {
    /// Waits for the turn at each, in the order of the keys, so that no two wait for each other.
    pub(crate) async fn take(&self, keys: impl Iterator<Item = K> + Send) -> Turn<'_, K> {
        let mut keys: Vec<K> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        let mut turn = Turn { turns: self, held: Vec::with_capacity(keys.len()), waited: false };
        for key in keys {
            let mutex = Arc::clone(&*self.0.entry(key.clone()).or_default());
            // In the list before it is waited for: who gives up leaves no entry behind.
            turn.held.push((key, None));
            let guard = if let Ok(guard) = Arc::clone(&mutex).try_lock_owned() {
                guard
            } else {
                turn.waited = true;
                mutex.lock_owned().await
            };
            if let Some((_, held)) = turn.held.last_mut() {
                *held = Some(guard);
            }
        }
        turn
    }
}

impl<K: Eq + Hash> Drop for Turn<'_, K> {
    fn drop(&mut self) {
        for (key, guard) in self.held.drain(..) {
            drop(guard);
            if let Entry::Occupied(entry) = self.turns.0.entry(key)
                && Arc::strong_count(entry.get()) == 1
            {
                entry.remove();
            }
        }
    }
}

/// Rounds of compare-and-swap wait a random time of up to so long, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(64);

/// Numbers that differ between processes, and from call to call.
#[derive(Debug, Default)]
pub(crate) struct Jitter {
    random: RandomState,
    drawn: AtomicU64,
}

impl Jitter {
    pub(crate) fn draw(&self) -> u64 {
        self.random.hash_one(self.drawn.fetch_add(1, Relaxed))
    }

    /// Full jitter: who lost together does not come back together.
    pub(crate) fn pause(&self, round: u32) -> Duration {
        let most = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(round).unwrap_or(u32::MAX)).min(LONGEST_PAUSE);
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.draw().checked_rem(micros).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_and_nothing_is_left_behind() {
        let turns = Arc::new(Turns::default());
        let first = turns.take(["b", "a", "b"].into_iter()).await;
        assert!(!first.waited);
        let waiting = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.take(std::iter::once("b")).await.waited }
        });
        let gave_up = tokio::time::timeout(Duration::from_millis(1), turns.take(["a", "c"].into_iter())).await;
        assert!(gave_up.is_err() && !waiting.is_finished());
        drop(first);
        assert!(waiting.await.unwrap(), "it has waited");
        assert!(turns.0.is_empty());
    }

    #[test]
    fn pauses_are_random_and_bounded() {
        let jitter = Jitter::default();
        for round in 0..40 {
            let pauses: Vec<Duration> = (0..50).map(|_| jitter.pause(round)).collect();
            assert!(pauses.iter().all(|pause| *pause < LONGEST_PAUSE));
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
        assert!((0..50).all(|_| jitter.pause(0) < FIRST_PAUSE));
    }
}
