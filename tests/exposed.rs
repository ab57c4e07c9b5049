//! Pages can read everything that a stack writes for them: the list that `CorsSecurityLayer` exposes
//! is what the gates declare, and nothing is written that is neither declared nor a browser's own business.

#![cfg(feature = "aws-lc")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use axum::{Router, body::Body, response::Response, routing::get};
use http::{HeaderValue, Request, header};
use portcullis::{
    audit::{AuditLayer, MemorySink},
    auth::{AuthLayer, jwt::JwtVerifier},
    authz::ScopeLayer,
    backend::memory::MemoryStore,
    cors::CorsSecurityLayer,
    gate::{Entry, Gate, GateLayer, Leave},
    headers::SecurityHeadersLayer,
    quota::{Plan, QuotaLayer},
    rate_limit::{HeaderDialect, Key, Rate, RateLimitHeaders, RateLimitLayer, Rule},
    request::RequestContext,
    stack::Stack,
    testing::TestIssuer,
};
use tower::{ServiceBuilder, ServiceExt as _};

const ORIGIN: &str = "https://app.example.com";

/// What pages are shown anyway (Fetch, "CORS-safelisted response-header name").
const SAFELISTED: [&str; 7] =
    ["cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma"];

/// What a browser acts upon itself, so that no page needs it.
const FOR_THE_BROWSER: [&str; 15] = [
    "access-control-allow-credentials",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "connection",
    "content-security-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "origin-agent-cluster",
    "permissions-policy",
    "referrer-policy",
    "strict-transport-security",
    "vary",
    "x-content-type-options",
    "x-frame-options",
    "x-xss-protection",
];

/// Names in the sources that no response to a page has: requests have them, or responses to machines.
const ELSEWHERE: [&str; 41] = [
    "*",
    "access-control-allow-private-network",
    "access-control-request-private-network",
    "client-cert",
    "client-cert-chain",
    "content-digest",
    "dpop",
    "forwarded",
    "repr-digest",
    "signature",
    "signature-input",
    "stripe-signature",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-api-key",
    "x-auth-request-email",
    "x-cost",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-github-delivery",
    "x-github-event",
    "x-hub-signature-256",
    "x-items",
    "x-powered-by",
    "x-real-ip",
    "x-shopify-hmac-sha256",
    "x-shopify-topic",
    "x-shopify-webhook-id",
    "x-slack-request-timestamp",
    "x-slack-signature",
    "x-tenant",
    "x-user-id",
    "x-user-scopes",
    "x-user-signature",
    "x-user-tier",
    "x-webhook-duplicate",
    "x-webhook-id",
    "x-webhook-signature",
    "x-webhook-timestamp",
];

fn cors() -> CorsSecurityLayer {
    CorsSecurityLayer::builder().allow_origin(ORIGIN).build().unwrap()
}

fn exposed(response: &Response) -> BTreeSet<String> {
    let list = response.headers()[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();
    list.split(", ").map(str::to_owned).collect()
}

fn stack(issuer: JwtVerifier, headers: RateLimitHeaders, per_minute: u64) -> Stack {
    let store = MemoryStore::new();
    let rates = |name: &'static str, key| {
        let rule = Rule::new(name, key, Rate::per_minute(per_minute));
        RateLimitLayer::builder(store.clone()).rule(rule).headers(headers).build().unwrap()
    };
    let quota = QuotaLayer::builder(store.clone()).plan(Plan::new("pro").monthly(3)).default_plan("pro");
    Stack::new()
        .audit(&AuditLayer::builder(MemorySink::new()).build().unwrap())
        .security_headers(&SecurityHeadersLayer::builder().assume_https().build().unwrap())
        .cors(&cors())
        .body_limit(10)
        .timeout(Duration::from_millis(50))
        .rate_limit_before_auth(&rates("address", Key::ip()))
        .auth(&AuthLayer::builder().jwt(issuer).build().unwrap())
        .rate_limit(&rates("client", Key::client()))
        .scope(&ScopeLayer::all(["read:orders"]).unwrap())
        .quota(&quota.build().unwrap())
}

