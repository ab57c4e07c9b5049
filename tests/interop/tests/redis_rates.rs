//! [`RateLimitStore`] on a real Redis server: exactness under concurrency, how many commands it takes, and
//! what stands in its keys.

#![allow(clippy::disallowed_methods, reason = "what is promised is a time")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode};
use portcullis::{
    backend::redis::RedisStore,
    rate_limit::{
        Algorithm, AlgorithmId, Batch, Charge, ChargeKey, Decision, FixedWindow, Key, KeyPart, Language, Op, Program,
        Rate, RateLimitLayer, RateLimitStore, Rule, SlidingLog, State, Step, TokenBucket, Verdicts,
    },
    store::StoreError,
    time::Timestamp,
};
use portcullis_interop::redis::Redis;
use tower::{ServiceBuilder, ServiceExt as _};

type Any = Arc<dyn Algorithm>;

fn store(redis: &Redis) -> RedisStore {
    // Long, for a machine on which much else runs.
    RedisStore::builder(redis.url()).time_budget(Duration::from_secs(2)).build().unwrap()
}

fn store_with_callers_clock(redis: &Redis) -> RedisStore {
    RedisStore::builder(redis.url()).time_budget(Duration::from_secs(2)).callers_clock().build().unwrap()
}

fn bucket(rate: Rate) -> Any {
    Arc::new(TokenBucket::new(rate).unwrap())
}

fn charge<'a>(rule: &'static str, who: &'a str, algorithm: &'a dyn Algorithm, op: Op) -> Charge<'a> {
    Charge::new(ChargeKey::new(rule).with(KeyPart::Bytes(who.as_bytes())).unwrap(), algorithm, op)
}

fn batch<'a>(now: Timestamp, charges: impl IntoIterator<Item = Charge<'a>>) -> Batch<'a> {
    let mut batch = Batch::new(now);
    charges.into_iter().for_each(|charge| batch.push(charge).unwrap());
    batch
}

async fn ask(store: &RedisStore, charges: impl IntoIterator<Item = Charge<'_>>) -> Result<Verdicts, StoreError> {
    // Redis has its own clock.
    store.apply(&batch(Timestamp::EPOCH, charges)).await
}

/// A program that lets everything through where the step does not is found out.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_disagrees_with_its_step_is_an_error_and_no_verdict() {
    #[derive(Debug)]
    struct Liar;

    impl Algorithm for Liar {
        fn id(&self) -> AlgorithmId {
            AlgorithmId::new("test.liar", 1, &[])
        }

        fn step(&self, _: Option<&State>, _: Timestamp, _: Op) -> Step {
            Step::keep(Decision::refused(1, 0, Duration::from_secs(1)))
        }

        fn expires_after(&self, _: &State, _: Timestamp) -> Duration {
            Duration::from_secs(1)
        }

        fn program(&self, _: Language) -> Option<Program> {
            Some(Program::new("function() return true end", []))
        }
    }

    let redis = Redis::start();
    let answer = ask(&store(&redis), [charge("a", "alice", &Liar, Op::Take(1))]).await;
    assert!(matches!(answer, Err(StoreError::Corrupt(_))), "{answer:?}");
}

/// So many tasks, each with so many takes of one unit; how many passed.
async fn rush(stores: &[RedisStore], tasks: usize, takes: usize, algorithm: Any) -> u64 {
    let passed = Arc::new(AtomicU64::new(0));
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let (store, passed) = (stores[task % stores.len()].clone(), Arc::clone(&passed));
            let algorithm = Arc::clone(&algorithm);
            tokio::spawn(async move {
                for _ in 0..takes {
                    let take = [charge("a", "alice", &*algorithm, Op::Take(1))];
                    if ask(&store, take).await.unwrap().allowed() {
                        passed.fetch_add(1, SeqCst);
                    }
                }
            })
        })
        .collect();
    for task in running {
        task.await.unwrap();
    }
    passed.load(SeqCst)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_640_000_concurrent_takes_exactly_the_cap_passes() {
    let redis = Redis::start();
    let stores: Vec<_> = (0..4).map(|_| store(&redis)).collect();
    let cap = bucket(Rate::per(1_000, Duration::from_secs(300 * 86_400)));
    assert_eq!(rush(&stores, 64, 10_000, cap).await, 1_000);
}

