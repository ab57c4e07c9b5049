//! The laws of [`ReplayStore`].

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;

use crate::{
    time::{Clock as _, SystemClock, Timestamp},
    webhook::{Claimed, Fence, ReplayKey, ReplayStore, Settlement},
};

const LEASE: Duration = Duration::from_secs(30);
const DONE: Settlement = Settlement::Complete { ttl: Duration::from_secs(60) };

/// A lease that a law waits for, and how long it waits: no store's clock is that far off.
const SHORT: Duration = Duration::from_millis(60);
const LONGER: Duration = Duration::from_millis(150);

/// All of them, one after the other.
///
/// # Panics
/// If a law is broken.
pub async fn all(store: &Arc<impl ReplayStore + ?Sized>) {
    a_claim_keeps_others_away(store).await;
    of_many_one_claims(store).await;
    events_are_apart(store).await;
    what_is_completed_is_not_claimed(store).await;
    what_is_completed_is_forgotten_in_time(store).await;
    what_is_released_is_claimed_at_once(store).await;
    a_claim_ends_with_its_lease(store).await;
    who_was_overtaken_settles_nothing(store).await;
    a_claim_is_settled_once(store).await;
    the_longest_times_are_no_trouble(store).await;
}

/// A second claim is told how long the first one runs.
///
/// # Panics
/// If the law is broken.
pub async fn a_claim_keeps_others_away(store: &Arc<impl ReplayStore + ?Sized>) {
    let key = key();
    fresh(store, key, LEASE).await;
    for _ in 0..3 {
        match claim(store, key, LEASE).await {
            Claimed::InFlight { retry_after } => {
                assert!(
                    !retry_after.is_zero() && retry_after <= LEASE,
                    "the lease of {LEASE:?} ends in {retry_after:?}"
                );
            }
            other => assert!(matches!(other, Claimed::InFlight { .. }), "of a claimed event it says {other:?}"),
        }
    }
}

/// Of many who claim one event at the same time, one gets it.
///
/// # Panics
/// If the law is broken.
pub async fn of_many_one_claims(store: &Arc<impl ReplayStore + ?Sized>) {
    for _ in 0..8 {
        let key = key();
        let mut claims = JoinSet::new();
        for _ in 0..16 {
            let store = Arc::clone(store);
            claims.spawn(async move { claim(&store, key, LEASE).await });
        }
        let claims = claims.join_all().await;
        let fresh = claims.iter().filter(|claim| matches!(claim, Claimed::Fresh(_))).count();
        assert_eq!(fresh, 1, "so many of {} got the event", claims.len());
    }
}

/// What happens to one event concerns no other.
///
/// # Panics
/// If the law is broken.
pub async fn events_are_apart(store: &Arc<impl ReplayStore + ?Sized>) {
    let (one, other, third) = (key(), key(), key());
    let fence = fresh(store, one, LEASE).await;
    let others = fresh(store, other, LEASE).await;
    assert!(settle(store, one, fence, DONE).await, "a claim is completed");
    let claimed = claim(store, other, LEASE).await;
    assert!(matches!(claimed, Claimed::InFlight { .. }), "another event was completed with it: {claimed:?}");
    assert!(settle(store, other, others, Settlement::Release).await, "a claim is released");
    assert_eq!(claim(store, one, LEASE).await, Claimed::Completed, "another event was released with it");
    fresh(store, third, LEASE).await;
}

/// A completed event is not handed out again.
///
/// # Panics
/// If the law is broken.
pub async fn what_is_completed_is_not_claimed(store: &Arc<impl ReplayStore + ?Sized>) {
    let key = key();
    let fence = fresh(store, key, SHORT).await;
    assert!(settle(store, key, fence, DONE).await, "a claim is completed");
    assert_eq!(claim(store, key, LEASE).await, Claimed::Completed);
    // Also when the lease would have ended.
    tokio::time::sleep(LONGER).await;
    assert_eq!(claim(store, key, LEASE).await, Claimed::Completed, "it was forgotten with its lease");
}

