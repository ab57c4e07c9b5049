//! Which paths are no path: those that two programs on the way may read as two different ones. Pure.
//!
//! axum routes by the path as it was sent, and decodes what stands in a parameter afterwards. A proxy
//! in front, a file system or another service behind decode at other moments, so `/files/%2e%2e/x` is
//! one thing to one and another to the other. None of these has a use in an API.

use std::borrow::Cow;

use super::percent::{Stray, decode};

/// What is wrong with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathFault {
    /// A percent sign that begins no escape.
    Escape,
    /// `.` or `..`, written in whatever way.
    DotSegment,
    /// An encoded slash, or a backslash.
    Separator,
    /// NUL or another control character.
    Control,
    /// No UTF-8.
    NotText,
    /// Encoded again and again.
    Layers,
}

impl PathFault {
    /// What the client is told: nothing of what it sent.
    pub(super) const fn detail(self) -> &'static str {
        match self {
            Self::Escape => "The path has a percent sign that begins no escape.",
            Self::DotSegment => "The path has a dot segment.",
            Self::Separator => "The path has an encoded slash, or a backslash.",
            Self::Control => "The path has a control character.",
            Self::NotText => "The path is not UTF-8.",
            Self::Layers => "The path is encoded several times.",
        }
    }
}

/// What an encoded slash, `%2F`, is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum EncodedSlash {
    #[default]
    Refused,
    /// A character of the segment that it stands in.
    Allowed,
}

/// Nobody who means well encodes more often.
const MAX_LAYERS: usize = 4;

/// Looks at a path as it was sent.
pub(super) fn check(path: &str, slash: EncodedSlash) -> Result<(), PathFault> {
    if is_plain(path.as_bytes()) {
        return Ok(());
    }
    path.split('/').try_for_each(|segment| check_segment(segment.as_bytes(), slash))
}

/// How many parameters a query has. An empty piece is none.
pub(super) fn count_parameters(query: &str) -> usize {
    query.split('&').filter(|piece| !piece.is_empty()).count()
}

/// Whether there is nothing to look at: the common case, in one pass.
fn is_plain(path: &[u8]) -> bool {
    let mut after_slash = false;
    path.iter().all(|byte| {
        let dot = after_slash && *byte == b'.';
        after_slash = *byte == b'/';
        !dot && matches!(byte, b'!'..=b'~') && !matches!(byte, b'%' | b'\\')
    })
}

fn check_segment(segment: &[u8], slash: EncodedSlash) -> Result<(), PathFault> {
    inspect(segment, slash)?;
    let mut bytes = Cow::Borrowed(segment);
    let mut stray = Stray::Refuse;
    for _ in 0..MAX_LAYERS {
        let decoded = decode(&bytes, stray).ok_or(PathFault::Escape)?;
        if *decoded == *bytes {
            return Ok(());
        }
        inspect(&decoded, slash)?;
        bytes = Cow::Owned(decoded.into_owned());
        // A percent sign that was encoded itself is one.
        stray = Stray::Keep;
    }
    Err(PathFault::Layers)
}

fn inspect(bytes: &[u8], slash: EncodedSlash) -> Result<(), PathFault> {
    let text = std::str::from_utf8(bytes).map_err(|_| PathFault::NotText)?;
    if text.chars().any(char::is_control) {
        return Err(PathFault::Control);
    }
    if text.contains('\\') || (slash == EncodedSlash::Refused && text.contains('/')) {
        return Err(PathFault::Separator);
    }
    // What stands behind a semicolon is a parameter to some: `/..;/admin`.
    let is_dots = |part: &str| matches!(part.split(';').next(), Some("." | ".."));
    if text.split('/').any(is_dots) { Err(PathFault::DotSegment) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{EncodedSlash::*, PathFault::*, *};

    #[test]
    fn what_two_programs_may_read_in_two_ways_is_no_path() {
        for (path, fault) in [
            ("/a/../b", DotSegment),
            ("/./a", DotSegment),
            ("/a/..", DotSegment),
            ("/a/%2e%2E/b", DotSegment),
            ("/a/.%2e/b", DotSegment),
            ("/a/%252e%252e/b", DotSegment),
            ("/a/%25252e%25252e/b", DotSegment),
            ("/a/..;x=1/b", DotSegment),
            ("/a/%2e%2e%3b/b", DotSegment),
            ("/a%2Fb", Separator),
            ("/a%252fb", Separator),
            ("/a\\b", Separator),
            ("/a%5C..", Separator),
            ("/a%255c", Separator),
            ("/a%00.png", Control),
            ("/a%2500", Control),
            ("/a%0d%0aSet-Cookie:x", Control),
            ("/a%7f", Control),
            ("/a%c2%85", Control),
            ("/a%ff", NotText),
            ("/%c0%ae%c0%ae/", NotText),
            ("/a%", Escape),
            ("/a%2", Escape),
            ("/a%zz", Escape),
            ("/a%252525252541", Layers),
        ] {
            assert_eq!(check(path, Refused), Err(fault), "{path}");
        }
    }

    #[test]
    fn what_is_a_path_stays_one() {
        for path in [
            "/",
            "*",
            "",
            "/orders/7",
            "/a.b/..c/...",
            "/.well-known/x",
            "/caf%C3%A9",
            "/a%20b",
            "/100%25",
            "/a%2541",
            "/~u/!$&'()*+,;=:@",
            "/a//b",
            "/%25zz",
            "/a;b=..",
        ] {
            assert_eq!(check(path, Refused), Ok(()), "{path}");
        }
    }

    #[test]
    fn encoded_slashes_can_be_allowed_and_nothing_else() {
        assert_eq!(check("/projects/group%2Fname", Allowed), Ok(()));
        assert_eq!(check("/projects/group%2F..%2Fname", Allowed), Err(DotSegment));
        assert_eq!(check("/projects/%2e%2e%2fname", Allowed), Err(DotSegment));
        assert_eq!(check("/projects/a%5cb", Allowed), Err(Separator));
    }

    #[test]
    fn parameters_are_counted_as_they_are_read() {
        assert_eq!(["a=1&b&&c", "", "&", "a"].map(count_parameters), [3, 0, 0, 1]);
    }

    /// Reads as the laxest program would: decodes until nothing changes, takes every kind of slash.
    fn laxest(path: &str) -> Vec<String> {
        let mut bytes = path.as_bytes().to_vec();
        for _ in 0..16 {
            bytes = decode(&bytes, Stray::Keep).unwrap().into_owned();
        }
        String::from_utf8_lossy(&bytes).split(['/', '\\']).map(str::to_owned).collect()
    }

    proptest! {
        #[test]
        fn the_laxest_reader_finds_nothing_else(
            path in proptest::collection::vec(
                proptest::sample::select(vec!["/", ".", "%", "25", "2e", "2E", "2f", "5c", "00", "a", ";", "\\", "%2e", "%25", "é"]),
                0..24,
            )
        ) {
            let path = format!("/{}", path.concat());
            if check(&path, Refused).is_ok() {
                let read = laxest(&path);
                prop_assert_eq!(read.len(), path.split('/').count());
                prop_assert!(read.iter().all(|segment| segment != "." && segment != ".." && !segment.contains('\0')));
            }
        }

        #[test]
        fn nothing_makes_it_panic(path in "\\PC{0,64}") {
            let _ = (check(&path, Refused), check(&path, Allowed));
        }
    }
}
