//! Random traces, run on a store and on the pure step side by side.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::task::JoinSet;

use super::{
    RateClock,
    algorithms::{KINDS, Random, any},
    probe::{Ask, Probe},
};
use crate::{
    rate_limit::{Algorithm, Decision, Op, RateLimitStore, State, Write},
    time::Timestamp,
};

/// How many traces [`all`](super::all) runs.
pub const TRACES: u32 = 10_000;

/// So many run at once where the clock is the server's. Where the traces set the time they run one after the
/// other on one clock: a store may use a state's place as soon as anybody's `now` says that it has expired.
const TASKS: u32 = 64;
const LENGTH: u64 = 12;
const CENTURY: Duration = Duration::from_secs(70 * 365 * 86_400);

/// Batches of one to three charges, with every operation, on two keys, at random times that go forward: every
/// answer is the one of [`Algorithm::step`] on a map. Algorithms of all kinds, with parameters that divide
/// into microseconds and others, and two that no store has a program for.
///
/// The message of a failure has the seed and the trace's charges.
///
/// # Panics
/// If the law is broken.
pub async fn random_traces_are_those_of_the_pure_step(
    store: &Arc<impl RateLimitStore + ?Sized>,
    clock: RateClock,
    traces: u32,
) {
    let probe = Probe::new("random_traces_are_those_of_the_pure_step", store, clock);
    if clock == RateClock::Callers {
        let mut passed = Duration::ZERO;
        for number in 0..traces {
            let ended = Trace::new(&probe, number).run(passed).await;
            // Keys are used once, so the clock may go back between two traces; it stays in this century.
            passed = if ended > CENTURY { Duration::ZERO } else { ended };
        }
        return;
    }
    let mut running = JoinSet::new();
    for task in 0..TASKS.min(traces) {
        let probe = probe.clone();
        running.spawn(async move {
            for number in (task..traces).step_by(64) {
                Trace::new(&probe, number).run(Duration::ZERO).await;
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        if let Err(broken) = ended.map_err(tokio::task::JoinError::try_into_panic) {
            running.abort_all();
            // Its message is the law's.
            if let Ok(panic) = broken {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// One trace: its keys, its algorithms, and what they owe.
struct Trace<'p, S: ?Sized> {
    probe: &'p Probe<S>,
    number: u32,
    seed: u64,
    random: Random,
    algorithms: Vec<Arc<dyn Algorithm>>,
    owed: HashMap<usize, State>,
    /// Of the last place in a queue.
    ticket: u64,
    told: Vec<String>,
}

impl<'p, S: RateLimitStore + ?Sized> Trace<'p, S> {
    fn new(probe: &'p Probe<S>, number: u32) -> Self {
        let mut random = Random::seeded();
        let seed = random.0;
        let kind = u64::from(number);
        let algorithms: Vec<_> =
            [0, KINDS / 2, 1].map(|more| any(kind.saturating_add(more), &mut random, probe.clock)).into();
        Self { probe, number, seed, random, algorithms, owed: HashMap::new(), ticket: 0, told: Vec::new() }
    }

    /// From `passed` after the beginning; gives back when it ended.
    async fn run(mut self, mut passed: Duration) -> Duration {
        let since = self.probe.at(passed);
        let began = self.probe.real();
        for _ in 0..LENGTH {
            let (now, first) = (self.probe.at(passed), self.random.below(3));
            let count = self.random.below(3).saturating_add(1);
            let chosen: Vec<(usize, Op)> = (0..count)
                .map(|next| (usize::try_from(first.saturating_add(next) % 3).unwrap_or(0), self.op()))
                .collect();
            // Where the server's clock counts, the model's stands still: no unit comes back meanwhile.
            let at = if self.probe.clock == RateClock::Callers { now } else { since };
            let waits = self.compare(now, at, began, &chosen).await;
            passed = passed.saturating_add(self.pause(waits));
        }
        passed
    }

    fn op(&mut self) -> Op {
        let units = self.random.below(8);
        match self.random.below(12) {
            0 => Op::Peek,
            1 => Op::Give(units),
            2 => Op::Force(units),
            3 => Op::Reset,
            4 => Op::Take(units.saturating_mul(units)),
            5 => Op::Take(0),
            6 => Op::take_within(units, Duration::from_micros(self.random.below(10_000_000))),
            // A ticket is an instant, and the server's are not those of the model.
            7 if self.probe.clock == RateClock::Servers => Op::leave(units, 0),
            7 => Op::leave(units, self.ticket),
            _ => Op::Take(units.saturating_add(1) / 2),
        }
    }

    /// Often nothing; often about as long as it was told to wait, to the microsecond; at times long.
    fn pause(&mut self, wait: Option<Duration>) -> Duration {
        let wait = wait.unwrap_or(Duration::from_millis(1));
        match self.random.below(8) {
            0 => wait,
            1 => wait.saturating_sub(Duration::from_micros(1)),
            2 => wait.saturating_add(Duration::from_micros(1)),
            3 => Duration::from_micros(self.random.below(2_000_000)),
            4 => Duration::from_secs(self.random.below(200_000)),
            _ => Duration::ZERO,
        }
    }

    /// Asks both, and gives back the longest time that somebody is to wait.
    async fn compare(
        &mut self,
        now: Timestamp,
        at: Timestamp,
        began: Timestamp,
        chosen: &[(usize, Op)],
    ) -> Option<Duration> {
        let names = self.names();
        let charges: Vec<Ask<'_>> = chosen
            .iter()
            .filter_map(|(index, op)| Some((self.probe.key(names.get(*index)?), &**self.algorithms.get(*index)?, *op)))
            .collect();
        let batch = self.probe.batch(at, &charges);
        let mut steps = batch.step(at, |index| chosen.get(index).and_then(|(bucket, _)| self.owed.get(bucket)));
        let waiting = self.random.below(2) == 0;
        let found =
            if waiting { self.probe.ask_waiting(now, &charges).await } else { self.probe.ask(now, &charges).await };
        self.told.push(format!("{at:?} {chosen:?}"));
        let expected: Vec<Decision> = steps.verdicts.decisions().copied().collect();
        for (index, (expected, found)) in expected.iter().zip(found.decisions()).enumerate() {
            self.probe.holds(self.probe.same(found, expected, began), || {
                let (seed, algorithms, told) = (self.seed, &self.algorithms, self.told.join("\n  "));
                format!(
                    "charge {index}: expected {expected:?}, found {found:?}\n\
                     seed {seed}, {algorithms:?}\n  {told}"
                )
            });
        }
        for (index, (bucket, _)) in chosen.iter().enumerate() {
            match steps.take_write(index) {
                Write::Keep => {}
                Write::Set(state) => drop(self.owed.insert(*bucket, state)),
                Write::Clear => drop(self.owed.remove(bucket)),
            }
        }
        self.ticket = found.decisions().map(Decision::ticket).max().unwrap_or(0);
        expected.iter().map(|decision| decision.retry_after.unwrap_or(decision.delay())).max()
    }

    /// Two of the three buckets have one key, if their algorithms tell them apart.
    fn names(&self) -> [[u8; 5]; 3] {
        let [a, b, c, d] = self.number.to_be_bytes();
        let mut ids = self.algorithms.iter().map(|algorithm| algorithm.id().name());
        let second = u8::from(ids.next() == ids.next());
        [[a, b, c, d, 0], [a, b, c, d, second], [a, b, c, d, 2]]
    }
}
