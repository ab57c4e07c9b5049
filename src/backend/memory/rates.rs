//! [`RateLimitStore`] in memory, bounded from the first day, in two forms.
//!
//! A key's identity is the keyed 128-bit hash that its charge carries: no key is stored, none can be
//! chosen to collide, nothing is allocated for it. In both forms it picks a part of the table and in it
//! two buckets of eight slots, of which a new key goes into the emptier one, by and large. An expired state is a free
//! slot: nothing sweeps, nothing grows. Where both buckets are full, the smallest debt is evicted, so that
//! an attacker who sprays keys evicts his own and never frees a limited client.
//!
//! * **Slots** ([`slots`]) hold states of one word, and are charged without a lock: algorithms that
//!   [pack](crate::rate_limit::Packing) their states, as the token bucket does.
//! * **Regions** ([`region`]) hold states of any length, and are locked: all other algorithms, and all
//!   of them at times that a packed state cannot tell (years away from the first request): what a slot
//!   holds is then [carried] over.
//!
//! Which of the two holds a key follows from its algorithm, which is part of its identity. Several
//! charges at once: see [`batch`].

mod batch;
mod carried;
mod held;
mod region;
mod slot_charge;
mod slots;
mod table;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use self::{
    carried::Carried,
    held::Held,
    region::{Identity, Region},
    slot_charge::{Moment, SlotCharge},
    slots::{Seen, Slots},
    table::Table,
};
use super::{MemoryStore, RateStatistics};
use crate::{
    rate_limit::{Batch, Charge, Decision, PackedClock, PackedTake, RateLimitStore, Step, Verdicts},
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// State of one port.
pub(super) struct Rates {
    /// The first form: states of any length.
    regions: Table,
    /// The number of regions, a power of two, less one.
    mask: u32,
    /// The second form: states of one word.
    slots: Slots,
    /// States of the first form that were lost while they were worth something.
    evicted: AtomicU64,
    /// Begins with the first request.
    clock: OnceLock<PackedClock>,
}

/// What came of a take of a packed state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// It is charged.
    Passed,
    /// It is not, and only a charge can tell what is to be said.
    Refused,
    /// Nor was a state found, which does not say that there is none.
    Elsewhere,
}

impl Tried {
    #[inline]
    fn of(seen: Seen<'_>, micros: u64, take: &PackedTake, units: u64) -> Self {
        // A state that has expired lies before now, and says as little as none.
        match take.full_after(seen.any_payload(), micros, units) {
            Some(after) if seen.exchange(after) => Self::Passed,
            _ => Self::Refused,
        }
    }
}

impl Rates {
    /// As many slots in each form, rounded up to whole regions and blocks.
    pub(super) fn with_slots(slots: usize) -> Self {
        let regions = u32::try_from(slots.div_ceil(Region::SLOTS)).unwrap_or(u32::MAX);
        let regions = regions.clamp(1, 1 << 24).next_power_of_two();
        Self {
            regions: Table::new(usize::try_from(regions).unwrap_or(usize::MAX)),
            mask: regions.saturating_sub(1),
            slots: Slots::new(slots),
            evicted: AtomicU64::new(0),
            clock: OnceLock::new(),
        }
    }

    pub(super) fn statistics(&self) -> RateStatistics {
        RateStatistics {
            slots: self.slots.capacity(),
            evicted_live: self.slots.evicted().saturating_add(self.evicted.load(Relaxed)),
        }
    }

    #[inline]
    fn apply(&self, batch: &Batch<'_>, verdicts: &mut Verdicts) {
        let moment = self.moment(batch.now());
        match batch.only() {
            Some(charge) => {
                // Eight places, none of them taken.
                let _ = verdicts.push(self.apply_one(charge, moment.as_ref(), batch.now()));
            }
            None => batch::apply(self, batch, moment.as_ref(), verdicts),
        }
    }

