//! Leases before a real PostgreSQL and a real Redis: never more than the cap, nearly all of it while there
//! is demand, and a hot key many times as fast.

#![allow(clippy::disallowed_methods, reason = "what is promised is a time")]
#![allow(clippy::unwrap_used, reason = "a check that cannot go on is to panic")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use portcullis::{
    backend::{redis::RedisStore, sql::SqlStore},
    rate_limit::{Batch, Charge, ChargeKey, KeyPart, LeasedStore, Op, Rate, RateLimitStore, TokenBucket, Verdicts},
    store::{BoxFuture, StoreError},
    time::{Clock as _, SystemClock},
};
use portcullis_interop::{postgres::Postgres, redis::Redis};
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;

const LONG: Duration = Duration::from_secs(30);

async fn on_postgres(server: &Postgres) -> SqlStore {
    let pool = PgPoolOptions::new().max_connections(8).connect(&server.url()).await.unwrap();
    let store = SqlStore::postgres(pool).statement_limit(LONG);
    store.migrate().await.unwrap();
    store
}

fn on_redis(server: &Redis) -> RedisStore {
    RedisStore::builder(server.url()).time_budget(Duration::from_secs(2)).build().unwrap()
}

/// Tasks that take a unit at a time from one key, spread over the nodes: how many passed, in what time.
async fn all_take<S: RateLimitStore + Clone>(
    nodes: &[S],
    caller: &'static str,
    tasks: usize,
    each: usize,
    units: u64,
) -> (u64, Duration) {
    let bucket = Arc::new(TokenBucket::new(Rate::per(units, Duration::from_secs(300 * 86_400))).unwrap());
    let (clock, began) = (SystemClock::new(), Instant::now());
    let mut taking = JoinSet::new();
    for task in 0..tasks {
        let (store, bucket, clock) = (nodes[task % nodes.len()].clone(), Arc::clone(&bucket), clock.clone());
        taking.spawn(async move {
            let key = ChargeKey::new("rule").with(KeyPart::Bytes(caller.as_bytes())).unwrap();
            let mut passed = 0_u64;
            for number in 0..each {
                let mut batch = Batch::new(clock.now().monotonic);
                batch.push(Charge::new(key, &*bucket, Op::Take(1))).unwrap();
                let answer = match store.try_now(&batch) {
                    Some(answer) => answer,
                    None => store.apply(&batch).await,
                };
                passed += u64::from(answer.unwrap().allowed());
                // As between the requests of a server.
                if number % 16 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            passed
        });
    }
    (taking.join_all().await.into_iter().sum(), began.elapsed())
}

/// Four processes, and a cap of 1,000 and one of `most`.
async fn the_cap<S: RateLimitStore + Clone>(name: &str, stores: [S; 4], most: u64) {
    let nodes = stores.map(|store| LeasedStore::new(store).nodes(4));
    for (caller, units) in [("a", 1_000), ("b", most)] {
        // Demand for half as much again, from each of them.
        let each = usize::try_from(units).unwrap() * 3 / 2 / 32 + 50;
        let (passed, took) = all_take(&nodes, caller, 32, each, units).await;
        println!("{name}: {passed} of {units} passed in 4 processes, of {} in {took:?}", each * 32);
        assert!(passed <= units, "{passed} of {units}");
        assert!(passed * 100 >= units * 95, "{passed} of {units}");
    }
    // What is left is given back: the rest of the cap passes.
    let part = usize::try_from(most).unwrap() / 40;
    let (passed, _) = all_take(&nodes, "c", 32, part, most).await;
    assert_eq!(passed * 5, most * 4);
    for node in &nodes {
        node.drain().await.unwrap();
    }
    let (rest, _) = all_take(&nodes, "c", 4, part * 2 + 100, most).await;
    assert_eq!(rest * 5, most);
}

/// A store, and how often it was asked.
#[derive(Clone, Debug)]
struct Counted<S>(S, Arc<AtomicU64>);

impl<S: RateLimitStore> RateLimitStore for Counted<S> {
    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        self.1.fetch_add(1, SeqCst);
        self.0.apply(batch)
    }
}

/// A twentieth of the calls at most. How much faster that is depends on the machine, and is printed.
async fn the_rate<S: RateLimitStore + Clone>(name: &str, store: S, exact_takes: usize, leased_takes: usize) {
    let rate = |takes: usize, (passed, took): (u64, Duration)| {
        assert_eq!(passed, 16 * takes as u64);
        passed as f64 / took.as_secs_f64()
    };
    let plenty = 1_000_000_000;
    let calls = Arc::new(AtomicU64::new(0));
    let store = Counted(store, Arc::clone(&calls));
    let leases = [LeasedStore::new(store.clone()).nodes(1)];
    // So that the demand is known.
    all_take(&leases, "hot", 16, 500, plenty).await;
    calls.store(0, SeqCst);
    let exact = rate(exact_takes, all_take(&[store], "hot", 16, exact_takes, plenty).await);
    assert_eq!(calls.swap(0, SeqCst), 16 * exact_takes as u64);
    let leased = rate(leased_takes, all_take(&leases, "hot", 16, leased_takes, plenty).await);
    let units = 16 * leased_takes as u64;
    let asked = calls.load(SeqCst);
    println!("{name}: {exact:.0} a second exactly, {leased:.0} with leases of 100: {:.1} times", leased / exact);
    println!("{name}: {asked} calls for {units} units");
    assert!(asked <= units / 20, "{asked} calls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_they_use_up_the_cap_and_never_more() {
    let server = Postgres::start();
    let stores = [
        on_postgres(&server).await,
        on_postgres(&server).await,
        on_postgres(&server).await,
        on_postgres(&server).await,
    ];
    // Some hundreds of charges a second: a row is written by one at a time.
    the_cap("PostgreSQL", stores.clone(), 6_000).await;
    let [store, ..] = stores;
    the_rate("PostgreSQL", store, 50, 10_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_redis_they_use_up_the_cap_and_never_more() {
    let server = Redis::start();
    let stores = [on_redis(&server), on_redis(&server), on_redis(&server), on_redis(&server)];
    the_cap("Redis", stores.clone(), 20_000).await;
    let [store, ..] = stores;
    the_rate("Redis", store, 500, 20_000).await;
}
