//! Whatever is sent, the answer is a success or a 4xx problem, and there is one record of it.

use std::sync::LazyLock;

use axum::body::{Body, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::BodyExt as _;
use portcullis::{
    secret::Secret,
    time::{Clock as _, SystemClock},
    webhook::Provider,
};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::desk::{Desk, peer};

/// One gateway for all cases: what one of them spoils, the next ones meet.
static GATEWAY: LazyLock<(Runtime, Desk)> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let desk = runtime.block_on(Desk::new());
    (runtime, desk)
});

const NAMES: [&str; 26] = [
    "authorization",
    "x-api-key",
    "origin",
    "access-control-request-method",
    "access-control-request-headers",
    "access-control-request-private-network",
    "content-type",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "host",
    "cookie",
    "user-agent",
    "expect",
    "x-request-id",
    "x-forwarded-for",
    "x-forwarded-proto",
    "forwarded",
    "traceparent",
    "stripe-signature",
    "x-hub-signature-256",
    "x-github-delivery",
    "x-shopify-hmac-sha256",
    "x-slack-signature",
    "x-slack-request-timestamp",
    "x-http-method-override",
];

/// Without `/demo/panic`, which panics, and `/demo/slow`, which takes its time.
const PATHS: [&str; 11] = [
    "/health",
    "/auth/login",
    "/api/orders",
    "/api/orders/ord_1",
    "/quota/demo",
    "/webhooks/stripe",
    "/webhooks/github",
    "/webhooks/shopify",
    "/webhooks/slack",
    "/.well-known/jwks.json",
    "*",
];

/// Of what is expected in one header or another, so that more than the first check is met.
const PIECES: &[&str] = &[
    "Bearer ",
    "bearer",
    "Basic ",
    "eyJhbGciOiJub25lIn0",
    ".",
    "e30",
    "demo_live_",
    ",",
    ";",
    "=",
    "\"",
    " ",
    "\t",
    "t=",
    "v1=",
    "v0=",
    "sha256=",
    "1795305492",
    "-1",
    "99999999999999999999",
    "https://app.example.com",
    "null",
    "GET",
    "POST",
    "application/json",
    "application/json; charset=",
    "0",
    "for=",
    "[::1]",
    "127.0.0.1",
    "é",
    "%00",
];

fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => select(PIECES).prop_map(|text| text.as_bytes().to_vec()),
        3 => vec(any::<u8>(), 0..40),
        1 => (any::<u8>(), 0..20_000_usize).prop_map(|(byte, times)| vec![byte; times]),
        2 => select(&["TOKEN_READ", "TOKEN_WRITE", "TOKEN_ADMIN", "TOKEN_EXPIRED", "API_KEY", "STRIPE_SECRET"][..])
            .prop_map(|name| GATEWAY.1.value(name).as_bytes().to_vec()),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn header() -> impl Strategy<Value = (HeaderName, HeaderValue)> {
    let name = prop_oneof![
        8 => select(&NAMES[..]).prop_map(str::to_owned),
        3 => Just("authorization".to_owned()),
        1 => "[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,60}",
    ];
    let tokens = &["TOKEN_READ", "TOKEN_WRITE", "TOKEN_ADMIN"][..];
    let value = prop_oneof![
        8 => text(),
        3 => text().prop_map(|text| [b"Bearer ", &*text].concat()),
        2 => select(tokens).prop_map(|name| GATEWAY.1.bearer(name).1.into_bytes()),
        2 => (select(tokens), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(name, at, byte)| {
            let mut spoilt = GATEWAY.1.bearer(name).1.into_bytes();
            let at = at.index(spoilt.len());
            spoilt[at] = byte;
            spoilt
        }),
    ];
    (name, value).prop_filter_map("no header", |(name, value)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::from_bytes(&value).ok()?))
    })
}

fn target() -> impl Strategy<Value = Uri> {
    let junk = "[!-~é\u{80}]{0,40}";
    let path = prop_oneof![
        6 => select(&PATHS[..]).prop_map(str::to_owned),
        2 => (select(&PATHS[..]), junk).prop_map(|(path, junk)| format!("{path}{junk}")),
        2 => (select(&PATHS[..]), junk).prop_map(|(path, junk)| format!("{path}?{junk}")),
        1 => "(/[!-~é]{0,20}){1,6}",
        1 => "http://[a-z.@:0-9]{1,20}/[!-~]{0,20}",
        1 => "[a-z.]{1,20}:[0-9]{1,5}",
        1 => (0..30_000_usize).prop_map(|times| format!("/api/orders/{}", "%".repeat(times))),
    ];
    path.prop_filter_map("no target", |path| path.parse().ok())
}

fn method() -> impl Strategy<Value = Method> {
    let known =
        [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS, Method::HEAD, Method::PUT, Method::CONNECT];
    prop_oneof![
        8 => select(known.to_vec()),
        1 => "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,30}".prop_map(|name| Method::from_bytes(name.as_bytes()).unwrap()),
    ]
}

