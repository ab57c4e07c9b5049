use std::{fmt, time::Duration};

use super::{Presented, accepted::Accepted, authenticator::BODY_TIMEOUT};
use crate::{rejection::Rejection, store::BoxFuture};

/// What must hold beside the credential itself: that it is not revoked, that its sender holds the
/// key which it is bound to. Asked in the order in which the builder lists them, after the
/// credential has been verified, whether anew or from a cache.
pub(super) trait Condition: fmt::Debug + Send + Sync + 'static {
    /// How many bytes of the body are needed for the verdict. With more than zero the body is read
    /// whole, once the credential holds and before any condition is asked. Default: none.
    fn body_limit(&self) -> usize {
        0
    }

    /// How long the body may take to arrive, if it is needed.
    fn body_timeout(&self) -> Duration {
        BODY_TIMEOUT
    }

    /// What can be refused without the body, before anybody waits for it. Not asked if no condition needs
    /// the body.
    fn before_body(&self, request: Presented<'_>) -> Result<(), Rejection> {
        let _ = request;
        Ok(())
    }

    /// The verdict without waiting; `None` means "ask [`check`](Self::check)".
    fn check_now(&self, accepted: &mut Accepted, request: Presented<'_>) -> Option<Result<(), Rejection>>;

    /// The verdict. Asked only if [`check_now`](Self::check_now) had none.
    fn check<'a>(&'a self, accepted: &'a mut Accepted, request: Presented<'a>) -> BoxFuture<'a, Result<(), Rejection>>;
}
