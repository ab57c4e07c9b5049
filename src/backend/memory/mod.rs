//! State in this process: bounded, gone with the process, shared by nobody else.

mod api_keys;
mod quotas;
mod rates;
mod replays;

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
}

impl MemoryStore {
    /// An empty store with the default capacities.
    pub fn new() -> Self {
        Self::default()
    }
}
