//! How long a real Redis server keeps the states of rate limits: never less than they last, and token buckets
//! a little longer, so that it need not be said each time.

use std::{sync::Arc, time::Duration};

use portcullis::{
    backend::redis::RedisStore,
    rate_limit::{Algorithm, Batch, Charge, ChargeKey, KeyPart, Op, Rate, RateLimitStore, TokenBucket, Verdicts},
    time::Timestamp,
};
use portcullis_interop::redis::Redis;

type Any = Arc<dyn Algorithm>;

/// The longest that a key of a bucket is kept in vain.
const SPAN: u64 = 8_001;

fn bucket(rate: Rate) -> Any {
    Arc::new(TokenBucket::new(rate).unwrap())
}

struct Bench {
    redis: Redis,
    store: RedisStore,
}

impl Bench {
    fn start() -> Self {
        let redis = Redis::start();
        // Long, for a machine on which much else runs.
        let store = RedisStore::builder(redis.url()).time_budget(Duration::from_secs(2)).build().unwrap();
        Self { redis, store }
    }

    async fn ask(&self, rules: &[(&'static str, Any)], op: Op) -> Verdicts {
        let mut batch = Batch::new(Timestamp::EPOCH);
        for (rule, algorithm) in rules {
            batch.push(Charge::new(ChargeKey::of(*rule, KeyPart::Bytes(b"alice")), &**algorithm, op)).unwrap();
        }
        self.store.apply(&batch).await.unwrap()
    }

    fn lines(&self, command: &str) -> Vec<String> {
        let text = self.redis.command(command);
        text.lines().filter(|line| !line.starts_with(['*', '$'])).map(str::to_owned).collect()
    }

    fn key(&self) -> String {
        self.lines("KEYS *").into_iter().find(|key| key.starts_with("portcullis:rate:{")).unwrap()
    }

    /// In milliseconds: when the last of its states ends, and when the key does.
    fn ends(&self) -> (u64, u64) {
        let states = self.lines(&format!("HVALS {}", self.key()));
        let last = states.iter().filter_map(|state| state.parse::<u64>().ok()).max().unwrap();
        let expires = self.lines(&format!("PEXPIRETIME {}", self.key())).remove(0);
        (last / 1_000, expires.trim_start_matches(':').parse().unwrap())
    }

    fn assert_kept(&self, doing: &str) {
        let (state, key) = self.ends();
        assert!(state < key && key <= state + SPAN, "{doing}: it ends at {state}, its key at {key}");
    }
}

fn two() -> Vec<(&'static str, Any)> {
    let burst = |rate: Rate| bucket(rate.burst(1_000_000));
    vec![("a", burst(Rate::per_second(1_000))), ("b", burst(Rate::per_second(500)))]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_outlives_its_states_however_they_grow() {
    let bench = Bench::start();
    let rules = two();
    for some in [&rules[..1], &rules[1..], &rules[..]] {
        bench.redis.command("FLUSHALL");
        bench.ask(some, Op::Take(1)).await;
        bench.redis.forget_commands();
        // A minute and a half, or three.
        for taken in 1..=60 {
            assert!(bench.ask(some, Op::Take(taken * 50)).await.allowed());
            bench.assert_kept(&format!("{taken} of {}", some.len()));
        }
        let (written, renewed) = (bench.redis.runs_of("hset"), bench.redis.runs_of("pexpireat"));
        assert!(written == 60 && (10..=28).contains(&renewed), "{renewed} of {written}");
    }
}

/// Some of which say how long their key is kept, some not.
#[tokio::test(flavor = "multi_thread")]
async fn one_rule_does_not_shorten_what_another_one_needs() {
    let bench = Bench::start();
    let rules = two();
    for round in 1..=6 {
        for (some, op) in [
            (&rules[..1], Op::Take(700)),
            (&rules[1..], Op::Take(900)),
            (&rules[..], Op::Take(40)),
            // What the quick script cannot do is done by the programs.
            (&rules[..1], Op::Force(3_000)),
            (&rules[..1], Op::Take(1)),
            (&rules[1..], Op::Give(100)),
            (&rules[..], Op::Take(2)),
        ] {
            assert!(bench.ask(some, op).await.allowed());
            let (state, key) = bench.ends();
            assert!(state < key, "{round}: {op:?}: it ends at {state}, its key at {key}");
        }
    }
    // More than a script can calculate with: what it has written is read here.
    assert!(!bench.ask(&rules, Op::Take(1 << 52)).await.allowed());
}

/// A version before this one writes the number alone, and keeps the key as long.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_does_not_say_how_long_it_is_kept_is_kept_from_then_on() {
    let bench = Bench::start();
    let rules = &two()[..1];
    for ahead in [20, 2_000, 7_000] {
        bench.ask(rules, Op::Reset).await;
        bench.ask(rules, Op::Take(1)).await;
        let (key, (state, _)) = (bench.key(), bench.ends());
        let field = bench.lines(&format!("HKEYS {key}")).remove(0);
        let end = state + ahead;
        bench.redis.command(&format!("HSET {key} {field} {}", end * 1_000));
        bench.redis.command(&format!("PEXPIREAT {key} {}", end + 1));
        assert!(bench.ask(rules, Op::Take(2_000)).await.allowed());
        bench.assert_kept(&format!("{ahead} ms ahead"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_has_ended_says_what_its_absence_says() {
    let bench = Bench::start();
    let rules = [("a", bucket(Rate::per(10, Duration::from_secs(1))))];
    for _ in 0..3 {
        let full_after = bench.ask(&rules, Op::Take(4)).await.get(0).unwrap().full_after;
        assert_eq!(full_after, Duration::from_millis(400));
        tokio::time::sleep(full_after).await;
        assert_eq!(bench.ask(&rules, Op::Peek).await.get(0).unwrap().remaining, 10);
    }
}
