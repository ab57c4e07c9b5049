//! One record for each request, however it ends, with the verdicts from outside in.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::desk::{APP, Answer, Desk, JSON, bearer, with};

const EDGE: [&str; 5] = ["context passed", "audit passed", "security_headers passed", "cors passed", "problem passed"];

/// Behind the edge, which everything passes.
async fn expect(desk: &Desk, answer: &Answer, (route, status, path): (Option<&str>, u16, &str), inner: &[&str]) {
    let record = desk.record(answer).await;
    assert_eq!((&record["route"], &record["path"], &record["status"]), (&json!(route), &json!(path), &json!(status)));
    let refused = status >= 400;
    let level = if status >= 500 {
        "ERROR"
    } else if refused {
        "WARN"
    } else {
        "INFO"
    };
    assert_eq!((&record["outcome"], &record["level"]), (&"completed".into(), &level.into()));
    assert_eq!(record["error"]["code"].as_str().unwrap_or_default(), answer.error());
    assert_eq!(desk.verdicts(answer).await, [&EDGE[..], inner].concat(), "{path}");
}

#[tokio::test]
async fn every_kind_of_request() {
    let desk = Desk::new().await;
    let (name, read) = desk.bearer("TOKEN_READ");
    let read = (name, &*read);
    let (orders, order) = (Some("/api/orders"), Some("/api/orders/{id}"));
    let (address, auth, client) = ("rate_limit passed", "auth passed", "rate_limit passed");

    let answer = desk.get_with("/api/orders", read).await;
    expect(&desk, &answer, (orders, 200, "/api/orders"), &[address, auth, client, "scope passed"]).await;
    let answer = desk.get("/api/orders").await;
    expect(&desk, &answer, (orders, 401, "/api/orders"), &[address, "auth missing_credentials"]).await;
    for (token, code) in [
        (desk.value("TOKEN_EXPIRED").to_owned(), "auth token_expired"),
        (desk.issuer.token("usr").tampered().sign(), "auth invalid_signature"),
        (desk.issuer.token("usr").unsigned().sign(), "auth unsupported_algorithm"),
        (desk.issuer.token("usr").audience("other").sign(), "auth invalid_token"),
    ] {
        let answer = desk.get_with("/api/orders", bearer(&token)).await;
        expect(&desk, &answer, (orders, 401, "/api/orders"), &[address, code]).await;
    }
    let answer = desk.send(with(Request::get("/api/orders"), &[read, read]), "").await;
    expect(&desk, &answer, (orders, 400, "/api/orders"), &[address, "auth invalid_request"]).await;
    let answer = desk.send(with(Request::post("/api/orders"), &[read]), "").await;
    let scope = "scope insufficient_scope";
    expect(&desk, &answer, (orders, 403, "/api/orders"), &[address, auth, client, scope]).await;
    let answer = desk.get_with("/api/orders/ord_7", read).await;
    let passed = [address, auth, client, "scope passed", "handler not_found"];
    expect(&desk, &answer, (order, 404, "/api/orders/ord_7"), &passed).await;
    let answer = desk.get("/nowhere").await;
    expect(&desk, &answer, (None, 404, "/nowhere"), &["handler not_found"]).await;
    let answer = desk.get_with("/demo/panic", read).await;
    let panicked = [address, auth, client, "handler internal_error"];
    expect(&desk, &answer, (Some("/demo/panic"), 500, "/demo/panic"), &panicked).await;
    let answer = desk.send(Request::post("/webhooks/slack"), "").await;
    let malformed = ["rate_limit passed", "webhook malformed_signature"];
    expect(&desk, &answer, (Some("/webhooks/slack"), 400, "/webhooks/slack"), &malformed).await;
    desk.finish(0).await;
}

#[tokio::test]
async fn limits_and_preflights() {
    let desk = Desk::new().await;
    for _ in 0..5 {
        desk.send(Request::post("/auth/login"), "").await;
        desk.get_with("/quota/demo", desk.api_key()).await;
    }
    let answer = desk.send(Request::post("/auth/login"), "").await;
    let login = (Some("/auth/login"), 429, "/auth/login");
    expect(&desk, &answer, login, &["rate_limit rate_limit_exceeded"]).await;
    let answer = desk.get_with("/quota/demo", desk.api_key()).await;
    let inner = ["rate_limit passed", "auth passed", "rate_limit passed", "quota quota_exceeded"];
    expect(&desk, &answer, (Some("/quota/demo"), 402, "/quota/demo"), &inner).await;
    let ask = [("origin", APP), ("access-control-request-method", "GET")];
    let answer = desk.send(with(Request::options("/api/orders"), &ask), "").await;
    let answered = [&EDGE[..3], &["cors answered"]].concat();
    assert_eq!(desk.verdicts(&answer).await, answered);
    desk.finish(0).await;
}

#[tokio::test]
async fn what_the_handler_adds() {
    let desk = Desk::new().await;
    let created = desk.order(r#"{"item":"tea","quantity":1}"#).await;
    let record = desk.record(&created).await;
    assert_eq!((&record["action"], &record["user"]["id"]), (&"order.create".into(), &"usr_write".into()));
    assert_eq!(record["resources"][0]["id"], created.body["id"]);
    assert_eq!((&record["request_bytes"], &record["auth"]["method"]), (&27.into(), &"jwt".into()));
    let key = desk.get_with("/api/orders", desk.api_key()).await;
    let record = desk.record(&key).await;
    assert_eq!((&record["auth"]["method"], &record["user"]["plan"]), (&"api_key".into(), &"free".into()));
    assert!(record["auth"]["key_fingerprint"].is_string());
    desk.finish(0).await;
}

#[tokio::test]
async fn a_client_that_hangs_up() {
    let desk = Desk::new().await;
    let (name, value) = desk.bearer("TOKEN_WRITE");
    let request = |path| Request::get(path).header(name, &value).body(Body::empty()).unwrap();
    desk.abandon(request("/demo/slow"));
    let last = desk.records().await.pop().unwrap();
    assert_eq!((&last["status"], &last["outcome"]), (&Value::Null, &"aborted".into()));
    assert_eq!((&last["path"], &last["user"]["id"]), (&"/demo/slow".into(), &"usr_write".into()));

    // Before the response is read.
    drop(desk.raw(request("/api/orders")).await);
    let last = desk.records().await.pop().unwrap();
    assert_eq!(
        (&last["status"], &last["outcome"], &last["path"]),
        (&200.into(), &"aborted".into(), &"/api/orders".into())
    );

    // While the body is still being sent, to a handler and to a hook.
    let (kind, json) = JSON;
    let stuck = || Body::new(Stuck);
    desk.abandon(Request::post("/api/orders").header(name, &value).header(kind, json).body(stuck()).unwrap());
    let last = desk.records().await.pop().unwrap();
    assert_eq!((&last["status"], &last["method"]), (&Value::Null, &"POST".into()));
    desk.abandon(Request::post("/webhooks/shopify").header("x-shopify-hmac-sha256", SIGNATURE).body(stuck()).unwrap());
    let last = desk.records().await.pop().unwrap();
    assert_eq!((&last["status"], &last["route"]), (&Value::Null, &"/webhooks/shopify".into()));
    desk.finish(4).await;
}

const SIGNATURE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A body that never comes.
struct Stuck;

impl axum::body::HttpBody for Stuck {
    type Data = axum::body::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Pending
    }
}
