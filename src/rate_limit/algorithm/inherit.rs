use std::{sync::Arc, time::Duration};

use super::{Algorithm, AlgorithmId, Op, Step, Write};
use crate::{rate_limit::State, time::Timestamp};

/// What becomes of a key's state when another limit of the same kind takes over: a caller changed the
/// plan, or an operator the configuration.
///
/// With 20 a minute of which 15 are used, and 100 a minute from now on:
///
/// | | stays the same | available then |
/// |---|---|---|
/// | [`AsIs`](Self::AsIs), a window or log | what was used | 85 |
/// | [`AsIs`](Self::AsIs), a bucket or queue | the time until all is available (45 s) | 25 |
/// | [`Proportional`](Self::Proportional) | the share that is available | 25 |
/// | [`Additive`](Self::Additive) | the units that were used | 85 |
/// | [`Reset`](Self::Reset) | nothing | 100 |
///
/// None but `Reset` lets anybody shake off what he owes, as far as the new limit lets anybody owe so much. What
/// does not come out even is rounded up to a unit that is owed. (Bucket4j's `AS_IS` copies the available tokens
/// instead.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Inherit {
    /// The state stays as it is, and is cut down to what the new limit lets anybody owe. Needs
    /// nothing to be remembered. The default.
    #[default]
    AsIs,
    /// The key starts afresh.
    Reset,
    /// The same share of the limit is available as before.
    Proportional,
    /// As much has been used as before: the difference of the limits is added to, or taken off, what
    /// is available.
    Additive,
}

/// What is used of `limit`, if `used` was used of `old`.
pub(super) fn carried(how: Inherit, used: u64, old: u64, limit: u64) -> u64 {
    match how {
        Inherit::Proportional => {
            let product = u128::from(used).saturating_mul(limit.into());
            let share = product.div_ceil(u128::from(old.max(1)));
            u64::try_from(share).unwrap_or(u64::MAX)
        }
        Inherit::Reset => 0,
        Inherit::Additive | Inherit::AsIs => used,
    }
}

/// What [`Algorithm::migrate`] does unless an algorithm knows better.
pub(super) fn migrate<A: Algorithm + ?Sized>(
    to: &A,
    state: &State,
    from: &dyn Algorithm,
    how: Inherit,
    now: Timestamp,
) -> Option<State> {
    if how == Inherit::AsIs {
        return Some(state.clone());
    }
    let old = from.step(Some(state), now, Op::Peek).decision.limit;
    let limit = to.step(None, now, Op::Peek).decision.limit;
    let used = carried(how, from.used(state, now), old, limit);
    if used == 0 { None } else { to.step(None, now, Op::Force(used)).apply(None) }
}

/// A limit that takes over states of other limits, in the way that [`Inherit`] says.
///
/// It needs to know under which parameters a state was written, which most states do not say. So it
/// keeps one word more than the algorithm inside, a fingerprint of its parameters, and is told what
/// limits came before. A state of a limit that it was not told of is taken as it is. The states of
/// one kind of algorithm are taken over only: a token bucket knows nothing of what a window counted.
///
/// With [`Inherit::AsIs`] the algorithm itself does the same, without the word: use this for the
/// other three. All limits of a rule must then be of this type, with the same word.
///
/// ```
/// use std::sync::Arc;
/// use portcullis::rate_limit::{Algorithm, Inherit, Inheriting, Op, Rate, TokenBucket};
/// use portcullis::time::Timestamp;
///
/// let free = Arc::new(TokenBucket::new(Rate::per_minute(20))?);
/// let paid = Arc::new(TokenBucket::new(Rate::per_minute(100))?);
/// let now = Timestamp::from_secs(1_000);
/// for (how, available) in [(Inherit::Reset, 100), (Inherit::Proportional, 25), (Inherit::Additive, 85)] {
///     let before = Inheriting::new(free.clone(), how).after(paid.clone());
///     let after = Inheriting::new(paid.clone(), how).after(free.clone());
///     let used = before.step(None, now, Op::Take(15));
///     assert_eq!(after.step(used.state(), now, Op::Peek).decision.remaining, available);
/// }
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Inheriting {
    algorithm: Arc<dyn Algorithm>,
    how: Inherit,
    before: Vec<Arc<dyn Algorithm>>,
    id: AlgorithmId,
    tag: u64,
}

