//! A stack puts its layers in their order whatever order they are given in, and what tower-http
//! answers for it is a problem document that an allowed page can read.

#![cfg(feature = "aws-lc")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "stack/pains.rs"]
mod pains;
#[path = "stack/pairs.rs"]
mod pairs;

use std::time::Duration;

use axum::{Router, body::Body, response::Response, routing::get};
use http::{Request, StatusCode};
use portcullis::{
    audit::{AuditLayer, MemorySink},
    auth::AuthLayer,
    authz::ScopeLayer,
    backend::memory::MemoryStore,
    cors::CorsSecurityLayer,
    headers::SecurityHeadersLayer,
    quota::{Plan, QuotaLayer},
    rate_limit::{Key, Rate, RateLimitLayer, Rule},
    stack::Stack,
    testing::TestIssuer,
};
use tower::ServiceExt as _;

pub(crate) const ORIGIN: &str = "https://app.example.com";

pub(crate) fn cors() -> CorsSecurityLayer {
    CorsSecurityLayer::builder().allow_origin(ORIGIN).build().unwrap()
}

fn router() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }).post(|body: String| async move { body }))
        .route("/panic", get(panics))
        .route("/slow", get(std::future::pending::<()>))
}

async fn panics() -> &'static str {
    panic!("always")
}

fn ask(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder().method(method).uri(path).header("origin", ORIGIN).body(body.into()).unwrap()
}

/// A problem document with everything that the edge adds.
fn assert_problem(response: &Response, status: StatusCode) {
    assert_eq!(response.status(), status);
    let headers = response.headers();
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["access-control-allow-origin"], ORIGIN);
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert!(headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn the_order_is_the_stacks_not_the_callers() {
    let (store, sink) = (MemoryStore::new(), std::sync::Arc::new(MemorySink::new()));
    let issuer = TestIssuer::new("https://issuer.test");
    let rates = |name: &str, key| {
        let rule = Rule::new(name.to_owned(), key, Rate::per_minute(10));
        RateLimitLayer::builder(store.clone()).rule(rule).build().unwrap()
    };
    let audit = AuditLayer::builder(std::sync::Arc::clone(&sink)).build().unwrap();
    // Inside out, which would be wrong in every place.
    let stack = Stack::new()
        .quota(
            &QuotaLayer::builder(store.clone()).plan(Plan::new("pro").unlimited()).default_plan("pro").build().unwrap(),
        )
        .scope(&ScopeLayer::all(["read:orders"]).unwrap())
        .rate_limit(&rates("client", Key::client()))
        .auth(&AuthLayer::builder().jwt(issuer.verifier()).build().unwrap())
        .rate_limit_before_auth(&rates("address", Key::ip()))
        .cors(&cors())
        .security_headers(&SecurityHeadersLayer::api())
        .audit(&audit);
    let token = issuer.token("usr_1").scopes(["read:orders"]).sign();
    let mut request = ask("GET", "/", "");
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let response = router().layer(stack).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    drop(response);
    audit.handle().shutdown().await;
    let records = sink.records();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    let layers: Vec<_> =
        record["verdicts"].as_array().unwrap().iter().map(|verdict| verdict["layer"].clone()).collect();
    let expected = [
        "context",
        "audit",
        "security_headers",
        "cors",
        "problem",
        "rate_limit",
        "auth",
        "rate_limit",
        "scope",
        "quota",
    ];
    assert_eq!(layers, expected);
}

#[tokio::test]
async fn what_fails_inside_is_a_problem_that_a_page_can_read() {
    let edge = || Stack::new().cors(&cors()).security_headers(&SecurityHeadersLayer::api());
    let app = router().layer(edge().body_limit(3).timeout(Duration::from_millis(20)));
    let problem = |request| app.clone().oneshot(request);
    assert_problem(&problem(ask("GET", "/panic", "")).await.unwrap(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_problem(&problem(ask("GET", "/slow", "")).await.unwrap(), StatusCode::GATEWAY_TIMEOUT);
    assert_problem(&problem(ask("GET", "/nowhere", "")).await.unwrap(), StatusCode::NOT_FOUND);
    assert_problem(&problem(ask("PUT", "/", "")).await.unwrap(), StatusCode::METHOD_NOT_ALLOWED);
    assert_problem(&problem(ask("POST", "/", "long")).await.unwrap(), StatusCode::PAYLOAD_TOO_LARGE);
    let mut announced = ask("POST", "/", "long");
    announced.headers_mut().insert("content-length", 4.into());
    assert_problem(&problem(announced).await.unwrap(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(problem(ask("POST", "/", "abc")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn without_a_time_out_a_handler_may_take_its_time() {
    let slow = get(|| async {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        "done"
    });
    let app = || Router::new().route("/slow", slow.clone());
    let patient = app().layer(Stack::new().without_timeout()).oneshot(ask("GET", "/slow", "")).await.unwrap();
    assert_eq!(patient.status(), StatusCode::OK);
    let usual = app().layer(Stack::new()).oneshot(ask("GET", "/slow", "")).await.unwrap();
    assert_eq!(usual.status(), StatusCode::GATEWAY_TIMEOUT);
}
