//! What a request costs, and what it turns out to have cost.

use axum::extract::State as Shared;
use http::{HeaderName, StatusCode};
use tokio::sync::mpsc;

use super::*;
use crate::store::{BoxFuture, StoreError};

/// An application whose handler is told what to do: `x-status`, `x-used` (several add up), `x-body`.
fn app(layer: RateLimitLayer) -> App {
    async fn handler(usage: Option<RateLimitUsage>, request: Request<Body>) -> (StatusCode, String) {
        let number = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().parse().unwrap());
        for used in request.headers().get_all("x-used") {
            usage.as_ref().unwrap().add(used.to_str().unwrap().parse().unwrap());
        }
        assert!(!request.headers().contains_key("x-panic"), "as it was told");
        let status = StatusCode::from_u16(number("x-status").unwrap_or(200)).unwrap();
        (status, "x".repeat(number("x-body").unwrap_or(0).into()))
    }
    let clock = ManualClock::at(START);
    let outer = ServiceBuilder::new().layer(RequestContextLayer::new().clock(clock.clone()));
    let router = ["/", "/reports", "/import"]
        .iter()
        .fold(Router::new(), |router, path| router.route(path, routing::any(handler)));
    App { router: router.layer(layer).layer(outer), clock }
}

impl<S: Sync> axum::extract::OptionalFromRequestParts<S> for RateLimitUsage {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

fn ask(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = request(Method::GET, path, None, "203.0.113.7");
    for (name, value) in headers {
        request.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    request
}

async fn left(app: &App, path: &str, headers: &[(&str, &str)]) -> String {
    let response = app.send(ask(path, headers)).await;
    let left = header(&response, "x-ratelimit-remaining").to_owned();
    response.into_body().collect().await.unwrap();
    left
}

/// What is left, without charging.
async fn now(app: &App, layer: &RateLimitLayer) -> u64 {
    let mut request = ask("/", &[]);
    let clock = RequestContextLayer::new().clock(app.clock.clone());
    let layer = layer.clone();
    let (sender, mut receiver) = mpsc::channel(1);
    let seen = Router::new()
        .fallback(|Shared(sender): Shared<mpsc::Sender<BoxFuture<'static, _>>>, request: Request<Body>| async move {
            sender.send(layer.handle().explain(&request)).await.ok();
        })
        .with_state(sender)
        .layer(clock);
    *request.uri_mut() = "/".parse().unwrap();
    seen.oneshot(request).await.unwrap();
    let explanation: Explanation = receiver.recv().await.unwrap().await.unwrap();
    explanation.rules[0].applied.as_ref().unwrap().remaining
}

fn rule() -> Rule {
    Rule::new("r", Key::ip(), Rate::per_minute(60).burst(100))
}

#[tokio::test]
async fn endpoints_and_headers_have_their_prices() {
    let items = HeaderName::from_static("x-items");
    let rule =
        rule().cost(2).cost_at(Method::GET, "/reports", 10).cost_at(Method::GET, "/import", Cost::header(items, 1, 20));
    let app = app(layer([rule]));
    assert_eq!(left(&app, "/", &[]).await, "98");
    assert_eq!(left(&app, "/reports", &[]).await, "88");
    assert_eq!(left(&app, "/import", &[("x-items", "7")]).await, "81");
    assert_eq!(left(&app, "/import", &[]).await, "61", "who does not say pays the most");
    for bad in ["0", "21", "-1", "+5", " ", "1e1", "18446744073709551617", "5,5", "٣"] {
        assert_eq!(app.status(ask("/import", &[("x-items", bad)])).await, 400, "{bad}");
    }
    assert_eq!(app.status(ask("/import", &[("x-items", "5"), ("x-items", "5")])).await, 400);
    assert_eq!(left(&app, "/", &[]).await, "59", "what was refused cost nothing");
}

#[tokio::test]
async fn what_is_free_is_not_limited() {
    let app = app(layer([Rule::new("r", Key::ip(), Rate::per_minute(1)).cost_at(Method::GET, "/reports", 0)]));
    assert_eq!(left(&app, "/", &[]).await, "0");
    for _ in 0..3 {
        let response = app.send(ask("/reports", &[])).await;
        assert_eq!(response.status(), 200);
        assert!(!response.headers().contains_key("ratelimit"));
    }
}

#[tokio::test]
async fn a_status_may_change_the_price_and_the_header_says_so() {
    let rule = rule().cost(5).refund_on(StatusClass::ServerError).cost_on(StatusClass::ClientError, 20);
    let app = app(layer([rule]));
    assert_eq!(left(&app, "/", &[]).await, "95");
    assert_eq!(left(&app, "/", &[("x-status", "503")]).await, "95");
    assert_eq!(left(&app, "/", &[("x-status", "404")]).await, "75");
    assert_eq!(left(&app, "/", &[]).await, "70");
}

#[tokio::test]
async fn failed_log_ins_alone_use_up_the_guesses() {
    let rule = Rule::new("login", Key::ip(), Rate::per_minute(2)).refund_on(StatusClass::Success);
    let app = app(layer([rule]));
    for _ in 0..10 {
        assert_eq!(app.status(ask("/", &[])).await, 200);
    }
    assert_eq!(app.status(ask("/", &[("x-status", "401")])).await, 401);
    assert_eq!(app.status(ask("/", &[("x-status", "401")])).await, 401);
    assert_eq!(app.status(ask("/", &[])).await, 429);
}

#[tokio::test]
async fn bytes_are_counted_as_they_are_sent() {
    let rules = layer([rule().cost(Cost::response_bytes(10).reserving(3))]);
    let app = app(rules.clone());
    assert_eq!(left(&app, "/", &[("x-body", "51")]).await, "94", "six units of ten bytes");
    assert_eq!(left(&app, "/", &[]).await, "93", "one at least");
    let mut head = ask("/", &[("x-body", "500")]);
    *head.method_mut() = Method::HEAD;
    app.send(head).await;
    assert_eq!(now(&app, &rules).await, 92, "HEAD has no body");
}

#[tokio::test]
async fn a_stream_is_settled_at_its_end_or_where_it_was_left() {
    let rules = layer([rule().cost(Cost::response_bytes(10))]);
    let clock = ManualClock::at(START);
    let stream = || async { Body::new(Chunks(5)) };
    let router = Router::new().route("/", routing::get(stream)).layer(rules.clone());
    let app = App { router: router.layer(RequestContextLayer::new().clock(clock.clone())), clock };
    let response = app.send(ask("/", &[])).await;
    assert_eq!(now(&app, &rules).await, 99, "the estimate, until the end is there");
    response.into_body().collect().await.unwrap();
    assert_eq!(now(&app, &rules).await, 90);
    let mut body = app.send(ask("/", &[])).await.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(now(&app, &rules).await, 88, "two units were sent");
}

/// So many times twenty bytes, whose end nobody knows before.
struct Chunks(usize);

impl http_body::Body for Chunks {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        let Some(left) = self.0.checked_sub(1) else { return std::task::Poll::Ready(None) };
        self.0 = left;
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data("01234567890123456789".into()))))
    }
}

