//! States of 50 bits, which the memory store keeps without a lock.

use super::{Algorithm, Decision, Op, State, Write};
use crate::time::Timestamp;

/// An algorithm every state of which fits 50 bits.
///
/// [`MemoryStore`](crate::backend::memory::MemoryStore) keeps such a state in a slot of 16 bytes, and
/// charges it without a lock; any other state lies in a larger slot behind one. What is decided is the
/// same. Optional: see [`Algorithm::packing`].
///
/// ```
/// use std::time::Duration;
/// use portcullis::rate_limit::{
///     Algorithm, AlgorithmId, Decision, Op, Packed, PackedClock, Packing, State, Step,
/// };
/// use portcullis::time::Timestamp;
///
/// /// One request, and none for ten seconds.
/// #[derive(Debug)]
/// struct CoolDown;
///
/// impl Algorithm for CoolDown {
///     fn id(&self) -> AlgorithmId {
///         AlgorithmId::new("example.ten_seconds", 1, &[])
///     }
///     fn step(&self, state: Option<&State>, now: Timestamp, op: Op) -> Step {
///         let pause = Duration::from_secs(10);
///         let left = state.and_then(|state| state.word(0)).map_or(now, Timestamp::from_micros).since(now).min(pause);
///         match op {
///             Op::Take(1) if left.is_zero() => {
///                 Step::set(Decision::passed(1, 0), now.saturating_add(pause).as_micros().into())
///             }
///             _ => Step::keep(Decision::refused(1, 0, left)),
///         }
///     }
///     fn expires_after(&self, state: &State, now: Timestamp) -> Duration {
///         state.word(0).map_or(Duration::ZERO, |ends| Timestamp::from_micros(ends).since(now))
///     }
///     fn packing(&self) -> Option<&dyn Packing> {
///         Some(self)
///     }
/// }
///
/// impl Packing for CoolDown {
///     fn pack(&self, state: &State, clock: PackedClock) -> Option<Packed> {
///         Packed::ending(Timestamp::from_micros(state.word(0)?), clock)
///     }
///     fn unpack(&self, packed: Packed, clock: PackedClock) -> State {
///         packed.ends(clock).as_micros().into()
///     }
/// }
/// ```
pub trait Packing: Algorithm {
    /// The state in 50 bits, of which nothing may be lost that a later step could tell.
    ///
    /// The store asks only at times that its clock holds. `None` all the same is a state that is
    /// dropped: the key is then as good as new.
    fn pack(&self, state: &State, clock: PackedClock) -> Option<Packed>;

    /// The state again. Must accept any bits.
    fn unpack(&self, packed: Packed, clock: PackedClock) -> State;

    /// [`Algorithm::step`] on a packed state. By default it unpacks, steps and packs; an algorithm may
    /// do with less, as long as it decides the same.
    fn step_packed(&self, packed: Option<Packed>, clock: PackedClock, now: Timestamp, op: Op) -> PackedStep {
        step_unpacked(self, packed, clock, now, op)
    }
}

/// Unpacks, steps and packs.
pub(super) fn step_unpacked<P: Packing + ?Sized>(
    algorithm: &P,
    packed: Option<Packed>,
    clock: PackedClock,
    now: Timestamp,
    op: Op,
) -> PackedStep {
    let state = packed.map(|packed| algorithm.unpack(packed, clock));
    let step = algorithm.step(state.as_ref(), now, op);
    let write = match &step.write {
        Write::Keep => PackedWrite::Keep,
        Write::Clear => PackedWrite::Clear,
        Write::Set(state) => algorithm.pack(state, clock).map_or(PackedWrite::Clear, PackedWrite::Set),
    };
    PackedStep { decision: step.decision, write }
}

/// What a packed step decides, and what it leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedStep {
    /// Where the key stands.
    pub decision: Decision,
    /// What is to be written.
    pub write: PackedWrite,
}

/// What a packed step leaves behind: see [`Write`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackedWrite {
    /// The state stays as it is.
    Keep,
    /// The state is now this one.
    Set(Packed),
    /// There is no state any more.
    Clear,
}

/// A state in 50 bits, which begin with when it expires: whoever needs the room can tell what is free,
/// and what is worth the least, without knowing the algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Packed(u64);

impl Packed {
    /// How many bits there are.
    pub const BITS: u32 = 50;
    /// How many of them [`until`](Self::until) leaves to the algorithm at most.
    pub const OWN_BITS: u32 = 20;

    /// A state that is one time, to the microsecond: it expires then. `None` if the clock does not
    /// hold it.
    #[inline]
    pub fn ending(at: Timestamp, clock: PackedClock) -> Option<Self> {
        clock.micros(at).map(Self)
    }

