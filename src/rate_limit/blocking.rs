use std::{sync::Arc, time::Duration};

use super::{Algorithm, AlgorithmId, Decision, LATE, Op, State, Step, Write};
use crate::time::{Timestamp, micros_ceil};

/// Any algorithm, with a block after a refusal: who asks for more than there is gets nothing for a
/// while, even if there would be room again.
///
/// The block ends when it was said to end: to try again meanwhile neither lengthens nor shortens it,
/// so that `Retry-After` stays true. It is kept with the bucket, in one more word of the same state.
/// Units may be given back or forced meanwhile; [`Op::Reset`] lifts the block. A cost that exceeds
/// the limit blocks nobody, because no waiting helps against it.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use portcullis::{rate_limit::{Algorithm, Blocking, Op, Rate, TokenBucket}, time::Timestamp};
///
/// let guesses = Blocking::new(Arc::new(TokenBucket::new(Rate::per_minute(1))?), Duration::from_secs(900));
/// let start = Timestamp::from_secs(1_000);
/// let at = |secs| start.saturating_add(Duration::from_secs(secs));
/// let first = guesses.step(None, start, Op::Take(1));
/// let second = guesses.step(first.state(), at(1), Op::Take(1));
/// assert_eq!(second.decision.retry_after, Some(Duration::from_secs(900)));
/// // A minute later the bucket is full again, and the caller is still blocked.
/// let third = guesses.step(second.state(), at(61), Op::Take(1));
/// assert_eq!(third.decision.retry_after, Some(Duration::from_secs(840)));
/// assert!(guesses.step(second.state(), at(901), Op::Take(1)).decision.allowed);
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Blocking {
    inner: Arc<dyn Algorithm>,
    block: u64,
    id: AlgorithmId,
}

/// No algorithm's own versions are so many: this bit says that a word more is kept, so that states of
/// the two layouts never meet.
const BLOCKED: u16 = 1 << 14;

impl Blocking {
    /// The longest block.
    pub const LONGEST: Duration = Duration::from_secs(30 * 86_400);

    /// Blocks for `block` after each refusal of `inner`. Longer than [`LONGEST`](Self::LONGEST) counts as
    /// that.
    pub fn new(inner: Arc<dyn Algorithm>, block: Duration) -> Self {
        let (id, block) = (inner.id(), micros_ceil(block.min(Self::LONGEST)));
        let id = AlgorithmId::new(id.name(), id.version() | BLOCKED, &[id.parameters(), block]);
        Self { inner, block, id }
    }

    /// When the block ends, and the state of the inner algorithm. The block is never longer than it can
    /// be for whoever is not late (a clock jumped); whether it was cut is told, because that must be written.
    fn split(&self, state: Option<&State>, now: Timestamp) -> (Timestamp, Option<State>, bool) {
        let Some([until, inner @ ..]) = state.map(State::words) else { return (Timestamp::EPOCH, None, false) };
        let longest = Timestamp::from_micros(now.as_micros().saturating_add(self.block));
        let held = Timestamp::from_micros(*until);
        let inner = match *inner {
            [] => None,
            [a] => Some(State::from(a)),
            [a, b] => Some([a, b].into()),
            [a, b, c] => Some([a, b, c].into()),
            _ => Some(inner.to_vec().into()),
        };
        if held.since(longest) > Duration::from_micros(LATE) { (longest, inner, true) } else { (held, inner, false) }
    }

    /// Refuses while the block lasts.
    fn blocked(&self, held: Option<&State>, until: Timestamp, cut: bool, now: Timestamp, op: Op) -> Step {
        let left = until.since(now);
        let inner = self.inner.step(held, now, op).decision;
        let wait = inner.retry_after.map_or(left, |wait| wait.max(left));
        let decision =
            if inner.is_never() { Decision::never(inner.limit, 0) } else { Decision::refused(inner.limit, 0, wait) };
        let decision = decision.next_after(inner.next_after.max(left)).full_after(inner.full_after.max(left));
        let write = if cut { join(until, held).map_or(Write::Clear, Write::Set) } else { Write::Keep };
        Step { decision, write }
    }

    /// What the inner algorithm says, and the block that comes of it.
    fn keep(&self, held: Option<&State>, until: Timestamp, cut: bool, now: Timestamp, op: Op, step: Step) -> Step {
        let Step { mut decision, write } = step;
        let left = until.since(now);
        let breach = matches!(op.at_once(), Op::Take(_)) && decision.retry_after.is_some();
        let block = if breach {
            Timestamp::from_micros(now.as_micros().saturating_add(self.block))
        } else if matches!(op, Op::Reset) || left.is_zero() {
            Timestamp::EPOCH
        } else {
            until
        };
        if breach {
            let blocked = block.since(now);
            decision.remaining = 0;
            decision.retry_after = decision.retry_after.map(|wait| wait.max(blocked));
            decision.next_after = decision.next_after.max(blocked);
            decision.full_after = decision.full_after.max(blocked);
        }
        // A block that is over is forgotten with the next write, and until then says nothing.
        let same = !breach && !cut && (block == until || left.is_zero());
        let write = match write {
            Write::Keep if same => Write::Keep,
            Write::Keep => join(block, held).map_or(Write::Clear, Write::Set),
            Write::Clear => join(block, None).map_or(Write::Clear, Write::Set),
            Write::Set(inner) => join(block, Some(&inner)).map_or(Write::Clear, Write::Set),
        };
        Step { decision, write }
    }
}

