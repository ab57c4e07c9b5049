//! What the client's address costs: the walk through three trusted hops, and the look-up of a network.
//!
//! `cargo run --release --bin address [-- ROUNDS ITERATIONS]`: times and allocations, beside
//! `forwarded-header-value` (which parses, and knows no trust) and `ip_network_table` (a trie of bits).
//! Requests are made before; what is measured includes the gate that makes the context, and so the
//! first table has a line without proxies to be subtracted.

use std::{
    convert::Infallible,
    hint::black_box,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    task::{Context, Poll},
};

use axum::{body::Body, extract::ConnectInfo, response::Response};
use forwarded_header_value::ForwardedHeaderValue;
use http::Request;
use ip_network::IpNetwork;
use ip_network_table::IpNetworkTable;
use portcullis::{
    gate::RequestContextLayer,
    ip_filter::IpFilterLayer,
    request::{ForwardingHeader, TrustedProxies},
};
use portcullis_peers::{Counting, Suite};
use tower::{Layer as _, Service};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Error = Box<dyn std::error::Error>;

const X: &str = "6.6.6.6, 198.51.100.7, 10.0.0.3, 10.0.0.2";
const F: &str = "for=6.6.6.6, for=198.51.100.7;proto=https, for=10.0.0.3;proto=http, for=10.0.0.2;proto=http";

/// The inner service: it has nothing to do.
#[derive(Clone)]
struct Nothing;

impl Service<Request<Body>> for Nothing {
    type Response = Response;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        black_box(request);
        std::future::ready(Ok(Response::new(Body::empty())))
    }
}

fn request(peer: [u8; 4], field: &'static str, line: &'static str) -> Request<Body> {
    let mut request = Request::get("/").header(field, line).body(Body::empty()).expect("a request");
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 4711))));
    request
}

/// Makes the context of `n` requests.
fn contexts(proxies: TrustedProxies, peer: [u8; 4], field: &'static str, line: &'static str) -> impl FnMut(u64) {
    let mut service = RequestContextLayer::new().trusted_proxies(proxies).layer(Nothing);
    move |n| {
        for _ in 0..n {
            black_box(service.call(request(peer, field, line)));
        }
    }
}

fn walks(rounds: usize, iterations: u64) -> Result<(), Error> {
    let proxies = || {
        TrustedProxies::cidrs(["10.0.0.0/8"])
            .map(|proxies| (proxies.clone(), proxies.header(ForwardingHeader::Forwarded)))
    };
    let mut suite = Suite::default();
    let (by_list, by_rfc) = proxies()?;
    suite.case(
        "request and context, no proxy trusted",
        contexts(TrustedProxies::none(), [10, 0, 0, 1], "x-forwarded-for", X),
    );
    suite.case("3 hops of X-Forwarded-For", contexts(by_list, [10, 0, 0, 1], "x-forwarded-for", X));
    suite.case(
        "request and context, no proxy trusted, Forwarded",
        contexts(TrustedProxies::none(), [10, 0, 0, 1], "forwarded", F),
    );
    suite.case("3 hops of Forwarded", contexts(by_rfc, [10, 0, 0, 1], "forwarded", F));
    suite.case("request alone", |n| (0..n).for_each(|_| drop(black_box(request([10, 0, 0, 1], "forwarded", F)))));
    suite.case("forwarded-header-value, parse alone", |n| {
        for _ in 0..n {
            let value = ForwardedHeaderValue::from_forwarded(black_box(F)).expect("it is well-formed");
            black_box(value.iter().rev().nth(2).and_then(|stanza| stanza.forwarded_for_ip()));
        }
    });
    println!("## The walk to the client\n");
    suite.print(rounds, iterations);
    Ok(())
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn address(v6: bool, number: u64) -> IpAddr {
    if v6 {
        let high = 0x2000_0000_0000_0000 | (mix(number) >> 3);
        IpAddr::V6(Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(mix(number + 1))))
    } else {
        IpAddr::V4(Ipv4Addr::from_bits(mix(number) as u32))
    }
}

/// Networks of /16 to /32, or of /32 to /64.
fn networks(v6: bool, count: u64) -> Vec<(IpAddr, u8)> {
    (0..count)
        .map(|index| match (address(v6, index), 16 + (mix(index) % 17) as u8) {
            (IpAddr::V4(ip), prefix) => {
                (IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & (u32::MAX << (32 - prefix)))), prefix)
            }
            (IpAddr::V6(ip), prefix) => {
                let prefix = prefix * 2;
                (IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << (128 - prefix)))), prefix)
            }
        })
        .collect()
}

fn lookups(rounds: usize, iterations: u64) -> Result<(), Error> {
    let mut suite = Suite::default();
    for (family, v6) in [("IPv4", false), ("IPv6", true)] {
        for count in [1, 10_000, 100_000] {
            let networks = networks(v6, count);
            // Half are in one of them.
            let asked: Vec<IpAddr> =
                (0..1_024_u64).map(|n| address(v6, if n % 2 == 0 { n % count } else { mix(n) })).collect();
            let deny = networks.iter().map(|(ip, prefix)| format!("{ip}/{prefix}"));
            let handle = IpFilterLayer::builder().deny(deny).build()?.handle();
            let ips = asked.clone();
            suite.case(&format!("{family}, {count} networks"), move |n| {
                for ip in ips.iter().cycle().take(n as usize) {
                    black_box(handle.judge(black_box(*ip)));
                }
            });
            let mut table = IpNetworkTable::new();
            for (ip, prefix) in &networks {
                table.insert(IpNetwork::new(*ip, *prefix)?, ());
            }
            suite.case(&format!("{family}, {count} networks, ip_network_table"), move |n| {
                for ip in asked.iter().cycle().take(n as usize) {
                    black_box(table.longest_match(black_box(*ip)));
                }
            });
        }
    }
    println!("\n## The longest prefix\n");
    suite.print(rounds, iterations);
    Ok(())
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: u64| arguments.get(index).map_or(Ok(default), |text| text.parse());
    let (rounds, iterations) = (number(0, 60)? as usize, number(1, 2_000)?);
    walks(rounds, iterations)?;
    lookups(rounds, iterations)
}
