//! Two ports, implemented outside the crate with nothing but its public API.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use portcullis::{
    audit::{AuditBatch, AuditSink},
    rate_limit::{Batch, RateLimitStore, State, Verdicts, Write},
    store::{BoxFuture, StoreError},
};

/// More keys than this, and the store says that it is full: a 503, not a free pass.
const MAX_KEYS: usize = 10_000;

/// Rates in a map behind a lock.
#[derive(Debug, Default)]
pub struct MapStore(Mutex<HashMap<Vec<u8>, State>>);

impl MapStore {
    fn step(&self, batch: &Batch<'_>) -> Result<Verdicts, StoreError> {
        let keys: Vec<_> = batch.charges().map(|charge| charge.identity()).collect();
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if states.len() + keys.len() > MAX_KEYS {
            return Err(StoreError::Full);
        }
        let steps = batch.step(batch.now(), |index| states.get(&keys[index]));
        for (index, key) in keys.into_iter().enumerate() {
            match steps.write(index) {
                Write::Keep => {}
                Write::Set(state) => drop(states.insert(key, state.clone())),
                Write::Clear => drop(states.remove(&key)),
            }
        }
        Ok(steps.verdicts)
    }
}

impl RateLimitStore for MapStore {
    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(async move { self.step(batch) })
    }
}

/// Audit records, kept as the bytes that a file would hold.
#[derive(Clone, Debug, Default)]
pub struct Records(Arc<Mutex<Vec<u8>>>);

impl Records {
    pub fn lines(&self) -> u64 {
        self.with(|bytes| bytes.iter().filter(|byte| **byte == b'\n').count() as u64)
    }

    pub fn contains(&self, text: &str) -> bool {
        self.with(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
    }

    fn with<T>(&self, look: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AuditSink for Records {
    fn write<'a>(&'a self, batch: &'a AuditBatch) -> BoxFuture<'a, Result<(), StoreError>> {
        self.with(|bytes| bytes.extend_from_slice(batch.bytes()));
        Box::pin(std::future::ready(Ok(())))
    }
}
