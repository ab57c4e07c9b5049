use std::sync::OnceLock;

use crate::rejection::{Rejection, RejectionKind};

/// Why a token was refused: for the log. The client learns only the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the token is longer than 8 KiB")]
    TooLong,
    #[error("the token does not have three parts")]
    Parts,
    #[error("a part is not unpadded base64url")]
    Base64,
    #[error("the header is not one JSON object with distinct members")]
    HeaderJson,
    #[error("the header lacks alg, or a member has the wrong type")]
    HeaderShape,
    #[error("the header has crit, and no extension is understood")]
    Critical,
    #[error("the header's typ is not one of an access token")]
    Type,
    #[error("the header's alg is not supported or not allowed")]
    Algorithm,
    #[error("no key has the header's kid")]
    UnknownKey,
    #[error("no key fits the header, or more than one does")]
    AmbiguousKey,
    #[error("the key that kid names is not used with the header's alg")]
    KeyAlgorithm,
    #[error("the signature does not verify")]
    Signature,
    #[error("the claims are not one JSON object with distinct members")]
    ClaimsJson,
    #[error("a claim is missing, or has the wrong type: {0}")]
    Claim(&'static str),
    #[error("iss is not the expected issuer")]
    Issuer,
    #[error("aud names no accepted audience")]
    Audience,
    #[error("the token is an ID token, a logout token or an event, no access token")]
    Purpose,
    #[error("the token is bound to no key (cnf), as the profile demands")]
    Unbound,
    #[error("exp lies further from iat than max_lifetime")]
    Lifetime,
    #[error("exp has passed")]
    Expired,
    #[error("nbf or iat lies in the future")]
    NotYet,
}

impl Fault {
    pub(crate) const fn kind(self) -> RejectionKind {
        match self {
            Self::Algorithm | Self::KeyAlgorithm => RejectionKind::UnsupportedAlgorithm,
            Self::Signature => RejectionKind::InvalidSignature,
            Self::Expired => RejectionKind::TokenExpired,
            Self::NotYet => RejectionKind::TokenNotYetValid,
            _ => RejectionKind::InvalidToken,
        }
    }
}

/// Those that say nothing of the token beside themselves.
const ALL: [Fault; 21] = [
    Fault::TooLong,
    Fault::Parts,
    Fault::Base64,
    Fault::HeaderJson,
    Fault::HeaderShape,
    Fault::Critical,
    Fault::Type,
    Fault::Algorithm,
    Fault::UnknownKey,
    Fault::AmbiguousKey,
    Fault::KeyAlgorithm,
    Fault::Signature,
    Fault::ClaimsJson,
    Fault::Issuer,
    Fault::Audience,
    Fault::Unbound,
    Fault::Purpose,
    Fault::Lifetime,
    Fault::Expired,
    Fault::NotYet,
    Fault::Claim("exp"),
];

/// Made once for each fault: who sends garbage costs no allocation here.
impl From<Fault> for Rejection {
    fn from(fault: Fault) -> Self {
        static SHARED: OnceLock<Vec<(Fault, Rejection)>> = OnceLock::new();
        let make = |fault: Fault| Self::new(fault.kind()).with_source(fault);
        let shared = SHARED.get_or_init(|| ALL.map(|fault| (fault, make(fault))).into());
        match shared.iter().find(|(held, _)| *held == fault) {
            Some((_, rejection)) => rejection.clone(),
            None => make(fault),
        }
    }
}
