use std::{sync::Arc, time::Duration};

use super::{Algorithm, AlgorithmId, Language, Op, Program, Step, TokenBucket};
use crate::{
    config_error::ConfigError,
    rate_limit::{Packing, Rate, State},
    time::Timestamp,
};

/// A bucket that leaks at an even rate: a request pours its cost in, or is refused because it would
/// overflow. The leaky bucket *as a meter*; the one as a queue is [`LeakyQueue`](super::LeakyQueue).
///
/// It is the [`TokenBucket`] seen from the other side: what is in this one is what is missing in that
/// one, and both refuse the same requests. The name is here for those who think, or whose contracts
/// speak, of a level and of overflowing.
///
/// **When**: as the token bucket. **Worst case in any span of one period**: the bucket's size and what
/// leaks in one period. **State**: one word, when the bucket will be empty (a second one for a fraction
/// of a microsecond). **Cost**: a few nanoseconds, no allocation. **Source**: J. Turner, "New directions
/// in communications", 1986; ITU-T I.371 annex A (continuous-state leaky bucket).
///
/// ```
/// use std::time::Duration;
/// use portcullis::rate_limit::{Algorithm, LeakyBucket, Op, Rate};
/// use portcullis::time::Timestamp;
///
/// // Holds 5, and 60 leak out in a minute.
/// let bucket = LeakyBucket::new(Rate::per_minute(60).burst(5))?;
/// let now = Timestamp::from_secs(1_000);
/// let poured = bucket.step(None, now, Op::Take(4));
/// assert_eq!(bucket.level(poured.state().unwrap(), now), 4);
/// assert_eq!(poured.decision.full_after, Duration::from_secs(4)); // empty
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LeakyBucket {
    dual: TokenBucket,
    id: AlgorithmId,
}

impl LeakyBucket {
    /// A bucket that holds the rate's burst, and leaks its units in each of its periods.
    ///
    /// # Errors
    /// If the rate is none: see [`Rate`].
    pub fn new(rate: Rate) -> Result<Self, ConfigError> {
        let dual = TokenBucket::new(rate)?;
        let id = AlgorithmId::new("leaky_bucket", 1, &[rate.period_nanos(), rate.refill(), rate.capacity()]);
        Ok(Self { dual, id })
    }

    /// How many units are in the bucket, rounded up.
    pub fn level(&self, state: &State, now: Timestamp) -> u64 {
        self.dual.used(state, now)
    }
}

impl Algorithm for LeakyBucket {
    fn id(&self) -> AlgorithmId {
        self.id
    }

    fn step(&self, state: Option<&State>, now: Timestamp, op: Op) -> Step {
        self.dual.step(state, now, op)
    }

    fn expires_after(&self, state: &State, now: Timestamp) -> Duration {
        self.dual.expires_after(state, now)
    }

    fn used(&self, state: &State, now: Timestamp) -> u64 {
        self.dual.used(state, now)
    }

    fn leasable(&self) -> Option<Arc<dyn Algorithm>> {
        Some(Arc::new(self.clone()))
    }

    fn program(&self, language: Language) -> Option<Program> {
        self.dual.program(language)
    }

    fn packing(&self) -> Option<&dyn Packing> {
        self.dual.packing()
    }

    fn window(&self) -> Option<Duration> {
        self.dual.window()
    }
}
