use std::{sync::Arc, time::Duration};

use super::{
    Batch, RateLimitHeaders, RateLimitLayer, RateLimitStore, Rule,
    compiled::compile,
    guard::{Guard, GuardSettings},
    layer::RateLimitGate,
};
use crate::config_error::{ConfigError, ConfigIssues};

/// Builds a [`RateLimitLayer`].
#[derive(Clone, Debug)]
#[must_use]
pub struct RateLimitLayerBuilder {
    store: Arc<dyn RateLimitStore>,
    rules: Vec<Rule>,
    headers: RateLimitHeaders,
    guard: GuardSettings,
}

impl RateLimitLayerBuilder {
    pub(super) fn new(store: Arc<dyn RateLimitStore>) -> Self {
        Self { store, rules: Vec::new(), headers: RateLimitHeaders::default(), guard: GuardSettings::default() }
    }

    /// Adds a rule. All rules that apply to a request are charged together, or none is.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Which header fields are written. Default: [`RateLimitHeaders::both`].
    pub fn headers(mut self, headers: RateLimitHeaders) -> Self {
        self.headers = headers;
        self
    }

    /// How long a request waits for a store that does not answer at once; then the store counts as lost.
    /// After three such requests in a row only one at a time waits, and all others learn at once that
    /// it is lost, until it answers again. From 1 ms to 10 s; default: 25 ms.
    ///
    /// What was sent and not answered may have been charged all the same; it is not sent again.
    pub fn store_budget(mut self, budget: Duration) -> Self {
        self.guard.budget = budget;
        self
    }

    /// For how long at most a refusal by a store that must be awaited is remembered here. Until then,
    /// or until the refused cost would pass if that is earlier, it is refused again without the store.
    /// What another process gives back or resets meanwhile is noticed that much later. Up to a minute;
    /// default: one second.
    pub fn remember_refusals(mut self, longest: Duration) -> Self {
        self.guard.remembered = Some(longest);
        self
    }

    /// Every request asks the store, also one that was refused a moment ago.
    pub fn forget_refusals(mut self) -> Self {
        self.guard.remembered = None;
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// Everything that is wrong: no rule, two of the same name, more than eight that can apply to
    /// one request; rates, bursts, periods or costs of zero; a cost that exceeds the burst; a burst
    /// in a fixed window; a path that is no template; a key that contradicts itself.
    pub fn build(self) -> Result<RateLimitLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
        let rules = compile(&self.rules, Batch::MAX, &mut issues);
        issues.take("", self.guard.check());
        let store = Arc::new(Guard::new(self.store, self.guard));
        issues.finish(RateLimitLayer::of(RateLimitGate::new(store, rules, self.headers)))
    }
}
