//! [`ReplayStore`] on a real Redis server: its laws, and what happens when the server does not.

use std::{sync::Arc, time::Duration};

use portcullis::{
    backend::redis::RedisStore,
    conformance::replays,
    store::StoreError,
    time::Timestamp,
    webhook::{Claimed, ReplayKey, ReplayStore, Settlement},
};
use portcullis_interop::redis::Redis;

const LEASE: Duration = Duration::from_secs(30);
/// Redis has its own clock, and looks at no other.
const NOW: Timestamp = Timestamp::EPOCH;

fn store(redis: &Redis) -> RedisStore {
    // Long, for a machine on which much else runs.
    RedisStore::builder(redis.url()).time_budget(Duration::from_secs(2)).build().unwrap()
}

macro_rules! laws {
    ($($law:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $law() {
            let redis = Redis::start();
            replays::$law(&Arc::new(store(&redis))).await;
        }
    )*};
}

laws![
    a_claim_keeps_others_away,
    of_many_one_claims,
    events_are_apart,
    what_is_completed_is_not_claimed,
    what_is_completed_is_forgotten_in_time,
    what_is_released_is_claimed_at_once,
    a_claim_ends_with_its_lease,
    who_was_overtaken_settles_nothing,
    a_claim_is_settled_once,
    the_longest_times_are_no_trouble,
];

fn key(id: &str) -> ReplayKey {
    ReplayKey::new("p", "e", id)
}

/// Two processes, two connections.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_claims_no_other_gets() {
    let redis = Redis::start();
    let (one, other) = (store(&redis), store(&redis));
    let Claimed::Fresh(fence) = one.claim(key("1"), LEASE, NOW).await.unwrap() else { panic!() };
    assert!(matches!(other.claim(key("1"), LEASE, NOW).await.unwrap(), Claimed::InFlight { .. }));
    let done = Settlement::Complete { ttl: LEASE };
    assert!(one.settle(key("1"), fence, done, NOW).await.unwrap());
    assert_eq!(other.claim(key("1"), LEASE, NOW).await.unwrap(), Claimed::Completed);
    // Another service on the same server.
    let apart = RedisStore::builder(redis.url()).prefix("other").build().unwrap();
    assert!(matches!(apart.claim(key("1"), LEASE, NOW).await.unwrap(), Claimed::Fresh(_)));
}

/// A crash that forgets all scripts costs no more than the state that was on the server.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_it_connects_anew() {
    let mut redis = Redis::start();
    let store = store(&redis);
    assert!(matches!(store.claim(key("1"), LEASE, NOW).await.unwrap(), Claimed::Fresh(_)));
    redis.kill();
    for _ in 0..5 {
        let refused = store.claim(key("2"), LEASE, NOW).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
    redis.restart();
    // The first call after it, not the second.
    assert!(matches!(store.claim(key("3"), LEASE, NOW).await.unwrap(), Claimed::Fresh(_)));
}

/// A server that has stopped answering costs the first three calls their budget, and the others
/// nothing; when it goes on, so do we, and the claims that came too late are given back.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_costs_little_and_leaves_nothing_claimed() {
    let redis = Redis::start();
    let store = RedisStore::builder(redis.url()).time_budget(Duration::from_millis(100)).build().unwrap();
    while store.ping().await.is_err() {}
    redis.pause();
    for id in ["a", "b", "c"] {
        assert!(matches!(store.claim(key(id), LEASE, NOW).await, Err(StoreError::TimedOut)), "{id}");
    }
    // One at a time asks, and of the others none waits: a thousand budgets would be more than a minute.
    let mut claims = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        let store = store.clone();
        claims.spawn(async move { store.claim(key("spared"), LEASE, NOW).await.is_err() });
    }
    let refused = tokio::time::timeout(Duration::from_secs(20), claims.join_all()).await.expect("nobody waits");
    assert!(refused.into_iter().all(|refused| refused));
    redis.resume();
    while store.ping().await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for id in ["a", "b", "c"] {
        for attempt in 0.. {
            match store.claim(key(id), LEASE, NOW).await {
                Ok(Claimed::Fresh(_)) => break,
                // Its release is on the way.
                other => assert!(attempt < 100, "{id} stays claimed: {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_says_so_and_what_is_claimed_can_be_settled() {
    let redis = Redis::start();
    let store = store(&redis);
    let Claimed::Fresh(fence) = store.claim(key("held"), LEASE, NOW).await.unwrap() else { panic!() };
    redis.command("CONFIG SET maxmemory 1");
    assert!(matches!(store.claim(key("new"), LEASE, NOW).await, Err(StoreError::Full)));
    assert!(store.settle(key("held"), fence, Settlement::Release, NOW).await.unwrap());
    redis.command("CONFIG SET maxmemory 0");
    assert!(matches!(store.claim(key("new"), LEASE, NOW).await, Ok(Claimed::Fresh(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_expires_and_starts_with_the_prefix() {
    let redis = Redis::start();
    let store = RedisStore::builder(redis.url()).prefix("orders").build().unwrap();
    store.claim(key("1"), LEASE, NOW).await.unwrap();
    let Claimed::Fresh(fence) = store.claim(key("2"), LEASE, NOW).await.unwrap() else { panic!() };
    store.settle(key("2"), fence, Settlement::Complete { ttl: LEASE }, NOW).await.unwrap();
    let keys = redis.command("KEYS *");
    let keys: Vec<&str> = keys.lines().filter(|line| line.contains("replay")).map(str::trim).collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
    for key in keys {
        assert!(key.starts_with("orders:replay:"), "{key}");
        let left: i64 = redis.command(&format!("PTTL {key}")).lines().next().unwrap()[1..].trim().parse().unwrap();
        assert!((1..=90_000).contains(&left), "{key} is kept for {left} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_an_outage_and_not_shown() {
    let redis = Redis::with(&["--requirepass", "right-password-of-redis-0815"]);
    let with = |password: &str| {
        let url = redis.url().replace("redis://", &format!("redis://:{password}@"));
        RedisStore::builder(url).time_budget(Duration::from_secs(2)).build().unwrap()
    };
    assert!(with("right-password-of-redis-0815").ping().await.is_ok());
    let wrong = with("wrong-password-of-redis-4711");
    let error = wrong.ping().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)) && !format!("{error:?}").contains("4711"), "{error:?}");
    // As soon as the server takes it, so do we.
    redis.command("AUTH right-password-of-redis-0815\r\nCONFIG SET requirepass wrong-password-of-redis-4711");
    wrong.ping().await.unwrap();
}
