mod doubts;
mod pages;
mod presets;

use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, response::Response, routing::get};
use http::{HeaderMap, Request, header};
use tower::{ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    gate::{ProblemLayer, RequestContextLayer},
    request::TrustedProxies,
};

fn router(headers: SecurityHeadersLayer) -> Router {
    let context = RequestContextLayer::new().trusted_proxies(TrustedProxies::cidrs(["10.0.0.0/8"]).unwrap());
    let own = || async {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, "max-age=60".parse().unwrap());
        headers.insert(header::CONTENT_SECURITY_POLICY, "default-src 'self'".parse().unwrap());
        headers.insert(header::SERVER, "axum".parse().unwrap());
        headers.append("x-powered-by", "rust".parse().unwrap());
        headers.append("x-powered-by", "axum".parse().unwrap());
        (headers, "own")
    };
    Router::new()
        .route("/", get(|| async { "inner" }))
        .route("/own", get(own))
        .layer(ServiceBuilder::new().layer(context).layer(headers).layer(ProblemLayer::new()))
}

async fn ask(headers: SecurityHeadersLayer, uri: &str, forwarded_proto: Option<&str>) -> Response {
    let mut request = Request::get(uri).body(Body::empty()).unwrap();
    if let Some(proto) = forwarded_proto {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 1))));
        request.headers_mut().insert("x-forwarded-proto", proto.parse().unwrap());
    }
    router(headers).oneshot(request).await.unwrap()
}

#[tokio::test]
async fn the_preset_is_the_documented_table_on_every_response() {
    for path in ["https://a.example/", "https://a.example/nowhere"] {
        let response = ask(SecurityHeadersLayer::default(), path, None).await;
        let headers = response.headers();
        for (name, value) in [
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
            ("permissions-policy", "geolocation=(), camera=(), microphone=(), payment=()"),
            ("cache-control", "no-store"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(headers[name], value, "{path}");
            assert_eq!(headers.get_all(name).iter().count(), 1, "{path} {name}");
        }
        assert!(headers.contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn hsts_is_never_sent_over_plain_http() {
    let sent = |assume: bool, uri: &'static str, proto: Option<&'static str>| async move {
        let builder = SecurityHeadersLayer::builder();
        let layer = if assume { builder.assume_https() } else { builder }.build().unwrap();
        ask(layer, uri, proto).await.headers().contains_key("strict-transport-security")
    };
    for (uri, proto, by_default, assumed) in [
        ("https://a.example/", None, true, true),
        ("/", Some("https"), true, true),
        ("http://a.example/", None, false, false),
        ("/", Some("http"), false, false),
        ("/", Some("https, http"), false, false),
        ("/", None, false, true),
        ("/", Some("gopher"), false, true),
    ] {
        assert_eq!(sent(false, uri, proto).await, by_default, "{uri} {proto:?}");
        assert_eq!(sent(true, uri, proto).await, assumed, "{uri} {proto:?}");
    }
}

#[tokio::test]
async fn the_handlers_word_counts_unless_forced() {
    let response = ask(SecurityHeadersLayer::api(), "/own", None).await;
    assert_eq!(response.headers()["cache-control"], "max-age=60");
    assert_eq!(response.headers()["content-security-policy"], "default-src 'self'");
    assert!(!response.headers().contains_key("server") && !response.headers().contains_key("x-powered-by"));
    let forced = SecurityHeadersLayer::builder().force("Cache-Control").build().unwrap();
    let response = ask(forced, "/own", None).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["content-security-policy"], "default-src 'self'");
}

#[tokio::test]
async fn each_value_can_be_another() {
    let layer = SecurityHeadersLayer::builder()
        .strict_transport_security(Hsts::max_age(Duration::from_secs(31_536_000)).include_subdomains().preload())
        .content_security_policy("default-src 'self'")
        .frame_options(FrameOptions::SameOrigin)
        .referrer_policy(ReferrerPolicy::StrictOriginWhenCrossOrigin)
        .permissions_policy("camera=()")
        .opener_policy(OpenerPolicy::SameOriginAllowPopups)
        .origin_agent_cluster()
        .resource_policy(ResourcePolicy::CrossOrigin)
        .cache_control("private")
        .header("X-API-Version", "2025-01-01")
        .header("X-API-Version", "2026-01-01")
        .without("x-content-type-options")
        .build()
        .unwrap();
    let response = ask(layer, "https://a.example/", None).await;
    let headers = response.headers();
    for (name, value) in [
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        ("x-frame-options", "SAMEORIGIN"),
        ("content-security-policy", "default-src 'self'"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("permissions-policy", "camera=()"),
        ("cross-origin-opener-policy", "same-origin-allow-popups"),
        ("origin-agent-cluster", "?1"),
        ("cache-control", "private"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("x-api-version", "2026-01-01"),
    ] {
        assert_eq!(headers[name], value);
    }
    assert!(!headers.contains_key("x-content-type-options"));
    let without = SecurityHeadersLayer::builder().without("Strict-Transport-Security").build().unwrap();
    let response = ask(without, "https://a.example/", None).await;
    assert!(!response.headers().contains_key("strict-transport-security"));
}

#[test]
fn every_mistake_is_listed_at_once() {
    let error = SecurityHeadersLayer::builder()
        .strict_transport_security(Hsts::max_age(Duration::from_secs(60)).preload())
        .content_security_policy("default-src self")
        .permissions_policy("camera=()\r\nX-Evil: 1")
        .cache_control("")
        .header("bad name", "1")
        .header("x-frame-options", "ALLOWALL")
        .header("Set-Cookie", "a=b")
        .header("access-control-allow-origin", "*")
        .header("x-note", "é")
        .for_paths("docs", SecurityHeaders::docs().referrer_policy(ReferrerPolicy::NoReferrer).without("x-none"))
        .for_paths("/a/", SecurityHeaders::api())
        .for_paths("/b", SecurityHeaders::api())
        .for_paths("/b", SecurityHeaders::api())
        .force("x-unknown")
        .without("x-unknown")
        .build()
        .unwrap_err();
    let fields: Vec<_> = error.issues().iter().map(|issue| &*issue.field).collect();
    assert_eq!(
        fields,
        [
            "strict_transport_security",
            "cache_control",
            "header[\"bad name\"]",
            "header[\"x-frame-options\"]",
            "header[\"Set-Cookie\"]",
            "header[\"access-control-allow-origin\"]",
            "header[\"x-note\"]",
            "without",
            "content_security_policy",
            "permissions_policy",
            "force",
            "for_paths[\"docs\"]",
            "for_paths[\"docs\"].without",
            "for_paths[\"/a/\"]",
            "for_paths[\"/b\"]"
        ]
    );
}
