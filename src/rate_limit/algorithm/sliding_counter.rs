use std::time::Duration;

use super::{
    Algorithm, AlgorithmId, Decision, Inherit, Language, Op, Program, Step, inherit, program::Origin, step::LATE,
    verdict::Verdict,
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    rate_limit::{Rate, State},
    time::{Timestamp, micros_ceil},
};

/// So many requests in a span of one period, nearly: counts in windows, and takes the last window's
/// count in proportion to how much of it the span still covers.
///
/// **When**: large limits, where a log would be too large and the edges of a
/// [`FixedWindow`](super::FixedWindow) too sharp. **Worst case in any span of one period**: twice
/// the limit, as for a fixed window, but smeared: with a limit of 100 a minute, 100 just before a
/// window's end are followed by up to 99 more over the next minute, never by 100 at once. It may
/// also refuse who used nothing for nearly a period, because it takes the last window's charges as
/// evenly spread, and they were at its beginning. (Cloudflare measured on 400 million requests that
/// 0.003 % were decided otherwise than by a log.) **State**: three words. **Cost**: a division of
/// 128 bits or two; no allocation. **Source**: Cloudflare, "How we built rate limiting capable of
/// scaling to millions of domains".
///
/// The windows begin at the multiples of the period since the epoch; see
/// [`Windows::EpochAligned`](super::Windows::EpochAligned). A forced charge fills the window to the
/// limit at most. What is given back is taken off the current window, then off the last.
///
/// ```
/// use std::time::Duration;
/// use portcullis::rate_limit::{Algorithm, Op, Rate, SlidingCounter};
/// use portcullis::time::Timestamp;
///
/// let counter = SlidingCounter::new(Rate::per_minute(50))?;
/// let last = counter.step(None, Timestamp::from_secs(30), Op::Take(42));
/// // 15 seconds into the next minute, three quarters of the 42 count: 31.5.
/// let now = counter.step(last.state(), Timestamp::from_secs(75), Op::Take(18));
/// assert_eq!(now.decision.remaining, 0); // 49.5 of 50
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SlidingCounter {
    limit: u64,
    period: u64,
}

/// Two windows, as they count at an instant.
#[derive(Clone, Copy)]
struct Counts {
    begins: u64,
    previous: u64,
    current: u64,
    /// How much of the current window has passed.
    elapsed: u64,
    /// How long until the clock, which went back a little, is where it was.
    behind: u64,
    /// The windows lay far ahead, and were moved to where they can be.
    moved: bool,
}

impl SlidingCounter {
    /// As many requests in a span of one period, which is rounded up to a microsecond, as the rate
    /// says.
    ///
    /// # Errors
    /// If the rate is none (see [`Rate`]), or has a burst of its own, which a counter cannot have.
    pub fn new(rate: Rate) -> Result<Self, ConfigError> {
        let mut issues = ConfigIssues::new();
        issues.take("", rate.check());
        if rate.capacity() != rate.refill() {
            issues.add(
                "burst",
                "a sliding counter has no burst: all of its limit may be used at once",
                "leave .burst() out, or use a token bucket",
            );
        }
        let period = micros_ceil(Duration::from_nanos(rate.period_nanos())).max(1);
        issues.finish(Self { limit: rate.capacity(), period })
    }

    fn counts(&self, state: Option<&State>, now: Timestamp) -> Counts {
        let now = now.as_micros();
        let begins = |at: u64| at.saturating_sub(at.checked_rem(self.period).unwrap_or(0));
        let current = begins(now);
        let elapsed = now.saturating_sub(current);
        let fresh = Counts { begins: current, previous: 0, current: 0, elapsed, behind: 0, moved: false };
        let words = state.and_then(|state| Some((state.word(0)?, state.word(1)?, state.word(2)?)));
        let Some((began, previous, used)) = words else { return fresh };
        // A larger limit of before counts for no more than this one.
        let (previous, used) = (previous.min(self.limit), used.min(self.limit));
        let held = Counts { previous, current: used, ..fresh };
        let ahead = began.saturating_sub(now);
        if ahead >= self.period && ahead > LATE {
            return Counts { moved: true, ..held };
        }
        if ahead > 0 {
            // A little behind whoever wrote it: its window has just begun.
            return Counts { begins: began, elapsed: 0, behind: ahead, ..held };
        }
        match current.checked_sub(began) {
            // In it, though a window of another period may have begun elsewhere.
            None | Some(0) => held,
            Some(age) if age <= self.period => Counts { previous: used, current: 0, ..fresh },
            Some(_) => fresh,
        }
    }

    fn room(&self) -> u128 {
        product(self.limit, self.period)
    }

    /// How much counts, in units times microseconds.
    fn load(&self, counts: &Counts) -> u128 {
        let covered = self.period.saturating_sub(counts.elapsed);
        product(counts.previous, covered).saturating_add(product(counts.current, self.period))
    }

    fn remaining(&self, counts: &Counts) -> u64 {
        let units = self.room().saturating_sub(self.load(counts)).checked_div(self.period.into()).unwrap_or(0);
        u64::try_from(units).unwrap_or(u64::MAX)
    }

