//! Rate limits on Redis beside what one would write by hand, in one run: `cargo run --release --bin redis`.
//!
//! Starts `redis-server` on a free port of this machine. Everything goes over one multiplexed
//! connection; the contenders take turns, and each figure is the median of the rounds. Names of contenders,
//! numbers of tasks and `workers=2`, given as arguments, are the only ones that run.
//!
//! The client is a runtime of one worker if nothing else is said: of two cores the server then has one and the client
//! the other, as where they are two machines, and what is compared is what either of them can do. With two
//! workers, as `#[tokio::main]` makes them on a machine of two cores, there are three who want two cores, and the
//! figures go by whom the system lets wait.
//!
//! `awake` keeps the cores from halting, by processes that run only where nobody else wants to. In a virtual machine a
//! core that has halted is woken by the hypervisor, which takes longer than an `INCR`; whoever sends less often and waits
//! more, as a shared run does, pays that more often. A server that is busy does not halt.

mod host;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use portcullis::{
    backend::redis::RedisStore,
    rate_limit::{
        Algorithm, Batch, Charge, ChargeKey, FixedWindow, KeyPart, LeasedStore, Op, Rate, RateLimitStore, TokenBucket,
    },
    time::{Clock as _, SystemClock, Timestamp},
};
use redis::{AsyncCommands as _, Client, aio::MultiplexedConnection};
use tokio::runtime::Builder;

use host::{Awake, Server, idle};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(700);
const KEYS: u64 = 1_000;
/// The clock is read about one call in so many, whoever is called: a unit of a lease takes no longer than two readings.
/// No multiple of sixteen, at which the leased tasks make way.
const TIMED: u64 = 17;

/// The bucket as the time at which it will be full, by the server's clock: given are what a unit takes to come back
/// and what all take, in microseconds, and how many units are asked for.
const BY_HAND: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local unit, all, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = tonumber(redis.call('GET', KEYS[1]) or now)
if full < now then full = now end
local after = full + unit * n
local over = after - now - all
if over > 0 then return {0, 0, over} end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
return {1, math.floor((all - (after - now)) / unit), 0}";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Contender {
    Incr,
    GetSetex,
    /// A script that does nothing: what one costs before it decides anything.
    Script,
    /// What one would write by hand: one bucket in one string, a script for each decision.
    ByHand,
    /// A token bucket for each of many callers.
    One,
    /// The same, no two callers in one run of the script.
    Alone,
    /// One whose refill is no whole number of microseconds.
    Fraction,
    Window,
    /// Four limits on the same caller.
    Four,
    /// Four limits, each on something else.
    FourSubjects,
    /// A token bucket that all take from.
    Hot,
    /// The same with leases of 100.
    Leased,
}

impl Contender {
    const ALL: [Self; 12] = [
        Self::Incr,
        Self::GetSetex,
        Self::Script,
        Self::ByHand,
        Self::One,
        Self::Alone,
        Self::Fraction,
        Self::Window,
        Self::Four,
        Self::FourSubjects,
        Self::Hot,
        Self::Leased,
    ];
}

#[derive(Clone)]
struct Bench {
    connection: MultiplexedConnection,
    script: Arc<str>,
    by_hand: Arc<str>,
    store: RedisStore,
    alone: RedisStore,
    leases: LeasedStore,
    clock: SystemClock,
    buckets: Arc<[TokenBucket; 4]>,
    others: Arc<(TokenBucket, FixedWindow)>,
}

