//! When to stop sending requests to what stands behind.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{config_error::ConfigIssues, time::Timestamp};

/// Turns requests away while what stands behind is overloaded: too many requests under way, too many
/// slow responses, or too many server errors. Refusals are 503 with `Retry-After`, of the problem type
/// `temporary-reduced-capacity`.
///
/// * **Under way** ([`max_in_flight`](Breaker::max_in_flight)): one more than so many is refused, at once
///   and for that instant.
/// * **Slow or failed** ([`slow`](Breaker::slow), [`failures`](Breaker::failures)): if more than the share
///   of the responses of a window are, the breaker opens: all requests are refused for a pause. Then it
///   is half open: a few probes are let through, and all others refused. If all probes do well, it
///   closes; if one does not, it opens again. A probe of which nothing is heard in a pause is given up
///   for another.
///
/// A request that a rule refuses, or whose client goes away, says nothing about what stands behind. A
/// response counts when it is there, whatever its body takes.
///
/// ```
/// use std::time::Duration;
/// use portcullis::{backend::memory::MemoryStore, rate_limit::{Breaker, Key, Rate, RateLimitLayer, Rule}};
///
/// let layer = RateLimitLayer::builder(MemoryStore::new())
///     .rule(Rule::new("capacity", Key::global(), Rate::per_second(10_000)))
///     .breaker(Breaker::new().max_in_flight(1_000).failures(50).slow(Duration::from_secs(2), 80))
///     .build()?;
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Breaker {
    in_flight: Option<u64>,
    slow: Option<(Duration, u8)>,
    failures: Option<u8>,
    window: Duration,
    least: u64,
    pause: Duration,
    probes: u64,
}

impl Breaker {
    /// Nothing is watched yet. Windows of 10 s with at least 20 responses, a pause of 5 s, 3 probes.
    pub const fn new() -> Self {
        Self {
            in_flight: None,
            slow: None,
            failures: None,
            window: Duration::from_secs(10),
            least: 20,
            pause: Duration::from_secs(5),
            probes: 3,
        }
    }

    /// At most so many requests under way at once.
    pub const fn max_in_flight(mut self, requests: u64) -> Self {
        self.in_flight = Some(requests);
        self
    }

    /// Opens when at least `percent` of a window's responses took `duration` or longer.
    pub const fn slow(mut self, duration: Duration, percent: u8) -> Self {
        self.slow = Some((duration, percent));
        self
    }

    /// Opens when at least `percent` of a window's responses are server errors (5xx), or none because
    /// the service failed.
    pub const fn failures(mut self, percent: u8) -> Self {
        self.failures = Some(percent);
        self
    }

    /// How long a window is, and how many responses it must have before it is judged. Default: 10 s, 20.
    pub const fn window(mut self, duration: Duration, least: u64) -> Self {
        self.window = duration;
        self.least = least;
        self
    }

    /// How long it stays open, and how many probes must do well before it closes. Default: 5 s, 3.
    pub const fn pause(mut self, duration: Duration, probes: u64) -> Self {
        self.pause = duration;
        self.probes = probes;
        self
    }

    pub(super) fn check(&self, issues: &mut ConfigIssues) {
        if self.in_flight.is_none() && self.slow.is_none() && self.failures.is_none() {
            issues.add("breaker", "it watches nothing", "say max_in_flight, slow or failures");
        }
        let share = |percent: Option<u8>| percent.is_some_and(|percent| !(1..=100).contains(&percent));
        if share(self.failures) || share(self.slow.map(|(_, percent)| percent)) {
            issues.add("breaker", "the share is none", "use 1 to 100 percent");
        }
        let span = |duration: Duration| duration.is_zero() || duration > Duration::from_secs(3_600);
        if span(self.window) || span(self.pause) || self.slow.is_some_and(|(duration, _)| span(duration)) {
            issues.add("breaker", "a time is zero, or longer than an hour", "use some seconds");
        }
        if self.in_flight == Some(0) || self.least == 0 || self.probes == 0 {
            issues.add("breaker", "a number is zero", "use 1 or more");
        }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        until: Timestamp,
    },
    /// So many probes are under way, and so many did well.
    HalfOpen {
        sent: u64,
        well: u64,
        since: Timestamp,
    },
}

/// What is counted. The same readings give the same answers.
#[derive(Debug)]
struct Counts {
    state: State,
    /// Raised whenever the state changes: who was let through before says nothing about it any more.
    epoch: u64,
    under_way: u64,
    window: Timestamp,
    responses: u64,
    slow: u64,
    failed: u64,
}

/// How a request that was let through ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With a response, after so long.
    Response { failed: bool, took: Duration },
    /// Nothing is known of what stands behind.
    Unknown,
}

