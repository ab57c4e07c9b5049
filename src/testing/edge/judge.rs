//! What an answer shows.

use http::{HeaderValue, Method, StatusCode};

use super::{
    client::{Answer, CHOSEN_ID, FORGED},
    findings::Findings,
    lints,
};

const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const ALLOW_CREDENTIALS: &str = "access-control-allow-credentials";
/// Standing twice, or with two values in one line, they say nothing to a browser.
const SINGLE: [&str; 3] = ["x-content-type-options", "x-frame-options", "strict-transport-security"];
/// Methods that a page may use without being allowed to (Fetch, "CORS-safelisted method").
const SAFELISTED: [Method; 3] = [Method::GET, Method::HEAD, Method::POST];

/// What holds of every answer, whoever made it. `origin` is the one that asked, if it is an allowed one.
pub(super) fn any(answer: &Answer, origin: Option<&HeaderValue>, findings: &mut Findings) {
    if let Some(origin) = origin {
        readable(answer, origin, findings);
    }
    if answer.is_error() {
        error(answer, findings);
    }
    security_headers(answer, findings);
    let body = String::from_utf8_lossy(&answer.body);
    if body.contains(FORGED) {
        let message = "what the client wrote into X-User-ID and its kin arrived where the handler reads it";
        findings.add(&lints::SPOOFED_IDENTITY, answer.place(), message, None);
    }
    if answer.headers.get_all("x-request-id").iter().any(|id| id == CHOSEN_ID) {
        findings.add(&lints::SPOOFED_REQUEST_ID, answer.place(), "the id is the one that the client chose", None);
    }
}

/// Whether a page of the origin can read it, and nobody else is given it by a cache.
fn readable(answer: &Answer, origin: &HeaderValue, findings: &mut Findings) {
    let mut lines = answer.headers.get_all(ALLOW_ORIGIN).iter();
    let first = lines.next();
    if lines.next().is_some() {
        findings.add(&lints::CORS_DOUBLED, answer.place(), "Access-Control-Allow-Origin stands twice", None);
    } else if first.is_none_or(|value| value != origin && value != "*") {
        let seen = first.and_then(|value| value.to_str().ok());
        findings.add(&lints::CORS_MISSING, answer.place(), "a page of an allowed origin cannot read this", seen);
    }
    let varies = answer.list("vary").any(|name| name == "*" || name.eq_ignore_ascii_case("origin"));
    if first.is_some_and(|value| value != "*") && !varies {
        let message = "the answer depends on the origin, and does not say so";
        findings.add(&lints::VARY_MISSING, answer.place(), message, answer.header("vary"));
    }
    if first.is_some_and(|value| value == "*") && answer.header(ALLOW_CREDENTIALS) == Some("true") {
        let message = "every origin is allowed, with credentials";
        findings.add(&lints::WILDCARD_CREDENTIALS, answer.place(), message, Some("*"));
    }
}

fn error(answer: &Answer, findings: &mut Findings) {
    let media_type = answer.header("content-type").unwrap_or("").split(';').next().unwrap_or("").trim();
    if media_type != "application/json" && !media_type.ends_with("+json") {
        let message = "an error that is not JSON";
        findings.add(&lints::PLAIN, answer.place(), message, Some(media_type));
    }
    if !answer.list("cache-control").any(|directive| directive.eq_ignore_ascii_case("no-store")) {
        let message = "a cache may keep this error";
        findings.add(&lints::NO_STORE, answer.place(), message, answer.header("cache-control"));
    }
    if !answer.headers.contains_key("x-request-id") {
        findings.add(&lints::NO_REQUEST_ID, answer.place(), "an error without a request id", None);
    }
}

fn security_headers(answer: &Answer, findings: &mut Findings) {
    let framing = answer.headers.contains_key("x-frame-options")
        || answer.header("content-security-policy").is_some_and(|policy| policy.contains("frame-ancestors"));
    if answer.header("x-content-type-options").is_none() || !framing {
        let message = "X-Content-Type-Options, or what forbids to be framed, is missing";
        findings.add(&lints::HEADERS, answer.place(), message, None);
    }
    for name in SINGLE {
        if answer.headers.get_all(name).iter().count() > 1 || answer.list(name).count() > 1 {
            findings.add(&lints::HEADER_DOUBLED, answer.place(), format!("{name} stands twice"), answer.header(name));
        }
    }
    for name in ["server", "x-powered-by"] {
        if let Some(value) = answer.header(name) {
            findings.add(&lints::SERVER, answer.place(), format!("{name} tells what answers"), Some(value));
        }
    }
}

