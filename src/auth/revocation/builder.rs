use std::sync::Arc;

use super::{
    RevocationStore,
    condition::{NotRevoked, OnStoreLoss},
};
use crate::{
    auth::{AuthLayerBuilder, condition::Condition},
    config_error::ConfigIssues,
};

/// What the builder of the layer was told about revocations.
#[derive(Clone, Debug, Default)]
pub(in crate::auth) struct RevocationSettings {
    stores: Vec<Arc<dyn RevocationStore>>,
    on_loss: OnStoreLoss,
}

impl AuthLayerBuilder {
    /// Refuses credentials that are revoked: asked for every request, after the credential has been
    /// verified or found in the cache. See [`revocation`](super).
    pub fn revocations(mut self, store: impl RevocationStore) -> Self {
        self.revocation.stores.push(Arc::new(store));
        self
    }

    /// Lets credentials through while the store of revocations does not answer; the beginning and
    /// the end of it are `tracing` events. Whoever can bring the store down can then use what was
    /// revoked. Default: 503.
    pub fn dangerously_accept_while_revocations_are_unknown(mut self) -> Self {
        self.revocation.on_loss = OnStoreLoss::Open;
        self
    }
}

impl RevocationSettings {
    pub(in crate::auth) fn condition(mut self, issues: &mut ConfigIssues) -> Option<Arc<dyn Condition>> {
        let store = self.stores.pop();
        if !self.stores.is_empty() {
            issues.add("revocations", "there are two stores, and only one would be asked", "call revocations(…) once");
        }
        if store.is_none() && self.on_loss == OnStoreLoss::Open {
            let cure = "call revocations(…), or drop dangerously_accept_while_revocations_are_unknown()";
            issues.add("revocations", "there is no store whose loss could be borne", cure);
        }
        Some(Arc::new(NotRevoked::new(store?, self.on_loss)))
    }
}
