//! What the documents that this crate implements get wrong, by their numbers in the project's notes.

use serde_json::json;

use super::*;
use crate::cors::validate_configuration;

/// The seeds' own policy: three origins, credentials, five methods, four headers, a day.
fn seed() -> CorsSecurityLayer {
    CorsSecurityLayer::builder()
        .allow_origins([APP, "https://admin.example.com", "https://partner.example.com"])
        .allow_credentials()
        .methods(["GET", "POST", "PUT", "DELETE", "PATCH"])
        .request_headers(["Content-Type", "Authorization", "X-API-Key", "X-Request-ID"])
        .max_age(Duration::from_secs(86_400))
        .expose(["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-Request-ID"])
        .build()
        .unwrap()
}

#[tokio::test]
async fn the_seeds_policy_works_as_it_is_written() {
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
        let asked = [
            ORIGIN,
            ("access-control-request-method", method.as_bytes()),
            ("access-control-request-headers", b"authorization,content-type,x-api-key,x-request-id"),
        ];
        let response = send(seed(), "OPTIONS", "/", &asked).await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        assert_eq!(response.headers()["access-control-allow-methods"], method);
        assert_eq!(response.headers()["access-control-max-age"], "86400");
        assert_eq!(response.headers()["access-control-allow-credentials"], "true");
    }
    let codes: Vec<_> = seed().report().issues().iter().map(|issue| issue.code.to_owned()).collect();
    assert_eq!(codes, ["max-age-capped", "credentials-not-needed-for-bearer"]);
}

#[tokio::test]
async fn seed_bug_2_the_headers_of_limits_and_ids_are_exposed() {
    let response = send(seed(), "GET", "/429", &[ORIGIN]).await;
    let exposed = response.headers()["access-control-expose-headers"].to_str().unwrap();
    for name in ["retry-after", "x-ratelimit-reset", "x-request-id", "x-ratelimit-limit", "ratelimit"] {
        assert!(exposed.split(", ").any(|held| held == name), "{name} in {exposed}");
    }
    // And a configuration that hides them is found out.
    let report = validate_configuration(&json!({ "origins": [APP], "exposed_headers": ["X-RateLimit-Limit"] }));
    assert_eq!(report.with_code("rate-limit-headers-not-exposed").count(), 1);
}

#[tokio::test]
async fn seed_bug_10_no_vary_origin() {
    let cases: [&[(&str, &[u8])]; 3] = [&[], &[ORIGIN], &[("origin", b"https://evil.example")]];
    for headers in cases {
        for path in ["/", "/429", "/nowhere"] {
            let response = send(seed(), "GET", path, headers).await;
            assert_eq!(all_of(response.headers(), "vary"), ["Origin"], "{path} {headers:?}");
        }
    }
    let one = CorsSecurityLayer::builder().allow_origin(APP).build().unwrap();
    assert_eq!(all_of(send(one, "GET", "/", &[]).await.headers(), "vary"), ["Origin"]);
}

#[tokio::test]
async fn seed_bug_10_every_options_is_a_preflight() {
    assert_eq!(send(seed(), "OPTIONS", "/options", &[]).await.status(), StatusCode::OK);
    assert_eq!(send(seed(), "OPTIONS", "/options", &[ORIGIN]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn seed_bug_10_refused_origins_learn_what_is_allowed() {
    let response = send(seed(), "OPTIONS", "/", &[("origin", b"https://evil.example"), PUT]).await;
    assert_eq!(cors_headers(response.headers()), [""; 0]);
}

#[tokio::test]
async fn seed_bug_10_expose_headers_on_the_preflight_and_not_on_the_error() {
    let response = send(seed(), "OPTIONS", "/", &[ORIGIN, PUT]).await;
    assert!(!response.headers().contains_key("access-control-expose-headers"));
    let response = send(seed(), "GET", "/401", &[ORIGIN]).await;
    assert!(response.headers().contains_key("access-control-expose-headers"));
}

#[test]
fn seed_bug_11_wildcards_and_null_within_a_list() {
    let report = |configuration: serde_json::Value| {
        let report = validate_configuration(&configuration);
        report.issues().iter().map(|issue| issue.code).collect::<Vec<_>>()
    };
    let critical = "wildcard-origin-with-credentials";
    assert_eq!(report(json!({ "allowOrigin": "*", "allowCredentials": true })), [critical]);
    assert_eq!(report(json!({ "allowOrigin": ["*"], "allowCredentials": true })), [critical]);
    assert_eq!(report(json!({ "allowOrigin": [APP, "*"], "allowCredentials": "true" })), [critical]);
    assert_eq!(report(json!({ "allowOrigin": [APP, "null"] })), ["null-origin"]);
    assert_eq!(report(json!({ "allowOrigin": [APP, null] })), ["null-origin"]);
}

#[test]
fn seed_bug_11_absent_methods_and_an_empty_allow_list() {
    assert!(validate_configuration(&json!({})).is_empty());
    assert!(validate_configuration(&json!({ "allowOrigin": APP })).is_empty());
    for list in [json!(null), json!([]), json!([""]), json!("*")] {
        let report = validate_configuration(&json!({ "reflectOrigin": true, "originWhitelist": list }));
        assert_eq!(report.with_code("origin-reflection").count(), 1, "{list} {report}");
    }
    assert!(validate_configuration(&json!({ "reflectOrigin": true, "originWhitelist": [APP] })).is_empty());
    let slip = validate_configuration(&json!({ "reflectOrigin": true, "originWhitelist": ["https://a.example/"] }));
    assert_eq!(slip.with_code("unacceptable-origin").count(), 1);
}

#[test]
fn seed_bug_11_what_it_never_looked_at() {
    let report = validate_configuration(&json!({
        "allowOrigin": ["http://intranet.example", "https://app.example.com/", ".example.com", "https://*.github.io"],
        "allowCredentials": true,
        "allowHeaders": "*",
        "exposeHeaders": ["*"],
        "maxAge": 999_999_999,
    }));
    for (code, times) in [
        ("insecure-origin-with-credentials", 1),
        ("unacceptable-origin", 2),
        ("public-suffix", 1),
        ("wildcard-headers", 1),
        ("wildcard-expose-with-credentials", 1),
        ("max-age-capped", 1),
    ] {
        assert_eq!(report.with_code(code).count(), times, "{code}: {report}");
    }
}

/// A browser enforces CORS for credentials only as the seed says; the anonymous read of a public
/// resource works, and says nothing of the origin to caches.
#[tokio::test]
async fn seed_bug_13_the_anonymous_read_works_and_varies_only_where_it_must() {
    let public = CorsSecurityLayer::builder().allow_any_origin().build().unwrap();
    let response = send(public, "GET", "/", &[("origin", b"https://anybody.example")]).await;
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert!(!response.headers().contains_key("vary"));
    let response = send(seed(), "GET", "/", &[("origin", b"https://anybody.example")]).await;
    assert_eq!(all_of(response.headers(), "vary"), ["Origin"]);
}
