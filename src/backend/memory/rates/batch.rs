//! Several charges at once: all of them are charged, or none is.
//!
//! Regions are locked for the whole batch; slots are not, so their steps are committed one by one. All
//! charges are stepped before anything is written. If all pass, the slots are committed in the order of
//! the rules; if one refuses then, because somebody else took the last units in between, what was
//! committed is given back. At rest all or none are charged. In between a concurrent request may be
//! refused that would have passed; none passes that would have been refused.

use std::sync::atomic::Ordering::Relaxed;

use super::{
    Held, Moment, Rates, SlotCharge,
    carried::Carried,
    region::{self, Identity},
    slots::Seen,
};
use crate::rate_limit::{Batch, Charge, Decision, Inline, Op, PackedStep, PackedWrite, State, Step, Verdicts, Write};

/// A charge, where its state is, and what the step on it says.
struct Asked<'b, 't> {
    charge: &'b Charge<'t>,
    home: Home<'t>,
    decision: Decision,
    write: Either,
}

enum Home<'t> {
    Slot(SlotCharge<'t>, Option<Seen<'t>>),
    /// Which of the regions that are held, and where in it; or what comes over from a slot.
    Region(usize, Option<region::Place>, Option<Box<Carried<'t>>>),
}

enum Either {
    Packed(PackedWrite),
    State(Write),
}

type All<'b, 't> = Inline<Asked<'b, 't>, { Batch::MAX }>;

pub(super) fn apply<'t>(rates: &'t Rates, batch: &'t Batch<'t>, moment: Option<&'t Moment>, verdicts: &mut Verdicts) {
    if let Some(moment) = moment
        && takes(rates, batch, moment, verdicts)
    {
        return;
    }
    *verdicts = apply_any(rates, batch, moment);
}

/// What a take that passes leaves to be written.
type Put<'t> = (Option<Seen<'t>>, PackedWrite);

/// The common case, in the fewest steps: every charge is a take of a packed state, and all of them pass.
/// `false`: none is charged, and the general way decides.
fn takes<'t>(rates: &'t Rates, batch: &'t Batch<'t>, moment: &'t Moment, verdicts: &mut Verdicts) -> bool {
    let mut puts = Inline::<Put<'_>, { Batch::MAX }>::new();
    for charge in batch.charges() {
        if !matches!(charge.op(), Op::Take(_)) {
            return false;
        }
        let Some(slot) = rates.slot(charge, Some(moment)) else { return false };
        let seen = slot.find();
        let PackedStep { decision, write } = slot.step(seen.as_ref(), charge.op());
        if !decision.allowed {
            return false;
        }
        // As many places as charges.
        let _ = (verdicts.push(decision), puts.push((seen, write)));
    }
    let places = || batch.charges().filter_map(|charge| Some((charge, rates.slot(charge, Some(moment))?)));
    for (index, (seen, write)) in puts.iter().enumerate() {
        let written = match (seen, write) {
            (Some(seen), PackedWrite::Set(packed)) => seen.exchange(packed.bits()),
            _ => places().nth(index).is_some_and(|(_, slot)| slot.write(seen.as_ref(), *write)),
        };
        if !written {
            for (charge, slot) in places().take(index) {
                undo(charge.op()).map(|op| slot.run(op));
            }
            return false;
        }
    }
    true
}

fn apply_any<'t>(rates: &'t Rates, batch: &'t Batch<'t>, moment: Option<&'t Moment>) -> Verdicts {
    let mut numbers = Inline::new();
    for charge in batch.charges().filter(|charge| moment.is_none() || charge.algorithm().packing().is_none()) {
        // A batch has no more charges than there are places: none of the pushes here fails.
        let _ = numbers.push(Identity(charge.identity_hash()).region() & rates.mask);
    }
    let mut held = rates.lock_all(&mut numbers);
    loop {
        let mut all = All::new();
        for charge in batch.charges() {
            let _ = all.push(Asked::new(charge, rates, &held, moment, batch));
        }
        if all.iter().all(|asked| asked.decision.allowed) {
            if !commit(&mut all) {
                show_refused(&mut all, &held, batch);
            }
        } else {
            // A refusal by a state that is no more is none.
            let stale = |asked: &Asked<'_, '_>| !asked.decision.allowed && !asked.write_slot();
            if all.iter().any(stale) {
                continue;
            }
            show_refused(&mut all, &held, batch);
        }
        return rates.conclude(all, &mut held, batch);
    }
}

/// Writes the slots; `false` if one refuses by now, and then none of them is charged.
fn commit(all: &mut All<'_, '_>) -> bool {
    for index in 0..all.len() {
        let Some(asked) = all.get_mut(index).filter(|asked| undo(asked.charge.op()).is_some()) else { continue };
        asked.commit();
        if !asked.decision.allowed {
            for earlier in all.iter().take(index) {
                earlier.give_back();
            }
            return false;
        }
    }
    // What nobody can refuse, and nobody could take back.
    all.iter_mut().filter(|asked| undo(asked.charge.op()).is_none()).for_each(Asked::commit);
    true
}

