use crate::{
    audit::{AuditBatch, AuditLevel, AuditSink},
    store::{BoxFuture, StoreError},
};

/// Each record as one `tracing` event with target `portcullis::audit`, the level of the record and
/// the JSON line in the field `record`.
///
/// For services whose logs are already gathered in one place. It cannot tell whether anybody
/// listens: a subscriber that filters the target out loses the records, and nothing counts them.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingSink {
    _private: (),
}

impl TracingSink {
    /// The sink.
    pub fn new() -> Self {
        Self::default()
    }
}

impl AuditSink for TracingSink {
    fn write<'a>(&'a self, batch: &'a AuditBatch) -> BoxFuture<'a, Result<(), StoreError>> {
        for line in batch.lines() {
            let record = line.json;
            match line.level {
                AuditLevel::Info => tracing::info!(target: "portcullis::audit", record, "request"),
                AuditLevel::Warn => tracing::warn!(target: "portcullis::audit", record, "request"),
                AuditLevel::Error => tracing::error!(target: "portcullis::audit", record, "request"),
            }
        }
        Box::pin(std::future::ready(Ok(())))
    }
}
