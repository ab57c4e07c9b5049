//! What is signed: one text for all the ways in which the same request can be written.
//!
//! Pure: bytes in, text out. It is written for those who sign as well as for those who verify.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// How the path of a service is brought into its canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paths {
    /// Every service but S3: dot segments and empty segments are resolved, and the path as it was
    /// sent is encoded once more.
    Normalized,
    /// S3: segments stay as they are, and are encoded once.
    Plain,
}

/// RFC 3986 §2.3: what is never encoded.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn encode(to: &mut String, bytes: impl IntoIterator<Item = u8>, keep: fn(u8) -> bool) {
    for byte in bytes {
        if keep(byte) {
            to.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(to, "%{byte:02X}");
        }
    }
}

/// The bytes that a percent-encoded text stands for; a `%` without two digits stands for itself, as
/// for those who read forms.
fn decoded(text: &str, plus: u8) -> impl Iterator<Item = u8> + '_ {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let (first, after) = rest.split_first()?;
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        if *first == b'%'
            && let [high, low, after @ ..] = after
            && let (Some(high), Some(low)) = (digit(high), digit(low))
        {
            rest = after;
            return Some(high << 4 | low);
        }
        rest = after;
        Some(if *first == b'+' { plus } else { *first })
    })
}

/// The canonical path. Empty is `/`.
pub(crate) fn path(path: &str, paths: Paths) -> String {
    let mut canonical = String::with_capacity(path.len().saturating_add(16));
    let keep = |byte| is_unreserved(byte) || byte == b'/';
    match paths {
        Paths::Normalized => encode(&mut canonical, without_dots(path).bytes(), keep),
        // Segment by segment: an encoded slash is a letter of its segment, here as for a router.
        Paths::Plain => {
            for (index, segment) in path.split('/').enumerate() {
                canonical.push_str(if index > 0 { "/" } else { "" });
                encode(&mut canonical, decoded(segment, b'+'), is_unreserved);
            }
        }
    }
    if canonical.is_empty() {
        canonical.push('/');
    }
    canonical
}

/// Whether a path is sent as it is signed: resolving it changes nothing.
pub(crate) fn is_resolved(path: &str) -> bool {
    path.is_empty() || without_dots(path) == path
}

/// RFC 3986 §5.2.4, and empty segments dropped.
fn without_dots(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    let ends_open = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    let slash = if ends_open && !segments.is_empty() { "/" } else { "" };
    format!("/{}{slash}", segments.join("/"))
}

/// The canonical query: each name and value decoded, encoded anew and sorted by the encoded bytes. A
/// `+` is a space, for that is what it is to whoever reads the query: were it a plus sign here, a
/// signature of `a%2Bb` would hold for `a+b`, which means something else.
pub(crate) fn query(query: &str, without: Option<&str>) -> String {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (mut encoded, mut encoded_value) = (String::new(), String::new());
        encode(&mut encoded, decoded(name, b' '), is_unreserved);
        if without == Some(&*encoded) {
            continue;
        }
        encode(&mut encoded_value, decoded(value, b' '), is_unreserved);
        pairs.push((encoded, encoded_value));
    }
    pairs.sort_unstable();
    let mut canonical = String::with_capacity(query.len().saturating_add(16));
    for (name, value) in pairs {
        if !canonical.is_empty() {
            canonical.push('&');
        }
        canonical.extend([&*name, "=", &*value]);
    }
    canonical
}

/// The value of a query parameter with exactly this name, decoded. `Err` if there are two.
pub(crate) fn parameter(query: &str, name: &str) -> Result<Option<String>, Twice> {
    let is_it = |pair: &&str| decoded(pair.split('=').next().unwrap_or_default(), b' ').eq(name.bytes());
    let mut found = query.split('&').filter(is_it);
    let Some(pair) = found.next() else { return Ok(None) };
    if found.next().is_some() {
        return Err(Twice);
    }
    let value = pair.split_once('=').map_or("", |(_, value)| value);
    // A value that is no text is not one of a signature.
    Ok(Some(String::from_utf8(decoded(value, b' ').collect()).unwrap_or_default()))
}

/// A parameter stands there more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Twice;

/// Adds the value of a header field: white space around it gone, runs of it one space.
pub(crate) fn add_value(to: &mut Vec<u8>, value: &[u8]) {
    let mut space = false;
    for byte in value.trim_ascii() {
        let is_space = matches!(byte, b' ' | b'\t');
        if !(is_space && space) {
            to.push(if is_space { b' ' } else { *byte });
        }
        space = is_space;
    }
}

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canonical<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    /// Each signed field as `name:value` and a line feed, in the order of `signed`.
    pub(crate) headers: &'a [u8],
    /// The names of the signed fields, separated by semicolons.
    pub(crate) signed: &'a str,
    /// The SHA-256 of the body in lower-case hexadecimal, or what stands for it.
    pub(crate) payload: &'a str,
}