/// A state as the algorithm inside knows it.
struct Held {
    state: Option<State>,
    /// It was another limit's.
    taken_over: bool,
}

/// No algorithm's own versions are so many: this bit says that a word more is kept.
const TAGGED: u16 = 1 << 15;

impl Inheriting {
    /// `algorithm`, which takes over what others of its kind left.
    pub fn new(algorithm: Arc<dyn Algorithm>, how: Inherit) -> Self {
        let inner = algorithm.id();
        let way = match how {
            Inherit::AsIs => 0,
            Inherit::Reset => 1,
            Inherit::Proportional => 2,
            Inherit::Additive => 3,
        };
        let id = AlgorithmId::new(inner.name(), inner.version() | TAGGED, &[inner.parameters(), way]);
        Self { algorithm, how, before: Vec::new(), id, tag: inner.parameters() }
    }

    /// A limit whose states it may meet: of another plan, or of the configuration before. One of
    /// another kind of algorithm changes nothing.
    #[must_use]
    pub fn after(mut self, other: Arc<dyn Algorithm>) -> Self {
        let (own, theirs) = (self.algorithm.id(), other.id());
        if own.name() == theirs.name() && own.version() == theirs.version() && own != theirs {
            self.before.push(other);
        }
        self
    }

    fn held(&self, state: &State, now: Timestamp) -> Held {
        let (own, tag) = untag(state);
        let Some(own) = own else { return Held { state: None, taken_over: true } };
        if tag == self.tag {
            return Held { state: Some(own), taken_over: false };
        }
        let from = self.before.iter().find(|other| other.id().parameters() == tag);
        let state = match from {
            Some(from) => self.algorithm.migrate(&own, &**from, self.how, now),
            None => Some(own),
        };
        Held { state, taken_over: true }
    }

    /// What was taken over is written down even by a refusal: else it would be taken over anew, from
    /// a state that has meanwhile aged at the old limit's pace.
    fn keep(&self, held: &Held, Step { decision, write }: Step) -> Step {
        let write = match (write, &held.state) {
            (Write::Set(state), _) => Write::Set(tagged(&state, self.tag)),
            (Write::Keep, Some(state)) if held.taken_over => Write::Set(tagged(state, self.tag)),
            (Write::Keep, None) if held.taken_over => Write::Clear,
            (write, _) => write,
        };
        Step { decision, write }
    }
}

impl Algorithm for Inheriting {
    fn id(&self) -> AlgorithmId {
        self.id
    }

    fn step(&self, state: Option<&State>, now: Timestamp, op: Op) -> Step {
        let held = state.map_or(Held { state: None, taken_over: false }, |state| self.held(state, now));
        self.keep(&held, self.algorithm.step(held.state.as_ref(), now, op))
    }

    fn begin(&self, spread: &dyn Fn() -> u64, now: Timestamp, op: Op) -> Step {
        let held = Held { state: None, taken_over: false };
        self.keep(&held, self.algorithm.begin(spread, now, op))
    }

    fn expires_after(&self, state: &State, now: Timestamp) -> Duration {
        let held = self.held(state, now);
        held.state.map_or(Duration::ZERO, |state| self.algorithm.expires_after(&state, now))
    }

    fn window(&self) -> Option<Duration> {
        self.algorithm.window()
    }

    fn is_windowed(&self) -> bool {
        self.algorithm.is_windowed()
    }

    fn used(&self, state: &State, now: Timestamp) -> u64 {
        self.held(state, now).state.map_or(0, |state| self.algorithm.used(&state, now))
    }
}

/// The last word says whose it is. Inline words stay inline.
fn untag(state: &State) -> (Option<State>, u64) {
    match *state.words() {
        [] => (None, 0),
        [tag] => (None, tag),
        [a, tag] => (Some(a.into()), tag),
        [a, b, tag] => (Some([a, b].into()), tag),
        [a, b, c, tag] => (Some([a, b, c].into()), tag),
        [ref words @ .., tag] => (Some(words.to_vec().into()), tag),
    }
}

fn tagged(state: &State, tag: u64) -> State {
    match *state.words() {
        [] => tag.into(),
        [a] => [a, tag].into(),
        [a, b] => [a, b, tag].into(),
        [a, b, c] => [a, b, c, tag].into(),
        ref words => {
            let mut all = Vec::with_capacity(words.len().saturating_add(1));
            all.extend_from_slice(words);
            all.push(tag);
            all.into()
        }
    }
}
