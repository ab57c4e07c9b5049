use std::time::Duration;

use super::{
    Algorithm, AlgorithmId, Decision, Op, Step,
    exact_kernel::ExactKernel,
    kernel::{Kernel as _, Owed},
    verdict::Verdict,
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    rate_limit::{Rate, State},
    time::{Timestamp, micros_ceil},
};

/// A queue that lets one unit after the other go ahead at an even rate: a request waits for its turn
/// instead of being refused. The leaky bucket *as a shaper*.
///
/// What passes is told how long to wait ([`Decision::delay`]) and which place it has
/// ([`Decision::ticket`]); [`ShapingLayer`](crate::rate_limit::ShapingLayer) does the waiting. It is
/// refused, at once, where the queue is full: so many wait already, or its turn would come too late.
/// Who goes away before its turn gives the place back with [`Op::leave`]: if nobody stands behind it,
/// the next one gets it; else it stays empty, because those behind have been told their times.
///
/// **When**: before something that suffers from bursts and whose callers would rather wait than come
/// again: a partner's strict limit, a printer, a migration. **Worst case in any span of one period**:
/// the rate, and one. **State**: one word, when the next turn is free (a second one for a fraction of a
/// microsecond). **Cost**: two divisions of 128 bits, no allocation; waiting costs a timer and a box.
/// **Source**: ITU-T I.371 annex A; nginx `limit_req` with `burst`.
///
/// `remaining` is how many may still be let in at once, the first of them without a wait if nobody is
/// there.
///
/// ```
/// use std::time::Duration;
/// use portcullis::rate_limit::{Algorithm, LeakyQueue, Op, Rate};
/// use portcullis::time::Timestamp;
///
/// let queue = LeakyQueue::new(Rate::per_second(10), 2, Duration::from_secs(1))?;
/// let (now, mut state) = (Timestamp::from_secs(1_000), None);
/// for millis in [0, 100, 200] {
///     let step = queue.step(state.as_ref(), now, Op::Take(1));
///     assert_eq!(step.decision.delay(), Duration::from_millis(millis));
///     state = step.apply(state);
/// }
/// let full = queue.step(state.as_ref(), now, Op::Take(1)).decision;
/// assert_eq!((full.allowed, full.retry_after), (false, Some(Duration::from_millis(100))));
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LeakyQueue {
    kernel: ExactKernel,
    capacity: u64,
    id: AlgorithmId,
}

impl LeakyQueue {
    /// The most that can wait for one key.
    pub const MOST_WAITING: u64 = 1_000_000;
    /// The longest that anybody can wait.
    pub const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

    /// A queue of at most `waiting` units, each of which waits `longest` at most (rounded down to a
    /// microsecond), and as many of which go ahead in each period as the rate says.
    ///
    /// # Errors
    /// If the rate is none (see [`Rate`]), has a burst of its own (to even out bursts is what a queue
    /// is for), or gives more than a unit each microsecond; if nobody could wait; if more than
    /// [`MOST_WAITING`](Self::MOST_WAITING) could, or for longer than
    /// [`LONGEST_WAIT`](Self::LONGEST_WAIT).
    pub fn new(rate: Rate, waiting: u64, longest: Duration) -> Result<Self, ConfigError> {
        let mut issues = ConfigIssues::new();
        issues.take("", rate.check());
        if rate.capacity() != rate.refill() {
            issues.add(
                "burst",
                "a queue has no burst: it evens bursts out",
                "leave .burst() out, or use a token bucket",
            );
        }
        if waiting == 0 || longest < Duration::from_micros(1) {
            issues.add("waiting", "nobody could wait", "use 1 or more, or a leaky bucket, which refuses at once");
        }
        if waiting > Self::MOST_WAITING {
            issues.add("waiting", "more than a million could wait for one key", "use a smaller queue");
        }
        if longest > Self::LONGEST_WAIT {
            issues.add("longest", "nobody waits for more than an hour", "use a shorter wait");
        }
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        let waiting = waiting.min(Self::MOST_WAITING);
        let kernel = ExactKernel::queue(rate.period_nanos(), rate.refill(), waiting, micros);
        if !kernel.is_slow() {
            issues.add("rate", "turns of less than a microsecond are none", "use a token bucket");
        }
        let id = AlgorithmId::new("leaky_queue", 1, &[rate.period_nanos(), rate.refill(), waiting, micros]);
        issues.finish(Self { kernel, capacity: kernel.remaining(0), id })
    }

