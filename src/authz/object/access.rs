use std::{fmt, marker::PhantomData};

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::{
    Action, Asker, Authorized, Opinion, Permissions, Resource,
    decide::{Range, Ruling, decide},
    refusal::settle,
};
use crate::rejection::Rejection;

/// Checks objects that a handler has found in another way than by an id in the path: in a body, in
/// a join, in a batch.
///
/// ```
/// use portcullis::{
///     authz::object::{Access, Resource, Tenancy, Write},
///     rejection::Rejection,
/// };
/// # struct Order { owner: String }
/// # impl Resource for Order {
/// #     type Id = u64;
/// #     const KIND: &'static str = "orders";
/// #     const TENANCY: Tenancy = Tenancy::Shared;
/// #     fn owner(&self) -> &str { &self.owner }
/// # }
/// # async fn both() -> (Order, Order) { unimplemented!() }
///
/// /// Moves goods from one order to another: both must be the caller's to change.
/// async fn merge(access: Access<Order, Write>) -> Result<&'static str, Rejection> {
///     let (from, into) = both().await;
///     access.check_all([&from, &into])?;
///     Ok("merged")
/// }
/// ```
///
/// The last word counts for the guard: after a check that said no, a handler that goes on has not
/// checked.
pub struct Access<R, A> {
    permissions: Permissions,
    kind: PhantomData<fn() -> (R, A)>,
}

impl<R: Resource, A: Action> Access<R, A> {
    /// Whether the caller may do `A` with `object`.
    ///
    /// # Errors
    /// What [`Authorized`] would answer: 404 (or 403, if [existence](super::Existence) is revealed),
    /// 503 if a policy cannot know.
    pub fn check(&self, object: &R) -> Result<(), Rejection> {
        self.check_with(object, Opinion::Abstain)
    }

    /// The same, with the opinion of one more policy: of one that had to be awaited, for instance.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_with(&self, object: &R, opinion: Opinion) -> Result<(), Rejection> {
        self.settle(self.rule(object, opinion))
    }

    /// All of them, or none.
    ///
    /// # Errors
    /// As [`check`](Self::check), for the first that the caller may not have. An empty batch is
    /// allowed: there is nothing in it.
    pub fn check_all<'r>(&self, objects: impl IntoIterator<Item = &'r R>) -> Result<(), Rejection> {
        for object in objects {
            self.check(object)?;
        }
        self.settle(Ruling::Granted)
    }

    /// [`check`](Self::check), with a proof to hand on.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn admit(&self, object: R) -> Result<Authorized<R, A>, Rejection> {
        self.check(&object)?;
        Ok(Authorized::new(object))
    }

    /// Drops what the caller may not have. For lists that a [`ListScope`](super::ListScope) cannot
    /// narrow beforehand; those that it can, it should: pages stay full, and nothing is loaded to be
    /// thrown away.
    ///
    /// # Errors
    /// 503 if a policy cannot know.
    pub fn retain(&self, objects: &mut Vec<R>) -> Result<(), Rejection> {
        let mut unknown = None;
        objects.retain(|object| match self.rule(object, Opinion::Abstain) {
            Ruling::Granted => true,
            Ruling::Refused(_) => false,
            Ruling::Unknown(error) => {
                unknown.get_or_insert(error);
                false
            }
        });
        self.settle(unknown.map_or(Ruling::Granted, Ruling::Unknown))
    }

    fn rule(&self, object: &R, opinion: Opinion) -> Ruling {
        let asker = Asker::new(&self.permissions, A::NAME);
        decide(object, &asker, Range::of::<R>(&asker), opinion)
    }

    fn settle(&self, ruling: Ruling) -> Result<(), Rejection> {
        settle::<R>(ruling, A::NAME, self.permissions.context())
    }
}

impl<R, A> fmt::Debug for Access<R, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("permissions", &self.permissions).finish_non_exhaustive()
    }
}

impl<S, R, A> FromRequestParts<S> for Access<R, A>
where
    S: Sync,
    R: Resource,
    A: Action,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        Ok(Self { permissions: Permissions::of(parts)?, kind: PhantomData })
    }
}
