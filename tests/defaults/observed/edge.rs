//! The request, and `Stack`.

use std::net::SocketAddr;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    routing,
};
use http::{HeaderMap, Request};
use portcullis::{
    gate::{ProblemLayer, RequestContextLayer},
    request::{ClientIp, Network},
    secret::SecretSet,
    stack::Stack,
    time::Timestamp,
};

use super::{Observed, ask, bytes, codes, get, greatest, status};

const REQUEST: &str = "The request";
const STACK: &str = "Stack";

pub(super) async fn look(seen: &mut Observed) {
    addresses(seen).await;
    responses(seen).await;
    bounds(seen).await;
    sensitive(seen).await;
    let many = (0..20_u8).fold(SecretSet::new("current".into()), |set, number| {
        set.with_previous([number].to_vec().into(), Timestamp::MAX)
    });
    seen.see("Secrets", "previous secrets of a set", (many.valid_at(Timestamp::EPOCH).len() - 1).to_string());
    let slots = portcullis::backend::memory::MemoryStore::RATE_SLOTS as u64;
    seen.see("The memory store", "rate states", format!("{} slots", super::grouped(slots)));
}

async fn addresses(seen: &mut Observed) {
    let app = Router::new()
        .route("/", routing::get(|ip: ClientIp| async move { format!("{:?} {:?}", ip.ip(), ip.network()) }))
        .layer(RequestContextLayer::new());
    let from = async |peer: Option<&str>, forwarded: &str| {
        let mut request = get("/", &[("x-forwarded-for", forwarded)]);
        if let Some(peer) = peer {
            let peer: SocketAddr = peer.parse().unwrap();
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        ask(&app, request).await.2
    };
    let proxy = from(Some("127.0.0.1:1"), "203.0.113.9").await;
    seen.see(REQUEST, "trusted proxies", if proxy.contains("203.0.113.9") { "loopback" } else { "none" });
    let network = async |peer: &str| from(Some(peer), "").await.split_once(' ').unwrap().1.to_owned();
    let same = network("192.0.2.1:1").await == network("192.0.2.2:1").await;
    seen.see(REQUEST, "network of an IPv4 address", if same { "wider" } else { "the address" });
    let (one, two) = (network("[2001:db8::1]:1").await, network("[2001:db8::ffff:ffff:ffff:ffff]:1").await);
    let next = network("[2001:db8:0:1::1]:1").await;
    seen.see(REQUEST, "network of an IPv6 address", if one == two && one != next { "the /64" } else { "another" });
    let unknown = from(None, "203.0.113.9").await.ends_with(&format!("{:?}", Network::Unknown));
    seen.see(REQUEST, "network of an unknown peer", if unknown { "one for all" } else { "another" });
}

async fn responses(seen: &mut Observed) {
    let app = Router::new().layer(ProblemLayer::new());
    let mut ids = Vec::new();
    for _ in 0..2 {
        let (_, headers, _) = ask(&app, get("/", &[("x-request-id", "mine")])).await;
        ids.push(headers["x-request-id"].clone());
    }
    let made = ids[0] != ids[1] && !ids.iter().any(|id| id == "mine");
    seen.see(REQUEST, "`X-Request-ID`", if made { "made for each request" } else { "the client's" });
    let (_, headers, _) = ask(&app, get("/", &[])).await;
    seen.see(REQUEST, "body of a refusal", codes([headers["content-type"].to_str().unwrap()]));
}

async fn bounds(seen: &mut Observed) {
    let app = Router::new().route("/", routing::post(|_: Bytes| async {}).get(|| async {})).layer(Stack::new());
    let fits = async |length: u64| {
        let body = vec![b' '; usize::try_from(length).unwrap()];
        status(&app, Request::post("/").body(Body::from(body)).unwrap()).await == 200
    };
    seen.see(STACK, "body limit", bytes(greatest(0..=2_000_000, fits).await));
    // A test that waited for them would take a minute.
    let settings = format!("{:?}", Stack::new());
    let setting = |name: &str| {
        let (_, rest) = settings.split_once(&format!("{name}: ")).unwrap();
        let value = rest.split([',', ' ']).next().unwrap();
        value.trim_start_matches("Some(").trim_end_matches(')').replace('s', " s")
    };
    seen.see(STACK, "body deadline", setting("body_deadline"));
    seen.see(STACK, "time-out of a handler", setting("timeout"));
}

async fn sensitive(seen: &mut Observed) {
    let list = |headers: HeaderMap| async move {
        let marked = headers.iter().filter(|(_, value)| value.is_sensitive());
        marked.map(|(name, _)| name.to_string()).collect::<Vec<_>>().join(" ")
    };
    let app = Router::new().route("/", routing::get(list)).layer(Stack::new());
    let sent = ["Authorization", "Proxy-Authorization", "Cookie", "X-API-Key", "X-Other", "User-Agent"];
    let headers: Vec<_> = sent.iter().map(|name| (*name, "x")).collect();
    let (_, _, marked) = ask(&app, get("/", &headers)).await;
    let marked: Vec<_> = marked.split(' ').collect();
    let shown = sent.into_iter().filter(|name| marked.contains(&&*name.to_lowercase()));
    seen.see(STACK, "headers marked sensitive", codes(shown));
}
