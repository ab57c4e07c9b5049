//! Client certificates: callers that are known by them, and tokens that are bound to them (RFC 8705).
//!
//! * [`ClientCertificates`] accepts callers by the certificate of their connection: services of a
//!   mesh (SPIFFE), devices, partners. Whose certificate it is, a [`CertificateTable`] tells, or a
//!   [`CertificateMapping`] of your own.
//! * A token with `cnf.x5t#S256` is accepted only on a connection with that certificate. This needs
//!   no configuration but a source of certificates; without one, such tokens are refused.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     auth::{AuthLayer, Verified, mtls::{CertificateTable, ClientCertificates}},
//!     identity::Principal,
//!     request::PeerCertificate,
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[cfg(feature = "mtls")]
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let table = CertificateTable::builder()
//!     .spiffe_id("spiffe://example.org/ns/shop/sa/billing", Verified::by_certificate("billing").scopes(["read:orders"])?)
//!     .build()?;
//! let auth = AuthLayer::builder().authenticator(ClientCertificates::new(table)).build()?;
//! let app = Router::new()
//!     .route("/me", get(|caller: Principal| async move { caller.subject().to_owned() }))
//!     .layer(ServiceBuilder::new().layer(auth));
//!
//! // What the TLS listener does once for each connection (see below).
//! let mut certificate = rcgen::CertificateParams::new([])?;
//! certificate.subject_alt_names.push(rcgen::SanType::URI("spiffe://example.org/ns/shop/sa/billing".try_into()?));
//! let certificate = certificate.self_signed(&rcgen::KeyPair::generate()?)?;
//! let certificate = PeerCertificate::from_der(certificate.der().to_vec());
//!
//! let request = Request::get("/me").extension(certificate).body(Body::empty())?;
//! assert_eq!(app.clone().oneshot(request).await?.status(), StatusCode::OK);
//! let without = Request::get("/me").body(Body::empty())?;
//! assert_eq!(app.oneshot(without).await?.status(), StatusCode::UNAUTHORIZED);
//! # Ok(()) }
//! # #[cfg(not(feature = "mtls"))] fn main() {}
//! ```
//!
//! # Where certificates come from
//! **From the connection.** A TLS listener of the application hands a [`TlsPeer`] to axum, with the
//! leaf certificate that the client showed; [`TlsPeers`] (feature `mtls`) makes such a listener fit for
//! `into_make_service_with_connect_info::<TlsPeer>()`. `examples/mtls.rs` is such a server, with
//! tokio-rustls. A server of another kind puts a [`PeerCertificate`] into the extensions of its
//! requests. **The listener verifies**: that the client holds the key, and, where names count, that an
//! authority of yours has signed the certificate. With rustls that is a `WebPkiClientVerifier`.
//!
//! **From a proxy** that ends TLS, in `Client-Cert` (RFC 9440), with
//! [`client_cert_header`](crate::auth::AuthLayerBuilder::client_cert_header), from the
//! [trusted proxies](crate::request::TrustedProxies) only. The header of anyone else, and
//! `Client-Cert-Chain`, is removed before anybody can believe it. What a trusted proxy shows as its
//! own certificate is then not the client's.
//!
//! # What is checked
//! The dates of the certificate, at each request (with the feature `mtls`; without it, only the
//! listener does, and only fingerprints can be told apart). A name counts if it stands among the
//! alternative names of a certificate that is not an authority's; the common name never does
//! (RFC 9525 §2). A SPIFFE ID counts if it is the only URI.
//!
//! A certificate comes with the connection, not with the request: it counts if the request carries
//! no other credential. A browser shows it whichever page asks for the request: where people's browsers
//! have certificates, refuse what `Sec-Fetch-Site` says that another site has sent. Its principal has the method `client_certificate`, the certificate's SHA-256
//! as credential id, and ends with the certificate.
//!
//! # How it fails
//! | what was sent | kind | status |
//! |---|---|---|
//! | no certificate, and nothing else | `missing_credentials` | 401 |
//! | a certificate that is unknown, unreadable, expired or not valid yet | `invalid_client_certificate` | 401 |
//! | a bound token without its certificate | `invalid_token` | 401 |
//! | a trusted proxy's `Client-Cert` twice, or not as RFC 9440 has it | `invalid_request` | 400 |
//! | anything, while a mapping of yours is down | `backend_unavailable` | 503 |
//!
//! # Cost
//! The certificate is digested and read once for a connection; a request costs a look-up, and the
//! copy of the row. From a proxy it is digested and read for each request. A request without one
//! costs two looks at its headers.

mod authenticator;
#[cfg(feature = "mtls")]
mod facts;
mod header;
#[cfg(feature = "mtls")]
mod listener;
mod mapping;
mod source;
mod spiffe;
mod table;
#[cfg(test)]
mod tests;

#[cfg(feature = "mtls")]
pub use self::listener::TlsPeers;
pub(in crate::auth) use self::source::{ClientCert, certificate_of, settle};
pub use self::{
    authenticator::ClientCertificates,
    mapping::{CertificateMapping, ClientCertificate},
    spiffe::SpiffeId,
    table::{CertificateTable, CertificateTableBuilder},
};
#[cfg(doc)]
use crate::request::{PeerCertificate, TlsPeer};
