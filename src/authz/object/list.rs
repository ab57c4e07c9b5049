use std::{fmt, marker::PhantomData};

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::{
    Action, Asker, Permissions, Resource,
    decide::Range,
    refusal::{Refused, Why},
};
use crate::rejection::{Rejection, RejectionKind};

/// Which objects of a kind a caller may list.
///
/// It takes no arguments, so a handler that lists has it in one line:
///
/// ```
/// use portcullis::authz::object::{Filter, ListScope, Read, Resource, Tenancy};
/// # struct Order;
/// # impl Resource for Order {
/// #     type Id = u64;
/// #     const KIND: &'static str = "orders";
/// #     const TENANCY: Tenancy = Tenancy::Separate;
/// #     fn owner(&self) -> &str { "" }
/// # }
///
/// async fn list(scope: ListScope<Order, Read>) -> String {
///     match scope.filter() {
///         Filter::Own { subject, tenant, .. } => format!("WHERE owner = {subject:?} AND tenant = {tenant:?}"),
///         Filter::Tenant(tenant) => format!("WHERE tenant = {tenant:?}"),
///         Filter::All => String::new(),
///     }
/// }
/// ```
///
/// What a policy ([`Resource::opinion`]) says of single objects is not in it: where there is one,
/// [`Access::retain`](super::Access::retain) asks it.
pub struct ListScope<R, A> {
    permissions: Permissions,
    range: Range,
    kind: PhantomData<fn() -> (R, A)>,
}

/// What the query is to be narrowed to. Every case must be spelled out: there is none that stands
/// for "the rest".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter<'a> {
    /// The caller's own.
    Own {
        /// The owner.
        subject: &'a str,
        /// The owner's issuer, for services with more than one.
        issuer: Option<&'a str>,
        /// The tenant; `None` where the kind has no tenants.
        tenant: Option<&'a str>,
    },
    /// Everybody's in this tenant.
    Tenant(&'a str),
    /// Everybody's everywhere.
    All,
}

impl<'a> Filter<'a> {
    /// The owner to look for; `None` is any. With [`tenant`](Self::tenant) enough for a query such as
    /// `WHERE ($1 IS NULL OR owner = $1) AND ($2 IS NULL OR tenant = $2)`.
    pub fn owner(&self) -> Option<&'a str> {
        match self {
            Self::Own { subject, .. } => Some(subject),
            Self::Tenant(_) | Self::All => None,
        }
    }

    /// The tenant to look in; `None` is all.
    pub fn tenant(&self) -> Option<&'a str> {
        match self {
            Self::Own { tenant, .. } => *tenant,
            Self::Tenant(tenant) => Some(tenant),
            Self::All => None,
        }
    }

    /// Whether an object is in it, for lists that are in memory.
    pub fn admits<R: Resource>(&self, object: &R) -> bool {
        let in_tenant = self.tenant().is_none_or(|tenant| object.tenant() == Some(tenant));
        let owned = match self {
            Self::Own { subject, issuer, .. } => {
                !subject.is_empty()
                    && object.owner() == *subject
                    && object.owner_issuer().is_none_or(|held| *issuer == Some(held))
            }
            Self::Tenant(_) | Self::All => true,
        };
        in_tenant && owned
    }
}

impl<R: Resource, A: Action> ListScope<R, A> {
    /// What to narrow the query to. Taking it meets the obligation of the route.
    pub fn filter(&self) -> Filter<'_> {
        self.permissions.context().obligation().meet();
        let principal = self.permissions.principal();
        // The extractor has refused callers without a tenant where they need one.
        let tenant = self.range.tenant::<R>(&self.asker()).unwrap_or(Some(""));
        match (self.range, tenant) {
            (Range::Own, tenant) => Filter::Own { subject: principal.subject(), issuer: principal.issuer(), tenant },
            (_, Some(tenant)) => Filter::Tenant(tenant),
            (_, None) => Filter::All,
        }
    }

    fn asker(&self) -> Asker<'_> {
        Asker::new(&self.permissions, A::NAME)
    }
}

impl<R, A> fmt::Debug for ListScope<R, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListScope").field("range", &self.range).finish_non_exhaustive()
    }
}

/// Anonymous callers are 401. Callers without a tenant, where objects belong to tenants, are 403:
/// that there is a list is no secret.
impl<S, R, A> FromRequestParts<S> for ListScope<R, A>
where
    S: Sync,
    R: Resource,
    A: Action,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let permissions = Permissions::of(parts)?;
        let asker = Asker::new(&permissions, A::NAME);
        let range = Range::of::<R>(&asker);
        // A query for the owner "" could find what belongs to nobody.
        let nameless = range == Range::Own && permissions.principal().subject().is_empty();
        let why = if nameless { Some(Why::NoSubject) } else { range.tenant::<R>(&asker).err() };
        if let Some(why) = why {
            let refused = Refused { kind: R::KIND, action: A::NAME, why };
            return Err(Rejection::new(RejectionKind::Forbidden).with_source(refused));
        }
        Ok(Self { permissions, range, kind: PhantomData })
    }
}
