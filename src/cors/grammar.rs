//! The grammar of an origin as browsers serialise it (RFC 6454 §6.2, WHATWG HTML §7.1.1), with a
//! wildcard for subdomains or ports. All of it also runs while a program is compiled: no iterators,
//! no allocation.

use super::{
    address::{check_ipv6, holds, is_ipv4, is_number},
    fault::OriginFault,
};

/// No host and port are longer.
pub(super) const LONGEST: usize = 300;

/// Where the parts of an origin stand in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    /// Bytes of the scheme.
    pub(super) scheme: usize,
    /// Where the host begins, or that of which all subdomains are meant.
    pub(super) host: usize,
    pub(super) host_end: usize,
    pub(super) port: Port,
    /// `*.` stands before the host.
    pub(super) subdomains: bool,
}

impl Shape {
    /// Of no text: matches nothing.
    pub(super) const NONE: Self = Self { scheme: 0, host: 0, host_end: 0, port: Port::Default, subdomains: true };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Port {
    /// The scheme's own, which is not written.
    Default,
    Number(u16),
    /// `*`: also the scheme's own.
    Any,
}

impl Port {
    /// Whether the port of an origin is this one. `const`, so without `==`.
    pub(super) const fn covers(self, port: Self) -> bool {
        match (self, port) {
            (Self::Any, _) | (Self::Default, Self::Default) => true,
            (Self::Number(allowed), Self::Number(port)) => allowed == port,
            _ => false,
        }
    }
}

pub(super) const fn parse(text: &str) -> Result<Shape, OriginFault> {
    let bytes = text.as_bytes();
    if let Some(fault) = special(bytes) {
        return Err(fault);
    }
    let Some(scheme_end) = end_of_scheme(bytes) else { return Err(OriginFault::NoScheme) };
    let (scheme, rest) = bytes.split_at(scheme_end);
    let (_, authority) = rest.split_at(3);
    if let Err(fault) = check_scheme(scheme) {
        return Err(fault);
    }
    if let Some(fault) = foreign(authority) {
        return Err(fault);
    }
    let (subdomains, named) = match authority {
        [b'*', b'.', base @ ..] => (true, base),
        whole => (false, whole),
    };
    let (host, port) = named.split_at(end_of_host(named));
    if holds(host, b'*') {
        return Err(OriginFault::MisplacedWildcard);
    }
    if let Err(fault) = check_host(host, subdomains) {
        return Err(fault);
    }
    let port = match port_of(scheme, port) {
        Ok(port) => port,
        Err(fault) => return Err(fault),
    };
    if (subdomains || matches!(port, Port::Any)) && !is_web(scheme) {
        return Err(OriginFault::WildcardScheme);
    }
    let begin = scheme_end.saturating_add(if subdomains { 5 } else { 3 });
    Ok(Shape { scheme: scheme_end, host: begin, host_end: begin.saturating_add(host.len()), port, subdomains })
}

/// What is wrong with it as a whole.
const fn special(bytes: &[u8]) -> Option<OriginFault> {
    match bytes {
        [] => Some(OriginFault::Empty),
        b"null" => Some(OriginFault::Null),
        b"*" => Some(OriginFault::EveryOrigin),
        _ if !bytes.is_ascii() => Some(OriginFault::NotAscii),
        _ if bytes.len() > LONGEST => Some(OriginFault::TooLong),
        _ => None,
    }
}

/// Where `://` stands.
const fn end_of_scheme(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    while let [_, tail @ ..] = rest {
        if let [b':', b'/', b'/', ..] = rest {
            return Some(bytes.len().saturating_sub(rest.len()));
        }
        rest = tail;
    }
    None
}

/// RFC 3986 §3.1, in lower case.
const fn check_scheme(scheme: &[u8]) -> Result<(), OriginFault> {
    if holds(scheme, b'*') {
        return Err(OriginFault::MisplacedWildcard);
    }
    if !matches!(scheme, [b'a'..=b'z' | b'A'..=b'Z', ..]) {
        return Err(OriginFault::BadScheme);
    }
    let (mut rest, mut capitals) = (scheme, false);
    while let [byte, tail @ ..] = rest {
        match *byte {
            b'A'..=b'Z' => capitals = true,
            b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.' => {}
            _ => return Err(OriginFault::BadScheme),
        }
        rest = tail;
    }
    match scheme {
        _ if capitals => Err(OriginFault::Capitals),
        b"about" | b"blob" | b"data" | b"file" | b"javascript" => Err(OriginFault::OpaqueScheme),
        _ => Ok(()),
    }
}

/// What belongs to a URL, but to no origin.
const fn foreign(authority: &[u8]) -> Option<OriginFault> {
    let mut rest = authority;
    while let [byte, tail @ ..] = rest {
        match *byte {
            b'@' => return Some(OriginFault::UserInformation),
            b'/' if tail.is_empty() => return Some(OriginFault::TrailingSlash),
            b'/' | b'?' | b'#' | b'\\' => return Some(OriginFault::Path),
            b'A'..=b'Z' => return Some(OriginFault::Capitals),
            _ => rest = tail,
        }
    }
    None
}

/// Where the port begins, with its colon, or the end.
pub(super) const fn end_of_host(authority: &[u8]) -> usize {
    let last = match authority {
        [b'[', ..] if holds(authority, b']') => b']',
        _ => b':',
    };
    let mut rest = authority;
    while let [byte, tail @ ..] = rest {
        if *byte == last {
            return authority.len().saturating_sub(if last == b']' { tail.len() } else { rest.len() });
        }
        rest = tail;
    }
    authority.len()
}

/// What follows the host.
pub(super) const fn port_of(scheme: &[u8], rest: &[u8]) -> Result<Port, OriginFault> {
    match rest {
        [] => Ok(Port::Default),
        [b':', b'*'] => Ok(Port::Any),
        [b':', digits @ ..] => match (scheme, number(digits)) {
            (_, None) if holds(digits, b'*') => Err(OriginFault::MisplacedWildcard),
            (_, None) => Err(OriginFault::BadPort),
            (b"https", Some(443)) | (b"http", Some(80)) => Err(OriginFault::DefaultPort),
            (_, Some(number)) => Ok(Port::Number(number)),
        },
        _ => Err(OriginFault::BadHost),
    }
}

const fn number(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || matches!(digits, [b'0', ..]) {
        return None;
    }
    let (mut rest, mut value) = (digits, 0_u16);
    while let [digit @ b'0'..=b'9', tail @ ..] = rest {
        let Some(tens) = value.checked_mul(10) else { return None };
        let Some(sum) = tens.checked_add(digit.wrapping_sub(b'0') as u16) else { return None };
        (value, rest) = (sum, tail);
    }
    if rest.is_empty() { Some(value) } else { None }
}

const fn check_host(host: &[u8], subdomains: bool) -> Result<(), OriginFault> {
    if let [b'[', literal @ .., b']'] = host {
        return if subdomains { Err(OriginFault::WildcardAddress) } else { check_ipv6(literal) };
    }
    if matches!(host, [_, .., b'.']) {
        return Err(OriginFault::TrailingDot);
    }
    if host.len() > 253 || !are_labels(host) {
        return Err(OriginFault::BadHost);
    }
    // A host whose last label is a number is an address (WHATWG URL §3.5).
    match is_number(last_label(host)) {
        true if subdomains => Err(OriginFault::WildcardAddress),
        true if !is_ipv4(host) => Err(OriginFault::BadIpv4),
        _ => Ok(()),
    }
}

/// Whether these are labels of a host name, with dots between them.
pub(super) const fn are_labels(mut rest: &[u8]) -> bool {
    let (mut length, mut last) = (0_usize, b'.');
    while let [byte, tail @ ..] = rest {
        match *byte {
            b'.' if length > 0 && last != b'-' => length = 0,
            b'-' if length == 0 => return false,
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' if length < 63 => length = length.saturating_add(1),
            _ => return false,
        }
        (last, rest) = (*byte, tail);
    }
    length > 0 && last != b'-'
}

const fn last_label(host: &[u8]) -> &[u8] {
    let (mut rest, mut label) = (host, host);
    while let [byte, tail @ ..] = rest {
        if *byte == b'.' {
            label = tail;
        }
        rest = tail;
    }
    label
}

/// Whether hosts of this scheme are domains.
const fn is_web(scheme: &[u8]) -> bool {
    matches!(scheme, b"http" | b"https")
}
