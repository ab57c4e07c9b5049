//! [`BlockStore`] on a real Redis server, alone and under [`IpFilterLayer`].

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, routing::get};
use http::{Request, StatusCode};
use portcullis::{
    backend::redis::RedisStore,
    blocks::{Block, BlockCursor, BlockList, BlockStore},
    conformance::blocks,
    ip_filter::IpFilterLayer,
    request::Cidr,
    store::StoreError,
    time::{Clock as _, SystemClock, Timestamp},
};
use portcullis_interop::redis::Redis;
use tower::ServiceExt as _;

const MINUTE: Duration = Duration::from_secs(60);

fn store(redis: &Redis) -> RedisStore {
    RedisStore::builder(redis.url()).time_budget(Duration::from_secs(2)).build().unwrap()
}

fn now() -> Timestamp {
    SystemClock::new().now().wall
}

macro_rules! laws {
    ($($law:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $law() {
            let redis = Redis::start();
            blocks::$law(&Arc::new(store(&redis))).await;
        }
    )*};
}

laws! {
    who_is_not_blocked_is_not_found
    a_block_is_told_as_it_was_made
    a_block_ends_at_its_time
    a_block_hits_nobody_else
    a_block_is_never_made_shorter
    a_block_can_be_lifted
    what_is_new_is_told
    what_was_lifted_is_noticed
    many_are_told
    two_lists_agree
}

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

fn app(blocks: &BlockList) -> Router {
    Router::new().route("/", get(|| async {})).layer(IpFilterLayer::builder().blocks(blocks).build().unwrap())
}

async fn ask(app: &Router, ip: &str) -> StatusCode {
    let mut request = Request::get("/").body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(ip.parse().unwrap(), 4711)));
    app.clone().oneshot(request).await.unwrap().status()
}

/// Until it says so, for at most five seconds.
async fn becomes(app: &Router, ip: &str, status: StatusCode) {
    for _ in 0..500 {
        if ask(app, ip).await == status {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{ip} never is {status}");
}

fn list(redis: &Redis) -> BlockList {
    BlockList::builder(store(redis)).refresh_every(Duration::from_millis(100)).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_machine_blocks_every_other_refuses() {
    let mut redis = Redis::start();
    let (here, there) = (list(&redis), list(&redis));
    let (at_home, abroad) = (app(&here), app(&there));
    for app in [&at_home, &abroad] {
        assert_eq!(ask(app, "198.51.100.7").await, StatusCode::OK);
    }
    here.block_network(cidr("198.51.100.0/24"), MINUTE, "flood").await.unwrap();
    assert_eq!(ask(&at_home, "198.51.100.7").await, StatusCode::FORBIDDEN, "at once");
    becomes(&abroad, "198.51.100.7", StatusCode::FORBIDDEN).await;
    assert_eq!(ask(&abroad, "198.51.101.7").await, StatusCode::OK);
    assert!(there.unblock(cidr("198.51.100.0/24")).await.unwrap());
    assert_eq!(ask(&abroad, "198.51.100.7").await, StatusCode::OK, "at once");
    becomes(&at_home, "198.51.100.7", StatusCode::OK).await;

    // A machine that starts waits for the first answer; those that know go on without the server.
    here.block_network(cidr("203.0.113.9"), MINUTE, "flood").await.unwrap();
    let late = app(&list(&redis));
    assert_eq!(ask(&late, "203.0.113.9").await, StatusCode::FORBIDDEN);
    redis.kill();
    let blind = app(&list(&redis));
    assert_eq!(ask(&blind, "192.0.2.1").await, StatusCode::SERVICE_UNAVAILABLE);
    for _ in 0..20 {
        assert_eq!(ask(&late, "203.0.113.9").await, StatusCode::FORBIDDEN);
        assert_eq!(ask(&late, "192.0.2.1").await, StatusCode::OK);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A server that comes back empty is believed.
    redis.restart();
    becomes(&late, "203.0.113.9", StatusCode::OK).await;
    becomes(&blind, "192.0.2.1", StatusCode::OK).await;
}

/// Most requests ask nobody.
#[allow(clippy::disallowed_methods, reason = "it says how long others took")]
#[tokio::test(flavor = "multi_thread")]
async fn requests_do_not_wait_for_the_server() {
    let redis = Redis::start();
    let blocks = BlockList::new(store(&redis));
    let app = app(&blocks);
    assert_eq!(ask(&app, "192.0.2.1").await, StatusCode::OK);
    redis.pause();
    let asked = std::time::Instant::now();
    for _ in 0..1_000 {
        assert_eq!(ask(&app, "192.0.2.1").await, StatusCode::OK);
    }
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    redis.resume();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_cleared_away_and_bounded() {
    let redis = Redis::start();
    let (store, now) = (store(&redis), now());
    let length = |key: &str| redis.command(key).trim_start_matches(':').lines().next().unwrap().parse::<i64>().unwrap();
    for n in 0..20_u8 {
        let network = cidr(&format!("192.0.2.{n}"));
        store.block(Block::new(network, now, now.saturating_add(MINUTE), "x"), now).await.unwrap();
    }
    assert_eq!(length("HLEN {portcullis:blocks}:rows"), 20);
    let later = now.saturating_add(MINUTE * 2);
    for n in 0..4_u8 {
        let network = cidr(&format!("198.51.100.{n}"));
        store.block(Block::new(network, later, later.saturating_add(MINUTE), "x"), later).await.unwrap();
    }
    for key in ["HLEN {portcullis:blocks}:rows", "ZCARD {portcullis:blocks}:ends", "ZCARD {portcullis:blocks}:log"] {
        assert_eq!(length(key), 4, "{key}");
    }
    for part in ["rows", "ends", "log", "meta"] {
        let left = length(&format!("PTTL {{portcullis:blocks}}:{part}"));
        assert!((3_600_000..=3_900_000).contains(&left), "{part}: {left}");
    }
}

/// A row that somebody else wrote hides no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_full_is_an_error_and_a_corrupt_row_is_one_row() {
    let redis = Redis::start();
    let (store, now) = (store(&redis), now());
    let block = |ip: &str| Block::new(cidr(ip), now, now.saturating_add(MINUTE), "x");
    store.block(block("192.0.2.1"), now).await.unwrap();
    store.block(block("192.0.2.2"), now).await.unwrap();
    redis.command("HSET {portcullis:blocks}:rows 192.0.2.1/32 nonsense");
    let told = store.changes(BlockCursor::START, now).await.unwrap().blocks;
    assert_eq!(told.iter().map(|block| block.network).collect::<Vec<_>>(), [cidr("192.0.2.2")]);
    redis.command("CONFIG SET maxmemory 1");
    assert!(matches!(store.block(block("192.0.2.3"), now).await, Err(StoreError::Full)));
    assert_eq!(store.changes(BlockCursor::START, now).await.unwrap().blocks.len(), 1, "reading goes on");
    redis.command("CONFIG SET maxmemory 0");
}
