//! Eight slots, and the protocol by which two buckets of them hold a key's state without a lock.
//!
//! A slot is two words, the key's fingerprint and the state, which cannot be written at once:
//!
//! * **To charge**, load the state, *then* the fingerprint, and exchange the state if it is still the one
//!   that was loaded. In this order a state that is exchanged belonged to the fingerprint that was seen:
//!   who takes a slot changes the state (its lock, then its version) before and after he changes the
//!   fingerprint.
//! * **To take a slot** for another key, exchange the state for the same one locked, store the
//!   fingerprint, and store the new state, whose version is the next.
//! * **To insert**, hold the key's stripe and look again: of two first requests of a key one inserts, and
//!   the other one finds what it inserted.
//! * Who meets a locked slot of its own key waits for the stripe, which whoever inserts the key holds. A
//!   slot that is still locked then is being taken *from* the key, and is not its any more.
//!
//! A charge never lands on another key, short of 2^13 keys that take one slot between a load and its
//! exchange, the last of them with an equal payload.
//!
//! What is imported from `sync` is the standard library's here and loom's in `tests/loom`, which runs
//! this file through every interleaving of two and three threads.

use super::{
    sync::{
        AtomicU64, Mutex, MutexGuard,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
        PoisonError, WAYS, yield_now,
    },
    word::{Tick, Word},
};

/// Eight slots, in two lines of a processor's cache: fingerprints together, because they are searched.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Bucket {
    fingerprints: [AtomicU64; WAYS],
    states: [AtomicU64; WAYS],
}

impl Default for Bucket {
    fn default() -> Self {
        let zeros = || std::array::from_fn(|_| AtomicU64::new(0));
        Self { fingerprints: zeros(), states: zeros() }
    }
}

impl Bucket {
    fn slots(&self) -> impl Iterator<Item = Slot<'_>> {
        self.fingerprints.iter().zip(&self.states).map(|(fingerprint, state)| Slot { fingerprint, state })
    }

    /// The slot that a fingerprint names: a key that finds it free lies there, so that most are found at
    /// once for as long as their bucket is not full.
    #[inline]
    fn preferred(&self, fingerprint: u64) -> Option<Slot<'_>> {
        let place = usize::try_from(fingerprint.checked_rem(WAYS as u64)?).ok()?;
        Some(Slot { fingerprint: self.fingerprints.get(place)?, state: self.states.get(place)? })
    }

    /// The state of a key that lies where its fingerprint names, in the one bucket or in the other.
    #[inline]
    pub(crate) fn named<'t>(buckets: [&'t Self; 2], fingerprint: u64) -> Option<Seen<'t>> {
        let [first, second] = buckets;
        let named = |bucket: &'t Self| match bucket.preferred(fingerprint)?.look(fingerprint) {
            Look::Found(seen) => Some(seen),
            Look::Locked | Look::Missing => None,
        };
        named(first).or_else(|| named(second))
    }

    /// Fingerprints and states, for loom.
    #[allow(dead_code, reason = "the models look at what is left at rest")]
    pub(crate) fn words(&self) -> impl Iterator<Item = (&AtomicU64, &AtomicU64)> {
        self.fingerprints.iter().zip(&self.states)
    }

    pub(crate) fn live(&self, now: Tick) -> usize {
        self.states.iter().filter(|state| !Word(state.load(Relaxed)).has_expired(now)).count()
    }
}

#[derive(Clone, Copy)]
struct Slot<'t> {
    fingerprint: &'t AtomicU64,
    state: &'t AtomicU64,
}

/// Where a key can be: two buckets, and the stripe that whoever inserts it holds.
#[derive(Clone, Copy)]
pub(crate) struct Home<'t> {
    /// Never zero, which is what slots hold that nobody ever took.
    pub(crate) fingerprint: u64,
    pub(crate) buckets: [&'t Bucket; 2],
    pub(crate) stripe: &'t Mutex<()>,
}

/// The state of a key, as it was loaded.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'t> {
    state: &'t AtomicU64,
    word: Word,
}

impl Seen<'_> {
    /// The payload, or nothing if it says nothing any more.
    #[inline]
    pub(crate) fn payload(&self, now: Tick) -> Option<u64> {
        (!self.word.has_expired(now)).then(|| self.word.payload())
    }

    /// The payload, even if it says nothing any more.
    #[inline]
    #[allow(dead_code, reason = "loom has no use for it")]
    pub(crate) fn any_payload(&self) -> u64 {
        self.word.payload()
    }

    /// Writes another payload, unless anybody has written since the load.
    #[inline]
    pub(crate) fn exchange(&self, payload: u64) -> bool {
        self.state.compare_exchange(self.word.0, self.word.with(payload).0, AcqRel, Relaxed).is_ok()
    }

    /// Whether nobody has written since the load, so that what was read was the key's.
    #[inline]
    pub(crate) fn stands(&self) -> bool {
        self.state.load(Acquire) == self.word.0
    }
}