impl Canonical<'_> {
    fn parts(&self) -> [&[u8]; 11] {
        let line = b"\n".as_slice();
        let [method, path, query] = [self.method, self.path, self.query].map(str::as_bytes);
        let (signed, payload) = (self.signed.as_bytes(), self.payload.as_bytes());
        [method, line, path, line, query, line, self.headers, line, signed, line, payload]
    }

    /// The text whose MAC is the signature: algorithm, time, scope, and the digest of the request.
    pub(crate) fn string_to_sign(&self, algorithm: &str, stamp: &str, scope: &str) -> String {
        let mut digest = Sha256::new();
        for part in self.parts() {
            digest.update(part);
        }
        format!("{algorithm}\n{stamp}\n{scope}\n{:x}", base16ct::HexDisplay(&digest.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_of_services_and_of_s3() {
        for (sent, normalized, plain) in [
            ("", "/", "/"),
            ("/", "/", "/"),
            ("//", "/", "//"),
            ("//a//b//", "/a/b/", "//a//b//"),
            ("/a/./b/../c", "/a/c", "/a/./b/../c"),
            ("/../../etc", "/etc", "/../../etc"),
            ("/a/..", "/", "/a/.."),
            ("/a/b/..", "/a/", "/a/b/.."),
            ("/a/.", "/a/", "/a/."),
            ("/a%20b", "/a%2520b", "/a%20b"),
            ("/a b", "/a%20b", "/a%20b"),
            ("/a%2fb", "/a%252fb", "/a%2Fb"),
            ("/a+b@c:d", "/a%2Bb%40c%3Ad", "/a%2Bb%40c%3Ad"),
            ("/%e1%88%b4", "/%25e1%2588%25b4", "/%E1%88%B4"),
            ("/ሴ", "/%E1%88%B4", "/%E1%88%B4"),
            ("/100%", "/100%25", "/100%25"),
            // An encoded dot segment is a name like any other: it is not resolved, here or by a router.
            ("/a/%2e%2e/b", "/a/%252e%252e/b", "/a/../b"),
        ] {
            assert_eq!(path(sent, Paths::Normalized), normalized, "{sent}");
            assert_eq!(path(sent, Paths::Plain), plain, "{sent}");
        }
    }

    #[test]
    fn queries_are_sorted_by_what_is_written_not_by_what_was_sent() {
        for (sent, canonical) in [
            ("", ""),
            ("a", "a="),
            ("a=", "a="),
            ("=a", "=a"),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1&A=3", "A=3&a=1&a=2"),
            // By name first: as one string "a-=1" would come before "a=1".
            ("a=2&a-=1", "a=2&a-=1"),
            ("a=b=c", "a=b%3Dc"),
            ("a+b=c%2bd&e=%7e", "a%20b=c%2Bd&e=~"),
            ("&&a=1&", "a=1"),
            ("a=%zz&b=%", "a=%25zz&b=%25"),
            ("x=%e1%88%b4&ሴ=1", "%E1%88%B4=1&x=%E1%88%B4"),
        ] {
            assert_eq!(query(sent, None), canonical, "{sent}");
        }
        assert_eq!(query("X-Sig=1&a=1&X%2DSig=2", Some("X-Sig")), "a=1");
    }

    #[test]
    fn parameters_are_found_however_they_are_written() {
        assert_eq!(parameter("a=1&b%5F=x%20y", "b_"), Ok(Some("x y".into())));
        assert_eq!(parameter("a=1&%61=2", "a"), Err(Twice));
        assert_eq!(parameter("A=1", "a"), Ok(None));
        assert_eq!(parameter("a", "a"), Ok(Some(String::new())));
        assert_eq!(parameter("a=%ff", "a"), Ok(Some(String::new())));
    }

    #[test]
    fn white_space_in_values_is_folded() {
        let folded = |value: &[u8]| {
            let mut to = Vec::new();
            add_value(&mut to, value);
            to
        };
        assert_eq!(folded(b"  a   \"b   c\"\t\td "), b"a \"b c\" d");
        assert_eq!(folded(b""), b"");
        assert_eq!(folded(b"\xff  \xff"), b"\xff \xff");
    }

    proptest! {
        #[test]
        fn canonical_forms_do_not_change_again(text in "[a-z/%2.&=+ é~-]{0,40}") {
            let once = query(&text, None);
            prop_assert_eq!(&query(&once, None), &once);
            let once = path(&text, Paths::Plain);
            prop_assert_eq!(path(&once, Paths::Plain), once);
            prop_assert!(path(&text, Paths::Normalized).is_ascii());
        }

        /// What a reader of the query would tell apart, the signature tells apart.
        #[test]
        fn queries_that_mean_different_things_differ(
            one in proptest::collection::vec(("[a-c&=+% ]{1,3}", "[a-c&=+% ]{0,3}"), 0..4),
            other in proptest::collection::vec(("[a-c&=+% ]{1,3}", "[a-c&=+% ]{0,3}"), 0..4),
        ) {
            let written = |pairs: &[(String, String)]| {
                let mut text = String::new();
                for (name, value) in pairs {
                    encode(&mut text, name.bytes(), is_unreserved);
                    text.push('=');
                    encode(&mut text, value.bytes(), is_unreserved);
                    text.push('&');
                }
                query(&text, None)
            };
            let sorted = |pairs: &[(String, String)]| { let mut pairs = pairs.to_vec(); pairs.sort(); pairs };
            prop_assert_eq!(written(&one) == written(&other), sorted(&one) == sorted(&other));
        }
    }
}
