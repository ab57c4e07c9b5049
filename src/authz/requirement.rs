//! What a route asks of its caller, and whether the caller has it. Pure.

use std::sync::Arc;

use super::demand::Beyond;
use crate::{
    config_error::ConfigIssues,
    identity::{Grant, Principal, RoleTable, Scopes},
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
    pub(super) need: Need,
    pub(super) scopes: Vec<String>,
    pub(super) beyond: Beyond,
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
        Self { need, scopes, beyond: Beyond::default() }
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
        Check::new(self.need, self.scopes.into_iter().map(Into::into).collect())
    }
}

/// A requirement with everything that it ever hands out made beforehand.
#[derive(Debug)]
pub(super) struct Check {
    need: Need,
    scopes: Arc<[Box<str>]>,
    /// One for the whole, or, where one scope is enough, one for each.
    grants: Box<[Grant]>,
}

impl Check {
    fn new(need: Need, scopes: Arc<[Box<str>]>) -> Self {
        let grants = match need {
            Need::Any => scopes.iter().map(|scope| Grant::new(Arc::from([scope.clone()]))).collect(),
            Need::All | Need::Caller => Box::from([Grant::new(Arc::clone(&scopes))]),
        };
        Self { need, scopes, grants }
    }

    /// The proof that the caller has what is asked. Allocates nothing.
    pub(super) fn grant(&self, caller: Caller<'_>) -> Option<&Grant> {
        match self.need {
            Need::Any => {
                self.scopes.iter().zip(&self.grants).find(|(scope, _)| caller.may(scope)).map(|(_, grant)| grant)
            }
            Need::All | Need::Caller => {
                let all = self.scopes.iter().all(|scope| caller.may(scope));
                self.grants.first().filter(|_| all)
            }
        }
    }

    pub(super) fn need(&self) -> Need {
        self.need
    }

    pub(super) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(|scope| &**scope)
    }

    pub(super) fn missing(&self, caller: Caller<'_>) -> impl Iterator<Item = &str> {
        self.scopes().filter(move |scope| !caller.may(scope))
    }
}

/// A caller, with what its roles stand for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller<'a> {
    pub(super) principal: &'a Principal,
    pub(super) roles: Option<&'a RoleTable>,
}

impl Caller<'_> {
    fn may(self, required: &str) -> bool {
        self.principal.scopes().satisfies(required)
            || self.roles.is_some_and(|roles| roles.may(self.principal, required))
    }
}