/// No block and no inner state is no state.
fn join(until: Timestamp, inner: Option<&State>) -> Option<State> {
    let until = until.as_micros();
    match inner.map_or(&[][..], State::words) {
        [] if until == 0 => None,
        [] => Some(until.into()),
        [a] => Some([until, *a].into()),
        [a, b] => Some([until, *a, *b].into()),
        [a, b, c] => Some([until, *a, *b, *c].into()),
        words => Some([&[until], words].concat().into()),
    }
}

impl Algorithm for Blocking {
    fn id(&self) -> AlgorithmId {
        self.id
    }

    fn step(&self, state: Option<&State>, now: Timestamp, op: Op) -> Step {
        let (until, held, cut) = self.split(state, now);
        let left = until.since(now);
        let asks = matches!(op.at_once(), Op::Take(1..) | Op::Peek);
        if asks && !left.is_zero() {
            return self.blocked(held.as_ref(), until, cut, now, op);
        }
        let step = self.inner.step(held.as_ref(), now, op);
        self.keep(held.as_ref(), until, cut, now, op, step)
    }

    fn begin(&self, spread: &dyn Fn() -> u64, now: Timestamp, op: Op) -> Step {
        let step = self.inner.begin(spread, now, op);
        self.keep(None, Timestamp::EPOCH, false, now, op, step)
    }

    fn expires_after(&self, state: &State, now: Timestamp) -> Duration {
        let (until, inner, _) = self.split(Some(state), now);
        let inner = inner.map_or(Duration::ZERO, |inner| self.inner.expires_after(&inner, now));
        inner.max(until.since(now))
    }

    fn window(&self) -> Option<Duration> {
        self.inner.window()
    }

    fn is_windowed(&self) -> bool {
        self.inner.is_windowed()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rate_limit::{FixedWindow, Rate, TokenBucket};

    fn algorithms() -> Vec<Blocking> {
        let block = Duration::from_millis(1_500);
        vec![
            Blocking::new(Arc::new(TokenBucket::new(Rate::per_second(3)).unwrap()), block),
            Blocking::new(Arc::new(FixedWindow::new(Rate::per_second(3)).unwrap()), block),
        ]
    }

    proptest! {
        /// Research §5: after exactly `retry_after` it passes, a microsecond earlier it does not; and a
        /// state that has expired decides like none.
        #[test]
        fn the_wait_is_exact(ops in prop::collection::vec((0_u64..900_000, 0_u8..6, 1_u64..4), 1..40)) {
            for algorithm in algorithms() {
                let mut now = Timestamp::from_secs(1_000);
                let mut state: Option<State> = None;
                for (pause, op, units) in &ops {
                    now = now.saturating_add(Duration::from_micros(*pause));
                    let op = match op {
                        0 => Op::Give(*units),
                        1 => Op::Force(*units),
                        _ => Op::Take(*units),
                    };
                    let step = algorithm.step(state.as_ref(), now, op);
                    if let Some(wait) = step.decision.retry_after {
                        let held = step.clone().apply(state.clone());
                        let exactly = now.saturating_add(wait);
                        let before = Timestamp::from_micros(exactly.as_micros().saturating_sub(1));
                        prop_assert!(algorithm.step(held.as_ref(), exactly, op).decision.allowed);
                        prop_assert!(!algorithm.step(held.as_ref(), before, op).decision.allowed);
                    }
                    state = step.apply(state);
                    if let Some(held) = &state {
                        let gone = now.saturating_add(algorithm.expires_after(held, now));
                        let (with, without) =
                            (algorithm.step(state.as_ref(), gone, Op::Peek), algorithm.step(None, gone, Op::Peek));
                        prop_assert_eq!(with.decision, without.decision);
                    }
                }
            }
        }

        #[test]
        fn any_words_are_a_state(words in prop::collection::vec(any::<u64>(), 0..7), now in any::<u64>(), units in any::<u64>()) {
            let state = State::from(words);
            for algorithm in algorithms() {
                for op in [Op::Take(units), Op::Give(units), Op::Force(units), Op::Peek, Op::Reset] {
                    algorithm.step(Some(&state), Timestamp::from_micros(now), op);
                }
                algorithm.expires_after(&state, Timestamp::from_micros(now));
            }
        }
    }

    #[test]
    fn a_clock_that_went_back_blocks_no_longer_than_a_block() {
        for algorithm in algorithms() {
            let blocked = State::from([Timestamp::from_secs(9_000).as_micros()].to_vec());
            let now = Timestamp::from_secs(1_000);
            let step = algorithm.step(Some(&blocked), now, Op::Take(1));
            assert_eq!(step.decision.retry_after, Some(Duration::from_millis(1_500)));
            let state = step.apply(Some(blocked));
            let later = now.saturating_add(Duration::from_millis(1_500));
            assert!(algorithm.step(state.as_ref(), later, Op::Take(1)).decision.allowed, "the cut was kept");
        }
    }

    #[test]
    fn a_reset_lifts_the_block_and_an_impossible_cost_makes_none() {
        let [algorithm, _] = algorithms().try_into().unwrap();
        let now = Timestamp::from_secs(1_000);
        let full = algorithm.step(None, now, Op::Take(3));
        let blocked = algorithm.step(full.state(), now, Op::Take(1));
        assert!(algorithm.step(blocked.state(), now, Op::Reset).apply(blocked.state().cloned()).is_none());
        let never = algorithm.step(None, now, Op::Take(4));
        assert!(never.decision.is_never() && never.write == Write::Keep);
    }
}
