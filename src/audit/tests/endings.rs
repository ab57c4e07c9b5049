//! One record for each request, however it ends.

use std::time::Duration;

use axum::{extract::Request as AxumRequest, routing::get};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use tower_http::catch_panic::CatchPanicLayer;

use super::*;
use crate::{
    gate::{Entry, Gate, GateLayer},
    rejection::{Rejection, RejectionKind},
    request::RequestContext,
};

fn verdicts(record: &Value) -> Vec<(&str, &str)> {
    let verdicts = record["verdicts"].as_array().unwrap();
    verdicts.iter().map(|verdict| (verdict["layer"].as_str().unwrap(), verdict["verdict"].as_str().unwrap())).collect()
}

/// Refuses or answers, as the path says.
struct Inner;

impl<B> Gate<B> for Inner {
    const NAME: &'static str = "inner";
    type Pass = ();

    fn enter(
        self: &std::sync::Arc<Self>,
        request: &mut Request<B>,
        _: &std::sync::Arc<RequestContext>,
    ) -> Entry<B, ()> {
        match request.uri().path() {
            "/refused" => Entry::Reject(RejectionKind::InvalidSignature.into()),
            "/preflight" => Entry::Answer(axum::response::IntoResponse::into_response(StatusCode::NO_CONTENT)),
            _ => Entry::Pass(()),
        }
    }
}

fn router() -> Router {
    Router::new()
        .route("/ok/{id}", get(|| async { "hello" }))
        .route("/empty", get(|| async {}))
        .route("/refused", get(|| async { "never" }))
        .route("/preflight", get(|| async { "never" }).options(|| async { "never" }))
        .route("/handler", get(|| async { Rejection::new(RejectionKind::NotFound) }))
        .route("/panic", get(|| async { if true { panic!("boom") } else { "never" } }))
        .route("/never", get(std::future::pending::<()>))
        .layer(GateLayer::new(Inner))
}

#[tokio::test]
async fn a_request_that_succeeds() {
    let desk = Desk::new();
    let response = call(&desk.wrap(router()), request("/ok/7")).await;
    assert!(desk.records().await.is_empty(), "the response is not at its end");
    let id = response.headers()["x-request-id"].clone();
    assert_eq!(read(response).await, "hello");
    let record = desk.record().await;
    assert_eq!(record["v"], 1);
    assert_eq!(record["kind"], "request");
    assert_eq!(record["request_id"], id.to_str().unwrap());
    assert_eq!(record["timestamp"], "2024-11-21T12:00:00.000000Z");
    assert_eq!(
        (&record["status"], &record["level"], &record["outcome"]),
        (&200.into(), &"INFO".into(), &"completed".into())
    );
    assert_eq!(
        (&record["method"], &record["route"], &record["path"]),
        (&"GET".into(), &"/ok/{id}".into(), &"/ok/7".into())
    );
    assert_eq!((&record["request_bytes"], &record["response_bytes"]), (&0.into(), &5.into()));
    assert_eq!(verdicts(&record), [("context", "passed"), ("audit", "passed"), ("inner", "passed")]);
    for absent in ["error", "user", "auth", "quota", "rate_limit", "query", "action", "webhook", "service"] {
        assert!(record.get(absent).is_some_and(Value::is_null), "{absent}");
    }
}

#[tokio::test]
async fn a_refusal_by_an_inner_gate() {
    let desk = Desk::new();
    let response = call(&desk.wrap(router()), request("/refused")).await;
    let body = read(response).await;
    let record = desk.record().await;
    assert_eq!(
        (&record["status"], &record["level"], &record["outcome"]),
        (&401.into(), &"WARN".into(), &"completed".into())
    );
    assert_eq!(record["response_bytes"], body.len());
    assert_eq!(record["error"]["code"], "invalid_signature");
    assert_eq!(record["error"]["message"], "The signature does not verify.");
    assert_eq!(record["error"]["severity"], "high");
    assert_eq!(record["error"]["security_event"], "signature_validation_failure");
    assert_eq!(verdicts(&record).last(), Some(&("inner", "invalid_signature")));
}

