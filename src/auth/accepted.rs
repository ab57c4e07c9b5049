use http::{HeaderName, HeaderValue};

use crate::{identity::Principal, rejection::Rejection, store::BoxFuture};

/// A credential that holds, and what its sender is told on the response.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) principal: Principal,
    /// Rarely anything: a nonce for the next proof, the end of an old key.
    pub(crate) response: Vec<(HeaderName, HeaderValue)>,
}

impl From<Principal> for Accepted {
    fn from(principal: Principal) -> Self {
        Self { principal, response: Vec::new() }
    }
}

/// A verdict on a credential, at once or when a store or source has answered.
pub(crate) enum Checked {
    Ready(Result<Accepted, Rejection>),
    Wait(BoxFuture<'static, Result<Accepted, Rejection>>),
}
