use std::sync::Arc;

use axum::response::Response;
use http::Request;
use tower_layer::Layer;

use super::{
    RoleMap, ScopeTableBuilder, object, refusal,
    requirement::{Caller, Check, Requirement},
    table::{Row, Table},
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    gate::{Entry, Gate, GateLayer, Gated, Leave, VerdictCounts},
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
        ScopeLayerBuilder { requirement, roles: None }
    }

    /// A layer for a whole router, with a requirement for each of its routes.
    pub fn table() -> ScopeTableBuilder {
        ScopeTableBuilder::default()
    }

    /// How often the layer said what, since it was built.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }

    pub(super) fn new(gate: ScopeGate) -> Self {
        Self { gate: GateLayer::new(gate) }
    }

    pub(crate) fn gate_layer(&self) -> GateLayer<ScopeGate> {
        self.gate.clone()
    }
}

impl<S> Layer<S> for ScopeLayer {
    type Service = Gated<ScopeGate, S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.gate.layer(inner)
    }
}

/// Builds a [`ScopeLayer`] with one requirement.
#[derive(Clone, Debug)]
#[must_use]
pub struct ScopeLayerBuilder {
    requirement: Requirement,
    roles: Option<RoleMap>,
}

impl ScopeLayerBuilder {
    /// What the callers' roles stand for. Default: roles stand for nothing.
    pub fn roles(mut self, roles: RoleMap) -> Self {
        self.roles = Some(roles);
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// If the requirement names no scope, or one that is none.
    pub fn build(self) -> Result<ScopeLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
        let check = self.requirement.compile("scopes", &mut issues);
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

    fn enter(self: &Arc<Self>, request: Request<B>, context: &Arc<RequestContext>) -> Entry<B, ScopePass> {
        match self.decide(&request, context) {
            Ok(pass) => Entry::Pass(request, pass),
            Err(rejection) => Entry::Reject(rejection),
        }
    }

    fn leave(self: &Arc<Self>, pass: ScopePass, response: Response, context: &Arc<RequestContext>) -> Leave {
        Leave::Done(if pass.owes { object::judge(response, context) } else { response })
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
        let caller = Caller { principal: context.require_principal()?, roles: self.roles.as_ref() };
        let grant = check.grant(caller).ok_or_else(|| refusal::insufficient(check, caller, context))?;
        context.add_grant(grant.clone());
        let owes = check.leaves_objects(grant);
        if owes {
            context.obligation().open();
        }
        Ok(ScopePass { owes })
    }
}
