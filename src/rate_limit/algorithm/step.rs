use std::time::Duration;

use super::State;
use crate::time::micros_ceil;

/// By so much a request may be late, in microseconds: it was asked by a clock that is behind that of whoever
/// wrote the state, or it was overtaken between its reading of the clock and the store.
///
/// A state that lies further ahead than it can, by no more than this, is what it says, and the request is one
/// of a moment ago. One that lies further ahead than that is of a clock that jumped, and is cut back. (Were the
/// late ones cut back too, each of them would forgive by how much it is late.)
pub(crate) const LATE: u64 = 1_000_000;

/// What is asked of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Op {
    /// Charge that many units if they are available, else nothing. `Take(0)` always passes.
    Take(u64),
    /// Charge nothing; say where the key stands, and whether `Take(1)` would pass.
    ///
    /// An algorithm treats an operation that it does not know as this one.
    Peek,
    /// Give units back, at most to the full limit. Always passes.
    Give(u64),
    /// Charge units whether they are available or not, down to what the algorithm lets a key owe.
    /// Always passes.
    Force(u64),
    /// Forget the key. Always passes.
    Reset,
    /// [`Take`](Self::Take), for a limit that delays instead of refusing: charge the units if the
    /// delay is at most so many microseconds, else nothing. Limits that do not delay treat it as
    /// `Take`. See [`Op::take_within`].
    TakeWithin {
        /// What to charge.
        units: u32,
        /// The longest delay, in microseconds.
        micros: u32,
    },
    /// Give back a place in a queue that was taken with these units and this
    /// [`ticket`](Decision::ticket), if nobody stands behind it. Always passes. Limits that do not
    /// delay treat it as [`Peek`](Self::Peek).
    Leave {
        /// What was charged.
        units: u32,
        /// Which place.
        ticket: u64,
    },
}

impl Op {
    /// Charge that many units if the delay is at most `wait`, which counts up to 71 minutes.
    pub fn take_within(units: u64, wait: Duration) -> Self {
        // More units than fit exceed every queue's room, as the largest that fits does.
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        Self::TakeWithin { units, micros: u32::try_from(wait.as_micros()).unwrap_or(u32::MAX) }
    }

    /// Give back the place that `ticket` names, and that was taken with so many units.
    pub fn leave(units: u64, ticket: u64) -> Self {
        Self::Leave { units: u32::try_from(units).unwrap_or(u32::MAX), ticket }
    }

    /// What takes it back, once it has passed; nothing takes back a reset.
    pub(crate) const fn undo(self) -> Option<Self> {
        match self.at_once() {
            Self::Take(units) | Self::Force(units) => Some(Self::Give(units)),
            Self::Give(units) => Some(Self::Force(units)),
            _ => None,
        }
    }

    /// What it is to a limit that never delays.
    #[must_use]
    pub const fn at_once(self) -> Self {
        match self {
            // More than could be said: nothing is to be charged less than was asked.
            Self::TakeWithin { units: u32::MAX, .. } => Self::Take(u64::MAX),
            Self::TakeWithin { units, .. } => Self::Take(units as u64),
            Self::Leave { .. } => Self::Peek,
            op => op,
        }
    }
}

/// Where a key stands after a step. Durations count from the step's `now`, rounded up to a
/// microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// Whether the operation passed.
    pub allowed: bool,
    /// How many units the limit allows at once.
    pub limit: u64,
    /// The largest `n` for which `Take(n)` would pass now.
    pub remaining: u64,
    /// How long until another unit is available; zero if all are.
    pub next_after: Duration,
    /// How long until all units are available.
    pub full_after: Duration,
    /// How long until the refused operation would pass, if nobody else charges: after exactly this
    /// time it does, a microsecond earlier it does not. `None` if it passed, or never will.
    pub retry_after: Option<Duration>,
    /// Microseconds to wait before acting on what passed.
    pub(crate) delay: u64,
    pub(crate) ticket: u64,
}

impl Decision {
    /// It passed, and so many units remain.
    pub const fn passed(limit: u64, remaining: u64) -> Self {
        Self {
            allowed: true,
            limit,
            remaining,
            next_after: Duration::ZERO,
            full_after: Duration::ZERO,
            retry_after: None,
            delay: 0,
            ticket: 0,
        }
    }

    /// It did not pass, and will after `retry_after`.
    pub const fn refused(limit: u64, remaining: u64, retry_after: Duration) -> Self {
        Self { allowed: false, retry_after: Some(retry_after), ..Self::passed(limit, remaining) }
    }

    /// It asks for more than there ever is.
    pub const fn never(limit: u64, remaining: u64) -> Self {
        Self { allowed: false, ..Self::passed(limit, remaining) }
    }

    /// With the time until another unit is available.
    #[must_use]
    pub const fn next_after(mut self, after: Duration) -> Self {
        self.next_after = after;
        self
    }

    /// With the time until all units are available.
    #[must_use]
    pub const fn full_after(mut self, after: Duration) -> Self {
        self.full_after = after;
        self
    }

    /// It passed, and may go ahead after `delay` (rounded up to a microsecond). Whoever goes away
    /// before gives the place back with [`Op::leave`] and this ticket.
    #[must_use]
    pub fn delayed(mut self, delay: Duration, ticket: u64) -> Self {
        self.delay = micros_ceil(delay);
        self.ticket = ticket;
        self
    }

    /// How long to wait before going ahead with what passed. Zero unless the limit is a queue.
    pub const fn delay(&self) -> Duration {
        Duration::from_micros(self.delay)
    }

    /// The place in the queue, for [`Op::leave`]; it names none where there is no delay.
    pub const fn ticket(&self) -> u64 {
        self.ticket
    }

    /// Whether no waiting helps: the cost exceeds the limit.
    pub const fn is_never(&self) -> bool {
        !self.allowed && self.retry_after.is_none()
    }
}

/// What a step leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The state stays as it is.
    Keep,
    /// The state is now this one.
    Set(State),
    /// There is no state any more.
    Clear,
}

/// What a step decides, and what it leaves behind.
///
/// A refused step usually keeps the state. It may write all the same: where a stored state lies by
/// more than a second further ahead than it can (a clock jumped), the step cuts it back, and must not do so
/// anew at each request, or the key would stay refused until the clock has caught up. A store therefore
/// writes what a step says even if the step, or another one of its batch, refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where the key stands.
    pub decision: Decision,
    /// What is to be written.
    pub write: Write,
}

impl Step {
    /// Decides, and keeps the state.
    pub const fn keep(decision: Decision) -> Self {
        Self { decision, write: Write::Keep }
    }

    /// Decides, and stores a new state.
    pub const fn set(decision: Decision, state: State) -> Self {
        Self { decision, write: Write::Set(state) }
    }

    /// Decides, and forgets the state.
    pub const fn clear(decision: Decision) -> Self {
        Self { decision, write: Write::Clear }
    }

    /// The new state, if the step stored one.
    pub const fn state(&self) -> Option<&State> {
        match &self.write {
            Write::Set(state) => Some(state),
            Write::Keep | Write::Clear => None,
        }
    }

    /// The state after this step, given the one before.
    pub fn apply(self, before: Option<State>) -> Option<State> {
        match self.write {
            Write::Keep => before,
            Write::Set(state) => Some(state),
            Write::Clear => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_not_made_smaller() {
        assert_eq!(Op::take_within(7, Duration::ZERO).at_once(), Op::Take(7));
        for units in [u64::from(u32::MAX), 1 << 40, u64::MAX] {
            assert_eq!(Op::take_within(units, Duration::ZERO).at_once(), Op::Take(u64::MAX), "{units}");
        }
    }
}
