//! Security headers on every response (OWASP REST Security Cheat Sheet).
//!
//! A browser that somebody points at an API must not guess at content types, show the API in a
//! frame, run what it finds in a response, or keep it in a cache. [`SecurityHeadersLayer`] says so on
//! every response: also on refusals, preflights and errors.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, header};
//! use portcullis::headers::SecurityHeadersLayer;
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let headers = SecurityHeadersLayer::builder().header("x-api-version", "2025-01-01").build()?;
//! let app = Router::new()
//!     .route("/", get(|| async { "hello" }))
//!     .route("/logo", get(|| async { ([(header::CACHE_CONTROL, "max-age=3600")], "logo") }))
//!     .layer(ServiceBuilder::new().layer(headers));
//!
//! let response = app.clone().oneshot(Request::get("/").body(Body::empty())?).await?;
//! assert_eq!(response.headers()["x-content-type-options"], "nosniff");
//! assert_eq!(response.headers()["cache-control"], "no-store");
//! // What the handler says is left alone.
//! let response = app.oneshot(Request::get("/logo").body(Body::empty())?).await?;
//! assert_eq!(response.headers()["cache-control"], "max-age=3600");
//! # Ok(()) }
//! ```
//!
//! # The values for an API
//! | header | value |
//! |---|---|
//! | `Strict-Transport-Security` (RFC 6797) | `max-age=31536000; includeSubDomains`, over HTTPS only |
//! | `X-Content-Type-Options` | `nosniff` |
//! | `X-Frame-Options` | `DENY` |
//! | `Content-Security-Policy` | `default-src 'none'; frame-ancestors 'none'` |
//! | `Referrer-Policy` | `no-referrer` |
//! | `Permissions-Policy` | `geolocation=(), camera=(), microphone=(), payment=()` |
//! | `Cache-Control` | `no-store` |
//! | `Cross-Origin-Resource-Policy` | `same-origin` (pages that use CORS are not hindered) |
//! | `Server`, `X-Powered-By` | removed |
//!
//! Each is set only where the handler set none, so that a route which serves a page or a cacheable
//! file says so itself; [`force`](SecurityHeadersLayerBuilder::force) turns that around.
//! `X-XSS-Protection` is not sent: browsers have removed it, and it opened holes of its own. `preload`
//! is not sent unless asked for: whoever sees it may enter the domain into the browsers' list.
//!
//! **HTTPS** is known from the URI of the request (HTTP/2) or from `X-Forwarded-Proto` of a
//! [trusted proxy](crate::request::TrustedProxies). Where it is not known, as over HTTP/1.1 without
//! a trusted proxy, HSTS is not sent: name the proxies, or say
//! [`assume_https`](SecurityHeadersLayerBuilder::assume_https).
//!
//! # In the stack
//! Outermost but for the context and audit. It reads the scheme from the context and leaves nothing there.
//!
//! # How it fails
//! It refuses nothing and fails never. Values that would have no effect, such as an unquoted `self`,
//! are errors of [`build`](SecurityHeadersLayerBuilder::build).
//!
//! # Cost
//! The values are made once. A response costs ten look-ups in its header map, and at most one growth
//! of the map.

mod builder;
mod csp;
mod layer;
mod lints;
mod nonce;
mod permissions;
mod presets;
mod profile;
mod values;

pub use self::{
    builder::SecurityHeadersLayerBuilder,
    csp::{Csp, Directive, Source},
    layer::{SecurityHeadersGate, SecurityHeadersLayer},
    nonce::CspNonce,
    permissions::PermissionsPolicy,
    profile::SecurityHeaders,
    values::{FrameOptions, Hsts, OpenerPolicy, ReferrerPolicy, ResourcePolicy},
};

#[cfg(test)]
mod tests;
