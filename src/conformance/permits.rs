//! The laws of [`ConcurrencyStore`].

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;

use crate::{
    rate_limit::{
        ChargeKey, KeyPart,
        concurrency::{Admission, ConcurrencyStore, Permit, PermitAsk},
    },
    store::StoreError,
};

const LEASE: Duration = Duration::from_secs(60);

/// The lease of the laws that wait for its end, and how long they wait.
const SHORT: Duration = Duration::from_millis(200);
const LONGER: Duration = Duration::from_millis(350);

/// All that hold for every store, one after the other.
///
/// # Panics
/// If a law is broken.
pub async fn all(store: &Arc<impl ConcurrencyStore + ?Sized>) {
    of_many_no_more_than_the_limit_go_ahead(store).await;
    a_released_permit_is_free_for_the_next(store).await;
    how_many_are_ahead_is_told(store).await;
    keys_are_apart(store).await;
    a_smaller_limit_counts_those_who_are_ahead(store).await;
}

/// The further ones of a store that several processes share, whose permits are leases.
///
/// # Panics
/// If a law is broken.
pub async fn all_of_leases(store: &Arc<impl ConcurrencyStore + ?Sized>) {
    a_lease_without_a_sign_of_life_ends(store).await;
    a_sign_of_life_prolongs_a_lease(store).await;
    a_sign_of_life_brings_a_lost_lease_back(store).await;
    a_lease_that_has_ended_is_released_without_harm(store).await;
}

/// Of many who ask at the same time exactly as many go ahead as may.
///
/// # Panics
/// If the law is broken.
pub async fn of_many_no_more_than_the_limit_go_ahead(store: &Arc<impl ConcurrencyStore + ?Sized>) {
    let key = key();
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let store = Arc::clone(store);
        tasks.spawn(async move { ask(&store, &key, 10, LEASE).await });
    }
    let granted: Vec<Permit> = tasks.join_all().await.into_iter().filter_map(granted).collect();
    assert_eq!(granted.len(), 10, "so many of 64 went ahead, and 10 may");
    for permit in granted {
        release(store, permit).await;
    }
}

/// Whoever has gone makes room for one, again and again.
///
/// # Panics
/// If the law is broken.
pub async fn a_released_permit_is_free_for_the_next(store: &Arc<impl ConcurrencyStore + ?Sized>) {
    let key = key();
    let kept = expect(ask(store, &key, 2, LEASE).await);
    for _ in 0..20 {
        let other = expect(ask(store, &key, 2, LEASE).await);
        refuse(&ask(store, &key, 2, LEASE).await);
        release(store, other).await;
    }
    release(store, kept).await;
    let both = [expect(ask(store, &key, 2, LEASE).await), expect(ask(store, &key, 2, LEASE).await)];
    refuse(&ask(store, &key, 2, LEASE).await);
    for permit in both {
        release(store, permit).await;
    }
}

/// The number of those who are ahead is told, with the one who asks if he may join them.
///
/// # Panics
/// If the law is broken.
pub async fn how_many_are_ahead_is_told(store: &Arc<impl ConcurrencyStore + ?Sized>) {
    let key = key();
    let mut held = Vec::new();
    for expected in 1..=3 {
        match ask(store, &key, 3, LEASE).await {
            Admission::Granted { permit, in_use } => {
                assert_eq!(in_use, expected, "so many are told to be ahead");
                held.push(permit);
            }
            refused @ Admission::Refused { .. } => assert_eq!(refused, Admission::Refused { in_use: 0 }, "3 may"),
        }
    }
    assert_eq!(ask(store, &key, 3, LEASE).await, Admission::Refused { in_use: 3 });
    for permit in held {
        release(store, permit).await;
    }
}

