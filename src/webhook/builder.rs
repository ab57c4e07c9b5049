use std::{sync::Arc, time::Duration};

use super::{Provider, ReplayStore, WebhookVerifyLayer, layer::WebhookGate, mac, spec::Spec, table::DEFAULT_WINDOW};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    gate::GateLayer,
    secret::SecretSet,
    time::{SKEW, Timestamp},
};

const DAY: Duration = Duration::from_secs(86_400);
const DEFAULT_MAX_BODY: usize = 1024 * 1024;
const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_LEASE: Duration = Duration::from_secs(60);

/// A signed timestamp that may be a day off is no protection.
const MAX_WINDOW: Duration = DAY;

/// By what a repetition is recognised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReplayIdentity {
    /// By the event's id; where there is none, by the signed bytes. What the providers recommend.
    #[default]
    EventId,
    /// By the signed bytes alone. GitHub and Shopify sign neither the id nor a time, so whoever got
    /// hold of one delivery can send it again under another id; this closes that. The price: two
    /// genuine events with the same bytes are taken for one, and a provider that signs each retry
    /// anew has its retries taken for new events.
    SignedBytes,
}

/// Settings of a [`WebhookVerifyLayer`].
#[derive(Debug)]
#[must_use = "settings do nothing until they are built"]
pub struct WebhookVerifyLayerBuilder {
    provider: Provider,
    secrets: SecretSet,
    store: Arc<dyn ReplayStore>,
    endpoint: Option<String>,
    max_body: usize,
    body_timeout: Duration,
    lease: Duration,
    remember_for: Option<Duration>,
    past: Option<Duration>,
    future: Option<Duration>,
    identity: ReplayIdentity,
}

impl WebhookVerifyLayerBuilder {
    pub(super) fn new(provider: Provider, secrets: SecretSet, store: Arc<dyn ReplayStore>) -> Self {
        Self {
            provider,
            secrets,
            store,
            endpoint: None,
            max_body: DEFAULT_MAX_BODY,
            body_timeout: DEFAULT_BODY_TIMEOUT,
            lease: DEFAULT_LEASE,
            remember_for: None,
            past: None,
            future: None,
            identity: ReplayIdentity::EventId,
        }
    }

    /// The endpoint's name: an event that was completed at one endpoint is still new at another.
    /// Default: the route's template, such as `/webhooks/stripe`. Where the layer stands outside the
    /// router there is no route yet, and all that stands behind it is one endpoint: name it, or add
    /// the layer with `Router::layer`.
    pub fn endpoint(mut self, name: impl Into<String>) -> Self {
        self.endpoint = Some(name.into());
        self
    }

    /// The largest body in bytes; a larger one is 413. Default: 1 MiB. (GitHub sends up to 25 MB.)
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// How long the body may take to arrive; after that 408. Default: 10 s.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// For how long an event is one handler's. Must be longer than the handler can take: when it
    /// ends, the next copy runs the handler again. Default: 60 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// For how long a completed event is remembered: at least both windows, the time for the body and a minute
    /// for clocks that differ. Default: a day longer than the provider goes on retrying (Stripe: four days).
    pub fn remember_for(mut self, ttl: Duration) -> Self {
        self.remember_for = Some(ttl);
        self
    }

    /// How old a signed timestamp may be, in whole seconds, rounded up. Default: the provider's (300 s).
    pub fn past_window(mut self, past: Duration) -> Self {
        self.past = Some(past);
        self
    }

    /// How far in the future a signed timestamp may be, in whole seconds, rounded up. Default: the
    /// provider's (30 s; Standard Webhooks 300 s).
    pub fn future_window(mut self, future: Duration) -> Self {
        self.future = Some(future);
        self
    }

    /// By what a repetition is recognised. Default: [`ReplayIdentity::EventId`].
    pub fn replays_by(mut self, identity: ReplayIdentity) -> Self {
        self.identity = identity;
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// A secret that is empty, has white space around it or is not in the provider's encoding; an
    /// endpoint without a name; a limit, time-out or lease of zero; a window for a provider that
    /// signs no timestamp, of zero in the past, or longer than a day; a memory shorter than the window.
    pub fn build(self) -> Result<WebhookVerifyLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
        let spec = self.windowed(&mut issues);
        // At the epoch every previous secret is still valid: all of them are looked at.
        for (index, secret) in self.secrets.valid_at(Timestamp::EPOCH).iter().enumerate() {
            if let Err((reason, cure)) = mac::key(secret, &spec.secret) {
                issues.add(format!("secrets[{index}]"), reason, cure);
            }
        }
        if self.endpoint.as_deref() == Some("") {
            issues.add("endpoint", "it has no name", "name it, or leave it out to use the route");
        }
        if self.max_body == 0 {
            issues.add("max_body", "zero lets no event through", "use the provider's largest event, such as 1 MiB");
        }
        for (field, duration) in [("body_timeout", self.body_timeout), ("lease", self.lease)] {
            if duration.is_zero() {
                issues.add(
                    field,
                    "zero leaves no time",
                    "use seconds, such as 10 s for the body and 60 s for the lease",
                );
            }
        }
        let ttl = self.remember_for.unwrap_or_else(|| DAY.max(spec.retry_span.saturating_add(DAY)));
        // An event's age is judged when its head is there; it is looked for when its body is, by the clock of the store.
        let window = spec.window.past.saturating_add(spec.window.future);
        let window = window.saturating_add(self.body_timeout).saturating_add(SKEW);
        if ttl.is_zero() || (spec.time.is_some() && ttl < window) {
            let reason = "a completed event would be forgotten while its signature is still fresh";
            issues.add(
                "remember_for",
                reason,
                "use at least the window, the body's time and a minute; better a day more than the provider retries",
            );
        }
        let gate = WebhookGate {
            provider: Arc::from(&*spec.name),
            spec: Arc::new(spec),
            secrets: self.secrets,
            store: self.store,
            endpoint: self.endpoint.map(Into::into),
            max_body: self.max_body,
            body_timeout: self.body_timeout,
            lease: self.lease,
            ttl,
            identity: self.identity,
        };
        issues.finish(WebhookVerifyLayer { gate: GateLayer::new(gate) })
    }

    fn windowed(&self, issues: &mut ConfigIssues) -> Spec {
        let mut spec = Spec::clone(&self.provider.spec);
        if spec.time.is_none() && (self.past.is_some() || self.future.is_some()) {
            let reason = format!("{} signs no timestamp, so there is nothing to compare", spec.name);
            issues.add("past_window", reason, "leave the windows out");
        }
        spec.window.past = self.past.unwrap_or(spec.window.past);
        spec.window.future = self.future.unwrap_or(spec.window.future);
        if spec.time.is_none() {
            spec.window = DEFAULT_WINDOW;
        }
        if spec.window.past.is_zero() {
            issues.add("past_window", "zero refuses every event that was under way", "use 300 s");
        }
        for (field, window) in [("past_window", spec.window.past), ("future_window", spec.window.future)] {
            if window > MAX_WINDOW {
                issues.add(field, "longer than a day: what was captured can be replayed", "use 300 s");
            }
        }
        spec
    }
}
