//! Media types: the one that is sent (RFC 9110 §8.3), and those that are accepted. Pure.

use std::fmt;

/// A media type as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MediaType<'a> {
    pub(super) kind: &'a str,
    pub(super) subtype: &'a str,
    pub(super) charset: Option<Charset>,
}

/// What `charset` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    Other,
}

/// More parameters are no media type.
const MAX_PARAMETERS: usize = 8;

/// Reads the value of a `Content-Type`. `None` if it is malformed, or names a parameter twice.
pub(super) fn parse(value: &[u8]) -> Option<MediaType<'_>> {
    let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    let (kind, rest) = token(text)?;
    let (subtype, mut rest) = token(rest.strip_prefix('/')?)?;
    let mut charset = None;
    let mut names = arrayvec::ArrayVec::<&str, MAX_PARAMETERS>::new();
    while !rest.is_empty() {
        rest = blank(blank(rest).strip_prefix(';')?);
        if rest.is_empty() || rest.starts_with(';') {
            continue;
        }
        let (name, after) = token(rest)?;
        let (value, after) = quoted_or_token(after.strip_prefix('=')?)?;
        if names.iter().any(|held| held.eq_ignore_ascii_case(name)) {
            return None;
        }
        names.try_push(name).ok()?;
        if name.eq_ignore_ascii_case("charset") {
            charset = Some(if value.eq_ignore_ascii_case("utf-8") { Charset::Utf8 } else { Charset::Other });
        }
        rest = blank(after);
    }
    Some(MediaType { kind, subtype, charset })
}

fn blank(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A token (RFC 9110 §5.6.2), and what follows.
fn token(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !is_token(byte)).unwrap_or(text.len());
    if end == 0 { None } else { text.split_at_checked(end) }
}

/// A token or a quoted string, without its quotes, and what follows. Escapes are left as they are: a
/// value that needs none is not what it says then.
fn quoted_or_token(text: &str) -> Option<(&str, &str)> {
    let Some(inside) = text.strip_prefix('"') else { return token(text) };
    let mut escaped = false;
    let end = inside.bytes().position(|byte| match byte {
        b'"' if !escaped => true,
        b'\\' => {
            escaped = !escaped;
            false
        }
        _ => {
            escaped = false;
            false
        }
    })?;
    let (value, rest) = inside.split_at_checked(end)?;
    let is_quotable = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte) || byte >= 0x80;
    if value.bytes().all(is_quotable) { Some((value, rest.strip_prefix('"')?)) } else { None }
}

/// Media types that are accepted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MediaRange {
    /// `application/json`
    Exact(Box<str>, Box<str>),
    /// `application/*+json`, of any type: the suffix, with its plus.
    Suffix(Box<str>),
    /// `image/*`
    Subtypes(Box<str>),
    /// `*/*`
    Any,
}

impl MediaRange {
    /// Reads what a configuration says: a media type without parameters, `+json`, `image/*` or `*/*`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "*/*" {
            return Some(Self::Any);
        }
        let lower = text.to_ascii_lowercase();
        let suffix = lower.strip_prefix("application/*").unwrap_or(&lower);
        if suffix.starts_with('+') && token(suffix).is_some_and(|(_, rest)| rest.is_empty()) && suffix.len() > 1 {
            return Some(Self::Suffix(suffix.into()));
        }
        let media = parse(lower.as_bytes()).filter(|_| !lower.contains([';', ' ']))?;
        match (media.kind, media.subtype) {
            (kind, "*") if !kind.contains('*') => Some(Self::Subtypes(kind.into())),
            (kind, subtype) if !kind.contains('*') && !subtype.contains('*') => {
                Some(Self::Exact(kind.into(), subtype.into()))
            }
            _ => None,
        }
    }

    pub(super) fn accepts(&self, media: &MediaType<'_>) -> bool {
        match self {
            Self::Exact(kind, subtype) => {
                kind.eq_ignore_ascii_case(media.kind) && subtype.eq_ignore_ascii_case(media.subtype)
            }
            Self::Suffix(suffix) => {
                let start = media.subtype.len().checked_sub(suffix.len()).filter(|start| *start > 0);
                start.and_then(|start| media.subtype.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
            }
            Self::Subtypes(kind) => kind.eq_ignore_ascii_case(media.kind),
            Self::Any => true,
        }
    }

    /// Whether everything in it is JSON by its name.
    pub(super) fn is_json(&self) -> bool {
        match self {
            Self::Exact(_, subtype) => &**subtype == "json" || subtype.ends_with("+json"),
            Self::Suffix(suffix) => &**suffix == "+json",
            Self::Subtypes(_) | Self::Any => false,
        }
    }
}

