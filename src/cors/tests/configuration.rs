//! What a builder finds.

use super::*;
use crate::{
    config_error::ConfigError,
    cors::lints,
    lint::{Report, Severity},
};

fn fields(error: &ConfigError) -> Vec<&str> {
    error.issues().iter().map(|issue| &*issue.field).collect()
}

fn codes(report: &Report) -> Vec<&str> {
    report.issues().iter().map(|issue| issue.code).collect()
}

#[test]
fn every_mistake_is_listed_at_once() {
    let error = CorsSecurityLayer::builder()
        .allow_origins(["*", "null", "https://a.example/", "https://a.example:443", "a.example", "https://ok.example"])
        .allow_origin("http://plain.example")
        .allow_origin("https://*.github.io")
        .allow_credentials()
        .methods(["GET", "*", "CONNECT"])
        .request_headers(["*", "Cookie", "sec-fetch-mode", "authorization"])
        .expose(["*", "Set-Cookie"])
        .max_age(Duration::from_secs(86_401))
        .build()
        .unwrap_err();
    let origins = [0, 1, 2, 3, 4, 6, 7].map(|index| format!("allow_origin[{index}]"));
    let mut expected: Vec<&str> = origins.iter().map(String::as_str).collect();
    expected.extend(["methods"; 2]);
    expected.extend(["request_headers"; 3]);
    expected.extend(["expose", "expose", "max_age"]);
    assert_eq!(fields(&error), expected, "{error}");
    for issue in error.issues().iter().take(13) {
        assert!(issue.cure.contains(". See https://"), "{issue}");
    }
    assert!(
        error.to_string().contains("say allow_any_origin()") && error.to_string().contains("say allow_any_method()")
    );
}

#[test]
fn nothing_allowed_is_a_mistake_and_nothing_is_not_everything() {
    let error = CorsSecurityLayer::builder().allow_origins([""; 0]).methods([""; 0]).build().unwrap_err();
    assert_eq!(fields(&error), ["allow_origin", "methods"]);
}

#[test]
fn plain_http_is_a_mistake_only_with_credentials() {
    let plain = || CorsSecurityLayer::builder().allow_origin("http://intranet.example");
    assert!(plain().build().is_ok());
    assert!(plain().allow_credentials().build().is_err());
    let dangerous = plain().allow_credentials().dangerously_allow_insecure_origins().build().unwrap();
    let allowed = &dangerous.report().issues()[0];
    assert_eq!(allowed.code, "insecure-origin-with-credentials");
    assert_eq!(allowed.allowed.as_deref(), Some("dangerously_allow_insecure_origins()"));
    let local = CorsSecurityLayer::builder().allow_origins(["http://localhost:*", "http://127.0.0.1:8080"]);
    assert!(local.allow_credentials().build().is_ok());
}

#[test]
fn any_origin_excludes_credentials_whatever_is_allowed() {
    let public = || CorsSecurityLayer::builder().allow_any_origin();
    assert!(public().build().is_ok());
    let code = "wildcard-origin-with-credentials";
    for builder in [public().allow_credentials(), public().allow_credentials().allow_lint(code, "we like it")] {
        let error = builder.build().unwrap_err();
        assert_eq!(fields(&error), ["allow_any_origin"]);
        assert!(error.to_string().contains("critical: Wildcard origin (*) cannot be used with credentials"), "{error}");
    }
    let error = public().allow_origin(APP).legacy_private_network().build().unwrap_err();
    assert_eq!(fields(&error), ["allow_any_origin", "legacy_private_network"]);
}

#[test]
fn what_cannot_work_cannot_be_allowed() {
    let builder = CorsSecurityLayer::builder().allow_origins(["null", "https://a.example/"]).methods(["TRACE"]);
    let builder = ["null-origin", "unacceptable-origin", "forbidden-method"]
        .into_iter()
        .fold(builder, |builder, code| builder.allow_lint(code, "please"));
    assert_eq!(builder.build().unwrap_err().issues().len(), 3);
}

