//! What is not here is asked of the store, less what is.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use super::{
    LEASES, Shared, Taken,
    lease::{Grant, Lease},
    purchase::ask,
};
use crate::{
    rate_limit::{Batch, Charge, Decision, Op, Verdicts, owned::OwnedCharge},
    store::StoreError,
    time::Timestamp,
};

/// How many leases a request looks after that asks the store anyway.
const VISITS: usize = 2;

/// A charge of the batch: what was found here, and what the store is asked.
struct Part<'a> {
    lease: Option<Arc<Lease>>,
    here: u64,
    sent: Option<Charge<'a>>,
}

impl Shared {
    pub(super) async fn ask(self: &Arc<Self>, batch: &Batch<'_>) -> Result<Verdicts, StoreError> {
        let now = batch.now();
        self.offset.store(now.as_micros().wrapping_sub(self.clock.now().monotonic.as_micros()), Relaxed);
        let mut taken = Taken::default();
        let parts: Vec<Part<'_>> = batch.charges().map(|charge| self.part(charge, now, &mut taken)).collect();
        for lease in parts.iter().filter_map(|part| part.lease.as_ref()) {
            self.give_ended(lease, now).await;
        }
        let mut rest = Batch::new(now);
        for charge in parts.iter().filter_map(|part| part.sent) {
            // No more than the batch has.
            let _ = rest.push(charge);
        }
        let answers = if rest.is_empty() { Verdicts::new() } else { ask(&*self.store, &rest).await? };
        if answers.allowed() {
            taken.spend();
        } else {
            drop(taken);
        }
        let mut answers = answers.decisions();
        let mut verdicts = Verdicts::new();
        for (part, charge) in parts.iter().zip(batch.charges()) {
            let decision = match part.sent {
                Some(_) => answers.next().copied().map(|answer| self.told(part, charge, answer, now)),
                None => part.lease.as_ref().map(|lease| lease.book().decision(now)),
            };
            // As many decisions as charges; a store that gives fewer is taken to refuse.
            let _ = verdicts.push(decision.unwrap_or(Decision::refused(0, 0, Duration::from_secs(1))));
        }
        self.visit(now);
        Ok(verdicts)
    }

    /// Near the cap nothing is bought, and what has ended would stay where it is.
    async fn give_ended(self: &Arc<Self>, lease: &Arc<Lease>, now: Timestamp) {
        let units = lease.book().give_back(now);
        if units > 0 {
            let (shared, lease) = (Arc::clone(self), Arc::clone(lease));
            let _ = tokio::spawn(async move { shared.give(&lease, units, now).await }).await;
        }
    }

    fn part<'a>(&self, charge: &Charge<'a>, now: Timestamp, taken: &mut Taken) -> Part<'a> {
        let Some((lease, units)) = self.lease(charge) else {
            return Part { lease: None, here: 0, sent: Some(*charge) };
        };
        let grant = {
            let mut book = lease.book();
            book.ask(units);
            if book.can_ever(units) { book.take(units, true, now) } else { None }
        };
        let here = grant.map_or(0, |Grant { units, .. }| units);
        taken.0.extend(grant.map(|grant| (Arc::clone(&lease), grant)));
        let sent = match units.saturating_sub(here) {
            0 => None,
            short => Some(Charge::new(*charge.key(), charge.algorithm(), Op::Take(short))),
        };
        Part { lease: Some(lease), here, sent }
    }

    /// What the store said, with what is held here.
    fn told(self: &Arc<Self>, part: &Part<'_>, charge: &Charge<'_>, answer: Decision, now: Timestamp) -> Decision {
        let lease = match &part.lease {
            Some(lease) => Arc::clone(lease),
            None => match self.open(charge, answer, now) {
                Some(lease) => lease,
                None => return answer,
            },
        };
        let mut book = lease.book();
        book.learn(answer, now);
        let held = if answer.allowed { book.held() } else { book.held().max(part.here) };
        Decision { remaining: answer.remaining.saturating_add(held).min(answer.limit), ..answer }
    }

    /// A lease for a bucket that has been asked for the first time; nothing is bought yet.
    fn open(&self, charge: &Charge<'_>, answer: Decision, now: Timestamp) -> Option<Arc<Lease>> {
        let units = Self::units(charge)?;
        let rule = charge.key().rule();
        let exact = self.settings.exact.iter().any(|name| **name == *rule);
        if exact || !answer.allowed || self.is_drained() || self.leases.len() >= LEASES {
            return None;
        }
        let lease = Arc::new(Lease::new(OwnedCharge::leased(charge)?, answer, now));
        lease.book().ask(units);
        let key = Self::key(charge);
        let held = self.leases.entry(key).or_insert_with(|| {
            self.visits().push_back((now.saturating_add(self.settings.hold), key));
            lease
        });
        Some(Arc::clone(&held))
    }

    /// Looks after leases that nobody has asked for: what they hold is given back, and they go.
    fn visit(self: &Arc<Self>, now: Timestamp) {
        for _ in 0..VISITS {
            let due = {
                let mut visits = self.visits();
                if visits.front().is_none_or(|(at, _)| now < *at) {
                    return;
                }
                visits.pop_front()
            };
            let Some((_, key)) = due else { return };
            // Who still has it would buy for a lease that nobody finds any more.
            let idle = |_: &_, lease: &Arc<Lease>| {
                Arc::strong_count(lease) == 1 && lease.book().is_idle(self.settings.hold, now)
            };
            let Some((_, lease)) = self.leases.remove_if(&key, idle) else {
                if self.leases.contains_key(&key) {
                    self.visits().push_back((now.saturating_add(self.settings.hold), key));
                }
                continue;
            };
            let units = lease.book().give_back_all(now);
            if units > 0 {
                let shared = Arc::clone(self);
                tokio::spawn(async move { shared.give(&lease, units, now).await });
            }
        }
    }
}
