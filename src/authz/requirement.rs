//! What a route asks of its caller, and whether the caller has it. Pure.

use std::sync::Arc;

use super::{
    RoleMap,
    object::{Objects, Width},
};
use crate::{
    config_error::ConfigIssues,
    identity::{Grant, Principal, Reach, Scopes},
};

/// What a route asks of its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Requirement {
    need: Need,
    scopes: Vec<String>,
    objects: Objects,
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
        Self { need, scopes, objects: Objects::default() }
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

    pub(super) fn compile(self, field: &str, issues: &mut ConfigIssues) -> Check {
        if self.need != Need::Caller && self.scopes.is_empty() {
            issues.add(
                field.to_owned(),
                "no scope is named",
                "name one, or say Requirement::authenticated() if any caller may",
            );
        }
        for scope in self.scopes.iter().filter(|scope| !Scopes::is_requirement(scope)) {
            issues.add(
                field.to_owned(),
                format!("{scope:?} is not a scope that can be required"),
                "write action:resource or action:resource:qualifier, in the characters of RFC 6749 §3.3, without *",
            );
        }
        Check::new(self.need, self.scopes.into_iter().map(Into::into).collect(), self.objects)
    }
}

/// A requirement with everything that it ever hands out made beforehand.
#[derive(Debug)]
pub(super) struct Check {
    need: Need,
    scopes: Arc<[Box<str>]>,
    /// One for the whole, or, where one scope is enough, one for each.
    grants: Box<[Grant]>,
    /// The same grants, for the caller's own objects.
    own_grants: Box<[Grant]>,
    /// One for each scope.
    widths: Box<[Width]>,
    objects: Objects,
}

impl Check {
    fn new(need: Need, scopes: Arc<[Box<str>]>, objects: Objects) -> Self {
        let grants: Box<[Grant]> = match need {
            Need::Any => scopes.iter().map(|scope| Grant::new(Arc::from([scope.clone()]))).collect(),
            Need::All | Need::Caller => Box::from([Grant::new(Arc::clone(&scopes))]),
        };
        let own_grants = grants.iter().cloned().map(Grant::for_own).collect();
        let widths = scopes.iter().map(|scope| Width::of(scope, objects)).collect();
        Self { need, scopes, grants, own_grants, widths, objects }
    }

    /// The proof that the caller has what is asked. Allocates nothing.
    pub(super) fn grant(&self, caller: Caller<'_>) -> Option<&Grant> {
        match self.need {
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
                    return self.grants.first();
                }
                let all = self.widths.iter().all(|width| caller.has(width));
                self.own_grants.first().filter(|_| all)
            }
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

    pub(super) fn missing(&self, caller: Caller<'_>) -> impl Iterator<Item = &str> {
        self.scopes().zip(&self.widths).filter(move |(_, width)| !caller.has(width)).map(|(scope, _)| scope)
    }
}

/// A caller, with what its roles stand for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller<'a> {
    pub(super) principal: &'a Principal,
    pub(super) roles: Option<&'a RoleMap>,
}

impl Caller<'_> {
    /// Has the scope, if only for its own objects.
    fn has(self, width: &Width) -> bool {
        self.may(width.all()) || width.own().is_some_and(|own| self.may(own))
    }

    /// Asks the scopes of each role where they lie: merging them would cost an allocation a request.
    fn may(self, required: &str) -> bool {
        self.principal.scopes().satisfies(required)
            || self.roles.is_some_and(|map| {
                let mut held = self.principal.roles().filter_map(|role| map.scopes(role));
                held.any(|scopes| scopes.satisfies(required))
            })
    }
}
