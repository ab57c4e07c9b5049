use std::sync::Arc;

use subtle::ConstantTimeEq as _;

use super::{
    Presented,
    accepted::Accepted,
    condition::Condition,
    credentials::{self, Via},
    dpop::DpopVerifier,
    mtls,
};
use crate::{
    identity::{AuthMethod, Principal},
    rejection::{Rejection, RejectionKind},
    store::BoxFuture,
};

/// Whoever presents a bound token must prove to hold what it is bound to (RFC 7800 §3): with a
/// `DPoP` proof, with a client certificate, or with both. Stands in every layer: where nothing can
/// check a binding, bound tokens are refused.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) dpop: Option<Arc<DpopVerifier>>,
    pub(super) unbound: Unbound,
}

/// What becomes of tokens that are bound to nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Unbound {
    #[default]
    Accepted,
    Refused,
}

/// Why a token was refused, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("the token is bound to a DPoP key, and was sent as a bearer token (RFC 9449 §7.2)")]
    SentAsBearer,
    #[error("the token was sent with the DPoP scheme, and is not bound to a DPoP key (RFC 9449 §7.1)")]
    NotForDpop,
    #[error("the token is bound to nothing, and only bound ones are accepted here")]
    Unbound,
    #[error("the token is bound to a client certificate, and there is none (RFC 8705 §3)")]
    NoCertificate,
    #[error("the token is bound to another client certificate (RFC 8705 §3)")]
    OtherCertificate,
    #[error("the token is bound to something that cannot be checked here (cnf, RFC 7800)")]
    Unknown,
}

impl From<Fault> for Rejection {
    fn from(fault: Fault) -> Self {
        Self::new(RejectionKind::InvalidToken).with_source(fault)
    }
}

impl Condition for Binding {
    fn check_now(&self, accepted: &mut Accepted, request: Presented<'_>) -> Option<Result<(), Rejection>> {
        let proof = match self.judge(&accepted.principal, request) {
            Ok(None) => return Some(Ok(())),
            Ok(Some(proof)) => proof,
            Err(fault) => return Some(Err(fault.into())),
        };
        let told = proof.verifier.check_now(proof.token, proof.bound, request)?;
        Some(told.map(|told| accepted.response.extend(told)))
    }

    fn check<'a>(&'a self, accepted: &'a mut Accepted, request: Presented<'a>) -> BoxFuture<'a, Result<(), Rejection>> {
        Box::pin(async move {
            if let Some(proof) = self.judge(&accepted.principal, request)? {
                let told = proof.verifier.check(proof.token, proof.bound, request).await?;
                accepted.response.extend(told);
            }
            Ok(())
        })
    }
}

/// A `DPoP` proof that is still to be judged.
struct Proof<'a> {
    verifier: &'a DpopVerifier,
    token: &'a str,
    bound: &'a [u8; 32],
}

impl Binding {
    /// Everything but the proof, which may have to wait.
    fn judge<'a>(&'a self, principal: &'a Principal, request: Presented<'a>) -> Result<Option<Proof<'a>>, Fault> {
        let Some(confirmation) = principal.confirmation() else {
            return match (request.via, self.unbound) {
                (Via::Dpop, _) => Err(Fault::NotForDpop),
                // Sent as one, it is still no token.
                _ if principal.method() == AuthMethod::ApiKey => Ok(None),
                (Via::Bearer | Via::WebSocket, Unbound::Refused) => Err(Fault::Unbound),
                _ => Ok(None),
            };
        };
        if confirmation.other || (confirmation.dpop.is_none() && confirmation.certificate.is_none()) {
            return Err(Fault::Unknown);
        }
        if let Some(bound) = &confirmation.certificate {
            let certificate = mtls::certificate_of(request.head.extensions).ok_or(Fault::NoCertificate)?;
            if !bool::from(certificate.sha256().ct_eq(bound)) {
                return Err(Fault::OtherCertificate);
            }
        }
        match (&confirmation.dpop, request.via) {
            (None, Via::Dpop) => Err(Fault::NotForDpop),
            (None, _) => Ok(None),
            (Some(bound), Via::Dpop) => {
                let verifier = self.dpop.as_deref().ok_or(Fault::SentAsBearer)?;
                let token = credentials::dpop_token(request.head.headers).ok_or(Fault::SentAsBearer)?;
                Ok(Some(Proof { verifier, token, bound }))
            }
            (Some(_), _) => Err(Fault::SentAsBearer),
        }
    }
}
