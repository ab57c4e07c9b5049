use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::{Request, request::Parts};

use super::RarRequirement;
use crate::{
    authz::refusal,
    config_error::{ConfigError, ConfigIssues},
    gate::{Entry, Gate, GateLayer, VerdictCounts, layer_of_gate, with_head},
    identity::Grant,
    rejection::{Rejection, RejectionKind},
    request::{Place, RequestContext},
};

/// Lets callers through whose authorization details have what the call needs. See the
/// [module](super).
#[derive(Clone, Debug)]
pub struct RarLayer {
    gate: GateLayer<RarGate>,
}

impl RarLayer {
    /// A layer with one requirement.
    ///
    /// # Errors
    /// If the type is empty, a list asks for nothing, or a member is asked for twice.
    pub fn new(requirement: RarRequirement) -> Result<Self, ConfigError> {
        let mut issues = ConfigIssues::new();
        requirement.check(&mut issues);
        issues.finish(Self { gate: GateLayer::new(RarGate { requirement }) })
    }

    /// How often the layer said what, since it was built.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

layer_of_gate!(RarLayer => RarGate, |layer| layer.gate.clone());

/// The gate of [`RarLayer`].
#[derive(Debug)]
pub struct RarGate {
    requirement: RarRequirement,
}

impl<B> Gate<B> for RarGate {
    const NAME: &'static str = "rar";
    const PLACE: Place = Place::Scope;
    type Pass = ();

    fn enter(self: &Arc<Self>, request: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, ()> {
        with_head(request, |head| decide(&self.requirement, Some(head), context))
            .map(|grant| context.add_grant(grant))
            .into()
    }
}

fn decide(requirement: &RarRequirement, head: Option<&Parts>, context: &RequestContext) -> Result<Grant, Rejection> {
    let principal = context.require_principal()?;
    let refused = Rejection::new(RejectionKind::InsufficientScope)
        .with_detail("The credential's authorization details do not cover this call.");
    let refused = match principal.authorization_details() {
        Ok(details) if details.iter().any(|detail| requirement.is_granted_by(detail, head)) => {
            return Ok(Grant::of_detail(requirement.kind()));
        }
        Ok(_) => refused,
        Err(error) => refused.with_source(error),
    };
    let refused = refused.with_member("required_authorization_details", requirement.hint());
    Err(refusal::challenged(refused, "error=\"insufficient_scope\"", context))
}

/// The caller's authorization details, for handlers: what is wanted often stands in the body, which no
/// layer has read.
///
/// ```
/// use axum::Json;
/// use portcullis::{authz::rar::{Amount, Rar, RarRequirement}, rejection::{Rejection, RejectionKind}};
/// use serde::Deserialize;
/// use serde_json::json;
///
/// #[derive(Deserialize)]
/// struct Payment { currency: String, amount: String, iban: String }
///
/// async fn pay(rar: Rar, Json(payment): Json<Payment>) -> Result<&'static str, Rejection> {
///     let amount = Amount::parse(&payment.currency, &payment.amount)
///         .map_err(|_| RejectionKind::UnprocessableContent)?;
///     rar.permits(
///         &RarRequirement::of_type("payment_initiation")
///             .actions(["create"])
///             .amount("instructedAmount", amount)
///             .equals("creditorAccount", json!({ "iban": payment.iban })),
///     )?;
///     Ok("paid")
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Rar {
    context: Arc<RequestContext>,
}

impl Rar {
    /// The proof that one of the caller's details has all that is wanted.
    ///
    /// # Errors
    /// 403 `insufficient_scope` if none has. 500 `misconfigured` if the requirement itself is wrong,
    /// as [`RarLayer::new`] would say, or looks at the request (`…_from`): the handler has read it,
    /// and gives the values themselves.
    pub fn permits(&self, wanted: &RarRequirement) -> Result<Grant, Rejection> {
        let mut issues = ConfigIssues::new();
        wanted.check(&mut issues);
        wanted.check_known(&mut issues);
        issues.finish(()).map_err(|error| Rejection::new(RejectionKind::Misconfigured).with_source(error))?;
        decide(wanted, None, &self.context)
    }
}

impl<S: Sync> FromRequestParts<S> for Rar {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let context = RequestContext::from_parts(parts)?;
        context.require_principal()?;
        Ok(Self { context: Arc::clone(context) })
    }
}