#[tokio::test]
async fn the_handler_says_what_it_used() {
    let rules = layer([rule().cost(Cost::reported().reserving(10))]);
    let app = app(rules.clone());
    assert_eq!(left(&app, "/", &[("x-used", "4")]).await, "96");
    assert_eq!(left(&app, "/", &[("x-used", "20"), ("x-used", "26")]).await, "50");
    assert_eq!(left(&app, "/", &[]).await, "40", "who says nothing pays the estimate");
    assert_eq!(left(&app, "/", &[("x-used", "0")]).await, "40");
    assert_eq!(left(&app, "/", &[("x-used", "70")]).await, "0", "thirty are owed");
    assert_eq!(app.status(ask("/", &[])).await, 429);
    app.wait(39);
    assert_eq!(app.status(ask("/", &[])).await, 429);
    app.wait(1);
    assert_eq!(app.status(ask("/", &[("x-used", "10")])).await, 200, "thirty of debt and ten of estimate");
}

#[tokio::test]
async fn a_usage_without_a_rule_for_it_is_a_mistake_in_the_wiring() {
    let router = Router::new().route("/", routing::get(|_: RateLimitUsage| async {})).layer(layer([Rule::new(
        "r",
        Key::ip(),
        Rate::per_minute(5),
    )]));
    assert_eq!(router.oneshot(ask("/", &[])).await.unwrap().status(), 500);
}

/// express-rate-limit #647: a decrement after the window rolled made the counter negative.
#[tokio::test]
async fn a_settlement_never_changes_another_window() {
    for (used, refunded) in [("0", true), ("90", false)] {
        let rule = Rule::new("r", Key::ip(), Rate::per_minute(100)).fixed_window();
        let rules = layer([rule.cost(Cost::reported().reserving(40))]);
        let clock = ManualClock::at(START);
        let slow = {
            let clock = clock.clone();
            move |usage: RateLimitUsage, request: Request<Body>| async move {
                let secs = request.headers().get("x-wait").map_or(0, |secs| secs.to_str().unwrap().parse().unwrap());
                clock.advance(Duration::from_secs(secs));
                usage.add(request.headers()["x-used"].to_str().unwrap().parse().unwrap());
            }
        };
        let router = Router::new().route("/", routing::get(slow)).layer(rules.clone());
        let app = App { router: router.layer(RequestContextLayer::new().clock(clock.clone())), clock };
        app.send(ask("/", &[("x-used", used), ("x-wait", "59")])).await;
        assert_eq!(now(&app, &rules).await, if refunded { 100 } else { 10 }, "in its own window");
        app.wait(1);
        app.send(ask("/", &[("x-used", "40")])).await;
        assert_eq!(now(&app, &rules).await, 60);
        app.send(ask("/", &[("x-used", used), ("x-wait", "60")])).await;
        assert_eq!(now(&app, &rules).await, 100, "{used}: the window in which it ends knows nothing of it");
    }
}

