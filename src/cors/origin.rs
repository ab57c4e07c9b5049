//! The grammar of an origin as browsers serialise it (RFC 6454 §6.2, WHATWG HTML §7.1.1), and why
//! one that is written otherwise would never match.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::names::Fault;

/// Schemes whose origins browsers serialise as `null`.
const OPAQUE: &[&str] = &["about", "blob", "data", "file", "javascript"];

/// An origin, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin<'a> {
    scheme: &'a str,
    host: &'a str,
}

impl<'a> Origin<'a> {
    /// Reads an origin in exactly the form in which a browser sends it.
    pub(super) fn parse(text: &'a str) -> Result<Self, Fault> {
        refuse_special(text)?;
        let (scheme, authority) = text
            .split_once("://")
            .ok_or(("has no scheme", "write the whole origin, such as https://app.example.com"))?;
        check_scheme(scheme)?;
        check_characters(authority)?;
        let (host, port) = split_port(authority)?;
        check_host(host)?;
        port.map_or(Ok(()), |port| check_port(scheme, port))?;
        Ok(Self { scheme, host })
    }

    /// Whether what this origin's pages send and receive can be read and changed on the way.
    pub(super) fn is_insecure(&self) -> bool {
        let loopback = self.host == "localhost"
            || self.host.ends_with(".localhost")
            || self.host == "[::1]"
            || self.host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
        self.scheme == "http" && !loopback
    }
}

fn refuse_special(text: &str) -> Result<(), Fault> {
    match text {
        "" => Err(("is empty", "write an origin, such as https://app.example.com")),
        "null" => Err(("is the origin of every sandboxed frame and local file: any site can have it", "remove it")),
        _ if text.contains('*') => Err(("contains a wildcard", "list each origin exactly")),
        _ if !text.is_ascii() => Err(("is not ASCII, as browsers send it", "write the host in Punycode (xn--…)")),
        _ if text.len() > 300 => Err(("is longer than a host and port can be", "write an origin")),
        _ => Ok(()),
    }
}

fn check_scheme(scheme: &str) -> Result<(), Fault> {
    let mut bytes = scheme.bytes();
    let begins_well = bytes.next().is_some_and(|first| first.is_ascii_alphabetic());
    if !begins_well || !bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
        return Err(("has a malformed scheme", "use https"));
    }
    if scheme.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(("has capitals, which browsers never send", "write it in lower case"));
    }
    if OPAQUE.contains(&scheme) {
        return Err(("has a scheme whose pages send `null`", "serve the page over https"));
    }
    Ok(())
}

fn check_characters(authority: &str) -> Result<(), Fault> {
    if authority.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(("has capitals, which browsers never send", "write it in lower case"));
    }
    if authority.contains('@') {
        return Err(("has user information, which is no part of an origin", "remove it"));
    }
    if let Some(end) = authority.find(['/', '?', '#', '\\']) {
        return Err(if authority.get(end..) == Some("/") {
            ("has a trailing slash, which browsers never send", "remove the slash")
        } else {
            ("has a path or query, which is no part of an origin", "end it after the host and port")
        });
    }
    Ok(())
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), Fault> {
    let end_of_host = match authority.rfind(']') {
        Some(bracket) => bracket.saturating_add(1),
        None => authority.find(':').unwrap_or(authority.len()),
    };
    match authority.split_at_checked(end_of_host) {
        Some((host, "")) => Ok((host, None)),
        Some((host, rest)) => Ok((host, Some(rest.strip_prefix(':').ok_or(BAD_HOST)?))),
        None => Err(BAD_HOST),
    }
}

const BAD_HOST: Fault = ("has a malformed host", "use a host name or an IP address");

fn check_port(scheme: &str, port: &str) -> Result<(), Fault> {
    const BAD_PORT: Fault = ("has a malformed port", "use a port from 1 to 65535, without leading zeros");
    if port.is_empty() || port.starts_with('0') || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BAD_PORT);
    }
    match (scheme, port.parse::<u16>()) {
        (_, Err(_)) => Err(BAD_PORT),
        ("https", Ok(443)) | ("http", Ok(80)) => {
            Err(("names the scheme's default port, which browsers leave out", "remove the port"))
        }
        _ => Ok(()),
    }
}

fn check_host(host: &str) -> Result<(), Fault> {
    if let Some(literal) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return check_ipv6(literal);
    }
    if host.len() > 253 || !host.split('.').all(is_label) {
        return Err(BAD_HOST);
    }
    // A host whose last label is a number is an address (WHATWG URL §3.5).
    let numeric = host.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if numeric && host.parse::<Ipv4Addr>().is_err() {
        return Err(("is neither a name nor an IPv4 address", "write the address as four decimal numbers"));
    }
    Ok(())
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
}

