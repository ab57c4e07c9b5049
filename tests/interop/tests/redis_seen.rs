//! [`SeenStore`] on a real Redis server.

use std::{sync::Arc, time::Duration};

use portcullis::{
    backend::redis::RedisStore,
    conformance::seen,
    store::{SeenKey, SeenStore, Sighting, StoreError},
    time::Timestamp,
};
use portcullis_interop::redis::Redis;

/// Redis has its own clock, and looks at no other.
const NOW: Timestamp = Timestamp::EPOCH;
const KEEP: Duration = Duration::from_secs(60);

fn store(redis: &Redis) -> RedisStore {
    RedisStore::builder(redis.url()).time_budget(Duration::from_secs(2)).build().unwrap()
}

macro_rules! laws {
    ($($law:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $law() {
            let redis = Redis::start();
            seen::$law(&Arc::new(store(&redis))).await;
        }
    )*};
}

laws![
    the_first_time_is_once,
    of_many_one_is_the_first,
    keys_are_apart,
    what_was_seen_is_forgotten_in_time,
    a_repetition_prolongs_nothing,
    the_longest_time_is_no_trouble,
];

/// A proof that was shown to one machine is a repetition on every other.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_sees_another_has_seen() {
    let redis = Redis::start();
    let key = SeenKey::new("dpop", &[b"thumbprint", b"jti"]);
    assert_eq!(store(&redis).see(key, KEEP, NOW).await.unwrap(), Sighting::First);
    assert_eq!(store(&redis).see(key, KEEP, NOW).await.unwrap(), Sighting::Again);
}

/// Nobody knows whether it was seen: that is neither the first time nor a repetition.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_or_full_knows_nothing() {
    let mut redis = Redis::start();
    let store = store(&redis);
    let key = SeenKey::new("dpop", &[b"thumbprint", b"jti"]);
    redis.command("CONFIG SET maxmemory 1");
    assert!(matches!(store.see(key, KEEP, NOW).await, Err(StoreError::Full)));
    redis.kill();
    assert!(matches!(store.see(key, KEEP, NOW).await, Err(StoreError::Unavailable(_))));
}
