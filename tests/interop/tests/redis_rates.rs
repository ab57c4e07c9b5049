//! [`RateLimitStore`] on a real Redis server: its scripts against the pure steps, exactness under
//! concurrency, and how many commands it takes.

use std::{
    collections::HashMap,
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
        Algorithm, AlgorithmId, Batch, Charge, ChargeKey, Decision, FixedWindow, Key, KeyPart, Language, LeakyBucket,
        LeakyQueue, Op, Program, Rate, RateLimitLayer, RateLimitStore, Rule, SlidingCounter, SlidingLog, State, Step,
        TokenBucket, Verdicts, Windows, Write,
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

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.roll(from.len() as u64)).unwrap()].clone()
    }

    fn op(&mut self) -> Op {
        let units = self.pick(&[0, 1, 1, 1, 2, 3, 7, 50, 1_000, 1 << 40]);
        match self.roll(12) {
            0 => Op::Peek,
            1 => Op::Give(units),
            2 => Op::Force(units),
            3 if self.roll(4) == 0 => Op::Reset,
            _ => Op::Take(units),
        }
    }

    /// Mostly a little later, sometimes much, sometimes earlier.
    fn later(&mut self, now: Timestamp) -> Timestamp {
        let ahead = self.pick(&[0, 1, 40, 999, 10_000, 333_333, 2_000_000, 61_000_000]);
        let ahead = Duration::from_micros(self.roll(ahead + 1));
        match self.roll(200) {
            0 => Timestamp::from_micros(now.as_micros() - self.roll(5_000_000_000)),
            1 => now.saturating_add(Duration::from_secs(self.roll(90_000))),
            _ => now.saturating_add(ahead),
        }
    }
}

/// The same batches on Redis and on a map of states, stepped by the algorithms themselves.
async fn replay(algorithms: &[Any], decisions: u32, seed: u64) -> Redis {
    let redis = Redis::start();
    let store = store_with_callers_clock(&redis);
    let mut model: HashMap<Vec<u8>, State> = HashMap::new();
    let (mut dice, mut now, mut decided) = (Dice(seed), Timestamp::from_secs(1_800_000_000), 0);
    while decided < decisions {
        now = dice.later(now);
        let asked: Vec<_> = ["a", "b", "c"][..usize::try_from(dice.roll(3)).unwrap() + 1]
            .iter()
            .map(|rule| (*rule, dice.pick(&["alice", "bob"]), dice.pick(algorithms), dice.op()))
            .collect();
        let batch = batch(now, asked.iter().map(|(rule, who, algorithm, op)| charge(rule, who, &**algorithm, *op)));
        let identities: Vec<_> = batch.charges().map(Charge::identity).collect();
        let mut steps = batch.step(now, |index| model.get(&identities[index]));
        let answer = store.apply(&batch).await.unwrap();
        for (index, identity) in identities.into_iter().enumerate() {
            let (here, there) = (steps.verdicts.get(index), answer.get(index));
            assert_eq!(here, there, "{:?} at {now:?}, state {:?}", asked[index], model.get(&identity));
            match steps.take_write(index) {
                Write::Keep => {}
                Write::Set(state) => drop(model.insert(identity, state)),
                Write::Clear => drop(model.remove(&identity)),
            }
            decided += 1;
        }
    }
    redis
}

