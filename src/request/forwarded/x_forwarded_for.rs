use std::net::{IpAddr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use super::{Budget, Element, Node};
use crate::request::address::canonical;

/// The elements of `X-Forwarded-For`, the last one first. Several lines are one list (RFC 9110 §5.3).
pub(super) fn elements<'a>(lines: impl DoubleEndedIterator<Item = &'a [u8]>) -> impl Iterator<Item = Element> {
    let mut budget = Budget::default();
    lines.rev().flat_map(|line| line.rsplit(|byte| *byte == b',')).map(move |element| {
        if !budget.takes(element.len()) {
            return Element::broken("the field is longer than 8 KiB");
        }
        let node = address(element).map_or(Node::Broken("it is no address"), Node::Address);
        Element { node, scheme: None }
    })
}

/// `v4`, `v4:port`, `v6`, `[v6]`, `[v6]:port`; no zone, not unspecified.
fn address(element: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(element).ok()?.trim_matches([' ', '\t']);
    let ip = if let Ok(ip) = text.parse::<IpAddr>() {
        ip
    } else if let Ok(v4) = text.parse::<SocketAddrV4>() {
        IpAddr::V4(*v4.ip())
    } else if let Ok(v6) = text.parse::<SocketAddrV6>() {
        // A zone says something on the proxy's machine only (RFC 4007 §6), zero like another.
        (!text.contains('%')).then(|| IpAddr::V6(*v6.ip()))?
    } else {
        IpAddr::V6(text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?)
    };
    let ip = canonical(ip);
    (!ip.is_unspecified()).then_some(ip)
}
