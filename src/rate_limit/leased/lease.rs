//! What one node holds of one bucket: pure bookkeeping.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Settings, owned::OwnedCharge};
use crate::{
    rate_limit::Decision,
    time::{Timestamp, micros_ceil},
};

/// No rate is computed over less: the first two requests of a key say nothing.
const SHORTEST: Duration = Duration::from_millis(5);

/// Units that the store has granted, and that nobody has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) units: u64,
    /// From then on they are not used any more, but given back.
    pub(super) ends: Timestamp,
    /// From then on the bucket may have been full without them: they are worth nothing.
    pub(super) void: Timestamp,
}

/// One bucket, as this node knows it.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) charge: OwnedCharge,
    /// One purchase at a time; the others wait for what it brings.
    pub(super) purchase: std::sync::Arc<tokio::sync::Mutex<()>>,
    book: Mutex<Book>,
}

#[derive(Debug)]
pub(super) struct Book {
    /// The oldest first, which is used first.
    grants: VecDeque<Grant>,
    /// What has ended unused, and may still be given back.
    ended: u64,
    void: Timestamp,
    /// What the store said last.
    known: Decision,
    at: Timestamp,
    /// Units asked for since then: the demand.
    asked: u64,
    since: Timestamp,
    used: Timestamp,
    /// How many were bought last.
    bought: u64,
    /// Whether more are on their way.
    pub(super) ordered: bool,
}

impl Lease {
    pub(super) fn new(charge: OwnedCharge, known: Decision, now: Timestamp) -> Self {
        let book = Book {
            grants: VecDeque::new(),
            ended: 0,
            void: now,
            known,
            at: now,
            asked: 0,
            since: now,
            used: now,
            bought: 0,
            ordered: false,
        };
        Self { charge, purchase: std::sync::Arc::default(), book: Mutex::new(book) }
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// How many units are there to be used.
    pub(super) fn held(&self) -> u64 {
        self.grants.iter().fold(0, |sum, grant| sum.saturating_add(grant.units))
    }

    /// Whether as many may be asked for at all.
    pub(super) const fn can_ever(&self, units: u64) -> bool {
        units <= self.known.limit
    }

    /// Puts aside what has ended.
    fn end(&mut self, now: Timestamp) {
        while let Some(grant) = self.grants.front().filter(|grant| now >= grant.ends).copied() {
            self.grants.pop_front();
            self.put_aside(grant, now);
        }
    }

    fn put_aside(&mut self, grant: Grant, now: Timestamp) {
        if now >= self.void {
            (self.ended, self.void) = (0, grant.void);
        }
        if now < grant.void {
            self.ended = self.ended.saturating_add(grant.units);
            self.void = self.void.min(grant.void);
        }
    }

    /// Takes `units` out, or up to as many if `in_part`: one grant that stands for all that they came
    /// from, and has the shortest life of them.
    pub(super) fn take(&mut self, units: u64, in_part: bool, now: Timestamp) -> Option<Grant> {
        self.end(now);
        self.used = self.used.max(now);
        let held = self.held();
        if held == 0 || (held < units && !in_part) {
            return None;
        }
        let mut left = units.min(held);
        let mut taken = Grant { units: left, ends: Timestamp::MAX, void: Timestamp::MAX };
        while left > 0 {
            let Some(grant) = self.grants.front_mut() else { break };
            let part = grant.units.min(left);
            taken.ends = taken.ends.min(grant.ends);
            taken.void = taken.void.min(grant.void);
            left = left.saturating_sub(part);
            grant.units = grant.units.saturating_sub(part);
            if grant.units == 0 {
                self.grants.pop_front();
            }
        }
        Some(taken)
    }

    /// They were not used after all.
    pub(super) fn put_back(&mut self, grant: Grant) {
        if grant.units > 0 {
            self.grants.push_front(grant);
        }
    }

    /// A request has asked for so many.
    pub(super) fn ask(&mut self, units: u64) {
        self.asked = self.asked.saturating_add(units);
    }

    /// Where the key stands, as far as this node knows.
    pub(super) fn decision(&self, now: Timestamp) -> Decision {
        let since = now.since(self.at);
        let remaining = self.known.remaining.saturating_add(self.held()).min(self.known.limit);
        Decision::passed(self.known.limit, remaining)
            .next_after(self.known.next_after.saturating_sub(since))
            .full_after(self.known.full_after.saturating_sub(since))
    }

    /// The store has said where the key stands.
    pub(super) fn learn(&mut self, known: Decision, now: Timestamp) {
        (self.known, self.at) = (known, now);
    }

    /// How many units to buy now: as many as are used in a while, but never so many that the other
    /// nodes go short. `None` if it is not worth while.
    pub(super) fn amount(&mut self, settings: &Settings, trip: Duration, now: Timestamp) -> Option<u64> {
        let elapsed = now.since(self.since);
        let measured = u128::from(micros_ceil(elapsed.max(SHORTEST)));
        let lasts = u128::from(micros_ceil(settings.lasts(trip)));
        let wanted = u128::from(self.asked).saturating_mul(lasts).checked_div(measured).unwrap_or(0);
        if elapsed >= settings.hold {
            self.asked /= 2;
            self.since = now.saturating_sub(elapsed.checked_div(2).unwrap_or_default());
        }
        let share = self.known.remaining.checked_div(settings.nodes.saturating_mul(2)).unwrap_or(0);
        let amount = u64::try_from(wanted).unwrap_or(u64::MAX).min(settings.most).min(share);
        (amount > 1).then_some(amount)
    }

    /// Whether it is time to buy, before anybody waits for it.
    pub(super) fn runs_low(&self) -> bool {
        !self.ordered && self.bought > 1 && self.held() <= self.bought / 3
    }

    /// The store has granted `units`; they count from when it was asked, which is before it answered.
    pub(super) fn deposit(&mut self, units: u64, granted: Decision, hold: Duration, asked_at: Timestamp) {
        let void = asked_at.saturating_add(granted.full_after);
        let ends = asked_at.saturating_add(hold).min(void);
        self.grants.push_back(Grant { units, ends, void });
        self.bought = units;
        self.learn(granted, asked_at);
    }

    /// What has ended unused, to be given back. It is the caller's then.
    pub(super) fn give_back(&mut self, now: Timestamp) -> u64 {
        self.end(now);
        let units = std::mem::take(&mut self.ended);
        if now < self.void { units } else { 0 }
    }

    /// Everything that is left, to be given back.
    pub(super) fn give_back_all(&mut self, now: Timestamp) -> u64 {
        while let Some(grant) = self.grants.pop_front() {
            self.put_aside(grant, now);
        }
        self.give_back(now)
    }

    /// Whether nobody has asked for it for a while.
    pub(super) fn is_idle(&self, hold: Duration, now: Timestamp) -> bool {
        now.since(self.used) >= hold && !self.ordered
    }
}