/// One key's permits are not another's, whatever bytes the keys have.
///
/// # Panics
/// If the law is broken.
pub async fn keys_are_apart(store: &Arc<impl ConcurrencyStore + ?Sized>) {
    let prefix = key();
    let long = vec![0xff_u8; 4_096];
    let parts: [&[u8]; 6] = [b"", b"\0", b"a", b"a\0", b"{a}", &long];
    let mut held = Vec::new();
    for part in parts {
        let key =
            ChargeKey::new("conformance").with(KeyPart::Bytes(&prefix)).and_then(|key| key.with(KeyPart::Bytes(part)));
        assert!(key.is_some(), "a key has room for two parts");
        let Some(key) = key else { return };
        held.push(expect(acquire(store, &PermitAsk::new(key, 1, LEASE)).await));
    }
    for permit in held {
        release(store, permit).await;
    }
}

/// Whose limit has shrunk goes on, and nobody joins before there is room under the new one.
///
/// # Panics
/// If the law is broken.
pub async fn a_smaller_limit_counts_those_who_are_ahead(store: &Arc<impl ConcurrencyStore + ?Sized>) {
    let key = key();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(expect(ask(store, &key, 4, LEASE).await));
    }
    while held.len() >= 2 {
        refuse(&ask(store, &key, 2, LEASE).await);
        if let Some(permit) = held.pop() {
            release(store, permit).await;
        }
    }
    held.push(expect(ask(store, &key, 2, LEASE).await));
    for permit in held {
        release(store, permit).await;
    }
}

/// What a process that died has held is free when its lease is over, and not before.
///
/// # Panics
/// If the law is broken.
pub async fn a_lease_without_a_sign_of_life_ends(store: &Arc<impl ConcurrencyStore + ?Sized>) {
    let key = key();
    let dead = expect(ask(store, &key, 1, SHORT).await);
    assert!(dead.is_leased(), "permits of a shared store are leases");
    refuse(&ask(store, &key, 1, LEASE).await);
    tokio::time::sleep(LONGER).await;
    let next = expect(ask(store, &key, 1, LEASE).await);
    release(store, next).await;
}

/// As long as somebody says so, a permit is in use.
///
/// # Panics
/// If the law is broken.
pub async fn a_sign_of_life_prolongs_a_lease(store: &Arc<impl ConcurrencyStore + ?Sized>) {
    let key = key();
    let permit = expect(ask(store, &key, 1, SHORT).await);
    beat(store, &permit, LEASE).await;
    tokio::time::sleep(LONGER).await;
    refuse(&ask(store, &key, 1, LEASE).await);
    release(store, permit).await;
    let next = expect(ask(store, &key, 1, LEASE).await);
    release(store, next).await;
}

/// A permit that is in use counts, though the store has lost it.
///
/// # Panics
/// If the law is broken.
pub async fn a_sign_of_life_brings_a_lost_lease_back(store: &Arc<impl ConcurrencyStore + ?Sized>) {
    let key = key();
    let permit = expect(ask(store, &key, 1, SHORT).await);
    tokio::time::sleep(LONGER).await;
    beat(store, &permit, LEASE).await;
    refuse(&ask(store, &key, 1, LEASE).await);
    release(store, permit).await;
}

/// Who comes back too late takes nobody's permit away.
///
/// # Panics
/// If the law is broken.
pub async fn a_lease_that_has_ended_is_released_without_harm(store: &Arc<impl ConcurrencyStore + ?Sized>) {
    let key = key();
    let late = expect(ask(store, &key, 1, SHORT).await);
    tokio::time::sleep(LONGER).await;
    let next = expect(ask(store, &key, 1, LEASE).await);
    release(store, late).await;
    refuse(&ask(store, &key, 1, LEASE).await);
    release(store, next).await;
}

/// A part of a key that no other run of a law has.
fn key() -> [u8; 16] {
    let mut bytes = [0; 16];
    assert!(getrandom::fill(&mut bytes).is_ok(), "the operating system has random bytes");
    bytes
}

async fn ask(store: &Arc<impl ConcurrencyStore + ?Sized>, key: &[u8; 16], limit: u64, lease: Duration) -> Admission {
    let Some(key) = ChargeKey::new("conformance").with(KeyPart::Bytes(key)) else {
        return Admission::Refused { in_use: u64::MAX };
    };
    acquire(store, &PermitAsk::new(key, limit, lease)).await
}

