//! Usage of allowances in this process.

use std::{
    future::ready,
    hash::BuildHasherDefault,
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{
            AtomicU64, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
};

use dashmap::{DashMap, Entry};

use super::{
    MemoryStore,
    identity::{Half, Secret},
};
use crate::{
    quota::{Charge, QuotaStore, Reservation},
    rate_limit::mix,
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// One for the process, because a caller's hash is made once, whichever store asks first.
static SECRET: LazyLock<Secret> = LazyLock::new(Secret::random);

/// How many callers, and how many addresses without a caller, can be metered in one month.
const CAPACITY: usize = 262_144;

/// State of one port. Addresses cost an attacker nothing, so they have a pool of their own: however
/// many there are, callers are metered.
#[derive(Debug)]
pub(super) struct Quotas {
    callers: Pool,
    addresses: Pool,
}

impl Default for Quotas {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl Quotas {
    fn with_capacity(capacity: usize) -> Self {
        Self { callers: Pool::new(capacity), addresses: Pool::new(capacity) }
    }

    fn reserve(&self, charge: &Charge) -> Result<Reservation, StoreError> {
        self.pool(charge).reserve(Self::identity(charge), charge)
    }

    fn give_back(&self, charge: &Charge) -> u64 {
        self.pool(charge).give_back(Self::identity(charge), charge.cost)
    }

    fn pool(&self, charge: &Charge) -> &Pool {
        if charge.subject.is_anonymous() { &self.addresses } else { &self.callers }
    }

    /// 128 bits of the subject and the month: two of them do not meet by chance.
    fn identity(charge: &Charge) -> u128 {
        let subject = charge.subject.hash_once(|subject| SECRET.identity_of(subject));
        mix(subject, charge.period.id().into())
    }
}

/// A bounded number of counters. One whose month has ended is free; a live one is never evicted,
/// because that would forget usage: a full pool refuses new subjects instead.
#[derive(Debug)]
struct Pool {
    counters: DashMap<u128, Counter, BuildHasherDefault<Half>>,
    taken: AtomicUsize,
    capacity: usize,
    /// When the next counter becomes free, in microseconds: no search is worth while before.
    frees_at: AtomicU64,
    sweep: Mutex<()>,
}

#[derive(Debug)]
struct Counter {
    used: u64,
    ends_at: Timestamp,
}

impl Counter {
    fn step(&mut self, charge: &Charge) -> Reservation {
        match charge.after(self.used) {
            Some(after) => {
                self.used = after;
                Reservation::Reserved { used: after }
            }
            None => Reservation::Exceeded { used: self.used },
        }
    }
}

impl Pool {
    fn new(capacity: usize) -> Self {
        Self {
            counters: DashMap::default(),
            taken: AtomicUsize::new(0),
            capacity,
            frees_at: AtomicU64::new(u64::MAX),
            sweep: Mutex::new(()),
        }
    }

    fn reserve(&self, identity: u128, charge: &Charge) -> Result<Reservation, StoreError> {
        if let Some(mut counter) = self.counters.get_mut(&identity) {
            return Ok(counter.step(charge));
        }
        // A subject that may use nothing takes no slot.
        let Some(used) = charge.after(0) else { return Ok(Reservation::Exceeded { used: 0 }) };
        if !self.take_slot_or_sweep(charge) {
            return Err(StoreError::Full);
        }
        match self.counters.entry(identity) {
            Entry::Occupied(mut counter) => {
                self.free_slots(1);
                Ok(counter.get_mut().step(charge))
            }
            Entry::Vacant(slot) => {
                let ends_at = charge.period.ends_at();
                slot.insert(Counter { used, ends_at });
                self.frees_at.fetch_min(ends_at.as_micros(), AcqRel);
                Ok(Reservation::Reserved { used })
            }
        }
    }

    /// The identity holds the month, so a month that has ended is the one that changes, or is gone.
    fn give_back(&self, identity: u128, cost: u64) -> u64 {
        let Some(left) = self.counters.get_mut(&identity).map(|mut counter| {
            counter.used = counter.used.saturating_sub(cost);
            counter.used
        }) else {
            return 0;
        };
        // Calls that were all refused further inside must not fill the pool.
        if left == 0 && self.counters.remove_if(&identity, |_, counter| counter.used == 0).is_some() {
            self.free_slots(1);
        }
        left
    }

    fn take_slot_or_sweep(&self, charge: &Charge) -> bool {
        if self.take_slot() {
            return true;
        }
        let now = charge.now.as_micros();
        if now < self.frees_at.load(Acquire) {
            return false;
        }
        // One request searches; those that come meanwhile wait for what it finds.
        let _sweeping = self.sweep.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= self.frees_at.load(Acquire) {
            self.remove_ended(charge);
        }
        self.take_slot()
    }

    fn take_slot(&self) -> bool {
        let take = |taken: usize| (taken < self.capacity).then(|| taken.saturating_add(1));
        self.taken.fetch_update(AcqRel, Relaxed, take).is_ok()
    }

    fn free_slots(&self, count: usize) {
        self.taken.fetch_sub(count, AcqRel);
    }

    fn remove_ended(&self, charge: &Charge) {
        // Counters that are added during the search end no earlier than the charge's month.
        let mut next = charge.period.ends_at();
        let mut removed = 0_usize;
        self.counters.retain(|_, counter| {
            let live = counter.ends_at > charge.now;
            if live {
                next = next.min(counter.ends_at);
            } else {
                removed = removed.saturating_add(1);
            }
            live
        });
        self.frees_at.store(next.as_micros(), Release);
        self.free_slots(removed);
    }
}

/// At most 262,144 callers and as many addresses without a caller in one month, about 50 bytes
/// each; memory grows with use. Counters of months that have ended are free. A full pool answers
/// [`StoreError::Full`], which is a 503, to subjects that it does not know; it never forgets usage.
///
/// If the machine's clock is set forward over the end of a month and back again, usage of the month
/// may have been dropped in between, but only if the pool was full.
impl QuotaStore for MemoryStore {
    fn try_reserve(&self, charge: &Charge) -> Option<Result<Reservation, StoreError>> {
        Some(self.inner.quotas.reserve(charge))
    }

    fn reserve<'a>(&'a self, charge: &'a Charge) -> BoxFuture<'a, Result<Reservation, StoreError>> {
        Box::pin(ready(self.inner.quotas.reserve(charge)))
    }

    fn try_give_back(&self, charge: &Charge) -> Option<Result<u64, StoreError>> {
        Some(Ok(self.inner.quotas.give_back(charge)))
    }

    fn give_back<'a>(&'a self, charge: &'a Charge) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(ready(Ok(self.inner.quotas.give_back(charge))))
    }
}

#[cfg(test)]
mod tests;
