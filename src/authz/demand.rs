//! A requirement with what goes beyond scopes: roles, and a strong authentication. Pure.

use std::fmt;

use super::{
    ScopeCatalogue, StepUp,
    requirement::{Caller, Check, Need, Requirement},
    step_up::StepUpCheck,
};
use crate::{config_error::ConfigIssues, identity::Grant, time::Timestamp};

/// What a requirement asks beyond scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Beyond {
    roles: Option<(Need, Vec<String>)>,
    step_up: Option<StepUp>,
}

impl Requirement {
    /// And every one of these roles. Replaces what was said of roles before.
    pub fn all_roles(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.beyond.roles = Some((Need::All, roles.into_iter().map(Into::into).collect()));
        self
    }

    /// And at least one of these roles. Replaces what was said of roles before.
    pub fn any_role(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.beyond.roles = Some((Need::Any, roles.into_iter().map(Into::into).collect()));
        self
    }

    /// And so strong, or so fresh, an authentication (RFC 9470).
    pub fn step_up(mut self, step_up: StepUp) -> Self {
        self.beyond.step_up = Some(step_up);
        self
    }

    /// The whole of it, held to the catalogue if there is one.
    pub(super) fn demand(
        mut self,
        field: &str,
        catalogue: Option<&ScopeCatalogue>,
        issues: &mut ConfigIssues,
    ) -> Demand {
        let beyond = std::mem::take(&mut self.beyond);
        if let Some(catalogue) = catalogue {
            catalogue.look_at_required(field, &self.scopes, issues);
        }
        Demand {
            check: self.compile(field, issues),
            roles: beyond.roles.map(|(need, roles)| RoleCheck::new(need, roles, field, issues)),
            step_up: beyond.step_up.map(|step_up| step_up.compile(field, issues)),
        }
    }
}

/// For lists of routes.
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |need: Need, names: &[String]| names.join(if need == Need::Any { " or " } else { " and " });
        match self.need {
            Need::Caller => f.write_str("any caller")?,
            need => f.write_str(&join(need, &self.scopes))?,
        }
        if let Some((need, roles)) = &self.beyond.roles {
            write!(f, "; role {}", join(*need, roles))?;
        }
        if let Some(step_up) = &self.beyond.step_up {
            write!(f, "; {}", step_up.describe())?;
        }
        Ok(())
    }
}

/// A requirement with everything that it ever hands out made beforehand.
#[derive(Debug)]
pub(super) struct Demand {
    /// The scopes.
    pub(super) check: Check,
    roles: Option<RoleCheck>,
    step_up: Option<StepUpCheck>,
}

/// What a caller lacks who has the scopes.
#[derive(Debug)]
pub(super) enum Lack<'a> {
    Role(&'a RoleCheck),
    Strength(&'a StepUpCheck),
}

impl Demand {
    /// What the caller cannot get is looked at before what it can: nobody is to authenticate again in
    /// vain. Returns the grant for the roles, if some were asked for.
    pub(super) fn beyond_scopes(&self, caller: Caller<'_>, now: Timestamp) -> Result<Option<&Grant>, Lack<'_>> {
        let grant = self.roles.as_ref().map(|roles| roles.grant(caller).ok_or(Lack::Role(roles))).transpose()?;
        match &self.step_up {
            Some(step_up) if !step_up.holds(caller.principal, now) => Err(Lack::Strength(step_up)),
            _ => Ok(grant),
        }
    }
}

/// Some roles, of which all or one must be held.
#[derive(Debug)]
pub(super) struct RoleCheck {
    need: Need,
    roles: Box<[Box<str>]>,
    grant: Grant,
}

impl RoleCheck {
    pub(super) fn new(need: Need, roles: Vec<String>, field: &str, issues: &mut ConfigIssues) -> Self {
        if roles.is_empty() || roles.iter().any(String::is_empty) {
            issues.add(field.to_owned(), "a role has no name, or none is named", "name the roles that may");
        }
        let roles: Box<[Box<str>]> = roles.into_iter().map(String::into_boxed_str).collect();
        Self { need, grant: Grant::of_roles(roles.clone()), roles }
    }

    /// The proof that the caller has the roles, by name or by inheritance. Allocates nothing.
    pub(super) fn grant(&self, caller: Caller<'_>) -> Option<&Grant> {
        let has = |wanted: &str| match caller.roles {
            Some(roles) => roles.has(caller.principal, wanted),
            None => caller.principal.roles().any(|held| held == wanted),
        };
        let holds = match self.need {
            Need::Any => self.roles.iter().any(|role| has(role)),
            Need::All | Need::Caller => self.roles.iter().all(|role| has(role)),
        };
        holds.then_some(&self.grant)
    }

    pub(super) fn names(&self) -> String {
        self.roles.join(", ")
    }
}