impl Bench {
    async fn on(url: &str) -> Self {
        let client = Client::open(url).expect("a URL");
        let mut connection = loop {
            match client.get_multiplexed_async_connection().await {
                Ok(connection) => break connection,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let builder = || RedisStore::builder(url).time_budget(Duration::from_secs(2));
        let store = builder().build().expect("a store");
        let mut load = async |text| -> Arc<str> {
            let hash: String =
                redis::cmd("SCRIPT").arg("LOAD").arg(text).query_async(&mut connection).await.expect("an answer");
            hash.into()
        };
        let (script, by_hand) = (load("return 1").await, load(BY_HAND).await);
        // Never exhausted: every decision also writes.
        let plenty = Rate::per_second(1_000).burst(100_000_000);
        let window = FixedWindow::new(Rate::per_hour(1_000_000_000)).expect("a rate");
        Self {
            connection,
            script,
            by_hand,
            alone: builder().one_batch_at_a_time().build().expect("a store"),
            leases: LeasedStore::new(store.clone()).nodes(1),
            store,
            clock: SystemClock::new(),
            buckets: Arc::new(std::array::from_fn(|_| TokenBucket::new(plenty).expect("a rate"))),
            others: Arc::new((TokenBucket::new(Rate::per_second(999).burst(100_000_000)).expect("a rate"), window)),
        }
    }

    async fn once(&mut self, contender: Contender, number: u64) {
        let who = number % KEYS;
        match contender {
            Contender::Incr => {
                let _: u64 = self.connection.incr(format!("incr:{who}"), 1).await.expect("an answer");
            }
            Contender::GetSetex => {
                let key = format!("seed:{who}");
                let held: Option<String> = self.connection.get(&key).await.expect("an answer");
                let tokens = held.and_then(|held| held.parse::<f64>().ok()).unwrap_or(100.0) - 1.0;
                let _: () = self.connection.set_ex(&key, tokens.max(1.0).to_string(), 60).await.expect("an answer");
            }
            Contender::Script => {
                let mut run = redis::cmd("EVALSHA");
                run.arg(&*self.script).arg(1).arg(format!("script:{who}"));
                let _: u64 = run.query_async(&mut self.connection).await.expect("an answer");
            }
            Contender::ByHand => {
                let mut run = redis::cmd("EVALSHA");
                run.arg(&*self.by_hand).arg(1).arg(format!("hand:{who}")).arg(1_000).arg(100_000_000_000_u64).arg(1);
                let (allowed, _, _): (u64, u64, u64) = run.query_async(&mut self.connection).await.expect("an answer");
                assert_eq!(allowed, 1);
            }
            Contender::One => self.take([("client", who)]).await,
            Contender::Alone => {
                let who = who.to_be_bytes();
                let key = ChargeKey::of("client", KeyPart::Bytes(&who));
                let batch = Batch::of(Timestamp::EPOCH, Charge::new(key, &self.buckets[0], Op::Take(1)));
                assert!(self.alone.apply(&batch).await.expect("an answer").allowed());
            }
            Contender::Fraction => self.take_of(&self.others.0, "fraction", who).await,
            Contender::Window => self.take_of(&self.others.1, "window", who).await,
            Contender::Four => self.take([("second", who), ("minute", who), ("hour", who), ("day", who)]).await,
            Contender::FourSubjects => {
                self.take([("client", who), ("ip", who + KEYS), ("tenant", who % 10), ("all", 0)]).await;
            }
            Contender::Hot => self.take([("hot", 0)]).await,
            Contender::Leased => self.lease().await,
        }
    }

    async fn take<const N: usize>(&self, rules: [(&'static str, u64); N]) {
        let subjects = rules.map(|(_, who)| who.to_be_bytes());
        let mut batch = Batch::new(Timestamp::EPOCH);
        for (((rule, _), subject), bucket) in rules.iter().zip(&subjects).zip(&*self.buckets) {
            let key = ChargeKey::of(*rule, KeyPart::Bytes(subject));
            batch.push(Charge::new(key, bucket, Op::Take(1))).expect("at most four");
        }
        assert!(self.store.apply(&batch).await.expect("an answer").allowed());
    }

    async fn take_of(&self, limit: &dyn Algorithm, rule: &'static str, who: u64) {
        let who = who.to_be_bytes();
        let charge = Charge::new(ChargeKey::of(rule, KeyPart::Bytes(&who)), limit, Op::Take(1));
        assert!(self.store.apply(&Batch::of(Timestamp::EPOCH, charge)).await.expect("an answer").allowed());
    }

    /// Asks as the layer does.
    async fn lease(&self) {
        let (key, now) = (ChargeKey::of("leased", KeyPart::Bytes(b"hot")), self.clock.now().monotonic);
        let charge = Charge::new(key, &self.buckets[0], Op::Take(1));
        if let Some(answer) = self.leases.try_one(&charge, now) {
            return assert!(answer.expect("an answer").allowed);
        }
        let batch = Batch::of(now, charge);
        let answer = match self.leases.try_now(&batch) {
            Some(answer) => answer,
            None => self.leases.apply(&batch).await,
        };
        assert!(answer.expect("an answer").allowed());
    }
}

/// Processor time of this process and of the server so far, in microseconds: a neighbour that takes the
/// core does not count. The system counts ours in hundredths of a second.
async fn processor_time(bench: &Bench) -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name in brackets").split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().expect("a number");
    let info: String =
        redis::cmd("INFO").arg("cpu").query_async(&mut bench.connection.clone()).await.expect("an answer");
    let used = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)).expect("in every version");
        line.trim().parse::<f64>().expect("seconds")
    };
    ((ticks(11) + ticks(12)) * 1e4, (used("used_cpu_sys:") + used("used_cpu_user:")) * 1e6)
}

#[derive(Clone, Copy)]
struct Round {
    rate: f64,
    p50: f64,
    p99: f64,
    client: f64,
    server: f64,
}

