//! No credential over plain HTTP: [`RequireHttpsLayer`].
//!
//! Whoever stands between a client and the service reads what comes without TLS. A redirect to HTTPS comes too
//! late: the credential has been shown, and a client that is redirected works, so that nobody mends it. So a
//! request over plain HTTP **with a credential is refused, never redirected**, and the owner learns which
//! credential it was, in order to revoke it (RFC 6750 §5.3, RFC 9700 §2.6, OWASP REST Security Cheat Sheet: HTTPS
//! only).
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode, header};
//! use portcullis::require_https::RequireHttpsLayer;
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let require = RequireHttpsLayer::builder().redirect_without_credentials(["api.example"]).build()?;
//! let app = Router::new().route("/", get(|| async { "hello" })).layer(ServiceBuilder::new().layer(require));
//!
//! let exposed = Request::get("http://api.example/").header(header::AUTHORIZATION, "Bearer abc").body(Body::empty())?;
//! let response = app.clone().oneshot(exposed).await?;
//! assert_eq!(response.status(), StatusCode::FORBIDDEN);
//!
//! let reader = Request::get("http://api.example/?page=2").body(Body::empty())?;
//! let response = app.clone().oneshot(reader).await?;
//! assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
//! assert_eq!(response.headers()["location"], "https://api.example/?page=2");
//!
//! let safe = Request::get("https://api.example/").header(header::AUTHORIZATION, "Bearer abc").body(Body::empty())?;
//! assert_eq!(app.oneshot(safe).await?.status(), StatusCode::OK);
//! # Ok(()) }
//! ```
//!
//! # What is refused
//! | scheme | credential | answer |
//! |---|---|---|
//! | HTTPS | | passes |
//! | plain HTTP | some | 403 `credential_exposed`, and the [observer](ExposureObserver) is told |
//! | plain HTTP | none, GET or HEAD to a listed host | 308 to HTTPS, if [asked for](RequireHttpsLayerBuilder::redirect_without_credentials) |
//! | plain HTTP | none | 403 `https_required` |
//! | unknown | | 403 `https_required`, with the cure in the log |
//!
//! **Why 403.** The server understood the request and refuses it, whatever is sent again (RFC 9110 §15.5.4). 421 makes
//! clients send the same request again on another connection, the credential with it (§15.5.20); 426 must name a
//! protocol to upgrade to on this connection (§15.5.22), and no browser upgrades to TLS; 401 asks for the very
//! credential that must not be sent.
//!
//! **The scheme** is that of the [context](crate::request::RequestContext::scheme): of the TLS connection or HTTP/2
//! target itself, or of the header of a [trusted proxy](crate::request::TrustedProxies). Anybody else's header is not
//! read. Over HTTP/1.1 without a trusted proxy the scheme is unknown, and then nothing passes: a service that stands
//! behind a proxy it does not know cannot tell. Name the proxies.
//!
//! **Credentials** are the headers `Authorization`, `Proxy-Authorization`, `Cookie` and `X-API-Key` and the query
//! parameters `access_token`, `api_key`, `apikey` and `token`, and those that you add. They are not verified: a
//! wrong one may be one character away from a right one.
//!
//! **The redirect** goes to the host that you listed, never to one that the request names and you did not.
//!
//! # In the stack
//! Inside CORS and security headers, so that a page can read the refusal, and outside everything that looks at a
//! credential. It reads the scheme. Where it finds a credential, the audit record has the action
//! `credential.exposed`, and for each credential a resource: the header's or parameter's name, and a fingerprint by which the
//! same credential is recognised while the process lives.
//!
//! # How it fails
//! | kind | status |
//! |---|---|
//! | `credential_exposed` | 403 |
//! | `https_required` | 403 |
//!
//! # Cost
//! Over HTTPS one comparison.

mod builder;
mod credentials;
mod layer;
mod lints;
mod redirect;

pub use self::{
    builder::RequireHttpsLayerBuilder,
    credentials::{Exposed, ExposureObserver},
    layer::{RequireHttpsGate, RequireHttpsLayer},
};

#[cfg(test)]
mod tests;
