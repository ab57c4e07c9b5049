use std::{fmt, net::IpAddr};

use http::request::Parts;

use super::ForwardingHeader;
use crate::request::{ClientIp, Scheme, TrustedProxies, arrival};

/// How a client's address was found, hop by hop: what
/// [`TrustedProxies::explain`](crate::request::TrustedProxies::explain) tells. Shown as text, one line
/// for each hop; nothing of the request stands in it but addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Walk {
    /// The field that was read.
    pub header: ForwardingHeader,
    /// The hops, the peer first: at most 65, the last of which is then one hop too many.
    pub hops: Vec<WalkedHop>,
    /// What came of it.
    pub client: ClientIp,
    /// The scheme that the client used, as far as it is known.
    pub scheme: Scheme,
}

/// One hop of a [`Walk`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WalkedHop {
    /// Zero is the peer of our own connection, one what the peer wrote: the last element of the
    /// field, and so on to the left.
    pub hop: u8,
    /// The address, if there is one.
    pub address: Option<IpAddr>,
    /// What it was taken for.
    pub verdict: HopVerdict,
}

/// What a hop was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HopVerdict {
    /// A trusted proxy: what it wrote is read.
    Trusted,
    /// None, so it is the client.
    Client,
    /// The proxy knows the address and does not say it (`unknown`, an obfuscated name, no `for=`).
    /// The walk ends: what stands to the left cannot be verified.
    Hidden,
    /// It cannot be read, for this reason. The walk ends.
    Malformed(&'static str),
    /// There is no address: the connection has none.
    Unknown,
}

impl TrustedProxies {
    /// How the client's address of a request is found, hop by hop: for a developer who wonders why
    /// all clients have the load balancer's address.
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use axum::extract::ConnectInfo;
    /// use http::Request;
    /// use portcullis::request::TrustedProxies;
    ///
    /// let proxies = TrustedProxies::cidrs(["10.0.0.0/8"])?;
    /// let request = Request::get("/").header("x-forwarded-for", "6.6.6.6, 198.51.100.7, 10.0.0.2").body(())?;
    /// let (mut head, ()) = request.into_parts();
    /// head.extensions.insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 4711))));
    /// let walk = proxies.explain(&head);
    /// assert_eq!(walk.client.ip(), Some("198.51.100.7".parse()?));
    /// assert_eq!(
    ///     walk.to_string(),
    ///     "0 the peer: 10.0.0.1 is a trusted proxy\n\
    ///      1 x-forwarded-for: 10.0.0.2 is a trusted proxy\n\
    ///      2 x-forwarded-for: 198.51.100.7 is the client\n",
    /// );
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain(&self, head: &Parts) -> Walk {
        let mut hops = Vec::new();
        let found = arrival::observed(&head.extensions, &head.headers, &head.uri, self, &mut |hop| hops.push(hop));
        Walk { header: self.forwarding_header(), hops, client: found.client, scheme: found.scheme }
    }
}

impl fmt::Display for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for WalkedHop { hop, address, verdict } in &self.hops {
            let place = if *hop == 0 { "the peer" } else { self.header.as_str() };
            write!(f, "{hop} {place}: ")?;
            match address {
                Some(address) => write!(f, "{address} ")?,
                None if *verdict == HopVerdict::Trusted => f.write_str("a unix socket ")?,
                None => f.write_str("the address ")?,
            }
            match verdict {
                HopVerdict::Trusted => writeln!(f, "is a trusted proxy"),
                HopVerdict::Client => writeln!(f, "is the client"),
                HopVerdict::Hidden => writeln!(f, "is not told: the hop before counts"),
                HopVerdict::Malformed(why) => writeln!(f, "cannot be read ({why}): the hop before counts"),
                HopVerdict::Unknown => writeln!(f, "is not known"),
            }?;
        }
        Ok(())
    }
}
