//! One report over the whole edge, and what is allowed of it in the audit log's file.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use axum::{Router, body::Body, routing::get};
use http::Request;
use portcullis::{
    audit::{AuditLayer, JsonLines},
    authz::ScopeLayer,
    cors::CorsSecurityLayer,
    headers::SecurityHeadersLayer,
    lint::Severity,
    request::TrustedProxies,
    stack::Stack,
};
use serde_json::Value;
use tower::ServiceExt as _;

/// Removed with this value.
struct File(PathBuf);

impl File {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("portcullis-lint-{}.jsonl", std::process::id())))
    }

    fn lines(&self) -> Vec<Value> {
        fs::read_to_string(&self.0).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

const NONCE: &str = "default-src 'none'; script-src 'nonce-c2FtZQ=='; base-uri 'none'; frame-ancestors 'none'";

/// A configuration that needs four excuses.
fn cors(why: Option<&'static str>) -> Result<CorsSecurityLayer, portcullis::config_error::ConfigError> {
    let builder = CorsSecurityLayer::builder().allow_origin("http://intranet.example").allow_credentials();
    match why {
        Some(why) => builder.allow_lint("insecure-origin-with-credentials", why).build(),
        None => builder.build(),
    }
}

#[tokio::test]
async fn the_reasons_of_every_layer_reach_the_file() {
    assert!(cors(None).is_err());
    let cors = cors(Some("INTRANET-1")).unwrap();
    let headers = SecurityHeadersLayer::builder().content_security_policy(NONCE);
    assert!(headers.clone().build().is_err());
    let headers = headers.allow_lint("csp-constant-nonce", "STATIC-2").build().unwrap();
    let proxies = TrustedProxies::builder().cidrs(["0.0.0.0/0"]);
    assert!(proxies.clone().build().is_err());
    let proxies = proxies.allow_lint("proxies-trust-everybody", "TESTBED-3").build().unwrap();
    let scope = ScopeLayer::all(["read:orders"]).unwrap();

    let file = File::new();
    let audit = AuditLayer::builder(JsonLines::file(&file.0).unwrap()).build().unwrap();
    let handle = audit.handle();
    let stack =
        Stack::new().trusted_proxies(proxies).audit(&audit).security_headers(&headers).cors(&cors).scope(&scope);
    assert!(stack.lint().check().is_err(), "scopes without authentication");
    let stack = stack.allow_lint("scope-without-auth", "LATER-4");

    let report = stack.lint();
    assert!(report.check().is_ok(), "{report}");
    let scope = report.with_code("scope-without-auth").next().unwrap();
    assert_eq!((scope.severity, scope.allowed.as_deref()), (Severity::High, Some("LATER-4")));
    let json = serde_json::to_value(&report).unwrap();
    for key in ["code", "severity", "field", "message", "fix", "spec"] {
        assert!(json["issues"].as_array().unwrap().iter().all(|issue| issue[key].is_string()), "{key}");
    }

    let app = Router::new().route("/", get(|| async {})).route("/b", get(|| async {})).layer(stack);
    for path in ["/", "/b", "/nowhere"] {
        app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    }
    handle.shutdown().await;
    let lines = file.lines();
    let waivers: Vec<_> = lines.iter().filter(|line| line["kind"] == "waiver").collect();
    let said: BTreeSet<_> =
        waivers.iter().map(|line| (line["layer"].as_str().unwrap(), line["reason"].as_str().unwrap())).collect();
    let wanted = [
        ("cors", "INTRANET-1"),
        ("security_headers", "STATIC-2"),
        ("stack", "LATER-4"),
        ("trusted_proxies", "TESTBED-3"),
    ];
    assert_eq!(said, BTreeSet::from(wanted));
    assert_eq!(waivers.len(), wanted.len(), "each once");
    assert_eq!(lines.iter().filter(|line| line["kind"] == "request").count(), 3);
}
