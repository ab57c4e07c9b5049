//! The breaker, reloading, explaining, and the presets.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::*;
use crate::backend::memory::MemoryStore;

const FROM: &str = "203.0.113.7";

fn builder() -> RateLimitLayerBuilder {
    RateLimitLayer::builder(MemoryStore::new())
}

#[tokio::test]
async fn the_breaker_turns_away_what_the_service_cannot_bear() {
    let rule = Rule::new("all", Key::global(), Rate::per_second(1_000));
    let breaker = Breaker::new().failures(50).window(Duration::from_secs(10), 4).pause(Duration::from_secs(5), 1);
    let layer = builder().rule(rule).breaker(breaker).build().unwrap();
    let clock = ManualClock::at(START);
    let ill = Arc::new(AtomicUsize::new(1));
    let handler = {
        let ill = Arc::clone(&ill);
        move || async move { if ill.load(SeqCst) == 1 { http::StatusCode::BAD_GATEWAY } else { http::StatusCode::OK } }
    };
    let router = Router::new().route("/", routing::get(handler)).layer(layer);
    let app = App { router: router.layer(RequestContextLayer::new().clock(clock.clone())), clock };
    for _ in 0..4 {
        assert_eq!(app.get("/").await.status(), 502);
    }
    let refused = app.get("/").await;
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (503, "5"));
    let body = json(refused).await;
    assert_eq!(body["type"], "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity");
    app.wait(5);
    assert_eq!(
        (app.get("/").await.status(), app.get("/").await.status()),
        (502.try_into().unwrap(), 503.try_into().unwrap())
    );
    ill.store(0, SeqCst);
    app.wait(5);
    for _ in 0..5 {
        assert_eq!(app.get("/").await.status(), 200);
    }
}

#[tokio::test]
async fn requests_under_way_are_bounded_and_their_places_come_back() {
    let layer = builder()
        .rule(Rule::new("r", Key::ip(), Rate::per_minute(1)).on(Method::POST, "/orders"))
        .breaker(Breaker::new().max_in_flight(2))
        .build()
        .unwrap();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let handler = {
        let gate = Arc::clone(&gate);
        move || async move { gate.acquire().await.unwrap().forget() }
    };
    let app = Router::new().route("/", routing::get(handler)).route("/orders", routing::post(|| async {})).layer(layer);
    let start = || tokio::spawn(app.clone().oneshot(request(Method::GET, "/", None, FROM)));
    let post =
        || async { app.clone().oneshot(request(Method::POST, "/orders", None, FROM)).await.unwrap().status().as_u16() };
    let (first, second) = (start(), start());
    tokio::task::yield_now().await;
    assert_eq!(post().await, 503);
    // One goes away, and one gets its answer.
    first.abort();
    assert!(first.await.is_err());
    assert_eq!((post().await, post().await), (200, 429));
    gate.add_permits(1);
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
    let (_third, _fourth) = (start(), start());
    tokio::task::yield_now().await;
    assert_eq!(post().await, 503);
}

#[test]
fn breakers_are_checked() {
    for breaker in [
        Breaker::new(),
        Breaker::new().failures(0),
        Breaker::new().failures(101),
        Breaker::new().max_in_flight(0),
        Breaker::new().slow(Duration::ZERO, 50),
        Breaker::new().failures(50).pause(Duration::from_secs(1), 0),
        Breaker::new().failures(50).window(Duration::from_secs(7_200), 1),
    ] {
        assert!(builder().rule(Rule::new("r", Key::ip(), Rate::per_minute(1))).breaker(breaker).build().is_err());
    }
}

#[tokio::test]
async fn new_rules_hold_at_once_and_what_is_owed_stays() {
    let rule = |name: &str, n| Rule::new(name, Key::ip(), Rate::per_minute(n));
    let layer = layer([rule("kept", 5)]);
    let app = App::new([layer.clone()]);
    let handle = layer.handle();
    assert_eq!(app.burst(&Method::GET, "/", None, FROM).await, 5);
    let wrong = handle.reload([rule("kept", 9), rule("kept", 0), rule("bad name \u{e9}", 1)]).unwrap_err();
    assert!(wrong.issues().len() >= 3, "{wrong}");
    assert_eq!(app.burst(&Method::GET, "/", None, FROM).await, 0, "the old rules hold");
    handle.reload([rule("kept", 60), rule("more", 4).on(Method::GET, "/orders")]).unwrap();
    app.wait(1);
    assert_eq!(app.burst(&Method::GET, "/", None, "203.0.113.8").await, 60);
    let left = app.burst(&Method::GET, "/", None, FROM).await;
    assert!(left < 30, "a caller that owes is no newcomer: {left}");
    assert_eq!(app.burst(&Method::GET, "/orders", None, "203.0.113.9").await, 4);
    handle.reload([rule("renamed", 60)]).unwrap();
    assert_eq!(app.burst(&Method::GET, "/", None, FROM).await, 60, "a new name is a new bucket");
}

