//! What stands between a layer and its store: a time budget, a breaker, and a memory of refusals.
//!
//! A store that answers at once is asked and nothing else happens. One that must be awaited is given so
//! long and no longer; after three calls in a row without an answer only one request at a time still
//! waits for it, and all others learn at once that it is lost, until an answer comes. And who was
//! refused is refused here for as long as that is certain, so that retries cost the store nothing: see
//! [`refusals`].

mod refusals;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use self::refusals::Refusals;
use super::{Batch, Charge, Decision, RateLimitStore, Verdicts};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    store::{BoxFuture, Outage, StoreError},
    time::Timestamp,
};

/// How a layer deals with its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuardSettings {
    pub(crate) budget: Duration,
    /// For how long a refusal is remembered at most; `None` not at all.
    pub(crate) remembered: Option<Duration>,
}

impl GuardSettings {
    const BUDGETS: std::ops::RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(10);
    const LONGEST: Duration = Duration::from_secs(60);

    pub(crate) fn check(self) -> Result<(), ConfigError> {
        let mut issues = ConfigIssues::new();
        if !Self::BUDGETS.contains(&self.budget) {
            issues.add("store_budget", format!("{:?} is out of bounds", self.budget), "use 1 ms to 10 s");
        }
        if self.remembered.is_some_and(|longest| longest.is_zero() || longest > Self::LONGEST) {
            let cure = "use up to a minute, or forget_refusals()";
            issues.add("remember_refusals", "the time is out of bounds", cure);
        }
        issues.finish(())
    }
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self { budget: Duration::from_millis(25), remembered: Some(Duration::from_secs(1)) }
    }
}

/// A store that is asked with care.
#[derive(Debug)]
pub(crate) struct Guard {
    store: Arc<dyn RateLimitStore>,
    budget: Duration,
    outage: Outage,
    refusals: Option<Refusals>,
}

impl Guard {
    pub(crate) fn new(store: Arc<dyn RateLimitStore>, settings: GuardSettings) -> Self {
        let GuardSettings { budget, remembered } = settings;
        let refusals = remembered.map(|longest| Refusals::new(longest, budget));
        Self { store, budget, outage: Outage::default(), refusals }
    }

    async fn ask(&self, batch: &Batch<'_>) -> Result<Verdicts, StoreError> {
        let attempt = self.outage.attempt().ok_or_else(spared)?;
        let answer = tokio::time::timeout(self.budget, self.store.apply(batch)).await;
        match answer.unwrap_or(Err(StoreError::TimedOut)) {
            Err(error @ (StoreError::TimedOut | StoreError::Unavailable(_))) => {
                attempt.unanswered();
                Err(error)
            }
            answer => {
                attempt.answered();
                answer
            }
        }
    }
}

impl RateLimitStore for Guard {
    fn try_now(&self, batch: &Batch<'_>) -> Option<Result<Verdicts, StoreError>> {
        if let Some(answer) = self.store.try_now(batch) {
            return Some(answer);
        }
        if let Some(verdicts) = self.refusals.as_ref().and_then(|refusals| refusals.refuse(batch)) {
            return Some(Ok(verdicts));
        }
        self.outage.is_being_asked().then(|| Err(spared()))
    }

    // A store that answers at once needs nothing of what follows for others.
    fn try_one(&self, charge: &Charge<'_>, now: Timestamp) -> Option<Result<Decision, StoreError>> {
        self.store.try_one(charge, now)
    }

    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(async move {
            let Some(refusals) = &self.refusals else { return self.ask(batch).await };
            let before = refusals.watch(batch);
            let verdicts = self.ask(batch).await?;
            refusals.learn(batch, &verdicts, &before);
            Ok(verdicts)
        })
    }
}

fn spared() -> StoreError {
    #[derive(Debug, thiserror::Error)]
    #[error("the store has not answered the last calls, and is not asked by all at once")]
    struct Spared;

    StoreError::unavailable(Spared)
}
