use std::sync::Arc;

use http::Method;

use super::{
    Algorithm, Key, Limit, QuotaUnit, Windows,
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
/// 3. [`plan`](Rule::plan): for this plan ([`Principal::plan`](crate::identity::Principal::plan)),
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
/// use std::time::Duration;
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
    pub(super) cost: u64,
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
            cost: 1,
            unit: QuotaUnit::default(),
        }
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

    /// In which units it counts, for `RateLimit-Policy`. Default: requests. What a request costs is said with
    /// [`cost`](Self::cost).
    pub fn unit(mut self, unit: QuotaUnit) -> Self {
        self.unit = unit;
        self
    }

    /// How many units a request costs. Default 1.
    pub fn cost(mut self, units: u64) -> Self {
        self.cost = units;
        self
    }

    /// What is computed for one of its limits; nothing where there is none.
    pub(super) fn algorithm_of(&self, limit: &Limit) -> Result<Option<Arc<dyn Algorithm>>, ConfigError> {
        Ok(match &limit.0 {
            Amount::Unlimited => None,
            Amount::Custom(algorithm) => Some(Arc::clone(algorithm)),
            Amount::Rate(rate) => Some(self.family.algorithm(*rate)?),
        })
    }
}
