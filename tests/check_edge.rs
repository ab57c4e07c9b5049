//! `testing::check_edge` finds each mistake that is made with an edge, and none in a good one.

#![cfg(feature = "aws-lc")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "check_edge/strangers.rs"]
mod strangers;

use axum::{Json, Router, middleware::map_response, response::Response, routing::get};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use portcullis::{
    auth::{AuthLayer, IdentityHeaders},
    backend::memory::MemoryStore,
    cors::CorsSecurityLayer,
    gate::ProblemLayer,
    headers::SecurityHeadersLayer,
    lint::Severity,
    rate_limit::{Key, Rate, RateLimitLayer, Rule},
    stack::Stack,
    testing::{EdgeCheck, EdgeReport, TestIssuer, check_edge},
};
use tower::ServiceBuilder;

const ORIGIN: &str = "https://app.example.com";
const LIMIT: usize = 64 * 1024;

fn issuer() -> &'static TestIssuer {
    static ISSUER: std::sync::OnceLock<TestIssuer> = std::sync::OnceLock::new();
    ISSUER.get_or_init(|| TestIssuer::new("https://issuer.test"))
}

fn cors() -> CorsSecurityLayer {
    CorsSecurityLayer::builder()
        .allow_origin(ORIGIN)
        .methods(["GET", "POST"])
        .request_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .build()
        .unwrap()
}

fn auth() -> AuthLayer {
    AuthLayer::builder().jwt(issuer().verifier()).identity_headers(IdentityHeaders::new()).build().unwrap()
}

fn limit(key: Key) -> RateLimitLayer {
    let rule = Rule::new("few", key, Rate::per_hour(60)).fixed_window();
    RateLimitLayer::builder(MemoryStore::new()).rule(rule).build().unwrap()
}

async fn panics() -> &'static str {
    panic!("on purpose")
}

/// Two routes that need a credential; one of them tells what it was sent.
fn routes() -> Router {
    Router::new()
        .route("/orders", get(|headers: HeaderMap| async move { format!("{headers:?}") }).post(order))
        .route("/panic", get(panics))
}

async fn order(body: String) -> String {
    format!("{} bytes", body.len())
}

fn edge() -> Stack {
    Stack::new()
        .cors(&cors())
        .security_headers(&SecurityHeadersLayer::api())
        .body_limit(LIMIT)
        .rate_limit_before_auth(&limit(Key::ip()))
        .auth(&auth())
}

/// Everything that can be looked at.
fn check(app: Router) -> EdgeCheck {
    let token = format!("Bearer {}", issuer().token("usr_1").sign());
    check_edge(app)
        .origin(ORIGIN)
        .preflight_headers(["content-type", "authorization"])
        .route(Method::GET, "/orders")
        .route(Method::POST, "/orders")
        .credential("authorization", &token)
        .body_limit(LIMIT)
        .panicking_route(Method::GET, "/panic")
        .limited_route(Method::GET, "/orders", 60)
}

/// Finds this, with the requests that show it.
#[track_caller]
fn found(report: &EdgeReport, code: &str) -> String {
    let places: Vec<_> = report.with_code(code).map(|issue| issue.field.to_string()).collect();
    assert!(!places.is_empty(), "{code} was not found: {report}");
    assert!(!report.is_ok());
    places.join("; ")
}

/// Finds this and nothing else.
#[track_caller]
fn only(report: &EdgeReport, codes: &[&str]) {
    let mut found: Vec<_> = report.issues().iter().map(|issue| issue.code).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, codes, "{report}");
}

/// A header that something outside adds to every response.
fn adding(name: &'static str, value: &'static str) -> impl Fn(Response) -> std::future::Ready<Response> + Clone {
    move |mut response| {
        response.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
        std::future::ready(response)
    }
}

#[tokio::test]
async fn a_good_edge_has_no_finding() {
    let report = check(routes().layer(edge())).await;
    only(&report, &[]);
    report.assert_ok();
    assert!(report.requests() > 140, "{}", report.requests());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["issues"], json["requests"].is_u64()), (&serde_json::json!([]), true));
}

#[tokio::test]
async fn what_was_not_named_was_not_looked_at() {
    let report = check_edge(routes().layer(edge())).await;
    only(&report, &["cors-not-checked", "routes-not-checked"]);
    assert!(report.is_ok(), "that is no mistake of the router");
}