enum Look<'t> {
    Found(Seen<'t>),
    /// It is in a slot that somebody is taking, for this key or from it.
    Locked,
    Missing,
}

/// What became of a first state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// It is stored, where nothing was.
    Free,
    /// It is stored, and the smallest state of the two buckets is gone.
    Evicted,
    /// The key has a state already.
    Present,
}

impl<'t> Home<'t> {
    /// The key's state. Waits only while somebody inserts it.
    #[inline]
    pub(crate) fn find(&self) -> Option<Seen<'t>> {
        Bucket::named(self.buckets, self.fingerprint).or_else(|| self.search())
    }

    /// Of a key that does not lie where its fingerprint names. By value: what is lent to a call has to lie in
    /// memory, for the many as well that need no call.
    #[inline(never)]
    pub(crate) fn search(self) -> Option<Seen<'t>> {
        match self.look() {
            Look::Found(seen) => Some(seen),
            Look::Missing => None,
            Look::Locked => self.find_held(&self.hold()),
        }
    }

    #[cold]
    fn find_held(&self, _held: &MutexGuard<'_, ()>) -> Option<Seen<'t>> {
        match self.look() {
            Look::Found(seen) => Some(seen),
            Look::Missing | Look::Locked => None,
        }
    }

    fn hold(&self) -> MutexGuard<'t, ()> {
        self.stripe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> Look<'t> {
        let mut look = Look::Missing;
        for bucket in self.buckets {
            for slot in bucket.slots() {
                match slot.look(self.fingerprint) {
                    Look::Found(seen) => return Look::Found(seen),
                    Look::Locked => look = Look::Locked,
                    Look::Missing => {}
                }
            }
        }
        look
    }

    /// Stores the first state of a key that was not found.
    pub(crate) fn insert(&self, payload: u64, now: Tick) -> Inserted {
        let held = self.hold();
        loop {
            if self.find_held(&held).is_some() {
                return Inserted::Present;
            }
            let Some((slot, word)) = self.room(now) else {
                // Sixteen others are at work here, each of them with a few stores to go.
                yield_now();
                continue;
            };
            if slot.take(word, self.fingerprint, payload) {
                return if word.has_expired(now) { Inserted::Free } else { Inserted::Evicted };
            }
        }
    }

    /// First the bucket in which the slot is free that the fingerprint names, if less than half of it is taken:
    /// where there is room, to be found at once is worth more than buckets that fill evenly. Else the emptier one.
    fn ordered(&self, now: Tick) -> [&'t Bucket; 2] {
        let [first, second] = self.buckets;
        let named = |bucket: &Bucket| bucket.preferred(self.fingerprint).is_some_and(|slot| slot.is_free(now));
        let suits = |bucket: &Bucket| named(bucket) && bucket.live(now) < WAYS.div_ceil(2);
        if suits(first) || !suits(second) && first.live(now) <= second.live(now) {
            [first, second]
        } else {
            [second, first]
        }
    }

    /// A free slot of the bucket that is looked at first, or of both the one whose state is gone the soonest.
    fn room(&self, now: Tick) -> Option<(Slot<'t>, Word)> {
        let mut smallest: Option<(Slot<'t>, Word)> = None;
        let ordered = self.ordered(now).into_iter();
        for slot in ordered.flat_map(|bucket| bucket.preferred(self.fingerprint).into_iter().chain(bucket.slots())) {
            let word = Word(slot.state.load(Acquire));
            if word.is_locked() {
                continue;
            }
            if word.has_expired(now) {
                return Some((slot, word));
            }
            if smallest.is_none_or(|(_, held)| word.payload() < held.payload()) {
                smallest = Some((slot, word));
            }
        }
        smallest
    }
}

impl<'t> Slot<'t> {
    /// A hint: whoever takes it looks again.
    fn is_free(self, now: Tick) -> bool {
        let word = Word(self.state.load(Relaxed));
        !word.is_locked() && word.has_expired(now)
    }

    /// The state, if the slot is the key's.
    #[inline]
    fn look(self, fingerprint: u64) -> Look<'t> {
        // A hint, which the load below confirms or not.
        if self.fingerprint.load(Relaxed) != fingerprint {
            return Look::Missing;
        }
        let word = Word(self.state.load(Acquire));
        let holder = self.fingerprint.load(Acquire);
        if holder != fingerprint {
            return Look::Missing;
        }
        if word.is_locked() { Look::Locked } else { Look::Found(Seen { state: self.state, word }) }
    }

    fn take(self, word: Word, fingerprint: u64, payload: u64) -> bool {
        if self.state.compare_exchange(word.0, word.locked().0, AcqRel, Relaxed).is_err() {
            return false;
        }
        // Whoever sees the fingerprint sees that the slot has been locked.
        self.fingerprint.store(fingerprint, Release);
        self.state.store(word.next(payload).0, Release);
        true
    }
}
