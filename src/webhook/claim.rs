//! A claimed event, from the claim to its settlement, whatever happens to the request.

use std::{sync::Arc, time::Duration};

use tokio::runtime::Handle;

use super::{Claimed, Fence, ReplayKey, ReplayStore, Settlement};
use crate::{
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// How long a request waits for the store. A store should give up earlier by itself.
const PATIENCE: Duration = Duration::from_secs(3);

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

/// What became of a claim.
#[derive(Debug)]
pub(super) enum Admission {
    Fresh(WebhookPass),
    InFlight { retry_after: Duration },
    Completed,
}

/// A claim that the store has not answered yet. A client that goes away meanwhile must not leave the
/// event behind as claimed by nobody: dropped, it hears the store out and gives the event back.
pub(super) struct Claiming {
    answer: Option<BoxFuture<'static, Result<Admission, StoreError>>>,
}

impl Claiming {
    pub(super) fn new(store: Arc<dyn ReplayStore>, key: ReplayKey, lease: Duration, now: Timestamp) -> Self {
        let answer = async move {
            Ok(match store.claim(key, lease, now).await? {
                Claimed::Fresh(fence) => Admission::Fresh(WebhookPass::new(store, key, fence, now)),
                Claimed::InFlight { retry_after } => Admission::InFlight { retry_after },
                Claimed::Completed => Admission::Completed,
            })
        };
        Self { answer: Some(Box::pin(answer)) }
    }

    pub(super) async fn answer(mut self) -> Result<Admission, StoreError> {
        let Some(answer) = &mut self.answer else { return Err(StoreError::TimedOut) };
        let Ok(answered) = tokio::time::timeout(PATIENCE, answer).await else { return Err(StoreError::TimedOut) };
        self.answer = None;
        answered
    }
}

impl Drop for Claiming {
    fn drop(&mut self) {
        let Some(answer) = self.answer.take() else { return };
        // A store that panicked is not asked again.
        if let (false, Ok(runtime)) = (std::thread::panicking(), Handle::try_current()) {
            // What comes of it is a pass, which gives the event back when it is dropped.
            drop(runtime.spawn(async move { drop(answer.await) }));
        }
    }
}

impl WebhookPass {
    fn new(store: Arc<dyn ReplayStore>, key: ReplayKey, fence: Fence, now: Timestamp) -> Self {
        Self { claim: Some(Claim { store, key, fence, now }) }
    }

    /// Ends the claim: at once, or in a task that goes on if the client goes away, for which the
    /// returned future waits, but not for ever: the handler's success stands.
    pub(super) fn complete(mut self, ttl: Duration) -> Option<BoxFuture<'static, ()>> {
        let settling = self.claim.take()?.settle(Settlement::Complete { ttl })?;
        let Ok(runtime) = Handle::try_current() else { return Some(settling) };
        let task = runtime.spawn(settling);
        Some(Box::pin(async move { drop(tokio::time::timeout(PATIENCE, task).await) }))
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
fn report(settled: &Result<bool, StoreError>, settlement: Settlement) {
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
