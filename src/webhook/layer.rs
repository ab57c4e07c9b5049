use std::{fmt, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use sha2::{Digest as _, Sha256};

use super::{
    Provider, ReplayIdentity, ReplayKey, ReplayStore, WebhookPass, WebhookVerifyLayerBuilder, body,
    claim::{Admission, Claiming},
    envelope::{self, Envelope},
    fields,
    mac::{Message, Verifier},
    spec::{Part, Spec},
};
use crate::{
    gate::{self, Entry, Gate, GateLayer, Leave, VerdictCounts, Waited, layer_of_gate},
    rejection::{Rejection, RejectionKind},
    request::{Place, RequestContext, VerifiedWebhook, VerifiedWebhookParts},
    secret::SecretSet,
};

const X_WEBHOOK_DUPLICATE: HeaderName = HeaderName::from_static("x-webhook-duplicate");
const POST: HeaderValue = HeaderValue::from_static("POST");
const ONE: HeaderValue = HeaderValue::from_static("1");

/// How many bytes are hashed before other tasks get their turn: about a tenth of a millisecond.
const CHUNK: usize = 128 * 1024;

/// Lets genuine webhooks of one provider through, each event once. See the [module](super).
#[derive(Clone, Debug)]
pub struct WebhookVerifyLayer {
    pub(super) gate: GateLayer<WebhookGate>,
}

impl WebhookVerifyLayer {
    /// Settings for a layer that verifies `provider`'s signatures with `secrets`, and claims events
    /// in `store`.
    pub fn builder(
        provider: Provider,
        secrets: impl Into<SecretSet>,
        store: impl ReplayStore + 'static,
    ) -> WebhookVerifyLayerBuilder {
        WebhookVerifyLayerBuilder::new(provider, secrets.into(), Arc::new(store))
    }

    /// How often the layer said what. A repetition of a completed event counts as answered.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

layer_of_gate!(WebhookVerifyLayer => WebhookGate, |layer| layer.gate.clone());

/// The gate of [`WebhookVerifyLayer`].
pub struct WebhookGate {
    pub(super) provider: Arc<str>,
    pub(super) spec: Arc<Spec>,
    pub(super) secrets: SecretSet,
    pub(super) store: Arc<dyn ReplayStore>,
    pub(super) endpoint: Option<Arc<str>>,
    pub(super) max_body: usize,
    pub(super) body_timeout: Duration,
    pub(super) lease: Duration,
    pub(super) ttl: Duration,
    pub(super) identity: ReplayIdentity,
}

impl fmt::Debug for WebhookGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookGate").field("provider", &self.provider).finish_non_exhaustive()
    }
}

type WebhookEntry = Entry<Body, WebhookPass>;

impl Gate<Body> for WebhookGate {
    const NAME: &'static str = "webhook";
    const PLACE: Place = Place::Webhook;
    type Pass = WebhookPass;

    fn enter(self: &Arc<Self>, request: &mut Request<Body>, context: &Arc<RequestContext>) -> WebhookEntry {
        if request.method() != Method::POST {
            let rejection = Rejection::new(RejectionKind::MethodNotAllowed).with_header(header::ALLOW, POST);
            return Entry::Reject(rejection);
        }
        let envelope = match envelope::open(&self.spec, request.headers(), context.now().wall) {
            Ok(envelope) => envelope,
            Err(kind) => return Entry::Reject(refuse(kind)),
        };
        if let Err(kind) = body::check(request.headers(), request.body(), self.max_body) {
            return Entry::Reject(kind.into());
        }
        let (gate, context) = (Arc::clone(self), Arc::clone(context));
        Entry::wait(move |request| async move {
            gate.admit(request, envelope, &context).await.unwrap_or_else(Waited::Reject)
        })
    }

    /// What is no success is a failure: the provider will send it again, and it may then succeed.
    fn leave(self: &Arc<Self>, pass: WebhookPass, response: &mut Response, _: &Arc<RequestContext>) -> Leave {
        let status = response.status();
        if !(status.is_success() || status.is_redirection()) {
            drop(pass);
            return Leave::Done;
        }
        match pass.complete(self.ttl) {
            None => Leave::Done,
            Some(settling) => Leave::wait(|response| async move {
                settling.await;
                response
            }),
        }
    }
}

/// A 401 comes with a challenge (RFC 9110 §15.5.2), even where nobody negotiates: it says that a
/// signature is what is missing, and nothing of the provider.
fn refuse(kind: RejectionKind) -> Rejection {
    let rejection = Rejection::new(kind);
    if kind.status() == StatusCode::UNAUTHORIZED {
        return rejection.with_challenge(HeaderValue::from_static("Signature realm=\"webhook\""));
    }
    rejection
}

