//! Of each two neighbours in the stack, a request that shows which of them stands outside.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    response::Response,
    routing::{get, post},
};
use http::{Request, StatusCode};
use portcullis::{
    audit::{AuditLayer, MemorySink},
    auth::AuthLayer,
    authz::ScopeLayer,
    backend::memory::MemoryStore,
    headers::SecurityHeadersLayer,
    ip_filter::IpFilterLayer,
    quota::{Plan, QuotaLayer},
    rate_limit::{Key, Rate, RateLimitLayer, Rule},
    request::TrustedProxies,
    require_https::RequireHttpsLayer,
    secret::Secret,
    stack::Stack,
    testing::TestIssuer,
    time::ManualClock,
    validate::RequestValidationLayer,
    versioning::{ApiVersion, ApiVersionLayer, SupportedVersion, UtcDate, VersionSource},
    webhook::{Provider, WebhookVerifyLayer},
};
use serde_json::Value;
use tower::ServiceExt as _;

use super::{ORIGIN, cors};

fn limit(key: Key, requests: u64) -> RateLimitLayer {
    let rule = Rule::new("few", key, Rate::per_hour(requests)).fixed_window();
    RateLimitLayer::builder(MemoryStore::new()).rule(rule).build().unwrap()
}

fn auth(issuer: &TestIssuer) -> AuthLayer {
    AuthLayer::builder().jwt(issuer.verifier()).build().unwrap()
}

fn issuer() -> TestIssuer {
    TestIssuer::new("https://issuer.test")
}

fn app(stack: Stack) -> Router {
    Router::new().route("/", get(|| async { "hello" }).merge(post(|body: String| async move { body }))).layer(stack)
}

/// From a page of the allowed origin.
fn ask(method: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri("/").header("origin", ORIGIN);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::from(body.to_owned())).unwrap()
}

async fn send(app: &Router, request: Request<Body>) -> Response {
    app.clone().oneshot(request).await.unwrap()
}

async fn status(app: &Router, method: &str, headers: &[(&str, &str)], body: &str) -> u16 {
    send(app, ask(method, headers, body)).await.status().as_u16()
}

fn bearer(issuer: &TestIssuer, scope: &str) -> String {
    format!("Bearer {}", issuer.token("usr_1").scopes([scope]).sign())
}

async fn records(stack: Stack, request: Request<Body>) -> Vec<Value> {
    let sink = Arc::new(MemorySink::new());
    let audit = AuditLayer::builder(Arc::clone(&sink)).build().unwrap();
    drop(send(&app(stack.audit(&audit)), request).await);
    audit.handle().shutdown().await;
    sink.records()
}

#[tokio::test]
async fn the_context_is_made_outside_of_audit() {
    let stack = Stack::new().trusted_proxies(TrustedProxies::cidrs(["10.0.0.0/8"]).unwrap());
    let mut request = ask("GET", &[("x-forwarded-for", "203.0.113.9")], "");
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 1))));
    let records = records(stack, request).await;
    // The proxy's word was known when the record was begun.
    assert!(records[0].to_string().contains("203.0.113"), "{records:?}");
}

#[tokio::test]
async fn what_is_allowed_of_the_whole_is_on_record() {
    let stack = Stack::new().without_timeout().allow_lint("no-timeout", "every route is a long poll");
    let lines = records(stack, ask("GET", &[], "")).await;
    let waiver = lines.iter().find(|line| line["kind"] == "waiver").unwrap();
    assert_eq!((&waiver["code"], &waiver["reason"]), (&"no-timeout".into(), &"every route is a long poll".into()));
}

#[tokio::test]
async fn audit_stands_outside_of_what_answers_preflights() {
    let stack = Stack::new().cors(&cors()).security_headers(&SecurityHeadersLayer::api());
    let records = records(stack, ask("OPTIONS", &[("access-control-request-method", "GET")], "")).await;
    assert_eq!((records.len(), &records[0]["status"]), (1, &Value::from(204)), "{records:?}");
}

#[tokio::test]
async fn security_headers_stand_outside_of_cors() {
    let app = app(Stack::new().cors(&cors()).security_headers(&SecurityHeadersLayer::api()));
    let preflight = send(&app, ask("OPTIONS", &[("access-control-request-method", "GET")], "")).await;
    assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
    assert_eq!(preflight.headers()["x-content-type-options"], "nosniff");
}

/// Who is kept out learns so, if he is a page; and nothing else about his request is looked at.
#[tokio::test]
async fn addresses_are_refused_inside_of_cors_and_outside_of_the_scheme() {
    let filter = IpFilterLayer::builder().deny(["198.51.100.0/24"]).build().unwrap();
    let stack = Stack::new().require_https(&RequireHttpsLayer::new()).ip_filter(&filter).cors(&cors());
    let app = app(stack.security_headers(&SecurityHeadersLayer::api()));
    let from = |ip: [u8; 4]| {
        let mut request = Request::get("http://api.example.com/").header("origin", ORIGIN).body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((ip, 1))));
        request
    };
    for (ip, error) in [([198, 51, 100, 7], "address_refused"), ([203, 0, 113, 9], "https_required")] {
        let refused = send(&app, from(ip)).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        assert_eq!(refused.headers()["access-control-allow-origin"], ORIGIN);
        let body = axum::body::to_bytes(refused.into_body(), 1 << 16).await.unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["error"], error);
    }
}

