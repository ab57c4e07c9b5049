//! Leases in four processes, each with a connection of its own, before one Redis: never more than the cap,
//! nearly all of it while there is demand, and what they leave is there for others.

#![allow(clippy::unwrap_used, reason = "a check that cannot go on is to panic")]

use std::{
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use portcullis::{
    backend::redis::RedisStore,
    rate_limit::{Batch, Charge, ChargeKey, KeyPart, LeasedStore, Op, Rate, RateLimitStore, TokenBucket},
    time::{Clock as _, SystemClock},
};
use portcullis_interop::redis::Redis;
use tokio::task::JoinSet;

const SERVER: &str = "PORTCULLIS_INTEROP_LEASES_OF";
const PROCESSES: usize = 4;
const CAP: u64 = 20_000;
/// Longer than a lease is held: what the others held has come back by then.
const REFUSED_FOR: Duration = Duration::from_millis(2_500);
const PAUSE: Duration = Duration::from_millis(5);

fn bucket() -> TokenBucket {
    TokenBucket::new(Rate::per(CAP, Duration::from_secs(300 * 86_400))).unwrap()
}

fn store(url: &str) -> RedisStore {
    RedisStore::builder(url).time_budget(Duration::from_secs(2)).build().unwrap()
}

async fn passes(store: &impl RateLimitStore, bucket: &TokenBucket, clock: &SystemClock) -> bool {
    let mut batch = Batch::new(clock.now().monotonic);
    batch.push(Charge::new(ChargeKey::of("rule", KeyPart::Bytes(b"hot")), bucket, Op::Take(1))).unwrap();
    let answer = match store.try_now(&batch) {
        Some(answer) => answer,
        None => store.apply(&batch).await,
    };
    answer.unwrap().allowed()
}

/// Eight tasks that take until they have been refused for long.
async fn take_all(url: &str) -> u64 {
    let leases = LeasedStore::new(store(url)).nodes(u32::try_from(PROCESSES).unwrap());
    let (bucket, clock) = (Arc::new(bucket()), SystemClock::new());
    let mut taking = JoinSet::new();
    for _ in 0..8 {
        let (leases, bucket, clock) = (leases.clone(), Arc::clone(&bucket), clock.clone());
        taking.spawn(async move {
            let (mut passed, mut last) = (0_u64, clock.now().monotonic);
            loop {
                let now = clock.now().monotonic;
                if passes(&leases, &bucket, &clock).await {
                    (passed, last) = (passed + 1, now);
                    // As between the requests of a server.
                    tokio::task::yield_now().await;
                } else if now.since(last) > REFUSED_FOR {
                    return passed;
                } else {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        });
    }
    let passed = taking.join_all().await.into_iter().sum();
    leases.drain().await.unwrap();
    passed
}

fn process(url: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "four_processes_use_up_the_cap_and_never_more", "--nocapture"])
        .env(SERVER, url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn passed_in(process: Child) -> u64 {
    let output = process.wait_with_output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}");
    told.lines().find_map(|line| line.strip_prefix("passed ")?.parse().ok()).expect("it says how many passed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_processes_use_up_the_cap_and_never_more() {
    if let Ok(url) = std::env::var(SERVER) {
        // One of them.
        println!("\npassed {}", take_all(&url).await);
        return;
    }
    let server = Redis::start();
    let processes: Vec<_> = (0..PROCESSES).map(|_| process(&server.url())).collect();
    let passed: Vec<_> = processes.into_iter().map(passed_in).collect();
    let all: u64 = passed.iter().sum();
    println!("{passed:?} of {CAP} passed in {PROCESSES} processes");
    assert!(all <= CAP, "{passed:?}");
    assert!(all * 100 >= CAP * 95, "{passed:?}");
    assert!(passed.iter().all(|passed| *passed > 0), "each has its share: {passed:?}");
    // What they held and did not use was given back: nothing is lost, and nothing there twice.
    let (store, bucket, clock, mut rest) = (store(&server.url()), bucket(), SystemClock::new(), 0);
    while passes(&store, &bucket, &clock).await {
        rest += 1;
    }
    assert_eq!(all + rest, CAP);
}
