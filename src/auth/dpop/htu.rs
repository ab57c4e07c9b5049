//! URLs without query and fragment, in the form in which equal ones are equal bytes (RFC 3986 §6.2.2
//! and §6.2.3). Pure.

use std::fmt::Write as _;

/// A longer URL is nobody's.
const MAX_URL: usize = 4 * 1024;

/// `scheme://authority` and path, each normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) origin: String,
    /// Begins with `/`.
    pub(super) path: String,
}

impl Target {
    /// An absolute `http` or `https` URL; what follows the path is left out (RFC 9449 §4.3, check 9).
    /// `None` if it is not that, or has a user in it.
    pub(super) fn parse(url: &str) -> Option<Self> {
        if url.len() > MAX_URL || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let (scheme, rest) = url.split_once("://")?;
        let rest = rest.split(['?', '#']).next()?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at_checked(at)?,
            None => (rest, ""),
        };
        Some(Self { origin: origin(scheme, authority)?, path: path_of(path)? })
    }
}

/// Lower case, without the default port: `https://api.example.com`. `None` for another scheme, a
/// user, an empty host or a port that is none.
pub(super) fn origin(scheme: &str, authority: &str) -> Option<String> {
    let (scheme, default_port) = match scheme {
        scheme if scheme.eq_ignore_ascii_case("https") => ("https", 443),
        scheme if scheme.eq_ignore_ascii_case("http") => ("http", 80),
        _ => return None,
    };
    let (host, port) = match authority.rsplit_once(':') {
        // The colon of an IPv6 address is not the one before a port.
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, ""),
    };
    let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let right = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(name),
    };
    if !right {
        return None;
    }
    let mut origin = format!("{scheme}://{}", host.to_ascii_lowercase());
    if !port.is_empty() {
        let port: u16 = if port.starts_with('+') { None } else { port.parse().ok() }?;
        if port != default_port {
            // Fails only if out of memory.
            let _ = write!(origin, ":{port}");
        }
    }
    Some(origin)
}

/// A path with upper-case escapes, no escapes of what needs none, and no dot segments. `None` for an
/// escape that is none.
pub(super) fn path_of(path: &str) -> Option<String> {
    let text = unescaped(path)?;
    let mut segments: Vec<&str> = Vec::new();
    let mut ends_in_directory = true;
    for segment in text.split('/').skip(usize::from(text.starts_with('/'))) {
        ends_in_directory = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let mut normal = String::with_capacity(text.len().saturating_add(1));
    for segment in &segments {
        normal.push('/');
        normal.push_str(segment);
    }
    if ends_in_directory || normal.is_empty() {
        normal.push('/');
    }
    Some(normal)
}

fn unescaped(path: &str) -> Option<String> {
    let mut text = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            text.push(char::from(byte));
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (high, low) = (digit()?, digit()?);
        let decoded = high.wrapping_shl(4) | low;
        if decoded.is_ascii_alphanumeric() || matches!(decoded, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(decoded));
        } else {
            // Fails only if out of memory.
            let _ = write!(text, "%{decoded:02X}");
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normal(url: &str) -> Option<String> {
        Target::parse(url).map(|target| target.origin + &target.path)
    }

    #[test]
    fn equal_urls_become_equal_rfc3986_6_2() {
        for (url, expected) in [
            ("https://Server.Example.COM/Path", "https://server.example.com/Path"),
            ("HTTPS://server.example.com:443/", "https://server.example.com/"),
            ("http://server.example.com:80", "http://server.example.com/"),
            ("https://server.example.com:80/", "https://server.example.com:80/"),
            ("https://server.example.com:/a", "https://server.example.com/a"),
            ("https://server.example.com?q#f", "https://server.example.com/"),
            ("https://server.example.com/a?x=/../b", "https://server.example.com/a"),
            ("https://server.example.com/a/./b/../c", "https://server.example.com/a/c"),
            ("https://server.example.com/a/..", "https://server.example.com/"),
            ("https://server.example.com/../../a/.", "https://server.example.com/a/"),
            ("https://server.example.com/%7euser/%2e%2E/%c3%a9%2f", "https://server.example.com/%C3%A9%2F"),
            ("https://server.example.com/a//b/", "https://server.example.com/a//b/"),
            ("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443/"),
            ("https://[::1]/", "https://[::1]/"),
        ] {
            assert_eq!(normal(url).as_deref(), Some(expected), "{url}");
        }
    }

    #[test]
    fn what_is_no_public_url_is_refused() {
        for url in [
            "",
            "/path",
            "//server.example.com/",
            "ftp://server.example.com/",
            "https:///path",
            "https://user@server.example.com/",
            "https://user:password@server.example.com/",
            "https://server.example.com:99999/",
            "https://server.example.com:+443/",
            "https://server.example.com:x/",
            "https://[::1/",
            "https://[v1.a]/",
            "https://::1/",
            "https://server.example.com/%",
            "https://server.example.com/%4",
            "https://server.example.com/%zz",
            "https://server.example.com/a b",
            "https://server.example.com/é",
            " https://server.example.com/",
            "https://server\\.example.com/",
        ] {
            assert_eq!(normal(url), None, "{url}");
        }
        assert_eq!(normal(&format!("https://a/{}", "a".repeat(MAX_URL))), None);
    }

    proptest! {
        #[test]
        fn what_is_normal_stays_as_it_is(url in "https?://[a-zA-Z0-9.:\\[\\]-]{1,20}(/[a-z%0-9A-F./?#~-]{0,30})?") {
            if let Some(once) = normal(&url) {
                prop_assert_eq!(normal(&once), Some(once));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,80}", bytes in "[/%.a0]{0,40}") {
            let _ = (normal(&text), path_of(&bytes), path_of(&text), origin("https", &text));
        }
    }
}
