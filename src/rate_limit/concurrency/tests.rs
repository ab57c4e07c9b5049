use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    response::Response,
    routing::get,
};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::{ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    backend::memory::MemoryStore,
    gate::RequestContextLayer,
    rate_limit::{Key, Rate, RateLimitLayer, Rule},
    store::{BoxFuture, StoreError},
};

/// Answers later and leases its permits, as a remote store does; and remembers what it was told.
#[derive(Clone, Debug, Default)]
struct Remote {
    memory: MemoryStore,
    told: Arc<Mutex<Vec<&'static str>>>,
}

impl Remote {
    fn tell(&self, what: &'static str) {
        self.told.lock().unwrap().push(what);
    }

    fn told(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

impl ConcurrencyStore for Remote {
    fn acquire<'a>(&'a self, ask: &'a PermitAsk<'a>) -> BoxFuture<'a, Result<Admission, StoreError>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            self.tell("acquire");
            Ok(match self.memory.acquire(ask).await? {
                Admission::Granted { permit, in_use } => {
                    Admission::Granted { permit: Permit::leased(permit.key(), 7), in_use }
                }
                refused @ Admission::Refused { .. } => refused,
            })
        })
    }

    fn release(&self, permit: Permit) -> Option<BoxFuture<'static, Result<(), StoreError>>> {
        let own = self.clone();
        Some(Box::pin(async move {
            own.tell("release");
            assert_eq!(permit.serial(), 7);
            own.memory.release(permit);
            Ok(())
        }))
    }

    fn heartbeat<'a>(&'a self, _: &'a Permit, _: Duration) -> BoxFuture<'a, Result<(), StoreError>> {
        self.tell("heartbeat");
        Box::pin(std::future::ready(Ok(())))
    }
}

#[derive(Debug)]
struct Broken;

impl ConcurrencyStore for Broken {
    fn acquire<'a>(&'a self, _: &'a PermitAsk<'a>) -> BoxFuture<'a, Result<Admission, StoreError>> {
        Box::pin(std::future::ready(Err(StoreError::TimedOut)))
    }

    fn release(&self, _: Permit) -> Option<BoxFuture<'static, Result<(), StoreError>>> {
        None
    }
}

fn two() -> ConcurrencyLimit {
    ConcurrencyLimit::new("downloads", Key::ip(), 2)
}

fn layer(store: impl ConcurrencyStore, limits: impl IntoIterator<Item = ConcurrencyLimit>) -> ConcurrencyLimitLayer {
    let builder = ConcurrencyLimitLayer::builder(store);
    limits.into_iter().fold(builder, ConcurrencyLimitLayerBuilder::limit).build().unwrap()
}

fn app(layer: &ConcurrencyLimitLayer) -> Router {
    let endless = || async { Body::new(Endless) };
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/empty", get(|| async { StatusCode::NO_CONTENT }))
        .route("/endless", get(endless))
        .route("/slow", get(std::future::pending::<&'static str>))
        .route("/panic", get(|| async { assert!(std::hint::black_box(false), "the handler's own fault") }))
        .layer(ServiceBuilder::new().layer(RequestContextLayer::new()).layer(layer.clone()))
}

/// A chunk, again and again.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(b"chunk")))))
    }
}