#[tokio::test]
async fn a_rejection_by_the_handler() {
    let desk = Desk::new();
    read(call(&desk.wrap(router()), request("/handler")).await).await;
    let record = desk.record().await;
    assert_eq!((&record["status"], &record["error"]["code"]), (&404.into(), &"not_found".into()));
    assert_eq!(verdicts(&record).last(), Some(&("handler", "not_found")));
}

#[tokio::test]
async fn a_preflight_that_a_layer_answers() {
    let desk = Desk::new();
    let options = Request::builder().method("OPTIONS").uri("/preflight").body(Body::empty()).unwrap();
    let response = call(&desk.wrap(router()), options).await;
    // No body, so the record need not wait until somebody drops it.
    let record = desk.record().await;
    assert_eq!((&record["status"], &record["outcome"]), (&204.into(), &"completed".into()));
    assert_eq!(verdicts(&record).last(), Some(&("inner", "answered")));
    drop(response);
    assert_eq!(desk.records().await.len(), 1);
}

#[tokio::test]
async fn a_panic_that_nobody_catches() {
    let desk = Desk::new();
    let app = desk.wrap(router());
    let joined = tokio::spawn(async move { call(&app, request("/panic")).await }).await;
    assert!(joined.unwrap_err().is_panic());
    let record = desk.record().await;
    assert_eq!(
        (&record["status"], &record["level"], &record["outcome"]),
        (&Value::Null, &"ERROR".into(), &"panic".into())
    );
}

#[tokio::test]
async fn a_panic_that_is_caught_inside() {
    let desk = Desk::new();
    let app = desk.wrap(router().layer(CatchPanicLayer::custom(crate::gate::panicked)));
    let body = read(call(&app, request("/panic")).await).await;
    let record = desk.record().await;
    assert_eq!(
        (&record["status"], &record["level"], &record["outcome"]),
        (&500.into(), &"ERROR".into(), &"completed".into())
    );
    assert_eq!(record["error"]["code"], "internal_error");
    assert!(!String::from_utf8_lossy(&body).contains("boom") && !desk.sink.text().contains("boom"));
}

#[tokio::test]
async fn a_panic_within_the_body() {
    let desk = Desk::new();
    let app = desk.wrap(Router::new().route("/", get(|| async { Body::new(PanickingBody) })));
    let response = call(&app, request("/")).await;
    assert!(tokio::spawn(read(response)).await.unwrap_err().is_panic());
    let record = desk.record().await;
    assert_eq!((&record["status"], &record["outcome"]), (&200.into(), &"panic".into()));
}

struct PanickingBody;

impl http_body::Body for PanickingBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("boom")
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_before_the_response() {
    let desk = Desk::new();
    let app = desk.wrap(router());
    desk.clock.advance(Duration::from_secs(1));
    {
        let response = call(&app, request("/never"));
        tokio::pin!(response);
        assert!(std::future::poll_fn(|cx| Poll::Ready(response.as_mut().poll(cx).is_pending())).await);
        desk.clock.advance(Duration::from_millis(1_234));
    }
    let record = desk.record().await;
    assert_eq!(
        (&record["status"], &record["level"], &record["outcome"]),
        (&Value::Null, &"WARN".into(), &"aborted".into())
    );
    assert_eq!((&record["route"], &record["duration_us"]), (&"/never".into(), &1_234_000.into()));
}

#[tokio::test]
async fn a_client_that_hangs_up_within_the_response() {
    let desk = Desk::new();
    let (frames, body) = channel();
    let response = call(&desk.wrap(once(body)), request("/")).await;
    frames.send(Ok(frame("half"))).await.unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    let record = desk.record().await;
    assert_eq!(
        (&record["status"], &record["level"], &record["outcome"]),
        (&200.into(), &"WARN".into(), &"aborted".into())
    );
    assert_eq!(record["response_bytes"], 4);
}

/// Answers with `body`, the first time.
fn once(body: Body) -> Router {
    let body = std::sync::Arc::new(std::sync::Mutex::new(Some(body)));
    Router::new().route("/", get(move || async move { body.lock().unwrap().take().unwrap() }))
}

#[tokio::test]
async fn a_body_that_fails() {
    let desk = Desk::new();
    let (frames, body) = channel();
    let response = call(&desk.wrap(once(body)), request("/")).await;
    frames.send(Ok(frame("half"))).await.unwrap();
    frames.send(Err("broken")).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
    let record = desk.record().await;
    assert_eq!(
        (&record["level"], &record["outcome"], &record["response_bytes"]),
        (&"ERROR".into(), &"failed".into(), &4.into())
    );
}

