//! The presets, as the page says them and as the Observatory grades them; the seeds' lists, literally.

use super::*;
use crate::{
    lint::{Report, Severity},
    observatory,
    request::Scheme,
    time::{ManualClock, Timestamp},
};

const YEAR: (&str, &str) = ("strict-transport-security", "max-age=31536000; includeSubDomains");
const NOSNIFF: (&str, &str) = ("x-content-type-options", "nosniff");
const FEATURES: (&str, &str) = ("permissions-policy", "geolocation=(), camera=(), microphone=(), payment=()");

/// What the layer has put on a bare response, but for the request's id.
async fn all(layer: &SecurityHeadersLayer, uri: &str) -> Vec<(String, String)> {
    let request = Request::get(uri).body(Body::empty()).unwrap();
    let app = Router::new().fallback(|| async {}).layer(layer.clone());
    let response = app.oneshot(request).await.unwrap();
    let mut headers: Vec<_> = response
        .headers()
        .iter()
        .filter(|(name, _)| !["content-length", "content-type", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    headers
}

fn sorted(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut wanted: Vec<_> = wanted.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    wanted.sort();
    wanted
}

fn codes(report: &Report) -> Vec<&str> {
    report.issues().iter().map(|issue| issue.code).collect()
}

#[tokio::test]
async fn the_presets_are_the_documented_tables() {
    let api = [
        YEAR,
        NOSNIFF,
        FEATURES,
        ("x-frame-options", "DENY"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("cross-origin-resource-policy", "same-origin"),
    ];
    assert_eq!(all(&SecurityHeadersLayer::api(), "https://a.example/").await, sorted(&api));
    let html = [
        YEAR,
        NOSNIFF,
        FEATURES,
        ("x-frame-options", "SAMEORIGIN"),
        (
            "content-security-policy",
            "default-src 'self'; base-uri 'self'; font-src 'self' https: data:; form-action 'self'; \
             frame-ancestors 'self'; img-src 'self' data:; object-src 'none'; script-src 'self'; \
             script-src-attr 'none'; style-src 'self' https: 'unsafe-inline'; upgrade-insecure-requests",
        ),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("origin-agent-cluster", "?1"),
        ("x-xss-protection", "0"),
    ];
    assert_eq!(all(&SecurityHeadersLayer::html(), "https://a.example/").await, sorted(&html));
    let docs = all(&SecurityHeadersLayer::docs(), "https://a.example/").await;
    let policy = docs.iter().find(|(name, _)| name == "content-security-policy").unwrap().1.clone();
    let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap().to_owned();
    assert_eq!(
        policy.replace(&nonce, "N"),
        "default-src 'self'; script-src 'self' 'nonce-N'; style-src 'self' 'unsafe-inline'; object-src 'none'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    assert_eq!(docs.len(), 9, "{docs:?}");
}

/// No preset has a mistake, and none a finding.
#[tokio::test]
async fn the_presets_are_beyond_reproach() {
    for (layer, score) in
        [(SecurityHeadersLayer::api(), 130), (SecurityHeadersLayer::docs(), 120), (SecurityHeadersLayer::html(), 120)]
    {
        assert_eq!(codes(layer.report()), [""; 0]);
        let request = Request::get("https://a.example/").body(Body::empty()).unwrap();
        let response = Router::new().layer(layer).oneshot(request).await.unwrap();
        let graded = observatory::score(response.headers(), Scheme::Https);
        assert_eq!((graded.score, graded.grade), (score, "A+"), "{graded}");
    }
}

/// The seed's version is a constant, and its promised `X-Response-Time` is never set.
#[tokio::test]
async fn seed_bug_7_version_constant_and_response_time_never_set() {
    let clock = ManualClock::at(Timestamp::from_secs(1_700_000_000));
    let app = |layer: SecurityHeadersLayer| {
        let (slow, context) = (clock.clone(), RequestContextLayer::new().clock(clock.clone()));
        let handler = move || async move {
            slow.advance(Duration::from_micros(45_900));
            [("x-api-version", "2024-06-01"), ("server-timing", "db;dur=3")]
        };
        Router::new().route("/", get(handler)).layer(ServiceBuilder::new().layer(context).layer(layer))
    };
    let ask = |layer| {
        let app = app(layer);
        async move { app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap() }
    };
    let builder = || SecurityHeadersLayer::builder().api_version("2025-01-01");
    let response = ask(builder().response_time().build().unwrap()).await;
    assert_eq!(response.headers()["x-response-time"], "45ms");
    assert_eq!(response.headers()["x-api-version"], "2024-06-01", "the version that was served");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert!(response.headers()["x-request-id"].to_str().unwrap().starts_with("req_"));
    let response = ask(builder().server_timing().build().unwrap()).await;
    let timings: Vec<_> = response.headers().get_all("server-timing").iter().collect();
    assert_eq!(timings, ["db;dur=3", "total;dur=45.900"]);
    let response = ask(builder().build().unwrap()).await;
    assert!(!response.headers().contains_key("x-response-time"), "only if asked for");
}

#[tokio::test]
async fn seed_bug_8_preload_by_default_and_hsts_over_plain_http() {
    assert!(all(&SecurityHeadersLayer::api(), "https://a.example/").await.contains(&sorted(&[YEAR])[0]));
    let seed = SecurityHeadersLayer::seed().build().unwrap();
    let found: Vec<_> = seed.report().with_code("hsts-preload").map(|issue| issue.severity).collect();
    assert_eq!(found, [Severity::Info, Severity::Info]);
    let plain = all(&seed, "http://a.example/").await;
    assert!(!plain.iter().any(|(name, _)| name == "strict-transport-security"));
    // What the preload list would refuse is no configuration.
    for hsts in
        [Hsts::max_age(Duration::from_secs(31_536_000)), Hsts::max_age(Duration::from_secs(60)).include_subdomains()]
    {
        assert!(SecurityHeadersLayer::builder().strict_transport_security(hsts.preload()).build().is_err());
    }
}

#[tokio::test]
async fn seed_bug_9_docs_policy_with_unsafe_inline() {
    let seed = SecurityHeadersLayer::with(SecurityHeaders::seed_docs()).build().unwrap();
    let report = seed.report();
    for code in ["csp-script-unsafe-inline", "csp-base-uri-missing", "csp-form-action-missing"] {
        assert_eq!(report.with_code(code).count(), 1, "{code}: {report}");
    }
    let graded = |policy: &str| {
        let headers = HeaderMap::from_iter([(header::CONTENT_SECURITY_POLICY, policy.parse().unwrap())]);
        observatory::score(&headers, Scheme::Https).test("content-security-policy").unwrap().modifier
    };
    let policy = |layer: SecurityHeadersLayer| async move {
        let all = all(&layer, "https://a.example/").await;
        all.into_iter().find(|(name, _)| name == "content-security-policy").unwrap().1
    };
    assert_eq!(graded(&policy(seed).await), -20);
    assert_eq!(graded(&policy(SecurityHeadersLayer::docs()).await), 0);
}

#[tokio::test]
async fn seed_bug_14_xss_protection_on() {
    let names = |layer: SecurityHeadersLayer| async move {
        let all = all(&layer, "https://a.example/").await;
        all.into_iter().find(|(name, _)| name == "x-xss-protection").map(|(_, value)| value)
    };
    assert_eq!(names(SecurityHeadersLayer::api()).await, None);
    assert_eq!(names(SecurityHeadersLayer::html()).await.as_deref(), Some("0"));
    let legacy = SecurityHeadersLayer::builder().legacy_xss_protection().build().unwrap();
    assert_eq!(codes(legacy.report()), ["legacy-xss-protection"]);
    assert_eq!(names(legacy).await.as_deref(), Some("1; mode=block"));
    assert!(SecurityHeadersLayer::builder().header("X-XSS-Protection", "1").build().is_err(), "not by the back door");
}

/// A space before the colon, and `default-src 'self'` where `'none'` is meant.
#[tokio::test]
async fn seed_bug_15_space_in_header_name_and_weak_policy() {
    let error = SecurityHeadersLayer::builder().header("X-Frame-Options ", "DENY").build().unwrap_err();
    assert_eq!(error.issues()[0].reason, "is not a header name");
    let best = SecurityHeadersLayer::with(SecurityHeaders::seed_best_practices()).build().unwrap();
    let report = best.report();
    assert_eq!(codes(report), ["csp-base-uri-missing", "legacy-xss-protection", "csp-form-action-missing"]);
    let wanted = [
        YEAR,
        NOSNIFF,
        ("x-frame-options", "DENY"),
        ("x-xss-protection", "1; mode=block"),
        ("content-security-policy", "default-src 'self'"),
        ("referrer-policy", "no-referrer"),
    ];
    assert_eq!(all(&best, "https://a.example/").await, sorted(&wanted));
}

/// The workflow's stage 3, header by header.
#[tokio::test]
async fn the_seeds_lists_are_reproduced_literally() {
    let base = [
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        NOSNIFF,
        FEATURES,
        ("x-frame-options", "DENY"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("x-api-version", "2025-01-01"),
    ];
    let policy = (
        "content-security-policy",
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'",
    );
    let layer = SecurityHeadersLayer::with(SecurityHeaders::seed())
        .for_paths("/docs", SecurityHeaders::seed_docs())
        .build()
        .unwrap();
    assert_eq!(all(&layer, "https://a.example/orders").await, sorted(&base));
    assert_eq!(all(&layer, "https://a.example/docs/orders").await, sorted(&[&base[..], &[policy]].concat()));
    let all_together = SecurityHeadersLayer::seed().build().unwrap();
    for code in ["csp-script-unsafe-inline", "legacy-xss-protection", "hsts-preload"] {
        assert!(all_together.report().with_code(code).count() > 0, "{code}");
    }
    let names: Vec<_> = all(&all_together, "https://a.example/").await.into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"x-response-time".to_owned()) && names.contains(&"x-xss-protection".to_owned()));
}