/// Of the same family, so that each reads what another limit left.
fn buckets() -> Vec<Any> {
    let period = Duration::from_micros;
    let rates = [
        Rate::per_second(10).burst(3),
        Rate::per_minute(7),
        Rate::per(3, Duration::from_secs(10)).burst(11),
        Rate::per(1_000, period(100_000)),
        Rate::per(7, period(11)).burst(5),
        Rate::per_second(300_000_000),
        Rate::per_hour(1).burst(2),
        Rate::per_second(1_000_003).burst(10_000_000),
    ];
    let overdrawn = TokenBucket::new(Rate::per_minute(13)).unwrap().overdraft(20);
    rates.into_iter().map(bucket).chain([Arc::new(overdrawn) as Any]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_decisions_on_token_buckets_are_those_of_the_step() {
    let redis = replay(&buckets(), 10_000, 0x9e37_79b9_7f4a_7c15).await;
    assert!(redis.runs_of("evalsha") < 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_decisions_on_leaky_buckets_are_those_of_the_step() {
    let rates = [Rate::per_second(10).burst(3), Rate::per_minute(7), Rate::per_second(1_000)];
    let leaky: Vec<Any> = rates.into_iter().map(|rate| Arc::new(LeakyBucket::new(rate).unwrap()) as Any).collect();
    replay(&leaky, 10_000, 13).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_decisions_on_sliding_counters_are_those_of_the_step() {
    let period = Duration::from_micros(700);
    let rates = [Rate::per_second(3), Rate::per_minute(100), Rate::per(5, period), Rate::per_minute(60_000)];
    let counters: Vec<Any> =
        rates.into_iter().map(|rate| Arc::new(SlidingCounter::new(rate).unwrap()) as Any).collect();
    let redis = replay(&counters, 10_000, 17).await;
    assert_eq!(redis.runs_of("get"), 0, "by scripts alone");
}

/// Their states are longer than Lua can calculate with, or depend on more than it is told.
#[tokio::test(flavor = "multi_thread")]
async fn logs_queues_and_spread_windows_are_those_of_the_step_by_compare_and_swap() {
    let log = SlidingLog::new(Rate::per_second(9)).unwrap();
    let queue = LeakyQueue::new(Rate::per_second(20), 5, Duration::from_secs(1)).unwrap();
    let spread = FixedWindow::new(Rate::per_second(4)).unwrap().windows(Windows::Spread);
    replay(&[Arc::new(log), Arc::new(queue), Arc::new(spread)], 6_000, 19).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_decisions_on_fixed_windows_are_those_of_the_step() {
    for (windows, seed) in [(Windows::EpochAligned, 7), (Windows::FirstHit, 11)] {
        let rates = [Rate::per_second(3), Rate::per_minute(100), Rate::per(5, Duration::from_micros(700))];
        let algorithms: Vec<Any> =
            rates.into_iter().map(|rate| Arc::new(FixedWindow::new(rate).unwrap().windows(windows)) as Any).collect();
        replay(&algorithms, 10_000, seed).await;
    }
}

/// Far beyond what a double can hold.
#[tokio::test(flavor = "multi_thread")]
async fn what_lua_cannot_calculate_is_compared_and_swapped_to_the_same_end() {
    let year = Duration::from_secs(365 * 86_400);
    let huge = [Rate::per(999_999_999_999_999, year), Rate::per(999_999_999_999_937, year).burst(1_000_000)];
    let all: Vec<Any> = huge.into_iter().map(bucket).chain([Arc::new(CoolDown) as Any]).collect();
    let redis = replay(&all, 4_000, 5).await;
    assert_eq!(redis.runs_of("eval"), 2, "two scripts: one that loads, one that swaps");
}

#[tokio::test(flavor = "multi_thread")]
async fn algorithms_of_all_kinds_share_a_batch() {
    let window = FixedWindow::new(Rate::per_second(5)).unwrap();
    let kinds: Vec<Any> = vec![bucket(Rate::per_second(4)), Arc::new(window), Arc::new(CoolDown)];
    replay(&kinds, 4_000, 3).await;
    replay(&kinds[..2], 4_000, 4).await;
}

/// No program: a limit of the application's own.
#[derive(Debug)]
struct CoolDown;

const PAUSE: Duration = Duration::from_millis(300);

impl Algorithm for CoolDown {
    fn id(&self) -> AlgorithmId {
        AlgorithmId::new("test.cool_down", 1, &[])
    }

    fn step(&self, state: Option<&State>, now: Timestamp, op: Op) -> Step {
        let ends = state.and_then(|state| state.word(0)).map_or(now, Timestamp::from_micros);
        let left = ends.since(now).min(PAUSE);
        let set = || Step::set(Decision::passed(1, 0), vec![now.saturating_add(PAUSE).as_micros(), 1, 2, 3, 4].into());
        match op {
            Op::Take(1) if left.is_zero() => set(),
            Op::Take(1..) => Step::keep(Decision::refused(1, 0, left.max(Duration::from_micros(1)))),
            Op::Force(_) => set(),
            Op::Give(_) | Op::Reset => Step::clear(Decision::passed(1, 1)),
            _ => Step::keep(Decision::passed(1, u64::from(left.is_zero()))),
        }
    }

    fn expires_after(&self, state: &State, now: Timestamp) -> Duration {
        state.word(0).map_or(Duration::ZERO, |ends| Timestamp::from_micros(ends).since(now))
    }
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
            Step::keep(Decision::refused(1, 0, PAUSE))
        }

        fn expires_after(&self, _: &State, _: Timestamp) -> Duration {
            PAUSE
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
    assert_eq!(names, ["eval", "evalsha", "mget", "set", "time"]);
    assert_eq!((commands["evalsha"], commands["eval"]), (100, 1));
    assert_eq!((commands["mget"], commands["time"], commands["set"]), (100, 100, 28));
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
    let (store, limit) = (store(&redis), bucket(Rate::per(10, Duration::from_secs(1))));
    let take = |units| [charge("a", "alice", &*limit, Op::Take(units))];
    let full_after = ask(&store, take(7)).await.unwrap().get(0).unwrap().full_after;
    let key = redis.command("KEYS *").lines().find(|line| line.starts_with("portcullis:rate:{")).unwrap().to_owned();
    let left: u64 = redis.command(&format!("PTTL {key}")).lines().next().unwrap()[1..].parse().unwrap();
    assert!(full_after == Duration::from_millis(700) && (500..=701).contains(&left), "{left}");
    tokio::time::sleep(full_after + Duration::from_millis(20)).await;
    assert!(redis.command(&format!("EXISTS {key}")).starts_with(":0"));
    assert_eq!(ask(&store, take(1)).await.unwrap().get(0).unwrap().remaining, 9);
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
    let (store, limit) = (store(&redis), bucket(Rate::per_hour(10)));
    let take = || [charge("a", "alice", &*limit, Op::Take(1))];
    ask(&store, take()).await.unwrap();
    let key = redis.command("KEYS *").lines().find(|line| line.starts_with("portcullis:rate:{")).unwrap().to_owned();
    for garbage in ["x", "1x", "-5"] {
        redis.command(&format!("SET {key} {garbage}"));
        assert!(matches!(ask(&store, take()).await, Err(StoreError::Corrupt(_))), "{garbage}");
    }
    redis.command(&format!("DEL {key}"));
    redis.command(&format!("LPUSH {key} 1"));
    // MGET finds nothing there; it is overwritten.
    assert!(ask(&store, take()).await.unwrap().allowed());
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
    assert!(redis.command("DBSIZE").starts_with(":21"));
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
