//! The laws of [`SeenStore`].

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;

use crate::{
    store::{SeenKey, SeenStore, Sighting},
    time::{Clock as _, SystemClock},
};

const KEEP: Duration = Duration::from_secs(60);

/// For how long a law has something remembered, and how long it waits for its end.
const SHORT: Duration = Duration::from_millis(60);
const LONGER: Duration = Duration::from_millis(150);

/// All of them, one after the other.
///
/// # Panics
/// If a law is broken.
pub async fn all(store: &Arc<impl SeenStore + ?Sized>) {
    the_first_time_is_once(store).await;
    of_many_one_is_the_first(store).await;
    keys_are_apart(store).await;
    what_was_seen_is_forgotten_in_time(store).await;
    a_repetition_prolongs_nothing(store).await;
    the_longest_time_is_no_trouble(store).await;
}

/// After the first time there are only repetitions.
///
/// # Panics
/// If the law is broken.
pub async fn the_first_time_is_once(store: &Arc<impl SeenStore + ?Sized>) {
    let key = key();
    assert_eq!(see(store, key, KEEP).await, Sighting::First);
    for _ in 0..5 {
        assert_eq!(see(store, key, KEEP).await, Sighting::Again);
    }
}

/// Of many who show one thing at the same time, one is the first.
///
/// # Panics
/// If the law is broken.
pub async fn of_many_one_is_the_first(store: &Arc<impl SeenStore + ?Sized>) {
    for _ in 0..8 {
        let key = key();
        let mut sightings = JoinSet::new();
        for _ in 0..16 {
            let store = Arc::clone(store);
            sightings.spawn(async move { see(&store, key, KEEP).await });
        }
        let sightings = sightings.join_all().await;
        let first = sightings.iter().filter(|sighting| **sighting == Sighting::First).count();
        assert_eq!(first, 1, "so many of {} were the first", sightings.len());
    }
}

/// One key says nothing of another.
///
/// # Panics
/// If the law is broken.
pub async fn keys_are_apart(store: &Arc<impl SeenStore + ?Sized>) {
    let keys: Vec<SeenKey> = (0..20).map(|_| key()).collect();
    for key in &keys {
        assert_eq!(see(store, *key, KEEP).await, Sighting::First);
    }
    for key in &keys {
        assert_eq!(see(store, *key, KEEP).await, Sighting::Again);
    }
}

/// It is remembered for as long as was said, and then no longer.
///
/// # Panics
/// If the law is broken.
pub async fn what_was_seen_is_forgotten_in_time(store: &Arc<impl SeenStore + ?Sized>) {
    let key = key();
    assert_eq!(see(store, key, SHORT).await, Sighting::First);
    tokio::time::sleep(LONGER).await;
    assert_eq!(see(store, key, SHORT).await, Sighting::First);
}

/// The time counts from the first sight: else one who repeats often enough is never forgotten.
///
/// # Panics
/// If the law is broken.
pub async fn a_repetition_prolongs_nothing(store: &Arc<impl SeenStore + ?Sized>) {
    let key = key();
    assert_eq!(see(store, key, LONGER).await, Sighting::First);
    assert_eq!(see(store, key, KEEP).await, Sighting::Again);
    tokio::time::sleep(LONGER.saturating_add(SHORT)).await;
    assert_eq!(see(store, key, KEEP).await, Sighting::First);
}

/// No time is so long that the sum overflows.
///
/// # Panics
/// If the law is broken.
pub async fn the_longest_time_is_no_trouble(store: &Arc<impl SeenStore + ?Sized>) {
    let key = key();
    assert_eq!(see(store, key, Duration::MAX).await, Sighting::First);
    assert_eq!(see(store, key, Duration::MAX).await, Sighting::Again);
}

/// A key that no other run of a law has.
fn key() -> SeenKey {
    let mut bytes = [0; 16];
    assert!(getrandom::fill(&mut bytes).is_ok(), "the operating system has random bytes");
    SeenKey::new("conformance", &[&bytes])
}

/// At once, where the store can; else awaited.
async fn see(store: &Arc<impl SeenStore + ?Sized>, key: SeenKey, keep: Duration) -> Sighting {
    let now = SystemClock::new().now().monotonic;
    let seen = match store.see_now(key, keep, now) {
        Some(seen) => seen,
        None => store.see(key, keep, now).await,
    };
    assert!(seen.is_ok(), "the store does not answer: {seen:?}");
    seen.unwrap_or(Sighting::Again)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::memory::MemoryStore,
        store::{BoxFuture, StoreError},
        time::Timestamp,
    };

    #[tokio::test(flavor = "multi_thread")]
    async fn the_memory_store_keeps_them() {
        all(&Arc::new(MemoryStore::new())).await;
    }

    #[derive(Clone, Copy, Debug)]
    enum Fault {
        RemembersNothing,
        ForgetsNothing,
        SeesOneKey,
    }

    #[derive(Debug)]
    struct Naive(MemoryStore, Fault);

    impl SeenStore for Naive {
        fn see(&self, key: SeenKey, keep: Duration, now: Timestamp) -> BoxFuture<'_, Result<Sighting, StoreError>> {
            match self.1 {
                Fault::RemembersNothing => self.0.see(super::key(), keep, now),
                Fault::ForgetsNothing => self.0.see(key, Duration::MAX, now),
                Fault::SeesOneKey => self.0.see(SeenKey::new("one", &[]), keep, now),
            }
        }
    }

    #[tokio::test]
    async fn stores_that_break_them_are_found_out() {
        for fault in [Fault::RemembersNothing, Fault::ForgetsNothing, Fault::SeesOneKey] {
            let store = Arc::new(Naive(MemoryStore::new(), fault));
            assert!(tokio::spawn(async move { all(&store).await }).await.is_err(), "{fault:?}");
        }
    }
}