/// Four processes, as it were, that compete for one key.
#[tokio::test(flavor = "multi_thread")]
async fn by_compare_and_swap_exactly_the_cap_passes_too() {
    let redis = Redis::start();
    let stores: Vec<_> = (0..4).map(|_| store(&redis)).collect();
    let slow = bucket(Rate::per(999_999_999_999_937, Duration::from_secs(300 * 86_400)).burst(50));
    let capped = Arc::new(Capped(slow));
    assert_eq!(rush(&stores, 16, 20, capped).await, 50);
}

/// Refills by one unit a day, without a program.
#[derive(Debug)]
struct Capped(Any);

impl Algorithm for Capped {
    fn id(&self) -> AlgorithmId {
        AlgorithmId::new("test.capped", 1, &[])
    }

    fn step(&self, state: Option<&State>, _: Timestamp, op: Op) -> Step {
        self.0.step(state, Timestamp::from_secs(1_800_000_000), op)
    }

    fn expires_after(&self, _: &State, _: Timestamp) -> Duration {
        Duration::from_secs(60)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_limits_both_are_charged_or_neither() {
    let redis = Redis::start();
    let store = store(&redis);
    let day = Duration::from_secs(86_400);
    let (many, few) = (bucket(Rate::per(1_000, day)), bucket(Rate::per(77, day)));
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let (store, many, few) = (store.clone(), Arc::clone(&many), Arc::clone(&few));
            tokio::spawn(async move {
                for _ in 0..20 {
                    let both = [charge("a", "alice", &*many, Op::Take(1)), charge("b", "alice", &*few, Op::Take(1))];
                    let both: Vec<_> = if task % 2 == 0 { both.into() } else { both.into_iter().rev().collect() };
                    ask(&store, both).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let left = ask(&store, [charge("a", "alice", &*many, Op::Peek), charge("b", "alice", &*few, Op::Take(0))]).await;
    let left: Vec<_> = left.unwrap().decisions().map(|decision| decision.remaining).collect();
    assert_eq!(left, [1_000 - 77, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_limits_of_a_batch_are_one_command() {
    let redis = Redis::start();
    let store = store(&redis);
    let window: Any = Arc::new(FixedWindow::new(Rate::per_hour(1_000)).unwrap());
    let limits = [bucket(Rate::per_minute(90)), window, bucket(Rate::per_hour(7_000)), bucket(Rate::per_minute(7))];
    let who = ["alice", "203.0.113.9", "alice", ""];
    let four = || {
        let rules = ["client", "ip", "hour", "all"].into_iter().zip(who).zip(&limits);
        rules.map(|((rule, who), limit)| charge(rule, who, &**limit, Op::Take(1)))
    };
    store.ping().await.unwrap();
    redis.forget_commands();
    for asked in 0..100 {
        let verdicts = ask(&store, four()).await.unwrap();
        assert_eq!((verdicts.len(), verdicts.allowed()), (4, asked < 7));
    }
    let mut commands = redis.commands();
    commands.retain(|name, _| !["config|resetstat", "info", "quit"].contains(&&**name));
    let names: Vec<_> = commands.keys().map(String::as_str).collect();
    // The first finds that the server does not know the script; the rest is what the script itself runs.
    assert_eq!(names, ["eval", "evalsha", "hget", "hmget", "hset", "pexpireat", "time"]);
    assert_eq!((commands["evalsha"], commands["eval"], commands["time"]), (100, 1, 100));
    // Two of the four lie together.
    assert_eq!((commands["hmget"], commands["hget"]), (100, 200));
    assert_eq!((commands["hset"], commands["pexpireat"]), (21, 21));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_forgotten_its_scripts_learns_them_anew_and_charges_once() {
    let redis = Redis::start();
    let (store, limit) = (store(&redis), bucket(Rate::per_hour(10)));
    let take = || [charge("a", "alice", &*limit, Op::Take(1))];
    for taken in 1..=5 {
        redis.command("SCRIPT FLUSH");
        assert_eq!(ask(&store, take()).await.unwrap().get(0).unwrap().remaining, 10 - taken);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_lives_as_long_as_it_owes_and_its_absence_says_the_same() {
    let redis = Redis::start();
    // With a fraction: the key of a bucket without one is kept a few seconds longer.
    let (store, limit) = (store(&redis), bucket(Rate::per(7, Duration::from_secs(1))));
    let take = |units| [charge("a", "alice", &*limit, Op::Take(units))];
    let full_after = ask(&store, take(5)).await.unwrap().get(0).unwrap().full_after;
    let key = redis.command("KEYS *").lines().find(|line| line.starts_with("portcullis:rate:{")).unwrap().to_owned();
    let left: u64 = redis.command(&format!("PTTL {key}")).lines().next().unwrap()[1..].parse().unwrap();
    assert!(full_after.as_millis() == 714 && (500..=716).contains(&left), "{left}");
    tokio::time::sleep(full_after + Duration::from_millis(20)).await;
    assert!(redis.command(&format!("EXISTS {key}")).starts_with(":0"));
    assert_eq!(ask(&store, take(1)).await.unwrap().get(0).unwrap().remaining, 6);
    // What owes nothing has no key.
    ask(&store, [charge("a", "alice", &*limit, Op::Reset)]).await.unwrap();
    assert!(redis.command("DBSIZE").starts_with(":0"));
}

/// The server's clock counts: after exactly the wait it passes, whatever the caller's clock says.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_as_told_passes() {
    let redis = Redis::start();
    let (store, limit) = (store(&redis), bucket(Rate::per(1, Duration::from_millis(120))));
    let take = || [charge("a", "alice", &*limit, Op::Take(1))];
    for _ in 0..5 {
        assert!(ask(&store, take()).await.unwrap().allowed());
        let wait = ask(&store, take()).await.unwrap().get(0).unwrap().retry_after.unwrap();
        assert!(wait <= Duration::from_millis(120));
        tokio::time::sleep(wait).await;
    }
}

/// A clock that was ahead left a time that nobody can owe. A refusal cuts it back, and it stays cut.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_from_a_clock_that_was_ahead_is_cut_back_once_for_all() {
    let redis = Redis::start();
    let (store, limit) = (store_with_callers_clock(&redis), bucket(Rate::per_second(2)));
    let now = Timestamp::from_secs(1_800_000_000);
    let take = |at: Timestamp| batch(at, [charge("a", "alice", &*limit, Op::Take(1))]);
    store.apply(&take(now.saturating_add(Duration::from_secs(3_600)))).await.unwrap();
    let refused = store.apply(&take(now)).await.unwrap();
    let wait = refused.get(0).unwrap().retry_after.unwrap();
    assert_eq!(wait, Duration::from_millis(500));
    assert!(store.apply(&take(now.saturating_add(wait))).await.unwrap().allowed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_none_is_an_error_and_no_verdict() {
    let redis = Redis::start();
    let store = store(&redis);
    // By a script, and by comparing and swapping.
    let log: Any = Arc::new(SlidingLog::new(Rate::per_hour(10)).unwrap());
    for limit in [bucket(Rate::per_hour(10)), log] {
        let take = || [charge("a", "alice", &*limit, Op::Take(1))];
        ask(&store, take()).await.unwrap();
        let keys = redis.command("KEYS *");
        let key = keys.lines().find(|line| line.starts_with("portcullis:rate:{")).unwrap();
        let field = redis.command(&format!("HKEYS {key}")).lines().nth(2).unwrap().to_owned();
        for garbage in ["x", "1x", "-5", "x7", "?7"] {
            redis.command(&format!("HSET {key} {field} {garbage}"));
            assert!(matches!(ask(&store, take()).await, Err(StoreError::Corrupt(_))), "{garbage}");
        }
        redis.command(&format!("DEL {key}"));
        redis.command(&format!("LPUSH {key} 1"));
        assert!(matches!(ask(&store, take()).await, Err(StoreError::Corrupt(_))), "somebody else's key");
        redis.command(&format!("DEL {key}"));
        assert!(ask(&store, take()).await.unwrap().allowed());
        redis.command("FLUSHALL");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_apart_whatever_bytes_they_hold() {
    let redis = Redis::start();
    let (store, limit) = (store(&redis), bucket(Rate::per_hour(1)));
    let long = vec![b'x'; 4_096];
    let keys: [&[u8]; 7] = [b"", b"\0", b"a", b"a\0", b"{a}", b"\r\nFLUSHALL\r\n", &long];
    for rule in ["a", "b", "a:b"] {
        for bytes in keys {
            let take = || {
                let key = ChargeKey::new(rule).with(KeyPart::Bytes(bytes)).unwrap();
                [Charge::new(key, &*limit, Op::Take(1))]
            };
            assert!(ask(&store, take()).await.unwrap().allowed());
            assert!(!ask(&store, take()).await.unwrap().allowed());
        }
    }
    // Rules that go by the same parts lie together.
    assert!(redis.command("DBSIZE").starts_with(":7"));
}

#[tokio::test(flavor = "multi_thread")]
async fn services_with_prefixes_of_their_own_and_a_full_server() {
    let redis = Redis::start();
    let limit = bucket(Rate::per_hour(1));
    let take = || [charge("a", "alice", &*limit, Op::Take(1))];
    for prefix in ["orders", "users"] {
        let store = RedisStore::builder(redis.url()).prefix(prefix).time_budget(Duration::from_secs(2)).build();
        let store = store.unwrap();
        assert!(ask(&store, take()).await.unwrap().allowed());
        assert!(!ask(&store, take()).await.unwrap().allowed());
    }
    redis.command("CONFIG SET maxmemory 1");
    let new = [charge("a", "bob", &*limit, Op::Take(1))];
    assert!(matches!(ask(&store(&redis), new).await, Err(StoreError::Full)));
}

/// A whole layer: the retries of a refused client reach no server.
#[tokio::test(flavor = "multi_thread")]
async fn retries_of_a_refused_client_send_no_command() {
    let redis = Redis::start();
    let layer = RateLimitLayer::builder(store(&redis))
        .rule(Rule::new("ip", Key::ip(), Rate::per_minute(5)))
        .rule(Rule::new("all", Key::global(), Rate::per_minute(1_000)))
        .store_budget(Duration::from_secs(2))
        .build()
        .unwrap();
    let app = Router::new().route("/", get(|| async { "here" })).layer(ServiceBuilder::new().layer(layer));
    let status = || async {
        let response = app.clone().oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        (response.status(), response.headers().get("retry-after").map(|after| after.to_str().unwrap().to_owned()))
    };
    for _ in 0..5 {
        assert_eq!(status().await.0, StatusCode::OK);
    }
    assert_eq!(status().await, (StatusCode::TOO_MANY_REQUESTS, Some("12".to_owned())));
    redis.forget_commands();
    let begun = std::time::Instant::now();
    let mut retries = 0;
    while begun.elapsed() < Duration::from_millis(900) {
        assert_eq!(status().await.0, StatusCode::TOO_MANY_REQUESTS);
        retries += 1;
    }
    let asked = redis.runs_of("evalsha");
    assert!(retries > 20 && asked == 0, "{asked} commands for {retries} retries");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(status().await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(redis.runs_of("evalsha"), 1);
}