/// A completed event is remembered for as long as was said, and then no longer.
///
/// # Panics
/// If the law is broken.
pub async fn what_is_completed_is_forgotten_in_time(store: &Arc<impl ReplayStore + ?Sized>) {
    let key = key();
    let fence = fresh(store, key, LEASE).await;
    assert!(settle(store, key, fence, Settlement::Complete { ttl: SHORT }).await, "a claim is completed");
    tokio::time::sleep(LONGER).await;
    fresh(store, key, LEASE).await;
}

/// A released event is claimed anew at once, under a higher fence.
///
/// # Panics
/// If the law is broken.
pub async fn what_is_released_is_claimed_at_once(store: &Arc<impl ReplayStore + ?Sized>) {
    let key = key();
    let mut last = fresh(store, key, LEASE).await;
    for _ in 0..5 {
        assert!(settle(store, key, last, Settlement::Release).await, "a claim is released");
        let next = fresh(store, key, LEASE).await;
        assert!(next > last, "after {last:?} comes {next:?}");
        assert!(!settle(store, key, last, DONE).await, "the one before was completed after its release");
        last = next;
    }
}

/// A claim that nobody settles ends with its lease, and the next one has a higher fence.
///
/// # Panics
/// If the law is broken.
pub async fn a_claim_ends_with_its_lease(store: &Arc<impl ReplayStore + ?Sized>) {
    let key = key();
    let first = fresh(store, key, SHORT).await;
    tokio::time::sleep(LONGER).await;
    let second = fresh(store, key, LEASE).await;
    assert!(second > first, "after {first:?} comes {second:?}");
}

/// Whoever was overtaken neither completes nor releases the claim of the one who overtook him.
///
/// # Panics
/// If the law is broken.
pub async fn who_was_overtaken_settles_nothing(store: &Arc<impl ReplayStore + ?Sized>) {
    let key = key();
    let first = fresh(store, key, SHORT).await;
    tokio::time::sleep(LONGER).await;
    let second = fresh(store, key, LEASE).await;
    assert!(!settle(store, key, first, Settlement::Release).await, "it was released by one who was overtaken");
    assert!(!settle(store, key, first, DONE).await, "it was completed by one who was overtaken");
    let claimed = claim(store, key, LEASE).await;
    assert!(matches!(claimed, Claimed::InFlight { .. }), "the one who was overtaken changed something: {claimed:?}");
    assert!(settle(store, key, second, DONE).await, "who overtook him completes");
}

/// A second settlement says `false` and changes nothing; so does one of an event that was never
/// claimed.
///
/// # Panics
/// If the law is broken.
pub async fn a_claim_is_settled_once(store: &Arc<impl ReplayStore + ?Sized>) {
    let key = key();
    let fence = fresh(store, key, LEASE).await;
    assert!(settle(store, key, fence, DONE).await, "a claim is completed");
    assert!(!settle(store, key, fence, Settlement::Release).await, "completed, it was released");
    assert!(!settle(store, key, fence, DONE).await, "it was completed twice");
    assert_eq!(claim(store, key, LEASE).await, Claimed::Completed);
    assert!(!settle(store, self::key(), fence, DONE).await, "an event was completed that nobody had claimed");
}

/// No time is so long that the sum overflows.
///
/// # Panics
/// If the law is broken.
pub async fn the_longest_times_are_no_trouble(store: &Arc<impl ReplayStore + ?Sized>) {
    let key = key();
    let fence = fresh(store, key, Duration::MAX).await;
    let claimed = claim(store, key, Duration::MAX).await;
    assert!(matches!(claimed, Claimed::InFlight { .. }), "of a claim without end it says {claimed:?}");
    assert!(settle(store, key, fence, Settlement::Complete { ttl: Duration::MAX }).await, "a claim is completed");
    assert_eq!(claim(store, key, Duration::MAX).await, Claimed::Completed);
}

