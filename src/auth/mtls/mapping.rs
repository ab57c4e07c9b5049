//! The port that tells whose certificate it is: [`CertificateMapping`].

use std::{fmt, sync::Arc};

use super::SpiffeId;
use crate::{
    auth::Verified,
    request::{CertificateFacts, PeerCertificate},
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// A client's certificate, whose dates have been checked (with the feature `mtls`).
#[derive(Clone, Copy, Debug)]
pub struct ClientCertificate<'a> {
    certificate: &'a PeerCertificate,
    facts: Option<&'a CertificateFacts>,
}

impl<'a> ClientCertificate<'a> {
    pub(super) const fn new(certificate: &'a PeerCertificate, facts: Option<&'a CertificateFacts>) -> Self {
        Self { certificate, facts }
    }

    /// The DER encoding.
    pub fn der(&self) -> &'a [u8] {
        self.certificate.der()
    }

    /// SHA-256 of the DER encoding.
    pub fn sha256(&self) -> &'a [u8; 32] {
        self.certificate.sha256()
    }

    /// The URIs among its alternative names. None in the certificate of an authority, which is
    /// nobody's own, and without the feature `mtls`.
    pub fn uris(&self) -> impl Iterator<Item = &'a str> {
        self.leaf().into_iter().flat_map(|facts| &facts.uris).map(|uri| &**uri)
    }

    /// The DNS names among its alternative names, in lower case. None as above.
    pub fn dns_names(&self) -> impl Iterator<Item = &'a str> {
        self.leaf().into_iter().flat_map(|facts| &facts.dns).map(|name| &**name)
    }

    /// The SPIFFE ID, if it is an X.509-SVID: its one URI is such an id.
    pub fn spiffe_id(&self) -> Option<SpiffeId<'a>> {
        let mut uris = self.uris();
        let uri = uris.next().filter(|_| uris.next().is_none())?;
        SpiffeId::parse(uri)
    }

    /// When it ends; `None` without the feature `mtls`.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.facts.map(|facts| facts.not_after)
    }

    fn leaf(&self) -> Option<&'a CertificateFacts> {
        self.facts.filter(|facts| !facts.is_authority)
    }
}

/// Tells whose a certificate is: [`CertificateTable`](super::CertificateTable), or a directory of
/// your own.
///
/// ```
/// use portcullis::{
///     auth::{Verified, mtls::{CertificateMapping, ClientCertificate, ClientCertificates}},
///     store::{BoxFuture, StoreError},
///     time::Timestamp,
/// };
///
/// /// Devices whose certificates are listed in a database.
/// #[derive(Debug)]
/// struct Devices;
/// # impl Devices { async fn by_fingerprint(&self, _: &[u8; 32]) -> Result<Option<String>, std::io::Error> { Ok(None) } }
///
/// impl CertificateMapping for Devices {
///     fn find<'a>(
///         &'a self,
///         certificate: ClientCertificate<'a>,
///         _now: Timestamp,
///     ) -> BoxFuture<'a, Result<Option<Verified>, StoreError>> {
///         Box::pin(async move {
///             let device = self.by_fingerprint(certificate.sha256()).await.map_err(StoreError::unavailable)?;
///             Ok(device.map(|id| Verified::by_certificate(id).tenant("factory-3")))
///         })
///     }
/// }
///
/// let devices = ClientCertificates::new(Devices);
/// ```
pub trait CertificateMapping: fmt::Debug + Send + Sync + 'static {
    /// Whose certificate it is; `None` if it is nobody's, which is a 401.
    ///
    /// # Errors
    /// [`StoreError`], which is a 503.
    fn find<'a>(
        &'a self,
        certificate: ClientCertificate<'a>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Verified>, StoreError>>;

    /// The same without waiting, where that is possible; `None` means "ask [`find`](Self::find)".
    fn find_now(
        &self,
        certificate: ClientCertificate<'_>,
        now: Timestamp,
    ) -> Option<Result<Option<Verified>, StoreError>> {
        let _ = (certificate, now);
        None
    }
}

impl<M: CertificateMapping + ?Sized> CertificateMapping for Arc<M> {
    fn find<'a>(
        &'a self,
        certificate: ClientCertificate<'a>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Verified>, StoreError>> {
        (**self).find(certificate, now)
    }

    fn find_now(
        &self,
        certificate: ClientCertificate<'_>,
        now: Timestamp,
    ) -> Option<Result<Option<Verified>, StoreError>> {
        (**self).find_now(certificate, now)
    }
}

/// A function of the application.
pub(super) struct ByFunction<F>(pub(super) F);

impl<F> fmt::Debug for ByFunction<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByFunction")
    }
}

impl<F: Fn(ClientCertificate<'_>) -> Option<Verified> + Send + Sync + 'static> CertificateMapping for ByFunction<F> {
    fn find<'a>(
        &'a self,
        certificate: ClientCertificate<'a>,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Verified>, StoreError>> {
        Box::pin(std::future::ready(Ok((self.0)(certificate))))
    }

    fn find_now(
        &self,
        certificate: ClientCertificate<'_>,
        _: Timestamp,
    ) -> Option<Result<Option<Verified>, StoreError>> {
        Some(Ok((self.0)(certificate)))
    }
}
