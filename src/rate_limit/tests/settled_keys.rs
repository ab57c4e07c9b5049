//! Whose bucket is settled: the one that was charged, whatever was found out of the request since then.

use http::{HeaderName, StatusCode};

use super::*;
use crate::{
    backend::memory::MemoryStore,
    store::{BoxFuture, StoreError},
};

const FROM: &str = "203.0.113.7";

/// Does what `x-status` and `x-used` say.
async fn handler(usage: Option<RateLimitUsage>, request: Request<Body>) -> (StatusCode, Body) {
    let number = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().parse::<u16>().unwrap());
    if let (Some(usage), Some(used)) = (usage, number("x-used")) {
        usage.add(used.into());
    }
    assert!(!request.headers().contains_key("x-panic"), "as it was told");
    let status = StatusCode::from_u16(number("x-status").unwrap_or(200)).unwrap();
    (status, if request.headers().contains_key("x-stream") { streamed() } else { Body::empty() })
}

/// A body of ten bytes whose end nobody knows before.
fn streamed() -> Body {
    let text = http_body_util::Full::new(bytes::Bytes::from_static(b"0123456789"));
    Body::new(text.map_frame(|frame| frame))
}

/// The caller is found out inside of the layer, and so is the route: the layer stands around the router.
fn app(layer: RateLimitLayer) -> App {
    let clock = ManualClock::at(START);
    let routes = ["/", "/orders/{id}"]
        .iter()
        .fold(Router::new(), |router, route| router.route(route, routing::any(handler)))
        .layer(GateLayer::new(Believe));
    let limited =
        ServiceBuilder::new().layer(RequestContextLayer::new().clock(clock.clone())).layer(layer).service(routes);
    App { router: Router::new().fallback_service(limited), clock }
}

fn ask(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = request(Method::GET, path, Some("key,k-1,anna,pro,acme"), FROM);
    for (name, value) in headers {
        request.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    request
}

/// The status, and what is left as the header fields say; the body is read to its end.
async fn told(app: &App, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let response = app.send(ask(path, headers)).await;
    let told = (response.status().as_u16(), header(&response, "x-ratelimit-remaining").to_owned());
    response.into_body().collect().await.unwrap();
    told
}

fn rule(key: Key) -> Rule {
    Rule::new("r", key, Rate::per_minute(10)).cost(Cost::reported().reserving(1))
}

#[tokio::test]
async fn what_is_reported_is_charged_to_the_address_that_was_asked() {
    let app = app(layer([rule(Key::client())]));
    assert_eq!(told(&app, "/", &[("x-used", "5")]).await, (200, "5".into()));
    assert_eq!(told(&app, "/", &[("x-used", "5")]).await, (200, "0".into()));
    assert_eq!(told(&app, "/", &[("x-used", "5")]).await.0, 429, "the address has used up its ten");
}

#[tokio::test]
async fn a_refund_goes_to_the_address_that_paid() {
    let app =
        app(layer([Rule::new("r", Key::client(), Rate::per_minute(10)).cost(5).refund_on(StatusClass::ServerError)]));
    for _ in 0..5 {
        assert_eq!(told(&app, "/", &[("x-status", "503")]).await, (503, "10".into()));
    }
    assert_eq!(told(&app, "/", &[]).await, (200, "5".into()));
}

#[tokio::test]
async fn a_route_that_the_router_finds_settles_nothing_else() {
    for key in [Key::endpoint(), Key::route(), Key::ip().and(Key::route())] {
        let app = app(layer([rule(key)]));
        assert_eq!(told(&app, "/orders/7", &[("x-used", "9")]).await, (200, "1".into()));
        assert_eq!(told(&app, "/", &[("x-used", "9")]).await.0, 200);
        assert_eq!(told(&app, "/orders/7", &[]).await.0, 429, "outside of the router it is one endpoint");
    }
}

/// The settlement is of the plan that was charged: the caller's, who is found out later, has another size.
#[tokio::test]
async fn what_was_charged_by_one_plan_is_settled_by_it() {
    let plain = rule(Key::client()).plan("pro", Rate::per_minute(1_000));
    let special = rule(Key::client()).endpoint(Method::GET, "/orders/{id}", Rate::per_minute(10));
    for rule in [plain, special.plan("pro", Rate::per_minute(1_000))] {
        let app = app(layer([rule]));
        assert_eq!(told(&app, "/orders/7", &[("x-used", "9")]).await, (200, "1".into()));
        assert_eq!(told(&app, "/orders/7", &[("x-used", "9")]).await, (200, "0".into()));
        assert_eq!(told(&app, "/orders/7", &[]).await.0, 429);
    }
}

/// Several rules, of which some settle, with parts of all kinds.
#[tokio::test]
async fn each_rule_settles_its_own() {
    let tenant = Key::dangerously_header(HeaderName::from_static("x-tenant"));
    let app = app(layer([
        Rule::new("plain", Key::global(), Rate::per_minute(100)),
        rule(Key::client().and(tenant).and(Key::route())),
        Rule::new("refunded", Key::client(), Rate::per_minute(3)).refund_on(StatusClass::Success),
    ]));
    let used = |tenant: &'static str| [("x-tenant", tenant), ("x-used", "9")];
    for tenant in ["a", "b", "c", "d", "e"] {
        assert_eq!(told(&app, "/", &used(tenant)).await.0, 200, "{tenant}");
    }
    assert_eq!(told(&app, "/", &used("a")).await.0, 200, "one was left");
    assert_eq!(told(&app, "/", &used("a")).await.0, 429);
}

#[tokio::test]
async fn what_is_settled_at_the_end_of_a_body_or_in_a_panic_is_the_address_too() {
    let stream = app(layer([rule(Key::client())]));
    assert_eq!(told(&stream, "/", &[("x-used", "10"), ("x-stream", "1")]).await, (200, "9".into()));
    assert_eq!(told(&stream, "/", &[]).await.0, 429);
    let panic = app(layer([rule(Key::client())]));
    let (router, request) = (panic.router.clone(), ask("/", &[("x-used", "10"), ("x-panic", "1")]));
    assert!(tokio::spawn(async move { router.oneshot(request).await }).await.unwrap_err().is_panic());
    assert_eq!(told(&panic, "/", &[]).await.0, 429);
}

/// Answers late, or not at all.
#[derive(Debug)]
struct Far(Option<MemoryStore>);

impl RateLimitStore for Far {
    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.as_ref().ok_or(StoreError::TimedOut)?.try_now(batch).unwrap()
        })
    }
}

#[tokio::test]
async fn a_store_that_is_late_or_lost_is_settled_alike() {
    let late = RateLimitLayer::builder(Far(Some(MemoryStore::new()))).rule(rule(Key::client())).build().unwrap();
    let late = app(late);
    assert_eq!(told(&late, "/", &[("x-used", "10")]).await, (200, "0".into()));
    assert_eq!(told(&late, "/", &[]).await.0, 429);
    // This process's share: a half.
    let rule = rule(Key::client()).on_store_loss(OnStoreLoss::Local { share: 2 });
    let lost = RateLimitLayer::builder(Far(None)).rule(rule).local_fallback(MemoryStore::new()).build().unwrap();
    let lost = app(lost);
    assert_eq!(told(&lost, "/", &[("x-used", "5")]).await.0, 200);
    assert_eq!(told(&lost, "/", &[]).await.0, 429);
}
