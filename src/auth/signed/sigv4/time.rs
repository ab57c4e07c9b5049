//! The times of a signature. Pure.

use std::time::Duration;

use super::authorization::is_stamp;
use crate::time::Timestamp;

/// Beyond this a date is no date.
const MAX_DATE: usize = 64;
/// What AWS allows a presigned URL.
pub(super) const MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3_600);

/// `20150830T123600Z`; `None` if it is another text, or no time.
pub(crate) fn of_stamp(stamp: &str) -> Option<Timestamp> {
    if !is_stamp(stamp) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| stamp.get(range);
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    let (hour, minute, second) = (part(9..11)?, part(11..13)?, part(13..15)?);
    let time: jiff::Timestamp = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z").parse().ok()?;
    Some(Timestamp::from_secs(u64::try_from(time.as_second()).ok()?))
}

/// The value of a `Date` header: as HTTP has it (RFC 9110 §5.6.7), or as a stamp. Gives the stamp,
/// too, which is what is signed.
pub(super) fn of_date(value: &[u8]) -> Option<(Timestamp, String)> {
    let text = std::str::from_utf8(value).ok()?.trim_matches(' ');
    if let Some(time) = of_stamp(text) {
        return Some((time, text.to_owned()));
    }
    if text.len() > MAX_DATE || !text.ends_with(" GMT") {
        return None;
    }
    let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    let time = Timestamp::from_secs(u64::try_from(time.as_second()).ok()?);
    Some((time, to_stamp(time)))
}

/// The inverse of [`of_stamp`].
pub(crate) fn to_stamp(time: Timestamp) -> String {
    time.to_rfc3339().chars().filter(|letter| !matches!(letter, '-' | ':')).take(15).chain(['Z']).collect()
}

/// The life of a presigned URL: 1 s to 7 days.
pub(super) fn lifetime(seconds: &str) -> Option<Duration> {
    let digits = seconds.bytes().all(|byte| byte.is_ascii_digit());
    let life = Duration::from_secs(seconds.parse().ok().filter(|_| digits)?);
    (life > Duration::ZERO && life <= MAX_LIFETIME).then_some(life)
}

/// Whether `now` lies within `past` after, and `future` before `time`.
pub(in crate::auth::signed) fn is_within(time: Timestamp, now: Timestamp, past: Duration, future: Duration) -> bool {
    now.since(time) <= past && time.since(now) <= future
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stamps_are_times() {
        assert_eq!(of_stamp("20150830T123600Z"), Some(Timestamp::from_secs(1_440_938_160)));
        assert_eq!(to_stamp(Timestamp::from_secs(1_440_938_160)), "20150830T123600Z");
        for bad in
            ["20151330T123600Z", "20150832T123600Z", "20150830T243600Z", "20150229T000000Z", "19690101T000000Z", ""]
        {
            assert_eq!(of_stamp(bad), None, "{bad}");
        }
    }

    #[test]
    fn dates_of_http_are_times() {
        let expected = Some((Timestamp::from_secs(1_618_884_475), "20210420T020755Z".to_owned()));
        assert_eq!(of_date(b"Tue, 20 Apr 2021 02:07:55 GMT"), expected);
        assert_eq!(of_date(b"20210420T020755Z"), expected);
        for bad in [
            &b"Tue, 20 Apr 2021 02:07:55"[..],
            b"Tue, 20 Apr 2021 02:07:55 +0200",
            b"Tue, 32 Apr 2021 02:07:55 GMT",
            b"\xff GMT",
            b"",
            b"1618884475",
        ] {
            assert_eq!(of_date(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn lifetimes_are_bounded_sigv4() {
        assert_eq!(lifetime("604800"), Some(MAX_LIFETIME));
        assert_eq!(lifetime("1"), Some(Duration::from_secs(1)));
        for bad in ["0", "604801", "-1", "+1", "1.5", "", "99999999999999999999"] {
            assert_eq!(lifetime(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_stamp_is_read_as_it_was_written(seconds in 0..4_102_444_800_u64) {
            let time = Timestamp::from_secs(seconds);
            prop_assert_eq!(of_stamp(&to_stamp(time)), Some(time));
        }

        #[test]
        fn nothing_panics(value in proptest::collection::vec(any::<u8>(), 0..80), text in "\\PC{0,20}") {
            let _ = (of_date(&value), of_stamp(&text), lifetime(&text));
        }
    }
}
