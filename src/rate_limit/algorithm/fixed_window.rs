use std::time::Duration;

use super::{Algorithm, AlgorithmId, Decision, Op, Step};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    rate_limit::{Rate, State},
    time::{Timestamp, micros_ceil},
};

/// Where the windows of a [`FixedWindow`] begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Windows {
    /// At the multiples of the period since the epoch: a window of a minute begins with the minute.
    /// All keys start afresh at the same instant. The default.
    ///
    /// Rates go by the monotonic clock, which starts at the wall clock's value: a window is as far
    /// off the world's minute as the wall clock was set since the process began.
    EpochAligned,
    /// For each key at its first request.
    FirstHit,
}

/// So many requests in each window of time. Simple and cheap, but twice the limit may pass within
/// an instant: at the end of one window and the beginning of the next.
///
/// ```
/// use std::time::Duration;
/// use portcullis::rate_limit::{Algorithm, FixedWindow, Op, Rate};
/// use portcullis::time::Timestamp;
///
/// let window = FixedWindow::new(Rate::per_minute(100))?;
/// let step = window.step(None, Timestamp::from_secs(59), Op::Take(100));
/// assert_eq!((step.decision.remaining, step.decision.full_after), (0, Duration::from_secs(1)));
/// assert!(window.step(step.state(), Timestamp::from_secs(60), Op::Take(100)).decision.allowed);
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FixedWindow {
    limit: u64,
    period: u64,
    windows: Windows,
}

/// The window that holds `now`, and what was used of it.
#[derive(Clone, Copy)]
struct Window {
    begins: u64,
    used: u64,
    /// It lay in the future, and was moved to where it can be.
    moved: bool,
}

impl FixedWindow {
    /// As many requests as the rate says in each of its periods, which is rounded up to a
    /// microsecond.
    ///
    /// # Errors
    /// If the rate is none (see [`Rate`]), or has a burst of its own, which a window cannot have.
    pub fn new(rate: Rate) -> Result<Self, ConfigError> {
        let mut issues = ConfigIssues::new();
        issues.take("", rate.check());
        if rate.capacity() != rate.refill() {
            issues.add(
                "burst",
                "a fixed window has no burst: all of its limit may be used at once",
                "leave .burst() out, or use a token bucket",
            );
        }
        let period = micros_ceil(Duration::from_nanos(rate.period_nanos())).max(1);
        issues.finish(Self { limit: rate.capacity(), period, windows: Windows::EpochAligned })
    }

    /// Where the windows begin.
    #[must_use]
    pub fn windows(mut self, windows: Windows) -> Self {
        self.windows = windows;
        self
    }

    fn current(&self, state: Option<&State>, now: Timestamp) -> Window {
        let now = now.as_micros();
        let current = match self.windows {
            Windows::EpochAligned => now.saturating_sub(now.checked_rem(self.period).unwrap_or(0)),
            Windows::FirstHit => now,
        };
        let fresh = Window { begins: current, used: 0, moved: false };
        let Some((begins, used)) = state.and_then(|state| Some((state.word(0)?, state.word(1)?))) else { return fresh };
        if begins > now {
            // The clock went back. What was used stays used, in a window that ends within a period.
            return Window { begins: current, used, moved: true };
        }
        if now.saturating_sub(begins) >= self.period { fresh } else { Window { begins, used, moved: false } }
    }

    fn decide(&self, window: &Window, now: Timestamp, verdict: Verdict) -> Decision {
        let remaining = self.limit.saturating_sub(window.used);
        let ends = Timestamp::from_micros(window.begins.saturating_add(self.period)).since(now);
        let decision = match verdict {
            Verdict::Passed => Decision::passed(self.limit, remaining),
            Verdict::Refused => Decision::refused(self.limit, remaining, ends),
            Verdict::Never => Decision::never(self.limit, remaining),
        };
        let after = if window.used == 0 { Duration::ZERO } else { ends };
        decision.next_after(after).full_after(after)
    }

    fn use_up(&self, window: Window, now: Timestamp, used: u64) -> Step {
        let window = Window { used, ..window };
        let decision = self.decide(&window, now, Verdict::Passed);
        if used == 0 { Step::clear(decision) } else { Step::set(decision, [window.begins, used].into()) }
    }

    fn stay(&self, window: &Window, now: Timestamp, verdict: Verdict) -> Step {
        let decision = self.decide(window, now, verdict);
        if window.moved { Step::set(decision, [window.begins, window.used].into()) } else { Step::keep(decision) }
    }
}

#[derive(Clone, Copy)]
enum Verdict {
    Passed,
    Refused,
    Never,
}

impl Algorithm for FixedWindow {
    fn id(&self) -> AlgorithmId {
        let name = match self.windows {
            Windows::EpochAligned => "fixed_window",
            Windows::FirstHit => "fixed_window.first_hit",
        };
        AlgorithmId::new(name, 1, &[self.limit, self.period])
    }

    fn step(&self, state: Option<&State>, now: Timestamp, op: Op) -> Step {
        let window = self.current(state, now);
        let used = window.used;
        let fits = |cost: u64| used.checked_add(cost).is_some_and(|sum| sum <= self.limit);
        match op {
            Op::Take(0) => self.stay(&window, now, Verdict::Passed),
            Op::Take(cost) if cost > self.limit => self.stay(&window, now, Verdict::Never),
            Op::Take(cost) if fits(cost) => self.use_up(window, now, used.saturating_add(cost)),
            Op::Take(_) => self.stay(&window, now, Verdict::Refused),
            Op::Give(units) => self.use_up(window, now, used.saturating_sub(units)),
            Op::Force(cost) => self.use_up(window, now, used.saturating_add(cost)),
            Op::Reset => self.use_up(window, now, 0),
            Op::Peek => self.stay(&window, now, if fits(1) { Verdict::Passed } else { Verdict::Refused }),
        }
    }

    fn expires_after(&self, state: &State, now: Timestamp) -> Duration {
        let window = self.current(Some(state), now);
        self.decide(&window, now, Verdict::Passed).full_after
    }

    fn window(&self) -> Option<Duration> {
        Some(Duration::from_micros(self.period))
    }

    fn is_windowed(&self) -> bool {
        true
    }
}
