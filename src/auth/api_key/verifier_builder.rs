use std::{sync::Arc, time::Duration};

use super::{
    ApiKeyFormat, ApiKeyStore, ApiKeyVerifier, KeyHasher, notices::Notices, slow_guard::SlowGuard, uses::Uses,
    verifier::Inner,
};
use crate::config_error::{ConfigError, ConfigIssues};

const PATIENCE: Duration = Duration::from_secs(2);
const ROTATION_DUE_AFTER: Duration = Duration::from_secs(90 * 24 * 3_600);
const VERIFIED_FOR: Duration = Duration::from_secs(300);
const MAX_VERIFIED_FOR: Duration = Duration::from_secs(3_600);

/// Builds an [`ApiKeyVerifier`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ApiKeyVerifierBuilder {
    store: Arc<dyn ApiKeyStore>,
    hasher: KeyHasher,
    format: Option<ApiKeyFormat>,
    patience: Duration,
    due_after: Duration,
    verified_for: Duration,
    uses: Option<Arc<Uses>>,
}

impl ApiKeyVerifierBuilder {
    pub(super) fn new(store: Arc<dyn ApiKeyStore>, hasher: KeyHasher) -> Self {
        Self {
            store,
            hasher,
            format: None,
            patience: PATIENCE,
            due_after: ROTATION_DUE_AFTER,
            verified_for: VERIFIED_FOR,
            uses: None,
        }
    }

    /// Accepts only keys of this brand and environment; others are refused without asking the
    /// store. Default: every brand and environment of which the store has a record; with
    /// [`ApiKeys`](super::ApiKeys), those that it issues.
    pub fn format(mut self, format: ApiKeyFormat) -> Self {
        self.format = Some(format);
        self
    }

    /// How long a request waits for the store before it is a 503. Default: 2 s.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// At what age a key is due for rotation: responses to it then carry `X-API-Key-Rotation-Due`,
    /// and the log says so once a day. Default: 90 days.
    pub fn rotation_due_after(mut self, age: Duration) -> Self {
        self.due_after = age;
        self
    }

    /// How long a key that passed a slow hash is not hashed again. Revocation, expiry and networks
    /// are looked at with each request all the same. Default: 5 min.
    pub fn slow_hash_once_in(mut self, time: Duration) -> Self {
        self.verified_for = time;
        self
    }

    pub(super) fn uses(mut self, uses: Arc<Uses>) -> Self {
        self.uses = Some(uses);
        self
    }

    /// The verifier.
    ///
    /// # Errors
    /// If the patience or the age is zero, or the time between two slow hashes is zero or longer than
    /// an hour.
    pub fn build(self) -> Result<ApiKeyVerifier, ConfigError> {
        let mut issues = ConfigIssues::new();
        if self.patience.is_zero() {
            issues.add("patience", "a store cannot answer in no time", "give it a second or two");
        }
        if self.due_after.is_zero() {
            issues.add("rotation_due_after", "every key would be due at once", "use 90 days");
        }
        if self.verified_for.is_zero() || self.verified_for > MAX_VERIFIED_FOR {
            issues.add("slow_hash_once_in", "not within an hour, or always", "use 5 minutes");
        }
        issues.finish(self.with_defaults())
    }

    pub(super) fn with_defaults(self) -> ApiKeyVerifier {
        ApiKeyVerifier::from_inner(Inner {
            store: self.store,
            is_ephemeral: self.hasher.is_ephemeral(),
            hasher: self.hasher,
            format: self.format,
            patience: self.patience,
            notices: Notices::new(self.due_after),
            guard: SlowGuard::new(self.verified_for),
            uses: self.uses,
        })
    }
}
