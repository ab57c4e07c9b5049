//! State in this process: bounded, gone with the process, shared by nobody else.

mod api_keys;
mod identity;
mod quotas;
mod rates;
mod replays;
mod revocations;
mod seen;
mod signing_keys;

use std::sync::Arc;

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
    quotas: quotas::Quotas,
    api_keys: api_keys::ApiKeys,
    replays: replays::Replays,
    revocations: revocations::Revocations,
    signing_keys: signing_keys::SigningKeys,
    seen: seen::Seen,
}

impl MemoryStore {
    /// How many keys' rate-limit states are held by default: 65,536 slots of 80 bytes, 5 MiB when
    /// all are in use, in regions that are made as they are first met.
    pub const RATE_SLOTS: usize = 65_536;

    /// An empty store with the default capacities.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store with room for the rate-limit states of that many keys, rounded up to a power
    /// of two of at least 128 (and at most 2^31): about one and a half times as many keys as are
    /// active at once in the longest time that a bucket takes to fill. A key whose limit is not
    /// touched needs no slot.
    pub fn with_rate_slots(slots: usize) -> Self {
        let rates = rates::Rates::with_slots(slots);
        Self { inner: Arc::new(Inner { rates, ..Inner::default() }) }
    }
}