    /// How long until so many units more fit, of at most `limit`; nothing if they do now.
    fn wait(&self, counts: &Counts, cost: u64) -> Option<Duration> {
        if self.load(counts).saturating_add(product(cost, self.period)) <= self.room() {
            return None;
        }
        let left = self.period.saturating_sub(counts.elapsed);
        let wait = match self.limit.checked_sub(counts.current.saturating_add(cost)) {
            // Once so little of the last window is covered that the rest of the limit holds it.
            Some(spare) => self.until(spare, counts.previous).saturating_sub(counts.elapsed),
            // Not in this window. In the next one this one's count falls likewise.
            None => left.saturating_add(self.until(self.limit.saturating_sub(cost), counts.current)),
        };
        Some(Duration::from_micros(wait.saturating_add(counts.behind)))
    }

    /// How far into a window the count of the last one has fallen to `spare`.
    fn until(&self, spare: u64, count: u64) -> u64 {
        // Rounded up: the covered part is rounded down.
        let covered = product(spare, self.period).checked_div(count.into()).unwrap_or(u128::MAX);
        self.period.saturating_sub(u64::try_from(covered).unwrap_or(u64::MAX))
    }

    /// How long until nothing counts.
    fn full_after(&self, counts: &Counts) -> Duration {
        let left = self.period.saturating_sub(counts.elapsed).saturating_add(counts.behind);
        Duration::from_micros(match (counts.current, counts.previous) {
            (0, 0) => 0,
            (0, _) => left,
            _ => left.saturating_add(self.period),
        })
    }

    fn decide(&self, counts: &Counts, verdict: Verdict) -> Decision {
        let remaining = self.remaining(counts);
        let next = match self.load(counts) {
            0 => Duration::ZERO,
            _ => self.wait(counts, remaining.saturating_add(1).min(self.limit)).unwrap_or_default(),
        };
        verdict.decision(self.limit, remaining).next_after(next).full_after(self.full_after(counts))
    }

    fn stay(&self, counts: &Counts, verdict: Verdict) -> Step {
        let decision = self.decide(counts, verdict);
        if counts.moved { Self::write(counts, decision) } else { Step::keep(decision) }
    }

    fn change(&self, counts: &Counts, previous: u64, current: u64) -> Step {
        let counts = Counts { previous, current, ..*counts };
        Self::write(&counts, self.decide(&counts, Verdict::Passed))
    }

    fn write(counts: &Counts, decision: Decision) -> Step {
        match (counts.previous, counts.current) {
            (0, 0) => Step::clear(decision),
            (previous, current) => Step::set(decision, [counts.begins, previous, current].into()),
        }
    }
}

fn product(units: u64, micros: u64) -> u128 {
    u128::from(units).saturating_mul(micros.into())
}

impl Algorithm for SlidingCounter {
    fn id(&self) -> AlgorithmId {
        AlgorithmId::new("sliding_counter", 1, &[self.limit, self.period])
    }

    fn step(&self, state: Option<&State>, now: Timestamp, op: Op) -> Step {
        let counts = self.counts(state, now);
        let Counts { previous, current, .. } = counts;
        match op.at_once() {
            Op::Take(0) => self.stay(&counts, Verdict::Passed),
            Op::Take(cost) if cost > self.limit => self.stay(&counts, Verdict::Never),
            Op::Take(cost) => match self.wait(&counts, cost) {
                None => self.change(&counts, previous, current.saturating_add(cost)),
                wait => self.stay(&counts, wait.into()),
            },
            Op::Give(units) => {
                let rest = units.saturating_sub(current);
                self.change(&counts, previous.saturating_sub(rest), current.saturating_sub(units))
            }
            Op::Force(cost) => self.change(&counts, previous, current.saturating_add(cost).min(self.limit)),
            Op::Reset => self.change(&counts, 0, 0),
            _ => self.stay(&counts, self.wait(&counts, 1).into()),
        }
    }

    fn expires_after(&self, state: &State, now: Timestamp) -> Duration {
        self.full_after(&self.counts(Some(state), now))
    }

    fn program(&self, language: Language) -> Option<Program> {
        const LUA: &str = include_str!("lua/sliding_counter.lua");
        // What a double can hold exactly, with room for a sum.
        let exact = self.room() < 1 << 51;
        (exact && language == Language::Lua).then(|| Program::of(Origin::BuiltIn, LUA, [self.limit, self.period]))
    }

    fn window(&self) -> Option<Duration> {
        Some(Duration::from_micros(self.period))
    }

    fn is_windowed(&self) -> bool {
        true
    }

    /// The counts stay in their windows.
    fn migrate(&self, state: &State, from: &dyn Algorithm, how: Inherit, now: Timestamp) -> Option<State> {
        let old = from.step(Some(state), now, Op::Peek).decision.limit;
        match (how, state.words()) {
            (Inherit::Reset, _) => None,
            (Inherit::Proportional, [begins, previous, current]) => {
                let scaled = |units: u64| inherit::carried(how, units.min(old), old, self.limit);
                Some([*begins, scaled(*previous), scaled(*current)].into())
            }
            _ => Some(state.clone()),
        }
    }
}
