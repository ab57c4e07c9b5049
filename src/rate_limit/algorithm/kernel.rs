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
    /// It lay further ahead than a key can owe, and was cut back.
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

/// The operations of a token bucket, over any arithmetic.
pub(super) fn step<K: Kernel>(kernel: &K, capacity: u64, state: Option<&State>, now: Timestamp, op: Op) -> Step {
    let before = kernel.owed(state, now);
    match op.at_once() {
        Op::Take(0) => stay(kernel, capacity, before, now, Verdict::Passed),
        Op::Take(cost) if cost > capacity => stay(kernel, capacity, before, now, Verdict::Never),
        Op::Take(cost) => match kernel.take(before.debt, cost) {
            Ok(debt) => owe(kernel, capacity, debt, now),
            Err(wait) => stay(kernel, capacity, before, now, Verdict::Refused(wait)),
        },
        Op::Give(units) => owe(kernel, capacity, kernel.give(before.debt, units), now),
        Op::Force(cost) => owe(kernel, capacity, kernel.force(before.debt, cost), now),
        Op::Reset => owe(kernel, capacity, K::Debt::default(), now),
        _ => {
            let verdict = kernel.take(before.debt, 1).map_or_else(Verdict::Refused, |_| Verdict::Passed);
            stay(kernel, capacity, before, now, verdict)
        }
    }
}

/// The charge changes nothing. A debt that was cut back is stored all the same: see [`Step`].
fn stay<K: Kernel>(kernel: &K, capacity: u64, owed: Owed<K::Debt>, now: Timestamp, verdict: Verdict) -> Step {
    let remaining = kernel.remaining(owed.debt);
    let decision = timed(kernel, verdict.decision(capacity, remaining), owed.debt);
    if owed.cut { Step::set(decision, kernel.state(owed.debt, now)) } else { Step::keep(decision) }
}

fn owe<K: Kernel>(kernel: &K, capacity: u64, debt: K::Debt, now: Timestamp) -> Step {
    let decision = timed(kernel, Decision::passed(capacity, kernel.remaining(debt)), debt);
    if debt == K::Debt::default() { Step::clear(decision) } else { Step::set(decision, kernel.state(debt, now)) }
}

fn timed<K: Kernel>(kernel: &K, decision: Decision, debt: K::Debt) -> Decision {
    decision.next_after(kernel.next_after(debt)).full_after(kernel.full_after(debt))
}
