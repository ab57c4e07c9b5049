//! JSON Web Tokens.

use crate::{identity::Principal, rejection::Rejection, store::BoxFuture, time::Timestamp};

/// Verifies tokens.
#[derive(Clone, Debug)]
pub struct JwtVerifier;

/// What became of a credential, at once or later.
pub(crate) enum Checked {
    /// Known at once.
    Ready(Result<Principal, Rejection>),
    /// Known once a key or a record has been fetched.
    Wait(BoxFuture<'static, Result<Principal, Rejection>>),
}

impl JwtVerifier {
    #[expect(clippy::unused_self, reason = "a placeholder")]
    pub(crate) fn verify(&self, _token: &str, _now: Timestamp) -> Checked {
        Checked::Ready(Err(crate::rejection::RejectionKind::InvalidToken.into()))
    }
}
