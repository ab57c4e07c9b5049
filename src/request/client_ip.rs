use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::HeaderMap;

use super::{forwarded, proxies::TrustedProxies};

/// Whom the request came from, and how that is known.
///
/// Resolved once for each request: the TCP peer, unless it is a trusted proxy; then the rightmost
/// address in `X-Forwarded-For` that is none. An unknown peer (a unix socket, a test without a
/// connection) is a value, not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientIp {
    ip: Option<IpAddr>,
    provenance: Provenance,
}

/// How a [`ClientIp`] is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provenance {
    /// It is the TCP peer.
    Peer,
    /// It is what a trusted proxy wrote into `X-Forwarded-For`.
    Forwarded {
        /// How many trusted hops stand between it and us.
        hops: u8,
    },
    /// Every address in the header is a trusted proxy: this is the leftmost of them.
    AllTrusted,
    /// The header is malformed: this is the last hop that could be verified.
    Malformed,
    /// There is no TCP peer.
    Unknown,
}

/// A client's address reduced to the network that one client holds: IPv4 as it is, IPv6 by /64
/// (RFC 6177: the smallest that a site is given). What limits and blocks go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Network {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// The first 64 bits of an IPv6 address; the others are zero.
    V6(Ipv6Addr),
    /// All callers without an address share one network.
    Unknown,
}

impl ClientIp {
    /// Nobody knows.
    pub const UNKNOWN: Self = Self { ip: None, provenance: Provenance::Unknown };

    pub(crate) fn resolve(peer: Option<SocketAddr>, headers: &HeaderMap, proxies: &TrustedProxies) -> Self {
        let Some(peer) = peer else { return Self::UNKNOWN };
        let peer = peer.ip().to_canonical();
        if proxies.is_empty() || !proxies.trusts(peer) {
            return Self { ip: Some(peer), provenance: Provenance::Peer };
        }
        let (ip, provenance) = forwarded::walk(peer, headers, proxies);
        Self { ip: Some(ip), provenance }
    }

    /// The address; IPv4-mapped IPv6 addresses are shown as IPv4.
    pub fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    /// How it is known.
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// What limits go by.
    pub fn network(&self) -> Network {
        match self.ip {
            Some(IpAddr::V4(ip)) => Network::V4(ip),
            Some(IpAddr::V6(ip)) => Network::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
            None => Network::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(peer: &str, forwarded: &[&str], trusted: &[&str]) -> ClientIp {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let proxies = TrustedProxies::cidrs(trusted.iter().copied()).unwrap();
        ClientIp::resolve(Some(SocketAddr::new(peer.parse().unwrap(), 4711)), &headers, &proxies)
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is compared with what may be unknown")]
    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_says() {
        for trusted in [&[][..], &["10.0.0.0/8"]] {
            let client = resolve("203.0.113.9", &["1.2.3.4"], trusted);
            assert_eq!((client.ip(), client.provenance()), (ip("203.0.113.9"), Provenance::Peer));
        }
    }

    #[test]
    fn the_rightmost_untrusted_address_is_the_client() {
        let trusted = &["10.0.0.0/8"];
        let client = resolve("10.0.0.1", &["6.6.6.6, 198.51.100.7, 10.0.0.2"], trusted);
        assert_eq!((client.ip(), client.provenance()), (ip("198.51.100.7"), Provenance::Forwarded { hops: 2 }));
        // Several lines are one list (RFC 9110 §5.3).
        let client = resolve("10.0.0.1", &["6.6.6.6", "198.51.100.7", "10.0.0.2"], trusted);
        assert_eq!(client.ip(), ip("198.51.100.7"));
    }

    #[test]
    fn ports_and_brackets_are_understood() {
        let trusted = &["10.0.0.0/8"];
        assert_eq!(resolve("10.0.0.1", &["198.51.100.7:1234"], trusted).ip(), ip("198.51.100.7"));
        assert_eq!(resolve("10.0.0.1", &["[2001:db8::1]:1234"], trusted).ip(), ip("2001:db8::1"));
        assert_eq!(resolve("10.0.0.1", &["[2001:db8::1]"], trusted).ip(), ip("2001:db8::1"));
        assert_eq!(resolve("10.0.0.1", &["2001:db8::1"], trusted).ip(), ip("2001:db8::1"));
        assert_eq!(resolve("10.0.0.1", &["::ffff:198.51.100.7"], trusted).ip(), ip("198.51.100.7"));
    }

    #[test]
    fn the_walk_stops_at_what_it_cannot_verify() {
        let trusted = &["10.0.0.0/8"];
        for junk in ["unknown", "", "0.0.0.0", "::", "_hidden", "1.2.3.4.5", "[::1", "1.2.3.4:port", "fe80::1%eth0"] {
            let client = resolve("10.0.0.1", &[&format!("198.51.100.7, {junk}, 10.0.0.2")], trusted);
            assert_eq!((client.ip(), client.provenance()), (ip("10.0.0.2"), Provenance::Malformed), "{junk:?}");
        }
    }

    #[test]
    fn only_proxies_means_the_leftmost_of_them() {
        let client = resolve("10.0.0.1", &["10.0.0.3, 10.0.0.2"], &["10.0.0.0/8"]);
        assert_eq!((client.ip(), client.provenance()), (ip("10.0.0.3"), Provenance::AllTrusted));
        let client = resolve("10.0.0.1", &[], &["10.0.0.0/8"]);
        assert_eq!((client.ip(), client.provenance()), (ip("10.0.0.1"), Provenance::AllTrusted));
    }

    #[test]
    fn the_length_of_the_header_is_bounded() {
        let long = "10.0.0.2, ".repeat(5_000) + "10.0.0.2";
        let client = resolve("10.0.0.1", &[&long], &["10.0.0.0/8"]);
        assert_eq!(client.provenance(), Provenance::Malformed);
    }

    #[test]
    fn a_mapped_peer_is_ipv4() {
        assert_eq!(resolve("::ffff:192.0.2.1", &[], &[]).ip(), ip("192.0.2.1"));
    }

    #[test]
    fn networks_are_v4_hosts_and_v6_prefixes() {
        let network = |text| resolve(text, &[], &[]).network();
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(ClientIp::UNKNOWN.network(), Network::Unknown);
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_it_panic(lines in proptest::collection::vec("[0-9a-f.:\\[\\], %\"]{0,40}", 0..5)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let client = resolve("10.0.0.1", &lines, &["10.0.0.0/8"]);
            proptest::prop_assert!(client.ip().is_some());
        }
    }
}
