use std::sync::Arc;

use super::{RateLimitHandle, RateLimitLayerBuilder, RateLimitStore, gate::RateLimitGate};
use crate::gate::{GateLayer, VerdictCounts, layer_of_gate};

/// Limits how fast callers may call. See the [module](super).
///
/// Clones share rules, store and counters.
#[derive(Clone, Debug)]
pub struct RateLimitLayer {
    gate: GateLayer<RateLimitGate>,
}

impl RateLimitLayer {
    /// Starts building. Several layers, and several processes, may share a store: rules of the
    /// same name then share their buckets, so give rules that are not the same names of their own.
    pub fn builder(store: impl RateLimitStore + 'static) -> RateLimitLayerBuilder {
        RateLimitLayerBuilder::new(Arc::new(store))
    }

    pub(super) fn of(gate: RateLimitGate) -> Self {
        Self { gate: GateLayer::new(gate) }
    }

    /// To replace the rules, to ask what holds for a request, and to read what shadow rules counted.
    pub fn handle(&self) -> RateLimitHandle {
        RateLimitHandle::new(self.gate.gate().map(Arc::clone))
    }

    /// How often the layer said what.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

layer_of_gate!(RateLimitLayer => RateLimitGate, |layer| layer.gate.clone());
