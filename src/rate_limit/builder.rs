use std::sync::Arc;

use super::{Batch, RateLimitHeaders, RateLimitLayer, RateLimitStore, Rule, compiled::compile, layer::RateLimitGate};
use crate::config_error::{ConfigError, ConfigIssues};

/// Builds a [`RateLimitLayer`].
#[derive(Clone, Debug)]
#[must_use]
pub struct RateLimitLayerBuilder {
    store: Arc<dyn RateLimitStore>,
    rules: Vec<Rule>,
    headers: RateLimitHeaders,
}

impl RateLimitLayerBuilder {
    pub(super) fn new(store: Arc<dyn RateLimitStore>) -> Self {
        Self { store, rules: Vec::new(), headers: RateLimitHeaders::default() }
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

    /// The layer.
    ///
    /// # Errors
    /// Everything that is wrong: no rule, two of the same name, more than eight that can apply to
    /// one request; rates, bursts, periods or costs of zero; a cost that exceeds the burst; a burst
    /// in a fixed window; a path that is no template; a key that contradicts itself.
    pub fn build(self) -> Result<RateLimitLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
        let rules = compile(&self.rules, Batch::MAX, &mut issues);
        issues.finish(RateLimitLayer::of(RateLimitGate::new(self.store, rules, self.headers)))
    }
}
