//! A state on its way from a slot to a region, because the slots' clock has come to its end.
//!
//! That is almost nine years after the first request. From then on a key is looked for in its region; what
//! its slot still holds counts there until the region has a state of its own, which is from the next write
//! on. Two threads on either side of that microsecond may each charge the form that is theirs. Nothing is
//! carried the other way: a clock that went back into the nine years finds a key as its slot has it.

use super::{Rates, slots::Seen};
use crate::{
    rate_limit::{Charge, Packed, State, Write},
    time::Timestamp,
};

/// What a slot holds of a key that is charged in a region.
pub(super) struct Carried<'t> {
    seen: Seen<'t>,
    state: State,
    /// Whether it still says something.
    counts: bool,
}

impl Rates {
    /// To be asked at times that the slots' clock does not hold, while the key's region is locked.
    #[cold]
    pub(super) fn carried(&self, charge: &Charge<'_>, now: Timestamp) -> Option<Carried<'_>> {
        let (packing, clock) = (charge.algorithm().packing()?, *self.clock.get()?);
        let seen = self.slots.find(charge.identity_hash())?;
        let bits = seen.any_payload();
        if bits == 0 {
            return None;
        }
        let state = packing.unpack(Packed::from_bits(bits), clock);
        let counts = !charge.algorithm().expires_after(&state, now).is_zero();
        Some(Carried { seen, state, counts })
    }
}

impl Carried<'_> {
    pub(super) const fn state(&self) -> &State {
        &self.state
    }

    /// Takes it out of the slot, if what is written to the region stands in its place. One that had expired
    /// stays where it is unless it is to be forgotten: what is written at a time that a clock leapt to must
    /// not free a key at the time that it comes back to.
    pub(super) fn leave(&self, write: &Write) {
        let leaves = match write {
            Write::Keep => false,
            Write::Set(_) => self.counts,
            Write::Clear => true,
        };
        if leaves {
            // Whoever has written since is at a time that the slots' clock holds.
            let _ = self.seen.exchange(0);
        }
    }
}