impl WebhookGate {
    async fn admit(
        &self,
        request: Request<Body>,
        envelope: Envelope,
        context: &RequestContext,
    ) -> Result<Waited<Body, WebhookPass>, Rejection> {
        let (parts, body) = request.into_parts();
        let read = gate::collect(body, self.max_body, self.body_timeout).await?;
        let body = read.bytes();
        self.verify(&envelope, body, context).await?;
        let (event_id, event_type) = self.identify(&envelope, body);
        let key = self.key(&envelope, body, &event_id, context);
        context.set_webhook(VerifiedWebhook::new(VerifiedWebhookParts {
            provider: Arc::clone(&self.provider),
            event_id,
            event_type,
            timestamp: envelope.timestamp.as_ref().map(|(_, time)| *time),
        }));
        // The clock was read when the request arrived: the time that the body took is added.
        let lease = self.lease.saturating_add(self.body_timeout);
        let now = context.now().monotonic;
        let claiming = Claiming::new(Arc::clone(&self.store), key, lease, now);
        match claiming.answer().await.map_err(Rejection::backend)? {
            Admission::Fresh(pass) => Ok(Waited::Pass(Request::from_parts(parts, read.into_body()), pass)),
            Admission::Completed => Ok(Waited::Answer(duplicate())),
            Admission::InFlight { retry_after } => {
                Err(Rejection::new(RejectionKind::EventInFlight).with_retry_after(retry_after))
            }
        }
    }

    async fn verify(&self, envelope: &Envelope, body: &Bytes, context: &RequestContext) -> Result<(), Rejection> {
        let secrets = self.secrets.valid_at(context.now().wall);
        let Some(mut verifier) = Verifier::new(&secrets, &self.spec.secret) else {
            return Err(Rejection::misconfigured("no secret of a WebhookVerifyLayer is usable: see its rotation"));
        };
        let message = message(envelope, body);
        for part in &*self.spec.signed {
            let mut chunks = message.part(part).chunks(CHUNK).peekable();
            while let Some(chunk) = chunks.next() {
                verifier.update(chunk);
                if chunks.peek().is_some() {
                    tokio::task::yield_now().await;
                }
            }
        }
        verifier.finish(&envelope.candidates).then_some(()).ok_or_else(|| refuse(RejectionKind::InvalidSignature))
    }

    /// The event's id and type. Only a verified body is looked into.
    fn identify(&self, envelope: &Envelope, body: &Bytes) -> (Box<str>, Option<Box<str>>) {
        let spec = &self.spec;
        // An id in the body is signed. A header that is not signed may say what it likes, and comes
        // second: else whoever got hold of one delivery could send it again under another id.
        let header_is_signed = spec.signs(&Part::Id);
        let id_field = spec.id_field.as_deref().filter(|_| envelope.id.is_none() || !header_is_signed);
        let type_field = spec.type_field.as_deref().filter(|_| envelope.event_type.is_none());
        let found = match (id_field, type_field) {
            (None, None) => fields::Fields::default(),
            _ => fields::read(body, id_field, type_field),
        };
        let id = found.id.or_else(|| envelope.id.clone()).unwrap_or_else(|| self.digest(envelope, body));
        (id, envelope.event_type.clone().or(found.kind))
    }

    fn key(&self, envelope: &Envelope, body: &Bytes, event_id: &str, context: &RequestContext) -> ReplayKey {
        let endpoint = self.endpoint.as_deref().or_else(|| context.route()).unwrap_or_default();
        match self.identity {
            ReplayIdentity::EventId => ReplayKey::new(&self.provider, endpoint, event_id),
            ReplayIdentity::SignedBytes => ReplayKey::new(&self.provider, endpoint, &self.digest(envelope, body)),
        }
    }

    /// The id of an event that has none.
    fn digest(&self, envelope: &Envelope, body: &Bytes) -> Box<str> {
        let message = message(envelope, body);
        let mut digest = Sha256::new();
        for part in &*self.spec.signed {
            digest.update(message.part(part));
        }
        format!("sha256:{:x}", base16ct::HexDisplay(&digest.finalize())).into()
    }
}

fn message<'a>(envelope: &'a Envelope, body: &'a [u8]) -> Message<'a> {
    Message {
        id: envelope.id.as_deref().unwrap_or_default(),
        timestamp: envelope.timestamp.as_ref().map_or("", |(text, _)| text),
        body,
    }
}

/// What stops a provider from sending an event again.
fn duplicate() -> Response {
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(X_WEBHOOK_DUPLICATE, ONE);
    response
}
