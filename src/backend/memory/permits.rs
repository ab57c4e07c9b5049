use std::{
    collections::{HashMap, hash_map::Entry},
    hash::BuildHasherDefault,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{MemoryStore, identity::Half};
use crate::{
    rate_limit::concurrency::{Admission, ConcurrencyStore, Permit, PermitAsk},
    store::{BoxFuture, StoreError},
};

const SHARDS: usize = 16;

type Counts = HashMap<u128, u64, BuildHasherDefault<Half>>;

/// State of one port: how many requests of each key are under way. A key that nobody uses has no entry,
/// so there are never more entries than requests under way, each with a few permits.
#[derive(Debug, Default)]
pub(super) struct Permits {
    shards: [Mutex<Counts>; SHARDS],
}

impl Permits {
    /// The identity is a keyed hash already, of which one part chooses the shard and another the entry.
    fn shard(&self, key: u128) -> Option<MutexGuard<'_, Counts>> {
        let index = usize::try_from(key >> 124).unwrap_or(0) % SHARDS;
        Some(self.shards.get(index)?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn acquire(&self, ask: &PermitAsk<'_>) -> Result<Admission, StoreError> {
        let key = ask.key().identity_hash();
        let Some(mut counts) = self.shard(key) else { return Err(StoreError::Full) };
        let in_use = counts.get(&key).copied().unwrap_or(0);
        if in_use >= ask.limit() {
            return Ok(Admission::Refused { in_use });
        }
        let in_use = in_use.saturating_add(1);
        counts.insert(key, in_use);
        Ok(Admission::Granted { permit: Permit::new(key, 0), in_use })
    }

    fn release(&self, key: u128) {
        let Some(mut counts) = self.shard(key) else { return };
        if let Entry::Occupied(mut count) = counts.entry(key) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    #[cfg(test)]
    fn keys(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}

/// Exact, and at once: nothing is awaited.
impl ConcurrencyStore for MemoryStore {
    fn acquire_now(&self, ask: &PermitAsk<'_>) -> Option<Result<Admission, StoreError>> {
        Some(self.inner.permits.acquire(ask))
    }

    fn acquire<'a>(&'a self, ask: &'a PermitAsk<'a>) -> BoxFuture<'a, Result<Admission, StoreError>> {
        Box::pin(std::future::ready(self.inner.permits.acquire(ask)))
    }

    fn release(&self, permit: Permit) -> Option<BoxFuture<'static, Result<(), StoreError>>> {
        self.inner.permits.release(permit.key());
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rate_limit::{ChargeKey, KeyPart};

    #[test]
    fn a_key_that_nobody_uses_takes_no_memory() {
        let permits = Permits::default();
        let ids: Vec<[u8; 4]> = (0_u32..1_000).map(u32::to_be_bytes).collect();
        let mut held = Vec::new();
        for id in &ids {
            let key = ChargeKey::new("downloads").with(KeyPart::Bytes(id)).unwrap();
            let ask = PermitAsk::new(key, 1, Duration::from_secs(60));
            let Ok(Admission::Granted { permit, in_use: 1 }) = permits.acquire(&ask) else { panic!() };
            assert_eq!(permits.acquire(&ask).unwrap(), Admission::Refused { in_use: 1 });
            held.push(permit);
        }
        assert_eq!(permits.keys(), 1_000);
        for permit in held {
            permits.release(permit.key());
        }
        assert_eq!(permits.keys(), 0);
    }
}
