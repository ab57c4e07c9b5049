use std::{fmt, marker::PhantomData};

use serde::de::DeserializeOwned;

use super::{Presented, accepted::Accepted, condition::Condition};
use crate::{
    identity::{AuthMethod, Claims},
    rejection::{Rejection, RejectionKind},
    store::BoxFuture,
};

/// That a token's claims have the shape which the handlers need.
pub(super) struct TypedClaims<T>(PhantomData<fn() -> T>);

impl<T> TypedClaims<T> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> Condition for TypedClaims<T> {
    fn check_now(&self, accepted: &mut Accepted, _: Presented<'_>) -> Option<Result<(), Rejection>> {
        if !matches!(accepted.principal.method(), AuthMethod::Jwt | AuthMethod::OpaqueToken) {
            return Some(Ok(()));
        }
        // The principal keeps them for the handler.
        let claims = Claims::<T>::of(&accepted.principal);
        Some(claims.map(drop).map_err(|error| Rejection::new(RejectionKind::InvalidToken).with_source(error)))
    }

    fn check<'a>(&'a self, accepted: &'a mut Accepted, request: Presented<'a>) -> BoxFuture<'a, Result<(), Rejection>> {
        let verdict = self.check_now(accepted, request).unwrap_or(Ok(()));
        Box::pin(async { verdict })
    }
}

impl<T> fmt::Debug for TypedClaims<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypedClaims<{}>", std::any::type_name::<T>())
    }
}
