//! State in this process: bounded, gone with the process, shared by nobody else.

mod api_keys;
mod blocks;
mod identity;
mod limiter;
mod permits;
mod quotas;
mod rates;
mod replays;
mod revocations;
mod seen;
mod signing_keys;

use std::sync::Arc;

pub use self::limiter::{Exceeded, MemoryLimiter};
use crate::{
    rate_limit::{Charge, Decision},
    time::Timestamp,
};

/// All ports in memory. Clones share the state.
///
/// Everything is bounded from the first day: see the capacities of each port.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    rates: rates::Rates,
    permits: permits::Permits,
    quotas: quotas::Quotas,
    api_keys: api_keys::ApiKeys,
    blocks: blocks::Blocks,
    replays: replays::Replays,
    revocations: revocations::Revocations,
    signing_keys: signing_keys::SigningKeys,
    seen: seen::Seen,
}

impl MemoryStore {
    /// How many keys' rate-limit states are held by default: 65,536 slots of 16 bytes, 1 MiB when all
    /// are in use, made as they are first met. As many again, of 80 bytes, for algorithms that do not
    /// [pack](crate::rate_limit::Packing) their states.
    pub const RATE_SLOTS: usize = 65_536;

    /// An empty store with the default capacities.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store with room for the rate-limit states of that many keys, rounded up to a multiple of
    /// 512 (at most 2^28): about one and a half times as many keys as are active at once in the longest
    /// time that a bucket takes to fill. A key whose limit is not touched needs no slot.
    ///
    /// For algorithms that do not pack their states there are as many again, rounded up to a power of
    /// two. [`rate_statistics`](Self::rate_statistics) tells whether it is enough.
    pub fn with_rate_slots(slots: usize) -> Self {
        let rates = rates::Rates::with_slots(slots);
        Self { inner: Arc::new(Inner { rates, ..Inner::default() }) }
    }

    /// One charge by itself: what a [`Batch`](crate::rate_limit::Batch) of it alone would answer, for those
    /// who limit something else than requests and have this store at hand.
    ///
    /// ```
    /// use portcullis::backend::memory::MemoryStore;
    /// use portcullis::rate_limit::{Charge, ChargeKey, KeyPart, Op, Rate, TokenBucket};
    /// use portcullis::time::Timestamp;
    ///
    /// let (store, bucket) = (MemoryStore::new(), TokenBucket::new(Rate::per_minute(1))?);
    /// let key = ChargeKey::of("mails", KeyPart::Bytes(b"usr_1"));
    /// let charge = Charge::new(key, &bucket, Op::Take(1));
    /// let now = Timestamp::from_secs(1_000);
    /// assert!(store.charge(&charge, now).allowed);
    /// assert!(!store.charge(&charge, now).allowed);
    /// # Ok::<_, portcullis::config_error::ConfigError>(())
    /// ```
    #[inline]
    pub fn charge(&self, charge: &Charge<'_>, now: Timestamp) -> Decision {
        self.inner.rates.charge(charge, now)
    }

    /// How full the table of rate-limit states has been.
    ///
    /// ```
    /// use portcullis::backend::memory::MemoryStore;
    ///
    /// let statistics = MemoryStore::with_rate_slots(100_000).rate_statistics();
    /// assert_eq!((statistics.slots, statistics.evicted_live), (100_352, 0));
    /// ```
    pub fn rate_statistics(&self) -> RateStatistics {
        self.inner.rates.statistics()
    }
}

/// What [`MemoryStore::rate_statistics`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateStatistics {
    /// How many packed states there is room for.
    pub slots: usize,
    /// How many states were dropped since the store was made that still said something, because their
    /// place was needed: of each two buckets the one that mattered least. Somebody who sprays keys
    /// drops his own; without one, a number that grows says that there are too few slots.
    pub evicted_live: u64,
}
