//! Why a signed request was refused: what the client learns, and what the log.

use super::key::NotInForce;
use crate::{
    rejection::{Rejection, RejectionKind},
    time::Timestamp,
};

/// The client learns the kind, and what was wrong with the form; never which half of the credential
/// was, and nothing of what it sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// 400, with this detail.
    #[error("{0}")]
    Malformed(&'static str),
    /// 401: the signature may hold, but not for enough.
    #[error("{0}")]
    Uncovered(&'static str),
    #[error("it was signed at {signed}, or for a time that has passed")]
    Stale { signed: Timestamp },
    #[error("no signing key has the id {0}")]
    Unknown(Box<str>),
    #[error("the signature is not one of signing key {0}")]
    Wrong(Box<str>),
    #[error("signing key {0} made the signature, but {1}")]
    NotInForce(Box<str>, NotInForce),
    #[error("signing key {0} signed another body")]
    Body(Box<str>),
}

impl From<Refused> for Rejection {
    fn from(why: Refused) -> Self {
        let rejection = match &why {
            Refused::Malformed(detail) => Self::new(RejectionKind::MalformedSignature).with_detail(*detail),
            Refused::Uncovered(detail) => Self::new(RejectionKind::InvalidSignature).with_detail(*detail),
            Refused::Stale { .. } => Self::new(RejectionKind::StaleTimestamp),
            Refused::Body(_) => {
                Self::new(RejectionKind::InvalidSignature).with_detail("The body is not the one that was signed.")
            }
            Refused::Unknown(_) | Refused::Wrong(_) | Refused::NotInForce(..) => {
                Self::new(RejectionKind::InvalidSignature)
            }
        };
        rejection.with_source(why)
    }
}
