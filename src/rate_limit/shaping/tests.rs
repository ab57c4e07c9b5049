use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{Router, body::Body, response::Response, routing::get};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::{ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    backend::memory::MemoryStore,
    gate::RequestContextLayer,
    rate_limit::{Batch, Key, Rate, RateLimitStore, Verdicts},
    rejection::RejectionKind,
    store::{BoxFuture, StoreError},
    time::{ManualClock, Timestamp},
};

/// Answers later, as a remote store does.
#[derive(Clone, Debug)]
struct Remote(MemoryStore);

impl RateLimitStore for Remote {
    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.apply(batch).await
        })
    }
}

#[derive(Debug)]
struct Broken;

impl RateLimitStore for Broken {
    fn apply<'a>(&'a self, _: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(std::future::ready(Err(StoreError::TimedOut)))
    }
}

struct App {
    router: Router,
    clock: ManualClock,
    layer: ShapingLayer,
    served: Arc<AtomicUsize>,
}

impl App {
    fn new(layer: ShapingLayer) -> Self {
        let clock = ManualClock::at(Timestamp::from_secs(1_700_000_000));
        let served = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&served);
        let handler = move || {
            count.fetch_add(1, SeqCst);
            std::future::ready("sent")
        };
        let layers = ServiceBuilder::new().layer(RequestContextLayer::new().clock(clock.clone())).layer(layer.clone());
        Self { router: Router::new().route("/", get(handler)).layer(layers), clock, layer, served }
    }

    fn served(&self) -> usize {
        self.served.load(SeqCst)
    }

    fn send(&self) -> impl Future<Output = Response> + Send + 'static {
        self.request(Request::new(Body::empty()))
    }

    fn request(&self, request: Request<Body>) -> impl Future<Output = Response> + Send + 'static {
        let router = self.router.clone();
        async move { router.oneshot(request).await.unwrap() }
    }

    /// Time passes, on both clocks.
    async fn pass(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
        tokio::time::sleep(Duration::from_millis(millis)).await;
        // Those whose turn it is go ahead.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

fn builder(store: impl RateLimitStore) -> ShapingLayerBuilder {
    ShapingLayer::builder(store, "partner", Key::ip(), Rate::per_second(10)).waiting(2)
}

async fn later(app: &App) -> tokio::task::JoinHandle<Response> {
    let request = tokio::spawn(app.send());
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    request
}

#[tokio::test(start_paused = true)]
async fn requests_go_ahead_at_an_even_rate_on_any_store() {
    let stores: [Box<dyn Fn() -> ShapingLayer>; 2] = [
        Box::new(|| builder(MemoryStore::new()).build().unwrap()),
        Box::new(|| builder(Remote(MemoryStore::new())).build().unwrap()),
    ];
    for store in stores {
        let app = App::new(store());
        let (first, second, third) = (later(&app).await, later(&app).await, later(&app).await);
        assert_eq!((app.served(), app.layer.waiting()), (1, 2));
        let refused = app.send().await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers()["retry-after"], "1");
        let body = refused.into_body().collect().await.unwrap().to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["violated-policies"], serde_json::json!(["partner"]));
        assert_eq!((&body["limit"], &body["remaining"]), (&3.into(), &0.into()));
        app.pass(99).await;
        assert_eq!(app.served(), 1);
        app.pass(2).await;
        assert_eq!((app.served(), app.layer.waiting()), (2, 1));
        app.pass(100).await;
        assert_eq!((app.served(), app.layer.waiting()), (3, 0));
        for request in [first, second, third] {
            assert_eq!(request.await.unwrap().status(), StatusCode::OK);
        }
        let verdicts = app.layer.verdicts();
        assert_eq!((verdicts.passed, verdicts.rejected(RejectionKind::RateLimited)), (3, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_gives_the_place_back_if_he_is_the_last() {
    let stores: [Box<dyn Fn() -> ShapingLayer>; 2] = [
        Box::new(|| builder(MemoryStore::new()).build().unwrap()),
        Box::new(|| builder(Remote(MemoryStore::new())).build().unwrap()),
    ];
    for store in stores {
        let app = App::new(store());
        let (_first, second, third) = (later(&app).await, later(&app).await, later(&app).await);
        third.abort();
        app.pass(1).await;
        assert_eq!(app.layer.waiting(), 1);
        // Its place is free for the next, who goes ahead when it would have.
        let fourth = later(&app).await;
        assert_eq!(app.layer.waiting(), 2);
        // The one in the middle has somebody behind him: his turn stays empty, the seat is free.
        second.abort();
        app.pass(1).await;
        assert_eq!((app.layer.waiting(), app.send().await.status()), (1, StatusCode::TOO_MANY_REQUESTS));
        app.pass(150).await;
        assert_eq!(app.served(), 1);
        app.pass(60).await;
        assert_eq!(fourth.await.unwrap().status(), StatusCode::OK);
        assert_eq!((app.served(), app.layer.waiting()), (2, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn whose_turn_comes_after_the_deadline_is_refused_at_once_and_takes_no_place() {
    let app = App::new(builder(MemoryStore::new()).build().unwrap());
    let within = |millis| {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(RequestDeadline::after(Duration::from_millis(millis)));
        app.request(request)
    };
    let _first = later(&app).await;
    assert_eq!(within(99).await.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(app.layer.waiting(), 0);
    let second = tokio::spawn(within(100));
    let third = later(&app).await;
    app.pass(201).await;
    assert_eq!(second.await.unwrap().status(), StatusCode::OK);
    assert_eq!(third.await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_full_room_is_an_overload_and_leaves_no_place_taken() {
    let room = std::num::NonZeroUsize::MIN;
    let app = App::new(builder(MemoryStore::new()).waiting(5).room(room).build().unwrap());
    let (_first, second) = (later(&app).await, later(&app).await);
    for _ in 0..10 {
        let refused = app.send().await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()["retry-after"], "1");
    }
    app.pass(101).await;
    assert_eq!(second.await.unwrap().status(), StatusCode::OK);
    // Had the ten kept their places, the queue would be full.
    let third = later(&app).await;
    app.pass(100).await;
    assert_eq!(third.await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn all_callers_together_are_answered_503_and_a_store_that_fails_is_no_refusal() {
    let layer = ShapingLayer::builder(MemoryStore::new(), "all", Key::global(), Rate::per_second(10)).waiting(1);
    let app = App::new(layer.build().unwrap());
    let (_first, _second) = (later(&app).await, later(&app).await);
    let refused = app.send().await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let body = refused.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error"], "service_unavailable");

    let app = App::new(builder(Broken).build().unwrap());
    let failed = app.send().await;
    let body = failed.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error"], "backend_unavailable");
    assert_eq!(app.served(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_says_nothing_of_a_request_delays_nobody() {
    let layer = ShapingLayer::builder(MemoryStore::new(), "own", Key::principal(), Rate::per_second(1)).waiting(1);
    let app = App::new(layer.build().unwrap());
    for _ in 0..5 {
        assert_eq!(app.send().await.status(), StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dear_request_takes_several_turns() {
    let app = App::new(builder(MemoryStore::new()).waiting(5).cost(3).build().unwrap());
    let (first, second) = (later(&app).await, later(&app).await);
    assert_eq!(app.send().await.status(), StatusCode::TOO_MANY_REQUESTS);
    app.pass(299).await;
    assert_eq!(app.served(), 1);
    app.pass(3).await;
    assert_eq!((first.await.unwrap().status(), second.await.unwrap().status()), (StatusCode::OK, StatusCode::OK));
}

#[test]
fn every_mistake_is_told() {
    let fields = |builder: ShapingLayerBuilder| -> Vec<String> {
        builder.build().unwrap_err().issues().iter().map(|issue| issue.field.to_string()).collect()
    };
    let wrong = ShapingLayer::builder(MemoryStore::new(), "a\nb", Key::global().and(Key::ip()), Rate::per_second(0));
    let told = fields(wrong.waiting(0).cost(0));
    for field in ["name", "key", "cost", "rate", "waiting"] {
        assert!(told.iter().any(|told| told.ends_with(field)), "{field} of {told:?}");
    }
    assert!(fields(builder(MemoryStore::new()).cost(4)).iter().any(|told| told.ends_with("cost")));
    assert!(builder(MemoryStore::new()).cost(3).build().is_ok());
}
