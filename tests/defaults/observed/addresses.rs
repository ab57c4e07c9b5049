//! Whom a request came from, and who may come in.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, routing};
use http::{Method, Request};
use portcullis::{
    backend::memory::MemoryStore,
    blocks::{Block, BlockChanges, BlockCursor, BlockError, BlockList, BlockStore},
    gate::RequestContextLayer,
    ip_filter::{IpFilterLayer, IpFilterLayerBuilder},
    request::{Cidr, ClientIp, TrustedProxies, UnixPeer},
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

use super::{Observed, ask, codes, get, greatest};

const REQUEST: &str = "The request";
const FILTER: &str = "IP filter";
const BLOCKS: &str = "Blocks";

pub(super) async fn look(seen: &mut Observed) {
    proxies(seen).await;
    filter(seen).await;
    blocks(seen).await;
}

async fn proxies(seen: &mut Observed) {
    let header = TrustedProxies::cidrs(["10.0.0.0/8"]).unwrap().forwarding_header();
    seen.see(REQUEST, "header that trusted proxies write", codes([header.as_str()]));
    let app = |proxies| {
        let ip = |ip: ClientIp| async move { format!("{:?} {:?}", ip.ip(), ip.network()) };
        Router::new().route("/", routing::get(ip)).layer(RequestContextLayer::new().trusted_proxies(proxies))
    };
    let sockets = app(TrustedProxies::cidrs(["10.0.0.0/8"]).unwrap());
    let mut request = get("/", &[("x-forwarded-for", "203.0.113.9")]);
    request.extensions_mut().insert(UnixPeer);
    let believed = ask(&sockets, request).await.2.contains("203.0.113.9");
    seen.see(REQUEST, "peers on unix sockets", if believed { "trusted" } else { "not trusted" });
    let widest = async |text: &str, bits: u64| {
        bits - greatest(0..=bits, async |fewer| TrustedProxies::cidrs([&*format!("{text}/{}", bits - fewer)]).is_ok())
            .await
    };
    let widest = format!("/{}, IPv6 /{}", widest("64.0.0.0", 16).await, widest("4000::", 32).await);
    seen.see(REQUEST, "widest network of proxies", widest);
    let network = async |peer: &str| {
        let request = from(get("/", &[]), peer);
        ask(&app(TrustedProxies::none()), request).await.2.split_once(' ').unwrap().1.to_owned()
    };
    let site = network("2002:c000:204:1::1").await == network("2002:c000:204:2::1").await;
    let next = network("2002:c000:205:1::1").await != network("2002:c000:204:1::1").await;
    seen.see(REQUEST, "network of a 6to4 address", if site && next { "the /48" } else { "another" });
}

fn from(mut request: Request<Body>, peer: &str) -> Request<Body> {
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4711)));
    request
}

async fn answer(builder: IpFilterLayerBuilder, method: Method, peer: Option<&str>) -> (u16, String) {
    let app = Router::new().route("/", routing::any(|| async {})).layer(builder.build().unwrap());
    let request = Request::builder().method(method).uri("/").body(Body::empty()).unwrap();
    let (status, _, body) =
        ask(&app, peer.map_or(request, |peer| from(Request::get("/").body(Body::empty()).unwrap(), peer))).await;
    let problem: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    (status.as_u16(), problem["error"].as_str().unwrap_or("").to_owned())
}

async fn filter(seen: &mut Observed) {
    let new = IpFilterLayer::builder;
    let get = async |builder: IpFilterLayerBuilder, peer| answer(builder, Method::GET, peer).await.0;
    let lists = || new().allow(["10.0.0.0/8", "10.1.1.0/24", "192.0.2.1"]).deny(["10.1.0.0/16", "192.0.2.1"]);
    let by_length = get(lists(), Some("10.1.1.1")).await == 200 && get(lists(), Some("10.1.2.1")).await == 403;
    let equals = get(lists(), Some("192.0.2.1")).await == 403;
    let decides = if by_length && equals { "the longest prefix, of equals the denial" } else { "another" };
    seen.see(FILTER, "which entry decides", decides);
    for (setting, peer) in [("address on neither list", Some("8.8.8.8")), ("client without an address", None)] {
        let without = get(new().deny(["192.0.2.1"]), peer).await;
        let with = get(new().allow(["192.0.2.1"]), peer).await;
        let said = (without == 200 && with == 403).then_some("passes without an allow list, is refused with one");
        seen.see(FILTER, setting, said.unwrap_or("another"));
    }
    let mut all = true;
    for method in [Method::GET, Method::POST, Method::OPTIONS, Method::DELETE] {
        all &= answer(new().allow(["192.0.2.1"]), method, None).await.0 == 403;
    }
    seen.see(FILTER, "paths and methods", if all { "all" } else { "some" });
    let (status, code) = answer(new().deny(["8.8.8.8"]), Method::GET, Some("8.8.8.8")).await;
    seen.see(FILTER, "refusal", format!("{status} {}", codes([&*code])));
    let unknown = BlockList::new(Down);
    seen.see(
        FILTER,
        "blocks that have never been loaded",
        get(new().blocks(&unknown), Some("8.8.8.8")).await.to_string(),
    );
}

async fn blocks(seen: &mut Observed) {
    let blocks = BlockList::new(MemoryStore::new());
    let put = async |network: &str, secs: u64| {
        let network = network.parse().map_err(|_| BlockError::NotVerified)?;
        blocks.block_network(network, Duration::from_secs(secs), &"x".repeat(500)).await
    };
    let mut protected = true;
    for ip in ["127.0.0.1", "127.9.9.9", "::1"] {
        protected &= matches!(put(ip, 60).await, Err(BlockError::Protected(_)));
    }
    seen.see(BLOCKS, "never blocked", if protected { "loopback" } else { "nobody" });
    let widest = async |text: &str, bits: u64| {
        bits - greatest(0..=bits, async |fewer| put(&format!("{text}/{}", bits - fewer), 60).await.is_ok()).await
    };
    seen.see(
        BLOCKS,
        "widest block",
        format!("/{}, IPv6 /{}", widest("64.0.0.0", 16).await, widest("4000::", 32).await),
    );
    let longest = greatest(1..=10_000_000, async |secs| put("192.0.2.1", secs).await.is_ok()).await;
    seen.see(BLOCKS, "longest block", format!("{} days", longest / 86_400));
    let block = put("2001:db8::1", 60).await.unwrap();
    let is_64 = block.network == "2001:db8::/64".parse::<Cidr>().unwrap();
    seen.see(BLOCKS, "block of an IPv6 address", if is_64 { "its /64" } else { "another" });
    seen.see(BLOCKS, "longest reason", format!("{} characters", block.reason.len()));
}

/// A store that does not answer.
#[derive(Debug)]
struct Down;

impl BlockStore for Down {
    fn block(&self, _: Block, _: Timestamp) -> BoxFuture<'_, Result<Block, StoreError>> {
        Box::pin(async { Err(StoreError::TimedOut) })
    }

    fn unblock(&self, _: Cidr, _: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async { Err(StoreError::TimedOut) })
    }

    fn changes(&self, _: BlockCursor, _: Timestamp) -> BoxFuture<'_, Result<BlockChanges, StoreError>> {
        Box::pin(async { Err(StoreError::TimedOut) })
    }
}