/// What comes over plain HTTP is refused, so that a page can read it, before anything else looks at it.
#[tokio::test]
async fn plain_text_is_refused_inside_of_cors_and_outside_of_the_limits() {
    let stack = Stack::new().body_limit(3).cors(&cors()).rate_limit_before_auth(&limit(Key::ip(), 1));
    let app = app(stack.require_https(&RequireHttpsLayer::new()));
    let over = |scheme: &str| {
        let request = Request::post(format!("{scheme}://api.example.com/")).header("origin", ORIGIN);
        request.header("content-length", "4").body(Body::from("long")).unwrap()
    };
    for _ in 0..3 {
        let refused = send(&app, over("http")).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        assert_eq!(refused.headers()["access-control-allow-origin"], ORIGIN);
    }
    assert_eq!(send(&app, over("https")).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

/// An old version costs the limit by address, and needs no credential.
#[tokio::test]
async fn a_version_that_has_ended_is_told_of_between_the_limit_and_the_credential() {
    let clock = ManualClock::at(UtcDate::new(2026, 1, 1).timestamp().unwrap());
    let old = SupportedVersion::new(ApiVersion::number(1)).deprecated(UtcDate::new(2025, 1, 1));
    let versions = [old.sunset(UtcDate::new(2025, 12, 1)), SupportedVersion::new(ApiVersion::number(2))];
    let versions = ApiVersionLayer::builder(versions).sources([VersionSource::header()]).build().unwrap();
    let stack = Stack::new().clock(clock).auth(&auth(&issuer())).api_version(&versions);
    let app = app(stack.rate_limit_before_auth(&limit(Key::ip(), 2)));
    assert_eq!(status(&app, "GET", &[("x-api-version", "2")], "").await, 401);
    assert_eq!(status(&app, "GET", &[("x-api-version", "1")], "").await, 410);
    assert_eq!(status(&app, "GET", &[("x-api-version", "1")], "").await, 429);
}

#[tokio::test]
async fn long_bodies_are_refused_before_they_cost_a_limit() {
    let app = app(Stack::new().body_limit(3).rate_limit_before_auth(&limit(Key::ip(), 1)));
    for _ in 0..3 {
        assert_eq!(status(&app, "POST", &[("content-length", "4")], "long").await, 413);
    }
    assert_eq!(status(&app, "POST", &[], "abc").await, 200);
    assert_eq!(status(&app, "POST", &[], "abc").await, 429);
}

#[tokio::test]
async fn guesses_are_limited_before_they_are_verified() {
    let app = app(Stack::new().auth(&auth(&issuer())).rate_limit_before_auth(&limit(Key::ip(), 1)));
    let guess = ("authorization", "Bearer a.b.c");
    assert_eq!(status(&app, "GET", &[guess], "").await, 401);
    assert_eq!(status(&app, "GET", &[guess], "").await, 429);
}

#[tokio::test]
async fn who_calls_is_known_before_clients_are_limited() {
    let issuer = issuer();
    let app = app(Stack::new().rate_limit(&limit(Key::client(), 1)).auth(&auth(&issuer)));
    assert_eq!(status(&app, "GET", &[], "").await, 401);
    assert_eq!(status(&app, "GET", &[], "").await, 401, "a stranger uses up nobody's limit");
    let good = bearer(&issuer, "read");
    assert_eq!(status(&app, "GET", &[("authorization", &good)], "").await, 200);
    assert_eq!(status(&app, "GET", &[("authorization", &good)], "").await, 429);
}

#[tokio::test]
async fn nobody_tries_out_without_limit_what_he_may_do() {
    let issuer = issuer();
    let stack = Stack::new().scope(&ScopeLayer::all(["write"]).unwrap()).auth(&auth(&issuer));
    let app = app(stack.rate_limit(&limit(Key::client(), 1)));
    let reader = bearer(&issuer, "read");
    assert_eq!(status(&app, "GET", &[("authorization", &reader)], "").await, 403);
    assert_eq!(status(&app, "GET", &[("authorization", &reader)], "").await, 429);
}

fn one_a_month() -> QuotaLayer {
    let plan = Plan::new("small").monthly(1);
    QuotaLayer::builder(MemoryStore::new()).plan(plan).default_plan("small").build().unwrap()
}

#[tokio::test]
async fn what_is_forbidden_costs_no_quota() {
    let issuer = issuer();
    let stack = Stack::new().quota(&one_a_month()).scope(&ScopeLayer::all(["write"]).unwrap());
    let app = app(stack.auth(&auth(&issuer)));
    let (reader, writer) = (bearer(&issuer, "read"), bearer(&issuer, "write"));
    for _ in 0..3 {
        assert_eq!(status(&app, "GET", &[("authorization", &reader)], "").await, 403);
    }
    assert_eq!(status(&app, "GET", &[("authorization", &writer)], "").await, 200);
    // The allowance is used up, and still the scope is asked first.
    assert_eq!(status(&app, "GET", &[("authorization", &reader)], "").await, 403);
    assert_eq!(status(&app, "GET", &[("authorization", &writer)], "").await, 402);
}

#[cfg(feature = "graphql")]
#[tokio::test]
async fn a_query_is_judged_for_those_who_may_ask_and_before_it_costs_quota() {
    let limits = portcullis::graphql::GraphQlLimitLayer::builder().max_depth(1).build().unwrap();
    let issuer = issuer();
    let stack = Stack::new().graphql_limit(&limits).quota(&one_a_month()).scope(&ScopeLayer::all(["write"]).unwrap());
    let app = app(stack.auth(&auth(&issuer)));
    let (reader, writer) = (bearer(&issuer, "read"), bearer(&issuer, "write"));
    let json = ("content-type", "application/json");
    let (deep, flat) = (r#"{"query":"{ a { b { c } } }"}"#, r#"{"query":"{ a }"}"#);
    assert_eq!(status(&app, "POST", &[json, ("authorization", &reader)], deep).await, 403);
    for _ in 0..2 {
        assert_eq!(status(&app, "POST", &[json, ("authorization", &writer)], deep).await, 422);
    }
    assert_eq!(status(&app, "POST", &[json, ("authorization", &writer)], flat).await, 200);
    assert_eq!(status(&app, "POST", &[json, ("authorization", &writer)], flat).await, 402);
}

#[tokio::test]
async fn the_quota_is_asked_before_a_body_is_read() {
    let secret = Secret::new("whsec_of_the_tests_that_is_long_enough");
    let hook = WebhookVerifyLayer::builder(Provider::github(), secret, MemoryStore::new()).build().unwrap();
    let app = app(Stack::new().webhook(&hook).quota(&one_a_month()));
    // Refused further inside, so it is given back.
    let unsigned = status(&app, "POST", &[], "{}").await;
    assert!((400..=401).contains(&unsigned), "{unsigned}");
    let spent = self::app(Stack::new().webhook(&hook).quota(&spent().await));
    assert_eq!(status(&spent, "POST", &[], "{}").await, 402);
}

#[tokio::test]
async fn the_quota_is_asked_before_a_body_is_judged_and_the_body_before_its_signature() {
    let validation = RequestValidationLayer::builder().build().unwrap();
    let text = ("content-type", "text/plain");
    let judged = app(Stack::new().validation(&validation).quota(&spent().await));
    assert_eq!(status(&judged, "POST", &[text], "not JSON").await, 402);
    let secret = Secret::new("whsec_of_the_tests_that_is_long_enough");
    let hook = WebhookVerifyLayer::builder(Provider::github(), secret, MemoryStore::new()).build().unwrap();
    let signed = app(Stack::new().webhook(&hook).validation(&validation));
    assert_eq!(status(&signed, "POST", &[text], "not JSON").await, 415);
}

/// A quota of which the one request is used up.
async fn spent() -> QuotaLayer {
    let quota = one_a_month();
    assert_eq!(status(&app(Stack::new().quota(&quota)), "GET", &[], "").await, 200);
    quota
}

const MIB: usize = 1024 * 1024;

/// How long a body may be, the rules of the validation say, unless somebody says less for all of them.
#[tokio::test]
async fn the_body_limit_leaves_the_validation_its_say() {
    let rule = |most| portcullis::validate::Rule::opaque("text/plain").max_body(most);
    let validation = |most| RequestValidationLayer::builder().default_rule(rule(most)).build().unwrap();
    let below = |stack: &Stack| stack.lint().with_code("body-limit-below-validation").count();
    for (limit, longest, passes, refused, found) in [
        (None, 3 * MIB / 2, 3 * MIB / 2, 3 * MIB / 2 + 1, 0),
        (None, 1_000, 1_000, 1_001, 0),
        (Some(2_000), 1_000, 1_000, 1_001, 0),
        (Some(2_000), 2_001, 2_000, 2_001, 1),
    ] {
        let stack = Stack::new().validation(&validation(longest));
        let stack = if let Some(limit) = limit { stack.body_limit(limit) } else { stack };
        assert_eq!(below(&stack), found, "{limit:?} {longest}");
        let app = app(stack);
        let text = [("content-type", "text/plain")];
        assert_eq!(status(&app, "POST", &text, &"a".repeat(passes)).await, 200, "{limit:?} {longest}");
        assert_eq!(status(&app, "POST", &text, &"a".repeat(refused)).await, 413, "{limit:?} {longest}");
    }
    // Without a validation.
    assert_eq!(status(&app(Stack::new()), "POST", &[], &"a".repeat(MIB + 1)).await, 413);
}
