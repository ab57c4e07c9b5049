//! Wildcards in the layer.

use super::*;
use crate::cors::origin;

#[tokio::test]
async fn subdomains_and_ports_are_answered_with_the_origin_itself() {
    let cors = CorsSecurityLayer::builder()
        .allow_origins([origin!("https://*.example.com"), origin!("http://localhost:*")])
        .methods(["PUT"])
        .build()
        .unwrap();
    for origin in ["https://app.example.com", "https://a.b.example.com", "http://localhost:5173", "http://localhost"] {
        let origin_header = ("origin", origin.as_bytes());
        let response = send(cors.clone(), "GET", "/401", &[origin_header]).await;
        assert_eq!(response.headers()["access-control-allow-origin"], origin);
        assert_eq!(all_of(response.headers(), "vary"), ["Origin"]);
        let response = send(cors.clone(), "OPTIONS", "/", &[origin_header, PUT]).await;
        assert_eq!(response.headers()["access-control-allow-origin"], origin);
        assert_eq!(response.headers()["access-control-allow-methods"], "PUT");
    }
    for origin in
        ["https://example.com", "https://example.com.evil.example", "https://evil.example/.example.com", "null"]
    {
        let origin_header = ("origin", origin.as_bytes());
        assert_eq!(cors_headers(send(cors.clone(), "GET", "/", &[origin_header]).await.headers()), [""; 0]);
        assert_eq!(cors_headers(send(cors.clone(), "OPTIONS", "/", &[origin_header, PUT]).await.headers()), [""; 0]);
    }
}

#[tokio::test]
async fn everybody_is_one_answer_for_all() {
    let cors = CorsSecurityLayer::builder().allow_any_origin().methods(["PUT"]).build().unwrap();
    let cases: [&[(&str, &[u8])]; 4] =
        [&[], &[ORIGIN], &[("origin", b"null")], &[ORIGIN, ("origin", b"https://b.example")]];
    for headers in cases {
        for path in ["/", "/401", "/leaky", "/nowhere"] {
            let response = send(cors.clone(), "GET", path, headers).await;
            assert_eq!(all_of(response.headers(), "access-control-allow-origin"), ["*"], "{path}");
            // One response for all: a cache need not tell them apart.
            assert!(!response.headers().contains_key("vary"), "{path}");
            assert!(response.headers()["access-control-expose-headers"].to_str().unwrap().contains("retry-after"));
        }
    }
    let response = send(cors, "OPTIONS", "/", &[ORIGIN, PUT]).await;
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert!(!response.headers().contains_key("access-control-allow-credentials"));
}

#[tokio::test]
async fn any_method_and_any_header_are_those_that_pages_can_send() {
    let cors =
        CorsSecurityLayer::builder().allow_origin(APP).allow_any_method().allow_any_request_header().build().unwrap();
    let allowed = async |method: &'static str, names: &'static str| {
        let asked = [
            ORIGIN,
            ("access-control-request-method", method.as_bytes()),
            ("access-control-request-headers", names.as_bytes()),
        ];
        send(cors.clone(), "OPTIONS", "/", &asked).await.headers().contains_key("access-control-allow-origin")
    };
    assert!(allowed("PURGE", "x-anything,content-type").await && allowed("patch", "").await);
    assert!(!allowed("TRACE", "").await && !allowed("connect", "").await);
    // No wildcard stands for it.
    assert!(!allowed("GET", "Authorization").await);
    assert!(!allowed("GET", "x y").await);
}

#[tokio::test]
async fn the_private_network_is_opened_to_allowed_origins_that_ask() {
    let asked = ("access-control-request-private-network", &b"true"[..]);
    let opened = |response: Response| response.headers().contains_key("access-control-allow-private-network");
    let legacy = || builder().legacy_private_network().build().unwrap();
    assert!(opened(send(legacy(), "OPTIONS", "/", &[ORIGIN, PUT, asked]).await));
    assert!(!opened(send(legacy(), "OPTIONS", "/", &[ORIGIN, PUT]).await));
    assert!(!opened(send(legacy(), "OPTIONS", "/", &[("origin", b"https://evil.example"), PUT, asked]).await));
    assert!(!opened(ask("OPTIONS", "/", &[ORIGIN, PUT, asked]).await));
}

#[tokio::test]
async fn a_refused_preflight_can_be_a_403() {
    let strict = || builder().refused_preflight(RefusedPreflight::Forbidden).build().unwrap();
    let cases: [&[(&str, &[u8])]; 3] = [
        &[("origin", b"https://evil.example"), PUT],
        &[ORIGIN, ("access-control-request-method", b"PATCH")],
        &[ORIGIN, PUT, ("access-control-request-headers", b"x-other")],
    ];
    for headers in cases {
        let cors = strict();
        let response = send(cors.clone(), "OPTIONS", "/", headers).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(cors_headers(response.headers()), [""; 0]);
        assert_eq!(all_of(response.headers(), "vary"), [PREFLIGHT_VARY]);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(cors.verdicts().rejected, [(RejectionKind::Forbidden, 1)]);
    }
    assert_eq!(send(strict(), "OPTIONS", "/", &[ORIGIN, PUT]).await.status(), StatusCode::NO_CONTENT);
}
