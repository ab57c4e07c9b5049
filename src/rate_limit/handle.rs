use std::sync::Arc;

use http::Request;

use super::{Explanation, Rule, Shadowed, builder::check_local, explain, gate::RateLimitGate, ruleset::RuleSet};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    rejection::Rejection,
    store::BoxFuture,
};

/// To operate a [`RateLimitLayer`](super::RateLimitLayer) while it serves: its
/// [`handle`](super::RateLimitLayer::handle). Clones are the same.
#[derive(Clone, Debug)]
pub struct RateLimitHandle {
    gate: Option<Arc<RateLimitGate>>,
}

impl RateLimitHandle {
    pub(super) fn new(gate: Option<Arc<RateLimitGate>>) -> Self {
        Self { gate }
    }

    /// Replaces all rules, from the next request on; those under way keep the ones that they began
    /// with. Store, headers and everything else of the layer stay.
    ///
    /// Buckets are known by their rule's name, the key and the algorithm, not by rates: a rule that
    /// keeps its name keeps what callers owe, and one that has a new name begins with full buckets.
    ///
    /// ```
    /// use portcullis::{backend::memory::MemoryStore, rate_limit::{Key, Rate, RateLimitLayer, Rule}};
    ///
    /// let rules = |minute| [Rule::new("clients", Key::client(), Rate::per_minute(minute))];
    /// let layer = RateLimitLayer::builder(MemoryStore::new()).rules(rules(10)).build()?;
    /// layer.handle().reload(rules(20))?;
    /// assert!(layer.handle().reload(rules(0)).is_err(), "what is wrong replaces nothing");
    /// # Ok::<_, portcullis::config_error::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong with the new rules, as [`build`](super::RateLimitLayerBuilder::build)
    /// finds it. The old rules then go on holding.
    pub fn reload(&self, rules: impl IntoIterator<Item = Rule>) -> Result<(), ConfigError> {
        let Some(gate) = &self.gate else { return Ok(()) };
        let rules: Vec<Rule> = rules.into_iter().collect();
        let mut issues = ConfigIssues::new();
        check_local(&rules, gate.settings.local.is_some(), &mut issues);
        let compiled = issues.take("", RuleSet::compile(&rules, &gate.settings.exempt));
        if let Some(rules) = issues.finish(compiled)? {
            gate.replace(rules);
        }
        Ok(())
    }

    /// Which rules hold for a request and why the others do not, where the caller stands with each, and
    /// when it would pass. Charges nothing, and tells nothing about who calls that could not stand in
    /// a log.
    ///
    /// To be called where the caller is known: in a handler, or inside `AuthLayer`. Asks the store, once.
    ///
    /// # Errors
    /// What the request itself would be answered: 400 if a rule cannot read what it goes by, 503 if the
    /// store or the plan resolver does not answer.
    pub fn explain<B>(&self, request: &Request<B>) -> BoxFuture<'static, Result<Explanation, Rejection>> {
        match &self.gate {
            Some(gate) => explain::explain(gate, request),
            None => Box::pin(async { Ok(Explanation::default()) }),
        }
    }

    /// What each shadow rule ([`Rule::shadow`]) would have done since the layer was made. A rule that is
    /// reloaded under the same name goes on counting.
    pub fn shadowed(&self) -> Vec<Shadowed> {
        let Some(gate) = &self.gate else { return Vec::new() };
        let rules = gate.rules.load();
        let counted = rules.rules().iter().filter_map(|rule| Some(rule.shadow.as_ref()?.read(&rule.name)));
        counted.collect()
    }

    /// How many requests were decided without the store, because it could not answer, since the layer
    /// was made. Those that were refused with 503 are not among them.
    pub fn degraded(&self) -> u64 {
        self.gate.as_ref().map_or(0, |gate| gate.settings.losses.requests())
    }
}
