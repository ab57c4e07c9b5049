//! Where a request's certificate comes from.

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderName, Request};

use super::header::client_cert;
use crate::{
    rejection::{Rejection, RejectionKind},
    request::{PeerCertificate, RequestContext, TlsPeer},
};

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// Whether `Client-Cert` is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::auth) enum ClientCert {
    #[default]
    Never,
    FromTrustedProxies,
}

/// What a trusted proxy said of the client: its word goes before what the proxy itself has shown.
#[derive(Clone, Debug)]
struct Forwarded(Option<PeerCertificate>);

/// Removes what nobody may believe, and reads what a trusted proxy says.
pub(in crate::auth) fn settle<B>(
    request: &mut Request<B>,
    context: &RequestContext,
    header: ClientCert,
) -> Result<(), Rejection> {
    if header == ClientCert::Never || !context.peer_is_trusted() {
        let headers = request.headers_mut();
        // Most requests have neither, and to compare all names costs less than to look for two: that hashes them.
        if headers.keys().any(|name| name.as_str().starts_with(CLIENT_CERT.as_str())) {
            headers.remove(&CLIENT_CERT);
            headers.remove(&CLIENT_CERT_CHAIN);
        }
        return Ok(());
    }
    let mut lines = request.headers().get_all(&CLIENT_CERT).iter();
    let certificate = match (lines.next(), lines.next()) {
        (None, _) => None,
        (Some(line), None) => Some(client_cert(line.as_bytes()).map(PeerCertificate::from_der).ok_or_else(malformed)?),
        _ => return Err(malformed()),
    };
    request.extensions_mut().insert(Forwarded(certificate));
    Ok(())
}

fn malformed() -> Rejection {
    Rejection::new(RejectionKind::InvalidRequest).with_detail("Client-Cert must be one certificate as RFC 9440 has it.")
}

/// The certificate of the client that sent a request.
pub(in crate::auth) fn certificate_of(extensions: &Extensions) -> Option<&PeerCertificate> {
    if let Some(Forwarded(certificate)) = extensions.get() {
        return certificate.as_ref();
    }
    let connection = || extensions.get::<ConnectInfo<TlsPeer>>().and_then(|info| info.0.peer_certificate());
    extensions.get::<PeerCertificate>().or_else(connection)
}
