//! What unknown tokens may cost the authorization server.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::IntrospectionError;
use crate::time::{Clock, Timestamp};

/// Questions under way at once.
const AT_ONCE: usize = 64;
/// How long the endpoint is left alone after a failure.
const REST: Duration = Duration::from_secs(1);

/// The questions that may be asked. Those about tokens that held a moment ago have as many of their own:
/// who invents tokens spends nothing of theirs.
#[derive(Debug)]
pub(super) struct Budgets {
    pub(super) new: Budget,
    pub(super) renewed: Budget,
}

impl Budgets {
    pub(super) fn new(per_second: NonZeroU32, clock: &Arc<dyn Clock>) -> Self {
        let budget = || Budget::new(per_second, Arc::clone(clock));
        Self { new: budget(), renewed: budget() }
    }
}

#[derive(Debug)]
pub(super) struct Budget {
    limiter: RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Nanos>>,
    at_once: Semaphore,
    clock: Arc<dyn Clock>,
    /// Monotonic microseconds.
    rests_until: AtomicU64,
}

impl Budget {
    fn new(per_second: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let quota = Quota::per_second(per_second);
        Self {
            limiter: RateLimiter::direct_with_clock(quota, Ticks(Arc::clone(&clock))),
            at_once: Semaphore::new(AT_ONCE),
            clock,
            rests_until: AtomicU64::new(0),
        }
    }

    pub(super) fn spend(&self) -> Result<SemaphorePermit<'_>, IntrospectionError> {
        if self.now() < Timestamp::from_micros(self.rests_until.load(Relaxed)) {
            return Err(IntrospectionError::Resting);
        }
        let permit = self.at_once.try_acquire().map_err(|_| IntrospectionError::Overloaded)?;
        if self.limiter.check().is_err() {
            return Err(IntrospectionError::Overloaded);
        }
        Ok(permit)
    }

    pub(super) fn failed(&self) {
        self.rests_until.store(self.now().saturating_add(REST).as_micros(), Relaxed);
    }

    fn now(&self) -> Timestamp {
        self.clock.now().monotonic
    }
}

/// Our clock for governor.
#[derive(Clone, Debug)]
struct Ticks(Arc<dyn Clock>);

impl governor::clock::Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.now().monotonic.as_micros().saturating_mul(1_000))
    }
}
