//! The conformance kit's laws of [`RateLimitStore`](portcullis::rate_limit::RateLimitStore) on real Redis
//! servers: by the server's clock, by the caller's, and on a cluster.

use std::{sync::Arc, time::Duration};

use portcullis::{
    backend::redis::{RedisStore, RedisStoreBuilder},
    conformance::rates::{self, RateClock, TRACES},
};
use portcullis_interop::{proxy::Proxy, redis::Redis, redis_cluster::RedisCluster};

fn built(builder: RedisStoreBuilder) -> Arc<RedisStore> {
    // Long, for a machine on which much else runs.
    Arc::new(builder.time_budget(Duration::from_secs(2)).build().unwrap())
}

macro_rules! laws {
    ($($law:ident),* $(,)?) => {
        mod by_the_servers_clock {
            use super::*;

            $(#[tokio::test(flavor = "multi_thread")]
            async fn $law() {
                let redis = Redis::start();
                rates::$law(&built(RedisStore::builder(redis.url())), RateClock::Servers).await;
            })*
        }

        mod by_the_callers_clock {
            use super::*;

            $(#[tokio::test(flavor = "multi_thread")]
            async fn $law() {
                let redis = Redis::start();
                rates::$law(&built(RedisStore::builder(redis.url()).callers_clock()), RateClock::Callers).await;
            })*
        }
    };
}

laws![
    golden_traces_are_kept,
    a_batch_is_answered_in_its_order,
    a_charge_asked_alone_is_decided_as_in_a_batch,
    a_refused_batch_charges_nothing,
    a_cost_above_the_limit_never_passes,
    a_peek_charges_nothing,
    what_is_given_back_is_available,
    a_forced_charge_is_owed,
    a_reset_forgets,
    states_of_many_words_are_kept,
    keys_are_apart,
    rules_are_apart,
    algorithms_are_apart,
    a_new_rate_takes_over_what_is_owed,
    the_clock_is_the_one_that_was_said,
    a_retry_after_is_the_truth,
    a_state_lives_until_it_expires,
    an_expired_state_is_no_state,
    a_clock_that_goes_back_costs_one_bucket_at_most,
    a_clock_that_leaps_gives_one_bucket_at_most,
    of_64_tasks_exactly_the_limit_passes,
    batches_that_meet_are_charged_alike,
    a_call_that_is_dropped_is_charged_wholly_or_not_at_all,
];

#[tokio::test(flavor = "multi_thread")]
async fn random_traces_are_those_of_the_pure_step() {
    let redis = Redis::start();
    let by_caller = built(RedisStore::builder(redis.url()).callers_clock());
    rates::random_traces_are_those_of_the_pure_step(&by_caller, RateClock::Callers, TRACES).await;
    let by_server = built(RedisStore::builder(redis.url()).prefix("server"));
    rates::random_traces_are_those_of_the_pure_step(&by_server, RateClock::Servers, TRACES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_is_charged_wholly_or_not_at_all() {
    let redis = Redis::start();
    let proxy = Proxy::to(redis.port());
    let store = built(RedisStore::builder(proxy.url()));
    store.ping().await.unwrap();
    rates::a_lost_reply_is_charged_wholly_or_not_at_all(&store, RateClock::Servers, || proxy.break_next()).await;
}

/// Of those that ask about one subject at a time all hold, as on one server; of the others, all that do not
/// forbid to be refused for an instant.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_keeps_the_laws_too() {
    let cluster = RedisCluster::start();
    let store = built(RedisStore::cluster(cluster.urls()));
    rates::a_batch_is_answered_in_its_order(&store, RateClock::Servers).await;
    rates::a_charge_asked_alone_is_decided_as_in_a_batch(&store, RateClock::Servers).await;
    rates::a_cost_above_the_limit_never_passes(&store, RateClock::Servers).await;
    rates::a_peek_charges_nothing(&store, RateClock::Servers).await;
    rates::what_is_given_back_is_available(&store, RateClock::Servers).await;
    rates::a_forced_charge_is_owed(&store, RateClock::Servers).await;
    rates::a_reset_forgets(&store, RateClock::Servers).await;
    rates::states_of_many_words_are_kept(&store, RateClock::Servers).await;
    rates::keys_are_apart(&store, RateClock::Servers).await;
    rates::algorithms_are_apart(&store, RateClock::Servers).await;
    rates::a_retry_after_is_the_truth(&store, RateClock::Servers).await;
    rates::of_64_tasks_exactly_the_limit_passes(&store, RateClock::Servers).await;
}
