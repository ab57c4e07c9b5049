//! What verification finds out about keys, until it is written: when they were used, and which
//! digests are to be made anew.

use std::{
    collections::hash_map::RandomState,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use dashmap::DashMap;

use super::{ApiKeyChange, ApiKeyDigest, slow_guard::KeyId};
use crate::time::Timestamp;

/// Keys used between two writes. Only keys that were verified get here.
const MAX_USED: usize = 100_000;
const MAX_REHASHES: usize = 1_000;

/// A key, and when it was last used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ApiKeyUse {
    id: KeyId,
    at: Timestamp,
}

impl ApiKeyUse {
    /// For the tests of a store; nothing else makes one but the layer. `None` if the id is not twelve
    /// bytes of ASCII.
    pub fn new(id: &str, at: Timestamp) -> Option<Self> {
        let id = id.is_ascii().then(|| id.as_bytes().try_into().ok())??;
        Some(Self { id, at })
    }

    /// The id of the key.
    pub fn id(&self) -> &str {
        std::str::from_utf8(&self.id).unwrap_or_default()
    }

    /// When it was last used.
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

impl fmt::Debug for ApiKeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeyUse").field("id", &self.id()).field("at", &self.at).finish()
    }
}

#[derive(Debug, Default)]
pub(super) struct Uses {
    /// Microseconds; zero since it was last written.
    last: DashMap<KeyId, AtomicU64, RandomState>,
    rehashes: Mutex<Vec<(Box<str>, ApiKeyChange)>>,
}

impl Uses {
    /// Costs an atomic maximum; allocates only for a key that was not used for a while.
    pub(super) fn used(&self, id: &KeyId, now: Timestamp) {
        if let Some(last) = self.last.get(id) {
            last.fetch_max(now.as_micros(), Relaxed);
        } else if self.last.len() < MAX_USED {
            self.last.entry(*id).or_default().fetch_max(now.as_micros(), Relaxed);
        }
    }

    pub(super) fn rehash(&self, id: &str, from: ApiKeyDigest, to: ApiKeyDigest) {
        let mut rehashes = self.rehashes.lock().unwrap_or_else(PoisonError::into_inner);
        if rehashes.len() < MAX_REHASHES && rehashes.iter().all(|(held, _)| **held != *id) {
            rehashes.push((id.into(), ApiKeyChange::Rehash { from, to }));
        }
    }

    /// Whether a new digest of this key is on its way already.
    pub(super) fn is_rehashing(&self, id: &str) -> bool {
        let rehashes = self.rehashes.lock().unwrap_or_else(PoisonError::into_inner);
        rehashes.len() >= MAX_REHASHES || rehashes.iter().any(|(held, _)| **held == *id)
    }

    /// What was used since the last time. Keys that were not are dropped from the table.
    pub(super) fn take_uses(&self) -> Vec<ApiKeyUse> {
        let mut uses = Vec::new();
        self.last.retain(|id, last| {
            let at = last.swap(0, Relaxed);
            if at > 0 {
                uses.push(ApiKeyUse { id: *id, at: Timestamp::from_micros(at) });
            }
            at > 0
        });
        uses
    }

    /// Puts back what could not be written.
    pub(super) fn put_back(&self, uses: &[ApiKeyUse]) {
        uses.iter().for_each(|used| self.used(&used.id, used.at));
    }

    pub(super) fn take_rehashes(&self) -> Vec<(Box<str>, ApiKeyChange)> {
        std::mem::take(&mut *self.rehashes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: KeyId = *b"0123456789Ab";

    #[test]
    fn the_latest_use_is_taken_once() {
        let uses = Uses::default();
        for at in [5, 9, 7] {
            uses.used(&ID, Timestamp::from_secs(at));
        }
        let taken = uses.take_uses();
        assert_eq!(taken, [ApiKeyUse::new("0123456789Ab", Timestamp::from_secs(9)).unwrap()]);
        // The entry stays for the next use, and goes if there is none.
        assert_eq!((uses.last.len(), uses.take_uses(), uses.last.len()), (1, vec![], 0));
        uses.put_back(&taken);
        assert_eq!(uses.take_uses(), taken);
    }

    #[test]
    fn a_use_is_of_a_key() {
        for id in ["", "short", "0123456789Abc", "éééééé"] {
            assert!(ApiKeyUse::new(id, Timestamp::EPOCH).is_none(), "{id}");
        }
    }
}