fn check_ipv6(literal: &str) -> Result<(), Fault> {
    let address: Ipv6Addr = literal.parse().map_err(|_| BAD_HOST)?;
    if address.to_ipv4_mapped().is_some() {
        return Err(("is an IPv4 address written as IPv6", "write the IPv4 address"));
    }
    // Browsers send the shortest form (WHATWG URL §3.5), in hexadecimal only.
    if literal.contains('.') || address.to_string() != literal {
        return Err(("is an IPv6 address in a form that browsers never send", "write it in its shortest form"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_browsers_send_is_accepted() {
        for origin in [
            "https://app.example.com",
            "https://example.com:8443",
            "http://localhost:3000",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "https://[2001:db8::1]",
            "https://xn--bcher-kva.example",
            "https://a_b.example",
            "https://1and1.example",
            "http://example.com:443",
            "capacitor://localhost",
            "chrome-extension://abcdefghijklmnop",
        ] {
            assert!(Origin::parse(origin).is_ok(), "{origin}: {:?}", Origin::parse(origin));
        }
    }

    #[test]
    fn what_browsers_never_send_is_refused() {
        for (origin, reason) in [
            ("", "empty"),
            ("*", "wildcard"),
            ("https://*.example.com", "wildcard"),
            ("null", "sandboxed"),
            ("app.example.com", "no scheme"),
            ("//app.example.com", "no scheme"),
            ("https:app.example.com", "no scheme"),
            ("https://app.example.com/", "trailing slash"),
            ("https://app.example.com/path", "path"),
            ("https://app.example.com?x", "path"),
            ("https://app.example.com#x", "path"),
            ("https://app.example.com\\x", "path"),
            ("https://user@app.example.com", "user information"),
            ("HTTPS://app.example.com", "capitals"),
            ("https://App.example.com", "capitals"),
            ("https://app.example.com:443", "default port"),
            ("http://app.example.com:80", "default port"),
            ("https://app.example.com:0", "port"),
            ("https://app.example.com:", "port"),
            ("https://app.example.com:65536", "port"),
            ("https://app.example.com:08443", "port"),
            ("https://app.example.com:+80", "port"),
            ("https://app.example.com:80:90", "port"),
            ("https://bücher.example", "Punycode"),
            ("https://", "host"),
            ("https://.example.com", "host"),
            ("https://example.com.", "host"),
            ("https://a..b", "host"),
            ("https://-a.example", "host"),
            ("https://a b.example", "host"),
            ("https://a,b.example", "host"),
            ("https://1.2.3", "IPv4"),
            ("https://1.2.3.256", "IPv4"),
            ("https://01.2.3.4", "IPv4"),
            ("https://[::ffff:1.2.3.4]", "IPv4"),
            ("https://[2001:db8:0:0::1]", "shortest"),
            ("https://[fe80::1%25eth0]", "host"),
            ("https://[::1", "host"),
            ("https://[::1]x", "host"),
            ("file://host", "null"),
            ("1https://a.example", "scheme"),
            ("https://a.example\n", "host"),
        ] {
            let (found, cure) = Origin::parse(origin).expect_err(origin);
            assert!(found.contains(reason) || cure.contains(reason), "{origin}: {found} ({cure})");
        }
        assert!(Origin::parse(&format!("https://{}", "a.".repeat(5_000))).is_err());
    }

    #[test]
    fn only_plain_http_beyond_this_machine_is_insecure() {
        let insecure = |text| Origin::parse(text).unwrap().is_insecure();
        for origin in ["http://app.example.com", "http://10.0.0.1", "http://notlocalhost", "http://[2001:db8::1]"] {
            assert!(insecure(origin), "{origin}");
        }
        for origin in
            ["https://a.example", "http://localhost:1", "http://a.localhost", "http://127.9.9.9", "http://[::1]"]
        {
            assert!(!insecure(origin), "{origin}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = Origin::parse(&text);
        }

        #[test]
        fn what_is_accepted_is_what_a_url_parser_would_serialise(
            host in "[a-z0-9.-]{1,12}", port in proptest::option::of("[0-9]{1,6}"),
        ) {
            let text = port.map_or(format!("https://{host}"), |port| format!("https://{host}:{port}"));
            if Origin::parse(&text).is_ok() {
                let uri: http::Uri = text.parse().unwrap();
                proptest::prop_assert_eq!(uri.host(), Some(&*host));
                proptest::prop_assert!(uri.port_u16() != Some(443));
            }
        }
    }
}
