//! What is being protected: the orders, and the other routes with nothing special about them.

use axum::body::{Body, Bytes};
use http::Request;
use portcullis::time::{Clock as _, SystemClock};

use crate::desk::{Desk, JSON, with};

const TEA: &str = r#"{"item":"tea","quantity":2}"#;

#[tokio::test]
async fn an_order_from_its_creation_to_its_end() {
    let desk = Desk::new().await;
    let created = desk.order(TEA).await;
    assert_eq!((created.status, &created.body["item"], &created.body["quantity"]), (201, &"tea".into(), &2.into()));
    let path = format!("/api/orders/{}", created.body["id"].as_str().unwrap());
    assert_eq!(created.headers["location"], path);
    // It exists for its owner and the administrator only.
    for (name, status) in [("TOKEN_READ", 404), ("TOKEN_WRITE", 200), ("TOKEN_ADMIN", 200)] {
        assert_eq!(desk.get_with(&path, desk.bearer(name)).await.status, status, "{name}");
    }
    for (name, orders) in [("TOKEN_READ", 0), ("TOKEN_WRITE", 1), ("TOKEN_ADMIN", 1)] {
        let list = desk.get_with("/api/orders", desk.bearer(name)).await;
        assert_eq!(list.body.as_array().unwrap().len(), orders, "{name}");
    }
    for (name, status) in [("TOKEN_WRITE", 403), ("TOKEN_ADMIN", 204), ("TOKEN_ADMIN", 404)] {
        let (header, value) = desk.bearer(name);
        assert_eq!(desk.send(Request::delete(&path).header(header, value), "").await.status, status);
    }
    desk.finish(0).await;
}

#[tokio::test]
async fn bad_orders() {
    let desk = Desk::new().await;
    for broken in ["", "{", r#"{"item":"tea","#, "tea"] {
        assert_eq!(desk.order(broken).await.refusal(), (400, "invalid_request"), "{broken}");
    }
    assert_eq!(desk.order(Bytes::from_static(b"{\"item\":\"\xff\",\"quantity\":1}")).await.status, 400);
    assert_eq!(desk.order(format!(r#"{{"x":{}"#, "[".repeat(100_000))).await.status, 400);
    for wrong in [
        "null",
        "[]",
        r#"{"item":"tea"}"#,
        r#"{"item":"tea","quantity":0}"#,
        r#"{"item":"tea","quantity":-1}"#,
        r#"{"item":"tea","quantity":1.5}"#,
        r#"{"item":"tea","quantity":"1"}"#,
        r#"{"item":"tea","quantity":99999999999999999999}"#,
        r#"{"item":1,"quantity":1}"#,
        r#"{"item":"tea","item":"tea","quantity":1}"#,
    ] {
        assert_eq!(desk.order(wrong).await.refusal(), (422, "unprocessable_content"), "{wrong}");
    }
    let (name, value) = desk.bearer("TOKEN_WRITE");
    let untyped = desk.send(Request::post("/api/orders").header(name, value), TEA).await;
    assert_eq!(untyped.refusal(), (415, "unsupported_media_type"));
    desk.finish(0).await;
}

#[tokio::test]
async fn a_body_above_one_megabyte() {
    let desk = Desk::new().await;
    let large = format!(r#"{{"item":"{}","quantity":1}}"#, "a".repeat(1_100_000));
    let (name, value) = desk.bearer("TOKEN_WRITE");
    let post = || with(Request::post("/api/orders"), &[(name, &value), JSON]);
    let announced = desk.send(post().header("content-length", large.len()), large.clone()).await;
    assert_eq!(announced.refusal(), (413, "payload_too_large"));
    let chunked = desk.send(post(), in_chunks(&large)).await;
    assert_eq!(chunked.refusal(), (413, "payload_too_large"));
    // Just below it is the JSON that counts.
    let fits = format!(r#"{{"item":"{}","quantity":1}}"#, "a".repeat(900_000));
    assert_eq!(desk.order(fits).await.status, 201);
    desk.finish(0).await;
}

#[tokio::test]
async fn what_is_not_there() {
    let desk = Desk::new().await;
    for path in ["/", "/nowhere", "/api", "/api/nowhere", "/api/orders/", "/webhooks/paypal", "/HEALTH", "//health"] {
        assert_eq!(desk.get(path).await.refusal(), (404, "not_found"), "{path}");
    }
    for path in ["/api/orders/%ff", "/api/orders/%2e%2e", "/api/orders/ord_", "/api/orders/ord_18446744073709551616"] {
        let answer = desk.get_with(path, desk.bearer("TOKEN_ADMIN")).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
    }
    let wrong_method = desk.send(Request::put("/health"), "").await;
    assert_eq!((wrong_method.refusal(), wrong_method.header("allow")), ((405, "method_not_allowed"), "GET,HEAD"));
    desk.finish(0).await;
}

#[tokio::test]
async fn the_open_and_the_slow() {
    let desk = Desk::new().await;
    assert_eq!(desk.get("/health").await.body, serde_json::json!({ "status": "ok" }));
    let keys = desk.raw(Request::get("/.well-known/jwks.json").body(Body::empty()).unwrap()).await;
    assert_eq!(
        (keys.status().as_u16(), &keys.headers()["content-type"]),
        (200, &"application/jwk-set+json".parse().unwrap())
    );
    let clock = SystemClock::new();
    let begun = clock.now().wall;
    let slow = desk.get_with("/demo/slow", desk.bearer("TOKEN_READ")).await;
    assert_eq!((slow.status, slow.body.clone()), (200, "done, usr_read".into()));
    let after = begun.saturating_add(std::time::Duration::from_secs(3));
    assert!(clock.now().wall >= after, "it answers after three seconds");
    // The keys were not asked for with `send`, and their record is not counted.
    desk.finish(0).await;
}

/// A body that does not say how long it is.
pub(crate) fn in_chunks(text: &str) -> Body {
    let chunks: Vec<_> = text.as_bytes().chunks(65_536).map(Bytes::copy_from_slice).collect();
    Body::new(Chunks(chunks.into_iter()))
}

struct Chunks(std::vec::IntoIter<Bytes>);

impl axum::body::HttpBody for Chunks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(self.0.next().map(|chunk| Ok(http_body::Frame::data(chunk))))
    }
}
