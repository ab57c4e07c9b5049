//! The keys of signed requests, at most [`CAPACITY`] of them.

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
    auth::signed::{SigningKey, SigningKeyStore},
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// Some 100 MB of keys, with what is derived from them.
const CAPACITY: usize = 100_000;

/// Keys by id. Only the owner of the service inserts, but anybody looks up, so the hash is keyed
/// (the standard library's `SipHash`).
#[derive(Debug)]
pub(super) struct SigningKeys {
    keys: DashMap<Box<str>, Arc<SigningKey>, RandomState>,
    /// Reserved before a key is inserted, so that concurrent inserts keep to the bound.
    taken: AtomicUsize,
    capacity: usize,
}

impl Default for SigningKeys {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl SigningKeys {
    fn with_capacity(capacity: usize) -> Self {
        Self { keys: DashMap::with_hasher(RandomState::new()), taken: AtomicUsize::new(0), capacity }
    }

    fn find(&self, id: &str) -> Option<Arc<SigningKey>> {
        self.keys.get(id).map(|key| Arc::clone(&key))
    }

    fn insert(&self, key: SigningKey) -> Result<(), StoreError> {
        match self.keys.entry(key.id().into()) {
            Entry::Occupied(mut held) => {
                held.insert(Arc::new(key));
            }
            Entry::Vacant(free) => {
                if self.taken.fetch_add(1, Relaxed) >= self.capacity {
                    self.taken.fetch_sub(1, Relaxed);
                    return Err(StoreError::Full);
                }
                free.insert(Arc::new(key));
            }
        }
        Ok(())
    }

    fn revoke(&self, id: &str, at: Timestamp) -> bool {
        let Some(mut key) = self.keys.get_mut(id) else { return false };
        *key = Arc::new(key.revoked(at));
        true
    }

    fn remove(&self, id: &str) -> bool {
        let removed = self.keys.remove(id).is_some();
        if removed {
            self.taken.fetch_sub(1, Relaxed);
        }
        removed
    }
}

/// Keys of signed requests: at most 100,000; one more is [`StoreError::Full`].
impl MemoryStore {
    /// Keeps a key; one with the same id is replaced.
    ///
    /// # Errors
    /// [`StoreError::Full`] at the bound.
    pub fn insert_signing_key(&self, key: SigningKey) -> Result<(), StoreError> {
        self.inner.signing_keys.insert(key)
    }

    /// Revokes a key, effective with the next request. Whether there was one.
    pub fn revoke_signing_key(&self, id: &str, at: Timestamp) -> bool {
        self.inner.signing_keys.revoke(id, at)
    }

    /// Forgets a key. Whether there was one.
    pub fn remove_signing_key(&self, id: &str) -> bool {
        self.inner.signing_keys.remove(id)
    }
}

impl SigningKeyStore for MemoryStore {
    fn find<'a>(&'a self, id: &'a str, _: Timestamp) -> BoxFuture<'a, Result<Option<Arc<SigningKey>>, StoreError>> {
        Box::pin(std::future::ready(Ok(self.inner.signing_keys.find(id))))
    }

    fn find_now(&self, id: &str, _: Timestamp) -> Option<Result<Option<Arc<SigningKey>>, StoreError>> {
        Some(Ok(self.inner.signing_keys.find(id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn key(id: &str) -> SigningKey {
        SigningKey::secret(id, "svc", Secret::new("x".repeat(32))).build().unwrap()
    }

    #[test]
    fn the_bound_holds_and_room_comes_back() {
        let keys = SigningKeys::with_capacity(2);
        keys.insert(key("a")).unwrap();
        keys.insert(key("b")).unwrap();
        assert!(matches!(keys.insert(key("c")), Err(StoreError::Full)));
        keys.insert(key("a")).unwrap();
        assert!(keys.remove("a") && !keys.remove("a"));
        keys.insert(key("c")).unwrap();
        assert!(keys.find("c").is_some() && keys.find("a").is_none() && keys.find("C").is_none());
    }

    #[test]
    fn the_first_revocation_stands() {
        let keys = SigningKeys::default();
        keys.insert(key("a")).unwrap();
        assert!(keys.revoke("a", Timestamp::from_secs(1)) && keys.revoke("a", Timestamp::from_secs(2)));
        assert_eq!(keys.find("a").unwrap().revoked_at(), Some(Timestamp::from_secs(1)));
        assert!(!keys.revoke("b", Timestamp::EPOCH));
    }
}
