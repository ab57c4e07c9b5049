//! [`ConcurrencyStore`] on a real Redis server.

use std::{sync::Arc, time::Duration};

use portcullis::{
    backend::redis::RedisStore,
    conformance::permits,
    rate_limit::{
        ChargeKey,
        concurrency::{Admission, ConcurrencyStore, PermitAsk},
    },
    store::StoreError,
};
use portcullis_interop::redis::Redis;

fn store(redis: &Redis) -> RedisStore {
    RedisStore::builder(redis.url()).time_budget(Duration::from_secs(2)).build().unwrap()
}

macro_rules! laws {
    ($($law:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $law() {
            let redis = Redis::start();
            permits::$law(&Arc::new(store(&redis))).await;
        }
    )*};
}

laws![
    of_many_no_more_than_the_limit_go_ahead,
    a_released_permit_is_free_for_the_next,
    how_many_are_ahead_is_told,
    keys_are_apart,
    a_smaller_limit_counts_those_who_are_ahead,
    a_lease_without_a_sign_of_life_ends,
    a_sign_of_life_prolongs_a_lease,
    a_sign_of_life_brings_a_lost_lease_back,
    a_lease_that_has_ended_is_released_without_harm,
];

/// What one process holds, another does not get; and nothing is left on the server.
#[tokio::test(flavor = "multi_thread")]
async fn processes_share_the_permits_and_leave_nothing_behind() {
    let redis = Redis::start();
    let (one, other) = (store(&redis), store(&redis));
    let ask = PermitAsk::new(ChargeKey::new("exports"), 1, Duration::from_secs(60));
    let Ok(Admission::Granted { permit, in_use: 1 }) = one.acquire(&ask).await else { panic!("there is room") };
    assert_eq!(other.acquire(&ask).await.unwrap(), Admission::Refused { in_use: 1 });
    one.release(permit).unwrap().await.unwrap();
    let Ok(Admission::Granted { permit, .. }) = other.acquire(&ask).await else { panic!("there is room") };
    other.release(permit).unwrap().await.unwrap();
    let left = redis.command("DBSIZE");
    assert!(left.starts_with(":0\r\n"), "{left}");
}

/// An outage is no refusal.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_grants_and_refuses_nothing() {
    let mut redis = Redis::start();
    let store = store(&redis);
    let ask = PermitAsk::new(ChargeKey::new("exports"), 1, Duration::from_secs(60));
    assert!(store.acquire(&ask).await.is_ok());
    redis.kill();
    assert!(matches!(store.acquire(&ask).await, Err(StoreError::Unavailable(_))));
}
