//! Points in time, and where they come from.
//!
//! portcullis reads a clock once per request, and again for the rate limits that come after a gate which has
//! waited. The reading holds two values, because two kinds of
//! question are asked of it:
//!
//! * **monotonic**: never goes back. Rates are computed with it, so that an operator (or NTP) who
//!   sets the clock neither refills nor drains a bucket.
//! * **wall**: the world's time. `exp`, webhook windows, calendar quotas and audit records use it.
//!
//! Both are [`Timestamp`]s: microseconds since the Unix epoch. Everything that decides takes `now`
//! as an argument; only this module reads a clock.
//!
//! ```
//! use std::time::Duration;
//! use portcullis::time::{Clock, ManualClock, Timestamp};
//!
//! let clock = ManualClock::at(Timestamp::from_secs(1_700_000_000));
//! clock.advance(Duration::from_millis(1_500));
//! assert_eq!(clock.now().wall, Timestamp::from_micros(1_700_000_001_500_000));
//! ```

mod clock;

use std::{fmt, time::Duration};

pub use self::clock::{Clock, ManualClock, Now, SystemClock};

/// For how much longer what counts once is remembered than it could be used by the clock of this instance:
/// another one's may be behind, and this one's may be set back.
pub(crate) const SKEW: Duration = Duration::from_secs(60);

/// A point in time: whole microseconds since 1970-01-01T00:00:00Z (the Unix epoch).
///
/// Arithmetic saturates: a time before the epoch is the epoch, one after the year 586,000 is
/// [`Timestamp::MAX`]. Nothing here panics or wraps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);
    /// The last representable microsecond.
    pub const MAX: Self = Self(u64::MAX);

    /// `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// `secs` seconds after the Unix epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Whole microseconds since the Unix epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole seconds since the Unix epoch, rounded up: what a header that says "not before" needs.
    pub const fn as_secs_ceil(self) -> u64 {
        self.0.div_ceil(1_000_000)
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// `self` plus `duration`, which is rounded up to a microsecond.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros_ceil(duration)))
    }

    /// `self` minus `duration`, which is rounded up to a microsecond.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros_ceil(duration)))
    }

    /// RFC 3339 in UTC with microseconds, for example `2026-11-21T08:05:00.000000Z`.
    ///
    /// Times after the year 9999, which RFC 3339 cannot write, are shown as its last day.
    pub fn to_rfc3339(self) -> String {
        let micros = i64::try_from(self.0).unwrap_or(i64::MAX);
        let time = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::MAX);
        format!("{time:.6}")
    }

    /// The `IMF-fixdate` of RFC 9110 §5.6.7, for example `Sun, 06 Nov 1994 08:49:37 GMT`. Rounded
    /// down to a second; times after the year 9999 are shown as its last day.
    pub fn to_http_date(self) -> String {
        let secs = i64::try_from(self.as_secs()).unwrap_or(i64::MAX);
        let time = jiff::Timestamp::from_second(secs).unwrap_or(jiff::Timestamp::MAX);
        time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }
}

/// A duration in microseconds, rounded up and saturating.
pub(crate) fn micros_ceil(duration: Duration) -> u64 {
    // In two halves: a division of 128 bits costs more than a whole decision.
    let part = u64::from(duration.subsec_nanos().div_ceil(1_000));
    duration.as_secs().saturating_mul(1_000_000).saturating_add(part)
}

/// A duration in whole seconds, rounded up: `Retry-After` must never be earlier than the truth.
pub(crate) fn secs_ceil(duration: Duration) -> u64 {
    micros_ceil(duration).div_ceil(1_000_000)
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({})", self.to_rfc3339())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_is_utc_with_microseconds() {
        assert_eq!(Timestamp::from_micros(1_700_000_000_000_001).to_rfc3339(), "2023-11-14T22:13:20.000001Z");
        assert_eq!(Timestamp::EPOCH.to_rfc3339(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(Timestamp::MAX.to_rfc3339(), "9999-12-30T22:00:00.999999Z");
    }

    /// The example of RFC 9110 §5.6.7.
    #[test]
    fn http_dates_are_imf_fixdates() {
        assert_eq!(Timestamp::from_secs(784_111_777).to_http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(Timestamp::MAX.to_http_date().len(), 29);
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::MAX.saturating_add(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::EPOCH.saturating_sub(Duration::from_secs(1)), Timestamp::EPOCH);
        assert_eq!(Timestamp::from_secs(u64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::EPOCH.since(Timestamp::MAX), Duration::ZERO);
    }

    #[test]
    fn durations_are_rounded_up() {
        assert_eq!(micros_ceil(Duration::from_nanos(1)), 1);
        assert_eq!(secs_ceil(Duration::from_micros(1_000_001)), 2);
        assert_eq!(secs_ceil(Duration::from_secs(3)), 3);
    }
}
