use std::{fmt, sync::Arc, time::Duration};

use http::HeaderName;

use super::{
    Breaker, Exemption, OnPlanLoss, OnStoreLoss, PlanResolver, RateLimitHeaders, RateLimitLayer, RateLimitStore, Rule,
    breaker::Watched,
    gate::{RateLimitGate, Settings},
    guard::{Guard, GuardSettings},
    losses::Losses,
    plans::Plans,
    ruleset::RuleSet,
};
use crate::config_error::{ConfigError, ConfigIssues};

const PLAN_TTL: Duration = Duration::from_secs(60);
const PLAN_CAPACITY: usize = 10_000;

/// Builds a [`RateLimitLayer`].
#[derive(Clone)]
#[must_use]
pub struct RateLimitLayerBuilder {
    store: Arc<dyn RateLimitStore>,
    local: Option<Arc<dyn RateLimitStore>>,
    rules: Vec<Rule>,
    exempt: Vec<Exemption>,
    resolver: Option<Arc<dyn PlanResolver>>,
    plan_ttl: Duration,
    plan_capacity: usize,
    on_plan_loss: OnPlanLoss,
    breaker: Option<Breaker>,
    headers: RateLimitHeaders,
    shadow_header: Option<HeaderName>,
    guard: GuardSettings,
}

impl RateLimitLayerBuilder {
    pub(super) fn new(store: Arc<dyn RateLimitStore>) -> Self {
        Self {
            store,
            local: None,
            rules: Vec::new(),
            exempt: Vec::new(),
            resolver: None,
            plan_ttl: PLAN_TTL,
            plan_capacity: PLAN_CAPACITY,
            on_plan_loss: OnPlanLoss::default(),
            breaker: None,
            headers: RateLimitHeaders::default(),
            shadow_header: None,
            guard: GuardSettings::default(),
        }
    }

    /// Adds a rule. All rules that apply to a request are charged together, or none is.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds rules.
    pub fn rules(mut self, rules: impl IntoIterator<Item = Rule>) -> Self {
        self.rules.extend(rules);
        self
    }

    /// Whom no rule of the layer holds for. May be called again.
    pub fn exempt(mut self, exemption: Exemption) -> Self {
        self.exempt.push(exemption);
        self
    }

    /// Says on which plan callers are whose credentials do not say so.
    pub fn plan_resolver(mut self, resolver: impl PlanResolver) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// How long the layer goes by what the resolver said. Default: 60 s; a day at most.
    pub fn plan_ttl(mut self, ttl: Duration) -> Self {
        self.plan_ttl = ttl;
        self
    }

    /// Of how many callers what the resolver said is remembered. Default: 10,000.
    pub fn plan_capacity(mut self, callers: usize) -> Self {
        self.plan_capacity = callers;
        self
    }

    /// What holds for callers whose plan cannot be found out. Default: [`OnPlanLoss::AsStoreLoss`].
    pub fn on_plan_loss(mut self, policy: OnPlanLoss) -> Self {
        self.on_plan_loss = policy;
        self
    }

    /// Where rules of [`OnStoreLoss::Local`] count while the store cannot answer: usually a
    /// [`MemoryStore`](crate::backend::memory::MemoryStore).
    pub fn local_fallback(mut self, store: impl RateLimitStore) -> Self {
        self.local = Some(Arc::new(store));
        self
    }

    /// Turns requests away while what stands behind is overloaded. Default: none.
    pub fn breaker(mut self, breaker: Breaker) -> Self {
        self.breaker = Some(breaker);
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

    /// Which header fields are written. Default: [`RateLimitHeaders::both`].
    pub fn headers(mut self, headers: RateLimitHeaders) -> Self {
        self.headers = headers;
        self
    }

    /// Names the shadow rules that would have refused a request in a field of its response: an RFC 9651
    /// List of Strings, without the field if there are none. Default: none, for clients need not know.
    pub fn shadow_header(mut self, name: HeaderName) -> Self {
        self.shadow_header = Some(name);
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// Everything that is wrong: no rule, two of the same name, more than eight that can apply to
    /// one request; rates, bursts, periods or costs of zero; a cost that exceeds the burst; a burst
    /// in a fixed window; a path that is no template; a key that contradicts itself; an exemption for
    /// everybody; a rule that would count in this process without a store to count in; a breaker that
    /// watches nothing.
    pub fn build(self) -> Result<RateLimitLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
        issues.take("", self.guard.check());
        if let Some(breaker) = &self.breaker {
            breaker.check(&mut issues);
        }
        if self.plan_ttl > Duration::from_secs(86_400) {
            issues.add("plan_ttl", "it is longer than a day", "use some minutes");
        }
        if self.plan_capacity == 0 {
            issues.add("plan_capacity", "room for nobody", "use 1 or more");
        }
        check_local(&self.rules, self.local.is_some(), &mut issues);
        let rules = issues.take("", RuleSet::compile(&self.rules, &self.exempt));
        let (ttl, capacity, on_loss) = (self.plan_ttl, self.plan_capacity.max(1), self.on_plan_loss);
        let settings = Settings {
            store: Arc::new(Guard::new(self.store, self.guard)),
            local: self.local,
            plans: self.resolver.map(|resolver| Plans::new(resolver, ttl, capacity, on_loss)),
            breaker: self.breaker.map(|breaker| Arc::new(Watched::new(breaker))),
            headers: self.headers,
            shadow_header: self.shadow_header,
            exempt: self.exempt,
            losses: Losses::default(),
        };
        // Without rules there is an issue.
        let gate = rules.map(|rules| RateLimitGate::new(settings, rules));
        issues.finish(gate)?.map(RateLimitLayer::of).ok_or_else(|| {
            ConfigError::new("rule", "there is no rule, so nothing is limited", "add one, or leave the layer out")
        })
    }
}

pub(super) fn check_local(rules: &[Rule], has_local: bool, issues: &mut ConfigIssues) {
    let mut local = rules.iter().filter(|rule| matches!(rule.loss, OnStoreLoss::Local { .. }));
    if let Some(rule) = local.next().filter(|_| !has_local) {
        issues.add(
            format!("rule[{}].on_store_loss", rule.name),
            "it is to count in this process, and has nowhere to",
            "give the layer a store by local_fallback(MemoryStore::new())",
        );
    }
}

impl fmt::Debug for RateLimitLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitLayerBuilder")
            .field("store", &self.store)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
