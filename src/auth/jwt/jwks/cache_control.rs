//! `Cache-Control` of a response (RFC 9111 §5.2.2), as far as it concerns how long keys are fresh.

use std::time::Duration;

/// `max-age`; zero for `no-store` and `no-cache`; `None` if the header does not say, or not clearly.
pub(super) fn max_age<'v>(lines: impl Iterator<Item = &'v [u8]>) -> Option<Duration> {
    let mut age = None;
    for directive in lines.filter_map(|line| std::str::from_utf8(line).ok()).flat_map(|line| line.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim() {
            name if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") => {
                return Some(Duration::ZERO);
            }
            name if name.eq_ignore_ascii_case("max-age") => {
                let seconds = value.trim().trim_matches('"').parse().ok();
                // Of several, the shortest: RFC 9111 §4.2.1 lets a cache choose.
                age = seconds.map(Duration::from_secs).into_iter().chain(age).min();
            }
            _ => {}
        }
    }
    age
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(lines: &[&str]) -> Option<u64> {
        max_age(lines.iter().map(|line| line.as_bytes())).map(|age| age.as_secs())
    }

    #[test]
    fn directives_are_read() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["public, max-age=300"]), Some(300));
        assert_eq!(of(&["public", "Max-Age = \"60\" , x"]), Some(60));
        assert_eq!(of(&["max-age=600, max-age=60"]), Some(60));
        assert_eq!(of(&["max-age=600, no-store"]), Some(0));
        assert_eq!(of(&["NO-CACHE"]), Some(0));
        assert_eq!(of(&["max-age=-1", "max-age=x", "s-maxage=9", "max-age"]), None);
        assert_eq!(of(&["max-age=99999999999999999999999"]), None);
    }

    proptest! {
        #[test]
        fn anything_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = max_age([&bytes[..]].into_iter());
        }
    }
}
