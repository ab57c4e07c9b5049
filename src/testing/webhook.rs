//! Webhooks that nobody signed.

use std::{fmt, sync::Arc};

use http::Request;

use crate::{
    gate::{Entry, Gate, GateLayer, VerdictCounts, layer_of_gate},
    request::{Place, RequestContext, VerifiedWebhook, VerifiedWebhookParts},
};

/// A layer that says of every request that it is the event `event_id` of `provider`, and genuine: a
/// handler that takes a [`VerifiedWebhook`] is tested without signatures.
///
/// ```
/// use axum::{Router, body::Body, routing::post};
/// use http::{Request, StatusCode};
/// use portcullis::{request::VerifiedWebhook, testing::with_webhook};
/// use tower::ServiceExt;
///
/// async fn paid(event: VerifiedWebhook) -> String {
///     event.event_id().to_owned()
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let app = Router::new().route("/", post(paid)).layer(with_webhook("stripe", "evt_1"));
/// let response = app.oneshot(Request::post("/").body(Body::empty()).unwrap()).await.unwrap();
/// assert_eq!(response.status(), StatusCode::OK);
/// # }
/// ```
pub fn with_webhook(provider: &str, event_id: &str) -> WebhookLayer {
    let webhook = VerifiedWebhook::new(VerifiedWebhookParts {
        provider: provider.into(),
        event_id: event_id.into(),
        event_type: None,
        timestamp: None,
    });
    WebhookLayer { gate: GateLayer::new(TestWebhookGate { webhook }) }
}

/// Stands where `WebhookVerifyLayer` would; see [`with_webhook`].
#[derive(Clone, Debug)]
pub struct WebhookLayer {
    gate: GateLayer<TestWebhookGate>,
}

impl WebhookLayer {
    /// How many requests passed.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

layer_of_gate!(WebhookLayer => TestWebhookGate, |layer| layer.gate.clone());

/// The gate of [`WebhookLayer`].
pub struct TestWebhookGate {
    webhook: VerifiedWebhook,
}

impl fmt::Debug for TestWebhookGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestWebhookGate").field("webhook", &self.webhook).finish()
    }
}

impl<B> Gate<B> for TestWebhookGate {
    const NAME: &'static str = "test_webhook";
    const PLACE: Place = Place::Webhook;
    type Pass = ();

    fn enter(self: &Arc<Self>, _: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, ()> {
        context.set_webhook(self.webhook.clone());
        Entry::Pass(())
    }
}