    /// One charge by itself.
    #[inline]
    pub(super) fn charge(&self, charge: &Charge<'_>, now: Timestamp) -> Decision {
        self.apply_one(charge, self.moment(now).as_ref(), now)
    }

    /// A take of a packed state that is found at once: the common case of most limits, without a call.
    #[inline]
    pub(super) fn try_take(&self, identity: u128, now: Timestamp, take: &PackedTake, units: u64) -> Tried {
        let Some(micros) = self.micros(now) else { return Tried::Refused };
        match self.slots.find_at_once(identity) {
            Some(seen) => Tried::of(seen, micros, take, units),
            None => Tried::Elsewhere,
        }
    }

    /// The same, of a state that is not found at once. `false`: it is not charged.
    pub(super) fn try_take_elsewhere(&self, identity: u128, now: Timestamp, take: &PackedTake, units: u64) -> bool {
        let found = self.slots.place(identity).and_then(|place| place.search());
        let take = |(micros, seen)| Tried::of(seen, micros, take, units) == Tried::Passed;
        self.micros(now).zip(found).is_some_and(take)
    }

    #[inline]
    fn micros(&self, now: Timestamp) -> Option<u64> {
        self.clock.get()?.reading(now)
    }

    #[inline]
    fn moment(&self, now: Timestamp) -> Option<Moment> {
        Moment::of(now, *self.clock.get_or_init(|| PackedClock::around(now)))
    }

    /// The charge as the second form takes it, if that one holds its states.
    #[inline]
    fn slot<'t>(&'t self, charge: &Charge<'t>, moment: Option<&'t Moment>) -> Option<SlotCharge<'t>> {
        let packing = charge.algorithm().packing()?;
        Some(SlotCharge::new(self.slots.place(charge.identity_hash())?, packing, moment?))
    }

    #[inline]
    fn apply_one(&self, charge: &Charge<'_>, moment: Option<&Moment>, now: Timestamp) -> Decision {
        match self.slot(charge, moment) {
            Some(slot) => slot.run(charge.op()),
            None => self.apply_locked(charge, moment, now),
        }
    }

    fn apply_locked(&self, charge: &Charge<'_>, moment: Option<&Moment>, now: Timestamp) -> Decision {
        let identity = Identity(charge.identity_hash());
        let mut held = Held::new();
        let index = self.lock(&mut held, identity.region() & self.mask);
        let Some(region) = held.get_mut(index) else { return charge.step(None, now).decision };
        let found = region.find(identity);
        let carried = if moment.is_none() { self.carried(charge, now) } else { None };
        let state = match found {
            Some(place) => region.state(place),
            None => carried.as_ref().map(Carried::state),
        };
        let Step { decision, write } = charge.step(state, now);
        if let Some(carried) = &carried {
            carried.leave(&write);
        }
        if region.write(charge, found, write, &decision, now) {
            self.evicted.fetch_add(1, Relaxed);
        }
        decision
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self::with_slots(MemoryStore::RATE_SLOTS)
    }
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slots = usize::try_from(self.mask).unwrap_or(usize::MAX).saturating_add(1).saturating_mul(Region::SLOTS);
        f.debug_struct("Rates").field("slots", &slots).finish_non_exhaustive()
    }
}

/// Answers at once: [`try_now`](RateLimitStore::try_now) is never `None`.
impl RateLimitStore for MemoryStore {
    fn try_now(&self, batch: &Batch<'_>) -> Option<Result<Verdicts, StoreError>> {
        // Eight decisions are some hundred bytes: they are written where they are returned.
        let mut answer = Some(Ok(Verdicts::new()));
        if let Some(Ok(verdicts)) = &mut answer {
            self.inner.rates.apply(batch, verdicts);
        }
        answer
    }

    fn try_one(&self, charge: &Charge<'_>, now: Timestamp) -> Option<Result<Decision, StoreError>> {
        Some(Ok(self.inner.rates.charge(charge, now)))
    }

    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(async move { self.try_now(batch).unwrap_or_else(|| Ok(Verdicts::new())) })
    }
}
