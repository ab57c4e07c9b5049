use std::{sync::Arc, time::Duration};

use http::Method;

use super::{
    Algorithm, Cost, EndpointClass, Exemption, Inherit, Key, Limit, OnStoreLoss, QuotaUnit, Rate, StatusClass, Windows,
    endpoint::Endpoint,
    limit::{Amount, Family},
};
use crate::config_error::ConfigError;

/// One limit: who is told apart ([`Key`]), how much each may ([`Rate`](super::Rate) or an algorithm of yours), and
/// where it holds.
///
/// Of the limits of one rule exactly one is charged, the most specific that applies:
///
/// 1. [`plan_endpoint`](Rule::plan_endpoint): for this plan at this endpoint,
/// 2. [`endpoint`](Rule::endpoint): for everybody at this endpoint,
/// 3. [`plan`](Rule::plan): for this plan ([`Principal::plan`](crate::identity::Principal::plan), or what a
///    [`PlanResolver`](super::PlanResolver) says of the caller),
/// 4. the limit that [`new`](Rule::new) was given.
///
/// Where several endpoints of a rule cover a request, the one with fewer parameters counts as more
/// specific, then the one that was given first.
///
/// A limit of an endpoint has a bucket of its own. Plans share the caller's bucket: who changes the
/// plan takes along what he owes, and finds no fresh bucket. Limits that should hold *beside* each
/// other are rules of their own; all rules of a layer are charged together or not at all.
///
/// ```
/// use http::Method;
/// use std::{sync::Arc, time::Duration};
/// use portcullis::rate_limit::{Key, Limit, Rate, Rule};
///
/// let clients = Rule::new("clients", Key::client(), Rate::per_minute(10).burst(20))
///     .plan("pro", Rate::per_minute(600).burst(1_000))
///     .plan("internal", Limit::unlimited())
///     .endpoint(Method::POST, "/reports", Rate::per(5, Duration::from_secs(300)))
///     .plan_endpoint("pro", Method::POST, "/reports", Rate::per_minute(5));
/// let login = Rule::new("login", Key::ip(), Rate::per_minute(5)).on(Method::POST, "/auth/login");
/// let everybody = Rule::new("capacity", Key::global(), Rate::per_second(10_000));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Rule {
    pub(super) name: String,
    pub(super) key: Key,
    pub(super) limit: Limit,
    pub(super) plans: Vec<(String, Limit)>,
    pub(super) endpoints: Vec<(Endpoint, Limit)>,
    pub(super) plan_endpoints: Vec<(String, Endpoint, Limit)>,
    pub(super) on: Vec<Endpoint>,
    pub(super) family: Family,
    pub(super) cost: Cost,
    pub(super) costs: Vec<(Endpoint, Cost)>,
    pub(super) status_costs: [Option<u64>; StatusClass::COUNT],
    pub(super) exempt: Vec<Exemption>,
    pub(super) shadow: bool,
    pub(super) block: Option<Duration>,
    pub(super) loss: OnStoreLoss,
    pub(super) inherit: Inherit,
    overdraft: Option<u64>,
    pub(super) unit: QuotaUnit,
}

impl Rule {
    /// A token bucket of `limit` for each `key`. The name is shown to clients (`RateLimit-Policy`,
    /// `violated-policies`) and is part of the buckets' identity; printable ASCII, up to 64
    /// characters, unique in a layer. Layers that share a store share the buckets of rules that have
    /// the same name: such rules should be the same, because what is owed under one rate is owed
    /// under the other, and a request that passes both layers is charged twice.
    pub fn new(name: impl Into<String>, key: Key, limit: impl Into<Limit>) -> Self {
        Self {
            name: name.into(),
            key,
            limit: limit.into(),
            plans: Vec::new(),
            endpoints: Vec::new(),
            plan_endpoints: Vec::new(),
            on: Vec::new(),
            family: Family::TokenBucket,
            cost: Cost::units(1),
            costs: Vec::new(),
            status_costs: [None; StatusClass::COUNT],
            exempt: Vec::new(),
            shadow: false,
            block: None,
            loss: OnStoreLoss::Closed,
            inherit: Inherit::AsIs,
            overdraft: None,
            unit: QuotaUnit::default(),
        }
    }

