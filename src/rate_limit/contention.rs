//! For stores that compare and swap: who takes a turn, and who waits how long.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hash},
    sync::{
        Arc, Mutex as Lock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use dashmap::{DashMap, Entry};
use tokio::sync::{Mutex, OnceCell, OwnedMutexGuard};

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

/// One read at a time for each key, which all share who asked before it began: what a caller who goes on
/// asking though he is refused costs is one read, and not one for each request.
#[derive(Debug)]
pub(crate) struct Reads<K: Eq + Hash, V>(DashMap<K, Arc<Reading<V>>>);

#[derive(Debug)]
struct Reading<V> {
    /// The read that has not begun.
    next: Lock<Arc<OnceCell<V>>>,
    under_way: Mutex<()>,
}

impl<V> Default for Reading<V> {
    fn default() -> Self {
        Self { next: Lock::default(), under_way: Mutex::default() }
    }
}

impl<K: Eq + Hash, V> Default for Reads<K, V> {
    fn default() -> Self {
        Self(DashMap::default())
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Reads<K, V> {
    /// What a read found that began after this call did: by `read`, or by another's.
    pub(crate) async fn share<E>(&self, key: K, read: impl Future<Output = Result<V, E>> + Send) -> Result<V, E> {
        let leave = Leave { reads: self, key: key.clone() };
        let reading = Arc::clone(&*self.0.entry(key).or_default());
        let next = || reading.next.lock().unwrap_or_else(PoisonError::into_inner);
        let round = Arc::clone(&*next());
        let found = round
            .get_or_try_init(|| async {
                let _alone = reading.under_way.lock().await;
                // Who comes from now on may want to see what is written meanwhile.
                *next() = Arc::default();
                read.await
            })
            .await
            .cloned();
        drop((round, reading));
        drop(leave);
        found
    }
}

struct Leave<'a, K: Eq + Hash + Clone, V> {
    reads: &'a Reads<K, V>,
    key: K,
}

impl<K: Eq + Hash + Clone, V> Drop for Leave<'_, K, V> {
    fn drop(&mut self) {
        if let Entry::Occupied(entry) = self.reads.0.entry(self.key.clone())
            && Arc::strong_count(entry.get()) == 1
        {
            entry.remove();
        }
    }
}

/// Rounds of compare-and-swap wait a random time of up to so long, doubled each time. Twice is enough: who
/// has just won begins with the first, so whoever waits much longer goes on losing.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(4);

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

    #[tokio::test(start_paused = true)]
    async fn a_read_is_shared_by_those_who_asked_before_it_began() {
        let (reads, made) = (Arc::new(Reads::default()), Arc::new(AtomicU64::new(0)));
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..20_u64 {
            let (reads, made) = (Arc::clone(&reads), Arc::clone(&made));
            tasks.spawn(async move {
                tokio::time::sleep(Duration::from_millis(if task == 0 { 0 } else { 5 })).await;
                let began = made.load(Relaxed);
                let read = async {
                    let number = made.fetch_add(1, Relaxed);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    Ok::<_, ()>(number)
                };
                let found = reads.share("key", read).await.unwrap();
                assert!(found >= began, "it began before it was asked for");
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        assert_eq!(made.load(Relaxed), 2);
        assert!(reads.0.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_fails_or_is_given_up_is_made_by_the_next() {
        let reads = Arc::new(Reads::<_, u8>::default());
        let hangs = tokio::spawn({
            let reads = Arc::clone(&reads);
            async move { reads.share("key", std::future::pending::<Result<u8, ()>>()).await }
        });
        tokio::task::yield_now().await;
        let waits = tokio::spawn({
            let reads = Arc::clone(&reads);
            async move { (reads.share("key", async { Err(()) }).await, reads.share("key", async { Ok::<_, ()>(7) }).await) }
        });
        tokio::task::yield_now().await;
        hangs.abort();
        assert_eq!(waits.await.unwrap(), (Err(()), Ok(7)));
        assert!(reads.0.is_empty());
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
