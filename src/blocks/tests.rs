use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo, routing::get};
use http::{Request, StatusCode};
use tower::{ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    backend::memory::MemoryStore,
    gate::RequestContextLayer,
    ip_filter::IpFilterLayer,
    request::{Cidr, ClientIp, Provenance, TrustedProxies},
    store::{BoxFuture, StoreError},
    time::{Clock as _, ManualClock, Now, Timestamp},
};

const START: Timestamp = Timestamp::from_secs(1_800_000_000);
const MINUTE: Duration = Duration::from_secs(60);

/// A store that must be awaited, as one on a server is, and that can be down.
#[derive(Debug, Default)]
struct Remote {
    blocks: Mutex<Vec<Block>>,
    is_down: AtomicBool,
    asked: AtomicUsize,
}

impl Remote {
    fn answer<T>(&self, answer: impl FnOnce(&mut Vec<Block>) -> T) -> Result<T, StoreError> {
        if self.is_down.load(Relaxed) {
            return Err(StoreError::unavailable("down"));
        }
        Ok(answer(&mut self.blocks.lock().unwrap()))
    }
}

impl BlockStore for Remote {
    fn block(&self, block: Block, _: Timestamp) -> BoxFuture<'_, Result<Block, StoreError>> {
        Box::pin(async move {
            self.answer(|blocks| {
                blocks.retain(|held| held.network != block.network);
                blocks.push(block.clone());
                block
            })
        })
    }

    fn unblock(&self, network: Cidr, _: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move { self.answer(|blocks| blocks.extract_if(.., |held| held.network == network).count() > 0) })
    }

    fn changes(&self, _: BlockCursor, _: Timestamp) -> BoxFuture<'_, Result<BlockChanges, StoreError>> {
        self.asked.fetch_add(1, Relaxed);
        Box::pin(async move { self.answer(|blocks| BlockChanges::whole(blocks.clone())) })
    }
}

fn list(store: impl BlockStore, clock: &ManualClock) -> BlockList {
    BlockList::builder(store).clock(clock.clone()).build().unwrap()
}

fn peer(ip: &str) -> ClientIp {
    let mut head = Request::new(()).into_parts().0;
    head.extensions.insert(ConnectInfo(SocketAddr::new(ip.parse().unwrap(), 4711)));
    TrustedProxies::none().explain(&head).client
}

/// The client of a request that came through 10.0.0.1, which wrote the end of this line.
fn forwarded(line: &str) -> ClientIp {
    let mut head = Request::get("/").header("x-forwarded-for", line).body(()).unwrap().into_parts().0;
    head.extensions.insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 4711))));
    TrustedProxies::cidrs(["10.0.0.0/8"]).unwrap().explain(&head).client
}

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

/// The playbook that blocks "the attackers' addresses" without saying whose: an attacker writes his
/// victim's address into the field, and has him blocked.
#[tokio::test]
async fn seed_bug_16_a_spoofed_field_blocks_its_sender_and_not_the_victim() {
    let (victim, attacker) = ("203.0.113.7", "198.51.100.66");
    let blocks = BlockList::new(MemoryStore::new());
    let proxies = TrustedProxies::cidrs(["10.0.0.0/8"]).unwrap();
    let offended = blocks.clone();
    let app = Router::new()
        .route("/", get(|| async {}))
        .route(
            "/attack",
            get(move |client: ClientIp| async move {
                offended.block(client, MINUTE, "attack").await.map(drop).map_err(|error| error.to_string())
            }),
        )
        .layer(
            ServiceBuilder::new()
                .layer(RequestContextLayer::new().trusted_proxies(proxies))
                .layer(IpFilterLayer::builder().blocks(&blocks).build().unwrap()),
        );
    let ask = async |path: &str, peer: &str, field: &str| {
        let mut request = Request::get(path).header("x-forwarded-for", field).body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4711)));
        app.clone().oneshot(request).await.unwrap().status()
    };
    // Through the proxy, which appends whom it sees; and past it.
    assert_eq!(ask("/attack", "10.0.0.1", &format!("{victim}, {attacker}")).await, StatusCode::OK);
    assert_eq!(ask("/attack", "198.51.100.67", victim).await, StatusCode::OK);
    for (peer, field, expected) in [
        ("10.0.0.1", format!("{victim}, {attacker}"), StatusCode::FORBIDDEN),
        ("198.51.100.67", victim.to_owned(), StatusCode::FORBIDDEN),
        ("10.0.0.1", victim.to_owned(), StatusCode::OK),
        ("10.0.0.1", format!("{attacker}, {victim}"), StatusCode::OK),
        (victim, attacker.to_owned(), StatusCode::OK),
    ] {
        assert_eq!(ask("/", peer, &field).await, expected, "{peer}: {field}");
    }
    assert_eq!(blocks.list().await.unwrap().len(), 2);
}

