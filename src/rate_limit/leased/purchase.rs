//! Buying: by a task of its own, so that what was bought is there also if the caller has gone.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::runtime::Handle;

use super::{
    Shared,
    lease::{Lease, Way},
};
use crate::{
    rate_limit::{Batch, Op, RateLimitStore, Verdicts},
    store::StoreError,
    time::{Timestamp, micros_ceil},
};

/// For a store without a limit of its own. Long, because what is bought and not heard of is missing until the
/// bucket has refilled.
const PATIENCE: Duration = Duration::from_secs(60);

impl Shared {
    /// Buys for the charges that have a lease and find too little in it. Whether anything was bought.
    pub(super) async fn buy(self: &Arc<Self>, batch: &Batch<'_>) -> bool {
        let mut bought = false;
        for charge in batch.charges() {
            let Some((lease, units)) = self.lease(charge) else { continue };
            let (trip, now) = (self.trip(), batch.now());
            let is_short = || {
                let mut book = lease.book();
                book.held() < units && book.can_ever(units) && book.amount(&self.settings, trip, now).is_some()
            };
            if self.is_drained() || !is_short() {
                continue;
            }
            // What is under way is for whoever waits.
            lease.arrival().await;
            if !is_short() {
                bought = true;
                continue;
            }
            let turn = Arc::clone(&lease.turn).lock_owned().await;
            // Somebody else has bought meanwhile, or was told that there is not enough left.
            if is_short() {
                let (shared, lease) = (Arc::clone(self), Arc::clone(&lease));
                let _ = tokio::spawn(async move {
                    shared.purchase(&lease).await;
                    drop(turn);
                })
                .await;
            }
            bought = true;
        }
        bought
    }

    /// Buys before anybody waits for it.
    pub(super) fn order(self: &Arc<Self>, lease: &Arc<Lease>, now: Timestamp) {
        let Ok(runtime) = Handle::try_current() else { return };
        if let Some(way) = self.set_out(lease, now) {
            let shared = Arc::clone(self);
            runtime.spawn(async move { shared.bring(way, now).await });
        }
    }

    /// What is worth while to buy. Who drains either waits for it, or is seen here.
    fn set_out(&self, lease: &Arc<Lease>, now: Timestamp) -> Option<Way> {
        Way::set_out(lease, &self.settings, self.trip(), now).filter(|_| !self.is_drained())
    }

    /// Gives back what has ended, and buys as much as is used.
    async fn purchase(&self, lease: &Arc<Lease>) {
        // It may have waited for its turn.
        let now = self.now();
        let ended = lease.book().give_back(now);
        self.give(lease, ended, now).await;
        if let Some(way) = self.set_out(lease, now) {
            self.bring(way, now).await;
        }
    }

    /// A failure is the next request's to notice.
    async fn bring(&self, way: Way, now: Timestamp) {
        let Way { lease, units } = &way;
        let sent = self.clock.now().monotonic;
        let Ok(verdicts) = self.one(lease, Op::Take(*units), now).await else { return };
        let took = micros_ceil(self.clock.now().monotonic.since(sent));
        let before = self.trip.load(Relaxed);
        self.trip.store(before.saturating_mul(7).saturating_add(took) / 8, Relaxed);
        let Some(decision) = verdicts.get(0) else { return };
        if decision.allowed {
            lease.book().deposit(*units, *decision, &self.settings, self.trip(), now);
            if self.is_drained() {
                // By when it came: what was bought of a window that is over is worth nothing.
                let now = self.now();
                let late = lease.book().give_back_all(now);
                self.give(lease, late, now).await;
            }
        } else {
            lease.book().learn(*decision, now);
        }
    }

    /// A failure leaves them missing until the bucket has refilled.
    pub(super) async fn give(&self, lease: &Lease, units: u64, now: Timestamp) {
        if units > 0
            && let Err(error) = self.one(lease, Op::Give(units), now).await
        {
            tracing::debug!(target: "portcullis", %error, units, "leased units were not given back");
        }
    }

    async fn one(&self, lease: &Lease, op: Op, now: Timestamp) -> Result<Verdicts, StoreError> {
        let mut batch = Batch::new(now);
        // Eight places, none of them taken.
        let _ = batch.push(lease.charge.charge(op));
        // A store that never answers must not keep the turn for ever.
        let answer = tokio::time::timeout(PATIENCE, ask(&*self.store, &batch)).await;
        answer.unwrap_or(Err(StoreError::TimedOut))
    }
}

/// At once, where the store can.
pub(super) async fn ask(store: &dyn RateLimitStore, batch: &Batch<'_>) -> Result<Verdicts, StoreError> {
    match store.try_now(batch) {
        Some(answer) => answer,
        None => store.apply(batch).await,
    }
}