#[tokio::test]
async fn a_layer_before_the_route_does_not_cover_it() {
    let app = routes().layer(edge()).route("/late", get(|| async { "open to all!" }));
    let report = check(app).route(Method::GET, "/late").await;
    assert_eq!(found(&report, "route-open"), "GET /late without a credential: 200");
    assert_eq!(found(&report, "preflight-not-answered"), "preflight of GET /late: 405");
    assert!(found(&report, "cors-missing").contains("GET /late"));
    assert!(found(&report, "security-headers-missing").contains("GET /late"));
    assert_eq!(report.issues()[0].severity, Severity::Critical, "the gravest comes first");
}

#[tokio::test]
async fn route_layer_leaves_out_unknown_paths() {
    let inside = Stack::new().security_headers(&SecurityHeadersLayer::api()).auth(&auth());
    let report = check(routes().layer(inside).route_layer(cors()).layer(ProblemLayer::new())).await;
    let unreadable = found(&report, "cors-missing");
    assert!(unreadable.contains("GET of an unknown path") && !unreadable.contains("GET /orders"), "{unreadable}");
    assert!(found(&report, "preflight-needs-credentials").contains("there-is-nothing-here"));
}

/// What CORS is outside of cannot be read, and is not even asked.
#[tokio::test]
async fn a_reversed_order_makes_refusals_unreadable() {
    let reversed = ServiceBuilder::new().layer(limit(Key::ip())).layer(auth()).layer(cors());
    let report = check(routes().layer(reversed)).await;
    assert!(found(&report, "preflight-needs-credentials").contains("preflight of POST /orders: 401"));
    found(&report, "preflight-costs-rate-limit");
    let unreadable = found(&report, "cors-missing");
    for answer in
        ["GET /orders without a credential: 401", "GET of an unknown path: 401", "GET /orders beyond its limit: 429"]
    {
        assert!(unreadable.contains(answer), "{unreadable}");
    }
}

#[tokio::test]
async fn without_cors_at_all_no_page_reads_anything() {
    let report = check(routes().layer(edge_without_cors())).await;
    let open = check_edge(public().layer(edge_without_cors_and_auth()))
        .origin(ORIGIN)
        .public_route(Method::POST, "/orders")
        .body_limit(LIMIT)
        .panicking_route(Method::GET, "/panic")
        .limited_route(Method::GET, "/orders", 60);
    let unreadable = found(&report, "cors-missing") + &found(&open.await, "cors-missing");
    for status in ["401", "404", "405", "413", "429", "500"] {
        assert!(unreadable.contains(&format!(": {status}")), "{status}: {unreadable}");
    }
}

fn edge_without_cors() -> Stack {
    edge_without_cors_and_auth().auth(&auth())
}

fn edge_without_cors_and_auth() -> Stack {
    Stack::new()
        .security_headers(&SecurityHeadersLayer::api())
        .body_limit(LIMIT)
        .rate_limit_before_auth(&limit(Key::ip()))
}

fn public() -> Router {
    Router::new().route("/orders", get(|| async { "orders" }).post(order)).route("/panic", get(panics))
}

#[tokio::test]
async fn limits_outside_cors_count_preflights() {
    let app = routes().layer(ServiceBuilder::new().layer(limit(Key::ip())).layer(cors()).layer(auth()));
    let report = check(app).await;
    found(&report, "preflight-costs-rate-limit");
    assert!(found(&report, "cors-missing").contains("GET /orders beyond its limit: 429"));
    assert!(report.with_code("preflight-needs-credentials").next().is_none());
}

/// A limit that says nothing in its headers, and has not refused anybody yet.
#[tokio::test]
async fn limits_that_count_preflights_in_silence_are_noticed() {
    let app = public().route_layer(cors()).layer(limit_of(1_000)).layer(map_response(without_limits));
    let report = check_edge(app).origin(ORIGIN).public_route(Method::GET, "/orders").await;
    found(&report, "preflight-costs-rate-limit");
}

fn limit_of(units: u64) -> RateLimitLayer {
    let rule = Rule::new("many", Key::ip(), Rate::per_hour(units)).fixed_window();
    RateLimitLayer::builder(MemoryStore::new()).rule(rule).build().unwrap()
}

