use std::{sync::Arc, time::Duration};

use super::{
    Algorithm, AlgorithmId, Decision, Inherit, Language, Op, Program, Step, inherit, program::Origin, step::LATE,
    verdict::Verdict,
};
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
    /// For each key at another offset from the multiples of the period, which follows from the key:
    /// callers who wait for their windows' end do not all come back at the same instant. (The offset
    /// is a hash of the key. A remote store that runs programs of its own needs compare-and-swap for
    /// it.)
    Spread,
}

/// So many requests in each window of time.
///
/// **When**: where the window is part of the promise ("so many each calendar minute"), or must be
/// explained to people. **Worst case in any span of one period**: twice the limit, within an instant:
/// at the end of one window and the beginning of the next. **State**: two words, the window and what
/// was used of it; none where nothing was used. **Cost**: a few nanoseconds, no allocation.
/// **Source**: folklore.
///
/// What is given back after the window is over is not gained. A forced charge may exceed the limit;
/// the excess is forgotten with the window.
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

    /// The window that holds `now`, of those that begin `phase` after the multiples of the period.
    fn begin_of(&self, now: u64, phase: u64) -> u64 {
        match self.windows {
            Windows::FirstHit => now,
            Windows::EpochAligned | Windows::Spread => {
                let into = now.wrapping_sub(phase).checked_rem(self.period).unwrap_or(0);
                if now < phase { 0 } else { now.saturating_sub(into) }
            }
        }
    }

    fn current(&self, state: Option<&State>, now: Timestamp) -> Window {
        let now = now.as_micros();
        let held = state.and_then(|state| Some((state.word(0)?, state.word(1)?)));
        let Some((begins, used)) = held else { return self.fresh(now, 0) };
        // A key's windows go on as they began.
        let phase = match self.windows {
            Windows::Spread => begins.checked_rem(self.period).unwrap_or(0),
            Windows::EpochAligned | Windows::FirstHit => 0,
        };
        if begins.saturating_sub(now) > LATE {
            // The clock went back. What was used stays used, in a window that ends within a period.
            return Window { used, moved: true, ..self.fresh(now, phase) };
        }
        if now.saturating_sub(begins) >= self.period {
            return self.fresh(now, phase);
        }
        // Who is a little late asks of the window that has begun meanwhile: to go back to the last one would
        // have the next request begin this one anew.
        Window { begins, used, moved: false }
    }

    fn fresh(&self, now: u64, phase: u64) -> Window {
        Window { begins: self.begin_of(now, phase), used: 0, moved: false }
    }

    fn ends_after(&self, window: &Window, now: Timestamp) -> Duration {
        Timestamp::from_micros(window.begins.saturating_add(self.period)).since(now)
    }

    fn decide(&self, window: &Window, now: Timestamp, verdict: Verdict) -> Decision {
        let after = if window.used == 0 { Duration::ZERO } else { self.ends_after(window, now) };
        verdict.decision(self.limit, self.limit.saturating_sub(window.used)).next_after(after).full_after(after)
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

    fn step_in(&self, window: Window, now: Timestamp, op: Op) -> Step {
        let used = window.used;
        let fits = |cost: u64| used.checked_add(cost).is_some_and(|sum| sum <= self.limit);
        let refused = || Verdict::Refused(self.ends_after(&window, now));
        match op.at_once() {
            Op::Take(0) => self.stay(&window, now, Verdict::Passed),
            Op::Take(cost) if cost > self.limit => self.stay(&window, now, Verdict::Never),
            Op::Take(cost) if fits(cost) => self.use_up(window, now, used.saturating_add(cost)),
            Op::Take(_) => self.stay(&window, now, refused()),
            Op::Give(units) => self.use_up(window, now, used.saturating_sub(units)),
            Op::Force(cost) => self.use_up(window, now, used.saturating_add(cost)),
            Op::Reset => self.use_up(window, now, 0),
            _ => self.stay(&window, now, if fits(1) { Verdict::Passed } else { refused() }),
        }
    }
}

impl Algorithm for FixedWindow {
    fn id(&self) -> AlgorithmId {
        let name = match self.windows {
            Windows::EpochAligned => "fixed_window",
            Windows::FirstHit => "fixed_window.first_hit",
            Windows::Spread => "fixed_window.spread",
        };
        AlgorithmId::new(name, 1, &[self.limit, self.period])
    }

    fn step(&self, state: Option<&State>, now: Timestamp, op: Op) -> Step {
        self.step_in(self.current(state, now), now, op)
    }

    fn begin(&self, spread: &dyn Fn() -> u64, now: Timestamp, op: Op) -> Step {
        let phase = match self.windows {
            Windows::Spread => spread().checked_rem(self.period).unwrap_or(0),
            Windows::EpochAligned | Windows::FirstHit => 0,
        };
        self.step_in(self.fresh(now.as_micros(), phase), now, op)
    }

    fn expires_after(&self, state: &State, now: Timestamp) -> Duration {
        let window = self.current(Some(state), now);
        self.decide(&window, now, Verdict::Passed).full_after
    }

    fn leasable(&self) -> Option<Arc<dyn Algorithm>> {
        Some(Arc::new(self.clone()))
    }

    fn program(&self, language: Language) -> Option<Program> {
        const LUA: &str = include_str!("lua/fixed_window.lua");
        let aligned = match self.windows {
            Windows::EpochAligned => 1,
            Windows::FirstHit => 0,
            // The script is not told where a key's windows begin.
            Windows::Spread => return None,
        };
        (language == Language::Lua).then(|| Program::of(Origin::BuiltIn, LUA, [self.limit, self.period, aligned]))
    }

    fn window(&self) -> Option<Duration> {
        Some(Duration::from_micros(self.period))
    }

    fn is_windowed(&self) -> bool {
        true
    }

    /// What was used stays in its window.
    fn migrate(&self, state: &State, from: &dyn Algorithm, how: Inherit, now: Timestamp) -> Option<State> {
        let old = from.step(Some(state), now, Op::Peek).decision.limit;
        match (how, state.words()) {
            (Inherit::Reset, _) => None,
            (Inherit::Proportional, [begins, used]) => {
                Some([*begins, inherit::carried(how, (*used).min(old), old, self.limit)].into())
            }
            _ => Some(state.clone()),
        }
    }
}
