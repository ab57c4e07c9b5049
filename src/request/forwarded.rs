//! The walk through `X-Forwarded-For`, from the right.

use std::net::{IpAddr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use http::HeaderMap;

use super::{client_ip::Provenance, proxies::TrustedProxies};

/// No honest chain of proxies is longer.
const MAX_HOPS: u8 = 64;
const MAX_BYTES: usize = 8 * 1024;

/// Starts at a trusted peer and goes left while the hops are trusted. Never walks past an element
/// that it cannot read: to its left, everything is the client's invention.
pub(super) fn walk(peer: IpAddr, headers: &HeaderMap, proxies: &TrustedProxies) -> (IpAddr, Provenance) {
    let mut last = peer;
    let mut hops = 1_u8;
    let mut bytes = 0_usize;
    for line in headers.get_all("x-forwarded-for").iter().rev() {
        for element in line.as_bytes().rsplit(|byte| *byte == b',') {
            bytes = bytes.saturating_add(element.len()).saturating_add(1);
            let Some(ip) = parse(element).filter(|_| hops < MAX_HOPS && bytes <= MAX_BYTES) else {
                return (last, Provenance::Malformed);
            };
            if !proxies.trusts(ip) {
                return (ip, Provenance::Forwarded { hops });
            }
            last = ip;
            hops = hops.saturating_add(1);
        }
    }
    (last, Provenance::AllTrusted)
}

/// `v4`, `v4:port`, `v6`, `[v6]`, `[v6]:port`; no zone, not unspecified.
fn parse(element: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(element).ok()?.trim_matches([' ', '\t']);
    let ip = if let Ok(ip) = text.parse::<IpAddr>() {
        ip
    } else if let Ok(v4) = text.parse::<SocketAddrV4>() {
        IpAddr::V4(*v4.ip())
    } else if let Ok(v6) = text.parse::<SocketAddrV6>() {
        (v6.scope_id() == 0).then(|| IpAddr::V6(*v6.ip()))?
    } else {
        IpAddr::V6(text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?)
    };
    let ip = ip.to_canonical();
    (!ip.is_unspecified()).then_some(ip)
}
