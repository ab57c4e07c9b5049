//! The second word of a slot: `[lock 1][version 13][payload 50]`.

/// How many bits the payload has.
pub(crate) const PAYLOAD_BITS: u32 = 50;
const PAYLOAD: u64 = (1 << PAYLOAD_BITS) - 1;
const LOCK: u64 = 1 << 63;

/// How many of the payload's bits do not say when it expires.
const BELOW_TICK: u32 = 20;

/// A state as it is stored. Zero, with which every slot begins, is a state that has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) u64);

/// When it is, in the units in which a payload says when it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tick(u64);

impl Tick {
    /// The tick of a moment in microseconds of the table's time.
    #[inline]
    pub(crate) const fn of(micros: u64) -> Self {
        Self(micros >> BELOW_TICK)
    }
}

impl Word {
    #[inline]
    pub(crate) const fn is_locked(self) -> bool {
        self.0 & LOCK != 0
    }

    #[inline]
    pub(crate) const fn payload(self) -> u64 {
        self.0 & PAYLOAD
    }

    /// Whether anybody may take the slot. A payload that ends within this tick has not expired yet: it
    /// may end between now and the tick's end.
    #[inline]
    pub(crate) const fn has_expired(self, now: Tick) -> bool {
        self.payload() >> BELOW_TICK < now.0
    }

    /// The same slot of the same key, with another state.
    #[inline]
    pub(crate) const fn with(self, payload: u64) -> Self {
        Self(self.0 ^ (self.0 ^ payload) & PAYLOAD)
    }

    /// The same, taken by somebody who changes whose it is.
    pub(crate) const fn locked(self) -> Self {
        Self(self.0 | LOCK)
    }

    /// The first state of the next key. Versions come again after 2^13 keys.
    pub(crate) const fn next(self, payload: u64) -> Self {
        Self(self.0.wrapping_add(1 << PAYLOAD_BITS) & !LOCK).with(payload)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_fields_do_not_touch(word: u64, payload in 0..=PAYLOAD) {
            let word = Word(word & !LOCK);
            prop_assert_eq!(word.with(payload).payload(), payload);
            prop_assert_eq!(word.with(payload).with(word.payload()), word);
            prop_assert_eq!(word.locked().payload(), word.payload());
            prop_assert!(word.locked().is_locked() && !word.next(payload).is_locked());
            prop_assert_eq!(word.locked().next(payload), word.next(payload));
            prop_assert_eq!(word.next(payload).payload(), payload);
            prop_assert_ne!(word.next(word.payload()), word);
        }
    }

    #[test]
    fn a_version_comes_again_after_8192_keys() {
        let mut word = Word(7);
        for _ in 0..8_191 {
            word = word.next(7);
            assert_ne!(word, Word(7));
        }
        assert_eq!(word.next(7), Word(7));
    }

    #[test]
    fn a_state_expires_when_its_tick_has_passed() {
        let word = Word(0).with(3 << BELOW_TICK);
        assert!(!word.has_expired(Tick::of((4 << BELOW_TICK) - 1)));
        assert!(word.has_expired(Tick::of(4 << BELOW_TICK)));
        assert!(Word(0).has_expired(Tick::of(1 << BELOW_TICK)));
    }
}
