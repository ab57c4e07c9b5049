//! Who was refused a moment ago, and until when that is certain.
//!
//! Until a refused cost would pass it is refused again, whoever asks, unless units are given back. So it
//! is refused here, without the store: until it would pass, and no longer than the bound (a second by
//! default), for another process may have given back meanwhile. What this process gives back or resets
//! is forgotten at once, and so is what another limit said: the parameters are part of the identity.
//!
//! The table has a fixed number of places. Where all are taken, the refusal that ends first gives way;
//! what is forgotten too early costs one question to the store.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    rate_limit::{Batch, Charge, Decision, Op, Verdicts},
    time::Timestamp,
};

pub(super) struct Refusals {
    sets: Box<[Mutex<Set>]>,
    longest: Duration,
    /// How much later than asked the store may have decided.
    late: Duration,
}

#[derive(Debug, Default)]
struct Set {
    entries: Vec<Entry>,
    /// How often something was forgotten because units were given back.
    given: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    identity: Identity,
    /// The cost that was refused; none if the charge stood beside one that was.
    refused: Option<u64>,
    asked: Timestamp,
    until: Timestamp,
    decision: Decision,
}

type Identity = (u128, u64);

/// What had been given back, in each charge's set, before the store was asked.
#[derive(Debug)]
pub(super) struct Watch([u64; Batch::MAX]);

impl Refusals {
    const SETS: usize = 512;
    const ENTRIES: usize = 8;

    pub(super) fn new(longest: Duration, late: Duration) -> Self {
        Self { sets: std::iter::repeat_with(Mutex::default).take(Self::SETS).collect(), longest, late }
    }

    /// The refusal of a batch, if one of its charges is known to be refused.
    pub(super) fn refuse(&self, batch: &Batch<'_>) -> Option<Verdicts> {
        let now = batch.now();
        let refused = |charge: &Charge<'_>| match charge.op() {
            Op::Take(cost) => self.find(charge, now).filter(|entry| entry.refuses(cost)),
            _ => None,
        };
        if !batch.charges().any(|charge| refused(charge).is_some()) || batch.charges().any(changes) {
            return None;
        }
        let mut verdicts = Verdicts::new();
        for charge in batch.charges() {
            let decision = match (refused(charge), self.find(charge, now)) {
                (Some(entry), _) => entry.refusal(now, self.late),
                (None, Some(entry)) => beside(entry.aged(now)),
                // As if it was never seen: nobody asked for it.
                (None, None) => beside(charge.algorithm().step(None, now, Op::Peek).decision),
            };
            // As many as there are charges.
            let _ = verdicts.push(decision);
        }
        // A refusal may have ended between the two looks.
        (!verdicts.allowed()).then_some(verdicts)
    }

    pub(super) fn watch(&self, batch: &Batch<'_>) -> Watch {
        let mut given = [0; Batch::MAX];
        for (given, charge) in given.iter_mut().zip(batch.charges()) {
            *given = self.with(charge, |set| set.given).unwrap_or(0);
        }
        Watch(given)
    }

    pub(super) fn learn(&self, batch: &Batch<'_>, verdicts: &Verdicts, before: &Watch) {
        for charge in batch.charges().filter(|charge| changes(charge)) {
            self.with(charge, |set| set.forget(identity(charge)));
        }
        if verdicts.allowed() {
            return;
        }
        let now = batch.now();
        for ((charge, decision), given) in batch.charges().zip(verdicts.decisions()).zip(before.0) {
            let refused = match charge.op() {
                Op::Take(cost) if !decision.allowed => Some(cost),
                _ => None,
            };
            let certain = decision.retry_after.unwrap_or(self.longest).min(self.longest);
            let until = now.saturating_add(if refused.is_some() { certain } else { self.longest });
            let entry = Entry { identity: identity(charge), refused, asked: now, until, decision: *decision };
            self.with(charge, |set| {
                if set.given == given {
                    set.put(entry, now);
                }
            });
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.sets.iter().map(|set| set.lock().unwrap().entries.len()).sum()
    }

    fn find(&self, charge: &Charge<'_>, now: Timestamp) -> Option<Entry> {
        let identity = identity(charge);
        self.with(charge, |set| {
            set.entries.iter().find(|entry| entry.identity == identity && now < entry.until).copied()
        })?
    }

    fn with<T>(&self, charge: &Charge<'_>, look: impl FnOnce(&mut Set) -> T) -> Option<T> {
        let number = usize::try_from(charge.identity_hash() >> 64 & 0xffff).ok()?.checked_rem(Self::SETS)?;
        let mut set = self.sets.get(number)?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(look(&mut set))
    }
}

impl Set {
    fn put(&mut self, entry: Entry, now: Timestamp) {
        // Whoever looks, or asks for less, says nothing about what was refused.
        let refused = |held: &Entry| held.identity == entry.identity && now < held.until && held.refused.is_some();
        if entry.refused.is_none() && self.entries.iter().any(refused) {
            return;
        }
        self.entries.retain(|held| held.identity != entry.identity && now < held.until);
        if self.entries.len() >= Refusals::ENTRIES {
            let first = self.entries.iter().enumerate().min_by_key(|(_, held)| (held.refused.is_some(), held.until));
            if let Some((first, _)) = first {
                self.entries.swap_remove(first);
            }
        }
        self.entries.push(entry);
    }

    fn forget(&mut self, identity: Identity) {
        self.entries.retain(|held| held.identity != identity);
        self.given = self.given.wrapping_add(1);
    }
}

impl Entry {
    /// A refused cost is refused again, and so is any greater one.
    fn refuses(&self, cost: u64) -> bool {
        self.refused.is_some_and(|refused| refused > 0 && cost >= refused)
    }

    fn aged(&self, now: Timestamp) -> Decision {
        let age = now.since(self.asked);
        Decision {
            next_after: self.decision.next_after.saturating_sub(age),
            full_after: self.decision.full_after.saturating_sub(age),
            ..self.decision
        }
    }

    /// The wait counts from the store's decision, which was later than the question: it is never named
    /// too short.
    fn refusal(&self, now: Timestamp, late: Duration) -> Decision {
        let left = |after: Duration| after.saturating_add(late).saturating_sub(now.since(self.asked));
        Decision { allowed: false, retry_after: self.decision.retry_after.map(left), ..self.aged(now) }
    }
}

fn beside(decision: Decision) -> Decision {
    Decision { allowed: true, retry_after: None, ..decision }
}

/// Whether others may take more after it.
fn changes(charge: &Charge<'_>) -> bool {
    matches!(charge.op(), Op::Give(_) | Op::Reset | Op::Leave { .. })
}

fn identity(charge: &Charge<'_>) -> Identity {
    (charge.identity_hash(), charge.algorithm().id().parameters())
}

impl fmt::Debug for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusals").field("longest", &self.longest).finish_non_exhaustive()
    }
}
