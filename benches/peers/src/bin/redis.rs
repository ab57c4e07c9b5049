//! Rate limits on Redis beside what one would write by hand, in one run: `cargo run --release --bin redis`.
//!
//! Starts `redis-server` on a free port of this machine. Everything goes over one multiplexed
//! connection; the contenders take turns, and each figure is the median of the rounds.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use portcullis::{
    backend::redis::RedisStore,
    rate_limit::{Batch, Charge, ChargeKey, KeyPart, Op, Rate, RateLimitStore, TokenBucket},
    time::Timestamp,
};
use redis::{AsyncCommands as _, Client, aio::MultiplexedConnection};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(700);
const KEYS: u64 = 1_000;

struct Server {
    port: u16,
    process: Child,
}

impl Server {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|probe| probe.local_addr()).expect("a free port").port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--appendonly", "no", "--loglevel", "warning"])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        Self { port, process }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Contender {
    Incr,
    GetSetex,
    One,
    Four,
    FourSubjects,
}

#[derive(Clone)]
struct Bench {
    connection: MultiplexedConnection,
    store: RedisStore,
    buckets: Arc<[TokenBucket; 4]>,
}

impl Bench {
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
            Contender::One => self.take(&[("client", who)]).await,
            Contender::Four => self.take(&[("second", who), ("minute", who), ("hour", who), ("day", who)]).await,
            Contender::FourSubjects => {
                self.take(&[("client", who), ("ip", who + KEYS), ("tenant", who % 10), ("all", 0)]).await;
            }
        }
    }

    async fn take(&self, rules: &[(&'static str, u64)]) {
        let subjects: Vec<_> = rules.iter().map(|(_, who)| who.to_be_bytes()).collect();
        let mut batch = Batch::new(Timestamp::EPOCH);
        for (((rule, _), subject), bucket) in rules.iter().zip(&subjects).zip(&*self.buckets) {
            let key = ChargeKey::new(*rule).with(KeyPart::Bytes(subject)).expect("one part");
            batch.push(Charge::new(key, bucket, Op::Take(1))).expect("at most four");
        }
        assert!(self.store.apply(&batch).await.expect("an answer").allowed());
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
    let begun = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let mut bench = bench.clone();
            tokio::spawn(async move {
                let mut took = Vec::new();
                let mut number = task * 7_919;
                while begun.elapsed() < ROUND {
                    let asked = Instant::now();
                    bench.once(contender, number).await;
                    took.push(asked.elapsed().as_secs_f64() * 1e6);
                    number += 1;
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for task in running {
        took.extend(task.await.expect("no panic"));
    }
    let calls = took.len() as f64;
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

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

#[tokio::main]
async fn main() {
    let server = Server::start();
    let url = format!("redis://127.0.0.1:{}", server.port);
    let client = Client::open(url.as_str()).expect("a URL");
    let connection = loop {
        match client.get_multiplexed_async_connection().await {
            Ok(connection) => break connection,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let store = RedisStore::builder(&url).time_budget(Duration::from_secs(2)).build().expect("a store");
    // Never exhausted: every decision also writes.
    let bucket = || TokenBucket::new(Rate::per_second(1_000).burst(100_000_000)).expect("a rate");
    let bench = Bench { connection, store, buckets: Arc::new(std::array::from_fn(|_| bucket())) };
    println!(
        "| tasks | what | calls/s | p50 µs | p99 µs | client µs | server µs | × INCR | × GET+SETEX | × one limit |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for tasks in [1, 16, 256] {
        use Contender::{Four, FourSubjects, GetSetex, Incr, One};
        let contenders = [Incr, GetSetex, One, Four, FourSubjects];
        let mut rounds = vec![Vec::new(); contenders.len()];
        for _ in 0..ROUNDS {
            for (rounds, contender) in rounds.iter_mut().zip(contenders) {
                rounds.push(round(&bench, contender, tasks).await);
            }
        }
        // Beside the other contenders of the same round: the machine is not the same in the next.
        let ratio = |of: usize, to: usize| {
            median(rounds[of].iter().zip(&rounds[to]).map(|(of, to)| of.rate / to.rate).collect())
        };
        for (index, contender) in contenders.iter().enumerate() {
            let of = |pick: fn(&Round) -> f64| median(rounds[index].iter().map(pick).collect());
            println!(
                "| {tasks} | {contender:?} | {:.0} | {:.0} | {:.0} | {:.1} | {:.1} | {:.2} | {:.2} | {:.2} |",
                of(|round| round.rate),
                of(|round| round.p50),
                of(|round| round.p99),
                of(|round| round.client),
                of(|round| round.server),
                ratio(index, 0),
                ratio(index, 1),
                ratio(index, 2),
            );
        }
    }
}
