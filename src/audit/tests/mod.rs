//! The layer in real routers.

mod caught;
mod contents;
mod endings;
mod pipeline;
mod waivers;
mod wire;

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{Router, body::Body, response::Response};
use bytes::Bytes;
use http::Request;
use http_body::Frame;
use serde_json::Value;
use tokio::sync::mpsc;
use tower::{ServiceBuilder, ServiceExt as _};

use super::{AuditHandle, AuditLayer, MemorySink};
use crate::{
    gate::RequestContextLayer,
    time::{ManualClock, Timestamp},
};

const NOON: Timestamp = Timestamp::from_secs(1_732_190_400);

/// A layer, what it wrote, and the clock of its requests.
struct Desk {
    layer: AuditLayer,
    handle: AuditHandle,
    sink: MemorySink,
    clock: ManualClock,
}

impl Desk {
    fn new() -> Self {
        Self::with(|sink| AuditLayer::builder(sink).build().unwrap())
    }

    fn with(layer: impl FnOnce(MemorySink) -> AuditLayer) -> Self {
        let sink = MemorySink::new();
        let layer = layer(sink.clone());
        Self { handle: layer.handle(), layer, sink, clock: ManualClock::at(NOON) }
    }

    fn wrap(&self, router: Router) -> Router {
        let context = RequestContextLayer::new().clock(self.clock.clone());
        router.layer(ServiceBuilder::new().layer(context).layer(self.layer.clone()))
    }

    async fn records(&self) -> Vec<Value> {
        self.handle.flush().await;
        self.sink.records()
    }

    /// The one record.
    async fn record(&self) -> Value {
        let mut records = self.records().await;
        assert_eq!(records.len(), 1, "{records:#?}");
        records.remove(0)
    }
}

fn request(path: &str) -> Request<Body> {
    Request::builder().uri(path).body(Body::empty()).unwrap()
}

type Frames = mpsc::Sender<Result<Frame<Bytes>, &'static str>>;

/// A body whose frames the test sends one by one.
fn channel() -> (Frames, Body) {
    let (frames, inbox) = mpsc::channel(4);
    (frames, Body::new(ChannelBody(inbox)))
}

fn frame(data: &'static str) -> Frame<Bytes> {
    Frame::data(Bytes::from_static(data.as_bytes()))
}

struct ChannelBody(mpsc::Receiver<Result<Frame<Bytes>, &'static str>>);

impl http_body::Body for ChannelBody {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.0.poll_recv(cx)
    }
}

async fn call(app: &Router, request: Request<Body>) -> Response {
    let response: Result<_, Infallible> = app.clone().oneshot(request).await;
    response.unwrap()
}

async fn read(response: Response) -> Bytes {
    http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes()
}
