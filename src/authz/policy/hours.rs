//! Local time: what office hours are measured in. Pure.

use std::{fmt, ops::Range};

use jiff::tz::TimeZone;

use crate::{config_error::ConfigError, time::Timestamp};

/// A time zone. Hours without one are the hours of wherever the server happens to stand.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// A zone of the IANA database, `Europe/Berlin`, with its daylight saving time. Read from the
    /// machine's `/usr/share/zoneinfo`; small containers have none, see [`posix`](Self::posix).
    ///
    /// # Errors
    /// If the machine's database does not have it.
    pub fn named(name: &str) -> Result<Self, ConfigError> {
        TimeZone::get(name).map(Self).map_err(|error| {
            let cure = "correct the name, install tzdata, or spell the zone out with Zone::posix(…)";
            ConfigError::new("zone", error.to_string(), cure)
        })
    }

    /// A zone spelled out, as in POSIX's `TZ`: `CET-1CEST,M3.5.0,M10.5.0/3`. Needs no database.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn posix(text: &str) -> Result<Self, ConfigError> {
        TimeZone::posix(text).map(Self).map_err(|error| {
            let cure = "write standard name, offset west of Greenwich, and the rules of daylight saving time";
            ConfigError::new("zone", error.to_string(), cure)
        })
    }

    /// What clocks on walls show there at that time.
    pub fn at(&self, time: Timestamp) -> LocalTime {
        let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let time = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::MAX);
        let local = self.0.to_datetime(time);
        LocalTime {
            year: local.year(),
            month: local.month().unsigned_abs(),
            day: local.day().unsigned_abs(),
            hour: local.hour().unsigned_abs(),
            minute: local.minute().unsigned_abs(),
            weekday: Weekday::of(local.weekday()),
        }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Zone").field(&self.0.iana_name().unwrap_or("spelled out")).finish()
    }
}

/// What a clock on a wall shows, and the calendar beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalTime {
    /// The year.
    pub year: i16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// The day of the week.
    pub weekday: Weekday,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "their names say what they are")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    fn of(day: jiff::civil::Weekday) -> Self {
        use jiff::civil::Weekday as Day;
        match day {
            Day::Monday => Self::Monday,
            Day::Tuesday => Self::Tuesday,
            Day::Wednesday => Self::Wednesday,
            Day::Thursday => Self::Thursday,
            Day::Friday => Self::Friday,
            Day::Saturday => Self::Saturday,
            Day::Sunday => Self::Sunday,
        }
    }

    /// Monday to Friday.
    pub fn is_workday(self) -> bool {
        self <= Self::Friday
    }
}

/// Hours of the day on some days of the week, in a zone.
///
/// ```
/// use portcullis::{authz::policy::{Hours, Zone}, time::Timestamp};
///
/// let office = Hours::workdays(Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3")?, 9..17)?;
/// // Tuesday, 14 November 2023: 22:13 UTC is 23:13 in Berlin.
/// assert!(!office.include(Timestamp::from_secs(1_700_000_000)));
/// assert!(office.include(Timestamp::from_secs(1_700_000_000 - 10 * 3_600)));
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    zone: Zone,
    hours: Range<u8>,
    days: Vec<Weekday>,
}

impl Hours {
    /// From Monday to Friday. `9..17` begins at 9:00 and ends before 17:00.
    ///
    /// # Errors
    /// If the range is empty, or goes beyond 24.
    pub fn workdays(zone: Zone, hours: Range<u8>) -> Result<Self, ConfigError> {
        use Weekday::{Friday, Monday, Thursday, Tuesday, Wednesday};
        Self::on([Monday, Tuesday, Wednesday, Thursday, Friday], zone, hours)
    }

    /// On these days.
    ///
    /// # Errors
    /// If there is no day, or the range is empty, or goes beyond 24.
    pub fn on(days: impl IntoIterator<Item = Weekday>, zone: Zone, hours: Range<u8>) -> Result<Self, ConfigError> {
        let days: Vec<Weekday> = days.into_iter().collect();
        if days.is_empty() || hours.is_empty() || hours.end > 24 {
            let cure = "use hours from 0 to 24, the first before the last, on one day at least";
            return Err(ConfigError::new("hours", "there is no such time", cure));
        }
        Ok(Self { zone, hours, days })
    }

    /// Whether it is one of these hours then.
    pub fn include(&self, time: Timestamp) -> bool {
        let local = self.zone.at(time);
        self.hours.contains(&local.hour) && self.days.contains(&local.weekday)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-07-10 (a Friday) and 2026-01-09 (a Friday), at an hour of UTC.
    fn summer(hour: u64) -> Timestamp {
        Timestamp::from_secs(1_783_641_600 + hour * 3_600)
    }

    fn winter(hour: u64) -> Timestamp {
        Timestamp::from_secs(1_767_916_800 + hour * 3_600)
    }

    #[test]
    fn hours_are_local_and_know_summer_from_winter() {
        for zone in [Zone::named("Europe/Berlin").unwrap(), Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()] {
            assert_eq!((zone.at(summer(0)).month, zone.at(summer(0)).weekday), (7, Weekday::Friday));
            let office = Hours::workdays(zone, 9..17).unwrap();
            assert!(!office.include(summer(6)) && office.include(summer(7)) && office.include(summer(14)));
            assert!(!office.include(summer(15)) && !office.include(winter(7)) && office.include(winter(8)));
            // Saturday.
            assert!(!office.include(summer(24 + 8)));
        }
    }

    #[test]
    fn the_same_moment_is_another_day_elsewhere() {
        let tokyo = Zone::posix("JST-9").unwrap();
        assert_eq!(tokyo.at(summer(16)).weekday, Weekday::Saturday);
        assert_eq!(Zone::utc().at(summer(16)).weekday, Weekday::Friday);
    }

    #[test]
    fn wrong_zones_and_hours_are_mistakes() {
        assert!(Zone::named("Europe/Atlantis").is_err() && Zone::posix("tomorrow").is_err());
        assert!(Hours::workdays(Zone::utc(), 17..9).is_err() && Hours::workdays(Zone::utc(), 9..25).is_err());
        assert!(Hours::on([], Zone::utc(), 9..17).is_err() && Hours::workdays(Zone::utc(), 0..24).is_ok());
    }

    proptest! {
        #[test]
        fn any_time_is_some_hour(micros in any::<u64>()) {
            let local = Zone::named("Europe/Berlin").unwrap().at(Timestamp::from_micros(micros));
            prop_assert!(local.hour < 24 && local.minute < 60 && (1..=12).contains(&local.month));
        }
    }
}