/// As it stands in `Accept`, where a suffix cannot be said: `+json` is every subtype there.
impl fmt::Display for MediaRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(kind, subtype) => write!(f, "{kind}/{subtype}"),
            Self::Suffix(suffix) => write!(f, "application/*{suffix}"),
            Self::Subtypes(kind) => write!(f, "{kind}/*"),
            Self::Any => f.write_str("*/*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_json(value: &str) -> bool {
        let json = MediaRange::parse("application/json").unwrap();
        parse(value.as_bytes()).is_some_and(|media| json.accepts(&media))
    }

    #[test]
    fn seed_bug_5_json_is_not_whatever_contains_its_name() {
        for value in
            ["application/json", "Application/JSON", "application/json;charset=utf-8", " application/json ; a=b"]
        {
            assert!(is_json(value), "{value}");
        }
        for value in [
            "text/plain; x=application/json",
            "application/jsonx",
            "xapplication/json",
            "application/json-patch+json",
            "text/plain, application/json",
            "application/json, text/plain",
            "application/json text/plain",
            "application /json",
            "application/json; charset",
            "application/json; charset = utf-8",
            "application/json; a=b; A=c",
            "application/json; a=\"b",
            "application/json\u{e9}",
            "application/",
            "/json",
            "json",
            "",
        ] {
            assert!(!is_json(value), "{value}");
        }
    }

    #[test]
    fn the_charset_is_read_where_it_stands() {
        for (value, charset) in [
            ("a/b", None),
            ("a/b;x=\"charset=latin1\"", None),
            ("a/b;CHARSET=\"UTF-8\";x=y;", Some(Charset::Utf8)),
            ("a/b;;charset=utf-8", Some(Charset::Utf8)),
            ("a/b;charset=utf-16", Some(Charset::Other)),
            ("a/b;x=\"\\\"\";charset=\"utf\\-8\"", Some(Charset::Other)),
        ] {
            assert_eq!(parse(value.as_bytes()).unwrap().charset, charset, "{value}");
        }
    }

    #[test]
    fn ranges_accept_what_they_say() {
        for (range, yes, no) in [
            ("+json", "application/vnd.acme.v2+json", "application/json"),
            ("application/*+json", "a/b+JSON", "a/+json"),
            ("image/*", "image/png", "images/png"),
            ("application/merge-patch+json", "application/merge-patch+json", "application/patch+json"),
        ] {
            let range = MediaRange::parse(range).unwrap();
            assert!(range.accepts(&parse(yes.as_bytes()).unwrap()), "{range}: {yes}");
            assert!(!range.accepts(&parse(no.as_bytes()).unwrap()), "{range}: {no}");
        }
        for text in ["", "json", "*", "*/json", "a/b;c=d", "a/b ", "a/*b", "+", "a/b/c"] {
            assert_eq!(MediaRange::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(kind in "[a-z]{1,8}", subtype in "[a-z.+-]{1,8}", value in "[ -~&&[^\"\\\\]]{0,12}") {
            let text = format!("{kind}/{subtype} ;\tv=\"{value}\"; charset=utf-8");
            let media = parse(text.as_bytes()).unwrap();
            prop_assert_eq!((media.kind, media.subtype, media.charset), (&*kind, &*subtype, Some(Charset::Utf8)));
        }

        #[test]
        fn garbage_is_no_media_type(bytes in proptest::collection::vec(any::<u8>(), 0..48)) {
            if let Some(media) = parse(&bytes) {
                prop_assert!(media.kind.bytes().chain(media.subtype.bytes()).all(is_token));
            }
        }
    }
}
