use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, response::Response, routing::get};
use http::{Method, Request, StatusCode};
use tower::{ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    backend::memory::MemoryStore,
    blocks::{Block, BlockChanges, BlockCursor, BlockList, BlockStore},
    gate::RequestContextLayer,
    lint::Severity,
    request::{Cidr, RequestContext, TrustedProxies},
    store::{BoxFuture, StoreError},
    time::{ManualClock, Timestamp},
};

const START: Timestamp = Timestamp::from_secs(1_800_000_000);

fn app(filter: &IpFilterLayer, clock: &ManualClock) -> Router {
    let proxies = TrustedProxies::cidrs(["10.0.0.0/8"]).unwrap();
    let trail = get(|request: Request<Body>| async move {
        let context = RequestContext::of(&request).unwrap().clone();
        context
            .trail()
            .iter()
            .map(|verdict| format!("{}:{} ", verdict.layer, verdict.outcome.as_str()))
            .collect::<Vec<_>>()
            .concat()
    });
    let admin = Router::new().route("/users", trail.clone());
    Router::new()
        .route("/", trail.clone())
        .route("/health", trail.clone().post(|| async {}))
        .nest("/admin", admin)
        .layer(
            ServiceBuilder::new()
                .layer(RequestContextLayer::new().clock(clock.clone()).trusted_proxies(proxies))
                .layer(filter.clone()),
        )
}

async fn ask(app: &Router, method: Method, path: &str, peer: Option<&str>) -> Response {
    let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    if let Some(peer) = peer {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4711)));
    }
    app.clone().oneshot(request).await.unwrap()
}

async fn status(filter: &IpFilterLayer, path: &str, peer: Option<&str>) -> u16 {
    ask(&app(filter, &ManualClock::at(START)), Method::GET, path, peer).await.status().as_u16()
}

async fn text(response: Response) -> String {
    String::from_utf8(axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn the_refusal_names_no_rule() {
    let filter = IpFilterLayer::builder().deny(["198.51.100.0/24"]).build().unwrap();
    let app = app(&filter, &ManualClock::at(START));
    let refused = ask(&app, Method::GET, "/", Some("198.51.100.7")).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(!refused.headers().contains_key("retry-after"));
    let body = text(refused).await;
    let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&problem["type"], &problem["status"]), (&"urn:portcullis:problem:address-refused".into(), &403.into()));
    assert!(!body.contains("198.51") && !body.contains("deny") && !body.contains("list"), "{body}");
    assert_eq!(ask(&app, Method::GET, "/", Some("198.51.101.7")).await.status(), StatusCode::OK);
    assert_eq!(filter.verdicts().passed, 1);
}

#[tokio::test]
async fn clients_without_an_address_are_refused_where_there_is_an_allow_list() {
    let allow = || IpFilterLayer::builder().allow(["203.0.113.0/24"]);
    let deny = || IpFilterLayer::builder().deny(["198.51.100.0/24"]);
    let pass = allow().dangerously_pass_unknown().allow_lint("ip-filter-unknown-passes", "the socket is ours");
    for (builder, expected) in
        [(allow(), 403), (deny(), 200), (allow().pass_unlisted(), 200), (deny().refuse_unknown(), 403), (pass, 200)]
    {
        assert_eq!(status(&builder.build().unwrap(), "/", None).await, expected);
    }
}

