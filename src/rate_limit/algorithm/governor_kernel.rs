//! governor's own arithmetic as a pure step.
//!
//! governor decides on a state that its `StateStore` hands it. Here that state is one cell which
//! lives as long as the call, on a clock that stands at zero: what a key owes *is* its theoretical
//! arrival time. So governor never sees an absolute time, and its unchecked additions cannot wrap.

use std::{cell::Cell, num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{NotKeyed, StateStore},
};

use super::{
    Decision, Op,
    kernel::{self, After, Kernel, Owed},
    step::LATE,
};
use crate::{
    rate_limit::{Packed, PackedClock, PackedWrite, State},
    time::Timestamp,
};

/// Sums of a debt and a charge must stay below 2^63 nanoseconds.
const DOMAIN_NANOS: u128 = 1 << 62;

/// Debts are whole microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct GovernorKernel {
    quota: Quota,
    /// Microseconds for one unit.
    unit: u64,
    /// What a key owes whose bucket is empty.
    empty: u64,
    /// The most that a key can owe.
    most: u64,
}

impl GovernorKernel {
    /// `None` outside the domain where governor is exact and does not wrap: a unit takes a whole
    /// number of microseconds, all that a key can owe less than 2^62 ns, a charge fits 32 bits.
    pub(super) fn new(period_nanos: u64, refill: u64, capacity: u64, overdraft: u64) -> Option<Self> {
        let divisor = refill.checked_mul(1_000)?;
        if divisor == 0 || period_nanos.checked_rem(divisor)? != 0 {
            return None;
        }
        let unit = period_nanos.checked_div(divisor)?;
        let most = u128::from(unit).checked_mul(u128::from(capacity.checked_add(overdraft)?))?;
        if unit == 0 || most.checked_mul(1_000)? >= DOMAIN_NANOS {
            return None;
        }
        let burst = NonZeroU32::new(u32::try_from(capacity).ok()?)?;
        let quota = Quota::with_period(Duration::from_micros(unit))?.allow_burst(burst);
        Some(Self { quota, unit, empty: unit.checked_mul(capacity)?, most: u64::try_from(most).ok()? })
    }

    /// What a unit costs, what a microsecond pays off, the debt of an empty bucket, the greatest debt.
    pub(super) fn numbers(&self) -> [u64; 4] {
        [self.unit, 1, self.empty, self.most]
    }
}

/// The takes of packed states, and of each nothing but whether it passes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackedTake {
    unit: u64,
    empty: u64,
}

impl PackedTake {
    /// Of a bucket whose states are not packed.
    pub(super) const NEVER: Self = Self { unit: 1, empty: 0 };

    /// When the bucket will be full after a charge that passes; `None` of every other one. `full_at` is of
    /// 50 bits, and `now` of 49.
    #[inline]
    pub(crate) fn full_after(&self, full_at: u64, now: u64, cost: u64) -> Option<u64> {
        let price = self.unit.saturating_mul(cost);
        // Of a bucket that packs it is 2^49 at most, so that no sum here wraps. And a debt that lies further
        // ahead than a key can owe is more than it with and without being cut back.
        let room = self.empty.checked_sub(price)?;
        let passes = full_at <= now.wrapping_add(room) && cost > 0;
        passes.then(|| full_at.max(now).wrapping_add(price))
    }
}

impl GovernorKernel {
    /// Whether whatever a key can owe fits a packed state.
    pub(super) const fn packs(&self) -> bool {
        self.most <= PackedClock::LONGEST_MICROS
    }

    /// [`step`](kernel::step), of a state that is when the bucket will be full.
    #[inline]
    pub(super) fn step_packed(&self, capacity: u64, full_at: Option<u64>, now: u64, op: Op) -> (Decision, PackedWrite) {
        let owed = self.owed_until(full_at.unwrap_or(0), now);
        if let Op::Take(cost) = op
            && let Some(step) = self.take_packed(capacity, owed.debt, now, cost)
        {
            return step;
        }
        let (decision, after) = kernel::decide(self, capacity, owed, op);
        let write = match after {
            After::Same => PackedWrite::Keep,
            After::Owes(0) => PackedWrite::Clear,
            After::Owes(debt) => PackedWrite::Set(Packed::from_bits(now.saturating_add(debt))),
        };
        (decision, write)
    }

