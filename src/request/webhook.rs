use std::sync::Arc;

use crate::time::Timestamp;

/// A webhook whose signature was verified. Only `WebhookVerifyLayer` can make one (in tests,
/// `portcullis::testing::with_webhook` does); taken as an extractor, it makes a handler behind no such layer
/// fail closed.
#[derive(Clone, Debug)]
pub struct VerifiedWebhook(Arc<VerifiedWebhookParts>);

#[derive(Clone, Debug)]
pub(crate) struct VerifiedWebhookParts {
    pub(crate) provider: Arc<str>,
    pub(crate) event_id: Box<str>,
    pub(crate) event_type: Option<Box<str>>,
    pub(crate) timestamp: Option<Timestamp>,
}

impl VerifiedWebhook {
    pub(crate) fn new(parts: VerifiedWebhookParts) -> Self {
        Self(Arc::new(parts))
    }

    /// The provider's name: `stripe`, `github` …
    pub fn provider(&self) -> &str {
        &self.0.provider
    }

    /// The event's id, by which repetitions are recognised. Where a provider sends none, a digest
    /// of the signed bytes.
    pub fn event_id(&self) -> &str {
        &self.0.event_id
    }

    /// The event's type: from a header, else from the verified body, where the provider has one.
    pub fn event_type(&self) -> Option<&str> {
        self.0.event_type.as_deref()
    }

    /// The signed timestamp, where the provider signs one.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.0.timestamp
    }
}