/// Calls a second by so many tasks, and in microseconds the median and the 99th percentile of a call, and the
/// processor time that a call took on either side.
async fn round(bench: &Bench, contender: Contender, tasks: u64) -> Round {
    let before = processor_time(bench).await;
    let (begun, is_over) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let running: Vec<_> = (0..tasks)
        .map(|task| tokio::spawn(calls(bench.clone(), contender, task * 7_919, Arc::clone(&is_over))))
        .collect();
    tokio::time::sleep(ROUND).await;
    is_over.store(true, Relaxed);
    let (mut calls, mut took) = (0, Vec::new());
    for task in running {
        let (called, of_some) = task.await.expect("no panic");
        calls += called;
        took.extend(of_some);
    }
    let calls = calls as f64;
    let rate = calls / begun.elapsed().as_secs_f64();
    let after = processor_time(bench).await;
    took.sort_by(f64::total_cmp);
    Round {
        rate,
        p50: took[took.len() / 2],
        p99: took[took.len() * 99 / 100],
        client: (after.0 - before.0) / calls,
        server: (after.1 - before.1) / calls,
    }
}

/// One call after the other until it is over: how many, and how long some of them took.
async fn calls(mut bench: Bench, contender: Contender, first: u64, is_over: Arc<AtomicBool>) -> (u64, Vec<f64>) {
    let (mut number, mut took) = (first, Vec::new());
    while !is_over.load(Relaxed) {
        let asked = number.is_multiple_of(TIMED).then(Instant::now);
        bench.once(contender, number).await;
        took.extend(asked.map(|asked| asked.elapsed().as_secs_f64() * 1e6));
        number += 1;
        // As between the requests of a server: who finds his units here never waits.
        if contender == Contender::Leased && number.is_multiple_of(16) {
            tokio::task::yield_now().await;
        }
    }
    (number - first, took)
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.iter().any(|one| one == "idle") {
        idle();
    }
    let server = Server::start();
    let _awake = wanted.iter().any(|one| one == "awake").then(Awake::all_cores);
    let named: Vec<usize> = wanted.iter().filter_map(|one| one.strip_prefix("workers=")?.parse().ok()).collect();
    println!(
        "| workers | tasks | what | calls/s | p50 µs | p99 µs | client µs | server µs | × INCR | × GET+SETEX | × one limit | × by hand |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for workers in if named.is_empty() { vec![1] } else { named } {
        let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build().expect("a runtime");
        let comparing = compare_all(server.port, workers, wanted.clone());
        // By a worker: this thread would be one more.
        runtime.block_on(runtime.spawn(comparing)).expect("no panic");
    }
}

async fn compare_all(port: u16, workers: usize, wanted: Vec<String>) {
    let bench = Bench::on(&format!("redis://127.0.0.1:{port}")).await;
    let contenders: Vec<Contender> = chosen(Contender::ALL, &wanted);
    for tasks in chosen([1, 16, 256], &wanted) {
        compare(&bench, &contenders, workers, tasks).await;
    }
}

/// Those that are named, or all if none of them is.
fn chosen<T: Copy + std::fmt::Debug, const N: usize>(all: [T; N], wanted: &[String]) -> Vec<T> {
    let named: Vec<T> = all.into_iter().filter(|one| wanted.contains(&format!("{one:?}"))).collect();
    if named.is_empty() { all.into() } else { named }
}

async fn compare(bench: &Bench, contenders: &[Contender], workers: usize, tasks: u64) {
    let mut rounds = vec![Vec::new(); contenders.len()];
    for _ in 0..ROUNDS {
        for (rounds, contender) in rounds.iter_mut().zip(contenders) {
            rounds.push(round(bench, *contender, tasks).await);
        }
    }
    // Beside the other contenders of the same round: the machine is not the same in the next.
    let ratio = |of: usize, to: Contender| {
        let Some(to) = contenders.iter().position(|other| *other == to) else { return f64::NAN };
        median(rounds[of].iter().zip(&rounds[to]).map(|(of, to)| of.rate / to.rate).collect())
    };
    for (index, contender) in contenders.iter().enumerate() {
        let of = |pick: fn(&Round) -> f64| median(rounds[index].iter().map(pick).collect());
        println!(
            "| {workers} | {tasks} | {contender:?} | {:.0} | {:.1} | {:.1} | {:.1} | {:.1} | {:.2} | {:.2} | {:.2} | {:.2} |",
            of(|round| round.rate),
            of(|round| round.p50),
            of(|round| round.p99),
            of(|round| round.client),
            of(|round| round.server),
            ratio(index, Contender::Incr),
            ratio(index, Contender::GetSetex),
            ratio(index, Contender::One),
            ratio(index, Contender::ByHand),
        );
    }
    let (leased, hot) = (Contender::Leased, Contender::Hot);
    if let Some(index) = contenders.iter().position(|other| *other == leased) {
        println!("| {workers} | {tasks} | Leased × Hot | {:.1} |", ratio(index, hot));
    }
}
