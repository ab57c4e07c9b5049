use std::{fmt, marker::PhantomData, ops::Deref};

use axum::extract::{FromRequestParts, RawPathParams, rejection::RawPathParamsRejection};
use http::request::Parts;

use super::{
    Action, Asker, Load, Opinion, PathValues, Permissions, Resource,
    decide::{Range, decide},
    refusal::{Why, no_parameter, refuse, settle},
};
use crate::rejection::Rejection;

/// Longer is no id: what a loader is asked for is bounded.
const MAX_ID: usize = 256;

/// An object that the caller may do `A` with: the proof that it was checked.
///
/// As an extractor: reads the id from the path, loads the object from the router's state ([`Load`]),
/// and checks tenant, policy, and owner or overriding scope, in this order. An object that the caller
/// may not have is the same 404 as one that does not exist, and so is an id that cannot be read.
///
/// It derefs to the object. In tests `portcullis::testing::authorized` makes one.
pub struct Authorized<R, A> {
    object: R,
    action: PhantomData<fn() -> A>,
}

impl<R, A> Authorized<R, A> {
    pub(crate) fn new(object: R) -> Self {
        Self { object, action: PhantomData }
    }

    /// The object.
    pub fn into_inner(self) -> R {
        self.object
    }
}

impl<R, A> Deref for Authorized<R, A> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.object
    }
}

impl<R: fmt::Debug, A> fmt::Debug for Authorized<R, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorized").field(&self.object).finish()
    }
}

impl<S, R, A> FromRequestParts<S> for Authorized<R, A>
where
    S: Load<R>,
    R: Resource,
    A: Action,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let permissions = Permissions::of(parts)?;
        let no = |why| refuse::<R>(why, A::NAME, permissions.context());
        let params = match RawPathParams::from_request_parts(parts, state).await {
            Ok(params) => params,
            Err(RawPathParamsRejection::InvalidUtf8InPathParam(_)) => return Err(no(Why::Malformed)),
            Err(_) => return Err(no_parameter::<R>()),
        };
        let path = PathValues::new(&params);
        let id = path.get(R::PARAMETER).ok_or_else(no_parameter::<R>)?;
        let id: R::Id = Some(id)
            .filter(|id| id.len() <= MAX_ID)
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| no(Why::Malformed))?;

        let asker = Asker::new(&permissions, A::NAME);
        let range = Range::of::<R>(&asker);
        let tenant = range.tenant::<R>(&asker).map_err(no)?;
        let object = state.load(&id, tenant).await.map_err(Rejection::backend)?.ok_or_else(|| no(Why::Missing))?;
        if !object.is_at(&path) {
            return Err(no(Why::Elsewhere));
        }
        settle::<R>(decide(&object, &asker, range, Opinion::Abstain), A::NAME, permissions.context())?;
        Ok(Self::new(object))
    }
}