type Start = (Method, Uri, HeaderMap);

/// A request that would be let in, if the garbage around it were not.
fn fitting() -> impl Strategy<Value = Start> {
    let json = "application/json".to_owned();
    let start = select(
        &[
            ("GET", "/api/orders", ""),
            ("GET", "/api/orders", "TOKEN_READ"),
            ("POST", "/api/orders", "TOKEN_WRITE"),
            ("GET", "/api/orders/ord_1", "TOKEN_ADMIN"),
            ("DELETE", "/api/orders/ord_1", "TOKEN_ADMIN"),
            ("GET", "/quota/demo", "TOKEN_READ"),
            ("POST", "/auth/login", ""),
            ("OPTIONS", "/api/orders", ""),
            ("POST", "/webhooks/stripe", ""),
            ("POST", "/webhooks/github", ""),
            ("POST", "/webhooks/shopify", ""),
            ("POST", "/webhooks/slack", ""),
        ][..],
    );
    start.prop_map(move |(method, path, token)| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", json.parse().unwrap());
        if !token.is_empty() {
            headers.insert("authorization", GATEWAY.1.bearer(token).1.parse().unwrap());
        }
        (method.parse().unwrap(), path.parse().unwrap(), headers)
    })
}

fn start() -> impl Strategy<Value = Start> {
    prop_oneof![
        1 => (method(), target()).prop_map(|(method, target)| (method, target, HeaderMap::new())),
        3 => fitting(),
    ]
}

/// A true signature of whatever the body is.
fn signature(target: &Uri, body: &[u8]) -> Option<HeaderMap> {
    let name = target.path().strip_prefix("/webhooks/")?;
    let secret = Secret::from(GATEWAY.1.value(&format!("{}_SECRET", name.to_ascii_uppercase())));
    Provider::named(name).ok()?.sign(&secret, "evt_1", SystemClock::new().now().wall, body).ok()
}

/// And whether it breaks off.
fn body() -> impl Strategy<Value = (Vec<u8>, bool)> {
    let json = r#"[\[\]{}":,0-9a-e\\u ]{0,80}"#;
    let bytes = prop_oneof![
        2 => Just(Vec::new()),
        3 => vec(any::<u8>(), 0..200),
        3 => json.prop_map(String::into_bytes),
        2 => Just(br#"{"item":"tea","quantity":1,"id":"evt_1"}"#.to_vec()),
        1 => (any::<u8>(), 0..1_500_000_usize).prop_map(|(byte, times)| vec![byte; times]),
    ];
    (bytes, prop::bool::weighted(0.1))
}

struct Sent {
    bytes: Option<Bytes>,
    breaks: bool,
}

impl axum::body::HttpBody for Sent {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        let frame = match self.bytes.take() {
            Some(bytes) => Some(Ok(http_body::Frame::data(bytes))),
            None if std::mem::take(&mut self.breaks) => Some(Err(std::io::ErrorKind::ConnectionReset.into())),
            None => None,
        };
        std::task::Poll::Ready(frame)
    }
}

async fn send(desk: &Desk, request: Request<Body>) -> Result<String, TestCaseError> {
    let head = *request.method() == Method::HEAD;
    let (parts, body) = desk.raw(request).await.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let status = parts.status.as_u16();
    prop_assert!(matches!(status, 200..=299 | 400..=499), "{status}: {}", String::from_utf8_lossy(&bytes));
    prop_assert_eq!(parts.headers.get_all("x-request-id").iter().count(), 1);
    prop_assert!(parts.headers.get_all("vary").iter().any(|line| line.to_str().unwrap().contains("Origin")));
    let id = parts.headers["x-request-id"].to_str().unwrap().to_owned();
    if status >= 400 {
        prop_assert_eq!(&parts.headers["content-type"], "application/problem+json");
        prop_assert_eq!(&parts.headers["cache-control"], "no-store");
        let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        prop_assert!(head || problem["request_id"] == *id, "{}", problem);
    }
    let records = desk.records_of(&id).await;
    prop_assert_eq!(records.len(), 1);
    prop_assert_eq!(&records[0]["status"], status);
    Ok(id)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_clear_answer_to_everything(
        (method, target, start) in start(),
        headers in prop_oneof![Just(Vec::new()), vec((header(), 1..3_usize), 0..8)],
        (bytes, breaks) in body(),
        ip: [u8; 4],
    ) {
        let (runtime, desk) = &*GATEWAY;
        let signature = if start.is_empty() { None } else { signature(&target, &bytes) };
        let body = Body::new(Sent { bytes: Some(bytes.into()), breaks });
        let mut request = Request::builder().method(method).uri(target).extension(peer(ip)).body(body).unwrap();
        request.headers_mut().extend(start);
        request.headers_mut().extend(signature.unwrap_or_default());
        for ((name, value), times) in headers {
            for _ in 0..times {
                request.headers_mut().append(&name, value.clone());
            }
        }
        runtime.block_on(send(desk, request))?;
    }
}