/// Who blocks the proxy blocks everybody.
#[tokio::test]
async fn proxies_and_loopback_are_never_blocked_by_accident() {
    let proxies = TrustedProxies::cidrs(["10.0.0.0/8", "2001:db8:1::/64"]).unwrap();
    let blocks =
        BlockList::builder(MemoryStore::new()).trusted_proxies(&proxies).protect(["192.0.2.0/24"]).build().unwrap();
    for line in ["10.0.0.3, 10.0.0.2", "198.51.100.7, junk", "unknown", ""] {
        let client = forwarded(line);
        assert!(matches!(blocks.block(client, MINUTE, "x").await, Err(BlockError::NotVerified)), "{line}");
    }
    assert!(matches!(blocks.block(ClientIp::UNKNOWN, MINUTE, "x").await, Err(BlockError::NotVerified)));
    for ip in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "2001:db8:1::7", "192.0.2.9"] {
        assert!(matches!(blocks.block(peer(ip), MINUTE, "x").await, Err(BlockError::Protected(_))), "{ip}");
    }
    for network in ["192.0.0.0/16", "192.0.2.128/25", "2001:db8::/32"] {
        let refused = blocks.block_network(cidr(network), MINUTE, "x").await;
        assert!(matches!(refused, Err(BlockError::Protected(_))), "{network}");
    }
    for network in ["0.0.0.0/0", "8.0.0.0/7", "2000::/3"] {
        let refused = blocks.block_network(cidr(network), MINUTE, "x").await;
        assert!(matches!(refused, Err(BlockError::TooWide(_))), "{network}");
    }
    assert!(blocks.list().await.unwrap().is_empty());
    // Who says that it is dangerous may; but for everybody.
    blocks.dangerously_block_network(cidr("127.0.0.1"), MINUTE, "x").await.unwrap();
    blocks.dangerously_block_network(cidr("8.0.0.0/7"), MINUTE, "x").await.unwrap();
    let everybody = blocks.dangerously_block_network(cidr("::/0"), MINUTE, "x").await;
    assert!(matches!(everybody, Err(BlockError::TooWide(_))));
    assert_eq!(blocks.list().await.unwrap().len(), 2);
}

#[tokio::test]
async fn ipv6_is_blocked_by_64_and_a_client_behind_a_proxy_by_his_own_address() {
    let clock = ManualClock::at(START);
    let blocks = list(MemoryStore::new(), &clock);
    let block = blocks.block(peer("2001:db8::7"), MINUTE, "x").await.unwrap();
    assert_eq!(block.network, cidr("2001:db8::/64"));
    let client = forwarded("198.51.100.7, 10.0.0.2");
    assert!(matches!(client.provenance(), Provenance::Header { hop: 2, .. }));
    assert_eq!(blocks.block(client, MINUTE, "x").await.unwrap().network, cidr("198.51.100.7"));
    let find = |ip| blocks.find(peer(ip), clock.now()).is_some();
    assert!(find("2001:db8::ffff:1") && !find("2001:db8:0:1::1") && find("198.51.100.7") && !find("198.51.100.8"));
    assert!(blocks.unblock(cidr("2001:db8::9")).await.unwrap(), "by any address of it");
    assert!(!find("2001:db8::ffff:1"));
}

#[tokio::test]
async fn durations_and_reasons_are_bounded() {
    let clock = ManualClock::at(START);
    let blocks = list(MemoryStore::new(), &clock);
    for ttl in [Duration::ZERO, Duration::from_secs(30 * 86_400 + 1), Duration::MAX] {
        assert!(matches!(blocks.block(peer("192.0.2.1"), ttl, "x").await, Err(BlockError::Duration)));
    }
    let block =
        blocks.block(peer("192.0.2.1"), MINUTE, &format!("a\r\nforged: line{}", "x".repeat(500))).await.unwrap();
    assert_eq!(block.reason.chars().count(), Block::LONGEST_REASON);
    assert!(block.reason.starts_with("a  forged: line") && !block.reason.contains(char::is_control));
    let json = serde_json::to_value(&block).unwrap();
    assert_eq!((&json["network"], &json["until"]), (&"192.0.2.1/32".into(), &"2027-01-15T08:01:00.000000Z".into()));
}

#[test]
fn what_is_wrong_with_a_list_is_told_at_once() {
    let wrong = BlockList::builder(MemoryStore::new()).protect(["10.0.0.1/8", "x"]).refresh_every(Duration::ZERO);
    let fields: Vec<_> = wrong.build().unwrap_err().issues().iter().map(|issue| issue.field.to_string()).collect();
    assert_eq!(fields, ["protect[0]", "protect[1]", "refresh_every"]);
}

