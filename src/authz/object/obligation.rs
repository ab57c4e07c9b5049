use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::{
    rejection::Rejection,
    request::{Outcome, RequestContext},
};

/// The handler's debt: to show that the caller may have the object.
///
/// The extractors of this module meet it. Take it yourself where none of them fits, and say why:
///
/// ```
/// use portcullis::{authz::object::Obligation, identity::Principal};
///
/// async fn me(caller: Principal, obligation: Obligation) -> String {
///     obligation.discharge("looks up nothing but the caller's own name");
///     caller.subject().to_owned()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Obligation {
    context: Arc<RequestContext>,
}

impl Obligation {
    /// For layers of your own that answer in a handler's place, as a cache does, with what was checked
    /// before.
    pub fn of(context: &Arc<RequestContext>) -> Self {
        Self { context: Arc::clone(context) }
    }

    /// Whether the check is still missing. `false` also where none is owed.
    pub fn is_open(&self) -> bool {
        self.context.obligation().is_open()
    }

    /// Meets it. The reason is for whoever reads the code, or the log at level `DEBUG`; the trail, and so
    /// the audit record, has `obligation` as `passed`: here nobody was checked, on purpose.
    pub fn discharge(&self, reason: &'static str) {
        tracing::debug!(
            target: "portcullis",
            request_id = %self.context.request_id(),
            route = self.context.route(),
            reason,
            "object check discharged"
        );
        self.context.trail().record(crate::request::TrailName::of("obligation"), Outcome::Passed);
        self.context.obligation().meet();
    }
}

/// 500 `misconfigured` where no layer of this crate stands outside.
impl<S: Sync> FromRequestParts<S> for Obligation {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        Ok(Self::of(RequestContext::from_parts(parts)?))
    }
}
