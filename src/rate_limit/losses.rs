//! Says that a store is lost, once in a while.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::{
    request::{Outcome, RequestContext, TrailName},
    store::StoreError,
};

/// How often an outage is told of: every request of it would drown what else is said.
const EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Losses {
    said: AtomicU64,
    requests: AtomicU64,
}

impl Losses {
    /// A request was decided without the store. Its trail says so, and every ten seconds the log.
    pub(super) fn say(&self, error: &StoreError, context: &RequestContext) {
        context.trail().record(TrailName::of("rate_limit.degraded"), Outcome::Passed);
        let requests = self.requests.fetch_add(1, Relaxed).saturating_add(1);
        let (now, said) = (context.now().monotonic.as_micros(), self.said.load(Relaxed));
        let every = u64::try_from(EVERY.as_micros()).unwrap_or(u64::MAX);
        if (said != 0 && now.saturating_sub(said) < every)
            || self.said.compare_exchange(said, now.max(1), Relaxed, Relaxed).is_err()
        {
            return;
        }
        tracing::warn!(
            target: "portcullis",
            layer = "rate_limit",
            error = error as &dyn std::error::Error,
            requests,
            "the store of the rate limits cannot answer: rules that are not closed pass, or count in this process"
        );
    }

    /// How many requests were decided without the store.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }
}
