//! The client's address, and whether it may come in, cost no allocation.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    hint::black_box,
    net::{Ipv4Addr, SocketAddr},
    task::{Context, Poll},
    time::Duration,
};

use allocation_counter::measure;
use axum::{body::Body, extract::ConnectInfo, response::Response};
use http::Request;
use portcullis::{
    backend::memory::MemoryStore,
    blocks::BlockList,
    gate::{Gated, RequestContextLayer},
    ip_filter::IpFilterLayer,
    request::{ClientIp, ForwardingHeader, RequestContext, TrustedProxies},
};
use tower::{Layer, Service};

/// Answers at once, with the address that the context has.
#[derive(Clone)]
struct Address;

impl Service<Request<Body>> for Address {
    type Response = Response;
    type Error = Infallible;
    type Future = Ready<Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let client = RequestContext::of(&request).map_or(ClientIp::UNKNOWN, |context| context.client_ip());
        assert_eq!(client.ip(), Some(Ipv4Addr::new(198, 51, 100, 7).into()));
        ready(Ok(Response::default()))
    }
}

/// Allocations of one call: the least of eight, after three to warm up.
fn allocations<S>(service: &mut S, peer: [u8; 4], fields: &[(&'static str, &'static str)]) -> u64
where
    S: Service<Request<Body>>,
{
    let mut call = |counted: bool| {
        let request = fields.iter().fold(Request::get("/"), |request, (name, line)| request.header(*name, *line));
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 4711))));
        let mut request = Some(request);
        let info = measure(|| drop(black_box(service.call(request.take().unwrap()))));
        if counted { info.count_total } else { u64::MAX }
    };
    (0..3).for_each(|_| {
        call(false);
    });
    (0..8).map(|_| call(true)).min().unwrap()
}

fn behind(proxies: TrustedProxies) -> impl Service<Request<Body>> {
    RequestContextLayer::new().trusted_proxies(proxies).layer(Address)
}

const X: (&str, &str) = ("x-forwarded-for", "6.6.6.6, 198.51.100.7:4711, 10.0.0.3, 10.0.0.2");
const F: (&str, &str) =
    ("forwarded", "for=6.6.6.6, for=\"198.51.100.7:4711\";proto=https, for=10.0.0.3;proto=http, for=10.0.0.2");

#[test]
fn three_hops_allocate_nothing() {
    let direct = allocations(&mut behind(TrustedProxies::none()), [198, 51, 100, 7], &[X, F]);
    let proxies = TrustedProxies::cidrs(["10.0.0.0/8"]).unwrap();
    let by_list = allocations(&mut behind(proxies.clone()), [10, 0, 0, 1], &[X]);
    let by_rfc = allocations(&mut behind(proxies.header(ForwardingHeader::Forwarded)), [10, 0, 0, 1], &[F]);
    let by_number = allocations(&mut behind(TrustedProxies::hops(3).unwrap()), [10, 0, 0, 1], &[X]);
    assert_eq!([by_list, by_rfc, by_number], [direct; 3]);
}

#[test]
fn a_filter_of_ten_thousand_networks_and_blocks_allocates_nothing() {
    let filtered = |filter: &IpFilterLayer| -> Gated<_, _> { filter.layer(Address) };
    let few = IpFilterLayer::builder().deny(["203.0.113.0/24"]).build().unwrap();
    let context = allocations(&mut behind(TrustedProxies::none()), [198, 51, 100, 7], &[]);
    assert_eq!(allocations(&mut filtered(&few), [198, 51, 100, 7], &[]), context);
    let networks = (0..10_000_u32).map(|n| format!("{}/32", Ipv4Addr::from_bits(n.wrapping_mul(0x9e37_79b9))));
    let blocks = BlockList::new(MemoryStore::new());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for ip in ["192.0.2.1", "192.0.2.0/28", "2001:db8::1"] {
        let blocking = blocks.block_network(ip.parse().unwrap(), Duration::from_secs(60), "test");
        runtime.block_on(blocking).unwrap();
    }
    let many = IpFilterLayer::builder().deny(networks).blocks(&blocks).build().unwrap();
    assert_eq!(allocations(&mut filtered(&many), [198, 51, 100, 7], &[]), context);
}
