use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use quick_cache::sync::Cache;

use crate::{auth::api_key::ApiKeyRecord, time::Timestamp};

const CACHED: usize = 10_000;

/// Records that were read a short while ago.
#[derive(Clone)]
pub(super) struct ApiKeyCache(Arc<Held>);

struct Held {
    ttl: Duration,
    records: Cache<Box<str>, (Arc<ApiKeyRecord>, Timestamp)>,
    /// Counts changes, so that what was read before one is not kept after it.
    changes: AtomicU64,
}

impl ApiKeyCache {
    pub(super) fn new(ttl: Duration) -> Self {
        Self(Arc::new(Held { ttl, records: Cache::new(CACHED), changes: AtomicU64::new(0) }))
    }

    pub(super) fn get(&self, id: &str, now: Timestamp) -> Option<Arc<ApiKeyRecord>> {
        self.0.records.get(id).filter(|(_, until)| now < *until).map(|(record, _)| record)
    }

    pub(super) fn changes(&self) -> u64 {
        self.0.changes.load(SeqCst)
    }

    /// Keeps what was read when `before` changes had been made. A change that comes between is noticed
    /// after the record was put in, and takes it out again.
    pub(super) fn put(&self, record: &Arc<ApiKeyRecord>, before: u64, now: Timestamp) {
        self.0.records.insert(record.id().into(), (Arc::clone(record), now.saturating_add(self.0.ttl)));
        if self.changes() != before {
            self.0.records.remove(record.id());
        }
    }

    pub(super) fn forget(&self, id: &str) {
        self.0.changes.fetch_add(1, SeqCst);
        self.0.records.remove(id);
    }
}
