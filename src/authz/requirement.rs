//! What a route asks of its caller, and whether the caller has it. Pure.

use std::sync::Arc;

use super::{
    ScopeCatalogue, StepUp,
    object::{Objects, Width},
    step_up::StepUpCheck,
};
use crate::{
    config_error::ConfigIssues,
    identity::{Grant, Principal, Reach, RoleTable, Scopes},
};

/// What a route asks of its caller: scopes, and perhaps roles and a strong authentication as well.
/// All of it must hold.
///
/// ```
/// use std::time::Duration;
/// use portcullis::authz::{Requirement, StepUp};
///
/// let refund = Requirement::all(["refund:orders"])
///     .any_role(["support", "admin"])
///     .step_up(StepUp::new().amr(["mfa"]).max_age(Duration::from_secs(600)));
/// assert_eq!(
///     refund.to_string(),
///     "refund:orders; role support or admin; amr mfa, authenticated within 600 s",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Requirement {
    need: Need,
    scopes: Vec<String>,
    objects: Objects,
    roles: Option<(Need, Vec<String>)>,
    step_up: Option<StepUp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Caller,
    All,
    Any,
}

impl Requirement {
    /// Every one of these scopes, `action:resource[:qualifier]` each.
    pub fn all(scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::new(Need::All, scopes.into_iter().map(Into::into).collect())
    }

    /// At least one of these scopes.
    pub fn any(scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::new(Need::Any, scopes.into_iter().map(Into::into).collect())
    }

    /// A verified caller, whatever its scopes.
    pub fn authenticated() -> Self {
        Self::new(Need::Caller, Vec::new())
    }

    fn new(need: Need, scopes: Vec<String>) -> Self {
        Self { need, scopes, objects: Objects::default(), roles: None, step_up: None }
    }

    /// Also a caller who has a required scope only with the qualifier `own`: `read:orders:own` where
    /// `read:orders` is asked for. The handler must then show that the object is the caller's, or its
    /// answer is not sent: see [`object`](super::object).
    pub fn own_allowed(mut self) -> Self {
        self.objects = self.objects.max(Objects::OwnAllowed);
        self
    }

    /// Of every caller, whatever its scopes, the handler must show that it may have this object, or
    /// its answer is not sent: see [`object`](super::object). Implies [`own_allowed`](Self::own_allowed).
    pub fn object_level(mut self) -> Self {
        self.objects = Objects::Each;
        self
    }

    /// And every one of these roles. Replaces what was said of roles before.
    pub fn all_roles(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.roles = Some((Need::All, roles.into_iter().map(Into::into).collect()));
        self
    }

    /// And at least one of these roles. Replaces what was said of roles before.
    pub fn any_role(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.roles = Some((Need::Any, roles.into_iter().map(Into::into).collect()));
        self
    }

    /// And so strong, or so fresh, an authentication (RFC 9470).
    pub fn step_up(mut self, step_up: StepUp) -> Self {
        self.step_up = Some(step_up);
        self
    }

    /// The scope alone decides: there is no object, or whoever has the scope may have any. Only for
    /// [tables in which routes with parameters owe the check](super::ScopeTableBuilder::object_level).
    pub fn function_level(mut self) -> Self {
        self.objects = Objects::Function;
        self
    }

    pub(super) fn at(mut self, path: &str) -> Self {
        self.objects = self.objects.in_path(path);
        self
    }

    pub(super) fn compile(self, field: &str, catalogue: Option<&ScopeCatalogue>, issues: &mut ConfigIssues) -> Check {
        if self.need != Need::Caller && self.scopes.is_empty() {
            issues.add(
                field.to_owned(),
                "no scope is named",
                "name one, or say Requirement::authenticated() if any caller may",
            );
        }
        for scope in &self.scopes {
            if !Scopes::is_requirement(scope) {
                issues.add(
                    field.to_owned(),
                    format!("{scope:?} is not a scope that can be required"),
                    "write action:resource or action:resource:qualifier, in the characters of RFC 6749 §3.3, without *",
                );
            } else if let Some(catalogue) = catalogue.filter(|catalogue| !catalogue.has(scope)) {
                catalogue.report(field, scope, issues);
            }
        }
        let (role_need, roles) = self.roles.unwrap_or((Need::Caller, Vec::new()));
        if role_need != Need::Caller && (roles.is_empty() || roles.iter().any(String::is_empty)) {
            issues.add(field.to_owned(), "a role has no name, or none is named", "name the roles that may");
        }
        let step_up = self.step_up.map(|step_up| step_up.compile(field, issues));
        let boxed = |names: Vec<String>| names.into_iter().map(String::into_boxed_str).collect::<Box<[_]>>();
        Check::new(self.need, boxed(self.scopes).into(), self.objects, (role_need, boxed(roles)), step_up)
    }
}

