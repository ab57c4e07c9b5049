//! Incoming webhooks: only genuine ones reach the handler, and each event once.
//!
//! [`WebhookVerifyLayer`] protects a hook against forged and altered events, against replays, against
//! two copies being processed at once, and against bodies that are too large or never end. The
//! schemes of Stripe, GitHub, Shopify, Slack and [Standard Webhooks](https://www.standardwebhooks.com)
//! are rows of one table ([`Provider`]); a provider of your own is [another row](Provider::custom).
//! The MAC is HMAC (RFC 2104) with SHA-256, compared in constant time.
//!
//! ```
//! use axum::{Router, body::{Body, Bytes}, routing::post};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     backend::memory::MemoryStore,
//!     gate::RequestContextLayer,
//!     request::VerifiedWebhook,
//!     secret::Secret,
//!     time::{ManualClock, Timestamp},
//!     webhook::{Provider, WebhookVerifyLayer},
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! async fn paid(hook: VerifiedWebhook, body: Bytes) -> String {
//!     format!("{} {} of {} bytes", hook.provider(), hook.event_id(), body.len())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = Secret::new("whsec_from_the_dashboard");
//! let layer = WebhookVerifyLayer::builder(Provider::stripe(), secret.clone(), MemoryStore::new()).build()?;
//! let now = Timestamp::from_secs(1_700_000_000);
//! let context = RequestContextLayer::new().clock(ManualClock::at(now)); // in production: the machine's
//! let app = Router::new()
//!     .route("/webhooks/stripe", post(paid))
//!     .layer(ServiceBuilder::new().layer(context).layer(layer));
//!
//! let body = r#"{"id":"evt_1","type":"invoice.paid"}"#;
//! let send = |body: &'static str| {
//!     let mut request = Request::post("/webhooks/stripe").body(Body::from(body)).unwrap();
//!     let signed = Provider::stripe().sign(&secret, "evt_1", now, br#"{"id":"evt_1","type":"invoice.paid"}"#);
//!     request.headers_mut().extend(signed.unwrap());
//!     app.clone().oneshot(request)
//! };
//! assert_eq!(send(body).await?.status(), StatusCode::OK);
//! let again = send(body).await?;
//! assert_eq!((again.status(), &again.headers()["x-webhook-duplicate"]), (StatusCode::OK, &"1".parse()?));
//! assert_eq!(send("{}").await?.status(), StatusCode::UNAUTHORIZED);
//! # Ok(()) }
//! ```
//!
//! # What it reads and leaves
//! It reads the scheme's headers, the body and the one reading of the clock; it leaves a
//! [`VerifiedWebhook`](crate::request::VerifiedWebhook) in the request context, which a handler takes
//! as an extractor. The body is handed on as the bytes that were verified. Secrets come from a
//! [`SecretSet`](crate::secret::SecretSet): while one rotates, both are accepted.
//!
//! # Where it stands
//! On the hook's route, where `AuthLayer` stands on others; inside CORS, audit and rate limits, and
//! outside anything that decompresses or changes the body. Put a rate limit by address outside it:
//! a forged event costs the reading and hashing of one body.
//!
//! # How it decides, and how it fails
//!
//! | in this order | kind | status |
//! |---|---|---|
//! | not `POST` | `MethodNotAllowed` | 405 |
//! | a header of the scheme missing, repeated or malformed | `MalformedSignature` | 400 |
//! | the signed time too old or in the future | `StaleTimestamp` | 401 |
//! | `Content-Encoding` | `UnsupportedMediaType` | 415 |
//! | the body too large, announced or found out | `PayloadTooLarge` | 413 |
//! | the body not there in time | `RequestTimeout` | 408 |
//! | the body broken off | `InvalidRequest` | 400 |
//! | no secret and no candidate agree | `InvalidSignature` | 401 |
//! | the store cannot answer within 3 s, or is full | `BackendUnavailable` | 503 |
//! | another copy is being processed | `EventInFlight`, with `Retry-After` | 409 |
//! | the event has been completed | none: answered with `x-webhook-duplicate: 1` | 200 |
//!
//! A 401 carries the challenge `Signature realm="webhook"`.
//!
//! All but the body and the store is decided before a byte of the body is read.
//!
//! An event is claimed in a [`ReplayStore`] with a lease. A 2xx or 3xx of the handler completes it.
//! Anything else releases it, so that the provider's next attempt runs the handler again: 5xx, and
//! also 4xx, because a 404 or 422 of today is often a deployment of tomorrow; a handler that will
//! never accept an event should answer 2xx. A panic, or a client that goes away (also while the
//! store is being asked), releases it too. If the process dies, the lease (60 s) ends it. So a
//! handler may run more than once for one event, but never twice at a time within the lease, and
//! never again after a success that was stored.
//!
//! # What no receiver can mend
//! GitHub and Shopify sign the body alone: neither the event's id and type nor a time. Whoever got
//! hold of one delivery can send it again under another id. [`ReplayIdentity::SignedBytes`] closes
//! that, at a price. An `X-Webhook-ID` is not signed either: the `id` of the signed body comes before it.
//!
//! # Cost
//! One box for the wait, two for the claim; the body is read once and not copied if it arrived in
//! one piece. A body is hashed once for each valid secret, in pieces of 128 KiB with other tasks in
//! between. Reading the event id out of a JSON body walks it once without building values. The
//! time-outs of body and store need tokio's timer (`enable_time`, as in `#[tokio::main]`).

mod body;
mod builder;
mod claim;
mod custom;
mod envelope;
mod fields;
mod layer;
mod mac;
mod provider;
mod sign;
mod signature;
mod spec;
mod store;
mod table;
mod timestamp;

pub use self::{
    builder::{ReplayIdentity, WebhookVerifyLayerBuilder},
    claim::WebhookPass,
    custom::CustomProvider,
    layer::{WebhookGate, WebhookVerifyLayer},
    provider::Provider,
    spec::{SecretEncoding, SignatureEncoding, SignatureFormat},
    store::{Claimed, Fence, ReplayKey, ReplayStore, Settlement},
};

#[cfg(test)]
mod tests;
