//! Calendar months in UTC. Pure: `now` comes in, a period comes out.

use std::fmt;

use jiff::{ToSpan as _, civil::Date, tz::Offset};

use crate::time::Timestamp;

/// One calendar month in UTC: the time for which an allowance counts.
///
/// A period is part of what usage is stored under, so a new month begins at zero without anything
/// having to be reset.
///
/// ```
/// use portcullis::{quota::Period, time::Timestamp};
///
/// let period = Period::month_of(Timestamp::from_secs(1_700_000_000));
/// assert_eq!(period.to_string(), "2023-11");
/// assert_eq!(period.ends_at().to_rfc3339(), "2023-12-01T00:00:00.000000Z");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    year: u16,
    month: u8,
    starts_at: Timestamp,
    ends_at: Timestamp,
}

impl Period {
    /// The last month that RFC 3339 can write has no end.
    const LAST: Self =
        Self { year: 9999, month: 12, starts_at: Timestamp::from_secs(253_399_622_400), ends_at: Timestamp::MAX };

    /// The month in which `time` (wall clock) lies.
    pub fn month_of(time: Timestamp) -> Self {
        Self::compute(time).unwrap_or(Self::LAST)
    }

    fn compute(time: Timestamp) -> Option<Self> {
        let micros = i64::try_from(time.as_micros()).ok()?;
        let time = jiff::Timestamp::from_microsecond(micros).ok()?;
        let first = Offset::UTC.to_datetime(time).date().first_of_month();
        let next = first.checked_add(1.month()).ok()?;
        Some(Self {
            year: u16::try_from(first.year()).ok()?,
            month: u8::try_from(first.month()).ok()?,
            starts_at: midnight(first)?,
            ends_at: midnight(next)?,
        })
    }

    /// The month as a number: the year, then two digits.
    pub fn id(&self) -> u32 {
        u32::from(self.year).saturating_mul(100).saturating_add(u32::from(self.month))
    }

    /// The first microsecond of the month.
    pub fn starts_at(&self) -> Timestamp {
        self.starts_at
    }

    /// The first microsecond of the next month.
    pub fn ends_at(&self) -> Timestamp {
        self.ends_at
    }

    /// Whether `time` lies in it.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.starts_at <= time && time < self.ends_at
    }
}

/// `2026-11`.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

fn midnight(date: Date) -> Option<Timestamp> {
    let time = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    u64::try_from(time.as_microsecond()).ok().map(Timestamp::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn at(text: &str) -> Timestamp {
        let time: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_micros(u64::try_from(time.as_microsecond()).unwrap())
    }

    #[test]
    fn the_edges_of_months_are_exact() {
        for (last, month, next) in [
            ("2026-01-31T23:59:59.999999Z", "2026-01", "2026-02"),
            ("2026-02-28T23:59:59.999999Z", "2026-02", "2026-03"),
            ("2028-02-29T23:59:59.999999Z", "2028-02", "2028-03"),
            ("2100-02-28T23:59:59.999999Z", "2100-02", "2100-03"),
            ("2026-04-30T23:59:59.999999Z", "2026-04", "2026-05"),
            ("2026-12-31T23:59:59.999999Z", "2026-12", "2027-01"),
            ("1970-01-31T23:59:59.999999Z", "1970-01", "1970-02"),
        ] {
            let period = Period::month_of(at(last));
            assert_eq!(period.to_string(), month);
            assert_eq!(period.ends_at().as_micros(), at(last).as_micros() + 1);
            assert!(period.contains(at(last)) && !period.contains(period.ends_at()));
            let after = Period::month_of(period.ends_at());
            assert_eq!((after.to_string().as_str(), after.starts_at()), (next, period.ends_at()));
        }
        // 28 February of a leap year is not its end.
        assert_eq!(Period::month_of(at("2028-02-28T23:59:59.999999Z")).ends_at(), at("2028-03-01T00:00:00Z"));
    }

    #[test]
    fn the_ends_of_time_have_a_month_too() {
        assert_eq!(Period::month_of(Timestamp::EPOCH).to_string(), "1970-01");
        assert_eq!(Period::month_of(Timestamp::MAX), Period::LAST);
        assert_eq!(Period::month_of(at("9999-12-15T00:00:00Z")), Period::LAST);
        assert_eq!(Period::LAST.starts_at(), at("9999-12-01T00:00:00Z"));
        assert_eq!(Period::month_of(at("9999-11-30T23:59:59Z")).ends_at(), Period::LAST.starts_at());
    }

    proptest::proptest! {
        #[test]
        fn every_time_lies_in_its_month_and_months_abut(micros in proptest::prelude::any::<u64>()) {
            // Half of the cases in this century, where it matters.
            for micros in [micros, micros % 4_102_444_800_000_000] {
                let time = Timestamp::from_micros(micros);
                let period = Period::month_of(time);
                proptest::prop_assert!(period.contains(time) || time == Timestamp::MAX);
                proptest::prop_assert!((1..=12).contains(&period.month));
                let days = period.ends_at().since(period.starts_at()).as_secs() / 86_400;
                proptest::prop_assert!((28..=31).contains(&days) || period == Period::LAST);
                if period != Period::LAST {
                    proptest::prop_assert_eq!(Period::month_of(period.ends_at()).starts_at(), period.ends_at());
                }
            }
        }
    }
}