fn known(blocks: &BlockList, ip: &str, now: Now) -> &'static str {
    match blocks.known(ip.parse::<IpAddr>().unwrap(), now) {
        Known::Free => "free",
        Known::Blocked(_) => "blocked",
        Known::Not => "not known",
    }
}

/// Lets the task that refreshes run.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_another_process_blocks_holds_here_a_refresh_later() {
    let (clock, store) = (ManualClock::at(START), Arc::new(Remote::default()));
    let (here, there) = (list(store.clone(), &clock), list(store.clone(), &clock));
    assert_eq!(known(&here, "192.0.2.1", clock.now()), "not known");
    here.refresh().await.unwrap();
    assert_eq!(known(&here, "192.0.2.1", clock.now()), "free");
    there.block(peer("192.0.2.1"), MINUTE, "x").await.unwrap();
    assert_eq!(known(&there, "192.0.2.1", clock.now()), "not known", "its own is in its copy, but nothing else is");
    there.refresh().await.unwrap();
    assert_eq!(known(&there, "192.0.2.1", clock.now()), "blocked");

    // Nobody asks the store within the second.
    clock.advance(Duration::from_millis(999));
    let asked = store.asked.load(Relaxed);
    assert_eq!(known(&here, "192.0.2.1", clock.now()), "free");
    settle().await;
    assert_eq!(store.asked.load(Relaxed), asked);
    // Then one request has it asked, and does not wait.
    clock.advance(Duration::from_millis(1));
    for _ in 0..5 {
        assert_eq!(known(&here, "192.0.2.1", clock.now()), "free");
    }
    settle().await;
    assert_eq!(store.asked.load(Relaxed), asked + 1);
    assert_eq!(known(&here, "192.0.2.1", clock.now()), "blocked");

    // And lifted there, it is lifted here.
    assert!(there.unblock(cidr("192.0.2.1")).await.unwrap());
    clock.advance(Duration::from_secs(1));
    known(&here, "192.0.2.1", clock.now());
    settle().await;
    assert_eq!(known(&here, "192.0.2.1", clock.now()), "free");
    // After a pause the copy is too old to go by.
    clock.advance(BlockList::LONGEST_PAUSE);
    assert_eq!(known(&here, "192.0.2.1", clock.now()), "not known");
    assert_eq!(here.known_soon("192.0.2.1".parse().unwrap(), clock.now()).await.unwrap(), None);
}

#[tokio::test]
async fn a_store_that_fails_leaves_what_was_known() {
    let (clock, store) = (ManualClock::at(START), Arc::new(Remote::default()));
    let blocks = list(store.clone(), &clock);
    blocks.refresh().await.unwrap();
    blocks.block(peer("192.0.2.1"), MINUTE, "x").await.unwrap();
    store.is_down.store(true, Relaxed);
    assert!(matches!(blocks.block(peer("192.0.2.2"), MINUTE, "x").await, Err(BlockError::Store(_))));
    for _ in 0..50 {
        clock.advance(Duration::from_secs(1));
        assert_eq!(known(&blocks, "192.0.2.1", clock.now()), "blocked");
        assert_eq!(known(&blocks, "192.0.2.2", clock.now()), "free");
        settle().await;
    }
    // Also after a pause: it is asked once, and the old is good enough.
    clock.advance(Duration::from_secs(9));
    assert!(blocks.known_soon("192.0.2.1".parse().unwrap(), clock.now()).await.unwrap().is_some());
    clock.advance(Duration::from_secs(1));
    assert_eq!(known(&blocks, "192.0.2.1", clock.now()), "free", "its minute is over");
}

/// A store that is down is asked once in an interval, whoever comes.
#[tokio::test]
async fn nothing_is_known_before_the_first_answer() {
    let (clock, store) = (ManualClock::at(START), Arc::new(Remote::default()));
    let blocks = list(store.clone(), &clock);
    store.is_down.store(true, Relaxed);
    for _ in 0..5 {
        assert_eq!(known(&blocks, "192.0.2.1", clock.now()), "not known");
        assert!(blocks.known_soon("192.0.2.1".parse().unwrap(), clock.now()).await.is_err());
    }
    assert_eq!(store.asked.load(Relaxed), 1);
    store.is_down.store(false, Relaxed);
    clock.advance(Duration::from_secs(1));
    assert_eq!(blocks.known_soon("192.0.2.1".parse().unwrap(), clock.now()).await.unwrap(), None);
    assert_eq!(known(&blocks, "192.0.2.1", clock.now()), "free");
}
