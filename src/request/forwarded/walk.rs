use std::net::IpAddr;

use super::{Element, HopVerdict, Node, WalkedHop};
use crate::request::{client_ip::Provenance, proxies::TrustedProxies, scheme::Scheme};

/// No honest chain of proxies is longer.
pub(in crate::request) const MAX_HOPS: u8 = 64;

/// Where a walk has ended.
pub(in crate::request) struct Found {
    pub(in crate::request) ip: Option<IpAddr>,
    pub(in crate::request) provenance: Provenance,
    /// What the outermost of the verified proxies says of the scheme.
    pub(in crate::request) scheme: Option<Scheme>,
}

/// Starts at a trusted peer and goes left while the hops are trusted. Never walks past an element
/// that it cannot read: to its left, everything is the client's invention.
pub(in crate::request) fn walk(
    peer: Option<IpAddr>,
    elements: impl Iterator<Item = Element>,
    proxies: &TrustedProxies,
    see: &mut impl FnMut(WalkedHop),
) -> Found {
    let mut found = Found { ip: peer, provenance: Provenance::AllTrusted, scheme: None };
    let mut hop = 0_u8;
    for Element { node, scheme } in elements {
        hop = hop.saturating_add(1);
        let node = if hop < MAX_HOPS { node } else { Node::Broken("the chain is longer than 64 hops") };
        let ip = match node {
            Node::Address(ip) => ip,
            Node::Hidden => {
                see(WalkedHop { hop, address: None, verdict: HopVerdict::Hidden });
                return Found { provenance: Provenance::Malformed, scheme, ..found };
            }
            Node::Broken(why) => {
                see(WalkedHop { hop, address: None, verdict: HopVerdict::Malformed(why) });
                return Found { provenance: Provenance::Malformed, scheme: Some(Scheme::Unknown), ..found };
            }
        };
        if !proxies.trust_hop(ip, hop) {
            see(WalkedHop { hop, address: Some(ip), verdict: HopVerdict::Client });
            let provenance = Provenance::Header { name: proxies.forwarding_header(), hop };
            return Found { ip: Some(ip), provenance, scheme };
        }
        see(WalkedHop { hop, address: Some(ip), verdict: HopVerdict::Trusted });
        found = Found { ip: Some(ip), scheme, ..found };
    }
    found
}