    /// When it expires, to the microsecond, of what [`ending`](Self::ending) made.
    #[inline]
    pub const fn ends(self, clock: PackedClock) -> Timestamp {
        clock.timestamp(self.0)
    }

    /// A state that expires within `2^width` microseconds after `ends`, and holds a number of `width`
    /// bits. `None` if the number or the time does not fit.
    ///
    /// Of two states that end at once, the one with the smaller number is dropped first.
    pub fn until(ends: Timestamp, number: u64, width: u32, clock: PackedClock) -> Option<Self> {
        if width > Self::OWN_BITS || number >> width != 0 {
            return None;
        }
        let below = (1_u64 << width).wrapping_sub(1);
        let ends = clock.micros(ends)?.checked_add(below)? & !below;
        (ends >> Self::BITS == 0).then_some(Self(ends | number))
    }

    /// The end, rounded up to `2^width` microseconds, and the number that [`until`](Self::until) was
    /// given with that width.
    pub fn parts(self, width: u32, clock: PackedClock) -> (Timestamp, u64) {
        let below = (1_u64 << width.min(Self::OWN_BITS)).wrapping_sub(1);
        (clock.timestamp(self.0 & !below), self.0 & below)
    }

    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// The time that 50 bits of microseconds can tell: nine years before the store first saw a request, and
/// 26 after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedClock {
    /// What is zero; may lie before the epoch, and is then negative by wrapping.
    origin: u64,
}

impl PackedClock {
    const BEFORE: u64 = 1 << 48;
    /// The longest that a state may last, so that no state of a time that the clock holds does not fit:
    /// 2^49 microseconds, almost 18 years.
    pub const LONGEST_MICROS: u64 = 1 << 49;
    /// Before it, a state that was never written would not count as expired.
    const FIRST: u64 = 1 << Packed::OWN_BITS;

    /// The clock of a store that saw its first request at `now`.
    pub const fn around(now: Timestamp) -> Self {
        Self { origin: now.as_micros().wrapping_sub(Self::BEFORE) }
    }

    /// `now` in microseconds, if every state that may be written then fits.
    #[inline]
    pub(crate) const fn reading(self, now: Timestamp) -> Option<u64> {
        let micros = now.as_micros().wrapping_sub(self.origin);
        if micros >= Self::FIRST && micros < Self::LONGEST_MICROS { Some(micros) } else { None }
    }

    /// A time in microseconds, if it fits 50 bits.
    #[inline]
    pub const fn micros(self, at: Timestamp) -> Option<u64> {
        let micros = at.as_micros().wrapping_sub(self.origin);
        if micros >> Packed::BITS == 0 { Some(micros) } else { None }
    }

    /// The time again.
    #[inline]
    pub const fn timestamp(self, micros: u64) -> Timestamp {
        Timestamp::from_micros(micros.wrapping_add(self.origin))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_comes_back(first: u64, offset in 0_u64..(1 << 49)) {
            let clock = PackedClock::around(Timestamp::from_micros(first));
            let at = Timestamp::from_micros(first.wrapping_sub(1 << 48).wrapping_add(offset));
            prop_assert_eq!(Packed::ending(at, clock).map(|packed| packed.ends(clock)), Some(at));
        }

        #[test]
        fn a_number_comes_back_with_its_end(width in 0_u32..=20, number: u64, offset in 0_u64..(1 << 48)) {
            let now = Timestamp::from_secs(1_700_000_000);
            let clock = PackedClock::around(now);
            let number = number & (1_u64 << width).wrapping_sub(1);
            let ends = Timestamp::from_micros(now.as_micros().saturating_add(offset));
            let packed = Packed::until(ends, number, width, clock).unwrap();
            let (rounded, held) = packed.parts(width, clock);
            prop_assert_eq!(held, number);
            prop_assert!(rounded >= ends && rounded.as_micros().saturating_sub(ends.as_micros()) < 1 << width);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let now = Timestamp::from_secs(1_700_000_000);
        let clock = PackedClock::around(now);
        assert_eq!(Packed::until(now, 8, 3, clock), None);
        assert_eq!(Packed::until(now, 0, 21, clock), None);
        assert_eq!(Packed::ending(Timestamp::MAX, clock), None);
        assert_eq!(clock.reading(Timestamp::EPOCH), None);
        assert_eq!(clock.reading(now), Some(1 << 48));
    }

    #[test]
    fn a_clock_that_begins_with_the_epoch_holds_it() {
        let clock = PackedClock::around(Timestamp::EPOCH);
        assert_eq!(clock.reading(Timestamp::EPOCH), Some(1 << 48));
        assert_eq!(clock.timestamp(1 << 48), Timestamp::EPOCH);
    }
}