/// The answer to a preflight from an allowed origin.
pub(super) fn preflight(
    answer: &Answer,
    (method, origin, headers): (&Method, &HeaderValue, &[String]),
    findings: &mut Findings,
) {
    let place = answer.place();
    match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            let message = "a preflight was asked for a credential, which browsers never send with it";
            return findings.add(&lints::PREFLIGHT_AUTH, place, message, None);
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::PAYMENT_REQUIRED => {
            let message = "a preflight was counted by a limit";
            return findings.add(&lints::PREFLIGHT_COSTS, place, message, None);
        }
        status if !status.is_success() && status != StatusCode::FORBIDDEN => {
            let message = "a preflight was answered by what stands inside: the layer does not cover this path";
            return findings.add(&lints::PREFLIGHT_LOST, place, message, None);
        }
        _ => {}
    }
    let allowed = answer.header(ALLOW_ORIGIN);
    let holds =
        |name: &str, wanted: &str| answer.list(name).any(|held| held == "*" || held.eq_ignore_ascii_case(wanted));
    let refused = if !answer.status.is_success() || allowed.is_none_or(|value| value != "*" && value != origin) {
        Some("the origin, the method or a header is not allowed".to_owned())
    } else if !SAFELISTED.contains(method) && !holds("access-control-allow-methods", method.as_str()) {
        Some(format!("the method {method} is not allowed"))
    } else {
        let missing = headers.iter().find(|name| !holds("access-control-allow-headers", name));
        missing.map(|name| format!("the header {name} is not allowed"))
    };
    if let Some(message) = refused {
        findings.add(&lints::PREFLIGHT_REFUSED, place, message, allowed);
    }
}

/// What a page learns whose origin nobody has allowed.
pub(super) fn stranger(answer: &Answer, origin: &HeaderValue, kind: Stranger, findings: &mut Findings) {
    let allowed = answer.headers.get(ALLOW_ORIGIN);
    let credentials = answer.header(ALLOW_CREDENTIALS) == Some("true");
    let seen = allowed.and_then(|value| value.to_str().ok());
    if allowed == Some(origin) {
        let (lint, message) = match kind {
            Stranger::Any => (&lints::REFLECTED, "an origin is allowed that nobody has heard of"),
            Stranger::Lookalike => (&lints::LOOKALIKE, "an origin is allowed whose name only resembles an allowed one"),
            Stranger::Null => (&lints::NULL, "the origin `null` is allowed"),
        };
        findings.add(lint, answer.place(), message, seen);
    } else if allowed.is_some_and(|value| value == "*") && credentials {
        let message = "every origin is allowed, with credentials";
        findings.add(&lints::WILDCARD_CREDENTIALS, answer.place(), message, Some("*"));
    }
}

/// How an origin is strange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    Any,
    Lookalike,
    Null,
}

/// The preflight of an origin that nobody has allowed: what is told beside `Access-Control-Allow-Origin`.
pub(super) fn refused_preflight(answer: &Answer, findings: &mut Findings) {
    let told =
        ["access-control-allow-methods", "access-control-allow-headers", ALLOW_CREDENTIALS, "access-control-max-age"];
    if !answer.headers.contains_key(ALLOW_ORIGIN)
        && let Some(name) = told.iter().find(|name| answer.headers.contains_key(**name))
    {
        let message = "a refused origin is told what others may do";
        findings.add(&lints::PREFLIGHT_TELLS, answer.place(), message, Some(name));
    }
}

/// A refusal by a rate limit.
pub(super) fn limited(answer: &Answer, origin: Option<&HeaderValue>, findings: &mut Findings) {
    if !answer.headers.contains_key("retry-after") {
        findings.add(&lints::NO_RETRY_AFTER, answer.place(), "a limit does not say when to come back", None);
    }
    let exposed = |name: &str| {
        answer.list("access-control-expose-headers").any(|held| held == "*" || held.eq_ignore_ascii_case(name))
    };
    let hidden = ["retry-after", "ratelimit", "x-ratelimit-remaining"]
        .into_iter()
        .find(|name| answer.headers.contains_key(*name) && !exposed(name));
    // What a page cannot read at all is another finding.
    if let (Some(name), Some(_), true) = (hidden, origin, answer.headers.contains_key(ALLOW_ORIGIN)) {
        findings.add(&lints::NOT_EXPOSED, answer.place(), "a page cannot read what the limit says", Some(name));
    }
}