/// A block tells when it ends; another clock's hour later it is over, without anybody lifting it.
#[tokio::test]
async fn a_block_ends_by_itself_and_says_when() {
    let clock = ManualClock::at(START);
    let blocks = BlockList::builder(MemoryStore::new()).clock(clock.clone()).build().unwrap();
    let filter = IpFilterLayer::builder().allow(["203.0.113.0/24"]).blocks(&blocks).build().unwrap();
    let app = app(&filter, &clock);
    let network: Cidr = "203.0.113.9".parse().unwrap();
    blocks.block_network(network, Duration::from_millis(59_500), "flood of logins").await.unwrap();
    let refused = ask(&app, Method::GET, "/", Some("203.0.113.9")).await;
    assert_eq!((refused.status(), &refused.headers()["retry-after"]), (StatusCode::FORBIDDEN, &"60".parse().unwrap()));
    assert!(!text(refused).await.contains("flood"), "the reason is for the log");
    // By whatever name.
    assert_eq!(ask(&app, Method::GET, "/", Some("::ffff:203.0.113.9")).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(ask(&app, Method::GET, "/", Some("203.0.113.8")).await.status(), StatusCode::OK);
    // Who is denied is told so, and not that it ends.
    let denied = ask(&app, Method::GET, "/", Some("192.0.2.1")).await;
    assert!(denied.status() == StatusCode::FORBIDDEN && !denied.headers().contains_key("retry-after"));
    clock.advance(Duration::from_millis(59_500));
    assert_eq!(ask(&app, Method::GET, "/", Some("203.0.113.9")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn paths_and_methods_scope_it() {
    let admin = IpFilterLayer::builder().allow(["203.0.113.0/24"]).only_paths(["/admin"]).build().unwrap();
    for (path, expected) in
        [("/", 200), ("/admin/users", 403), ("/admin", 403), ("/%61dmin/users", 403), ("/x/../admin/users", 403)]
    {
        assert_eq!(status(&admin, path, Some("192.0.2.1")).await, expected, "{path}");
    }
    let all_but = IpFilterLayer::builder().allow(["203.0.113.0/24"]).except_paths(["/health"]).build().unwrap();
    assert_eq!(status(&all_but, "/health", Some("192.0.2.1")).await, 200);
    assert_eq!(status(&all_but, "/", Some("192.0.2.1")).await, 403);
    let posts = IpFilterLayer::builder().allow(["203.0.113.0/24"]).only_methods([Method::POST]).build().unwrap();
    let app = app(&posts, &ManualClock::at(START));
    assert_eq!(ask(&app, Method::GET, "/health", Some("192.0.2.1")).await.status(), StatusCode::OK);
    assert_eq!(ask(&app, Method::POST, "/health", Some("192.0.2.1")).await.status(), StatusCode::FORBIDDEN);
}

/// Inside a nested router the rest of the path is all that is left of it.
#[tokio::test]
async fn paths_are_those_that_the_client_sent() {
    let filter = IpFilterLayer::builder().allow(["203.0.113.0/24"]).only_paths(["/admin"]).build().unwrap();
    let inner = Router::new().route("/users", get(|| async {})).layer(ServiceBuilder::new().layer(filter));
    let app = Router::new().nest("/admin", inner);
    assert_eq!(ask(&app, Method::GET, "/admin/users", Some("192.0.2.1")).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_dry_run_refuses_nobody_and_leaves_a_verdict() {
    let clock = ManualClock::at(START);
    let blocks = BlockList::builder(MemoryStore::new()).clock(clock.clone()).build().unwrap();
    blocks.block_network("192.0.2.1".parse().unwrap(), Duration::from_secs(60), "x").await.unwrap();
    let filter = IpFilterLayer::builder().deny(["198.51.100.0/24"]).blocks(&blocks).dry_run().build().unwrap();
    let app = app(&filter, &clock);
    for ip in ["198.51.100.7", "192.0.2.1"] {
        let passed = ask(&app, Method::GET, "/", Some(ip)).await;
        assert_eq!(passed.status(), StatusCode::OK);
        let trail = text(passed).await;
        assert!(trail.contains("ip_filter.dry_run:address_refused ip_filter:passed"), "{trail}");
    }
    assert!(!text(ask(&app, Method::GET, "/", Some("192.0.2.2")).await).await.contains("dry_run"));
    assert_eq!(filter.handle().would_have_refused(), 2);
    assert_eq!(filter.report().issues()[0].code, "ip-filter-dry-run");
}

#[tokio::test]
async fn lists_are_replaced_while_it_serves_or_not_at_all() {
    let filter = IpFilterLayer::builder().deny(["198.51.100.0/24"]).build().unwrap();
    let ip = Some("203.0.113.7");
    assert_eq!(status(&filter, "/", ip).await, 200);
    filter.handle().reload(IpLists::new().deny(["203.0.113.0/24"])).unwrap();
    assert_eq!(status(&filter, "/", ip).await, 403);
    for wrong in [
        IpLists::new(),
        IpLists::new().allow(Vec::<String>::new()),
        IpLists::new().deny(["203.0.113.7/24"]),
        IpLists::new().allow(["0.0.0.0/0"]),
    ] {
        assert!(filter.handle().reload(wrong).is_err());
        assert_eq!(status(&filter, "/", ip).await, 403, "the old lists hold");
    }
    // What was allowed once, with its reason, stays allowed.
    let lax = IpFilterLayer::builder()
        .allow(["0.0.0.0/0"])
        .allow_lint("ip-filter-allows-everybody", "IPv4 only")
        .build()
        .unwrap();
    assert_eq!(lax.handle().reload(IpLists::new().allow(["0.0.0.0/1", "128.0.0.0/1"])).unwrap().issues().len(), 1);
}

#[test]
fn what_is_doubtful_is_told_and_what_is_grave_fails() {
    let codes = |builder: &IpFilterLayerBuilder| -> Vec<_> {
        builder.lint().issues().iter().map(|issue| (issue.code, issue.severity)).collect()
    };
    let new = IpFilterLayer::builder;
    for (builder, code, severity) in [
        (new().deny(["0.0.0.0/0", "::/0"]), "ip-filter-refuses-everybody", Severity::High),
        (new().allow(["0.0.0.0/0"]), "ip-filter-allows-everybody", Severity::High),
        (new().allow(["8000::/1", "::/0"]), "ip-filter-allows-everybody", Severity::High),
        (new().allow(["192.0.2.1"]).dangerously_pass_unknown(), "ip-filter-unknown-passes", Severity::High),
        (new().allow(["192.0.2.1"]).deny(["192.0.2.1"]), "ip-filter-refuses-everybody", Severity::High),
        (new().allow(["192.0.2.0/24", "192.0.2.1"]).deny(["192.0.2.1"]), "ip-filter-contradiction", Severity::Medium),
        (new().deny(["192.0.2.0/24", "192.0.2.1"]), "ip-filter-redundant", Severity::Info),
        (new().deny(["192.0.2.1"]).dry_run(), "ip-filter-dry-run", Severity::Info),
    ] {
        assert!(codes(&builder).contains(&(code, severity)), "{code}: {:?}", codes(&builder));
        assert_eq!(builder.clone().build().is_err(), severity.is_fatal(), "{code}");
        assert!(builder.allow_lint(code, "because").build().is_ok(), "{code}");
    }
    assert!(codes(&new().allow(["192.0.2.0/24"]).deny(["192.0.2.128/25"])).is_empty());
    let many = (0..100).map(|n| format!("10.0.0.{n}"));
    let report = new().deny(["10.0.0.0/24"]).deny(many).lint();
    assert_eq!(report.issues().len(), 21);
    assert!(report.issues()[20].message.ends_with("; 80 more of this kind"));
}

#[test]
fn every_mistake_is_told_at_once() {
    let wrong = IpFilterLayer::builder()
        .allow(["203.0.113.1/24"])
        .deny(["192.0.2.1", "nonsense", "::/80"])
        .only_paths(["admin"])
        .dangerously_pass_while_blocks_are_unknown();
    let fields: Vec<_> = wrong.build().unwrap_err().issues().iter().map(|issue| issue.field.to_string()).collect();
    assert_eq!(fields, ["blocks", "only_paths", "deny[1]", "deny[2]", "allow[0]"]);
    let nothing = IpFilterLayer::builder().build().unwrap_err();
    assert_eq!(nothing.issues()[0].field, "allow, deny, blocks");
}

#[test]
fn a_hundred_thousand_entries_are_compiled() {
    let deny = (0..100_000_u32).map(|n| format!("{}/32", std::net::Ipv4Addr::from_bits(n.wrapping_mul(0x9e37_79b9))));
    let filter = IpFilterLayer::builder().deny(deny).build().unwrap();
    assert!(filter.report().is_empty());
}

/// A store that never answers.
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

#[tokio::test]
async fn blocks_that_nobody_knows_are_no_verdict() {
    let clock = ManualClock::at(START);
    let blocks = BlockList::builder(Arc::new(Down)).clock(clock.clone()).build().unwrap();
    let builder = || IpFilterLayer::builder().deny(["198.51.100.0/24"]).blocks(&blocks);
    let closed = builder().build().unwrap();
    assert_eq!(status(&closed, "/", Some("192.0.2.1")).await, 503);
    assert_eq!(status(&closed, "/", Some("198.51.100.1")).await, 403, "the lists ask nobody");
    let open = builder().dangerously_pass_while_blocks_are_unknown().build().unwrap();
    assert_eq!(status(&open, "/", Some("192.0.2.1")).await, 200);
}
