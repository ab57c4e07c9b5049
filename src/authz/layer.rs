use std::sync::Arc;

use axum::response::Response;
use http::Request;

use super::{
    AuthInventory, RoleMap, ScopeCatalogue, ScopeTableBuilder, object, refusal,
    requirement::{Caller, Check, Requirement},
    table::{Row, Table},
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    gate::{Entry, Gate, GateLayer, Leave, VerdictCounts, layer_of_gate},
    rejection::Rejection,
    request::{Place, RequestContext},
};

/// Checks what the caller may do. See the [module](super).
#[derive(Clone, Debug)]
pub struct ScopeLayer {
    gate: GateLayer<ScopeGate>,
}

impl ScopeLayer {
    /// Lets callers through who have every one of these scopes.
    ///
    /// # Errors
    /// If no scope is named, or one that is none (a requirement has no wildcards).
    pub fn all(scopes: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, ConfigError> {
        Self::builder(Requirement::all(scopes)).build()
    }

    /// Lets callers through who have at least one of these scopes.
    ///
    /// # Errors
    /// If no scope is named, or one that is none (a requirement has no wildcards).
    pub fn any(scopes: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, ConfigError> {
        Self::builder(Requirement::any(scopes)).build()
    }

    /// A layer with one requirement for all that stands inside it, with more to set.
    pub fn builder(requirement: Requirement) -> ScopeLayerBuilder {
        ScopeLayerBuilder { requirement, roles: None, catalogue: None }
    }

    /// A layer for a whole router, with a requirement for each of its routes.
    pub fn table() -> ScopeTableBuilder {
        ScopeTableBuilder::default()
    }

    /// How often the layer said what, since it was built.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }

    /// The routes that the layer knows, with what each requires; `None` if it is no table.
    pub fn inventory(&self) -> Option<&AuthInventory> {
        match &self.gate.gate()?.plan {
            Plan::One(_) => None,
            Plan::Table(table) => Some(table.inventory()),
        }
    }

    pub(super) fn new(gate: ScopeGate) -> Self {
        Self { gate: GateLayer::new(gate) }
    }
}

layer_of_gate!(ScopeLayer => ScopeGate, |layer| layer.gate.clone());

/// Builds a [`ScopeLayer`] with one requirement.
#[derive(Clone, Debug)]
#[must_use]
pub struct ScopeLayerBuilder {
    requirement: Requirement,
    roles: Option<RoleMap>,
    catalogue: Option<ScopeCatalogue>,
}

impl ScopeLayerBuilder {
    /// What the callers' roles stand for. Default: roles stand for nothing.
    pub fn roles(mut self, roles: RoleMap) -> Self {
        self.roles = Some(roles);
        self
    }

    /// The scopes that there are: another one in the requirement is a mistake. Default: any is taken.
    pub fn catalogue(mut self, catalogue: &ScopeCatalogue) -> Self {
        self.catalogue = Some(catalogue.clone());
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// If the requirement names no scope, or one that is none or not in the catalogue; no role where
    /// it asks for roles; or a step-up that asks for nothing.
    pub fn build(self) -> Result<ScopeLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
        let check = self.requirement.compile("scopes", self.catalogue.as_ref(), &mut issues);
        issues.finish(ScopeLayer::new(ScopeGate { plan: Plan::One(check), roles: self.roles }))
    }
}

/// The gate of [`ScopeLayer`].
#[derive(Debug)]
pub struct ScopeGate {
    pub(super) plan: Plan,
    pub(super) roles: Option<RoleMap>,
}

/// What the gate remembers of a request: whether the handler owes a check of the object.
#[derive(Debug)]
pub struct ScopePass {
    owes: bool,
}

#[derive(Debug)]
pub(super) enum Plan {
    /// The same for everything inside.
    One(Check),
    /// By method and route.
    Table(Table),
}

impl<B> Gate<B> for ScopeGate {
    const NAME: &'static str = "scope";
    const PLACE: Place = Place::Scope;
    type Pass = ScopePass;

    fn enter(self: &Arc<Self>, request: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, ScopePass> {
        self.decide(request, context).into()
    }

    fn leave(self: &Arc<Self>, pass: ScopePass, response: &mut Response, context: &Arc<RequestContext>) -> Leave {
        if pass.owes {
            object::judge(response, context);
        }
        Leave::Done
    }
}

impl ScopeGate {
    fn decide<B>(&self, request: &Request<B>, context: &RequestContext) -> Result<ScopePass, Rejection> {
        let check = match &self.plan {
            Plan::One(check) => check,
            Plan::Table(table) => {
                let route = context.route().ok_or_else(refusal::no_route)?;
                let method = request.method();
                match table.find(method, route).ok_or_else(|| refusal::no_row(method, route))? {
                    Row::Public => return Ok(ScopePass { owes: false }),
                    Row::Needs(check) => check,
                }
            }
        };
        decide(check, self.roles.as_ref(), context)
    }
}

/// Lets a caller through who has what is asked, leaves the grant, and perhaps the duty to look at the
/// object.
pub(super) fn decide(check: &Check, roles: Option<&RoleMap>, context: &RequestContext) -> Result<ScopePass, Rejection> {
    let principal = context.require_principal()?;
    let roles = roles.map(|roles| roles.for_request(context));
    let caller = Caller { principal, roles: roles.as_deref(), now: context.now().wall };
    let grant = check.grant(caller).map_err(|lack| refusal::of(lack, check, caller, context))?;
    context.add_grant(grant.clone());
    let owes = check.leaves_objects(grant);
    if owes {
        context.obligation().open();
    }
    Ok(ScopePass { owes })
}
