//! How an object is refused. One way for all reasons, so that the client cannot tell them apart.

use super::{Existence, Resource, decide::Ruling};
use crate::{
    rejection::{Rejection, RejectionKind},
    request::{Outcome, RequestContext, TrailName},
};

/// The layer's name in trails.
const NAME: &str = "object";

/// Why an object is not handed out. The owner's log says it; the client is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Why {
    #[error("the id cannot be read")]
    Malformed,
    #[error("there is none")]
    Missing,
    #[error("it lies elsewhere than the path says")]
    Elsewhere,
    #[error("the caller has no tenant")]
    NoTenant,
    #[error("the caller has no name that an owner could have")]
    NoSubject,
    #[error("it is another tenant's")]
    OtherTenant,
    #[error("it is somebody else's, and the caller has no overriding scope")]
    NotTheirs,
    #[error("a policy forbids it")]
    Vetoed,
}

#[derive(Debug, thiserror::Error)]
#[error("{action} of one of the {kind}: {why}")]
pub(super) struct Refused {
    pub(super) kind: &'static str,
    pub(super) action: &'static str,
    pub(super) why: Why,
}

/// Meets the obligation, or opens it again and says no.
pub(super) fn settle<R: Resource>(
    ruling: Ruling,
    action: &'static str,
    context: &RequestContext,
) -> Result<(), Rejection> {
    match ruling {
        Ruling::Granted => {
            context.obligation().meet();
            Ok(())
        }
        Ruling::Refused(why) => Err(refuse::<R>(why, action, context)),
        Ruling::Unknown(error) => {
            context.obligation().open();
            Err(Rejection::backend(error))
        }
    }
}

/// The trail, which only the owner sees, tells a forbidden object from a missing one. (So a handler
/// that goes on in spite of the refusal is found out by the guard.)
pub(super) fn refuse<R: Resource>(why: Why, action: &'static str, context: &RequestContext) -> Rejection {
    context.obligation().open();
    let (exists, shown) = match why {
        Why::Malformed | Why::Missing | Why::Elsewhere => (false, false),
        Why::NoTenant | Why::NoSubject | Why::OtherTenant => (true, false),
        Why::NotTheirs | Why::Vetoed => (true, R::EXISTENCE == Existence::Revealed),
    };
    let true_kind = if exists { RejectionKind::Forbidden } else { RejectionKind::NotFound };
    context.trail().record(TrailName::of(NAME), Outcome::Rejected(true_kind));
    let told = if shown { RejectionKind::Forbidden } else { RejectionKind::NotFound };
    Rejection::new(told).with_source(Refused { kind: R::KIND, action, why })
}

/// The route has no such parameter: the wiring is wrong, not the request.
pub(super) fn no_parameter<R: Resource>() -> Rejection {
    Rejection::new(RejectionKind::Misconfigured).with_source(NoParameter { kind: R::KIND, parameter: R::PARAMETER })
}

#[derive(Debug, thiserror::Error)]
#[error(
    "Authorized needs the id of one of the {kind}, but the route has no parameter {{{parameter}}}: \
     name it so in the route, or set Resource::PARAMETER"
)]
struct NoParameter {
    kind: &'static str,
    parameter: &'static str,
}
