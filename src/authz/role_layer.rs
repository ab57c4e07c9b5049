use std::sync::Arc;

use http::Request;

use super::{
    RoleMap,
    layer::decide,
    requirement::{Check, Requirement},
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    gate::{Entry, Gate, GateLayer, VerdictCounts, layer_of_gate},
    request::{Place, RequestContext},
};

/// Lets callers through by their roles, whatever those stand for.
///
/// Ask for scopes where you can: a route that asks for `refund:orders` need not change when another
/// role may refund. Roles are for what belongs to people: the console of administrators.
///
/// With a [`RoleMap`], a role that inherits another counts as that one, too. Without one, names are
/// compared with what the credential says, and nothing else.
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::{Request, StatusCode};
/// use portcullis::{
///     authz::{RoleLayer, RoleMap},
///     testing::{principal, with_principal},
/// };
/// use tower::{ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let roles = RoleMap::builder()
///     .role("support", ["read:orders"])
///     .role("admin", ["admin:users"])
///     .inherits("admin", ["support"])
///     .build()?;
/// let support = RoleLayer::builder().any(["support"]).roles(roles).build()?;
/// for (role, status) in [("support", 200), ("admin", 200), ("customer", 403)] {
///     let app = Router::new()
///         .route("/desk", get(|| async { "the desk" }).layer(support.clone()))
///         .layer(ServiceBuilder::new().layer(with_principal(principal("usr_1").roles([role]).build())));
///     assert_eq!(app.oneshot(Request::get("/desk").body(Body::empty())?).await?.status(), status);
/// }
/// # Ok(()) }
/// ```
///
/// Who lacks the role gets 403 `forbidden`; the log names the roles, the answer does not. Everything
/// else is as with [`ScopeLayer`](super::ScopeLayer), the grant among it.
#[derive(Clone, Debug)]
pub struct RoleLayer {
    gate: GateLayer<RoleGate>,
}

impl RoleLayer {
    /// Lets callers through who have every one of these roles.
    ///
    /// # Errors
    /// If no role is named, or one without a name.
    pub fn all(roles: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, ConfigError> {
        Self::builder().all(roles).build()
    }

    /// Lets callers through who have at least one of these roles.
    ///
    /// # Errors
    /// If no role is named, or one without a name.
    pub fn any(roles: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, ConfigError> {
        Self::builder().any(roles).build()
    }

    /// A builder. It needs [`all`](RoleLayerBuilder::all) or [`any`](RoleLayerBuilder::any).
    pub fn builder() -> RoleLayerBuilder {
        RoleLayerBuilder { requirement: None, roles: None }
    }

    /// How often the layer said what, since it was built.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

layer_of_gate!(RoleLayer => RoleGate, |layer| layer.gate.clone());

/// Builds a [`RoleLayer`].
#[derive(Clone, Debug)]
#[must_use]
pub struct RoleLayerBuilder {
    requirement: Option<Requirement>,
    roles: Option<RoleMap>,
}

impl RoleLayerBuilder {
    /// Every one of these roles. The last call of `all` and `any` counts.
    pub fn all(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.requirement = Some(Requirement::authenticated().all_roles(roles));
        self
    }

    /// At least one of these roles. The last call of `all` and `any` counts.
    pub fn any(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.requirement = Some(Requirement::authenticated().any_role(roles));
        self
    }

    /// Which roles inherit which. Default: a role is only itself.
    pub fn roles(mut self, roles: RoleMap) -> Self {
        self.roles = Some(roles);
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// If no role is named, or one without a name.
    pub fn build(self) -> Result<RoleLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
        let requirement = self.requirement.unwrap_or_else(|| Requirement::authenticated().any_role([""; 0]));
        let check = requirement.compile("roles", None, &mut issues);
        issues.finish(RoleLayer { gate: GateLayer::new(RoleGate { check, roles: self.roles }) })
    }
}

/// The gate of [`RoleLayer`].
#[derive(Debug)]
pub struct RoleGate {
    check: Check,
    roles: Option<RoleMap>,
}

impl<B> Gate<B> for RoleGate {
    const NAME: &'static str = "role";
    const PLACE: Place = Place::Scope;
    type Pass = ();

    fn enter(self: &Arc<Self>, _: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, ()> {
        match decide(&self.check, self.roles.as_ref(), context) {
            // Roles are asked for no object.
            Ok(_) => Entry::Pass(()),
            Err(rejection) => Entry::Reject(rejection),
        }
    }
}
