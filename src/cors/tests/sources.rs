//! Origins of tenants.

use std::{
    borrow::Cow,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use super::*;
use crate::{
    cors::{OriginCache, OriginPattern, OriginRequest, OriginSource},
    gate::RequestContextLayer,
    store::{BoxFuture, StoreError},
    time::{ManualClock, Timestamp},
};

/// Host `a.test` allows `https://page-of-a.example`, and so on; what it was asked; whether it works.
#[derive(Debug, Default)]
struct Hosts {
    asked: Mutex<Vec<String>>,
    down: AtomicUsize,
    at_once: AtomicUsize,
    most: AtomicUsize,
}

const WORKS: usize = 0;
const FAILS: usize = 1;
const HANGS: usize = 2;
const SLOW: usize = 3;

impl OriginSource for Hosts {
    fn tenant<'r>(&self, request: OriginRequest<'r>) -> Option<Cow<'r, str>> {
        request.host?.strip_suffix(".test").map(Cow::Borrowed)
    }

    fn allows<'a>(&'a self, tenant: &'a str, origin: &'a OriginPattern) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(format!("{tenant} {origin}"));
            self.most.fetch_max(self.at_once.fetch_add(1, SeqCst).saturating_add(1), SeqCst);
            match self.down.load(SeqCst) {
                FAILS => return Err(StoreError::unavailable("the database is away")),
                HANGS => std::future::pending().await,
                SLOW => tokio::time::sleep(Duration::from_millis(20)).await,
                _ => {}
            }
            self.at_once.fetch_sub(1, SeqCst);
            Ok(origin.as_str() == format!("https://page-of-{tenant}.example"))
        })
    }
}

struct Rig {
    source: Arc<Hosts>,
    clock: ManualClock,
    cors: CorsSecurityLayer,
    app: Router,
    handled: Arc<AtomicUsize>,
}

fn rig_with(cache: OriginCache) -> Rig {
    let source = Arc::new(Hosts::default());
    let clock = ManualClock::at(Timestamp::from_secs(1_700_000_000));
    let cors = CorsSecurityLayer::builder()
        .allow_origin(APP)
        .methods(["PUT"])
        .origin_source(source.clone())
        .origin_cache(cache)
        .build()
        .unwrap();
    let handled = Arc::new(AtomicUsize::new(0));
    let counter = handled.clone();
    let count = move || async move {
        counter.fetch_add(1, SeqCst);
    };
    let context = RequestContextLayer::new().clock(clock.clone());
    let app = Router::new().fallback(count).layer(ServiceBuilder::new().layer(context).layer(cors.clone()));
    Rig { source, clock, cors, app, handled }
}

fn rig() -> Rig {
    rig_with(OriginCache::new().patience(Duration::from_millis(50)))
}

impl Rig {
    async fn get(&self, host: &str, origin: &str) -> Response {
        let request = Request::get("/x").header("host", host).header("origin", origin).body(Body::empty()).unwrap();
        self.app.clone().oneshot(request).await.unwrap()
    }