/// Only answers with a body of the handler say what is left.
async fn without_limits(mut response: Response) -> Response {
    if response.status() == StatusCode::NO_CONTENT {
        for name in ["ratelimit", "x-ratelimit-remaining"] {
            response.headers_mut().remove(name);
        }
    }
    response
}

#[tokio::test]
async fn the_policy_must_allow_what_the_page_does() {
    let narrow = CorsSecurityLayer::builder().allow_origin(ORIGIN).build().unwrap();
    let report = check(routes().layer(edge().cors(&narrow))).await;
    only(&report, &["preflight-refused"]);
    let other = CorsSecurityLayer::builder().allow_origin("https://other.example.com").build().unwrap();
    let report = check(routes().layer(edge().cors(&other))).await;
    only(&report, &["cors-missing", "preflight-refused"]);
}

#[tokio::test]
async fn what_a_limit_says_must_be_exposed() {
    let hidden = CorsSecurityLayer::builder()
        .allow_origin(ORIGIN)
        .methods(["GET", "POST"])
        .request_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_only(["x-other"])
        .build()
        .unwrap();
    only(&check(routes().layer(edge().cors(&hidden))).await, &["rate-limit-headers-not-exposed"]);
}

#[tokio::test]
async fn a_second_place_that_sets_cors_headers() {
    let app = routes().layer(edge()).layer(map_response(adding("access-control-allow-origin", ORIGIN)));
    found(&check(app).await, "cors-doubled");
}

#[tokio::test]
async fn errors_that_are_no_problem_documents() {
    let app = routes().layer(ServiceBuilder::new().layer(SecurityHeadersLayer::api()).layer(cors()));
    let report = check_edge(app).origin(ORIGIN).public_route(Method::GET, "/orders").await;
    let plain = found(&report, "plain-text-error");
    assert!(plain.contains("unknown path: 404") && plain.contains("unknown method on /orders: 405"), "{plain}");

    // JSON of the application's own, without what should stand beside it.
    let json = Router::new().fallback(|| async { (StatusCode::NOT_FOUND, Json("no")) });
    let report = check_edge(json).await;
    for code in ["error-without-no-store", "request-id-missing", "security-headers-missing"] {
        assert!(found(&report, code).contains("unknown path: 404"));
    }
    assert!(report.with_code("plain-text-error").next().is_none());
}

#[tokio::test]
async fn headers_that_tell_too_much_or_stand_twice() {
    let app = routes().layer(edge()).layer(map_response(adding("server", "axum/0.8")));
    only(&check(app).await, &["server-header"]);
    let app = routes().layer(edge()).layer(map_response(adding("x-frame-options", "SAMEORIGIN")));
    only(&check(app).await, &["security-header-doubled"]);
}

#[tokio::test]
async fn routes_that_are_not_what_they_were_said_to_be() {
    let report = check(routes().layer(edge())).public_route(Method::GET, "/orders").await;
    only(&report, &["public-route-closed"]);
    let report = check(routes().layer(edge())).route(Method::GET, "/order").await;
    only(&report, &["route-absent"]);
    let report = check(routes().layer(edge())).limited_route(Method::GET, "/orders", 10).await;
    only(&report, &["not-limited"]);
}

#[tokio::test]
async fn a_limit_that_does_not_say_when() {
    let app = routes().layer(edge()).layer(map_response(|mut response: Response| {
        response.headers_mut().remove("retry-after");
        std::future::ready(response)
    }));
    only(&check(app).await, &["retry-after-missing"]);
}

#[tokio::test]
async fn what_is_allowed_is_no_failure() {
    let app = || routes().layer(edge()).layer(map_response(adding("server", "axum/0.8")));
    assert!(!check(app()).await.is_ok());
    let report = check(app()).allow("server-header", "the load balancer takes it out").await;
    report.assert_ok();
    assert_eq!(report.issues()[0].allowed.as_deref(), Some("the load balancer takes it out"));
}

#[tokio::test]
#[should_panic(expected = "server tells what answers")]
async fn a_failed_check_says_what_was_found() {
    check(routes().layer(edge()).layer(map_response(adding("server", "axum/0.8")))).await.assert_ok();
}
