//! The vocabulary in which a provider's scheme is written down: plain data, the same for the
//! built-in rows and for a user's own.

use std::{borrow::Cow, time::Duration};

use http::HeaderName;

/// How the value of the signature header is built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureFormat {
    /// The signature and nothing else (Shopify).
    Bare,
    /// A fixed text, then the signature: `sha256=…` (GitHub), `v0=…` (Slack).
    Prefixed(Cow<'static, str>),
    /// A list of `key=value`: `t=1492774577,v1=…,v1=…` (Stripe). Keys that are not named are ignored.
    KeyValues {
        /// What stands between two items.
        separator: char,
        /// The key of the signed timestamp, which must appear exactly once; `None` if the list has none.
        timestamp: Option<Cow<'static, str>>,
        /// The key of a signature; may appear several times, as it does while the provider rotates its secret.
        signature: Cow<'static, str>,
    },
    /// A list of `version,signature` with spaces between: `v1,… v1a,…` (Standard Webhooks). Other
    /// versions are ignored.
    Versioned(Cow<'static, str>),
}

/// How the bytes of a signature are written. Both are read strictly: exact length, canonical,
/// nothing before or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureEncoding {
    /// Lower-case hexadecimal.
    Hex,
    /// Base64 with padding (RFC 4648 §4).
    Base64,
}

/// How the key of the MAC is made from the configured secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretEncoding {
    /// The secret's bytes are the key.
    Raw,
    /// The secret is Base64, after a prefix that may be missing: `whsec_…` (Standard Webhooks).
    Base64 {
        /// The optional prefix.
        prefix: Cow<'static, str>,
    },
}

/// One part of the signed bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Literal(Cow<'static, str>),
    /// The event's id as the header has it.
    Id,
    /// The timestamp as the header has it: never a re-printed number.
    Timestamp,
    Body,
}

/// Where the signed timestamp stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TimeSource {
    Header(HeaderName),
    /// In the signature header, under [`SignatureFormat::KeyValues`]'s key.
    InSignature,
}

/// How far a signed timestamp may be from the clock, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) past: Duration,
    pub(super) future: Duration,
}

/// One row of the table.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) name: Cow<'static, str>,
    pub(super) signature: HeaderName,
    pub(super) format: SignatureFormat,
    pub(super) encoding: SignatureEncoding,
    pub(super) signed: Cow<'static, [Part]>,
    pub(super) time: Option<TimeSource>,
    pub(super) window: Window,
    pub(super) id_header: Option<HeaderName>,
    pub(super) id_field: Option<Cow<'static, str>>,
    pub(super) type_header: Option<HeaderName>,
    pub(super) type_field: Option<Cow<'static, str>>,
    pub(super) secret: SecretEncoding,
    /// For how long the provider goes on sending an event that was not acknowledged.
    pub(super) retry_span: Duration,
}

impl Spec {
    pub(super) fn signs(&self, part: &Part) -> bool {
        self.signed.contains(part)
    }

    /// The text after the id in the signed bytes. An id that contained it could move the border
    /// between id and timestamp without changing what is signed.
    pub(super) fn after_id(&self) -> Option<&str> {
        let mut parts = self.signed.iter().skip_while(|part| **part != Part::Id).skip(1);
        match parts.next() {
            Some(Part::Literal(text)) => Some(text),
            _ => None,
        }
    }
}
