//! Reads a signed timestamp, and says whether it lies in the window. Pure.

use super::spec::Window;
use crate::time::{Timestamp, secs_ceil};

/// ASCII digits only: no sign, no space, no exponent, and nothing that wraps.
pub(super) fn parse_secs(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    text.bytes().try_fold(0_u64, |secs, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        secs.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Both borders are inside. Whole seconds are compared, because whole seconds are signed.
pub(super) fn is_fresh(secs: u64, now: Timestamp, window: Window) -> bool {
    let now = now.as_secs();
    secs >= now.saturating_sub(secs_ceil(window.past)) && secs <= now.saturating_add(secs_ceil(window.future))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_plain_digits() {
        assert_eq!(parse_secs("1614265330"), Some(1_614_265_330));
        assert_eq!(parse_secs("18446744073709551615"), Some(u64::MAX));
        for bad in [
            "",
            "-1",
            "+1",
            " 1",
            "1 ",
            "1.0",
            "1e9",
            "abc",
            "NaN",
            "0x10",
            "-9223372036854775808",
            "٣",
            "18446744073709551616",
            "000000000000000000001",
        ] {
            assert_eq!(parse_secs(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_window_has_two_sides() {
        let window = Window { past: Duration::from_secs(300), future: Duration::from_secs(30) };
        let now = Timestamp::from_micros(1_000_999_999);
        for (secs, fresh) in
            [(699, false), (700, true), (1_000, true), (1_030, true), (1_031, false), (0, false), (u64::MAX, false)]
        {
            assert_eq!(is_fresh(secs, now, window), fresh, "{secs}");
        }
    }

    proptest! {
        #[test]
        fn reads_what_the_standard_library_reads(text in "[0-9+ -]{0,22}") {
            let plain = text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
            prop_assert_eq!(parse_secs(&text), text.parse().ok().filter(|_| plain));
        }
    }
}
