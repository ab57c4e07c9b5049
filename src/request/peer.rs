use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::time::Timestamp;

/// The certificate that the client showed in the TLS handshake: the leaf, in DER.
///
/// Cheap to clone: made once for a connection, it is digested and read once, however many requests
/// follow. That somebody *holds* the certificate's key is what TLS has shown; who has vouched for
/// its names is the acceptor's affair (with rustls, that of its `ClientCertVerifier`).
#[derive(Clone)]
pub struct PeerCertificate(Arc<Inner>);

struct Inner {
    der: Bytes,
    sha256: [u8; 32],
    facts: OnceLock<Option<CertificateFacts>>,
}

/// What a certificate says, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CertificateFacts {
    pub(crate) uris: Vec<Box<str>>,
    pub(crate) dns: Vec<Box<str>>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) is_authority: bool,
}

impl PeerCertificate {
    /// The certificate with this DER encoding, which is not looked at yet.
    pub fn from_der(der: impl Into<Bytes>) -> Self {
        let der = der.into();
        let sha256 = Sha256::digest(&der).into();
        Self(Arc::new(Inner { der, sha256, facts: OnceLock::new() }))
    }

    /// The DER encoding.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// SHA-256 of the DER encoding: what `x5t#S256` of a bound token is compared with (RFC 8705 §3.1).
    pub fn sha256(&self) -> &[u8; 32] {
        &self.0.sha256
    }

    /// What it says, read at most once; `None` if it is no certificate.
    #[cfg_attr(not(feature = "mtls"), allow(dead_code, reason = "only x509-parser reads certificates"))]
    pub(crate) fn facts(&self, read: impl FnOnce(&[u8]) -> Option<CertificateFacts>) -> Option<&CertificateFacts> {
        self.0.facts.get_or_init(|| read(&self.0.der)).as_ref()
    }
}

impl PartialEq for PeerCertificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.sha256 == other.0.sha256
    }
}

impl Eq for PeerCertificate {}

/// The fingerprint, which is not secret.
impl fmt::Debug for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerCertificate(sha256:{:x})", base16ct::HexDisplay(&self.0.sha256))
    }
}

/// The other end of a TLS connection: what a TLS listener of the application hands to axum as
/// `ConnectInfo`, in place of a bare socket address.
///
/// The request context takes the client's address from it, and that the connection is `https`;
/// the authentication takes the certificate. See [`auth::mtls`](crate::auth::mtls).
#[derive(Clone, Debug)]
pub struct TlsPeer {
    address: SocketAddr,
    certificate: Option<PeerCertificate>,
}

impl TlsPeer {
    /// A client at `address` that showed no certificate.
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, certificate: None }
    }

    /// The leaf certificate that the client showed, in DER.
    #[must_use]
    pub fn certificate(mut self, der: impl Into<Bytes>) -> Self {
        self.certificate = Some(PeerCertificate::from_der(der));
        self
    }

    /// Where the client is.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate that it showed.
    pub const fn peer_certificate(&self) -> Option<&PeerCertificate> {
        self.certificate.as_ref()
    }
}

/// The other end of a unix socket: an extension of each request that came over one, for such a
/// connection has no address. Where a listener serves nothing else, one layer says so for all:
///
/// ```
/// use axum::{Extension, Router, body::Body, routing::get};
/// use http::Request;
/// use portcullis::{
///     gate::RequestContextLayer,
///     request::{ClientIp, TrustedProxies, UnixPeer},
/// };
/// use tower::{ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Only nginx on this machine may open the socket; it writes X-Forwarded-For.
/// let proxies = TrustedProxies::builder().unix_sockets().build()?;
/// let app = Router::new()
///     .route("/", get(|client: ClientIp| async move { format!("{:?}", client.ip()) }))
///     .layer(
///         ServiceBuilder::new()
///             .layer(Extension(UnixPeer))
///             .layer(RequestContextLayer::new().trusted_proxies(proxies)),
///     );
/// let request = Request::get("/").header("x-forwarded-for", "198.51.100.7").body(Body::empty())?;
/// let response = app.oneshot(request).await?;
/// let body = axum::body::to_bytes(response.into_body(), 100).await?;
/// assert_eq!(body, "Some(198.51.100.7)");
/// # Ok(()) }
/// ```
///
/// Without it the client is [unknown](super::Provenance::Unknown), which is a value and no error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct UnixPeer;