    /// A rule for endpoints of a class, with the class's rate, key and name: see [`EndpointClass`]. At
    /// least one endpoint; more by [`on`](Rule::on).
    ///
    /// ```
    /// use http::Method;
    /// use portcullis::rate_limit::{EndpointClass, Rule};
    ///
    /// let login = Rule::preset(EndpointClass::Authentication, Method::POST, "/auth/login")
    ///     .on(Method::POST, "/auth/forgot-password");
    /// ```
    pub fn preset(class: EndpointClass, method: Method, path: &str) -> Self {
        Self::new(class.as_str(), class.key(), class).on(method, path)
    }

    /// Restricts the rule to an endpoint; called again, to one more. Their requests share the
    /// caller's bucket, unless [`Key::endpoint`] tells them apart. `GET` includes `HEAD`.
    ///
    /// `path` is a template as the router has it, `/orders/{id}`.
    pub fn on(mut self, method: Method, path: &str) -> Self {
        self.on.push(Endpoint::new(method, path));
        self
    }

    /// Another limit for the callers of a plan.
    pub fn plan(mut self, plan: impl Into<String>, limit: impl Into<Limit>) -> Self {
        self.plans.push((plan.into(), limit.into()));
        self
    }

    /// Another limit, with a bucket of its own, at an endpoint.
    pub fn endpoint(mut self, method: Method, path: &str, limit: impl Into<Limit>) -> Self {
        self.endpoints.push((Endpoint::new(method, path), limit.into()));
        self
    }

    /// Another limit, with a bucket of its own, for the callers of a plan at an endpoint.
    pub fn plan_endpoint(
        mut self,
        plan: impl Into<String>,
        method: Method,
        path: &str,
        limit: impl Into<Limit>,
    ) -> Self {
        self.plan_endpoints.push((plan.into(), Endpoint::new(method, path), limit.into()));
        self
    }

    /// Counts in windows of the rate's period, which begin with the world's minute, hour …, instead
    /// of a token bucket: see [`FixedWindow`](super::FixedWindow). Applies to all rates of the rule.
    pub fn fixed_window(self) -> Self {
        self.windows(Windows::EpochAligned)
    }

    /// Counts in windows that begin as `windows` says.
    pub fn windows(mut self, windows: Windows) -> Self {
        self.family = Family::FixedWindow(windows);
        self
    }

    /// Counts in a [`LeakyBucket`](super::LeakyBucket). Applies to all rates of the rule.
    pub fn leaky_bucket(mut self) -> Self {
        self.family = Family::LeakyBucket;
        self
    }

    /// Counts in a [`SlidingLog`](super::SlidingLog): exact, with a word for each request. Applies to all
    /// rates of the rule.
    pub fn sliding_log(mut self) -> Self {
        self.family = Family::SlidingLog;
        self
    }

    /// Counts in a [`SlidingCounter`](super::SlidingCounter). Applies to all rates of the rule.
    pub fn sliding_counter(mut self) -> Self {
        self.family = Family::SlidingCounter;
        self
    }

    /// What a caller who changes the plan takes along. Default: [`Inherit::AsIs`], which needs nothing to
    /// be remembered; the other ways keep a word more with each bucket (see
    /// [`Inheriting`](super::Inheriting)), and know of the plans of this rule. Rates that
    /// [`reload`](super::RateLimitHandle::reload) brings meet what was left before as it is.
    pub fn on_plan_change(mut self, how: Inherit) -> Self {
        self.inherit = how;
        self
    }

    /// In which units it counts, for `RateLimit-Policy`. Default: requests. What a request costs is said with
    /// [`cost`](Self::cost).
    pub fn unit(mut self, unit: QuotaUnit) -> Self {
        self.unit = unit;
        self
    }