#[test]
fn what_is_dangerous_can_be_allowed_with_a_reason() {
    let shared = || CorsSecurityLayer::builder().allow_origin("https://*.github.io");
    let error = shared().build().unwrap_err();
    assert!(error.to_string().contains(r#"or allow_lint("public-suffix", why). See https://"#), "{error}");
    assert!(shared().allow_lint("public-suffix", "").build().is_err());
    assert!(shared().allow_lint("public-sufix", "a slip").build().unwrap_err().to_string().contains("public-sufix"));
    let layer = shared().allow_lint("public-suffix", "a playground").build().unwrap();
    assert_eq!(layer.report().issues()[0].allowed.as_deref(), Some("a playground"));
}

#[test]
fn each_finding_has_its_severity() {
    use Severity::{Critical, High, Info, Low, Medium};
    let base = || CorsSecurityLayer::builder().allow_origin(APP);
    let with = |origin: &str| CorsSecurityLayer::builder().allow_origin(origin).allow_credentials();
    let any = || CorsSecurityLayer::builder().allow_any_origin();
    for (builder, code, severity) in [
        (any().allow_credentials(), "wildcard-origin-with-credentials", Critical),
        (base().allow_origin("null"), "null-origin", High),
        (with("http://intranet.example"), "insecure-origin-with-credentials", High),
        (with("https://*.co.uk"), "public-suffix", High),
        (with("https://*.dev"), "public-suffix", High),
        (base().allow_origin("https://b.example/"), "unacceptable-origin", High),
        (base().allow_credentials().expose_any(), "wildcard-expose-with-credentials", High),
        (base().allow_any_method(), "wildcard-methods", Medium),
        (base().allow_any_request_header(), "wildcard-headers", Medium),
        (with("https://*.example.com"), "broad-subdomain-with-credentials", Medium),
        (base().methods(["TRACE"]), "forbidden-method", Medium),
        (base().request_headers(["Cookie"]), "forbidden-header", Medium),
        (base().expose(["Set-Cookie"]), "forbidden-expose", Medium),
        (base().expose_only(["retry-after"]), "rate-limit-headers-not-exposed", Medium),
        (base().max_age(Duration::from_secs(7_201)), "max-age-capped", Low),
        (base().request_headers(["Accept"]), "safelisted-redundant", Info),
        (base().expose(["Content-Type"]), "safelisted-redundant", Info),
        (base().allow_origin(APP), "redundant-origin", Info),
        (base().allow_origin("https://*.example.com"), "redundant-origin", Info),
        (base().allow_credentials().request_headers(["Authorization"]), "credentials-not-needed-for-bearer", Info),
        (base().legacy_private_network(), "private-network-legacy", Info),
        (base().explain_failures(), "explains-failures", Info),
    ] {
        let report = builder.lint();
        assert_eq!(codes(&report), [code], "{report}");
        let issue = &report.issues()[0];
        assert_eq!(issue.severity, severity, "{code}");
        assert!(issue.spec.starts_with("https://") && !issue.fix.is_empty() && !issue.message.is_empty());
        let unusable = lints::UNUSABLE.contains(&code);
        assert_eq!(builder.build().is_err(), unusable || severity >= High, "{code}");
    }
}

#[test]
fn a_usual_policy_has_no_findings() {
    let report = CorsPolicy::builder()
        .allow_origins([APP, "https://admin.example.com"])
        .methods(["GET", "POST", "PUT", "PATCH", "DELETE"])
        .request_headers(["authorization", "content-type", "x-api-key", "x-request-id"])
        .expose(["x-total-count"])
        .lint();
    assert!(report.is_empty(), "{report}");
    let report = CorsPolicy::builder().allow_origins(["null", APP, "x", "https://*.example.org"]).lint();
    assert_eq!(codes(&report), ["null-origin", "unacceptable-origin"], "what is wrong shifts nothing");
    let report = CorsPolicy::builder().allow_origin(APP).expose_only(["Retry-After", "RateLimit"]).lint();
    assert!(report.is_empty(), "{report}");
}

#[test]
fn every_kind_of_finding_is_in_the_table_once_and_documented() {
    let page = include_str!("../mod.rs");
    for (index, lint) in lints::ALL.iter().enumerate() {
        assert!(lints::ALL.iter().skip(index + 1).all(|other| other.code != lint.code), "{}", lint.code);
        let elsewhere = ["origin-reflection", "unreadable-setting"].contains(&lint.code);
        assert!(elsewhere || page.contains(&format!("`{}`", lint.code)), "{}", lint.code);
    }
}

#[test]
fn a_source_alone_is_enough_and_its_cache_is_checked() {
    use crate::{
        cors::{OriginCache, OriginPattern, OriginRequest, OriginSource},
        store::{BoxFuture, StoreError},
    };

    #[derive(Clone, Debug)]
    struct Never;
    impl OriginSource for Never {
        fn tenant<'r>(&self, _: OriginRequest<'r>) -> Option<std::borrow::Cow<'r, str>> {
            None
        }
        fn allows<'a>(&'a self, _: &'a str, _: &'a OriginPattern) -> BoxFuture<'a, Result<bool, StoreError>> {
            Box::pin(async { Ok(false) })
        }
    }
    assert!(CorsPolicy::builder().origin_source(Never).build().is_ok());
    let long = Duration::from_secs(86_401);
    let cache = OriginCache::new().ttl(long).negative_ttl(long).stale_for(long).patience(Duration::ZERO).capacity(0);
    let error = CorsPolicy::builder().origin_source(Never).origin_cache(cache).build().unwrap_err();
    assert_eq!(error.issues().len(), 5, "{error}");
    let error = CorsPolicy::builder().origin_source(Never).allow_any_origin().build().unwrap_err();
    assert_eq!(fields(&error), ["allow_any_origin"]);
}
