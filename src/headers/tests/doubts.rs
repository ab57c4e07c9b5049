//! The lints, and how they reach the audit log.

use super::*;
use crate::{
    audit::{AuditLayer, MemorySink},
    lint::Severity,
};

fn codes(builder: &SecurityHeadersLayerBuilder) -> Vec<&'static str> {
    builder.lint().issues().iter().map(|issue| issue.code).collect()
}

fn policy(policy: &str) -> Vec<&'static str> {
    codes(&SecurityHeadersLayer::builder().frame_options(FrameOptions::Deny).content_security_policy(policy))
}

#[test]
fn each_doubt_about_a_policy() {
    const SAFE: &str = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    for (text, wanted) in [
        ("script-src 'self'; object-src 'none'", &[][..]),
        ("script-src 'self' 'nonce-abc'; object-src 'none'", &["csp-constant-nonce"]),
        ("script-src 'self' 'unsafe-inline'; object-src 'none'", &["csp-script-unsafe-inline"]),
        ("script-src 'nonce-{}' 'unsafe-inline'; object-src 'none'", &[]),
        ("default-src 'self'; script-src-elem 'unsafe-inline'", &["csp-script-unsafe-inline"]),
        ("default-src 'self' 'unsafe-eval'", &["csp-script-unsafe-eval"]),
        ("default-src https:", &["csp-script-any-host"]),
        ("default-src *", &["csp-script-any-host"]),
        ("default-src 'self' data:", &["csp-script-any-host"]),
        ("script-src 'self'", &["csp-object-unrestricted"]),
        ("img-src 'self'", &["csp-script-unrestricted"]),
        ("default-src 'strict-dynamic'", &["csp-strict-dynamic-alone"]),
        ("default-src 'self'; img-src http://a.example", &["csp-insecure-source"]),
    ] {
        assert_eq!(policy(&format!("{text}; {SAFE}")), wanted, "{text}");
    }
    assert_eq!(
        policy("default-src 'self'; frame-ancestors 'none'"),
        ["csp-base-uri-missing", "csp-form-action-missing"]
    );
    assert_eq!(policy("default-src 'none'; frame-ancestors 'self'"), ["framing-contradictory"]);
}

#[test]
fn each_other_doubt() {
    let short = Hsts::max_age(Duration::from_secs(86_400));
    let builder = SecurityHeadersLayer::builder;
    for (builder, wanted) in [
        (builder(), &[][..]),
        (builder().strict_transport_security(short), &["hsts-short", "hsts-without-subdomains"]),
        (builder().without("strict-transport-security"), &["hsts-missing"]),
        (builder().without("x-content-type-options"), &["content-type-sniffing"]),
        (builder().without("content-security-policy"), &["csp-missing"]),
        (builder().without("x-frame-options"), &[]),
        (builder().without("x-frame-options").content_security_policy("default-src 'none'"), &["framing-unrestricted"]),
        (builder().resource_policy(ResourcePolicy::CrossOrigin), &["resource-policy-cross-origin"]),
        (
            builder().permissions_policy("camera=*, telepathy=()"),
            &["permissions-open-feature", "permissions-unknown-feature"],
        ),
        (builder().assume_https(), &["https-assumed"]),
    ] {
        assert_eq!(codes(&builder), wanted, "{}", builder.lint());
    }
    let by_path = builder().for_paths("/old", SecurityHeaders::api().legacy_xss_protection()).lint();
    assert_eq!(by_path.issues()[0].field, "for_paths[\"/old\"].legacy_xss_protection");
}

const NONCE: &str =
    "default-src 'none'; script-src 'nonce-c2FtZQ=='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[test]
fn what_opens_a_way_in_does_not_build_unless_it_is_allowed() {
    let builder = SecurityHeadersLayer::builder().content_security_policy(NONCE);
    let error = builder.clone().build().unwrap_err().to_string();
    assert!(error.contains("allow_lint(\"csp-constant-nonce\", why)"), "{error}");
    assert!(builder.clone().allow_lint("csp-constant-nonce", " ").build().is_err(), "without a reason");
    let layer = builder.allow_lint("csp-constant-nonce", "a static page that is built with it").build().unwrap();
    let issue = &layer.report().issues()[0];
    assert_eq!((issue.severity, issue.allowed.is_some()), (Severity::High, true));
}

/// One line before the first request, in the sink itself, however often the layer is used.
#[tokio::test]
async fn the_reason_reaches_the_audit_log() {
    let why = "a static page that is built with it: ticket SEC-4711";
    let builder = SecurityHeadersLayer::builder().content_security_policy(NONCE);
    let layer = builder.allow_lint("csp-constant-nonce", why).build().unwrap();
    let sink = MemorySink::new();
    let audit = AuditLayer::builder(sink.clone()).service("pages").build().unwrap();
    let handle = audit.handle();
    let inner = Router::new().route("/", get(|| async {})).layer(layer.clone());
    let app = inner.layer(ServiceBuilder::new().layer(audit).layer(layer));
    for _ in 0..3 {
        app.clone().oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    }
    let counts = handle.shutdown().await;
    assert_eq!((counts.written, counts.lost), (3, 0));
    let records = sink.records();
    let kinds: Vec<_> = records.iter().map(|record| record["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["waiver", "request", "request", "request"]);
    let waiver = &records[0];
    for (field, wanted) in [
        ("layer", "security_headers"),
        ("code", "csp-constant-nonce"),
        ("severity", "high"),
        ("field", "content_security_policy"),
        ("level", "WARN"),
        ("service", "pages"),
        ("reason", why),
    ] {
        assert_eq!(waiver[field], wanted, "{waiver}");
    }
    assert_eq!((&waiver["seq"], &waiver["v"]), (&0.into(), &1.into()));
}
