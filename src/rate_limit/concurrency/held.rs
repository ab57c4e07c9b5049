use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, task::AbortHandle};

use super::store::{ConcurrencyStore, Permit};
use crate::{
    gate::{BodyEnd, Watch},
    rate_limit::{Batch, Inline},
};

/// A permit that is released when it is dropped, wherever the request ends.
#[derive(Debug)]
pub(super) struct Held {
    store: Arc<dyn ConcurrencyStore>,
    permit: Option<Permit>,
    beat: Option<AbortHandle>,
}

/// Those of one request.
pub(super) type AllHeld = Inline<Held, { Batch::MAX }>;

impl Held {
    pub(super) fn new(store: &Arc<dyn ConcurrencyStore>, permit: Permit, lease: Duration) -> Self {
        let beat = permit.is_leased().then(|| beat(store, permit.shadow(), lease)).flatten();
        Self { store: Arc::clone(store), permit: Some(permit), beat }
    }
}

/// Signs of life, for as long as the request lasts.
fn beat(store: &Arc<dyn ConcurrencyStore>, permit: Permit, lease: Duration) -> Option<AbortHandle> {
    let store = Arc::clone(store);
    let pause = lease.checked_div(3)?;
    let task = Handle::try_current().ok()?.spawn(async move {
        loop {
            tokio::time::sleep(pause).await;
            // The next one may succeed; two may be lost.
            let _ = store.heartbeat(&permit, lease).await;
        }
    });
    Some(task.abort_handle())
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(beat) = self.beat.take() {
            beat.abort();
        }
        let Some(release) = self.permit.take().and_then(|permit| self.store.release(permit)) else { return };
        // Without a runtime its lease ends it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let _ = release.await;
            });
        }
    }
}

/// Holds the permits until the response's body has ended.
pub(super) struct UntilTheEnd(pub(super) AllHeld);

impl Watch for UntilTheEnd {
    fn pass(&mut self, _: usize) {}

    fn end(self, _: BodyEnd) {
        drop(self.0);
    }
}
