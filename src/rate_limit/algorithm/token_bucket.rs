use std::{sync::Arc, time::Duration};

use super::{
    Algorithm, AlgorithmId, Op, Step,
    exact_kernel::ExactKernel,
    governor_kernel::GovernorKernel,
    kernel::{self, Kernel},
};
use crate::{
    config_error::ConfigError,
    rate_limit::{Rate, State},
    time::Timestamp,
};

/// A bucket of `burst` tokens that is refilled at an even rate (GCRA, the generic cell rate
/// algorithm): a request takes its cost out of it, or is refused.
///
/// The state is one time, when the bucket will be full. In any span of one period at most the burst
/// and one period's refill pass. A full bucket has no state.
///
/// The arithmetic is governor's where a token takes a whole number of microseconds, and exact
/// fractions everywhere else; both decide alike wherever both can decide. A step takes a few
/// nanoseconds and allocates nothing.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use portcullis::rate_limit::{Algorithm, Op, Rate, TokenBucket};
/// use portcullis::time::Timestamp;
///
/// let bucket = TokenBucket::new(Rate::per_minute(6).burst(2))?;
/// let now = Timestamp::from_secs(1_000);
/// let first = bucket.step(None, now, Op::Take(2));
/// assert_eq!(first.decision.remaining, 0);
/// let second = bucket.step(first.state(), now, Op::Take(1));
/// assert_eq!(second.decision.retry_after, Some(Duration::from_secs(10)));
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokenBucket {
    rate: Rate,
    overdraft: u64,
    arithmetic: Arithmetic,
    /// It is asked for with every request.
    id: AlgorithmId,
}

#[derive(Clone, Debug)]
enum Arithmetic {
    Governor(GovernorKernel),
    Exact(ExactKernel),
}

impl TokenBucket {
    /// A bucket with the capacity and the refill of `rate`.
    ///
    /// # Errors
    /// If the rate is none: see [`Rate`].
    pub fn new(rate: Rate) -> Result<Self, ConfigError> {
        rate.check()?;
        Ok(Self { rate, overdraft: 0, arithmetic: Arithmetic::of(rate, 0), id: id(rate, 0) })
    }

    /// How many tokens below zero [`Op::Force`] may go; what exceeds it is forgiven. Default 0, so
    /// that a forced charge empties the bucket at most; at most 10^15.
    #[must_use]
    pub fn overdraft(mut self, tokens: u64) -> Self {
        self.overdraft = tokens.min(Rate::MOST);
        self.arithmetic = Arithmetic::of(self.rate, self.overdraft);
        self.id = id(self.rate, self.overdraft);
        self
    }

    /// The same bucket, computed in exact fractions.
    #[cfg(test)]
    pub(crate) fn exact(mut self) -> Self {
        self.arithmetic = Arithmetic::exact(self.rate, self.overdraft);
        self
    }

    /// Whether governor's arithmetic is used.
    #[cfg(test)]
    pub(crate) fn is_governors(&self) -> bool {
        matches!(self.arithmetic, Arithmetic::Governor(_))
    }
}

fn id(rate: Rate, overdraft: u64) -> AlgorithmId {
    AlgorithmId::new("token_bucket", 1, &[rate.period_nanos(), rate.refill(), rate.capacity(), overdraft])
}

impl Arithmetic {
    fn of(rate: Rate, overdraft: u64) -> Self {
        GovernorKernel::new(rate.period_nanos(), rate.refill(), rate.capacity(), overdraft)
            .map_or_else(|| Self::exact(rate, overdraft), Self::Governor)
    }

    fn exact(rate: Rate, overdraft: u64) -> Self {
        Self::Exact(ExactKernel::new(rate.period_nanos(), rate.refill(), rate.capacity(), overdraft))
    }
}

impl Algorithm for TokenBucket {
    fn id(&self) -> AlgorithmId {
        self.id
    }

    fn step(&self, state: Option<&State>, now: Timestamp, op: Op) -> Step {
        match &self.arithmetic {
            Arithmetic::Governor(kernel) => kernel::step(kernel, self.rate.capacity(), state, now, op),
            Arithmetic::Exact(kernel) => kernel::step(kernel, self.rate.capacity(), state, now, op),
        }
    }

    fn expires_after(&self, state: &State, now: Timestamp) -> Duration {
        match &self.arithmetic {
            Arithmetic::Governor(kernel) => kernel.full_after(kernel.owed(Some(state), now).debt),
            Arithmetic::Exact(kernel) => kernel.full_after(kernel.owed(Some(state), now).debt),
        }
    }

    fn leasable(&self) -> Option<Arc<dyn Algorithm>> {
        Some(Arc::new(self.clone()))
    }

    fn window(&self) -> Option<Duration> {
        Some(self.rate.refilled_in())
    }
}