#[tokio::test]
async fn the_duration_spans_the_stream() {
    let desk = Desk::new();
    let (frames, body) = channel();
    let mut body = call(&desk.wrap(once(body)), request("/")).await.into_body();
    for part in ["one", "two", "three"] {
        frames.send(Ok(frame(part))).await.unwrap();
        body.frame().await.unwrap().unwrap();
        desk.clock.advance(Duration::from_millis(500));
    }
    assert!(desk.records().await.is_empty());
    drop(frames);
    assert!(body.frame().await.is_none());
    drop(body);
    let record = desk.record().await;
    assert_eq!((&record["duration_ms"], &record["duration_us"]), (&1_500.into(), &1_500_000.into()));
    assert_eq!((&record["response_bytes"], &record["outcome"]), (&11.into(), &"completed".into()));
    assert_eq!(record["timestamp"], "2024-11-21T12:00:00.000000Z");
}

#[tokio::test]
async fn trailers_are_the_end() {
    let desk = Desk::new();
    let (frames, body) = channel();
    let mut body = call(&desk.wrap(once(body)), request("/")).await.into_body();
    frames.send(Ok(frame("data"))).await.unwrap();
    frames.send(Ok(Frame::trailers(HeaderMap::new()))).await.unwrap();
    body.frame().await.unwrap().unwrap();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(desk.record().await["outcome"], "completed");
}

#[tokio::test]
async fn a_body_of_declared_length_is_complete_when_that_much_has_passed() {
    let desk = Desk::new();
    let (frames, body) = channel();
    let app = desk.wrap(once(body).layer(tower::util::MapResponseLayer::new(|mut response: Response| {
        response.headers_mut().insert("content-length", http::HeaderValue::from_static("4"));
        response
    })));
    let mut body = call(&app, request("/")).await.into_body();
    frames.send(Ok(frame("four"))).await.unwrap();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(desk.record().await["outcome"], "completed");
}

#[tokio::test]
async fn responses_without_a_body_are_recorded_at_once() {
    for (method, path, status) in [("GET", "/empty", 200), ("HEAD", "/ok/7", 200), ("GET", "/nowhere", 404)] {
        let desk = Desk::new();
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = call(&desk.wrap(router().fallback(|| async { StatusCode::NOT_FOUND })), request).await;
        let record = desk.record().await;
        assert_eq!(
            (&record["status"], &record["outcome"], &record["response_bytes"]),
            (&status.into(), &"completed".into(), &0.into())
        );
        drop(response);
        assert_eq!(desk.records().await.len(), 1, "{path}");
    }
}

#[tokio::test]
async fn upgrades_and_not_modified_are_recorded_at_once() {
    for status in [StatusCode::SWITCHING_PROTOCOLS, StatusCode::NOT_MODIFIED] {
        let desk = Desk::new();
        let app = desk.wrap(Router::new().route("/", get(move || async move { (status, "nobody reads this") })));
        let _response = call(&app, request("/")).await;
        assert_eq!(desk.record().await["outcome"], "completed", "{status}");
    }
}

#[tokio::test]
async fn request_bytes_are_those_the_handler_read() {
    let desk = Desk::new();
    let read_all = |request: AxumRequest| async move { request.into_body().collect().await.unwrap().to_bytes() };
    let app = desk.wrap(
        Router::new().route("/all", axum::routing::post(read_all)).route("/none", axum::routing::post(|| async {})),
    );
    // Chunked: no Content-Length to trust.
    let (frames, body) = channel();
    frames.send(Ok(frame("hello "))).await.unwrap();
    frames.send(Ok(frame("world"))).await.unwrap();
    drop(frames);
    let post = |path: &str, body| Request::builder().method("POST").uri(path).body(body).unwrap();
    read(call(&app, post("/all", body)).await).await;
    read(call(&app, post("/none", Body::from("unread"))).await).await;
    let bytes: Vec<_> = desk.records().await.iter().map(|record| record["request_bytes"].as_u64().unwrap()).collect();
    assert_eq!(bytes, [11, 0]);
}
