//! `Origin` as it comes, beside a policy with every kind of pattern; and the input as a pattern.

use std::sync::{LazyLock, atomic::Ordering::Relaxed};

use axum::body::Body;
use http::Request;
use portcullis::cors::{CorsPolicy, OriginPattern};

use crate::{
    door::{LET_IN, parts, with},
    pages::Pages,
};

const PATTERNS: [&str; 5] = [
    "https://app.example.com",
    "https://*.example.org",
    "http://localhost:*",
    "https://*.b.example:8443",
    "https://[2001:db8::1]:*",
];

static PAGES: LazyLock<Pages> =
    LazyLock::new(|| Pages::new(CorsPolicy::builder().allow_origins(PATTERNS).build().expect("a policy")));

pub fn run(data: &[u8]) {
    let [origin, pattern] = parts(data);
    asked(origin);
    if let Ok(text) = std::str::from_utf8(pattern) {
        allowed(text, origin);
    }
}

fn asked(origin: &[u8]) {
    let request = Request::get("/").body(Body::empty()).expect("a request");
    let Some(request) = with(request, [("origin", origin)]) else { return };
    // What is sent is what is between the white space.
    let sent = request.headers()["origin"].as_bytes().to_vec();
    if let (_, Some(answer)) = PAGES.send(request) {
        LET_IN.fetch_add(1, Relaxed);
        assert_eq!(answer, sent);
        let text = std::str::from_utf8(&sent).expect("only ASCII is allowed");
        assert!(is_right(text), "{text:?} got in");
    }
}

/// Read another way than the crate does.
fn is_right(origin: &str) -> bool {
    let label =
        |label: &str| !label.is_empty() && label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    let below = |suffix: &str| {
        let host = origin.strip_prefix("https://").and_then(|host| host.strip_suffix(suffix));
        host.is_some_and(|host| host.split('.').all(label))
    };
    let any_port = |prefix: &str, default: u16| {
        origin.strip_prefix(prefix).is_some_and(|port| {
            let number =
                port.strip_prefix(':').and_then(|port| port.parse::<u16>().ok().filter(|n| n.to_string() == port));
            port.is_empty() || number.is_some_and(|number| number != 0 && number != default)
        })
    };
    origin == PATTERNS[0]
        || below(".example.org")
        || below(".b.example:8443")
        || any_port("http://localhost", 80)
        || any_port("https://[2001:db8::1]", 443)
}

fn allowed(text: &str, origin: &[u8]) {
    let pattern = match OriginPattern::parse(text) {
        Ok(pattern) => pattern,
        Err(error) => return assert!(!error.fault().reason().is_empty() && OriginPattern::complaint(text).is_some()),
    };
    assert_eq!(pattern.as_str(), text);
    assert_eq!(pattern.matches(text), pattern.is_exact());
    let policy = CorsPolicy::builder().allow_origin(pattern.clone()).allow_lint("public-suffix", "fuzzed").build();
    let pages = Pages::new(policy.expect("a good pattern is a good policy"));
    for origin in [origin, text.as_bytes()] {
        let request = Request::get("/").body(Body::empty()).expect("a request");
        let Some(request) = with(request, [("origin", origin)]) else { continue };
        let (sent, (_, answer)) = (request.headers()["origin"].as_bytes().to_vec(), pages.send(request));
        let matches = std::str::from_utf8(&sent).is_ok_and(|origin| pattern.matches(origin));
        assert_eq!(answer, matches.then_some(sent));
    }
}
