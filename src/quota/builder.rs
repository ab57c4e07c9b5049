use std::sync::Arc;

use http::Uri;

use super::{
    Plan, QuotaLayer, QuotaStore,
    layer::{QuotaGate, Settings},
    ready::ReadyPlan,
    subject::Sharing,
};
use crate::config_error::{ConfigError, ConfigIssues};

/// Builds a [`QuotaLayer`]. See the [module](super) for a complete one.
#[derive(Clone, Debug)]
#[must_use]
pub struct QuotaLayerBuilder {
    store: Arc<dyn QuotaStore>,
    plans: Vec<Plan>,
    default_plan: Option<String>,
    cost: u64,
    upgrade_url: Option<String>,
    sharing: Sharing,
}

const MOST_PLANS: usize = 64;
const LONGEST_URL: usize = 2_048;

impl QuotaLayerBuilder {
    pub(super) fn new(store: Arc<dyn QuotaStore>) -> Self {
        Self { store, plans: Vec::new(), default_plan: None, cost: 1, upgrade_url: None, sharing: Sharing::Apart }
    }

    /// Adds a plan; at most 64.
    pub fn plan(mut self, plan: Plan) -> Self {
        self.plans.push(plan);
        self
    }

    /// The plan of callers without one, of callers whose plan is none of these, and of addresses
    /// without a verified caller. Required.
    pub fn default_plan(mut self, name: impl Into<String>) -> Self {
        self.default_plan = Some(name.into());
        self
    }

    /// What one request costs. Default: 1 unit.
    pub fn cost(mut self, units: u64) -> Self {
        self.cost = units;
        self
    }

    /// Where a customer buys more: the member `upgrade_url` of the 402. An `https` URL, the same for
    /// all customers; the layer adds nothing to it. Default: no such member.
    pub fn upgrade_url(mut self, url: impl Into<String>) -> Self {
        self.upgrade_url = Some(url.into());
        self
    }

    /// The callers of a tenant share one allowance. Default: each caller has its own.
    pub fn shared_by_tenant(mut self) -> Self {
        self.sharing = Sharing::ByTenant;
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// No plan, a plan without an allowance or with a name that stands twice, a default plan that is
    /// none of them or missing, a cost of zero or above an allowance, and a malformed URL.
    pub fn build(self) -> Result<QuotaLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
        if !(1..=MOST_PLANS).contains(&self.plans.len()) {
            issues.add("plan", format!("there are {} plans", self.plans.len()), "add 1 to 64 plans");
        }
        if self.cost == 0 {
            issues.add("cost", "a request that costs nothing is not metered", "use 1 or more");
        }
        let mut plans: Vec<Arc<ReadyPlan>> = Vec::new();
        for plan in self.plans {
            if plans.iter().any(|held| *held.name == *plan.name()) {
                issues.add(format!("plan[{:?}]", plan.name()), "stands twice", "remove one");
            }
            plans.push(Arc::new(plan.ready(self.cost, &mut issues)));
        }
        let default_plan = plans.iter().find(|plan| Some(&*plan.name) == self.default_plan.as_deref()).cloned();
        match &self.default_plan {
            None => issues.add(
                "default_plan",
                "is missing: a caller without a plan, or with an unknown one, has no allowance",
                "name the plan that holds for them",
            ),
            Some(name) if default_plan.is_none() => {
                issues.add("default_plan", format!("{name:?} is none of the plans"), "name one of them");
            }
            Some(_) => {}
        }
        if let Some(url) = &self.upgrade_url {
            check_url(url, &mut issues);
        }
        let Some(default_plan) = default_plan else { return Err(finished(issues)) };
        issues.finish(QuotaLayer::new(QuotaGate::new(Settings {
            store: self.store,
            plans: plans.into_boxed_slice(),
            default_plan,
            cost: self.cost,
            upgrade_url: self.upgrade_url.map(Into::into),
            sharing: self.sharing,
        })))
    }
}

/// The mistakes; there is one at least when this is called.
fn finished(issues: ConfigIssues) -> ConfigError {
    issues.finish(()).err().unwrap_or_else(|| ConfigError::new("default_plan", "is missing", "name a plan"))
}

fn check_url(url: &str, issues: &mut ConfigIssues) {
    let sound = url.len() <= LONGEST_URL
        && url.parse::<Uri>().is_ok_and(|uri| {
            uri.scheme_str() == Some("https")
                && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        });
    if !sound {
        issues.add("upgrade_url", "is no https URL of at most 2048 bytes", "use one such as https://example.com/plans");
    }
}
