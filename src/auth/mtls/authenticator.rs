use std::sync::Arc;

use super::{CertificateMapping, ClientCertificate, certificate_of, mapping::ByFunction};
use crate::{
    auth::{Authenticator, Head, Presence, Presented, Verified},
    identity::AuthMethod,
    rejection::{Rejection, RejectionKind},
    request::{CertificateFacts, PeerCertificate},
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// Accepts callers by the certificate of their connection: an
/// [`authenticator`](crate::auth::AuthLayerBuilder::authenticator) of the layer.
///
/// A certificate counts if the request carries no other credential. See the [module](super).
#[derive(Clone, Debug)]
pub struct ClientCertificates {
    mapping: Arc<dyn CertificateMapping>,
}

/// Why a certificate was refused, for the log.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[cfg_attr(not(feature = "mtls"), allow(dead_code, reason = "only x509-parser reads certificates"))]
    #[error("the certificate with SHA-256 {0} cannot be read")]
    Unreadable(Box<str>),
    #[error("the certificate with SHA-256 {0} is not valid yet")]
    NotYet(Box<str>),
    #[error("the certificate with SHA-256 {0} has expired")]
    Expired(Box<str>),
    #[error("the certificate with SHA-256 {0} is nobody's")]
    Unknown(Box<str>),
}

impl From<Refused> for Rejection {
    fn from(why: Refused) -> Self {
        Self::new(RejectionKind::InvalidClientCertificate).with_source(why)
    }
}

impl ClientCertificates {
    /// Certificates whose holders `mapping` tells.
    pub fn new(mapping: impl CertificateMapping) -> Self {
        Self { mapping: Arc::new(mapping) }
    }

    /// Certificates whose holders a function tells, at once and without a store.
    pub fn by(holder: impl Fn(ClientCertificate<'_>) -> Option<Verified> + Send + Sync + 'static) -> Self {
        Self::new(ByFunction(holder))
    }
}

fn hex(certificate: &PeerCertificate) -> Box<str> {
    base16ct::lower::encode_string(certificate.sha256()).into()
}

/// Reads what the certificate says, once for a connection, and compares its dates.
fn dated(certificate: &PeerCertificate, now: Timestamp) -> Result<Option<&CertificateFacts>, Refused> {
    #[cfg(feature = "mtls")]
    let facts = Some(certificate.facts(super::facts::read).ok_or_else(|| Refused::Unreadable(hex(certificate)))?);
    #[cfg(not(feature = "mtls"))]
    let facts: Option<&CertificateFacts> = None;
    match facts {
        Some(facts) if now < facts.not_before => Err(Refused::NotYet(hex(certificate))),
        // RFC 5280 §4.1.2.5: the period includes its last second.
        Some(facts) if now.as_secs() > facts.not_after.as_secs() => Err(Refused::Expired(hex(certificate))),
        facts => Ok(facts),
    }
}

fn conclude(
    certificate: &PeerCertificate,
    facts: Option<&CertificateFacts>,
    found: Result<Option<Verified>, StoreError>,
) -> Result<Verified, Rejection> {
    let Some(mut holder) = found.map_err(Rejection::backend)? else {
        return Err(Refused::Unknown(hex(certificate)).into());
    };
    holder.parts.method = Some(AuthMethod::ClientCertificate);
    if holder.parts.credential_id.is_none() {
        holder = holder.credential_id(hex(certificate));
    }
    if holder.parts.expires_at.is_none() {
        holder.parts.expires_at = facts.map(|facts| facts.not_after);
    }
    Ok(holder.fingerprint_of(certificate.sha256()))
}

impl Authenticator for ClientCertificates {
    fn name(&self) -> &'static str {
        "client_certificate"
    }

    fn presence(&self, head: Head<'_>) -> Presence {
        match certificate_of(head.extensions) {
            Some(_) => Presence::Ambient,
            None => Presence::Absent,
        }
    }

    fn authenticate<'a>(&'a self, request: Presented<'a>) -> BoxFuture<'a, Result<Verified, Rejection>> {
        Box::pin(async move {
            let now = request.context.now().wall;
            let certificate = certificate_of(request.head.extensions).ok_or(RejectionKind::MissingCredentials)?;
            let facts = dated(certificate, now)?;
            let found = self.mapping.find(ClientCertificate::new(certificate, facts), now).await;
            conclude(certificate, facts, found)
        })
    }

    fn authenticate_now(&self, request: Presented<'_>) -> Option<Result<Verified, Rejection>> {
        let now = request.context.now().wall;
        let certificate = certificate_of(request.head.extensions)?;
        let facts = match dated(certificate, now) {
            Ok(facts) => facts,
            Err(why) => return Some(Err(why.into())),
        };
        let found = self.mapping.find_now(ClientCertificate::new(certificate, facts), now)?;
        Some(conclude(certificate, facts, found))
    }
}