/// What undoes an operation that may be refused.
const fn undo(op: Op) -> Option<Op> {
    match op.at_once() {
        Op::Take(units) => Some(Op::Give(units)),
        Op::Peek => Some(Op::Peek),
        _ => None,
    }
}

/// Of a batch that is refused: the others as they stand, uncharged.
fn show_refused(all: &mut All<'_, '_>, held: &Held<'_>, batch: &Batch<'_>) {
    for asked in all.iter_mut().filter(|asked| asked.decision.allowed) {
        if let Home::Slot(slot, seen) = &mut asked.home {
            *seen = slot.find();
        }
        let (decision, write) = asked.home.peek(asked.charge, held, batch);
        asked.decision = Decision { allowed: true, retry_after: None, ..decision };
        asked.write = write;
        // A debt that is cut back: if it is not written now, the next one cuts it.
        asked.write_slot();
    }
}

impl Rates {
    fn conclude(&self, mut all: All<'_, '_>, held: &mut Held<'_>, batch: &Batch<'_>) -> Verdicts {
        let mut verdicts = Verdicts::new();
        for asked in all.iter_mut() {
            let write = std::mem::replace(&mut asked.write, Either::Packed(PackedWrite::Keep));
            if let (Home::Region(index, place, carried), Either::State(write)) = (&asked.home, write) {
                if let Some(carried) = carried {
                    carried.leave(&write);
                }
                if let Some(region) = held.get_mut(*index)
                    && region.write(asked.charge, *place, write, &asked.decision, batch.now())
                {
                    self.evicted.fetch_add(1, Relaxed);
                }
            }
            let _ = verdicts.push(asked.decision);
        }
        verdicts
    }
}

impl<'b, 't> Asked<'b, 't> {
    fn new(
        charge: &'b Charge<'t>,
        rates: &'t Rates,
        held: &Held<'_>,
        moment: Option<&'t Moment>,
        batch: &Batch<'_>,
    ) -> Self {
        let home = if let Some(slot) = rates.slot(charge, moment) {
            Home::Slot(slot, slot.find())
        } else {
            let identity = Identity(charge.identity_hash());
            let index = held.index_of(identity.region() & rates.mask);
            let place = held.get(index).and_then(|region| region.find(identity));
            let carried = || rates.carried(charge, batch.now()).map(Box::new);
            Home::Region(index, place, if moment.is_none() { carried() } else { None })
        };
        let (decision, write) = home.ask(charge, held, batch);
        Self { charge, home, decision, write }
    }

    /// Whether the slot holds what the step says; a region is written at the end.
    fn write_slot(&self) -> bool {
        match (&self.home, &self.write) {
            (Home::Slot(slot, seen), Either::Packed(write)) => slot.write(seen.as_ref(), *write),
            _ => true,
        }
    }

    fn commit(&mut self) {
        if !self.write_slot()
            && let Home::Slot(slot, _) = &self.home
        {
            self.decision = slot.run(self.charge.op());
        }
    }

    fn give_back(&self) {
        if let (Home::Slot(slot, _), Some(op)) = (&self.home, undo(self.charge.op())) {
            slot.run(op);
        }
    }
}

impl Home<'_> {
    fn ask(&self, charge: &Charge<'_>, held: &Held<'_>, batch: &Batch<'_>) -> (Decision, Either) {
        match self {
            Self::Slot(slot, seen) => packed(slot.step(seen.as_ref(), charge.op())),
            Self::Region(..) => unpacked(charge.step(self.state(held), batch.now())),
        }
    }

    fn peek(&self, charge: &Charge<'_>, held: &Held<'_>, batch: &Batch<'_>) -> (Decision, Either) {
        match self {
            Self::Slot(slot, seen) => packed(slot.step(seen.as_ref(), Op::Peek)),
            Self::Region(..) => unpacked(charge.step_of(Op::Peek, self.state(held), batch.now())),
        }
    }

    /// The state in a region.
    fn state<'h>(&'h self, held: &'h Held<'_>) -> Option<&'h State> {
        match self {
            Self::Slot(..) => None,
            Self::Region(index, Some(place), _) => held.get(*index)?.state(*place),
            Self::Region(_, None, carried) => carried.as_ref().map(|carried| carried.state()),
        }
    }
}

fn packed(PackedStep { decision, write }: PackedStep) -> (Decision, Either) {
    (decision, Either::Packed(write))
}

fn unpacked(step: Step) -> (Decision, Either) {
    (step.decision, Either::State(step.write))
}
