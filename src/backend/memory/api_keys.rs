//! The records of API keys, at most [`CAPACITY`] of them.

use std::{
    collections::hash_map::RandomState,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use dashmap::{DashMap, Entry};

use super::MemoryStore;
use crate::{
    auth::api_key::{ApiKeyRecord, ApiKeyStore},
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// Some 60 MB of records (measured: 634 bytes each).
const CAPACITY: usize = 100_000;

/// Records by id. Only the owner of the service inserts, but anybody looks up, so the hash is keyed
/// (the standard library's `SipHash`).
#[derive(Debug)]
pub(super) struct ApiKeys {
    records: DashMap<[u8; 12], Arc<ApiKeyRecord>, RandomState>,
    /// Reserved before a record is inserted, so that concurrent inserts keep to the bound.
    taken: AtomicUsize,
    capacity: usize,
}

impl Default for ApiKeys {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl ApiKeys {
    fn with_capacity(capacity: usize) -> Self {
        Self { records: DashMap::with_hasher(RandomState::new()), taken: AtomicUsize::new(0), capacity }
    }

    fn find(&self, id: &str) -> Option<Arc<ApiKeyRecord>> {
        self.records.get(&key(id)?).map(|record| Arc::clone(&record))
    }

    fn insert(&self, record: ApiKeyRecord) -> Result<(), StoreError> {
        // Every record has such an id; its builder sees to it.
        let Some(key) = key(record.id()) else { return Err(StoreError::corrupt("the id is not twelve bytes")) };
        match self.records.entry(key) {
            Entry::Occupied(mut held) => {
                held.insert(Arc::new(record));
            }
            Entry::Vacant(free) => {
                if self.taken.fetch_add(1, Relaxed) >= self.capacity {
                    self.taken.fetch_sub(1, Relaxed);
                    return Err(StoreError::Full);
                }
                free.insert(Arc::new(record));
            }
        }
        Ok(())
    }

    fn revoke(&self, id: &str, at: Timestamp) -> bool {
        let Some(mut record) = key(id).and_then(|key| self.records.get_mut(&key)) else { return false };
        *record = Arc::new(ApiKeyRecord::clone(&record).revoked(at));
        true
    }

    fn remove(&self, id: &str) -> bool {
        let removed = key(id).and_then(|key| self.records.remove(&key)).is_some();
        if removed {
            self.taken.fetch_sub(1, Relaxed);
        }
        removed
    }
}

fn key(id: &str) -> Option<[u8; 12]> {
    id.as_bytes().try_into().ok()
}

/// API keys: at most 100,000; one more is [`StoreError::Full`].
impl MemoryStore {
    /// Keeps the record of a key; a record with the same id is replaced.
    ///
    /// # Errors
    /// [`StoreError::Full`] at the bound.
    pub fn insert_api_key(&self, record: ApiKeyRecord) -> Result<(), StoreError> {
        self.inner.api_keys.insert(record)
    }

    /// Revokes a key, effective with the next request. Whether there was one.
    pub fn revoke_api_key(&self, id: &str, at: Timestamp) -> bool {
        self.inner.api_keys.revoke(id, at)
    }

    /// Forgets a key. Whether there was one.
    pub fn remove_api_key(&self, id: &str) -> bool {
        self.inner.api_keys.remove(id)
    }
}

impl ApiKeyStore for MemoryStore {
    fn find<'a>(&'a self, id: &'a str, _: Timestamp) -> BoxFuture<'a, Result<Option<Arc<ApiKeyRecord>>, StoreError>> {
        Box::pin(std::future::ready(Ok(self.inner.api_keys.find(id))))
    }

    fn find_now(&self, id: &str, _: Timestamp) -> Option<Result<Option<Arc<ApiKeyRecord>>, StoreError>> {
        Some(Ok(self.inner.api_keys.find(id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::api_key::{ApiKey, ApiKeyFormat};

    fn record() -> ApiKeyRecord {
        let format = ApiKeyFormat::new("acme", "test").unwrap();
        ApiKey::issue(&format, ApiKeyRecord::builder("usr_1")).unwrap().record
    }

    #[test]
    fn the_bound_holds_and_removal_makes_room() {
        let keys = ApiKeys::with_capacity(2);
        let first = record();
        keys.insert(first.clone()).unwrap();
        keys.insert(record()).unwrap();
        assert!(matches!(keys.insert(record()), Err(StoreError::Full)));
        // Replacing takes no room.
        keys.insert(first.clone()).unwrap();
        assert!(keys.remove(first.id()) && !keys.remove(first.id()));
        keys.insert(record()).unwrap();
        assert!(matches!(keys.insert(record()), Err(StoreError::Full)));
        assert_eq!(keys.records.len(), 2);
    }

    #[test]
    fn concurrent_inserts_keep_to_the_bound() {
        let keys = ApiKeys::with_capacity(10);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10).for_each(|_| drop(keys.insert(record()))));
            }
        });
        assert_eq!(keys.records.len(), 10);
    }

    #[test]
    fn revoking_keeps_the_record() {
        let keys = ApiKeys::default();
        let held = record();
        keys.insert(held.clone()).unwrap();
        assert!(keys.revoke(held.id(), Timestamp::from_secs(5)));
        assert!(keys.revoke(held.id(), Timestamp::from_secs(9)));
        assert_eq!(keys.find(held.id()).unwrap().revoked_at(), Some(Timestamp::from_secs(5)));
        for id in ["", "short", "nobodynobody", "longer than twelve"] {
            assert!(!keys.revoke(id, Timestamp::EPOCH) && keys.find(id).is_none(), "{id}");
        }
    }
}