    /// What a take of a packed state goes by.
    pub(super) const fn takes(&self) -> PackedTake {
        PackedTake { unit: self.unit, empty: self.empty }
    }

    /// A charge that passes, which is what most are, in the fewest instructions: what governor computes
    /// (`take`, below) is this sum and this comparison where a debt is whole microseconds. `None` of
    /// every other charge.
    #[inline]
    fn take_packed(&self, capacity: u64, debt: u64, now: u64, cost: u64) -> Option<(Decision, PackedWrite)> {
        if cost == 0 || cost > capacity {
            return None;
        }
        let after = debt.saturating_add(self.unit.saturating_mul(cost));
        let left = self.empty.checked_sub(after)?;
        let remaining = left.checked_div(self.unit)?;
        // Until there is one unit more than there are whole ones in what is left.
        let next = self.unit.saturating_sub(left.saturating_sub(remaining.saturating_mul(self.unit)));
        let decision = Decision::passed(capacity, remaining)
            .next_after(Duration::from_micros(next))
            .full_after(Duration::from_micros(after));
        Some((decision, PackedWrite::Set(Packed::from_bits(now.saturating_add(after)))))
    }

    #[inline]
    fn owed_until(&self, full_at: u64, now: u64) -> Owed<u64> {
        let debt = full_at.saturating_sub(now);
        if debt.saturating_sub(self.most) > LATE {
            Owed { debt: self.most, cut: true }
        } else {
            Owed { debt, cut: false }
        }
    }
}

impl Kernel for GovernorKernel {
    type Debt = u64;

    fn owed(&self, state: Option<&State>, now: Timestamp) -> Owed<u64> {
        let Some(state) = state else { return Owed { debt: 0, cut: false } };
        // A second word is a fraction of a microsecond, left by the exact kernel of an older limit.
        let fraction = u64::from(state.word(1).is_some_and(|fraction| fraction > 0));
        let full_at = state.word(0).unwrap_or(0).saturating_add(fraction);
        self.owed_until(full_at, now.as_micros())
    }

    fn state(&self, debt: u64, now: Timestamp) -> State {
        now.as_micros().saturating_add(debt).into()
    }

    fn take(&self, debt: u64, cost: u64) -> Result<u64, Duration> {
        let slot = Slot(Cell::new(Nanos::new(debt.saturating_mul(1_000))));
        let limiter: RateLimiter<_, _, _, NoOpMiddleware<Nanos>> = RateLimiter::new(self.quota, &slot, Zero);
        // The caller has compared the cost with the capacity, which fits 32 bits.
        let Some(cost) = u32::try_from(cost).ok().and_then(NonZeroU32::new) else { return Err(Duration::MAX) };
        match limiter.check_n(cost) {
            Ok(Ok(())) => Ok(slot.0.get().as_u64() / 1_000),
            Ok(Err(not_until)) => Err(not_until.wait_time_from(Nanos::new(0))),
            Err(_) => Err(Duration::MAX),
        }
    }

    fn force(&self, debt: u64, cost: u64) -> u64 {
        // Who is late may find more than the most owed.
        debt.saturating_add(self.unit.saturating_mul(cost)).min(self.most.max(debt))
    }

    fn give(&self, debt: u64, units: u64) -> u64 {
        debt.saturating_sub(self.unit.saturating_mul(units))
    }

    fn remaining(&self, debt: u64) -> u64 {
        self.empty.saturating_sub(debt).checked_div(self.unit).unwrap_or(0)
    }

    fn used(&self, debt: u64) -> u64 {
        debt.div_ceil(self.unit.max(1))
    }

    fn next_after(&self, debt: u64) -> Duration {
        if debt == 0 {
            return Duration::ZERO;
        }
        let more = self.remaining(debt).saturating_add(1).saturating_mul(self.unit);
        Duration::from_micros(debt.saturating_add(more).saturating_sub(self.empty))
    }

    fn full_after(&self, debt: u64) -> Duration {
        Duration::from_micros(debt)
    }
}

/// The state store of one call.
struct Slot(Cell<Nanos>);

impl StateStore for &Slot {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (outcome, arrival) = decide(Some(self.0.get()))?;
        self.0.set(arrival);
        Ok(outcome)
    }
}

/// A clock that stands.
#[derive(Clone, Copy, Debug)]
struct Zero;

impl Clock for Zero {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(0)
    }
}
