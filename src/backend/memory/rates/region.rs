//! Sixteen buckets of eight slots behind one lock.

use crate::{
    rate_limit::{Charge, Decision, State, Write},
    time::Timestamp,
};

/// The keyed hash of a bucket's identity. Two keys share one with a chance of 2^-128.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity(pub(super) u128);

impl Identity {
    pub(super) fn region(self) -> u32 {
        u32::try_from(self.0 & 0xffff_ffff).unwrap_or(0)
    }

    /// The two buckets in which it may be.
    fn buckets(self) -> [usize; 2] {
        let bits = |shift: u32| usize::try_from((self.0 >> shift) & 0xffff_ffff).unwrap_or(0) % Region::BUCKETS;
        [bits(32), bits(64)]
    }
}

/// One state, and whose it is.
#[derive(Debug)]
pub(super) struct Slot {
    identity: Identity,
    state: State,
    /// When the state was written.
    since: Timestamp,
    /// From when on the state says nothing.
    expires: Timestamp,
    /// How much of the limit was used at `since`, in parts of [`WHOLE`].
    used: u32,
}

const WHOLE: u32 = u32::MAX;

impl Slot {
    fn new(identity: Identity, state: State, since: Timestamp, expires: Timestamp, decision: &Decision) -> Self {
        let used = share(decision.limit.saturating_sub(decision.remaining), decision.limit);
        Self { identity, state, since, expires, used }
    }

    fn is_live(&self, now: Timestamp) -> bool {
        self.expires > now
    }

    /// What is lost with it: the share of its limit that is used, which falls to nothing until it
    /// expires. Limits of a second and of an hour are compared alike; of two equal ones, the one
    /// that lasts longer is worth more.
    fn debt(&self, now: Timestamp) -> (u128, Timestamp) {
        let micros = |later: Timestamp, earlier: Timestamp| later.as_micros().saturating_sub(earlier.as_micros());
        let left = u128::from(micros(self.expires, now)).saturating_mul(self.used.into());
        (left.checked_div(micros(self.expires, self.since).into()).unwrap_or(0), self.expires)
    }
}

/// `part` of `whole`, in parts of [`WHOLE`].
fn share(part: u64, whole: u64) -> u32 {
    // What most limits are; a division of 128 bits takes ten times as long.
    let share = if part <= WHOLE.into() {
        part.saturating_mul(WHOLE.into()).checked_div(whole).unwrap_or(0)
    } else {
        let share = u128::from(part).saturating_mul(WHOLE.into()).checked_div(whole.into()).unwrap_or(0);
        u64::try_from(share).unwrap_or(u64::MAX)
    };
    u32::try_from(share).unwrap_or(WHOLE)
}

/// Bucket and slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    bucket: usize,
    slot: usize,
}

#[derive(Debug)]
pub(super) struct Region {
    buckets: [[Option<Slot>; Region::WAYS]; Region::BUCKETS],
}

impl Default for Region {
    fn default() -> Self {
        Self { buckets: [const { [const { None }; Self::WAYS] }; Self::BUCKETS] }
    }
}

impl Region {
    const BUCKETS: usize = 16;
    const WAYS: usize = 8;
    pub(super) const SLOTS: usize = Self::BUCKETS * Self::WAYS;

    /// Where the state of a key is. One that has expired decides like none, and is found all the same:
    /// it is to be written over and cleared, lest it lives again when a clock jumps back.
    pub(super) fn find(&self, identity: Identity) -> Option<Place> {
        self.places(identity)
            .find_map(|(place, slot)| slot.as_ref().is_some_and(|slot| slot.identity == identity).then_some(place))
    }

    pub(super) fn state(&self, place: Place) -> Option<&State> {
        self.slot(place).map(|slot| &slot.state)
    }

    fn slot(&self, place: Place) -> Option<&Slot> {
        self.buckets.get(place.bucket)?.get(place.slot)?.as_ref()
    }

    /// Writes what a step says, where the key was found or where there is room. Whether a state that was
    /// worth something had to go for it.
    pub(super) fn write(
        &mut self,
        charge: &Charge<'_>,
        found: Option<Place>,
        write: Write,
        decision: &Decision,
        now: Timestamp,
    ) -> bool {
        let identity = Identity(charge.identity_hash());
        match write {
            Write::Keep => false,
            Write::Clear => {
                self.clear(identity);
                false
            }
            Write::Set(state) => {
                let expires = now.saturating_add(charge.algorithm().expires_after(&state, now));
                self.put(Slot::new(identity, state, now, expires, decision), found, now)
            }
        }
    }

    /// Forgets a key.
    fn clear(&mut self, identity: Identity) {
        if let Some(place) = self.find(identity) {
            self.set(place, None);
        }
    }

    /// Writes where the key was found, else where there is room, else over the smallest debt.
    fn put(&mut self, slot: Slot, found: Option<Place>, now: Timestamp) -> bool {
        // Another charge of the batch may have taken the place since.
        let held = found.filter(|place| self.slot(*place).is_some_and(|held| held.identity == slot.identity));
        let Some(place) = held.or_else(|| self.room(slot.identity, now)) else { return false };
        let evicts = held.is_none() && self.slot(place).is_some_and(|held| held.is_live(now));
        self.set(place, Some(slot));
        evicts
    }

    fn set(&mut self, place: Place, slot: Option<Slot>) {
        if let Some(held) = self.buckets.get_mut(place.bucket).and_then(|bucket| bucket.get_mut(place.slot)) {
            *held = slot;
        }
    }

    fn room(&self, identity: Identity, now: Timestamp) -> Option<Place> {
        let emptier = identity.buckets().into_iter().min_by_key(|bucket| self.live(*bucket, now))?;
        let free = self
            .places(identity)
            .find(|(place, slot)| place.bucket == emptier && !slot.as_ref().is_some_and(|slot| slot.is_live(now)));
        let smallest = || {
            self.places(identity)
                .filter_map(|(place, slot)| Some((place, slot.as_ref()?.debt(now))))
                .min_by_key(|(_, debt)| *debt)
                .map(|(place, _)| place)
        };
        free.map(|(place, _)| place).or_else(smallest)
    }

    fn live(&self, bucket: usize, now: Timestamp) -> usize {
        self.buckets.get(bucket).map_or(0, |slots| slots.iter().flatten().filter(|slot| slot.is_live(now)).count())
    }

    fn places(&self, identity: Identity) -> impl Iterator<Item = (Place, &Option<Slot>)> {
        identity.buckets().into_iter().flat_map(move |bucket| {
            let slots = self.buckets.get(bucket).into_iter().flatten().enumerate();
            slots.map(move |(slot, held)| (Place { bucket, slot }, held))
        })
    }

    #[cfg(test)]
    pub(super) fn in_use(&self) -> usize {
        self.buckets.iter().flatten().flatten().count()
    }
}
