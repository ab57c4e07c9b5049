use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{ConcurrencyLimit, ConcurrencyLimitLayer, ConcurrencyStore, layer::ConcurrencyLimitGate};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    rate_limit::Batch,
};

/// Builds a [`ConcurrencyLimitLayer`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ConcurrencyLimitLayerBuilder {
    store: Arc<dyn ConcurrencyStore>,
    limits: Vec<ConcurrencyLimit>,
    lease: Duration,
    retry_after: Option<Duration>,
}

impl ConcurrencyLimitLayerBuilder {
    /// For how long a permit holds without a sign of life, by default.
    pub const LEASE: Duration = Duration::from_secs(60);

    pub(super) fn new(store: Arc<dyn ConcurrencyStore>) -> Self {
        Self { store, limits: Vec::new(), lease: Self::LEASE, retry_after: None }
    }

    /// Adds a limit. A request needs a permit of each that applies to it, or gets none.
    pub fn limit(mut self, limit: ConcurrencyLimit) -> Self {
        self.limits.push(limit);
        self
    }

    /// For how long a permit in a shared store holds without a sign of life: how long the places of a
    /// process that crashed stay taken. There are three signs in each lease. From 3 s to a day;
    /// default: 60 s. Without meaning for the memory store.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// What refusals say in `Retry-After`. Default: nothing, because nobody knows when a request will
    /// end.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// Everything that is wrong: no limit, more than eight, two of the same name, a limit of zero, a
    /// plan given twice, a name that no header could show, a key that contradicts itself, a lease out of
    /// bounds.
    pub fn build(self) -> Result<ConcurrencyLimitLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
        if self.limits.is_empty() {
            issues.add("limit", "there is no limit, so nothing is limited", "add one, or leave the layer out");
        }
        if self.limits.len() > Batch::MAX {
            issues.add("limit", "more than eight limits hold at one place", "merge them, or use a second layer");
        }
        let mut names = HashSet::new();
        for limit in &self.limits {
            if !names.insert(limit.name()) {
                let field = format!("limit[{}]", limit.name());
                issues.add(field, "two limits have this name, and would share permits", "give each a name of its own");
            }
        }
        if !(Duration::from_secs(3)..=Duration::from_secs(86_400)).contains(&self.lease) {
            issues.add("lease", format!("{:?} is out of bounds", self.lease), "use 3 seconds to a day");
        }
        let limits = self.limits.iter().filter_map(|limit| limit.compile(&mut issues)).collect();
        let gate = ConcurrencyLimitGate::new(self.store, limits, self.lease, self.retry_after);
        issues.finish(ConcurrencyLimitLayer::of(gate))
    }
}