    /// The most units that can be in it at once: those that wait, and those whose turn it is.
    pub const fn capacity(&self) -> u64 {
        self.capacity
    }

    fn decide(&self, debt: u128, verdict: Verdict) -> Decision {
        let remaining = self.kernel.remaining(debt);
        let next = if remaining >= self.capacity { Duration::ZERO } else { self.kernel.next_after(debt) };
        verdict.decision(self.capacity, remaining).next_after(next).full_after(self.kernel.full_after(debt))
    }

    fn stay(&self, owed: Owed<u128>, now: Timestamp, verdict: Verdict) -> Step {
        let decision = self.decide(owed.debt, verdict);
        // What was asked has no place, but would have this one.
        let decision =
            if verdict == Verdict::Passed { decision.delayed(self.kernel.full_after(owed.debt), 0) } else { decision };
        if owed.cut { Step::set(decision, self.kernel.state(owed.debt, now)) } else { Step::keep(decision) }
    }

    fn owe(&self, debt: u128, now: Timestamp) -> Step {
        let decision = self.decide(debt, Verdict::Passed);
        if debt == 0 { Step::clear(decision) } else { Step::set(decision, self.kernel.state(debt, now)) }
    }

    fn enter(&self, owed: Owed<u128>, now: Timestamp, units: u64, most: Option<u64>) -> Step {
        let kernel = &self.kernel;
        // Both must hold: the place is there, and the turn comes in time.
        let late = most.and_then(|most| {
            let late = owed.debt.saturating_sub(kernel.micros(most));
            (late > 0).then(|| kernel.time(late))
        });
        match (kernel.take(owed.debt, units), late) {
            (Ok(debt), None) => {
                let mut step = self.owe(debt, now);
                let ticket = step.state().and_then(|state| state.word(0)).unwrap_or(0);
                step.decision = step.decision.delayed(kernel.time(owed.debt), ticket);
                step
            }
            (Ok(_), Some(wait)) => self.stay(owed, now, Verdict::Refused(wait)),
            (Err(wait), late) => self.stay(owed, now, Verdict::Refused(late.map_or(wait, |late| late.max(wait)))),
        }
    }

    /// Only the last in the queue, and before its turn.
    fn leave(&self, owed: Owed<u128>, state: Option<&State>, now: Timestamp, units: u64, ticket: u64) -> Step {
        let is_last = state.and_then(|state| state.word(0)) == Some(ticket);
        match owed.debt.checked_sub(self.kernel.units(units)) {
            Some(debt) if is_last && !owed.cut => self.owe(debt, now),
            _ => self.stay(owed, now, Verdict::Passed),
        }
    }
}

impl Algorithm for LeakyQueue {
    fn id(&self) -> AlgorithmId {
        self.id
    }

    fn step(&self, state: Option<&State>, now: Timestamp, op: Op) -> Step {
        let owed = self.kernel.owed(state, now);
        match op {
            Op::Take(0) | Op::TakeWithin { units: 0, .. } => self.stay(owed, now, Verdict::Passed),
            Op::Take(units) if units > self.capacity => self.stay(owed, now, Verdict::Never),
            Op::TakeWithin { units, .. } if u64::from(units) > self.capacity => self.stay(owed, now, Verdict::Never),
            Op::Take(units) => self.enter(owed, now, units, None),
            Op::TakeWithin { units, micros } => self.enter(owed, now, units.into(), Some(micros.into())),
            Op::Leave { units, ticket } => self.leave(owed, state, now, units.into(), ticket),
            Op::Give(units) => self.owe(self.kernel.give(owed.debt, units), now),
            Op::Force(units) => self.owe(self.kernel.force(owed.debt, units), now),
            Op::Reset => self.owe(0, now),
            Op::Peek => {
                let verdict = self.kernel.take(owed.debt, 1).map_or_else(Verdict::Refused, |_| Verdict::Passed);
                self.stay(owed, now, verdict)
            }
        }
    }

    fn expires_after(&self, state: &State, now: Timestamp) -> Duration {
        self.kernel.full_after(self.kernel.owed(Some(state), now).debt)
    }

    fn used(&self, state: &State, now: Timestamp) -> u64 {
        self.kernel.used(self.kernel.owed(Some(state), now).debt)
    }

    fn window(&self) -> Option<Duration> {
        Some(Duration::from_micros(micros_ceil(self.kernel.time(self.kernel.units(self.capacity)))))
    }
}
