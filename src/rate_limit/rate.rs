use std::{fmt, time::Duration};

use crate::config_error::{ConfigError, ConfigIssues};

/// So many units in each period, and how many of them at once.
///
/// `per_minute(600)` means 600 each minute. A token bucket refills at an even pace, and holds
/// `burst` units: as many as the rate's, unless [`burst`](Rate::burst) says otherwise.
///
/// ```
/// use std::time::Duration;
/// use portcullis::rate_limit::Rate;
///
/// assert_eq!(Rate::per_minute(10).burst(20).to_string(), "10 requests per minute");
/// assert_eq!(Rate::per(3, Duration::from_secs(300)).to_string(), "3 requests per 300 seconds");
/// ```
///
/// Rates, bursts and periods of zero are mistakes, which the layer's `build()` reports. So are more
/// than 10^15 units (no header can carry more), periods longer than 366 days, and buckets that take
/// more than a thousand years to fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    units: u64,
    period: Duration,
    burst: Option<u64>,
}

impl Rate {
    /// An RFC 9651 Integer has fifteen digits.
    pub(crate) const MOST: u64 = 999_999_999_999_999;
    const LONGEST: Duration = Duration::from_secs(366 * 86_400);
    /// Beyond this, debts would not fit the microseconds of a `Timestamp`.
    const SLOWEST: Duration = Duration::from_secs(1_000 * 366 * 86_400);

    /// `units` each second.
    pub const fn per_second(units: u64) -> Self {
        Self::per(units, Duration::from_secs(1))
    }

    /// `units` each minute.
    pub const fn per_minute(units: u64) -> Self {
        Self::per(units, Duration::from_secs(60))
    }

    /// `units` each hour.
    pub const fn per_hour(units: u64) -> Self {
        Self::per(units, Duration::from_secs(3_600))
    }

    /// `units` each `period`.
    pub const fn per(units: u64, period: Duration) -> Self {
        Self { units, period, burst: None }
    }

    /// How many units at once. Default: as many as come in one period.
    #[must_use]
    pub const fn burst(mut self, units: u64) -> Self {
        self.burst = Some(units);
        self
    }

    /// How many units come in one period.
    pub const fn refill(self) -> u64 {
        self.units
    }

    /// The period.
    pub const fn period(self) -> Duration {
        self.period
    }

    /// How many units at once.
    pub const fn capacity(self) -> u64 {
        match self.burst {
            Some(burst) => burst,
            None => self.units,
        }
    }

    pub(crate) fn period_nanos(self) -> u64 {
        u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX)
    }

    /// How long an empty bucket takes to fill, rounded up to a microsecond.
    pub(crate) fn refilled_in(self) -> Duration {
        let nanos = u128::from(self.period_nanos()).saturating_mul(self.capacity().into());
        let micros = nanos.div_ceil(u128::from(self.units.max(1)).saturating_mul(1_000));
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Whether a limit can be made of it: what [`rate!`](crate::rate) asks while the program is compiled.
    pub const fn is_sound(self) -> bool {
        let (most, secs) =
            (if self.units > self.capacity() { self.units } else { self.capacity() }, self.period.as_secs());
        let empty = self.units == 0 || self.capacity() == 0 || self.period.is_zero();
        let long =
            secs > Self::LONGEST.as_secs() || (secs == Self::LONGEST.as_secs() && self.period.subsec_nanos() > 0);
        if empty || long || most > Self::MOST {
            return false;
        }
        // 10^15 units of 366 days in nanoseconds are less than 2^106.
        let nanos = self.period.as_nanos().saturating_mul(self.capacity() as u128);
        let slowest = Self::SLOWEST.as_nanos().saturating_mul(self.units as u128);
        nanos <= slowest
    }

    pub(crate) fn check(self) -> Result<(), ConfigError> {
        let mut issues = ConfigIssues::new();
        if self.units == 0 {
            issues.add("rate", "zero units let nothing through", "use 1 or more");
        }
        if self.burst == Some(0) {
            issues.add("burst", "a burst of zero lets nothing through", "use 1 or more, or leave it out");
        }
        if self.period.is_zero() {
            issues.add("period", "a period of zero is no period", "use a second, a minute, an hour …");
        }
        if self.units.max(self.capacity()) > Self::MOST {
            issues.add("rate", "more than 10^15 units fit no header", "use 999999999999999 at most");
        }
        if self.period > Self::LONGEST {
            issues.add("period", "it is longer than 366 days", "use a quota for allowances of that kind");
        } else if self.refilled_in() > Self::SLOWEST {
            issues.add("burst", "the bucket takes more than a thousand years to fill", "use a smaller burst");
        }
        issues.finish(())
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.units == 1 { "" } else { "s" };
        write!(f, "{} request{plural} per ", self.units)?;
        match (self.period.as_secs(), self.period.subsec_nanos()) {
            (1, 0) => f.write_str("second"),
            (60, 0) => f.write_str("minute"),
            (3_600, 0) => f.write_str("hour"),
            (86_400, 0) => f.write_str("day"),
            (secs, 0) => write!(f, "{secs} seconds"),
            _ => write!(f, "{:?}", self.period),
        }
    }
}
