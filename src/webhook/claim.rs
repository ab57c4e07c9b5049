//! A claimed event, from the claim to its settlement, whatever happens to the request.

use std::{sync::Arc, time::Duration};

use tokio::runtime::Handle;

use super::{Fence, ReplayKey, ReplayStore, Settlement};
use crate::{store::BoxFuture, time::Timestamp};

/// What the gate remembers of a request that it let through. Dropped, it gives the event back.
#[derive(Debug)]
pub struct WebhookPass {
    claim: Option<Claim>,
}

#[derive(Debug)]
struct Claim {
    store: Arc<dyn ReplayStore>,
    key: ReplayKey,
    fence: Fence,
    now: Timestamp,
}

impl WebhookPass {
    pub(super) fn new(store: Arc<dyn ReplayStore>, key: ReplayKey, fence: Fence, now: Timestamp) -> Self {
        Self { claim: Some(Claim { store, key, fence, now }) }
    }

    /// Ends the claim: at once, or in a task that goes on if the client goes away, for which the
    /// returned future waits.
    pub(super) fn complete(mut self, ttl: Duration) -> Option<BoxFuture<'static, ()>> {
        let settling = self.claim.take()?.settle(Settlement::Complete { ttl })?;
        let Ok(runtime) = Handle::try_current() else { return Some(settling) };
        let task = runtime.spawn(settling);
        Some(Box::pin(async move { drop(task.await) }))
    }
}

/// Neither awaits nor panics: it may run while a panic unwinds.
impl Drop for WebhookPass {
    fn drop(&mut self) {
        let Some(settling) = self.claim.take().and_then(|claim| claim.settle(Settlement::Release)) else { return };
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(settling));
        } else {
            tracing::warn!(target: "portcullis", "webhook event not released: its lease must run out");
        }
    }
}

impl Claim {
    /// `None` if it is done.
    fn settle(self, settlement: Settlement) -> Option<BoxFuture<'static, ()>> {
        let Self { store, key, fence, now } = self;
        if let Some(settled) = store.settle_now(key, fence, settlement, now) {
            report(&settled, settlement);
            return None;
        }
        Some(Box::pin(async move { report(&store.settle(key, fence, settlement, now).await, settlement) }))
    }
}

/// The handler has run and the response stands; all that is left is to tell the owner.
fn report(settled: &Result<bool, crate::store::StoreError>, settlement: Settlement) {
    match settled {
        Ok(true) => {}
        Ok(false) => tracing::warn!(
            target: "portcullis",
            ?settlement,
            "webhook event was claimed by another while its handler ran: the lease is too short"
        ),
        Err(error) => tracing::error!(
            target: "portcullis",
            error = error as &(dyn std::error::Error + 'static),
            ?settlement,
            "webhook event not settled: its lease must run out"
        ),
    }
}
