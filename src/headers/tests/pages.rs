//! Nonces, and headers by path.

use std::collections::HashSet;

use axum::{middleware, response::IntoResponse};

use super::*;
use crate::rejection::{Rejection, RejectionKind};

async fn page(nonce: CspNonce) -> String {
    nonce.to_string()
}

fn app(layer: &SecurityHeadersLayer) -> Router {
    Router::new()
        .route("/docs", get(page))
        .route("/docs/{page}", get(page))
        .route("/docsets", get(page))
        .layer(layer.clone())
}

async fn call(app: &Router, path: &str) -> (Response, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = axum::body::to_bytes(body, 4_096).await.unwrap();
    (Response::from_parts(parts, Body::empty()), String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn each_response_has_a_nonce_of_its_own_that_the_page_knows() {
    let app = app(&SecurityHeadersLayer::docs());
    let mut seen = HashSet::new();
    for _ in 0..200 {
        let (response, nonce) = call(&app, "/docs").await;
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains(&format!("script-src 'self' 'nonce-{nonce}';")), "{policy}");
        assert!(nonce.len() == 22 && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert!(seen.insert(nonce), "a nonce came twice");
    }
}

#[tokio::test]
async fn a_nonce_may_stand_in_several_directives_and_in_what_is_only_reported() {
    let both = Csp::new()
        .allow(Directive::ScriptSrc, [Source::NONCE, Source::STRICT_DYNAMIC])
        .allow(Directive::StyleSrc, [Source::NONCE])
        .allow(Directive::ObjectSrc, [Source::NONE])
        .allow(Directive::BaseUri, [Source::NONE]);
    let layer = SecurityHeadersLayer::builder()
        .content_security_policy(both.clone())
        .content_security_policy_report_only(both)
        .build()
        .unwrap();
    let (response, nonce) = call(&app(&layer), "/docs").await;
    let wanted = format!(
        "script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'nonce-{nonce}'; object-src 'none'; base-uri 'none'"
    );
    assert_eq!(response.headers()["content-security-policy"], wanted);
    assert_eq!(response.headers()["content-security-policy-report-only"], wanted);
}

/// A page that needs a nonce where none is sent would not work: that is the service's fault, and loud.
#[tokio::test]
async fn a_page_without_a_policy_for_its_nonce_fails() {
    let (response, _) = call(&app(&SecurityHeadersLayer::api()), "/docs").await;
    let rejection = response.extensions().get::<Rejection>().unwrap();
    assert_eq!(rejection.kind(), RejectionKind::Misconfigured);
    assert!(format!("{:?}", CspNonce::generate().unwrap()).len() < 16, "not shown");
}

#[tokio::test]
async fn paths_are_compared_segment_by_segment_and_the_longest_counts() {
    let frames = |options| SecurityHeaders::html().frame_options(options);
    let layer = SecurityHeadersLayer::builder()
        .for_paths("/docs", SecurityHeaders::docs())
        .for_paths("/docs/embedded", frames(FrameOptions::SameOrigin))
        .build()
        .unwrap();
    let app = Router::new().fallback(|| async {}).layer(layer);
    for (path, referrer, frames) in [
        ("/", "no-referrer", "DENY"),
        ("/docs", "strict-origin-when-cross-origin", "DENY"),
        ("/docs/", "strict-origin-when-cross-origin", "DENY"),
        ("/docs/a/b?c=/", "strict-origin-when-cross-origin", "DENY"),
        ("/docs/embedded/x", "strict-origin-when-cross-origin", "SAMEORIGIN"),
        ("/docs/embeddedness", "strict-origin-when-cross-origin", "DENY"),
        ("/docsets", "no-referrer", "DENY"),
        ("/a/docs", "no-referrer", "DENY"),
        ("/Docs", "no-referrer", "DENY"),
    ] {
        let (response, _) = call(&app, path).await;
        assert_eq!(response.headers()["referrer-policy"], referrer, "{path}");
        assert_eq!(response.headers()["x-frame-options"], frames, "{path}");
    }
}

/// The other way: a layer of its own on the routes.
#[tokio::test]
async fn an_inner_layer_wins() {
    let docs = Router::new().route("/page", get(page)).layer(SecurityHeadersLayer::docs());
    let app = Router::new().nest("/docs", docs).layer(SecurityHeadersLayer::api());
    let (response, nonce) = call(&app, "/docs/page").await;
    assert!(response.headers()["content-security-policy"].to_str().unwrap().contains(&nonce));
    assert_eq!(response.headers()["cache-control"], "no-store", "what the inner one leaves open");
    let shouting = middleware::map_response(|_: Response| async {
        [("content-security-policy", "script-src 'self'")].into_response()
    });
    let forced = SecurityHeadersLayer::with(SecurityHeaders::docs().force("Content-Security-Policy")).build().unwrap();
    let app = Router::new().route("/page", get(page)).layer(shouting).layer(forced);
    let (response, _) = call(&app, "/page").await;
    assert!(response.headers()["content-security-policy"].to_str().unwrap().contains("'nonce-"));
}
