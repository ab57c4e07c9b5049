use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{Router, body::Body, http::StatusCode, response::Response, routing::any};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request};
use tower::{ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    backend::memory::MemoryStore,
    gate::RequestContextLayer,
    rejection::{Rejection, RejectionKind},
    request::VerifiedWebhook,
    secret::{Secret, SecretSet},
    store::{BoxFuture, StoreError},
    time::{ManualClock, Timestamp},
};

mod claims;
mod headers;
mod hostile;

const NOW: u64 = 1_700_000_000;
const SECRET: &str = "a secret of this test";

/// A router with one hook, whose handler counts its calls and answers what it is told to.
struct Site {
    app: Router,
    clock: ManualClock,
    calls: Arc<AtomicUsize>,
    status: Arc<AtomicU16>,
    secrets: SecretSet,
    layer: WebhookVerifyLayer,
}

impl Site {
    fn new(provider: Provider) -> Self {
        Self::with(provider, MemoryStore::new(), |builder| builder)
    }

    fn with(
        provider: Provider,
        store: impl ReplayStore,
        set: impl FnOnce(WebhookVerifyLayerBuilder) -> WebhookVerifyLayerBuilder,
    ) -> Self {
        let secrets = SecretSet::new(SECRET.into());
        let layer = set(WebhookVerifyLayer::builder(provider, secrets.clone(), store)).build().unwrap();
        let clock = ManualClock::at(Timestamp::from_secs(NOW));
        let (calls, status) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU16::new(200)));
        let (count, answer) = (Arc::clone(&calls), Arc::clone(&status));
        let handler = move |_: VerifiedWebhook, body: Bytes| async move {
            count.fetch_add(1, SeqCst);
            tokio::task::yield_now().await;
            assert_ne!(body, "panic", "as the body demands");
            if body == "hang" {
                std::future::pending::<()>().await;
            }
            StatusCode::from_u16(answer.load(SeqCst)).unwrap()
        };
        let stack = ServiceBuilder::new().layer(RequestContextLayer::new().clock(clock.clone())).layer(layer.clone());
        let app = Router::new().route("/a", any(handler.clone())).route("/b", any(handler)).layer(stack);
        Self { app, clock, calls, status, secrets, layer }
    }

    fn calls(&self) -> usize {
        self.calls.load(SeqCst)
    }

    async fn send(&self, headers: HeaderMap, body: impl Into<Body>) -> Response {
        self.send_to("/a", headers, body).await
    }

    async fn send_to(&self, path: &str, headers: HeaderMap, body: impl Into<Body>) -> Response {
        let mut request = Request::post(path).body(body.into()).unwrap();
        *request.headers_mut() = headers;
        self.app.clone().oneshot(request).await.unwrap()
    }
}

fn signed(provider: &Provider, id: &str, at: u64, body: &[u8]) -> HeaderMap {
    provider.sign(&SECRET.into(), id, Timestamp::from_secs(at), body).unwrap()
}

/// A GitHub delivery.
fn delivery(id: &str, body: &str) -> HeaderMap {
    signed(&Provider::github(), id, NOW, body.as_bytes())
}

fn with(mut headers: HeaderMap, name: &'static str, value: &str) -> HeaderMap {
    headers.insert(HeaderName::from_static(name), value.parse().unwrap());
    headers
}

fn code(response: &Response) -> (u16, &'static str) {
    let code = response.extensions().get::<Rejection>().map_or("-", |rejection| rejection.kind().code());
    (response.status().as_u16(), code)
}

fn is_duplicate(response: &Response) -> bool {
    response.headers().get("x-webhook-duplicate").is_some_and(|value| value == "1")
}
