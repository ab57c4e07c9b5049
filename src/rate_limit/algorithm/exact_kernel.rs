//! The token bucket in exact fractions, for every rate that there is.
//!
//! A unit takes `p / q` microseconds, reduced. A debt is counted in `1 / q` microseconds, so that
//! charges (`p` each) and elapsed time (`q` each microsecond) are both whole numbers: 7 a minute is
//! 7 a minute, for ever.

use std::time::Duration;

use super::{
    kernel::{Kernel, Owed},
    step::LATE,
};
use crate::{rate_limit::State, time::Timestamp};

const FARTHEST_MICROS: u128 = 1 << 62;

#[derive(Clone, Copy, Debug)]
pub(super) struct ExactKernel {
    /// What a unit costs.
    unit: u128,
    /// What a microsecond pays off; fits 64 bits.
    micro: u128,
    empty: u128,
    most: u128,
}

impl ExactKernel {
    /// All arguments at least 1 (`overdraft` may be 0) and at most 10^15, the period at most 2^64:
    /// then no product below exceeds 2^115.
    pub(super) fn new(period_nanos: u64, refill: u64, capacity: u64, overdraft: u64) -> Self {
        let (period, refill) = (u128::from(period_nanos.max(1)), u128::from(refill.max(1)).saturating_mul(1_000));
        let common = gcd(period, refill);
        let unit = period.checked_div(common).unwrap_or(period);
        let micro = refill.checked_div(common).unwrap_or(refill);
        let empty = unit.saturating_mul(capacity.into());
        // A debt must fit the microseconds of a timestamp; only an overdraft can exceed them.
        let most = unit.saturating_mul(capacity.saturating_add(overdraft).into());
        Self { unit, micro, empty, most: most.min(micro.saturating_mul(FARTHEST_MICROS)).max(empty) }
    }

    /// For a queue: a turn takes a unit, and who is let in has his turn after `most_micros` or
    /// `waiting` turns, whichever is earlier.
    pub(super) fn queue(period_nanos: u64, refill: u64, waiting: u64, most_micros: u64) -> Self {
        let all = Self::new(period_nanos, refill, waiting.saturating_add(1), 0);
        let longest = all.micros(most_micros).saturating_add(all.unit);
        let empty = all.empty.min(longest);
        Self { empty, most: empty, ..all }
    }

    /// What so many microseconds pay off.
    pub(super) fn micros(&self, micros: u64) -> u128 {
        self.micro.saturating_mul(micros.into())
    }

    /// What so many units cost.
    pub(super) fn units(&self, units: u64) -> u128 {
        self.unit.saturating_mul(units.into())
    }

    /// Whether a unit takes a microsecond or more.
    pub(super) fn is_slow(&self) -> bool {
        self.unit >= self.micro
    }

    /// What a unit costs, what a microsecond pays off, the debt of an empty bucket, the greatest debt;
    /// if each fits 64 bits.
    pub(super) fn numbers(&self) -> Option<[u64; 4]> {
        let number = |number: u128| u64::try_from(number).ok();
        Some([number(self.unit)?, number(self.micro)?, number(self.empty)?, number(self.most)?])
    }

    pub(super) fn time(&self, debt: u128) -> Duration {
        let micros = debt.checked_div(self.micro).unwrap_or(u128::MAX);
        let rest = debt.checked_rem(self.micro).unwrap_or(0);
        let micros = micros.saturating_add(u128::from(rest > 0));
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

impl Kernel for ExactKernel {
    type Debt = u128;

    fn owed(&self, state: Option<&State>, now: Timestamp) -> Owed<u128> {
        let Some(state) = state else { return Owed { debt: 0, cut: false } };
        let (full_at, fraction) = (state.word(0).unwrap_or(0), u128::from(state.word(1).unwrap_or(0)));
        let Some(ahead) = full_at.checked_sub(now.as_micros()) else { return Owed { debt: 0, cut: false } };
        // A fraction that is none is one of another configuration.
        let fraction = fraction.min(self.micro.saturating_sub(1));
        let debt = u128::from(ahead).saturating_mul(self.micro).saturating_add(fraction);
        if debt.saturating_sub(self.most) > self.micros(LATE) {
            return Owed { debt: self.most, cut: true };
        }
        Owed { debt, cut: false }
    }

    fn state(&self, debt: u128, now: Timestamp) -> State {
        let whole = debt.checked_div(self.micro).unwrap_or(0);
        let full_at = now.as_micros().saturating_add(u64::try_from(whole).unwrap_or(u64::MAX));
        match u64::try_from(debt.checked_rem(self.micro).unwrap_or(0)).unwrap_or(0) {
            0 => full_at.into(),
            fraction => [full_at, fraction].into(),
        }
    }

    fn take(&self, debt: u128, cost: u64) -> Result<u128, Duration> {
        let after = debt.saturating_add(self.unit.saturating_mul(cost.into()));
        if after <= self.empty { Ok(after) } else { Err(self.time(after.saturating_sub(self.empty))) }
    }

    fn force(&self, debt: u128, cost: u64) -> u128 {
        // Who is late may find more than the most owed.
        debt.saturating_add(self.unit.saturating_mul(cost.into())).min(self.most.max(debt))
    }

    fn give(&self, debt: u128, units: u64) -> u128 {
        debt.saturating_sub(self.unit.saturating_mul(units.into()))
    }

    fn remaining(&self, debt: u128) -> u64 {
        let units = self.empty.saturating_sub(debt).checked_div(self.unit).unwrap_or(0);
        u64::try_from(units).unwrap_or(u64::MAX)
    }

    fn used(&self, debt: u128) -> u64 {
        u64::try_from(debt.div_ceil(self.unit.max(1))).unwrap_or(u64::MAX)
    }

    fn next_after(&self, debt: u128) -> Duration {
        if debt == 0 {
            return Duration::ZERO;
        }
        let more = u128::from(self.remaining(debt)).saturating_add(1).saturating_mul(self.unit);
        self.time(debt.saturating_add(more).saturating_sub(self.empty))
    }

    fn full_after(&self, debt: u128) -> Duration {
        self.time(debt)
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}