    async fn preflight(&self, host: &str, origin: &str, method: &str) -> Response {
        let request = Request::options("/x")
            .header("host", host)
            .header("origin", origin)
            .header("access-control-request-method", method);
        self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    fn asked(&self) -> usize {
        self.source.asked.lock().unwrap().len()
    }

    fn is(&self, state: usize) {
        self.source.down.store(state, SeqCst);
    }
}

fn reads(response: &Response) -> bool {
    response.headers().contains_key("access-control-allow-origin")
}

#[tokio::test]
async fn each_tenant_has_its_own_pages() {
    let rig = rig();
    for _ in 0..3 {
        let response = rig.get("a.test", "https://page-of-a.example").await;
        assert_eq!(response.headers()["access-control-allow-origin"], "https://page-of-a.example");
        assert_eq!(all_of(response.headers(), "vary"), ["Origin"]);
        assert!(!reads(&rig.get("b.test", "https://page-of-a.example").await), "another tenant's");
        assert!(reads(&rig.get("b.test:8443", "https://page-of-b.example").await));
        let response = rig.preflight("a.test", "https://page-of-a.example", "PUT").await;
        assert_eq!((response.status(), reads(&response)), (StatusCode::NO_CONTENT, true));
        let response = rig.preflight("b.test", "https://page-of-a.example", "PUT").await;
        assert_eq!((response.status(), reads(&response)), (StatusCode::NO_CONTENT, false));
    }
    assert_eq!(rig.asked(), 3, "answers are remembered, yes and no");
    assert_eq!(rig.handled.load(SeqCst), 9);
}

#[tokio::test]
async fn it_is_asked_about_origins_of_tenants_only() {
    let rig = rig();
    // On the list.
    assert!(reads(&rig.get("a.test", APP).await));
    // No tenant's, or of a name that is too long.
    assert!(!reads(&rig.get("a.elsewhere", "https://page-of-a.example").await));
    assert!(!reads(&rig.get(&format!("{}.test", "a".repeat(300)), "https://page-of-a.example").await));
    // No origins.
    let long = format!("https://{}.example", "a.".repeat(1_000));
    for origin in ["null", "", "https://page-of-a.example/", "https://*.example", "HTTPS://page-of-a.example", &long] {
        assert!(!reads(&rig.get("a.test", origin).await), "{origin}");
    }
    let request = Request::get("/").header("host", "a.test").body(Body::empty()).unwrap();
    assert!(!reads(&rig.app.clone().oneshot(request).await.unwrap()));
    // Refused whoever asks.
    assert!(!reads(&rig.preflight("a.test", "https://page-of-a.example", "DELETE").await));
    assert_eq!(rig.asked(), 0);
    // Two hosts are none.
    let request = Request::get("/").header("host", "a.test").header("host", "a.test");
    let request = request.header("origin", "https://page-of-a.example").body(Body::empty()).unwrap();
    assert!(!reads(&rig.app.clone().oneshot(request).await.unwrap()));
    assert_eq!(rig.asked(), 0);
}

#[tokio::test]
async fn answers_count_for_as_long_as_they_were_told_to() {
    let rig = rig_with(OriginCache::new().ttl(Duration::from_secs(60)).negative_ttl(Duration::from_secs(10)));
    let (yes, no) = ("https://page-of-a.example", "https://stranger.example");
    rig.get("a.test", yes).await;
    rig.get("a.test", no).await;
    assert_eq!(rig.asked(), 2);
    rig.clock.advance(Duration::from_micros(9_999_999));
    rig.get("a.test", no).await;
    assert_eq!(rig.asked(), 2);
    rig.clock.advance(Duration::from_micros(1));
    rig.get("a.test", no).await;
    rig.get("a.test", yes).await;
    assert_eq!(rig.asked(), 3);
    rig.clock.advance(Duration::from_secs(50));
    rig.get("a.test", yes).await;
    assert_eq!(rig.asked(), 4);
    rig.cors.handle().forget_origins();
    rig.get("a.test", yes).await;
    assert_eq!(rig.asked(), 5);
}

#[tokio::test]
async fn an_outage_is_no_verdict() {
    for outage in [FAILS, HANGS] {
        let rig = rig();
        rig.is(outage);
        for response in [
            rig.get("a.test", "https://page-of-a.example").await,
            rig.preflight("a.test", "https://page-of-a.example", "PUT").await,
        ] {
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers()["retry-after"], "1");
            assert!(!reads(&response));
        }
        assert_eq!(rig.handled.load(SeqCst), 0, "what no page could read does not happen");
        // What the list decides does not depend on it.
        assert!(reads(&rig.get("a.test", APP).await));
        rig.is(WORKS);
        assert!(reads(&rig.get("a.test", "https://page-of-a.example").await), "a failure is not remembered");
    }
}

#[tokio::test]
async fn the_last_answer_counts_on_while_the_source_is_away() {
    let rig = rig();
    let (yes, no) = ("https://page-of-a.example", "https://stranger.example");
    assert!(reads(&rig.get("a.test", yes).await) && !reads(&rig.get("a.test", no).await));
    rig.is(FAILS);
    rig.clock.advance(Duration::from_secs(61));
    let response = rig.get("a.test", yes).await;
    assert_eq!((response.status(), reads(&response)), (StatusCode::OK, true));
    let response = rig.get("a.test", no).await;
    assert_eq!((response.status(), reads(&response)), (StatusCode::OK, false));
    rig.clock.advance(Duration::from_secs(600));
    assert_eq!(rig.get("a.test", yes).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(rig.get("a.test", no).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_crowd_asks_a_few_times_and_never_all_at_once() {
    let rig = rig_with(OriginCache::new());
    rig.is(SLOW);
    let crowd = (0..300).map(|number| {
        let origin =
            if number % 2 == 0 { "https://page-of-a.example".to_owned() } else { format!("https://x{number}.example") };
        let app = rig.app.clone();
        let request = Request::get("/").header("host", "a.test").header("origin", origin).body(Body::empty()).unwrap();
        tokio::spawn(async move { reads(&app.oneshot(request).await.unwrap()) })
    });
    let mut readers = 0;
    for answer in crowd.collect::<Vec<_>>() {
        readers += usize::from(answer.await.unwrap());
    }
    assert_eq!(readers, 150);
    assert!(rig.source.most.load(SeqCst) <= 32);
    let popular = rig.source.asked.lock().unwrap().iter().filter(|asked| asked.contains("page-of-a")).count();
    assert!(popular <= 32, "{popular}");
}

#[tokio::test]
async fn what_is_remembered_is_bounded() {
    let rig = rig_with(OriginCache::new().capacity(16));
    for number in 0..500 {
        assert!(!reads(&rig.get("a.test", &format!("https://x{number}.example")).await));
    }
    assert_eq!(rig.asked(), 500);
    let held = format!("{:?}", rig.cors);
    let answers: usize =
        held.split("answers: ").nth(1).unwrap().split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
    assert!(answers <= 16, "{answers}");
}
