//! `Forwarded` and `X-Forwarded-For` behind a trusted proxy: each line of the input is a line of the field.
//! The walk must agree with a reader that is as plain as can be, and nothing that stands to the left of what a
//! proxy has written may move it.

use std::{net::SocketAddr, sync::atomic::Ordering::Relaxed};

use axum::extract::ConnectInfo;
use http::{HeaderName, HeaderValue, Request};
use portcullis::request::{ForwardingHeader, Provenance, TrustedProxies, Walk};

use crate::{
    door::LET_IN,
    naive::{self, End},
};

pub fn forwarded(data: &[u8]) {
    run(ForwardingHeader::Forwarded, data, "for=198.51.100.7;proto=https", naive::forwarded);
}

pub fn x_forwarded_for(data: &[u8]) {
    run(ForwardingHeader::XForwardedFor, data, "198.51.100.7", naive::x_forwarded_for);
}

fn run(header: ForwardingHeader, data: &[u8], own: &str, naive: fn(&[&[u8]]) -> End) {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let Some(found) = walk(header, &lines) else { return };
    let end = match (found.client.provenance(), found.client.ip()) {
        (Provenance::Header { name, hop }, Some(ip)) if name == header => {
            LET_IN.fetch_add(1, Relaxed);
            End::Client(ip, hop)
        }
        (Provenance::AllTrusted, Some(ip)) => End::AllTrusted(ip),
        (Provenance::Malformed, Some(ip)) => End::Boundary(ip),
        other => panic!("a trusted peer with an address has led to {other:?}"),
    };
    assert_eq!(end, naive(&lines), "{found}");
    // The peer, 63 hops, and the one that is a hop too many.
    assert!(found.hops.len() <= 65 && !found.to_string().is_empty());

    // What the proxy writes into a line of its own decides, whatever stands before it.
    let mut with_own = lines.clone();
    with_own.push(own.as_bytes());
    let found = walk(header, &with_own).expect("another line changes nothing").client;
    assert_eq!((found.ip(), hops(found.provenance())), (Some([198, 51, 100, 7].into()), Some(1)));

    // And appended to the last line it decides, or nothing does.
    let last = [lines.last().copied().unwrap_or_default(), b", ", own.as_bytes()].concat();
    with_own.truncate(lines.len() - 1);
    with_own.push(&last);
    let found = walk(header, &with_own).expect("still a line").client;
    match hops(found.provenance()) {
        Some(hops) => assert_eq!((found.ip(), hops), (Some([198, 51, 100, 7].into()), 1)),
        None => assert_eq!(found.ip(), Some([10, 0, 0, 1].into()), "the peer, and nobody that the client names"),
    }
}

fn hops(provenance: Provenance) -> Option<u8> {
    match provenance {
        Provenance::Header { hop, .. } => Some(hop),
        _ => None,
    }
}

/// `None` if the lines cannot be sent at all.
fn walk(header: ForwardingHeader, lines: &[&[u8]]) -> Option<Walk> {
    let mut request = Request::new(());
    for line in lines {
        let value = HeaderValue::from_bytes(line).ok()?;
        request.headers_mut().append(HeaderName::from_static(header.as_str()), value);
    }
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 4711))));
    let proxies = TrustedProxies::cidrs(["10.0.0.0/8", "2001:db8:f::/48"]).expect("networks").header(header);
    Some(proxies.explain(&request.into_parts().0))
}