#[tokio::test]
async fn every_header_of_a_whole_stack_can_be_read() {
    let issuer = TestIssuer::new("https://issuer.test");
    let mut seen = BTreeSet::new();
    let dialects = [HeaderDialect::Draft11, HeaderDialect::Draft07, HeaderDialect::Draft06];
    for headers in dialects.map(|dialect| RateLimitHeaders::both().dialect(dialect).legacy_policy()) {
        for (per_minute, statuses) in [(100, &[200, 401, 402, 403, 404, 405, 413, 500, 504][..]), (1, &[200, 429])] {
            let routes = Router::new()
                .route("/", get(|| async { "ok" }).post(|body: String| async move { body }))
                .route("/slow", get(std::future::pending::<()>))
                .route("/panic", get(async || -> &'static str { panic!("always") }));
            let app = routes.layer(stack(issuer.verifier(), headers, per_minute));
            // Method, path, whose token with which scope, body. Four of the first, of whom three are within the plan.
            let calls = [
                ("GET", "/", Some(("usr_1", "read:orders")), ""),
                ("GET", "/", Some(("usr_1", "read:orders")), ""),
                ("GET", "/", Some(("usr_1", "read:orders")), ""),
                ("GET", "/", Some(("usr_1", "read:orders")), ""),
                ("GET", "/", Some(("usr_2", "read:else")), ""),
                ("GET", "/", None, ""),
                ("GET", "/nowhere", Some(("usr_3", "read:orders")), ""),
                ("PUT", "/", Some(("usr_4", "read:orders")), ""),
                ("POST", "/", Some(("usr_5", "read:orders")), "much too long"),
                ("GET", "/slow", Some(("usr_6", "read:orders")), ""),
                ("GET", "/panic", Some(("usr_7", "read:orders")), ""),
            ];
            let mut found = BTreeSet::new();
            for (method, path, token, body) in calls {
                let mut request = Request::builder().method(method).uri(path).header("origin", ORIGIN);
                if let Some((subject, scope)) = token {
                    let token = issuer.token(subject).scopes([scope]).sign();
                    request = request.header("authorization", format!("Bearer {token}"));
                }
                let response = app.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
                found.insert(response.status().as_u16());
                let exposed = exposed(&response);
                for name in response.headers().keys().map(http::HeaderName::as_str) {
                    let known = SAFELISTED.contains(&name) || FOR_THE_BROWSER.contains(&name);
                    assert!(known || exposed.contains(name), "{name} of {method} {path} is hidden from pages");
                    seen.insert(name.to_owned());
                }
            }
            assert!(statuses.iter().all(|status| found.contains(status)), "{found:?}");
        }
    }
    for name in [
        "retry-after",
        "www-authenticate",
        "allow",
        "x-request-id",
        "ratelimit",
        "ratelimit-limit",
        "ratelimit-policy",
        "x-ratelimit-policy",
        "x-ratelimit-reset",
        "x-quota-used",
    ] {
        assert!(seen.contains(name), "{name} was never written: {seen:?}");
    }
}

#[tokio::test]
async fn every_name_in_the_sources_is_accounted_for() {
    let request = Request::get("/").header("origin", ORIGIN).body(Body::empty()).unwrap();
    let exposed = exposed(&Router::new().layer(cors()).oneshot(request).await.unwrap());
    let mut unknown = Vec::new();
    for name in names(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let name = name.as_str();
        if !exposed.contains(name) && !FOR_THE_BROWSER.contains(&name) && !ELSEWHERE.contains(&name) {
            unknown.push(name.to_owned());
        }
    }
    assert!(
        unknown.is_empty(),
        "{unknown:?}: a header that pages are to read belongs into src/gate/emitted.rs, and into its gate's EMITS; \
         others into one of the tables here"
    );
    assert!(FOR_THE_BROWSER.iter().chain(&ELSEWHERE).chain(&SAFELISTED).all(|name| !exposed.contains(*name)));
}

/// What `HeaderName::from_static` is given outside tests and comments.
fn names(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "tests") {
                found.append(&mut names(&path));
            }
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            let source = fs::read_to_string(&path).unwrap();
            let lines = source.lines().take_while(|line| *line != "#[cfg(test)]");
            for line in lines.filter(|line| !line.trim_start().starts_with("//")) {
                for rest in line.split("HeaderName::from_static(\"").skip(1) {
                    found.insert(rest.split('"').next().unwrap().to_owned());
                }
            }
        }
    }
    found
}

/// A gate of an application's own declares what it writes, too.
#[tokio::test]
async fn a_gate_of_ones_own_is_exposed_by_what_it_declares() {
    struct Shard;
    impl<B> Gate<B> for Shard {
        const NAME: &'static str = "shard";
        const EMITS: &'static [&'static str] = &["x-shard"];
        type Pass = ();

        fn enter(self: &std::sync::Arc<Self>, _: &mut Request<B>, _: &std::sync::Arc<RequestContext>) -> Entry<B, ()> {
            Entry::Pass(())
        }

        fn leave(
            self: &std::sync::Arc<Self>,
            (): (),
            response: &mut Response,
            _: &std::sync::Arc<RequestContext>,
        ) -> Leave {
            response.headers_mut().insert("x-shard", HeaderValue::from_static("7"));
            Leave::Done
        }
    }

    let cors = CorsSecurityLayer::builder().allow_origin(ORIGIN).expose(<Shard as Gate<Body>>::EMITS).build().unwrap();
    let app = Router::new().layer(ServiceBuilder::new().layer(cors).layer(GateLayer::new(Shard)));
    let request = Request::get("/").header("origin", ORIGIN).body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert!(response.headers().contains_key("x-shard") && exposed(&response).contains("x-shard"));
}
