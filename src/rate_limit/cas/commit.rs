//! Several records are written one after the other, and taken back if one of them was changed
//! meanwhile.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::{
    plan::Plan,
    record::Record,
    store::{Found, Inner, load},
};
use crate::{
    rate_limit::{Batch, BatchSteps, Charge},
    store::StoreError,
    time::Timestamp,
};

/// How often a record that others write, too, is asked to take something back.
const TRIES: u32 = 8;

/// What has been written of a batch so far. Dropped before all of it was (the caller went away, the
/// backend failed), it is taken back by a task.
pub(super) struct Committed<'a> {
    store: &'a Arc<Inner>,
    batch: &'a Batch<'a>,
    plan: &'a Plan,
    now: Timestamp,
    written: Vec<Written>,
}

/// One of several records, which was written, or was about to be.
#[derive(Debug)]
struct Written {
    target: usize,
    key: String,
    nonce: u64,
    before: Record,
}

impl<'a> Committed<'a> {
    pub(super) const fn new(store: &'a Arc<Inner>, batch: &'a Batch<'a>, plan: &'a Plan, now: Timestamp) -> Self {
        Self { store, batch, plan, now, written: Vec::new() }
    }

    /// Whether everything was written; else nothing was, and the records have changed.
    pub(super) async fn commit(mut self, found: &[Arc<Found>], steps: &BatchSteps) -> Result<bool, StoreError> {
        let passed = steps.verdicts.allowed();
        for (target, (held, place)) in found.iter().zip(&self.plan.targets).enumerate() {
            let Some(record) = self.stepped(target, &held.record, steps) else { continue };
            // A refused batch charges nothing: what it writes need not be taken back.
            if passed {
                let (key, before) = (place.key.clone(), held.record.clone());
                self.written.push(Written { target, key, nonce: record.nonce, before });
            }
            if self.store.swap(&place.key, held.version.as_ref(), &record, self.now).await? {
                continue;
            }
            if passed {
                self.written.pop();
                self.take_back().await?;
            }
            return Ok(false);
        }
        self.written.clear();
        Ok(true)
    }

    /// The record after the steps, if they change it.
    fn stepped(&self, target: usize, before: &Record, steps: &BatchSteps) -> Option<Record> {
        let mut record = before.clone();
        let mut changed = false;
        for (index, tag) in self.plan.charges(target) {
            if let Some(charge) = self.batch.get(index) {
                changed |= record.write(tag, charge, steps.write(index), self.now);
            }
        }
        changed.then(|| record.written(self.store.jitter.draw(), self.now))
    }

    async fn take_back(&mut self) -> Result<(), StoreError> {
        while let Some(written) = self.written.last() {
            if !restore(self.store, written, self.now).await? {
                self.give_back(written.target, &written.key).await?;
            }
            self.written.pop();
        }
        Ok(())
    }

    /// Somebody has charged the record since: what was there before is not to be put back, but what
    /// was taken is to be given.
    async fn give_back(&self, target: usize, key: &str) -> Result<(), StoreError> {
        let mut batch = Batch::new(self.now);
        let mut tags = Vec::new();
        for (charge, tag) in self.plan.charges(target) {
            let Some(charge) = self.batch.get(charge) else { continue };
            let Some(op) = charge.op().undo() else { continue };
            if batch.push(Charge::new(*charge.key(), charge.algorithm(), op)).is_ok() {
                tags.push(*tag);
            }
        }
        for round in 0..TRIES {
            let Found { version, mut record } = load(&*self.store.backend, key).await?;
            let now = self.now.max(record.at.min(self.now.saturating_add(self.store.skew)));
            let steps = batch.step(now, |charge| record.state(tags.get(charge)?));
            for (index, (charge, tag)) in batch.charges().zip(&tags).enumerate() {
                record.write(tag, charge, steps.write(index), now);
            }
            let record = record.written(self.store.jitter.draw(), now);
            if self.store.swap(key, version.as_ref(), &record, now).await? {
                return Ok(());
            }
            tokio::time::sleep(self.store.jitter.pause(round)).await;
        }
        Ok(())
    }
}

/// Puts a record back as it was, if nobody has written it since.
async fn restore(store: &Inner, written: &Written, now: Timestamp) -> Result<bool, StoreError> {
    let found = load(&*store.backend, &written.key).await?;
    if found.record.nonce != written.nonce {
        return Ok(false);
    }
    let record = written.before.clone().written(store.jitter.draw(), now);
    store.swap(&written.key, found.version.as_ref(), &record, now).await
}

impl Drop for Committed<'_> {
    fn drop(&mut self) {
        let written = std::mem::take(&mut self.written);
        if written.is_empty() {
            return;
        }
        let (store, now) = (Arc::clone(self.store), self.now);
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                for written in written.iter().rev() {
                    if let Err(error) = restore(&store, written, now).await {
                        tracing::debug!(target: "portcullis", %error, "a charge in part stays");
                    }
                }
            });
        }
    }
}
