use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{Timestamp, micros_ceil};

/// One reading of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Never goes back; starts at the wall clock's value when the clock was made.
    pub monotonic: Timestamp,
    /// The world's time.
    pub wall: Timestamp,
}

/// Where `now` comes from. [`SystemClock`] in production, [`ManualClock`] in tests.
///
/// ```
/// use portcullis::time::{Clock, Now, Timestamp};
///
/// /// A clock for replaying a trace.
/// #[derive(Debug)]
/// struct Frozen(Timestamp);
///
/// impl Clock for Frozen {
///     fn now(&self) -> Now {
///         Now { monotonic: self.0, wall: self.0 }
///     }
/// }
/// assert_eq!(Frozen(Timestamp::EPOCH).now().wall, Timestamp::EPOCH);
/// ```
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Reads the clock. Must not block; `monotonic` must never be smaller than before.
    fn now(&self) -> Now;
}

/// The machine's clock.
///
/// One reading costs one `clock_gettime`: the wall time is the monotonic time plus an offset, and
/// the offset is read anew at most every 100 ms of monotonic time. A step of the machine's clock
/// is therefore seen within 100 ms.
#[derive(Clone, Debug)]
pub struct SystemClock {
    shared: Arc<Anchor>,
}

#[derive(Debug)]
struct Anchor {
    started: Instant,
    started_wall: u64,
    /// Wall time minus monotonic time, in microseconds, wrapping: the wall may be behind.
    offset: AtomicU64,
    /// When, in monotonic time, the offset is to be read again.
    refresh_at: AtomicU64,
}

const REFRESH_EVERY: u64 = 100_000;

impl SystemClock {
    /// A clock that starts now.
    pub fn new() -> Self {
        let wall = wall_micros();
        #[expect(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
        let started = Instant::now();
        Self {
            shared: Arc::new(Anchor {
                started,
                started_wall: wall,
                offset: AtomicU64::new(0),
                refresh_at: AtomicU64::new(wall.saturating_add(REFRESH_EVERY)),
            }),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let anchor = &self.shared;
        let elapsed = micros_floor(anchor.started.elapsed());
        let monotonic = anchor.started_wall.saturating_add(elapsed);
        if monotonic >= anchor.refresh_at.load(Relaxed) {
            anchor.offset.store(wall_micros().wrapping_sub(monotonic), Relaxed);
            anchor.refresh_at.store(monotonic.saturating_add(REFRESH_EVERY), Relaxed);
        }
        Now {
            monotonic: Timestamp::from_micros(monotonic),
            wall: Timestamp::from_micros(monotonic.wrapping_add(anchor.offset.load(Relaxed))),
        }
    }
}

fn micros_floor(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A machine whose clock stands before 1970 is treated as standing at the epoch.
fn wall_micros() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).map_or(0, micros_floor)
}

/// A clock that moves only when told to. Clones share the time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    monotonic: Arc<AtomicU64>,
    wall: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock that stands at `time` (both readings).
    pub fn at(time: Timestamp) -> Self {
        Self { monotonic: Arc::new(AtomicU64::new(time.as_micros())), wall: Arc::new(AtomicU64::new(time.as_micros())) }
    }

    /// Moves both readings forward.
    pub fn advance(&self, by: Duration) {
        let by = micros_ceil(by);
        for reading in [&self.monotonic, &self.wall] {
            let later = reading.load(Relaxed).saturating_add(by);
            reading.store(later, Relaxed);
        }
    }

    /// Sets the wall reading alone, forwards or back, as an operator or NTP does.
    pub fn set_wall(&self, time: Timestamp) {
        self.wall.store(time.as_micros(), Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        Now {
            monotonic: Timestamp::from_micros(self.monotonic.load(Relaxed)),
            wall: Timestamp::from_micros(self.wall.load(Relaxed)),
        }
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Now {
        (**self).now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_clock_follows_the_machine() {
        let clock = SystemClock::new();
        let first = clock.now();
        let second = clock.now();
        assert!(second.monotonic >= first.monotonic);
        let machine = Timestamp::from_micros(wall_micros());
        assert!(machine.since(second.wall) < Duration::from_secs(1), "{machine} {second:?}");
        assert!(second.wall.since(machine) < Duration::from_secs(1));
    }

    #[test]
    fn wall_is_anchored_again() {
        let clock = SystemClock::new();
        // As if the machine had been set back by an hour since the last anchoring.
        clock.shared.offset.store(3_600_000_000, Relaxed);
        clock.shared.refresh_at.store(0, Relaxed);
        let now = clock.now();
        assert!(now.wall.since(Timestamp::from_micros(wall_micros())) < Duration::from_secs(1));
    }

    #[test]
    fn manual_clock_steps_wall_alone() {
        let clock = ManualClock::at(Timestamp::from_secs(100));
        clock.set_wall(Timestamp::from_secs(50));
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), Now { monotonic: Timestamp::from_secs(101), wall: Timestamp::from_secs(51) });
    }
}
