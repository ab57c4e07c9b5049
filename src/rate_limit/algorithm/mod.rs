//! The port for algorithms, and the ones that are built in.

mod exact_kernel;
mod fixed_window;
mod governor_kernel;
mod id;
mod inherit;
mod kernel;
mod leaky_bucket;
mod leaky_queue;
mod program;
mod sliding_counter;
mod sliding_log;
mod step;
mod token_bucket;
mod verdict;

use std::{fmt, sync::Arc, time::Duration};

pub(crate) use self::governor_kernel::PackedTake;
pub(crate) use self::step::LATE;
pub use self::{
    fixed_window::{FixedWindow, Windows},
    id::AlgorithmId,
    inherit::{Inherit, Inheriting},
    leaky_bucket::LeakyBucket,
    leaky_queue::LeakyQueue,
    program::{Language, Program},
    sliding_counter::SlidingCounter,
    sliding_log::SlidingLog,
    step::{Decision, Op, Step, Write},
    token_bucket::TokenBucket,
};
use super::{Packing, State};
use crate::time::Timestamp;

/// How a limit is computed: a pure transition from one [`State`] to the next.
///
/// No clock, no I/O, no randomness: the same arguments give the same [`Step`] on every machine, so
/// that a store may run it under a lock, in a loop of compare-and-swap, or compare another
/// language's version of it against this one. A store decides when to keep what a step wrote.
///
/// # An algorithm of your own
/// A cool-down: after a request, none for a while. It works on every store, and as a limit of any
/// [`Rule`](super::Rule).
/// ```
/// use std::{sync::Arc, time::Duration};
/// use portcullis::backend::memory::MemoryStore;
/// use portcullis::rate_limit::{
///     Algorithm, AlgorithmId, Decision, Key, Op, RateLimitLayer, Rule, State, Step,
/// };
/// use portcullis::time::Timestamp;
///
/// #[derive(Debug)]
/// struct CoolDown { pause: Duration }
///
/// impl Algorithm for CoolDown {
///     fn id(&self) -> AlgorithmId {
///         AlgorithmId::new("example.cool_down", 1, &[self.pause.as_micros() as u64])
///     }
///
///     fn step(&self, state: Option<&State>, now: Timestamp, op: Op) -> Step {
///         // One word: when the pause ends. Never further away than a whole pause from now.
///         let ends = state.and_then(|state| state.word(0)).map_or(now, Timestamp::from_micros);
///         let left = ends.since(now).min(self.pause);
///         let resting = |left: Duration| Decision::passed(1, u64::from(left.is_zero())).next_after(left).full_after(left);
///         match op {
///             Op::Take(n) if n > 1 => Step::keep(Decision::never(1, 0)),
///             Op::Take(1) if left.is_zero() => {
///                 Step::set(resting(self.pause), now.saturating_add(self.pause).as_micros().into())
///             }
///             Op::Take(1) => Step::keep(Decision::refused(1, 0, left).next_after(left).full_after(left)),
///             Op::Force(_) => Step::set(resting(self.pause), now.saturating_add(self.pause).as_micros().into()),
///             Op::Give(_) | Op::Reset => Step::clear(resting(Duration::ZERO)),
///             // Peek, Take(0), and whatever a later version asks.
///             _ if left.is_zero() => Step::keep(resting(left)),
///             _ => Step::keep(Decision::refused(1, 0, left).next_after(left).full_after(left)),
///         }
///     }
///
///     fn expires_after(&self, state: &State, now: Timestamp) -> Duration {
///         state.word(0).map_or(Duration::ZERO, |ends| Timestamp::from_micros(ends).since(now))
///     }
/// }
///
/// let cool_down = CoolDown { pause: Duration::from_secs(10) };
/// let now = Timestamp::from_secs(1_000);
/// let first = cool_down.step(None, now, Op::Take(1));
/// assert!(first.decision.allowed);
/// let second = cool_down.step(first.state(), now.saturating_add(Duration::from_secs(3)), Op::Take(1));
/// assert_eq!(second.decision.retry_after, Some(Duration::from_secs(7)));
///
/// let layer = RateLimitLayer::builder(MemoryStore::new())
///     .rule(Rule::new("export", Key::principal(), Arc::new(cool_down)))
///     .build()?;
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
pub trait Algorithm: fmt::Debug + Send + Sync + 'static {
    /// The stable name, the version of the state's layout, and the parameters.
    ///
    /// Name and version are part of a key's identity in a store: states of different layouts never
    /// meet. The parameters are not, so that a new limit takes over what a key owes under the old.
    fn id(&self) -> AlgorithmId;

    /// What `op` at `now` makes of `state`; `None` is a key that was never seen, or whose state has
    /// expired.
    ///
    /// Must accept any words (a state of another configuration, or of a clock that jumped), must
    /// not panic, and must not allocate for a state of inline words.
    fn step(&self, state: Option<&State>, now: Timestamp, op: Op) -> Step;

    /// How long until `state` decides like no state at all; a store may then drop it.
    fn expires_after(&self, state: &State, now: Timestamp) -> Duration;

    /// [`step`](Self::step) for a key without a state. `spread` gives a number that differs from key
    /// to key: for what is to be at another time for each, as windows that do not all begin at once.
    /// A state must say by itself what came of it, because all later steps are without.
    fn begin(&self, spread: &dyn Fn() -> u64, now: Timestamp, op: Op) -> Step {
        let _ = spread;
        self.step(None, now, op)
    }

    /// How many units are used at `now`, rounded up; more than the limit where more can be owed.
    fn used(&self, state: &State, now: Timestamp) -> u64 {
        let decision = self.step(Some(state), now, Op::Peek).decision;
        decision.limit.saturating_sub(decision.remaining)
    }

    /// What becomes of a state that `from` wrote, an algorithm of the same name and version with
    /// other parameters. Asked by [`Inheriting`] only: a state that comes without an introduction is
    /// simply stepped on, [as it is](Inherit::AsIs).
    fn migrate(&self, state: &State, from: &dyn Algorithm, how: Inherit, now: Timestamp) -> Option<State> {
        inherit::migrate(self, state, from, how, now)
    }

    /// The same step in the language of a remote store, so that it takes one round trip. `None`: the
    /// store must compare and swap.
    fn program(&self, language: Language) -> Option<Program> {
        let _ = language;
        None
    }

    /// This algorithm, for who outlives the request, if units may be taken ahead of their use, and given
    /// back before [`full_after`](Decision::full_after) has passed: what a
    /// [`LeasedStore`](super::LeasedStore) does. `None`: the store is asked with each request.
    fn leasable(&self) -> Option<Arc<dyn Algorithm>> {
        None
    }

    /// The same on states of 50 bits, if every state of this algorithm fits so many: the memory store
    /// then needs 16 bytes for a key, and no lock. `None`: it keeps what `step` says as it is.
    fn packing(&self) -> Option<&dyn Packing> {
        None
    }

    /// In which time the whole limit can be used and is available again: the parameter `w` of the
    /// header `RateLimit-Policy`, which is left out for `None`.
    fn window(&self) -> Option<Duration> {
        None
    }

    /// Whether what was charged is forgotten at an instant (the end of a window) instead of being
    /// refilled little by little. What a request turns out to have cost beyond its estimate
    /// ([`Cost`](super::Cost)) is then not charged once that instant has passed: it would be charged to a
    /// window to which it does not belong.
    fn is_windowed(&self) -> bool {
        false
    }
}
