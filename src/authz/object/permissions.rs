use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::{identity::Principal, rejection::Rejection, request::RequestContext};

/// What the caller may do, by its credential's scopes and by those that its roles stand for: for
/// decisions inside a handler.
///
/// ```
/// use portcullis::authz::object::Permissions;
///
/// async fn prices(permissions: Permissions) -> &'static str {
///     if permissions.may("read:prices") { "4.20" } else { "on request" }
/// }
/// ```
///
/// Roles count where a layer with a role map stands outside; without one they stand for nothing.
/// As an extractor it answers an anonymous caller with 401, and 500 `misconfigured` where no
/// `AuthLayer` stands outside. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Permissions {
    context: Arc<RequestContext>,
    principal: Principal,
}

impl Permissions {
    pub(in crate::authz) fn of(parts: &Parts) -> Result<Self, Rejection> {
        let context = RequestContext::from_parts(parts)?;
        let principal = context.require_principal()?.clone();
        Ok(Self { context: Arc::clone(context), principal })
    }

    /// The caller.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Whether it has the scope. Costs a binary search for each segment of it, and for each role.
    pub fn may(&self, scope: &str) -> bool {
        self.context.caller_may(scope)
    }

    pub(super) fn context(&self) -> &RequestContext {
        &self.context
    }
}

impl<S: Sync> FromRequestParts<S> for Permissions {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        Self::of(parts)
    }
}
