//! What the two arithmetics of the token bucket have in common.
//!
//! A kernel measures what a key owes: the time until its bucket is full again. The unit of a debt
//! is the kernel's own.

use std::time::Duration;

use super::{Decision, Op, State, Step, verdict::Verdict};
use crate::time::Timestamp;

/// A debt as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owed<D> {
    pub(super) debt: D,
    /// It lay further ahead than a key can owe, by more than a request can be late, and was cut back.
    pub(super) cut: bool,
}

pub(super) trait Kernel {
    type Debt: Copy + PartialEq + Default;

    /// What a key with this state owes.
    fn owed(&self, state: Option<&State>, now: Timestamp) -> Owed<Self::Debt>;
    /// The state of a key that owes so much; never called with none.
    fn state(&self, debt: Self::Debt, now: Timestamp) -> State;
    /// The debt after a charge of 1 to `capacity` units, or how long until it fits.
    fn take(&self, debt: Self::Debt, cost: u64) -> Result<Self::Debt, Duration>;
    /// The debt after a charge that is not asked whether it fits.
    fn force(&self, debt: Self::Debt, cost: u64) -> Self::Debt;
    /// The debt after units were given back.
    fn give(&self, debt: Self::Debt, units: u64) -> Self::Debt;
    /// Whole units available.
    fn remaining(&self, debt: Self::Debt) -> u64;
    /// Units owed, rounded up.
    fn used(&self, debt: Self::Debt) -> u64;
    /// How long until there is one more whole unit.
    fn next_after(&self, debt: Self::Debt) -> Duration;
    /// How long until nothing is owed.
    fn full_after(&self, debt: Self::Debt) -> Duration;
}

/// What a step leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After<D> {
    /// What was there.
    Same,
    Owes(D),
}

/// The operations of a token bucket, over any arithmetic.
pub(super) fn step<K: Kernel>(kernel: &K, capacity: u64, state: Option<&State>, now: Timestamp, op: Op) -> Step {
    let (decision, after) = decide(kernel, capacity, kernel.owed(state, now), op);
    match after {
        After::Same => Step::keep(decision),
        After::Owes(debt) if debt == K::Debt::default() => Step::clear(decision),
        After::Owes(debt) => Step::set(decision, kernel.state(debt, now)),
    }
}

/// The same, of a debt whatever the state is that holds it.
#[inline]
pub(super) fn decide<K: Kernel>(
    kernel: &K,
    capacity: u64,
    before: Owed<K::Debt>,
    op: Op,
) -> (Decision, After<K::Debt>) {
    match op.at_once() {
        Op::Take(0) => stay(kernel, capacity, before, Verdict::Passed),
        Op::Take(cost) if cost > capacity => stay(kernel, capacity, before, Verdict::Never),
        Op::Take(cost) => match kernel.take(before.debt, cost) {
            Ok(debt) => owe(kernel, capacity, debt),
            Err(wait) => stay(kernel, capacity, before, Verdict::Refused(wait)),
        },
        Op::Give(units) => owe(kernel, capacity, kernel.give(before.debt, units)),
        Op::Force(cost) => owe(kernel, capacity, kernel.force(before.debt, cost)),
        Op::Reset => owe(kernel, capacity, K::Debt::default()),
        _ => {
            let verdict = kernel.take(before.debt, 1).map_or_else(Verdict::Refused, |_| Verdict::Passed);
            stay(kernel, capacity, before, verdict)
        }
    }
}

/// The charge changes nothing. A debt that was cut back is stored all the same: see [`Step`].
fn stay<K: Kernel>(kernel: &K, capacity: u64, owed: Owed<K::Debt>, verdict: Verdict) -> (Decision, After<K::Debt>) {
    let remaining = kernel.remaining(owed.debt);
    let decision = verdict.decision(capacity, remaining);
    let after = if owed.cut { After::Owes(owed.debt) } else { After::Same };
    (timed(kernel, decision, owed.debt), after)
}

#[inline]
fn owe<K: Kernel>(kernel: &K, capacity: u64, debt: K::Debt) -> (Decision, After<K::Debt>) {
    let decision = timed(kernel, Decision::passed(capacity, kernel.remaining(debt)), debt);
    (decision, After::Owes(debt))
}

#[inline]
fn timed<K: Kernel>(kernel: &K, decision: Decision, debt: K::Debt) -> Decision {
    decision.next_after(kernel.next_after(debt)).full_after(kernel.full_after(debt))
}
