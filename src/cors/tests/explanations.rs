//! What a policy says of itself.

use super::*;
use crate::cors::Outcome;

fn explained(policy: &CorsPolicy, method: &str, headers: &[(&str, &[u8])]) -> (Outcome, String) {
    let mut request = Request::builder().method(method).uri("/").body(()).unwrap();
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
    }
    let explanation = policy.explain(&request);
    (explanation.outcome(), explanation.to_string())
}

fn policy() -> CorsPolicy {
    CorsPolicy::builder()
        .allow_origins([APP, "https://*.example.org", "https://deep.example.net:8443"])
        .methods(["GET", "PATCH"])
        .request_headers(["authorization"])
        .build()
        .unwrap()
}

/// Method, header lines, what comes of it, what is said.
type Case<'a> = (&'a str, &'a [(&'a str, &'a [u8])], Outcome, &'a str);

#[test]
fn each_rule_says_why() {
    use Outcome::{PreflightAllowed, PreflightRefused, Readable, Unreadable};

    let method = |method: &'static [u8]| ("access-control-request-method", method);
    let asked = |names: &'static [u8]| ("access-control-request-headers", names);
    let origin = |origin: &'static [u8]| ("origin", origin);
    let commas = b",".repeat(60_000);
    let cases: &[Case<'_>] = &[
        ("GET", &[ORIGIN], Readable, "may not be sent"),
        ("GET", &[origin(b"https://a.example.org")], Readable, "is allowed by https://*.example.org"),
        ("GET", &[], Unreadable, "there is none"),
        ("GET", &[ORIGIN, ORIGIN], Unreadable, "there are several"),
        ("OPTIONS", &[ORIGIN], Readable, "it is none, so the handler is called"),
        ("GET", &[origin(b"https://evil.example")], Unreadable, "\"https://evil.example\" is not allowed\n"),
        ("GET", &[origin(b"https://example.org")], Unreadable, "which stands for its subdomains only"),
        ("GET", &[origin(b"http://a.example.org")], Unreadable, "which differs by its scheme"),
        ("GET", &[origin(b"https://deep.example.net")], Unreadable, "which differs by its port"),
        ("GET", &[origin(b"https://app.example.com/")], Unreadable, "has a trailing slash"),
        ("GET", &[origin(b"null")], Unreadable, "sandboxed frame"),
        ("GET", &[origin(b"\xff\"\n".get(..2).unwrap())], Unreadable, "\\\""),
        ("OPTIONS", &[ORIGIN, method(b"PATCH"), asked(b"Authorization")], PreflightAllowed, "all that are asked for"),
        ("OPTIONS", &[ORIGIN, method(b"PATCH")], PreflightAllowed, "none is asked for"),
        ("OPTIONS", &[ORIGIN, method(b"patch")], PreflightRefused, "methods are case-sensitive"),
        ("OPTIONS", &[ORIGIN, method(b"PUT")], PreflightRefused, "\"PUT\" is not allowed\n"),
        ("OPTIONS", &[ORIGIN, method(b"GET"), asked(b"authorization,x-other")], PreflightRefused, "\"x-other\" is not"),
        (
            "OPTIONS",
            &[ORIGIN, method(b"GET"), ("access-control-request-headers", &commas[..])],
            PreflightRefused,
            "it was not read",
        ),
    ];
    for (verb, headers, outcome, part) in cases {
        let (found, text) = explained(&policy(), verb, headers);
        assert_eq!(found, *outcome, "{text}");
        assert!(text.contains(part), "{text}\n{part}");
    }
    let everybody = CorsPolicy::builder().allow_any_origin().build().unwrap();
    assert_eq!(explained(&everybody, "GET", &[]).0, Readable);
}

#[tokio::test]
async fn it_says_what_the_layer_does() {
    let origins = [APP, "https://a.example.org", "https://example.org", "null", "https://evil.example"];
    for origin in origins {
        for method in ["GET", "PATCH", "PUT", "patch"] {
            for names in ["", "authorization", "x-other"] {
                let headers = [
                    ("origin", origin.as_bytes()),
                    ("access-control-request-method", method.as_bytes()),
                    ("access-control-request-headers", names.as_bytes()),
                ];
                let response = send(CorsSecurityLayer::new(policy()), "OPTIONS", "/", &headers).await;
                let allowed = response.headers().contains_key("access-control-allow-origin");
                let (outcome, text) = explained(&policy(), "OPTIONS", &headers);
                assert_eq!(outcome == Outcome::PreflightAllowed, allowed, "{text}");
            }
        }
        let headers = [("origin", origin.as_bytes())];
        let response = send(CorsSecurityLayer::new(policy()), "GET", "/", &headers).await;
        let readable = response.headers().contains_key("access-control-allow-origin");
        assert_eq!(explained(&policy(), "GET", &headers).0 == Outcome::Readable, readable);
    }
}

#[test]
fn it_serialises() {
    let mut request = Request::new(());
    request.headers_mut().insert("origin", HeaderValue::from_static(APP));
    let json = serde_json::to_value(policy().explain(&request)).unwrap();
    assert_eq!(json["outcome"], "readable");
    assert_eq!(json["steps"][1]["rule"], "origin");
    assert_eq!(json["steps"][1]["passed"], true);
}

/// Chromium looks at the origin first, then at the method, then at the headers, and its console names
/// the first that fails: each must fail by itself.
#[tokio::test]
async fn a_failing_preflight_tells_the_browser_what_to_say() {
    let explaining = || builder().explain_failures().refused_preflight(RefusedPreflight::Forbidden).build().unwrap();
    let refused = |response: &Response| cors_headers(response.headers()).is_empty();

    let response = send(explaining(), "OPTIONS", "/", &[("origin", b"https://evil.example"), PUT]).await;
    assert!(refused(&response), "strangers learn nothing");

    let patch = ("access-control-request-method", &b"PATCH"[..]);
    let response = send(explaining(), "OPTIONS", "/", &[ORIGIN, patch]).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT, "a browser reads nothing from a 403");
    assert_eq!(response.headers()["access-control-allow-origin"], APP);
    assert_eq!(response.headers()["access-control-allow-credentials"], "true");
    assert_eq!(response.headers()["access-control-allow-methods"], "GET, PUT, DELETE");
    assert!(!response.headers().contains_key("access-control-max-age"));

    let other = ("access-control-request-headers", &b"authorization,x-other"[..]);
    let response = send(explaining(), "OPTIONS", "/", &[ORIGIN, PUT, other]).await;
    assert_eq!(response.headers()["access-control-allow-methods"], "PUT");
    assert_eq!(response.headers()["access-control-allow-headers"], "authorization, content-type, x-api-key");

    assert!(refused(&ask("OPTIONS", "/", &[ORIGIN, patch]).await), "only where it is asked for");
}
