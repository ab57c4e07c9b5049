use std::sync::Arc;

use super::{CorsPolicy, layer::CorsGate};

/// To replace the policy of a [`CorsSecurityLayer`](super::CorsSecurityLayer) while it serves: its
/// [`handle`](super::CorsSecurityLayer::handle). Clones are the same.
#[derive(Clone, Debug)]
pub struct CorsHandle {
    gate: Option<Arc<CorsGate>>,
}

impl CorsHandle {
    pub(super) fn new(gate: Option<Arc<CorsGate>>) -> Self {
        Self { gate }
    }

    /// Puts a policy in force, and returns the one that was. Requests never wait for it. What a request
    /// that is under way is answered, the new policy decides; an origin that it does not list any more
    /// cannot read the response.
    pub fn reload(&self, policy: CorsPolicy) -> CorsPolicy {
        match &self.gate {
            Some(gate) => CorsPolicy { compiled: gate.current.swap(policy.compiled) },
            None => policy,
        }
    }

    /// The policy in force; none if the layer has none, which no layer has.
    pub fn policy(&self) -> Option<CorsPolicy> {
        self.gate.as_ref().map(|gate| CorsPolicy { compiled: gate.current.load_full() })
    }

    /// Forgets what the [`OriginSource`](super::OriginSource) has answered, so that it is asked anew: for
    /// tenants who have just changed their list.
    pub fn forget_origins(&self) {
        if let Some(gate) = &self.gate
            && let Some(source) = &gate.current.load().source
        {
            source.forget();
        }
    }
}
