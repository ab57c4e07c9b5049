use crate::rejection::{Rejection, RejectionKind};

/// Why a proof was refused: for the log. The numbers are those of the checks in RFC 9449 §4.3. The
/// client learns only that the proof was, or that it needs a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProofFault {
    #[error("there is no DPoP header, or more than one (check 1)")]
    Count,
    #[error("the proof is no well-formed JWT (check 2)")]
    Form,
    #[error("a claim of the proof is missing, or has the wrong type: {0} (check 3)")]
    Claim(&'static str),
    #[error("the proof's typ is not dpop+jwt (check 4)")]
    Type,
    #[error("the proof's alg is not an accepted asymmetric algorithm (check 5)")]
    Algorithm,
    #[error("the proof's jwk is missing, or no key for its alg (check 6)")]
    Key,
    #[error("the proof's signature does not verify (check 6)")]
    Signature,
    #[error("the proof's jwk is a private or a shared key (check 7)")]
    PrivateKey,
    #[error("the proof's htm is not the request's method (check 8)")]
    Method,
    #[error("the proof's htu is not the request's URL (check 9)")]
    Target,
    #[error("the proof has no nonce of this service, or an old one (check 10)")]
    Nonce,
    #[error("the proof was made too long ago, or in the future (check 11)")]
    Age,
    #[error("the proof's ath is not the hash of the token (check 12)")]
    Token,
    #[error("the proof's key is not the one that the token is bound to (check 12)")]
    Bound,
    #[error("the proof has been used before (RFC 9449 §11.1)")]
    Replay,
}

impl From<ProofFault> for Rejection {
    fn from(fault: ProofFault) -> Self {
        let kind = match fault {
            ProofFault::Nonce => RejectionKind::UseDpopNonce,
            _ => RejectionKind::InvalidDpopProof,
        };
        Self::new(kind).with_source(fault)
    }
}