async fn ask(app: &Router, path: &str) -> Response {
    app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// Whether both permits are free.
async fn is_free(app: &Router) -> bool {
    let (one, two) = (ask(app, "/").await, ask(app, "/").await);
    one.status() == StatusCode::OK && two.status() == StatusCode::OK
}

#[tokio::test]
async fn a_permit_is_held_until_the_body_has_ended() {
    let app = app(&layer(MemoryStore::new(), [two()]));
    let (first, second) = (ask(&app, "/").await, ask(&app, "/").await);
    assert_eq!(first.headers()["ratelimit-policy"], r#""downloads";q=2;qu="concurrent-requests""#);
    assert_eq!(
        (&first.headers()["ratelimit"], &second.headers()["ratelimit"]),
        (&r#""downloads";r=1"#.parse().unwrap(), &r#""downloads";r=0"#.parse().unwrap())
    );
    let refused = ask(&app, "/").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["ratelimit"], r#""downloads";r=0"#);
    assert!(refused.headers().get("retry-after").is_none());
    let body = refused.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&body["error"], &body["limit"]), (&"rate_limit_exceeded".into(), &2.into()));
    assert_eq!(body["violated-policies"], serde_json::json!(["downloads"]));
    // Read to the end, and dropped unread.
    first.into_body().collect().await.unwrap();
    assert_eq!(ask(&app, "/").await.status(), StatusCode::OK);
    drop(second);
    assert!(is_free(&app).await);
}

#[tokio::test]
async fn a_client_who_reads_slowly_keeps_his_permit() {
    let app = app(&layer(MemoryStore::new(), [two()]));
    let mut endless = ask(&app, "/endless").await.into_body();
    for _ in 0..100 {
        endless.frame().await.unwrap().unwrap();
        let other = ask(&app, "/").await;
        assert_eq!(other.headers()["ratelimit"], r#""downloads";r=0"#);
    }
    drop(endless);
    assert!(is_free(&app).await);
}

#[tokio::test]
async fn a_body_that_is_over_before_it_begins_holds_nothing() {
    let app = app(&layer(MemoryStore::new(), [two()]));
    let empty = [ask(&app, "/empty").await, ask(&app, "/empty").await, ask(&app, "/empty").await];
    assert!(empty.iter().all(|response| response.status() == StatusCode::NO_CONTENT));
}

#[tokio::test]
async fn whoever_goes_away_panics_or_is_refused_leaves_no_permit_behind() {
    let app = app(&layer(MemoryStore::new(), [two()]));
    for _ in 0..3 {
        let slow = tokio::spawn({
            let app = app.clone();
            async move { ask(&app, "/slow").await }
        });
        settle().await;
        slow.abort();
        assert!(slow.await.unwrap_err().is_cancelled());
        let panicked = tokio::spawn({
            let app = app.clone();
            async move { ask(&app, "/panic").await }
        });
        assert!(panicked.await.unwrap_err().is_panic());
        assert!(is_free(&app).await);
    }
}

#[tokio::test]
async fn who_gets_not_all_permits_keeps_none() {
    let narrow = ConcurrencyLimit::new("capacity", Key::global(), 1);
    let app = app(&layer(MemoryStore::new(), [two(), narrow]));
    let first = ask(&app, "/").await;
    // What all do together is told to nobody.
    assert_eq!(first.headers()["ratelimit-policy"], r#""downloads";q=2;qu="concurrent-requests""#);
    for _ in 0..5 {
        let refused = ask(&app, "/").await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        let body = refused.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["error"], "service_unavailable");
    }
    drop(first);
    let next = ask(&app, "/").await;
    assert_eq!(next.headers()["ratelimit"], r#""downloads";r=1"#);
}

#[tokio::test]
async fn of_many_at_once_no_more_than_the_limit_are_under_way() {
    let app = app(&layer(MemoryStore::new(), [ConcurrencyLimit::new("many", Key::ip(), 7)]));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let app = app.clone();
        tasks.spawn(async move { ask(&app, "/").await });
    }
    let responses = tasks.join_all().await;
    assert_eq!(responses.iter().filter(|response| response.status() == StatusCode::OK).count(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_lease_lives_as_long_as_the_request_and_is_released_once() {
    let store = Remote::default();
    let app = app(&layer(store.clone(), [two()]));
    let response = ask(&app, "/").await;
    assert_eq!((response.status(), store.told()), (StatusCode::OK, vec!["acquire"]));
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(store.told(), ["heartbeat"; 3]);
    drop(response);
    settle().await;
    assert_eq!(store.told(), ["release"]);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(store.told().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_who_goes_away_while_the_store_is_asked_leaves_no_permit_behind() {
    let store = Remote::default();
    let app = app(&layer(store.clone(), [two()]));
    for _ in 0..5 {
        let asking = tokio::spawn({
            let app = app.clone();
            async move { ask(&app, "/").await }
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        asking.abort();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(store.told(), ["acquire", "release"]);
    }
}

#[tokio::test]
async fn a_store_that_fails_is_no_refusal() {
    let app = app(&layer(Broken, [two()]));
    let failed = ask(&app, "/").await;
    assert_eq!(failed.status(), StatusCode::SERVICE_UNAVAILABLE);
    let body = failed.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["error"], "backend_unavailable");
}

#[tokio::test]
async fn its_fields_join_those_of_a_rate_limit() {
    let rates = RateLimitLayer::builder(MemoryStore::new())
        .rule(Rule::new("rate", Key::ip(), Rate::per_minute(60)))
        .build()
        .unwrap();
    let permits = layer(MemoryStore::new(), [two()]);
    let policies = |response: &Response| {
        let lines: Vec<_> = response.headers().get_all("ratelimit-policy").iter().collect();
        assert_eq!(lines.len(), 1);
        lines[0].to_str().unwrap().to_owned()
    };
    let (rate, permit) = (r#""rate";q=60;w=60"#, r#""downloads";q=2;qu="concurrent-requests""#);
    let hello = || Router::new().route("/", get(|| async { "hello" }));
    let outer = hello().layer(ServiceBuilder::new().layer(permits.clone()).layer(rates.clone()));
    assert_eq!(policies(&ask(&outer, "/").await), format!("{permit}, {rate}"));
    let inner = hello().layer(ServiceBuilder::new().layer(rates).layer(permits));
    assert_eq!(policies(&ask(&inner, "/").await), format!("{rate}, {permit}"));
}

#[tokio::test]
async fn what_refusals_say_of_waiting_is_yours_to_say() {
    let builder = ConcurrencyLimitLayer::builder(MemoryStore::new()).limit(two());
    let app = app(&builder.retry_after(Duration::from_millis(1_200)).build().unwrap());
    let _held = (ask(&app, "/").await, ask(&app, "/").await);
    assert_eq!(ask(&app, "/").await.headers()["retry-after"], "2");
}

#[test]
fn every_mistake_is_told() {
    let fields = |builder: ConcurrencyLimitLayerBuilder| -> Vec<String> {
        builder.build().unwrap_err().issues().iter().map(|issue| issue.field.to_string()).collect()
    };
    let new = || ConcurrencyLimitLayer::builder(MemoryStore::new());
    assert_eq!(fields(new()), ["limit"]);
    let twice = new().limit(two()).limit(two()).lease(Duration::from_secs(2));
    assert_eq!(fields(twice), ["limit[downloads]", "lease"]);
    let zero =
        ConcurrencyLimit::new("a", Key::global().and(Key::ip()), 0).plan("p", 0).plan("p", 1_000_000_000_000_000);
    let told = fields(new().limit(zero));
    assert_eq!(told, ["limit[a].key", "limit[a].plan[p]", "limit[a].plan[p]", "limit[a].most", "limit[a].plan[p]"]);
    let nine = (0..9).fold(new(), |builder, n| builder.limit(ConcurrencyLimit::new(format!("n{n}"), Key::ip(), 1)));
    assert_eq!(fields(nine), ["limit"]);
    assert!(fields(new().limit(ConcurrencyLimit::new("", Key::ip(), 1)))[0].ends_with("name"));
}
