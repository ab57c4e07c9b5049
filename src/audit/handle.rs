use std::{fmt, sync::Arc};

use super::queue::{AuditCounts, Message, Queue};

/// Counts, flushes and ends the writer task of an [`AuditLayer`](super::AuditLayer). Clones are the
/// same handle.
#[derive(Clone)]
pub struct AuditHandle {
    queue: Arc<Queue>,
}

impl AuditHandle {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self { queue }
    }

    /// What became of the records so far. Costs a few loads.
    pub fn counts(&self) -> AuditCounts {
        self.queue.counts()
    }

    /// Waits until everything accepted before has been handed to the sink, and tells what became
    /// of it. Takes as long as the sink does: put a `tokio::time::timeout` around it.
    pub async fn flush(&self) -> AuditCounts {
        self.queue.ask(Message::Flush).await;
        self.counts()
    }

    /// Delivers everything accepted before, ends the writer task, and tells what became of it all.
    /// Records of requests that end later are counted as lost.
    ///
    /// Call it after the server has finished its requests (axum: after `serve` with graceful
    /// shutdown has returned), with a `tokio::time::timeout` around it if the sink may hang.
    /// Without it, the task ends by itself once the layer, its services and all handles are gone
    /// and the queue has been delivered, provided that the runtime lives as long.
    pub async fn shutdown(&self) -> AuditCounts {
        self.queue.ask(Message::Close).await;
        self.counts()
    }
}

impl fmt::Debug for AuditHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditHandle").field("counts", &self.counts()).finish()
    }
}
