//! What the laws charge: the algorithms that are built in with parameters of every kind, and two of a
//! user's own, which no store has a program for.
#![allow(clippy::unwrap_used, reason = "the parameters are ours, and within what is allowed")]

use std::{sync::Arc, time::Duration};

use super::RateClock;
use crate::{
    rate_limit::{
        Algorithm, AlgorithmId, Decision, FixedWindow, LeakyBucket, LeakyQueue, Op, Rate, SlidingCounter, SlidingLog,
        State, Step, TokenBucket, Windows,
    },
    time::Timestamp,
};

pub(super) const HOUR: Duration = hours(1);

pub(super) const fn hours(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(3_600))
}

/// A token bucket, which is what most laws ask.
pub(super) fn bucket(rate: Rate) -> TokenBucket {
    TokenBucket::new(rate).unwrap()
}

/// So many units, and not another one while a law runs.
pub(super) fn limit_of(units: u64) -> TokenBucket {
    bucket(Rate::per(1, hours(240)).burst(units))
}

/// The same in a window that does not end while a law runs.
pub(super) fn window_of(units: u64) -> FixedWindow {
    FixedWindow::new(Rate::per(units, hours(7_200))).unwrap()
}

/// Random numbers that a seed repeats (`splitmix64`).
#[derive(Clone, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn seeded() -> Self {
        let mut seed = [0; 8];
        assert!(getrandom::fill(&mut seed).is_ok(), "the operating system has random bytes");
        Self(u64::from_le_bytes(seed))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From zero to less than `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    pub(super) fn of<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        let length = u64::try_from(list.len()).unwrap_or(u64::MAX);
        list.get(usize::try_from(self.below(length)).unwrap_or(0)).copied()
    }
}

/// How many kinds [`any`] knows.
pub(super) const KINDS: u64 = 12;

/// An algorithm of a kind, with random parameters. Where the server's clock counts, a unit takes so long
/// that none comes back while a law runs.
pub(super) fn any(kind: u64, random: &mut Random, clock: RateClock) -> Arc<dyn Algorithm> {
    let units = random.below(12).saturating_add(1);
    let period = match clock {
        // Some that divide into whole microseconds, and some that do not.
        RateClock::Callers => random.of(&[7, 1_000, 100_003, 1_000_000, 60_000_000, 86_400_000_000]),
        RateClock::Servers => random.of(&[26_000_000_000_003, 25_920_000_000_000, 30_000_000_000_000]),
    };
    let period = Duration::from_micros(period.unwrap_or(1_000_000));
    let rate = Rate::per(units, period);
    let burst = random.below(20).saturating_add(1);
    match kind.checked_rem(KINDS).unwrap_or(0) {
        0 => Arc::new(bucket(rate.burst(burst))),
        // Whole microseconds for each unit: what a program of a remote store may be able to do by itself.
        1 => Arc::new(bucket(Rate::per(1, period).burst(burst))),
        2 => Arc::new(bucket(rate.burst(burst)).overdraft(random.below(10))),
        3 => Arc::new(FixedWindow::new(rate).unwrap()),
        4 => Arc::new(FixedWindow::new(rate).unwrap().windows(Windows::FirstHit)),
        5 => Arc::new(FixedWindow::new(rate).unwrap().windows(Windows::Spread)),
        6 => Arc::new(SlidingLog::new(rate).unwrap()),
        7 => Arc::new(SlidingCounter::new(rate).unwrap()),
        8 => Arc::new(LeakyBucket::new(rate.burst(burst)).unwrap()),
        9 => {
            // Nobody queues for longer than an hour, and no turn is shorter than a microsecond.
            let turn = period.clamp(Duration::from_millis(1), Duration::from_secs(600));
            Arc::new(LeakyQueue::new(Rate::per(1, turn), units, HOUR).unwrap())
        }
        10 => Arc::new(CoolDown { pause: period }),
        _ => Arc::new(Ledger { limit: burst, keep: period }),
    }
}

/// A user's own: after a charge, none for a while.
#[derive(Debug)]
pub(super) struct CoolDown {
    pub(super) pause: Duration,
}

impl Algorithm for CoolDown {
    fn id(&self) -> AlgorithmId {
        AlgorithmId::new("portcullis.conformance.cool_down", 1, &[self.pause.as_secs()])
    }

    fn step(&self, state: Option<&State>, now: Timestamp, op: Op) -> Step {
        let ends = state.and_then(|state| state.word(0)).map_or(now, Timestamp::from_micros);
        // A clock went back: what is left is cut to what can be, and stored so.
        let (left, cut) = (ends.since(now).min(self.pause), ends.since(now) > self.pause);
        let stands = |left: Duration| Decision::passed(1, u64::from(left.is_zero())).next_after(left).full_after(left);
        let waits = || Decision::refused(1, 0, left).next_after(left).full_after(left);
        let stay = |decision| {
            let ends = now.saturating_add(left).as_micros();
            if cut { Step::set(decision, ends.into()) } else { Step::keep(decision) }
        };
        let begin = || Step::set(stands(self.pause), now.saturating_add(self.pause).as_micros().into());
        match op.at_once() {
            Op::Take(0) => stay(stands(left)),
            Op::Take(1) if left.is_zero() => begin(),
            Op::Take(1) => stay(waits()),
            Op::Take(_) => stay(Decision { allowed: false, ..stands(left) }),
            Op::Force(1..) => begin(),
            Op::Give(1..) | Op::Reset => Step::clear(stands(Duration::ZERO)),
            Op::Force(_) | Op::Give(_) => stay(stands(left)),
            _ if left.is_zero() => stay(stands(left)),
            _ => stay(waits()),
        }
    }

    fn expires_after(&self, state: &State, now: Timestamp) -> Duration {
        state.word(0).map_or(Duration::ZERO, |ends| Timestamp::from_micros(ends).since(now))
    }
}

/// A user's own whose state is a long one: when each unit that was charged comes back.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) limit: u64,
    pub(super) keep: Duration,
}

impl Ledger {
    fn decide(&self, open: &[u64], now: Timestamp, wanted: u64) -> Decision {
        let used = u64::try_from(open.len()).unwrap_or(u64::MAX);
        let remaining = self.limit.saturating_sub(used);
        let after = |index: u64| {
            let ends = usize::try_from(index).ok().and_then(|index| open.get(index).copied());
            ends.map_or(Duration::ZERO, |ends| Timestamp::from_micros(ends).since(now))
        };
        let decision = if wanted > self.limit {
            Decision::never(self.limit, remaining)
        } else if wanted > remaining {
            let missing = used.saturating_add(wanted).saturating_sub(self.limit);
            Decision::refused(self.limit, remaining, after(missing.saturating_sub(1)))
        } else {
            Decision::passed(self.limit, remaining)
        };
        let owed = used.saturating_sub(self.limit);
        decision.next_after(after(owed)).full_after(after(used.saturating_sub(1)))
    }
}

impl Algorithm for Ledger {
    fn id(&self) -> AlgorithmId {
        AlgorithmId::new("portcullis.conformance.ledger", 1, &[self.limit, self.keep.as_secs()])
    }

    fn step(&self, state: Option<&State>, now: Timestamp, op: Op) -> Step {
        let held = state.map(State::words).unwrap_or_default();
        let latest = now.saturating_add(self.keep).as_micros();
        let mut open: Vec<u64> =
            held.iter().map(|ends| (*ends).min(latest)).filter(|ends| *ends > now.as_micros()).collect();
        let most = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let charge = |open: &mut Vec<u64>, units: u64| {
            let units = usize::try_from(units).unwrap_or(usize::MAX).min(most.saturating_sub(open.len()));
            open.extend(std::iter::repeat_n(latest, units));
        };
        let mut decision = None;
        match op.at_once() {
            Op::Take(cost) => {
                let asked = self.decide(&open, now, cost);
                if asked.allowed {
                    charge(&mut open, cost);
                } else {
                    decision = Some(asked);
                }
            }
            Op::Force(cost) => charge(&mut open, cost),
            Op::Give(units) => {
                let left = open.len().saturating_sub(usize::try_from(units).unwrap_or(usize::MAX));
                open.truncate(left);
            }
            Op::Reset => open.clear(),
            _ => decision = Some(self.decide(&open, now, 1)),
        }
        let decision = decision.unwrap_or_else(|| self.decide(&open, now, 0));
        match open.is_empty() {
            true if held.is_empty() => Step::keep(decision),
            true => Step::clear(decision),
            false if open == held => Step::keep(decision),
            false => Step::set(decision, open.into()),
        }
    }

    fn expires_after(&self, state: &State, now: Timestamp) -> Duration {
        state.words().last().map_or(Duration::ZERO, |ends| Timestamp::from_micros(*ends).since(now))
    }
}
