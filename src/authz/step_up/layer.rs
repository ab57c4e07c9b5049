use std::sync::Arc;

use http::Request;

use super::{StepUp, StepUpCheck};
use crate::{
    authz::refusal,
    config_error::{ConfigError, ConfigIssues},
    gate::{Entry, Gate, GateLayer, VerdictCounts, layer_of_gate},
    rejection::Rejection,
    request::{Place, RequestContext},
};

/// Asks for a stronger or fresher authentication. See the [module](super).
#[derive(Clone, Debug)]
pub struct StepUpLayer {
    gate: GateLayer<StepUpGate>,
}

impl StepUpLayer {
    /// The layer.
    ///
    /// # Errors
    /// If nothing is asked for, a value cannot stand in a challenge, or the age is below one second.
    pub fn new(step_up: StepUp) -> Result<Self, ConfigError> {
        let mut issues = ConfigIssues::new();
        let check = step_up.compile("step_up", &mut issues);
        issues.finish(Self { gate: GateLayer::new(StepUpGate { check }) })
    }

    /// How often the layer said what, since it was built.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

layer_of_gate!(StepUpLayer => StepUpGate, |layer| layer.gate.clone());

/// The gate of [`StepUpLayer`].
#[derive(Debug)]
pub struct StepUpGate {
    check: StepUpCheck,
}

impl<B> Gate<B> for StepUpGate {
    const NAME: &'static str = "step_up";
    const PLACE: Place = Place::Scope;
    type Pass = ();

    fn enter(self: &Arc<Self>, _: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, ()> {
        self.decide(context).into()
    }
}

impl StepUpGate {
    fn decide(&self, context: &RequestContext) -> Result<(), Rejection> {
        let principal = context.require_principal()?;
        if self.check.holds(principal, context.now().wall) {
            return Ok(());
        }
        Err(refusal::step_up(&self.check, context))
    }
}
