//! The scripts of [`RateLimitStore`] on a real Redis server against the pure steps: the same batches, with
//! clocks that jump, on both.

use std::{collections::HashMap, sync::Arc, time::Duration};

use portcullis::{
    backend::redis::RedisStore,
    rate_limit::{
        Algorithm, AlgorithmId, Batch, Charge, ChargeKey, Decision, FixedWindow, KeyPart, LeakyBucket, LeakyQueue, Op,
        Rate, RateLimitStore, SlidingCounter, SlidingLog, State, Step, TokenBucket, Windows, Write,
    },
    time::Timestamp,
};
use portcullis_interop::redis::Redis;

type Any = Arc<dyn Algorithm>;

fn store_with_callers_clock(redis: &Redis) -> RedisStore {
    // Long, for a machine on which much else runs.
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
    assert!(redis.runs_of("evalsha") < 7_500, "by one run for each batch, of two charges on the average");
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
