use std::fmt;

use jiff::{civil::DateTime, tz::TimeZone};

use crate::time::Timestamp;

/// A day of the calendar, or a second of one, in UTC.
///
/// Dates in header fields are written from it, never by hand: a weekday that does not belong to the day
/// cannot be said.
///
/// ```
/// use portcullis::versioning::UtcDate;
///
/// let last = UtcDate::new(2025, 12, 31).end_of_day();
/// assert_eq!(last.timestamp().map(|time| time.to_http_date()).as_deref(), Some("Wed, 31 Dec 2025 23:59:59 GMT"));
/// // There is no such day: a layer with it does not build.
/// assert_eq!(UtcDate::new(2025, 2, 29).timestamp(), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UtcDate {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
}

impl UtcDate {
    /// The first second of a day; the months and days count from 1.
    pub const fn new(year: i16, month: i8, day: i8) -> Self {
        Self { year, month, day, hour: 0, minute: 0, second: 0 }
    }

    /// This second of the day.
    #[must_use]
    pub const fn at(mut self, hour: i8, minute: i8, second: i8) -> Self {
        (self.hour, self.minute, self.second) = (hour, minute, second);
        self
    }

    /// The last second of the day.
    #[must_use]
    pub const fn end_of_day(self) -> Self {
        self.at(23, 59, 59)
    }

    /// The point in time; `None` if the calendar has no such day, the day no such second, or it lies
    /// before 1970.
    pub fn timestamp(self) -> Option<Timestamp> {
        let Self { year, month, day, hour, minute, second } = self;
        let time = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
        let time = TimeZone::UTC.to_timestamp(time).ok()?;
        u64::try_from(time.as_second()).ok().map(Timestamp::from_secs)
    }
}

impl fmt::Display for UtcDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02}")?;
        if (*hour, *minute, *second) != (0, 0, 0) {
            write!(f, "T{hour:02}:{minute:02}:{second:02}Z")?;
        }
        Ok(())
    }
}

impl fmt::Debug for UtcDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UtcDate({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_are_none_are_none() {
        for date in [
            UtcDate::new(2025, 2, 29),
            UtcDate::new(2025, 13, 1),
            UtcDate::new(2025, 0, 1),
            UtcDate::new(2025, 4, 31),
            UtcDate::new(2025, 1, 1).at(24, 0, 0),
            UtcDate::new(2025, 1, 1).at(0, 0, 60),
            UtcDate::new(2025, -1, -1),
            UtcDate::new(1969, 12, 31),
            UtcDate::new(i16::MIN, 1, 1),
        ] {
            assert_eq!(date.timestamp(), None, "{date}");
        }
        assert_eq!(UtcDate::new(2024, 2, 29).timestamp(), Some(Timestamp::from_secs(1_709_164_800)));
        assert_eq!(UtcDate::new(1970, 1, 1).timestamp(), Some(Timestamp::EPOCH));
    }

    proptest::proptest! {
        /// The weekday is that of the day, by another calculation (Zeller's congruence).
        #[test]
        #[allow(clippy::arithmetic_side_effects, reason = "small numbers")]
        fn the_weekday_is_always_right(year in 1970_i16..9999, month in 1_i8..=12, day in 1_i8..=28) {
            let written = UtcDate::new(year, month, day).timestamp().unwrap().to_http_date();
            let (y, m) = if month < 3 { (i32::from(year) - 1, i32::from(month) + 12) } else { (year.into(), month.into()) };
            let weekday = (i32::from(day) + 13 * (m + 1) / 5 + y + y / 4 - y / 100 + y / 400) % 7;
            let name = ["Sat", "Sun", "Mon", "Tue", "Wed", "Thu", "Fri"][usize::try_from(weekday).unwrap()];
            proptest::prop_assert!(written.starts_with(name), "{}", written);
        }
    }
}
