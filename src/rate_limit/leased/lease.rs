//! What one node holds of one bucket: pure bookkeeping.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use super::Settings;
use crate::{
    rate_limit::{Decision, owned::OwnedCharge},
    time::{Timestamp, micros_ceil},
};

/// No rate is computed over less: the first two requests of a key say nothing.
const SHORTEST: Duration = Duration::from_millis(5);

/// So many purchases of the most units may be here or under way at once.
const AHEAD: u64 = 16;

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
    /// Of those that find too little one buys; the others wait for what it brings.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    /// A purchase has ended.
    pub(super) arrival: Notify,
    book: Mutex<Book>,
}

#[derive(Debug)]
pub(super) struct Book {
    /// The oldest first, which is used first.
    grants: VecDeque<Grant>,
    /// The units of all of them.
    held: u64,
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
    /// How many are to be here or on their way: with fewer, more are ordered.
    least: u64,
    /// Ordered, and not here yet.
    on_way: u64,
}

/// A purchase under way: until it is dropped, its units are expected.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) lease: Arc<Lease>,
    pub(super) units: u64,
}

impl Lease {
    pub(super) fn new(charge: OwnedCharge, known: Decision, now: Timestamp) -> Self {
        let book = Book {
            grants: VecDeque::new(),
            held: 0,
            ended: 0,
            void: now,
            known,
            at: now,
            asked: 0,
            since: now,
            used: now,
            least: 0,
            on_way: 0,
        };
        Self { charge, turn: Arc::default(), arrival: Notify::new(), book: Mutex::new(book) }
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next purchase to end, if one is under way.
    pub(super) async fn arrival(&self) {
        let arrival = self.arrival.notified();
        if self.book().on_way > 0 {
            arrival.await;
        }
    }

    /// Waits until no purchase is under way.
    pub(super) async fn all_arrived(&self) {
        while self.book().on_way > 0 {
            self.arrival().await;
        }
    }
}

impl Way {
    /// What is worth while to buy, expected from now on.
    pub(super) fn set_out(lease: &Arc<Lease>, settings: &Settings, trip: Duration, now: Timestamp) -> Option<Self> {
        let mut book = lease.book();
        let units = book.amount(settings, trip, now)?;
        book.on_way = book.on_way.saturating_add(units);
        Some(Self { lease: Arc::clone(lease), units })
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        {
            let mut book = self.lease.book();
            book.on_way = book.on_way.saturating_sub(self.units);
        }
        self.lease.arrival.notify_waiters();
    }
}

impl Book {
    /// How many units are there to be used.
    pub(super) const fn held(&self) -> u64 {
        self.held
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
        self.held = self.held.saturating_sub(grant.units);
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
        if self.held == 0 || (self.held < units && !in_part) {
            return None;
        }
        let mut left = units.min(self.held);
        self.held = self.held.saturating_sub(left);
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
            self.held = self.held.saturating_add(grant.units);
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

    /// How many units to buy now: as many as are used in a while, but never so many that there are more
    /// here than this node's share of half of what is left. `None` if it is not worth while.
    pub(super) fn amount(&mut self, settings: &Settings, trip: Duration, now: Timestamp) -> Option<u64> {
        let wanted = self.used_in(settings.lasts(trip), now);
        let elapsed = now.since(self.since);
        if elapsed >= settings.hold {
            self.asked /= 2;
            self.since = now.saturating_sub(elapsed.checked_div(2).unwrap_or_default());
        }
        let left = self.known.remaining.saturating_sub(self.on_way);
        let share = left.checked_div(settings.nodes.saturating_mul(2)).unwrap_or(0);
        let amount = wanted.min(settings.most).min(share.saturating_sub(self.stock()));
        (amount > 1).then_some(amount)
    }

    /// How many units are used in that time, by what was asked for lately.
    fn used_in(&self, time: Duration, now: Timestamp) -> u64 {
        let measured = u128::from(micros_ceil(now.since(self.since).max(SHORTEST)));
        let time = u128::from(micros_ceil(time));
        let used = u128::from(self.asked).saturating_mul(time).checked_div(measured).unwrap_or(0);
        u64::try_from(used).unwrap_or(u64::MAX)
    }

    /// Whether it is time to buy, before anybody waits for it.
    pub(super) fn runs_low(&self) -> bool {
        self.stock() < self.least
    }

    /// What is here, and what is on its way.
    const fn stock(&self) -> u64 {
        self.held.saturating_add(self.on_way)
    }

    /// The store has granted `units`; they count from when it was asked, which is before it answered.
    ///
    /// The next are ordered when a third of them is left; earlier where more than that are used while a
    /// purchase is under way. Several are under way then.
    pub(super) fn deposit(
        &mut self,
        units: u64,
        granted: Decision,
        settings: &Settings,
        trip: Duration,
        at: Timestamp,
    ) {
        let void = at.saturating_add(granted.full_after);
        let ends = at.saturating_add(settings.hold).min(void);
        self.held = self.held.saturating_add(units);
        self.grants.push_back(Grant { units, ends, void });
        let meanwhile = self.used_in(trip.saturating_mul(3), at);
        self.least = (units / 3).saturating_add(1).max(meanwhile).min(settings.most.saturating_mul(AHEAD));
        self.learn(granted, at);
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
        now.since(self.used) >= hold && self.on_way == 0
    }
}
