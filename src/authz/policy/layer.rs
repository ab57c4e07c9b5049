use std::sync::Arc;

use http::{Request, request::Parts};

use super::{Decision, Env, PolicySet, Question};
use crate::{
    config_error::ConfigError,
    gate::{Entry, Gate, GateLayer, VerdictCounts, Waited, layer_of_gate, with_head},
    rejection::Rejection,
    request::{Place, RequestContext},
};

/// Lets calls through that the policies allow, by what the request's head says. See the
/// [module](super).
#[derive(Clone, Debug)]
pub struct PolicyLayer {
    gate: GateLayer<PolicyGate>,
}

impl PolicyLayer {
    /// A layer that asks the policies whether the caller may do `action`. The resource is the head of
    /// the request; [`path_param`](crate::authz::path_param) reads parameters of its path.
    ///
    /// # Errors
    /// If the action is empty.
    pub fn new(action: impl Into<String>, policies: PolicySet<Parts>) -> Result<Self, ConfigError> {
        let action = action.into();
        if action.is_empty() {
            return Err(ConfigError::new("action", "the action is empty", "name it, so that policies and the log can"));
        }
        Ok(Self { gate: GateLayer::new(PolicyGate { action, policies }) })
    }

    /// How often the layer said what, since it was built.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

layer_of_gate!(PolicyLayer => PolicyGate, |layer| layer.gate.clone());

/// The gate of [`PolicyLayer`].
#[derive(Debug)]
pub struct PolicyGate {
    action: String,
    policies: PolicySet<Parts>,
}

impl<B: Send + 'static> Gate<B> for PolicyGate {
    const NAME: &'static str = "policy";
    const PLACE: Place = Place::Scope;
    type Pass = ();

    fn enter(self: &Arc<Self>, request: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, ()> {
        let principal = match context.require_principal() {
            Ok(principal) => principal,
            Err(rejection) => return Entry::Reject(rejection),
        };
        let env = Env::of(context);
        let decided =
            with_head(request, |head| self.policies.decide_now(&Question::new(principal, &self.action, head, &env)));
        if let Some(decision) = decided {
            return settle(decision, context).into();
        }
        let (gate, context, principal) = (Arc::clone(self), Arc::clone(context), principal.clone());
        Entry::wait(|request| async move {
            let (head, body) = request.into_parts();
            let decision = gate.policies.decide(&Question::new(&principal, &gate.action, &head, &env)).await;
            Waited::settle(Request::from_parts(head, body), settle(decision, &context))
        })
    }
}

fn settle(decision: Decision, context: &RequestContext) -> Result<(), Rejection> {
    decision.into_result().map(|grant| context.add_grant(grant))
}