/// A breaker at work.
pub(super) struct Watched {
    settings: Breaker,
    counts: Mutex<Counts>,
}

/// A request under way. Dropped without an ending, it says nothing.
pub(super) struct Permit {
    breaker: Arc<Watched>,
    epoch: u64,
    ended: bool,
}

impl Watched {
    pub(super) fn new(settings: Breaker) -> Self {
        let counts = Counts {
            state: State::Closed,
            epoch: 0,
            under_way: 0,
            window: Timestamp::EPOCH,
            responses: 0,
            slow: 0,
            failed: 0,
        };
        Self { settings, counts: Mutex::new(counts) }
    }

    /// Lets a request through, or says how long to wait.
    pub(super) fn enter(self: &Arc<Self>, now: Timestamp) -> Result<Permit, Duration> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if self.settings.in_flight.is_some_and(|most| counts.under_way >= most) {
            return Err(Duration::from_secs(1));
        }
        counts.admit(&self.settings, now)?;
        counts.under_way = counts.under_way.saturating_add(1);
        Ok(Permit { breaker: Arc::clone(self), epoch: counts.epoch, ended: false })
    }
}

impl Counts {
    fn admit(&mut self, settings: &Breaker, now: Timestamp) -> Result<(), Duration> {
        if let State::Open { until } = self.state {
            // Never longer than a pause, should the clock have gone back.
            let left = until.since(now).min(settings.pause);
            if !left.is_zero() {
                return Err(left);
            }
            self.turn(State::HalfOpen { sent: 0, well: 0, since: now });
        }
        if let State::HalfOpen { sent, well, since } = self.state {
            if sent < settings.probes {
                self.state = State::HalfOpen { sent: sent.saturating_add(1), well, since };
            } else if now.since(since) >= settings.pause {
                self.turn(State::HalfOpen { sent: 1, well: 0, since: now });
            } else {
                return Err(since.saturating_add(settings.pause).since(now).min(settings.pause));
            }
        }
        Ok(())
    }

    fn turn(&mut self, state: State) {
        self.state = state;
        self.epoch = self.epoch.wrapping_add(1);
        (self.responses, self.slow, self.failed) = (0, 0, 0);
    }

    fn end(&mut self, settings: &Breaker, epoch: u64, ending: Ending, now: Timestamp) {
        self.under_way = self.under_way.saturating_sub(1);
        if epoch != self.epoch {
            return;
        }
        let Ending::Response { failed, took } = ending else {
            // Its place is another probe's.
            if let State::HalfOpen { sent, .. } = &mut self.state {
                *sent = sent.saturating_sub(1);
            }
            return;
        };
        let slow = settings.slow.is_some_and(|(limit, _)| took >= limit);
        let failed = settings.failures.is_some() && failed;
        match self.state {
            State::Closed => self.count(settings, slow, failed, now),
            State::HalfOpen { .. } if slow || failed => self.open(settings, now),
            State::HalfOpen { sent, well, since } => {
                let well = well.saturating_add(1);
                if well >= settings.probes {
                    self.turn(State::Closed);
                } else {
                    self.state = State::HalfOpen { sent, well, since };
                }
            }
            State::Open { .. } => {}
        }
    }

    fn count(&mut self, settings: &Breaker, slow: bool, failed: bool, now: Timestamp) {
        if now.since(self.window) >= settings.window || now < self.window {
            self.window = now;
            (self.responses, self.slow, self.failed) = (0, 0, 0);
        }
        self.responses = self.responses.saturating_add(1);
        self.slow = self.slow.saturating_add(slow.into());
        self.failed = self.failed.saturating_add(failed.into());
        let over = |part: u64, percent: Option<u8>| {
            percent.is_some_and(|percent| part.saturating_mul(100) >= self.responses.saturating_mul(percent.into()))
        };
        let ill = over(self.failed, settings.failures) || over(self.slow, settings.slow.map(|(_, percent)| percent));
        if ill && self.responses >= settings.least {
            self.open(settings, now);
        }
    }

    fn open(&mut self, settings: &Breaker, now: Timestamp) {
        self.turn(State::Open { until: now.saturating_add(settings.pause) });
    }
}

impl Permit {
    /// The response is there, or there will be none.
    pub(super) fn end(mut self, ending: Ending, now: Timestamp) {
        self.close(ending, now);
    }

    fn close(&mut self, ending: Ending, now: Timestamp) {
        if !std::mem::replace(&mut self.ended, true) {
            let mut counts = self.breaker.counts.lock().unwrap_or_else(PoisonError::into_inner);
            counts.end(&self.breaker.settings, self.epoch, ending, now);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.close(Ending::Unknown, Timestamp::EPOCH);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
