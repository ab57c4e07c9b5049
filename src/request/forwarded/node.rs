use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Node, grammar::Value};
use crate::request::address::canonical;

/// No address with a port is longer, and no obfuscated name needs to be.
const MAX_NODE: usize = 64;

/// The value of `for=` (RFC 7239 §6): `192.0.2.1`, `"192.0.2.1:80"`, `"[2001:db8::1]"`,
/// `"[2001:db8::1]:80"`, `unknown`, `_hidden`; each with a port, or an obfuscated one.
pub(super) fn node(value: Value<'_>) -> Node {
    let mut buffer = [0; MAX_NODE];
    let Some(text) = text(value, &mut buffer) else { return Node::Broken("for= is too long, or not ASCII") };
    let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, "")) => (Name::V6(name), None),
        Some((name, rest)) => (Name::V6(name), Some(rest.strip_prefix(':').unwrap_or(""))),
        None => match text.split_once(':') {
            Some((name, port)) => (Name::Other(name), Some(port)),
            None => (Name::Other(text), None),
        },
    };
    if !port.is_none_or(is_port) {
        return Node::Broken("for= has no valid port");
    }
    let ip = match name {
        Name::Other(name) if is_obfuscated(name) || name.eq_ignore_ascii_case("unknown") => return Node::Hidden,
        Name::Other(name) => name.parse::<Ipv4Addr>().map(IpAddr::V4),
        Name::V6(name) => name.parse::<Ipv6Addr>().map(IpAddr::V6),
    };
    match ip.map(canonical) {
        Ok(ip) if !ip.is_unspecified() => Node::Address(ip),
        _ => Node::Broken("for= is no address"),
    }
}

enum Name<'a> {
    V6(&'a str),
    Other(&'a str),
}

/// Without the marks of quoted pairs.
fn text<'a>(value: Value<'a>, buffer: &'a mut [u8; MAX_NODE]) -> Option<&'a str> {
    let bytes = match value {
        Value::Token(bytes) => bytes,
        Value::Quoted(bytes) if !bytes.contains(&b'\\') => bytes,
        Value::Quoted(bytes) => {
            let (mut length, mut escaped) = (0_usize, false);
            for byte in bytes {
                escaped = *byte == b'\\' && !escaped;
                if !escaped {
                    *buffer.get_mut(length)? = *byte;
                    length = length.saturating_add(1);
                }
            }
            buffer.get(..length)?
        }
    };
    let text = std::str::from_utf8(bytes).ok()?;
    (text.len() <= MAX_NODE && text.is_ascii()).then_some(text)
}

/// One to five digits, or an obfuscated one.
fn is_port(port: &str) -> bool {
    is_obfuscated(port) || ((1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `_` and at least one more (§6.3).
fn is_obfuscated(name: &str) -> bool {
    let rest = name.strip_prefix('_').unwrap_or("");
    !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}