/// A key that no other run of a law has.
fn key() -> ReplayKey {
    let mut bytes = [0; 16];
    assert!(getrandom::fill(&mut bytes).is_ok(), "the operating system has random bytes");
    ReplayKey::new("conformance", "replays", &base16ct::lower::encode_string(&bytes))
}

fn now() -> Timestamp {
    SystemClock::new().now().monotonic
}

async fn claim(store: &Arc<impl ReplayStore + ?Sized>, key: ReplayKey, lease: Duration) -> Claimed {
    let claimed = store.claim(key, lease, now()).await;
    assert!(claimed.is_ok(), "the store does not answer a claim: {claimed:?}");
    claimed.unwrap_or(Claimed::Completed)
}

async fn fresh(store: &Arc<impl ReplayStore + ?Sized>, key: ReplayKey, lease: Duration) -> Fence {
    let claimed = claim(store, key, lease).await;
    let fence = if let Claimed::Fresh(fence) = claimed { Some(fence) } else { None };
    assert!(fence.is_some(), "of an event that is free it says {claimed:?}");
    fence.unwrap_or(Fence::new(0))
}

async fn settle(store: &Arc<impl ReplayStore + ?Sized>, key: ReplayKey, fence: Fence, settlement: Settlement) -> bool {
    let settled = store.settle(key, fence, settlement, now()).await;
    assert!(settled.is_ok(), "the store does not answer a settlement: {settled:?}");
    settled.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::memory::MemoryStore,
        store::{BoxFuture, StoreError},
    };

    #[tokio::test(flavor = "multi_thread")]
    async fn the_memory_store_keeps_them() {
        all(&Arc::new(MemoryStore::new())).await;
    }

    /// Looks, and then writes; forgets fences; and so on.
    #[derive(Debug)]
    struct Naive(MemoryStore, Fault);

    #[derive(Clone, Copy, Debug)]
    enum Fault {
        LooksThenWrites,
        IgnoresFences,
        KeepsForEver,
        ForgetsCompleted,
    }

    impl ReplayStore for Naive {
        fn claim(&self, key: ReplayKey, lease: Duration, now: Timestamp) -> BoxFuture<'_, Result<Claimed, StoreError>> {
            Box::pin(async move {
                match (self.1, self.0.claim(key, lease, now).await?) {
                    (Fault::LooksThenWrites, Claimed::Fresh(fence)) => {
                        self.0.settle(key, fence, Settlement::Release, now).await?;
                        tokio::task::yield_now().await;
                        self.0.claim(key, lease, now).await.map(|_| Claimed::Fresh(fence))
                    }
                    (Fault::KeepsForEver, Claimed::Fresh(_)) => self.0.claim(key, Duration::MAX, now).await,
                    (_, claimed) => Ok(claimed),
                }
            })
        }

        fn settle(
            &self,
            key: ReplayKey,
            fence: Fence,
            settlement: Settlement,
            now: Timestamp,
        ) -> BoxFuture<'_, Result<bool, StoreError>> {
            Box::pin(async move {
                match self.1 {
                    Fault::IgnoresFences => {
                        self.0.settle(key, fence, settlement, now).await?;
                        Ok(true)
                    }
                    Fault::ForgetsCompleted => self.0.settle(key, fence, Settlement::Release, now).await,
                    Fault::LooksThenWrites | Fault::KeepsForEver => self.0.settle(key, fence, settlement, now).await,
                }
            })
        }
    }

    async fn breaks(fault: Fault) -> bool {
        let store = Arc::new(Naive(MemoryStore::new(), fault));
        tokio::spawn(async move { all(&store).await }).await.is_err()
    }

    #[tokio::test]
    async fn stores_that_break_them_are_found_out() {
        for fault in [Fault::LooksThenWrites, Fault::IgnoresFences, Fault::KeepsForEver, Fault::ForgetsCompleted] {
            assert!(breaks(fault).await, "{fault:?}");
        }
    }
}