    /// What a request costs: a number of units, or a [`Cost`] that says where the number comes from.
    /// Default 1.
    pub fn cost(mut self, cost: impl Into<Cost>) -> Self {
        self.cost = cost.into();
        self
    }

    /// What a request costs at an endpoint. 0 is free: the rule then does not apply there. Of several
    /// that cover a request the one with fewer parameters counts, then the one that was given first.
    pub fn cost_at(mut self, method: Method, path: &str, cost: impl Into<Cost>) -> Self {
        self.costs.push((Endpoint::new(method, path), cost.into()));
        self
    }

    /// What a request costs in the end if its response is of that class, whatever it was to cost: the
    /// difference is charged, or given back, when the response is there. See [`Cost`].
    pub fn cost_on(mut self, class: StatusClass, units: u64) -> Self {
        if let Some(cost) = self.status_costs.get_mut(class.index()) {
            *cost = Some(units);
        }
        self
    }

    /// Gives back what a request cost if its response is of that class: `cost_on(class, 0)`. A limit
    /// with it still bounds how many requests of a caller are under way at once.
    pub fn refund_on(self, class: StatusClass) -> Self {
        self.cost_on(class, 0)
    }

    /// How many units a caller may owe beyond an empty token bucket, when a request turned out to cost
    /// more than its estimate: until they are refilled it is refused. What exceeds them is forgiven.
    /// Default: ten times the burst, where costs are settled; windows count whatever was used.
    pub fn overdraft(mut self, units: u64) -> Self {
        self.overdraft = Some(units);
        self
    }

    /// Whether it may cost more, or less, than it did on the way in.
    pub(super) fn settles(&self) -> bool {
        let costs = std::iter::once(&self.cost).chain(self.costs.iter().map(|(_, cost)| cost));
        self.status_costs.iter().any(Option::is_some) || costs.into_iter().any(Cost::is_late)
    }

    /// What is computed for one of its limits; nothing where there is none.
    pub(super) fn algorithm_of(&self, limit: &Limit) -> Result<Option<Arc<dyn Algorithm>>, ConfigError> {
        Ok(match &limit.0 {
            Amount::Unlimited => None,
            Amount::Custom(algorithm) => Some(Arc::clone(algorithm)),
            Amount::Rate(rate) => Some(self.family.algorithm(*rate, self.most_owed(*rate))?),
        })
    }

    pub(super) fn most_owed(&self, rate: Rate) -> u64 {
        let usual = if self.settles() { rate.capacity().saturating_mul(10) } else { 0 };
        self.overdraft.unwrap_or(usual)
    }

    /// Whom the rule does not hold for. May be called again.
    pub fn exempt(mut self, exemption: Exemption) -> Self {
        self.exempt.push(exemption);
        self
    }

    /// Only counts: the rule never refuses, and writes no header fields. What it would have refused is
    /// counted ([`RateLimitHandle::shadowed`](super::RateLimitHandle::shadowed)) and logged, and named
    /// in a header if the layer [says so](super::RateLimitLayerBuilder::shadow_header). For a new rule
    /// whose numbers nobody has seen in production yet.
    ///
    /// Shadow rules are a batch of their own, asked when the others have passed: one more round trip
    /// to a remote store. If the store cannot answer, nothing is counted.
    pub fn shadow(mut self) -> Self {
        self.shadow = true;
        self
    }

    /// A caller who was refused once is refused for so long, even if there would be room again: see
    /// [`Blocking`](super::Blocking). The block is part of the bucket, and so holds for all processes
    /// that share the store.
    pub fn block_for(mut self, duration: Duration) -> Self {
        self.block = Some(duration);
        self
    }

    /// What to do while the store cannot answer. Default: [`OnStoreLoss::Closed`].
    pub fn on_store_loss(mut self, policy: OnStoreLoss) -> Self {
        self.loss = policy;
        self
    }
}
