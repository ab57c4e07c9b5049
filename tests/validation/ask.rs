//! A router behind the layer, and what becomes of a request.

use axum::{
    Router,
    body::{Body, Bytes},
    routing::any,
};
use http::{HeaderMap, Request, StatusCode};
use portcullis::validate::{RequestValidationLayer, RequestValidationLayerBuilder, Rule, Rules};
use serde_json::Value;
use tower::ServiceExt as _;

pub(crate) fn layer() -> RequestValidationLayerBuilder {
    RequestValidationLayer::builder()
}

/// Any method on `/orders` and `/orders/{id}`, answered with the body that the handler got.
pub(crate) fn echo() -> Router {
    let echo = || any(|body: Bytes| async move { body });
    Router::new().route("/orders", echo()).route("/orders/{id}", echo()).route("/files/{*rest}", echo())
}

pub(crate) fn app(layer: RequestValidationLayerBuilder) -> Router {
    echo().layer(layer.build().unwrap())
}

/// With one rule for all.
pub(crate) fn ruled(rule: Rule) -> Router {
    app(layer().default_rule(rule))
}

pub(crate) fn with_rules(rules: Rules) -> Router {
    app(layer().rules(rules))
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) async fn ask(app: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// A request with these header fields.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(body.into()).unwrap()
}

/// JSON to `/orders`.
pub(crate) fn post(body: impl Into<Body>) -> Request<Body> {
    request("POST", "/orders", &[("content-type", "application/json")], body)
}

pub(crate) async fn status(app: &Router, request: Request<Body>) -> u16 {
    ask(app, request).await.status.as_u16()
}

/// A body whose length nobody knows, in these pieces.
pub(crate) fn chunked(pieces: impl IntoIterator<Item = Vec<u8>>) -> Body {
    let (sender, body) = pieces_of();
    pieces.into_iter().for_each(|piece| sender.send(piece.into()).unwrap());
    body
}

/// A body of what is sent, until the sender is dropped.
pub(crate) fn pieces_of() -> (tokio::sync::mpsc::UnboundedSender<Bytes>, Body) {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    (sender, Body::new(Pieces(receiver)))
}

struct Pieces(tokio::sync::mpsc::UnboundedReceiver<Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(http_body::Frame::data(piece))))
    }
}

/// A body that must not be read.
pub(crate) fn untouchable() -> Body {
    struct Untouchable;
    impl http_body::Body for Untouchable {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            // After the refusal it is read and thrown away, in a task of its own.
            assert!(std::thread::panicking() || tokio::task::try_id().is_some(), "it was read before the answer");
            std::task::Poll::Ready(None)
        }
    }
    Body::new(Untouchable)
}
