//! The list in `Access-Control-Request-Headers`, checked in one pass without allocating.

use std::cmp::Ordering;

use super::names::is_token;

/// The request headers that an allowed origin may send.
#[derive(Debug, Default)]
pub(super) struct AllowedHeaders {
    /// Lower case, sorted, without duplicates.
    names: Box<[Box<str>]>,
    /// Whether others may be sent, too.
    any: bool,
    /// No honest list is longer: every allowed name once, with a comma and a space each.
    longest: usize,
}

/// What a list may hold where any name is allowed: servers take no larger head than that.
const LONGEST_OF_ANY: usize = 8 * 1024;

/// No wildcard stands for it (Fetch §4.8, step 13 of the CORS-preflight fetch): it must be listed.
const AUTHORIZATION: &[u8] = b"authorization";

/// Room for the empty elements that RFC 9110 §5.6.1.2 asks recipients to bear.
const SLACK: usize = 32;

impl AllowedHeaders {
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>, any: bool) -> Self {
        let mut names: Vec<Box<str>> =
            names.into_iter().map(|name| name.to_ascii_lowercase().into_boxed_str()).collect();
        names.sort_unstable();
        names.dedup();
        let listed = names.iter().fold(SLACK, |sum, name| sum.saturating_add(name.len()).saturating_add(2));
        let longest = if any { listed.max(LONGEST_OF_ANY) } else { listed };
        Self { names: names.into_boxed_slice(), any, longest }
    }

    /// The names, in lower case and sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    pub(super) fn any(&self) -> bool {
        self.any
    }

    /// The first name in these lines that is not allowed, as far as it can be told without reading a
    /// list that is too long.
    pub(super) fn stranger<'a>(&self, lines: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
        let mut names = lines.take(64).flat_map(|line| line.split(|byte| *byte == b',').take(256)).map(trim);
        names.find(|name| !self.covers(name))
    }

    /// Whether every name in these lines is allowed. What is longer than all allowed names together
    /// is refused unread: a list of thousands of commas must cost nothing.
    pub(super) fn cover<'a>(&self, mut lines: impl Iterator<Item = &'a [u8]>) -> bool {
        let mut room = self.longest;
        lines.all(|line| {
            // Each line costs a byte more than it holds, so that empty ones are bounded, too.
            let Some(left) = room.checked_sub(line.len().saturating_add(1)) else { return false };
            room = left;
            line.split(|byte| *byte == b',').map(trim).all(|name| self.covers(name))
        })
    }

    fn covers(&self, name: &[u8]) -> bool {
        name.is_empty() || self.lists(name) || self.any && is_token(name) && !name.eq_ignore_ascii_case(AUTHORIZATION)
    }

    fn lists(&self, name: &[u8]) -> bool {
        self.names.binary_search_by(|allowed| compare(allowed.as_bytes(), name)).is_ok()
    }
}

/// Optional white space is space and tab only (RFC 9110 §5.6.3).
fn trim(mut element: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = element {
        element = rest;
    }
    element
}

/// Field names are case-insensitive; `allowed` is lower case already.
fn compare(allowed: &[u8], name: &[u8]) -> Ordering {
    allowed.iter().copied().cmp(name.iter().map(u8::to_ascii_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cover(lines: &[&[u8]]) -> bool {
        AllowedHeaders::new(["Authorization", "content-type", "X-API-Key"], false).cover(lines.iter().copied())
    }

    #[test]
    fn every_name_must_be_allowed() {
        for lines in [
            &[&b"authorization,content-type"[..]][..],
            &[b"content-type"],
            &[b"authorization, content-type ,\tx-api-key"],
            &[b"Authorization"],
            &[b""],
            &[b",, ,"],
            &[b"authorization", b"x-api-key"],
            &[],
        ] {
            assert!(cover(lines), "{lines:?}");
        }
        for lines in [
            &[&b"authorization,x-other"[..]][..],
            &[b"authorizatio"],
            &[b"authorization2"],
            &[b"authorization x-api-key"],
            &[b"*"],
            &[b"authorization;q=1"],
            &[b"\"authorization\""],
            &[b"content-type\x0b"],
            &[b"caf\xe9"],
            &[b"authorization", b"x-other"],
        ] {
            assert!(!cover(lines), "{lines:?}");
        }
    }

    #[test]
    fn a_long_list_is_refused_unread() {
        assert!(!cover(&[&b",".repeat(60_000)]));
        assert!(!cover(&[&b"authorization,".repeat(5_000)]));
        let many = vec![&b""[..]; 5_000];
        assert!(!cover(&many));
    }

    #[test]
    fn all_allowed_names_together_fit() {
        let names: Vec<String> = (0..200).map(|n| format!("x-header-{n}")).collect();
        let allowed = AllowedHeaders::new(names.iter().map(String::as_str), false);
        assert!(allowed.cover([names.join(", ").as_bytes()].into_iter()));
        assert!(allowed.cover(names.iter().map(String::as_bytes)));
    }

    #[test]
    fn any_name_is_any_but_authorization() {
        let any = AllowedHeaders::new(["x-a"], true);
        assert!(any.cover([&b"x-b, x-a,Content-Type"[..]].into_iter()));
        for line in [&b"x-b,Authorization"[..], b"x b", b"caf\xe9", b"a;q=1"] {
            assert!(!any.cover([line].into_iter()), "{line:?}");
        }
        assert!(AllowedHeaders::new(["authorization"], true).cover([&b"authorization,x-b"[..]].into_iter()));
        assert!(!any.cover([&b"x-b,".repeat(3_000)[..]].into_iter()));
    }

    #[test]
    fn the_stranger_is_named() {
        let allowed = AllowedHeaders::new(["a", "b"], false);
        assert_eq!(allowed.stranger([&b"a, x-other ,b"[..]].into_iter()), Some(&b"x-other"[..]));
        assert_eq!(allowed.stranger([&b"a"[..], b"b"].into_iter()), None);
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_naive_reading(line in "[ \tac,-]{0,24}") {
            let allowed = AllowedHeaders::new(["a", "c-a", "ac"], false);
            let naive = line.split(',').map(|name| name.trim_matches([' ', '\t']))
                .all(|name| ["", "a", "c-a", "ac"].contains(&name));
            proptest::prop_assert_eq!(allowed.cover([line.as_bytes()].into_iter()), naive);
        }

        #[test]
        fn no_bytes_make_it_panic(lines in proptest::collection::vec(proptest::collection::vec(0_u8.., 0..64), 0..4)) {
            let covers = |any| AllowedHeaders::new(["a"], any).cover(lines.iter().map(Vec::as_slice));
            proptest::prop_assert!(!covers(false) || covers(true));
        }
    }
}
