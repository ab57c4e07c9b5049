//! Where a request came from: the peer of the connection, and what trusted proxies say of what lies
//! behind it.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, connect_info::MockConnectInfo};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Uri, header::FORWARDED};

use super::{
    address::canonical,
    client_ip::{ClientIp, Provenance},
    forwarded::{ForwardingHeader, HopVerdict, WalkedHop, client},
    peer::{TlsPeer, UnixPeer},
    proxies::TrustedProxies,
    scheme::Scheme,
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Whom a request came from, and by which scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) client: ClientIp,
    pub(super) scheme: Scheme,
}

/// The other end of our own connection.
#[derive(Clone, Copy)]
enum Peer {
    Tcp(IpAddr),
    Unix,
    Unknown,
}

pub(super) fn arrival(extensions: &Extensions, headers: &HeaderMap, uri: &Uri, proxies: &TrustedProxies) -> Arrival {
    observed(extensions, headers, uri, proxies, &mut |_| {})
}

/// The same, and every hop is shown.
pub(super) fn observed(
    extensions: &Extensions,
    headers: &HeaderMap,
    uri: &Uri,
    proxies: &TrustedProxies,
    see: &mut impl FnMut(WalkedHop),
) -> Arrival {
    let tls = extensions.get::<ConnectInfo<TlsPeer>>();
    let own = || own_scheme(uri, tls.is_some());
    let peer = peer(extensions, tls);
    let address = match peer {
        Peer::Tcp(ip) => Some(ip),
        Peer::Unix | Peer::Unknown => None,
    };
    let trusted = match peer {
        Peer::Tcp(ip) => proxies.trust_peer(ip),
        Peer::Unix => proxies.trust_unix(),
        Peer::Unknown => false,
    };
    if !trusted {
        let verdict = if address.is_some() { HopVerdict::Client } else { HopVerdict::Unknown };
        see(WalkedHop { hop: 0, address, verdict });
        let provenance = if address.is_some() { Provenance::Peer } else { Provenance::Unknown };
        return Arrival { client: ClientIp::new(address, provenance), scheme: own() };
    }
    see(WalkedHop { hop: 0, address, verdict: HopVerdict::Trusted });
    let lines = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let (found, said) = match proxies.forwarding_header() {
        ForwardingHeader::XForwardedFor => {
            (client(address, lines(X_FORWARDED_FOR), proxies, see), forwarded_proto(lines(X_FORWARDED_PROTO)))
        }
        ForwardingHeader::Forwarded => {
            let found = client(address, lines(FORWARDED), proxies, see);
            let scheme = found.scheme;
            (found, scheme)
        }
    };
    Arrival { client: ClientIp::new(found.ip, found.provenance), scheme: said.unwrap_or_else(own) }
}

fn peer(extensions: &Extensions, tls: Option<&ConnectInfo<TlsPeer>>) -> Peer {
    let tcp = extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0)
        .or_else(|| tls.map(|info| info.0.address()))
        .or_else(|| extensions.get::<MockConnectInfo<SocketAddr>>().map(|info| info.0));
    match tcp {
        // Without the zone, which is ours and not the peer's.
        Some(address) => Peer::Tcp(canonical(address.ip())),
        None if extensions.get::<UnixPeer>().is_some() => Peer::Unix,
        None => Peer::Unknown,
    }
}

/// Of several values the last is the peer's own.
fn forwarded_proto<'a>(mut lines: impl DoubleEndedIterator<Item = &'a [u8]>) -> Option<Scheme> {
    let line = lines.next_back()?;
    Some(line.rsplit(|byte| *byte == b',').next().map_or(Scheme::Unknown, Scheme::named))
}

/// What our own connection says.
fn own_scheme(uri: &Uri, tls: bool) -> Scheme {
    if tls {
        return Scheme::Https;
    }
    uri.scheme_str().map_or(Scheme::Unknown, |scheme| Scheme::named(scheme.as_bytes()))
}