#[tokio::test]
async fn an_explanation_says_which_rule_whose_bucket_and_when() {
    let secret = "subject-4f1d0c9a7be2";
    let layer = layer([
        Rule::new("clients", Key::client(), Rate::per_minute(2))
            .plan("pro", Rate::per_minute(4))
            .plan("internal", Limit::unlimited())
            .endpoint(Method::GET, "/search", Rate::per_minute(1)),
        Rule::new("login", Key::ip(), Rate::per_minute(5)).on(Method::POST, "/auth/login"),
        Rule::new("keys", Key::api_key(), Rate::per_minute(5)),
        Rule::new("guests", Key::ip(), Rate::per_minute(5)).exempt(Exemption::when(|_| true)),
        Rule::new("all", Key::global(), Rate::per_minute(1_000)).cost(3).shadow(),
    ]);
    let (sender, receiver) = std::sync::mpsc::channel();
    let asker = layer.clone();
    let handler = move |request: Request<Body>| {
        let (explained, sender) = (asker.handle().explain(&request), sender.clone());
        async move { sender.send(explained.await.unwrap()).unwrap() }
    };
    let clock = ManualClock::at(START);
    let router =
        Router::new().route("/", routing::get(handler.clone())).route("/search", routing::get(handler)).layer(layer);
    let outer =
        ServiceBuilder::new().layer(RequestContextLayer::new().clock(clock.clone())).layer(GateLayer::new(Believe));
    let app = App { router: router.layer(outer), clock };
    let caller = format!("jwt,t,{secret},pro");
    for remaining in [3, 2] {
        app.send(request(Method::GET, "/", Some(&caller), FROM)).await;
        let told: Explanation = receiver.recv().unwrap();
        let clients = told.rules[0].applied.clone().unwrap();
        assert_eq!(
            (clients.remaining, clients.limit, clients.plan.as_deref(), clients.passes),
            (remaining, 4, Some("pro"), true)
        );
        assert!(clients.key[0].starts_with("client ") && !told.to_string().contains(secret), "{told}");
        let why: Vec<_> = told.rules.iter().map(|rule| rule.applied.clone().err()).collect();
        assert_eq!(why, [None, Some(WhyNot::Elsewhere), Some(WhyNot::NoKey), Some(WhyNot::Exempt), None]);
        let all = told.rules[4].applied.clone().unwrap();
        assert_eq!((told.rules[4].shadow, all.cost, all.key), (true, 3, vec!["global".to_owned()]));
    }
    app.send(request(Method::GET, "/search", Some(&caller), FROM)).await;
    let told = receiver.recv().unwrap();
    let search = told.rules[0].applied.clone().unwrap();
    assert_eq!(
        (&*search.policy, search.passes, search.passes_after),
        ("clients GET /search", false, Some(Duration::from_secs(60)))
    );
    assert_eq!(search.key[1], "GET /search");
    assert!(told.to_string().contains("passes in 60s"), "{told}");
    app.send(request(Method::GET, "/", Some("jwt,t,u,internal"), FROM)).await;
    assert_eq!(receiver.recv().unwrap().rules[0].applied, Err(WhyNot::Unlimited));
}

/// FAQ 6 of the workflow document.
#[tokio::test]
async fn the_presets_are_the_documents() {
    for (class, at_once, a_minute) in [
        (EndpointClass::Authentication, 5, 5),
        (EndpointClass::Expensive, 10, 20),
        (EndpointClass::Read, 100, 100),
        (EndpointClass::Write, 20, 50),
        (EndpointClass::Sensitive, 1, 5),
    ] {
        let app = App::of(Rule::preset(class, Method::POST, "/orders"));
        assert_eq!(app.burst(&Method::POST, "/orders", None, FROM).await, at_once);
        let mut passed = 0;
        for _ in 0..60 {
            app.wait(1);
            passed += app.burst(&Method::POST, "/orders", None, FROM).await;
        }
        assert_eq!(passed, a_minute, "{class}");
        assert_eq!(app.status(request(Method::GET, "/orders", None, FROM)).await, 200);
        let rule = Rule::new("r", Key::ip(), Rate::per_minute(1_000)).endpoint(Method::POST, "/orders", class);
        assert_eq!(App::of(rule).burst(&Method::POST, "/orders", None, FROM).await, at_once);
    }
}

#[test]
fn a_rate_is_sound_if_a_limit_can_be_made_of_it() {
    for rate in [
        Rate::per_minute(0),
        Rate::per_minute(1),
        Rate::per_minute(1).burst(0),
        Rate::per_second(Rate::MOST),
        Rate::per_second(Rate::MOST + 1),
        Rate::per_hour(1).burst(Rate::MOST),
        Rate::per_hour(1).burst(8_000_000),
        Rate::per(1, Duration::ZERO),
        Rate::per(1, Duration::MAX),
        Rate::per(1, Duration::from_secs(366 * 86_400)),
        Rate::per(1, Duration::from_nanos(366 * 86_400 * 1_000_000_000 + 1)),
        Rate::per(3, Duration::from_secs(366 * 86_400)).burst(3_001),
    ] {
        assert_eq!(rate.is_sound(), rate.check().is_ok(), "{rate:?}");
    }
}
