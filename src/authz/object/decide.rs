//! Whether a caller may have an object. Pure.

use super::{Permissions, Resource, Tenancy, refusal::Why};
use crate::{
    identity::{Principal, Scopes},
    request::ClientIp,
    store::StoreError,
    time::Now,
};

/// What a policy says of one caller, one action and one object.
///
/// Of several opinions the strictest counts: a veto over everything, not knowing over a grant, a
/// grant over silence.
#[derive(Clone, Debug, Default)]
pub enum Opinion {
    /// Nothing: ownership and scopes decide.
    #[default]
    Abstain,
    /// Yes, also where it is somebody else's; but not where it is another tenant's.
    Grant,
    /// No, also to its owner and to whoever has an overriding scope.
    Veto,
    /// It cannot be known at the moment, because a source of facts is down: 503, neither yes nor no.
    Indeterminate(StoreError),
}

impl Opinion {
    /// The stricter of the two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Abstain => 0,
            Self::Grant => 1,
            Self::Indeterminate(_) => 2,
            Self::Veto => 3,
        }
    }
}

/// Who wants to do what: what a policy is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    permissions: &'a Permissions,
    action: &'static str,
}

impl<'a> Asker<'a> {
    pub(super) fn new(permissions: &'a Permissions, action: &'static str) -> Self {
        Self { permissions, action }
    }

    /// The caller.
    pub fn principal(&self) -> &'a Principal {
        self.permissions.principal()
    }

    /// The [name](super::Action::NAME) of what it wants to do.
    pub fn action(&self) -> &'static str {
        self.action
    }

    /// Whether the caller has the scope, by its credential or by its roles.
    pub fn may(&self, scope: &str) -> bool {
        self.permissions.may(scope)
    }

    /// When the request arrived.
    pub fn now(&self) -> Now {
        self.permissions.context().now()
    }

    /// Where it came from.
    pub fn client_ip(&self) -> ClientIp {
        self.permissions.context().client_ip()
    }

    /// A wildcard overrides nothing, and `own` is the opposite of everybody's.
    fn has_any(&self, scopes: &[&str]) -> bool {
        let overrides = |scope: &str| Scopes::is_requirement(scope) && !scope.ends_with(":own");
        scopes.iter().any(|scope| overrides(scope) && self.may(scope))
    }
}

/// How far a caller reaches by its scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Range {
    /// Its own objects.
    Own,
    /// Everybody's, in its tenant.
    Tenant,
    /// Everybody's, everywhere.
    All,
}

impl Range {
    pub(super) fn of<R: Resource>(asker: &Asker<'_>) -> Self {
        let everywhere = match R::TENANCY {
            Tenancy::Separate => Self::Tenant,
            Tenancy::Shared => Self::All,
        };
        if asker.has_any(R::cross_tenant_scopes(asker.action)) {
            Self::All
        } else if asker.has_any(R::override_scopes(asker.action)) {
            everywhere
        } else {
            Self::Own
        }
    }

    /// The tenant outside which nothing is to be looked for.
    ///
    /// # Errors
    /// If the caller is in none, and so has no objects at all.
    pub(super) fn tenant<'a, R: Resource>(self, asker: &Asker<'a>) -> Result<Option<&'a str>, Why> {
        if R::TENANCY == Tenancy::Shared || self == Self::All {
            return Ok(None);
        }
        match asker.principal().tenant() {
            Some(tenant) if !tenant.is_empty() => Ok(Some(tenant)),
            _ => Err(Why::NoTenant),
        }
    }
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Ruling {
    Granted,
    Refused(Why),
    Unknown(StoreError),
}

/// Tenant, then policy, then owner or scope. `more` is what another policy said.
pub(super) fn decide<R: Resource>(object: &R, asker: &Asker<'_>, range: Range, more: Opinion) -> Ruling {
    match range.tenant::<R>(asker) {
        Err(why) => return Ruling::Refused(why),
        Ok(Some(tenant)) if object.tenant() != Some(tenant) => return Ruling::Refused(Why::OtherTenant),
        Ok(_) => {}
    }
    match object.opinion(asker).and(more) {
        Opinion::Veto => Ruling::Refused(Why::Vetoed),
        Opinion::Indeterminate(error) => Ruling::Unknown(error),
        Opinion::Grant => Ruling::Granted,
        Opinion::Abstain if range > Range::Own || owns(object, asker.principal()) => Ruling::Granted,
        Opinion::Abstain => Ruling::Refused(Why::NotTheirs),
    }
}

fn owns<R: Resource>(object: &R, principal: &Principal) -> bool {
    let owner = object.owner();
    !owner.is_empty()
        && owner == principal.subject()
        && object.owner_issuer().is_none_or(|issuer| principal.issuer() == Some(issuer))
}
