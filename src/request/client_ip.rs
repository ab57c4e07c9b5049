use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{address::held_by_one, forwarded::ForwardingHeader};

/// Whom the request came from, and how that is known.
///
/// Resolved once for each request: the peer of the connection, unless it is a trusted proxy; then the
/// rightmost address that is none, in the header field of the [trusted
/// proxies](super::TrustedProxies). An unknown peer (a unix socket that is not trusted, a test without
/// a connection) is a value, not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientIp {
    ip: Option<IpAddr>,
    provenance: Provenance,
}

/// How a [`ClientIp`] is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provenance {
    /// It is the peer of the connection.
    Peer,
    /// It is what a trusted proxy wrote.
    Header {
        /// Into which field.
        name: ForwardingHeader,
        /// How many trusted hops stand between it and us.
        hop: u8,
    },
    /// Every address in the field is a trusted proxy, or there is none: this is the leftmost of them,
    /// and no client.
    AllTrusted,
    /// The field cannot be read further, or hides an address: this is the last hop that could be
    /// verified, a trusted proxy and no client.
    Malformed,
    /// There is no peer with an address.
    Unknown,
}

/// A client's address reduced to the network that one client holds: IPv4 as it is, IPv6 by /64
/// (RFC 6177: the smallest that a site is given), 6to4 by /48 (RFC 3056 §2: what one IPv4 address is
/// given). What limits and blocks go by.
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

    pub(super) const fn new(ip: Option<IpAddr>, provenance: Provenance) -> Self {
        Self { ip, provenance }
    }

    /// The address; IPv6 that only carries an IPv4 address is shown as IPv4. Behind a trusted unix
    /// socket that says nothing there is none.
    pub fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    /// How it is known.
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// The address, if it is the client's own: not where the walk ended at a proxy of yours. What
    /// somebody is refused by; see [`BlockList`](crate::blocks::BlockList).
    pub fn verified(&self) -> Option<IpAddr> {
        match self.provenance {
            Provenance::Peer | Provenance::Header { .. } => self.ip,
            Provenance::AllTrusted | Provenance::Malformed | Provenance::Unknown => None,
        }
    }

    /// What limits go by.
    pub fn network(&self) -> Network {
        match self.ip {
            Some(IpAddr::V4(ip)) => Network::V4(ip),
            Some(IpAddr::V6(ip)) => Network::V6(held_by_one(ip)),
            None => Network::Unknown,
        }
    }

    /// Address and provenance in words, for a log: `198.51.100.7, from x-forwarded-for, 2 hops away`.
    /// The hops themselves are shown by [`TrustedProxies::explain`](super::TrustedProxies::explain).
    ///
    /// ```
    /// use portcullis::request::ClientIp;
    ///
    /// assert_eq!(ClientIp::UNKNOWN.explain().to_string(), "no address: the connection has none");
    /// ```
    pub fn explain(&self) -> impl fmt::Display + use<> {
        Explained(*self)
    }
}

struct Explained(ClientIp);

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.ip {
            Some(ip) => write!(f, "{ip}, ")?,
            None => f.write_str("no address: ")?,
        }
        match self.0.provenance {
            Provenance::Peer => f.write_str("the peer"),
            Provenance::Header { name, hop: 1 } => write!(f, "from {}, 1 hop away", name.as_str()),
            Provenance::Header { name, hop } => write!(f, "from {}, {hop} hops away", name.as_str()),
            Provenance::AllTrusted => f.write_str("a trusted proxy: none of them names a client"),
            Provenance::Malformed => f.write_str("a trusted proxy: what it says of others cannot be read"),
            Provenance::Unknown => f.write_str("the connection has none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> ClientIp {
        ClientIp::new(Some(text.parse().unwrap()), Provenance::Peer)
    }

    #[test]
    fn networks_are_v4_hosts_and_v6_prefixes() {
        let network = |text| of(text).network();
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("2002:c000:201:1::1"), network("2002:c000:201:2::1"));
        assert_eq!(ClientIp::UNKNOWN.network(), Network::Unknown);
    }

    #[test]
    fn a_proxy_is_no_client() {
        let ip = Some(IpAddr::from([192, 0, 2, 1]));
        let header = Provenance::Header { name: ForwardingHeader::Forwarded, hop: 2 };
        for (provenance, verified) in
            [(Provenance::Peer, ip), (header, ip), (Provenance::AllTrusted, None), (Provenance::Malformed, None)]
        {
            assert_eq!(ClientIp::new(ip, provenance).verified(), verified, "{provenance:?}");
        }
        assert_eq!(ClientIp::new(ip, header).explain().to_string(), "192.0.2.1, from forwarded, 2 hops away");
    }
}
