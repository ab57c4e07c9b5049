//! The records of API keys, at most [`CAPACITY`] of them unless the store is built otherwise.

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
    auth::api_key::{
        ApiKeyChange, ApiKeyRecord, ApiKeyRegistry, ApiKeyStore, ApiKeyUse, ApiKeyVerifier, Changed, KeyHasher,
    },
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
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { records: DashMap::with_hasher(RandomState::new()), taken: AtomicUsize::new(0), capacity }
    }

    fn find(&self, id: &str) -> Option<Arc<ApiKeyRecord>> {
        self.records.get(&key(id)?).map(|record| Arc::clone(&record))
    }

    /// Whether the id was free. If it was not, the record is replaced only if that is wanted.
    fn insert(&self, record: ApiKeyRecord, replace: Replace) -> Result<bool, StoreError> {
        // Every record has such an id; its builder sees to it.
        let Some(key) = key(record.id()) else { return Err(StoreError::corrupt("the id is not twelve bytes")) };
        match self.records.entry(key) {
            Entry::Occupied(mut held) => {
                if replace == Replace::Yes {
                    held.insert(Arc::new(record));
                }
                return Ok(false);
            }
            Entry::Vacant(free) => {
                if self.taken.fetch_add(1, Relaxed) >= self.capacity {
                    self.taken.fetch_sub(1, Relaxed);
                    return Err(StoreError::Full);
                }
                free.insert(Arc::new(record));
            }
        }
        Ok(true)
    }

    fn change(&self, id: &str, change: &ApiKeyChange) -> Changed {
        let Some(mut held) = key(id).and_then(|key| self.records.get_mut(&key)) else { return Changed::Unknown };
        let Some(record) = held.changed(change) else { return Changed::NotApplicable };
        *held = Arc::new(record);
        Changed::Applied
    }

    /// Looks at every record: this is for the owner of keys, and not for requests.
    fn list(&self, owner: &str, after: Option<&str>, limit: usize) -> Vec<Arc<ApiKeyRecord>> {
        let is_asked = |record: &ApiKeyRecord| record.owner() == owner && after.is_none_or(|after| record.id() > after);
        let mut found: Vec<_> =
            self.records.iter().filter(|record| is_asked(record)).map(|record| Arc::clone(&record)).collect();
        found.sort_unstable_by(|one, other| one.id().cmp(other.id()));
        found.truncate(limit);
        found
    }

    fn record_uses(&self, uses: &[ApiKeyUse]) {
        for used in uses {
            if let Some(mut held) = key(used.id()).and_then(|key| self.records.get_mut(&key)) {
                *held = Arc::new(ApiKeyRecord::clone(&held).used(used.at()));
            }
        }
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Replace {
    Yes,
    No,
}

fn key(id: &str) -> Option<[u8; 12]> {
    id.as_bytes().try_into().ok()
}

/// API keys: at most 100,000, or as many as [`with_api_keys`](Self::with_api_keys) says; one more is
/// [`StoreError::Full`].
impl MemoryStore {
    /// Keeps the record of a key; a record with the same id is replaced.
    ///
    /// # Errors
    /// [`StoreError::Full`] at the bound.
    pub fn insert_api_key(&self, record: ApiKeyRecord) -> Result<(), StoreError> {
        self.inner.api_keys.insert(record, Replace::Yes).map(drop)
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

impl ApiKeyRegistry for MemoryStore {
    fn insert(&self, record: ApiKeyRecord) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(std::future::ready(self.inner.api_keys.insert(record, Replace::No)))
    }

    fn change<'a>(&'a self, id: &'a str, change: &'a ApiKeyChange) -> BoxFuture<'a, Result<Changed, StoreError>> {
        Box::pin(std::future::ready(Ok(self.inner.api_keys.change(id, change))))
    }

    fn list<'a>(
        &'a self,
        owner: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Arc<ApiKeyRecord>>, StoreError>> {
        Box::pin(std::future::ready(Ok(self.inner.api_keys.list(owner, after, limit))))
    }

    fn record_uses<'a>(&'a self, uses: &'a [ApiKeyUse]) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.api_keys.record_uses(uses);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The keys of a store that dies with the process are hashed under a pepper that does so, too:
/// [`KeyHasher::ephemeral`]. For records with other digests make an [`ApiKeyVerifier`] of the store
/// and their hasher.
impl From<MemoryStore> for ApiKeyVerifier {
    fn from(store: MemoryStore) -> Self {
        Self::new(store, KeyHasher::ephemeral())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::api_key::{ApiKey, ApiKeyFormat};

    fn record() -> ApiKeyRecord {
        let format = ApiKeyFormat::new("acme", "test").unwrap();
        ApiKey::issue(&format, &KeyHasher::ephemeral(), ApiKeyRecord::builder("usr_1")).unwrap().record
    }

    #[test]
    fn the_bound_holds_and_removal_makes_room() {
        let keys = ApiKeys::with_capacity(2);
        let first = record();
        keys.insert(first.clone(), Replace::No).unwrap();
        keys.insert(record(), Replace::No).unwrap();
        assert!(matches!(keys.insert(record(), Replace::No), Err(StoreError::Full)));
        // Replacing takes no room.
        assert_eq!(keys.insert(first.clone(), Replace::Yes).unwrap(), false);
        assert_eq!(keys.insert(first.clone(), Replace::No).unwrap(), false);
        assert!(keys.remove(first.id()) && !keys.remove(first.id()));
        keys.insert(record(), Replace::No).unwrap();
        assert!(matches!(keys.insert(record(), Replace::No), Err(StoreError::Full)));
        assert_eq!(keys.records.len(), 2);
    }

    #[test]
    fn concurrent_inserts_keep_to_the_bound() {
        let keys = ApiKeys::with_capacity(10);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10).for_each(|_| drop(keys.insert(record(), Replace::No))));
            }
        });
        assert_eq!(keys.records.len(), 10);
    }

    #[test]
    fn revoking_keeps_the_record() {
        let keys = ApiKeys::default();
        let held = record();
        keys.insert(held.clone(), Replace::No).unwrap();
        assert!(keys.revoke(held.id(), Timestamp::from_secs(5)));
        assert!(keys.revoke(held.id(), Timestamp::from_secs(9)));
        assert_eq!(keys.find(held.id()).unwrap().revoked_at(), Some(Timestamp::from_secs(5)));
        for id in ["", "short", "nobodynobody", "longer than twelve"] {
            assert!(!keys.revoke(id, Timestamp::EPOCH) && keys.find(id).is_none(), "{id}");
        }
    }

    #[cfg(feature = "conformance")]
    #[tokio::test]
    async fn the_laws_hold() {
        crate::conformance::api_keys::all(&MemoryStore::new()).await;
    }
}
