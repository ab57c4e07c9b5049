use std::{sync::Arc, time::Duration};

use super::{
    Algorithm, AlgorithmId, Language, Op, Program, Step,
    exact_kernel::ExactKernel,
    governor_kernel::{GovernorKernel, PackedTake},
    kernel::{self, Kernel},
    program::Origin,
};
use crate::{
    config_error::ConfigError,
    rate_limit::{Packed, PackedClock, PackedStep, Packing, Rate, State, packed::step_unpacked},
    time::Timestamp,
};

/// A bucket of `burst` tokens that is refilled at an even rate (GCRA, the generic cell rate
/// algorithm): a request takes its cost out of it, or is refused.
///
/// **When**: nearly always. It has no border at which twice the limit passes at once, forgives a burst,
/// and then holds an even pace. **Worst case in any span of one period**: the burst and one period's
/// refill; twice the rate where no [`burst`](Rate::burst) is given. **State**: one word, the time at
/// which the bucket will be full (and a second one while that is not a whole microsecond); a full
/// bucket has no state. **Cost**: a few nanoseconds, no allocation. **Source**: ITU-T I.371 annex A
/// (virtual scheduling); the arithmetic of the crate governor.
///
/// The arithmetic is governor's where a token takes a whole number of microseconds, all that a key can
/// owe takes less than 2^62 nanoseconds to pay off, and the burst fits 32 bits; and exact fractions
/// everywhere else. Both decide alike wherever both can decide. What neither can is no [`Rate`], and
/// an error.
///
/// What is given back fills the bucket to the brim at most. A forced charge empties it, and goes below
/// that as far as [`overdraft`](TokenBucket::overdraft) allows.
///
/// ```
/// use std::time::Duration;
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

    /// What tells of a take whether it passes, and nothing else of the decision: nothing passes by it if the
    /// bucket does not [pack](Algorithm::packing) its states.
    pub(crate) fn packed_takes(&self) -> PackedTake {
        match &self.arithmetic {
            Arithmetic::Governor(kernel) if kernel.packs() => kernel.takes(),
            Arithmetic::Governor(_) | Arithmetic::Exact(_) => PackedTake::NEVER,
        }
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

    fn used(&self, state: &State, now: Timestamp) -> u64 {
        match &self.arithmetic {
            Arithmetic::Governor(kernel) => kernel.used(kernel.owed(Some(state), now).debt),
            Arithmetic::Exact(kernel) => kernel.used(kernel.owed(Some(state), now).debt),
        }
    }

    fn program(&self, language: Language) -> Option<Program> {
        const LUA: &str = include_str!("lua/token_bucket.lua");
        let (numbers, rounds) = match &self.arithmetic {
            Arithmetic::Governor(kernel) => (kernel.numbers(), 1),
            Arithmetic::Exact(kernel) => (kernel.numbers()?, 0),
        };
        let [unit, micro, empty, most] = numbers;
        (language == Language::Lua).then(|| Program::of(Origin::Bucket, LUA, [unit, micro, empty, most, rounds]))
    }

    fn window(&self) -> Option<Duration> {
        Some(self.rate.refilled_in())
    }

    fn packing(&self) -> Option<&dyn Packing> {
        match &self.arithmetic {
            Arithmetic::Governor(kernel) if kernel.packs() => Some(self),
            // A fraction needs a word of its own.
            Arithmetic::Governor(_) | Arithmetic::Exact(_) => None,
        }
    }
}

/// The state is one time, which takes all of the 50 bits.
impl Packing for TokenBucket {
    fn pack(&self, state: &State, clock: PackedClock) -> Option<Packed> {
        let fraction = u64::from(state.word(1).is_some_and(|fraction| fraction > 0));
        Packed::ending(Timestamp::from_micros(state.word(0)?.saturating_add(fraction)), clock)
    }

    fn unpack(&self, packed: Packed, clock: PackedClock) -> State {
        packed.ends(clock).as_micros().into()
    }

    #[inline]
    fn step_packed(&self, packed: Option<Packed>, clock: PackedClock, now: Timestamp, op: Op) -> PackedStep {
        match (&self.arithmetic, clock.micros(now)) {
            (Arithmetic::Governor(kernel), Some(micros)) => {
                let full_at = packed.map(Packed::bits);
                let (decision, write) = kernel.step_packed(self.rate.capacity(), full_at, micros, op);
                PackedStep { decision, write }
            }
            // Not asked by a store that asks `packing` first, at a time that its clock holds.
            _ => step_unpacked(self, packed, clock, now, op),
        }
    }
}