/// At once, where the store can; else awaited.
async fn acquire(store: &Arc<impl ConcurrencyStore + ?Sized>, ask: &PermitAsk<'_>) -> Admission {
    let answer: Result<Admission, StoreError> = match store.acquire_now(ask) {
        Some(answer) => answer,
        None => store.acquire(ask).await,
    };
    assert!(answer.is_ok(), "the store does not answer: {answer:?}");
    answer.unwrap_or(Admission::Refused { in_use: u64::MAX })
}

async fn release(store: &Arc<impl ConcurrencyStore + ?Sized>, permit: Permit) {
    if let Some(releasing) = store.release(permit) {
        let released = releasing.await;
        assert!(released.is_ok(), "the store does not answer: {released:?}");
    }
}

async fn beat(store: &Arc<impl ConcurrencyStore + ?Sized>, permit: &Permit, lease: Duration) {
    let beaten = store.heartbeat(permit, lease).await;
    assert!(beaten.is_ok(), "the store does not answer: {beaten:?}");
}

fn granted(admission: Admission) -> Option<Permit> {
    match admission {
        Admission::Granted { permit, .. } => Some(permit),
        Admission::Refused { .. } => None,
    }
}

#[track_caller]
fn expect(admission: Admission) -> Permit {
    assert!(matches!(admission, Admission::Granted { .. }), "there is room, and it was refused: {admission:?}");
    granted(admission).unwrap_or(Permit::new(0, 0))
}

#[track_caller]
fn refuse(admission: &Admission) {
    assert!(matches!(admission, Admission::Refused { .. }), "there is no room, and it was granted: {admission:?}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{backend::memory::MemoryStore, store::BoxFuture};

    #[tokio::test(flavor = "multi_thread")]
    async fn the_memory_store_keeps_them() {
        all(&Arc::new(MemoryStore::new())).await;
    }

    #[derive(Clone, Copy, Debug)]
    enum Fault {
        GrantsOneTooMany,
        ForgetsReleases,
        KnowsOneKey,
        TellsNothing,
        ForgetsThoseAhead,
    }

    #[derive(Debug)]
    struct Naive(MemoryStore, Fault);

    impl ConcurrencyStore for Naive {
        fn acquire<'a>(&'a self, ask: &'a PermitAsk<'a>) -> BoxFuture<'a, Result<Admission, StoreError>> {
            let (key, limit) = match self.1 {
                Fault::GrantsOneTooMany => (*ask.key(), ask.limit().saturating_add(1)),
                Fault::KnowsOneKey => (ChargeKey::new("one"), ask.limit()),
                Fault::ForgetsThoseAhead if ask.limit() == 2 => (ChargeKey::new("another"), 2),
                _ => (*ask.key(), ask.limit()),
            };
            Box::pin(async move {
                let admission = self.0.acquire(&PermitAsk::new(key, limit, ask.lease())).await?;
                Ok(match (admission, self.1) {
                    (Admission::Granted { permit, .. }, Fault::TellsNothing) => {
                        Admission::Granted { permit, in_use: 0 }
                    }
                    (admission, _) => admission,
                })
            })
        }

        fn release(&self, permit: Permit) -> Option<BoxFuture<'static, Result<(), StoreError>>> {
            match self.1 {
                Fault::ForgetsReleases => None,
                _ => self.0.release(permit),
            }
        }
    }

    #[tokio::test]
    async fn stores_that_break_them_are_found_out() {
        use Fault::{ForgetsReleases, ForgetsThoseAhead, GrantsOneTooMany, KnowsOneKey, TellsNothing};
        for fault in [GrantsOneTooMany, ForgetsReleases, KnowsOneKey, TellsNothing, ForgetsThoseAhead] {
            let store = Arc::new(Naive(MemoryStore::new(), fault));
            assert!(tokio::spawn(async move { all(&store).await }).await.is_err(), "{fault:?}");
        }
        // Permits in memory are no leases.
        let store = Arc::new(MemoryStore::new());
        assert!(tokio::spawn(async move { all_of_leases(&store).await }).await.is_err());
    }
}