/// For lists of routes.
impl std::fmt::Display for Requirement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let join = |need: Need, names: &[String]| names.join(if need == Need::Any { " or " } else { " and " });
        let scopes = match self.need {
            Need::Caller => "any caller".into(),
            need => join(need, &self.scopes),
        };
        f.write_str(&scopes)?;
        f.write_str(match self.objects {
            Objects::OwnAllowed => ", own objects too",
            Objects::Each => ", each object checked",
            Objects::OwnRequired | Objects::Function => "",
        })?;
        if let Some((need, roles)) = &self.roles {
            write!(f, "; role {}", join(*need, roles))?;
        }
        if let Some(step_up) = &self.step_up {
            write!(f, "; {}", step_up.describe())?;
        }
        Ok(())
    }
}

/// A requirement with everything that it ever hands out made beforehand.
#[derive(Debug)]
pub(super) struct Check {
    need: Need,
    scopes: Arc<[Box<str>]>,
    roles: (Need, Box<[Box<str>]>),
    step_up: Option<StepUpCheck>,
    /// One for the whole, or, where one scope is enough, one for each.
    grants: Box<[Grant]>,
    /// The same grants, for the caller's own objects.
    own_grants: Box<[Grant]>,
    /// One for each scope.
    widths: Box<[Width]>,
    objects: Objects,
}

/// What a caller lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    Scope,
    Role,
    Strength,
}

impl Check {
    fn new(
        need: Need,
        scopes: Arc<[Box<str>]>,
        objects: Objects,
        roles: (Need, Box<[Box<str>]>),
        step_up: Option<StepUpCheck>,
    ) -> Self {
        let grant = |scopes| Grant::new(scopes).with_roles(roles.1.clone());
        let grants: Box<[Grant]> = match need {
            Need::Any => scopes.iter().map(|scope| grant(Arc::from([scope.clone()]))).collect(),
            Need::All | Need::Caller => Box::from([grant(Arc::clone(&scopes))]),
        };
        let own_grants = grants.iter().cloned().map(Grant::for_own).collect();
        let widths = scopes.iter().map(|scope| Width::of(scope, objects)).collect();
        Self { need, scopes, roles, step_up, grants, own_grants, widths, objects }
    }

    /// The proof that the caller has what is asked. Allocates nothing. What the caller cannot get is
    /// looked at before what it can: nobody is to authenticate again in vain.
    pub(super) fn grant(&self, caller: Caller<'_>) -> Result<&Grant, Lack> {
        let grant = match self.need {
            Need::Any => {
                let first = |grants, held: &dyn Fn(&Width) -> bool| {
                    let mut rows = self.widths.iter().zip::<&Box<[Grant]>>(grants);
                    rows.find(|(width, _)| held(width)).map(|(_, grant)| grant)
                };
                first(&self.grants, &|width| caller.may(width.all()))
                    .or_else(|| first(&self.own_grants, &|width| width.own().is_some_and(|own| caller.may(own))))
            }
            Need::All | Need::Caller => {
                if self.widths.iter().all(|width| caller.may(width.all())) {
                    self.grants.first()
                } else {
                    let some = self.widths.iter().all(|width| caller.has_some(width));
                    self.own_grants.first().filter(|_| some)
                }
            }
        };
        let grant = grant.ok_or(Lack::Scope)?;
        let roles = match self.roles.0 {
            Need::Any => self.roles.1.iter().any(|role| caller.has(role)),
            Need::All | Need::Caller => self.roles.1.iter().all(|role| caller.has(role)),
        };
        match &self.step_up {
            _ if !roles => Err(Lack::Role),
            Some(step_up) if !step_up.holds(caller.principal, caller.now) => Err(Lack::Strength),
            _ => Ok(grant),
        }
    }

    /// Whether a caller with this grant may have some objects, and others not.
    pub(super) fn leaves_objects(&self, grant: &Grant) -> bool {
        self.objects == Objects::Each || grant.reach() == Reach::Own
    }

    pub(super) fn need(&self) -> Need {
        self.need
    }

    pub(super) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(|scope| &**scope)
    }

    pub(super) fn roles(&self) -> &[Box<str>] {
        &self.roles.1
    }

    pub(super) fn step_up(&self) -> Option<&StepUpCheck> {
        self.step_up.as_ref()
    }

    pub(super) fn missing(&self, caller: Caller<'_>) -> impl Iterator<Item = &str> {
        self.scopes().zip(&self.widths).filter(move |(_, width)| !caller.has_some(width)).map(|(scope, _)| scope)
    }
}

/// A caller, with what its roles stand for, at the time of the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller<'a> {
    pub(super) principal: &'a Principal,
    pub(super) roles: Option<&'a RoleTable>,
    pub(super) now: crate::time::Timestamp,
}

impl Caller<'_> {
    /// Has the scope, if only for its own objects.
    fn has_some(self, width: &Width) -> bool {
        self.may(width.all()) || width.own().is_some_and(|own| self.may(own))
    }

    fn may(self, required: &str) -> bool {
        self.principal.scopes().satisfies(required)
            || self.roles.is_some_and(|roles| roles.may(self.principal, required))
    }

    fn has(self, role: &str) -> bool {
        match self.roles {
            Some(roles) => roles.has(self.principal, role),
            None => self.principal.roles().any(|held| held == role),
        }
    }
}
