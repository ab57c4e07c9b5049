use crate::rejection::{Rejection, RejectionKind};

/// Why a logout request is not obeyed: for the log. The sender learns that it is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LogoutFault {
    #[error("the body is not a form with one field logout_token")]
    Form,
    #[error("the claims are not a JSON object with members of the right types")]
    Claims,
    #[error("iss is not the issuer")]
    Issuer,
    #[error("aud does not name this client")]
    Audience,
    #[error("exp has passed")]
    Expired,
    #[error("iat lies in the future")]
    NotYet,
    #[error("events lacks the back-channel logout event")]
    Event,
    #[error("it names neither a subject nor a session")]
    Nobody,
    #[error("it has a nonce, as an ID token has")]
    Nonce,
    #[error("it has been obeyed already")]
    Replayed,
}

impl From<LogoutFault> for Rejection {
    fn from(fault: LogoutFault) -> Self {
        Self::new(RejectionKind::InvalidRequest).with_source(fault)
    }
}
