use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::{
    audit::{AuditBatch, AuditSink},
    store::{BoxFuture, StoreError},
};

/// Keeps every record, for tests: it grows without bound. Clones share the records. Only with the
/// feature `testing`.
#[derive(Clone, Debug, Default)]
pub struct MemorySink {
    text: Arc<Mutex<String>>,
}

impl MemorySink {
    /// An empty sink.
    pub fn new() -> Self {
        Self::default()
    }

    /// All lines so far, as a file would hold them.
    pub fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All records so far, parsed.
    pub fn records(&self) -> Vec<Value> {
        // Whatever is not JSON is a defect that a test wants to see.
        self.text().lines().map(|line| serde_json::from_str(line).unwrap_or(Value::String(line.to_owned()))).collect()
    }
}

impl AuditSink for MemorySink {
    fn write<'a>(&'a self, batch: &'a AuditBatch) -> BoxFuture<'a, Result<(), StoreError>> {
        self.text
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_str(std::str::from_utf8(batch.bytes()).unwrap_or("not UTF-8\n"));
        Box::pin(std::future::ready(Ok(())))
    }
}
