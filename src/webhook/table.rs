//! The built-in rows. A new provider is a new row, and a vector in `tests/vectors/webhooks/`.

use std::{borrow::Cow, time::Duration};

use http::HeaderName;

use super::spec::{Part, SecretEncoding, SignatureEncoding, SignatureFormat, Spec, TimeSource, Window};

/// The seeds' rule: five minutes old at most, half a minute of clock skew into the future.
pub(super) const DEFAULT_WINDOW: Window = Window { past: Duration::from_secs(300), future: Duration::from_secs(30) };

const fn hours(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(3_600))
}

const fn text(text: &'static str) -> Cow<'static, str> {
    Cow::Borrowed(text)
}

const TS_DOT_BODY: &[Part] = &[Part::Timestamp, Part::Literal(text(".")), Part::Body];

/// Every built-in provider.
pub(super) static TABLE: [&Spec; 6] = [&STRIPE, &GITHUB, &SHOPIFY, &SLACK, &STANDARD, &X_WEBHOOK];

/// <https://docs.stripe.com/webhooks/signature>: `v0` is a test scheme and must be ignored. The
/// secret is used as it stands, `whsec_` included. Retries for three days.
pub(super) static STRIPE: Spec = Spec {
    name: text("stripe"),
    signature: HeaderName::from_static("stripe-signature"),
    format: SignatureFormat::KeyValues { separator: ',', timestamp: Some(text("t")), signature: text("v1") },
    encoding: SignatureEncoding::Hex,
    signed: Cow::Borrowed(TS_DOT_BODY),
    time: Some(TimeSource::InSignature),
    window: DEFAULT_WINDOW,
    id_header: None,
    id_field: Some(text("id")),
    type_header: None,
    type_field: Some(text("type")),
    secret: SecretEncoding::Raw,
    retry_span: hours(72),
};

/// Signs the body alone: neither the delivery id nor the event's name is covered. No automatic retries.
pub(super) static GITHUB: Spec = Spec {
    name: text("github"),
    signature: HeaderName::from_static("x-hub-signature-256"),
    format: SignatureFormat::Prefixed(text("sha256=")),
    encoding: SignatureEncoding::Hex,
    signed: Cow::Borrowed(&[Part::Body]),
    time: None,
    window: DEFAULT_WINDOW,
    id_header: Some(HeaderName::from_static("x-github-delivery")),
    id_field: None,
    type_header: Some(HeaderName::from_static("x-github-event")),
    type_field: None,
    secret: SecretEncoding::Raw,
    retry_span: Duration::ZERO,
};

/// `X-Shopify-Event-Id` is shared by the deliveries of several topics, so that keying by it
/// would swallow the second topic: the delivery's own id is the one to use.
pub(super) static SHOPIFY: Spec = Spec {
    name: text("shopify"),
    signature: HeaderName::from_static("x-shopify-hmac-sha256"),
    format: SignatureFormat::Bare,
    encoding: SignatureEncoding::Base64,
    signed: Cow::Borrowed(&[Part::Body]),
    time: None,
    window: DEFAULT_WINDOW,
    id_header: Some(HeaderName::from_static("x-shopify-webhook-id")),
    id_field: None,
    type_header: Some(HeaderName::from_static("x-shopify-topic")),
    type_field: None,
    secret: SecretEncoding::Raw,
    retry_span: hours(4),
};

/// <https://docs.slack.dev/authentication/verifying-requests-from-slack>
pub(super) static SLACK: Spec = Spec {
    name: text("slack"),
    signature: HeaderName::from_static("x-slack-signature"),
    format: SignatureFormat::Prefixed(text("v0=")),
    encoding: SignatureEncoding::Hex,
    signed: Cow::Borrowed(&[Part::Literal(text("v0:")), Part::Timestamp, Part::Literal(text(":")), Part::Body]),
    time: Some(TimeSource::Header(HeaderName::from_static("x-slack-request-timestamp"))),
    window: DEFAULT_WINDOW,
    id_header: None,
    id_field: Some(text("event_id")),
    type_header: None,
    type_field: Some(text("type")),
    secret: SecretEncoding::Raw,
    retry_span: hours(1),
};

/// Standard Webhooks 1.0.0: five minutes on both sides; retries for three days and a bit.
pub(super) static STANDARD: Spec = Spec {
    name: text("standard"),
    signature: HeaderName::from_static("webhook-signature"),
    format: SignatureFormat::Versioned(text("v1")),
    encoding: SignatureEncoding::Base64,
    signed: Cow::Borrowed(&[Part::Id, Part::Literal(text(".")), Part::Timestamp, Part::Literal(text(".")), Part::Body]),
    time: Some(TimeSource::Header(HeaderName::from_static("webhook-timestamp"))),
    window: Window { past: Duration::from_secs(300), future: Duration::from_secs(300) },
    id_header: Some(HeaderName::from_static("webhook-id")),
    id_field: None,
    type_header: None,
    type_field: Some(text("type")),
    secret: SecretEncoding::Base64 { prefix: text("whsec_") },
    retry_span: hours(76),
};

/// The format of the workflow document that this crate implements.
pub(super) static X_WEBHOOK: Spec = Spec {
    name: text("x-webhook"),
    signature: HeaderName::from_static("x-webhook-signature"),
    format: SignatureFormat::Bare,
    encoding: SignatureEncoding::Hex,
    signed: Cow::Borrowed(TS_DOT_BODY),
    time: Some(TimeSource::Header(HeaderName::from_static("x-webhook-timestamp"))),
    window: DEFAULT_WINDOW,
    id_header: Some(HeaderName::from_static("x-webhook-id")),
    id_field: Some(text("id")),
    type_header: None,
    type_field: Some(text("type")),
    secret: SecretEncoding::Raw,
    retry_span: hours(47),
};
