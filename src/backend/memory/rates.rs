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
#[cfg(test)]
mod tests;

use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use dashmap::DashMap;
use siphasher::sip128::{Hasher128, SipHasher13};

use self::region::{Identity, Place, Region};
use super::MemoryStore;
use crate::{
    rate_limit::{Batch, Inline, RateLimitStore, Verdicts, Write},
    store::{BoxFuture, StoreError},
};

/// State of one port.
pub(super) struct Rates {
    /// Made when first met; a region is never removed.
    regions: DashMap<u32, Arc<Mutex<Region>>, BuildHasherDefault<Spread>>,
    /// The number of regions, a power of two, less one.
    mask: u32,
    secret: (u64, u64),
}

impl Rates {
    /// As many slots, rounded up to whole regions: a power of two, at least 128.
    pub(super) fn with_slots(slots: usize) -> Self {
        let regions = u32::try_from(slots.div_ceil(Region::SLOTS)).unwrap_or(u32::MAX);
        let regions = regions.clamp(1, 1 << 24).next_power_of_two();
        let random = RandomState::new();
        Self {
            regions: DashMap::default(),
            mask: regions.saturating_sub(1),
            secret: (random.hash_one(0_u8), random.hash_one(1_u8)),
        }
    }

    fn region(&self, number: u32) -> Arc<Mutex<Region>> {
        if let Some(region) = self.regions.get(&number) {
            return Arc::clone(&region);
        }
        Arc::clone(&self.regions.entry(number).or_default())
    }

    fn identity(&self, charge: &impl Hash) -> Identity {
        let mut hasher = SipHasher13::new_with_keys(self.secret.0, self.secret.1);
        charge.hash(&mut hasher);
        Identity(hasher.finish128().as_u128())
    }

    fn apply(&self, batch: &Batch<'_>) -> Verdicts {
        let mut identities = Identities::new();
        let mut numbers = [u32::MAX; Batch::MAX];
        for (charge, number) in batch.charges().zip(&mut numbers) {
            let identity = self.identity(charge);
            *number = identity.region() & self.mask;
            // A batch has no more charges than there are places.
            let _ = identities.push(identity);
        }
        numbers.sort_unstable();
        let mut regions = Inline::<(u32, Arc<Mutex<Region>>), { Batch::MAX }>::new();
        let mut last = None;
        for number in numbers.into_iter().take(batch.len()).filter(|number| last.replace(*number) != Some(*number)) {
            let _ = regions.push((number, self.region(number)));
        }
        let mut held = Held::new();
        for (number, region) in regions.iter() {
            let _ = held.push((*number, region.lock().unwrap_or_else(PoisonError::into_inner)));
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
        let charges = batch.charges().zip(identities.iter()).zip(found.iter());
        for (index, ((charge, identity), (region, place))) in charges.enumerate() {
            let Some((_, region)) = held.get_mut(*region) else { continue };
            match (steps.take_write(index), steps.verdicts.get(index)) {
                (Write::Clear, _) => region.clear(*identity, now),
                (Write::Set(state), Some(decision)) => {
                    let expires = now.saturating_add(charge.algorithm().expires_after(&state, now));
                    let slot = region::Slot::new(*identity, state, now, expires, decision);
                    region.put(slot, *place, now);
                }
                (Write::Keep | Write::Set(_), _) => {}
            }
        }
        steps.verdicts
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

/// The hasher of region numbers. They come out of a keyed hash: it need only spread the bits to
/// where dashmap looks.
#[derive(Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        // The golden ratio: every bit of the number reaches the upper half.
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
