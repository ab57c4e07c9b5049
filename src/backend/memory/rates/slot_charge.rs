//! One charge of a state of one word.

use super::slots::{Place, Seen, Tick};
use crate::{
    rate_limit::{Decision, Op, Packed, PackedClock, PackedStep, PackedWrite, Packing},
    time::Timestamp,
};

/// When it is, for the second form.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    clock: PackedClock,
    now: Timestamp,
    pub(super) tick: Tick,
}

impl Moment {
    /// `None` at a time that the clock does not hold: years away from the first request.
    #[inline]
    pub(super) fn of(now: Timestamp, clock: PackedClock) -> Option<Self> {
        Some(Self { clock, now, tick: Tick::of(clock.reading(now)?) })
    }
}

/// Where the state is, how it is computed, and when.
#[derive(Clone, Copy)]
pub(super) struct SlotCharge<'t> {
    place: Place<'t>,
    packing: &'t dyn Packing,
    moment: &'t Moment,
}

impl<'t> SlotCharge<'t> {
    #[inline]
    pub(super) const fn new(place: Place<'t>, packing: &'t dyn Packing, moment: &'t Moment) -> Self {
        Self { place, packing, moment }
    }

    /// Steps and writes, until nobody has written in between.
    #[inline]
    pub(super) fn run(&self, op: Op) -> Decision {
        loop {
            let seen = self.find();
            let PackedStep { decision, write } = self.step(seen.as_ref(), op);
            if self.write(seen.as_ref(), write) {
                return decision;
            }
        }
    }

    #[inline]
    pub(super) fn find(&self) -> Option<Seen<'t>> {
        self.place.find()
    }

    #[inline]
    pub(super) fn step(&self, seen: Option<&Seen<'t>>, op: Op) -> PackedStep {
        let packed = seen.and_then(|seen| seen.payload(self.moment.tick)).map(Packed::from_bits);
        self.packing.step_packed(packed, self.moment.clock, self.moment.now, op)
    }

    /// Whether it holds what the step says. `false`: somebody has written since the state was seen, and
    /// the step is worth nothing.
    #[inline]
    pub(super) fn write(&self, seen: Option<&Seen<'t>>, write: PackedWrite) -> bool {
        match (seen, write) {
            (Some(seen), PackedWrite::Set(packed)) => seen.exchange(packed.bits()),
            // Of what was never written no part is left.
            (Some(seen), PackedWrite::Clear) => seen.exchange(0),
            (Some(seen), PackedWrite::Keep) => seen.stands(),
            (None, PackedWrite::Set(packed)) => self.place.insert(packed.bits(), self.moment.tick),
            (None, PackedWrite::Clear | PackedWrite::Keep) => true,
        }
    }
}
