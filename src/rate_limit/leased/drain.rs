//! The end: everything is given back.

use std::{
    sync::{
        Arc,
        atomic::Ordering::{Relaxed, Release},
    },
    time::Duration,
};

use tokio::runtime::Handle;

use super::{Shared, lease::Lease, purchase::ask};
use crate::{
    rate_limit::{Batch, Op, RateLimitStore},
    store::StoreError,
    time::Timestamp,
};

/// For purchases under way; a process that ends has no more time.
const PATIENCE: Duration = Duration::from_secs(5);

impl Shared {
    /// By the clock of the requests, which is not ours.
    pub(super) fn now(&self) -> Timestamp {
        let ours = self.clock.now().monotonic.as_micros();
        Timestamp::from_micros(ours.wrapping_add(self.offset.load(Relaxed)))
    }

    pub(super) async fn drain(&self) -> Result<u64, StoreError> {
        self.drained.store(true, Release);
        let leases: Vec<Arc<Lease>> = self.leases.iter().map(|entry| Arc::clone(entry.value())).collect();
        let all_arrived = async {
            for lease in &leases {
                let _turn = lease.turn.lock().await;
                lease.all_arrived().await;
            }
        };
        // What comes later is given back by whoever brings it.
        let _ = tokio::time::timeout(PATIENCE, all_arrived).await;
        let mut held = Vec::new();
        for lease in leases {
            let units = lease.book().give_back_all(self.now());
            if units > 0 {
                held.push((Arc::clone(&lease), units));
            }
        }
        give_back(&*self.store, &held, self.now()).await
    }
}

/// As many at a time as a batch has places.
async fn give_back(store: &dyn RateLimitStore, held: &[(Arc<Lease>, u64)], now: Timestamp) -> Result<u64, StoreError> {
    let (mut given, mut failed) = (0_u64, None);
    for part in held.chunks(Batch::MAX) {
        let mut batches = vec![Batch::new(now)];
        for charge in part.iter().map(|(lease, units)| lease.charge.charge(Op::Give(*units))) {
            // One bucket may be held under two sets of parameters, and stands in a batch but once.
            let same = |batch: &Batch<'_>| batch.charges().any(|held| held.identity_hash() == charge.identity_hash());
            if let Some(batch) = batches.iter_mut().find(|batch| !same(batch)) {
                // No more than a batch has places.
                let _ = batch.push(charge);
                continue;
            }
            let mut batch = Batch::new(now);
            let _ = batch.push(charge);
            batches.push(batch);
        }
        for batch in &batches {
            match ask(store, batch).await {
                Ok(_) => {
                    let units = batch.charges().map(|charge| if let Op::Give(units) = charge.op() { units } else { 0 });
                    given = given.saturating_add(units.sum());
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
    }
    failed.map_or(Ok(given), Err)
}

impl Drop for Shared {
    fn drop(&mut self) {
        let now = self.now();
        let mut held = Vec::new();
        for entry in &self.leases {
            let units = entry.value().book().give_back_all(now);
            if units > 0 {
                held.push((Arc::clone(entry.value()), units));
            }
        }
        if held.is_empty() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            let store = Arc::clone(&self.store);
            runtime.spawn(async move {
                if let Err(error) = give_back(&*store, &held, now).await {
                    tracing::debug!(target: "portcullis", %error, "leased units were not given back");
                }
            });
        }
    }
}
