//! [`RateLimitStore`] in memory, bounded from the first day.
//!
//! The table has a fixed number of slots. A key's identity is a keyed 128-bit hash of its borrowed
//! parts: no key is stored, none can be chosen to collide, nothing is allocated for it. The hash
//! picks a region, and in it two buckets of eight slots; a new key goes into the emptier one. Both
//! buckets lie in one region, so that one lock sees a key wherever it is, and two first requests of
//! one key cannot both insert it. An expired state is a free slot: nothing sweeps, nothing grows.
//! Where both buckets are full, the smallest debt is evicted (see [`region`]), so that an attacker
//! who sprays keys evicts his own and never frees a limited client.
//!
//! A batch locks its regions in ascending order, so that no two wait for each other.

mod region;
mod table;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{MutexGuard, PoisonError},
};

use self::{
    region::{Identity, Place, Region},
    table::Table,
};
use super::MemoryStore;
use crate::{
    rate_limit::{Batch, Charge, Decision, Inline, RateLimitStore, Step, Verdicts, Write},
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// State of one port.
pub(super) struct Rates {
    regions: Table,
    /// The number of regions, a power of two, less one.
    mask: u32,
}

impl Rates {
    /// As many slots, rounded up to whole regions: a power of two, at least 128.
    pub(super) fn with_slots(slots: usize) -> Self {
        let regions = u32::try_from(slots.div_ceil(Region::SLOTS)).unwrap_or(u32::MAX);
        let regions = regions.clamp(1, 1 << 24).next_power_of_two();
        Self { regions: Table::new(usize::try_from(regions).unwrap_or(usize::MAX)), mask: regions.saturating_sub(1) }
    }

    /// Every number behind the mask has a region.
    fn lock(&self, number: u32) -> Option<MutexGuard<'_, Region>> {
        let region = self.regions.region(usize::try_from(number).unwrap_or(usize::MAX))?;
        Some(region.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn apply(&self, batch: &Batch<'_>) -> Verdicts {
        match batch.only() {
            Some(charge) => Verdicts::one(self.apply_one(charge, batch.now())),
            None => self.apply_all(batch),
        }
    }

    /// The same for one charge, which may refuse whatever it likes.
    fn apply_one(&self, charge: &Charge<'_>, now: Timestamp) -> Decision {
        let identity = Identity(charge.identity_hash());
        let Some(mut region) = self.lock(identity.region() & self.mask) else {
            return charge.step(None, now).decision;
        };
        let place = region.find(identity, now);
        let Step { decision, write } = charge.step(place.and_then(|place| region.state(place)), now);
        write_to(&mut region, (charge, place), write, &decision, now);
        decision
    }

    fn apply_all(&self, batch: &Batch<'_>) -> Verdicts {
        let mut identities = Identities::new();
        let mut numbers = [u32::MAX; Batch::MAX];
        for (charge, number) in batch.charges().zip(&mut numbers) {
            let identity = Identity(charge.identity_hash());
            *number = identity.region() & self.mask;
            // A batch has no more charges than there are places.
            let _ = identities.push(identity);
        }
        numbers.sort_unstable();
        let mut held = Held::new();
        let mut last = None;
        for number in numbers.into_iter().take(batch.len()).filter(|number| last.replace(*number) != Some(*number)) {
            if let Some(region) = self.lock(number) {
                let _ = held.push((number, region));
            }
        }
        self.apply_locked(batch, &identities, &mut held)
    }

    fn apply_locked(&self, batch: &Batch<'_>, identities: &Identities, held: &mut Held<'_>) -> Verdicts {
        let now = batch.now();
        let mut found = Inline::<(usize, Option<Place>), { Batch::MAX }>::new();
        for identity in identities.iter() {
            let number = identity.region() & self.mask;
            let index = held.iter().position(|(held, _)| *held == number).unwrap_or(0);
            let place = held.get(index).and_then(|(_, region)| region.find(*identity, now));
            let _ = found.push((index, place));
        }
        let mut steps = batch.step(now, |charge| {
            let (index, place) = found.get(charge)?;
            held.get(*index)?.1.state((*place)?)
        });
        for (index, (charge, (region, place))) in batch.charges().zip(found.iter()).enumerate() {
            let Some((_, region)) = held.get_mut(*region) else { continue };
            let write = steps.take_write(index);
            if let Some(decision) = steps.verdicts.get(index) {
                write_to(region, (charge, *place), write, decision, now);
            }
        }
        steps.verdicts
    }
}

/// Writes what a step says, where the key was found or where there is room.
fn write_to(
    region: &mut Region,
    (charge, found): (&Charge<'_>, Option<Place>),
    write: Write,
    decision: &Decision,
    now: Timestamp,
) {
    let identity = Identity(charge.identity_hash());
    match write {
        Write::Keep => {}
        Write::Clear => region.clear(identity, now),
        Write::Set(state) => {
            let expires = now.saturating_add(charge.algorithm().expires_after(&state, now));
            region.put(region::Slot::new(identity, state, now, expires, decision), found, now);
        }
    }
}

type Identities = Inline<Identity, { Batch::MAX }>;
type Held<'a> = Inline<(u32, MutexGuard<'a, Region>), { Batch::MAX }>;

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
        Some(Ok(self.inner.rates.apply(batch)))
    }

    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(async move { Ok(self.inner.rates.apply(batch)) })
    }
}
