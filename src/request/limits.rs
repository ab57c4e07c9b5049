use std::{sync::Arc, time::Duration};

use crate::{identity::HashOnce, time::Timestamp};

/// Where the caller stands against the rate limit that is closest to exhaustion.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimitStatus {
    /// The rule's name.
    pub policy: Arc<str>,
    /// How many units the rule allows at once.
    pub limit: u64,
    /// How many units are left.
    pub remaining: u64,
    /// How long until another unit is available; zero if all are.
    pub next_after: Duration,
    /// When all units are available again (wall clock).
    pub reset_at: Timestamp,
    /// Whether this process decided alone, by its own part of the limit, because the store could not
    /// answer.
    pub degraded: bool,
}

impl RateLimitStatus {
    /// A status; for layers of your own that limit rates.
    pub fn new(policy: Arc<str>, limit: u64, remaining: u64, next_after: Duration, reset_at: Timestamp) -> Self {
        Self { policy, limit, remaining, next_after, reset_at, degraded: false }
    }

    /// The same, decided without the store.
    #[must_use]
    pub fn degraded(mut self) -> Self {
        self.degraded = true;
        self
    }
}

/// Where the caller stands against its plan's allowance.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuotaStatus {
    /// The plan's name.
    pub plan: Arc<str>,
    /// Units used in this period, this request included.
    pub used: u64,
    /// Units allowed in this period; `None` is without limit.
    pub limit: Option<u64>,
    /// When the next period begins (wall clock).
    pub reset_at: Timestamp,
}

impl QuotaStatus {
    /// A status; for layers of your own that meter usage.
    pub fn new(plan: Arc<str>, used: u64, limit: Option<u64>, reset_at: Timestamp) -> Self {
        Self { plan, used, limit, reset_at }
    }

    /// Units left; `None` is without limit.
    pub fn remaining(&self) -> Option<u64> {
        self.limit.map(|limit| limit.saturating_sub(self.used))
    }

    /// Whole percent of the allowance that are used, rounded down; `None` without limit.
    pub fn percent(&self) -> Option<u64> {
        let limit = u128::from(self.limit?.max(1));
        let percent = u128::from(self.used).saturating_mul(100).checked_div(limit)?;
        Some(u64::try_from(percent).unwrap_or(u64::MAX))
    }
}

/// What limits know the request by: made by whoever asks first.
#[derive(Default)]
pub(crate) struct RequestHashes {
    /// The client's network.
    pub(crate) network: HashOnce,
    /// Method and matched route.
    pub(crate) endpoint: HashOnce,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_neither_divides_by_zero_nor_overflows() {
        let status = |used, limit| QuotaStatus::new("free".into(), used, limit, Timestamp::EPOCH).percent();
        assert_eq!(status(4, Some(5)), Some(80));
        assert_eq!(status(u64::MAX, Some(u64::MAX)), Some(100));
        assert_eq!(status(1, Some(0)), Some(100));
        assert_eq!(status(1, None), None);
    }
}