#[tokio::test]
async fn a_bucket_gives_nothing_back_that_was_refilled_and_charges_what_was_used() {
    let rules = layer([Rule::new("r", Key::ip(), Rate::per_minute(60)).cost(Cost::reported().reserving(10))]);
    let clock = ManualClock::at(START);
    let slow = {
        let clock = clock.clone();
        move |usage: RateLimitUsage, request: Request<Body>| async move {
            let secs = request.headers().get("x-wait").map_or(0, |secs| secs.to_str().unwrap().parse().unwrap());
            clock.advance(Duration::from_secs(secs));
            usage.add(request.headers()["x-used"].to_str().unwrap().parse().unwrap());
        }
    };
    let router = Router::new().route("/", routing::get(slow)).layer(rules.clone());
    let app = App { router: router.layer(RequestContextLayer::new().clock(clock.clone())), clock };
    let router = app.router.clone();
    // While the slow one is under way, its estimate is refilled, and another takes forty.
    let slow = ask("/", &[("x-used", "0"), ("x-wait", "20")]);
    router.oneshot(slow).await.unwrap();
    app.send(ask("/", &[("x-used", "40")])).await;
    assert_eq!(now(&app, &rules).await, 20);
    // What was used is owed however late it is known: else long answers were free.
    app.send(ask("/", &[("x-used", "45"), ("x-wait", "30")])).await;
    assert_eq!(now(&app, &rules).await, 5);
}

#[tokio::test]
async fn a_panic_leaves_the_estimate_and_what_was_said() {
    let rules = layer([rule().cost(Cost::reported().reserving(10))]);
    let app = app(rules.clone());
    for (headers, left) in [(&[("x-panic", "1")][..], 90), (&[("x-panic", "1"), ("x-used", "25")], 65)] {
        let (router, request) = (app.router.clone(), ask("/", headers));
        assert!(tokio::spawn(async move { router.oneshot(request).await }).await.unwrap_err().is_panic());
        assert_eq!(now(&app, &rules).await, left);
    }
}

/// Answers late.
#[derive(Debug)]
struct Late(crate::backend::memory::MemoryStore);

impl RateLimitStore for Late {
    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.try_now(batch).unwrap()
        })
    }
}

#[tokio::test]
async fn a_store_that_answers_late_is_settled_alike() {
    let rule = rule().cost(Cost::reported().reserving(10)).refund_on(StatusClass::ServerError);
    let store = Late(crate::backend::memory::MemoryStore::new());
    let rules = RateLimitLayer::builder(store).rule(rule).build().unwrap();
    let app = app(rules.clone());
    assert_eq!(left(&app, "/", &[("x-used", "4")]).await, "96");
    assert_eq!(left(&app, "/", &[("x-used", "60"), ("x-status", "500")]).await, "96");
    let (router, request) = (app.router.clone(), ask("/", &[("x-panic", "1"), ("x-used", "25")]));
    assert!(tokio::spawn(async move { router.oneshot(request).await }).await.is_err());
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    assert_eq!(now(&app, &rules).await, 71);
}

#[tokio::test]
async fn what_can_be_owed_is_bounded() {
    for (rule, secs) in [(rule(), 1_010), (rule().overdraft(20), 30), (rule().overdraft(0), 10)] {
        let app = app(layer([rule.cost(Cost::reported().reserving(10))]));
        app.send(ask("/", &[("x-used", "1000000000")])).await;
        app.wait(secs - 1);
        assert_eq!(app.status(ask("/", &[("x-used", "0")])).await, 429);
        app.wait(1);
        assert_eq!(app.status(ask("/", &[("x-used", "0")])).await, 200);
    }
}

#[test]
fn costs_are_checked() {
    let items = HeaderName::from_static("x-items");
    for cost in [
        Cost::units(0),
        Cost::units(101),
        Cost::header(items.clone(), 0, 5),
        Cost::header(items.clone(), 6, 5),
        Cost::header(items, 1, 101),
        Cost::response_bytes(0),
        Cost::reported().reserving(0),
        Cost::reported().reserving(101),
    ] {
        let built = RateLimitLayer::builder(crate::backend::memory::MemoryStore::new()).rule(rule().cost(cost.clone()));
        assert!(built.build().is_err(), "{cost:?}");
    }
    let dear = rule().cost_at(Method::GET, "/reports", 500);
    let builder = || RateLimitLayer::builder(crate::backend::memory::MemoryStore::new());
    assert!(builder().rule(dear.clone()).build().is_err());
    assert!(builder().rule(dear.endpoint(Method::GET, "/reports", Rate::per_minute(500))).build().is_ok());
}
