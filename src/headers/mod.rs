//! Security headers on every response (OWASP REST Security and HTTP Headers Cheat Sheets, CSP Level 3, RFC 6797).
//!
//! A browser that somebody points at an API must not guess at content types, show the API in a
//! frame, run what it finds in a response, or keep it in a cache. [`SecurityHeadersLayer`] says so on
//! every response: also on refusals, preflights and errors.
//!
//! ```
//! use axum::{Router, body::Body, response::Html, routing::get};
//! use http::{Request, header};
//! use portcullis::headers::{CspNonce, SecurityHeaders, SecurityHeadersLayer};
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! async fn guide(nonce: CspNonce) -> Html<String> {
//!     Html(format!("<script nonce=\"{nonce}\">start()</script>"))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let headers = SecurityHeadersLayer::builder()
//!     .api_version("2025-01-01")
//!     .for_paths("/docs", SecurityHeaders::docs())
//!     .build()?;
//! let app = Router::new()
//!     .route("/", get(|| async { "hello" }))
//!     .route("/logo", get(|| async { ([(header::CACHE_CONTROL, "max-age=3600")], "logo") }))
//!     .route("/docs/guide", get(guide))
//!     .layer(ServiceBuilder::new().layer(headers));
//!
//! let response = app.clone().oneshot(Request::get("/").body(Body::empty())?).await?;
//! assert_eq!(response.headers()["x-content-type-options"], "nosniff");
//! assert_eq!(response.headers()["cache-control"], "no-store");
//! // What the handler says is left alone.
//! let response = app.clone().oneshot(Request::get("/logo").body(Body::empty())?).await?;
//! assert_eq!(response.headers()["cache-control"], "max-age=3600");
//! // A page's scripts carry the nonce of its response.
//! let response = app.oneshot(Request::get("/docs/guide").body(Body::empty())?).await?;
//! let policy = response.headers()["content-security-policy"].to_str()?;
//! assert!(policy.contains("script-src 'self' 'nonce-"));
//! # Ok(()) }
//! ```
//!
//! # The presets
//! | header | [`api`](SecurityHeaders::api) (default) | [`docs`](SecurityHeaders::docs) | [`html`](SecurityHeaders::html) |
//! |---|---|---|---|
//! | `Strict-Transport-Security`, over HTTPS only | `max-age=31536000; includeSubDomains` | the same | the same |
//! | `X-Content-Type-Options` | `nosniff` | `nosniff` | `nosniff` |
//! | `X-Frame-Options`, `frame-ancestors` | `DENY`, `'none'` | `DENY`, `'none'` | `SAMEORIGIN`, `'self'` |
//! | `Content-Security-Policy` | `default-src 'none'` | own scripts and those with the nonce, styles also inline | helmet's: own scripts, styles also inline |
//! | `Referrer-Policy` | `no-referrer` | `strict-origin-when-cross-origin` | `strict-origin-when-cross-origin` |
//! | `Permissions-Policy` | `geolocation=(), camera=(), microphone=(), payment=()` | the same | the same |
//! | `Cache-Control` | `no-store` | | |
//! | `Cross-Origin-Resource-Policy` | `same-origin` | `same-origin` | `same-origin` |
//! | `Cross-Origin-Opener-Policy` | | `same-origin` | `same-origin` |
//! | `Origin-Agent-Cluster` | | `?1` | `?1` |
//! | `X-XSS-Protection` | | | `0` |
//! | `Server`, `X-Powered-By` | removed | removed | removed |
//!
//! The MDN Observatory grades all three A+ ([`observatory`](crate::observatory) says so offline, `tests/interop` has its own
//! scanner say it).
//! Each header is set only where the handler set none, so that a route which serves a page or a cacheable
//! file says so itself; [`force`](SecurityHeadersLayerBuilder::force) turns that around. Other headers under a
//! path: [`for_paths`](SecurityHeadersLayerBuilder::for_paths), or a second layer on the inner router.
//! `Cross-Origin-Resource-Policy` does not hinder pages that use CORS.
//!
//! `X-Request-ID` stands on every response that any layer of this crate has seen; `X-Response-Time` and
//! `Server-Timing` only if [asked for](SecurityHeadersLayerBuilder::response_time), because they cost a reading of the
//! clock, and tell strangers how long things take.
//! [`seed`](SecurityHeadersLayer::seed) reproduces older lists literally.
//!
//! **HTTPS** is known from the connection, from the URI of the request (HTTP/2) or from the header of a
//! [trusted proxy](crate::request::TrustedProxies). Where it is not known, as over HTTP/1.1 without
//! a trusted proxy, HSTS is not sent: name the proxies, or say
//! [`assume_https`](SecurityHeadersLayerBuilder::assume_https). `preload` is not sent unless asked for: whoever sees it
//! may enter the domain into the browsers' list.
//!
//! # Values are typed
//! [`Csp`], [`PermissionsPolicy`], [`Hsts`] and the enumerations know what browsers know: a misspelt directive, an
//! unquoted `self`, `'none'` beside something else, an unknown value are errors of
//! [`build`](SecurityHeadersLayerBuilder::build). What works and should not be done is a [lint](crate::lint):
//!
//! | code | severity | |
//! |---|---|---|
//! | `csp-constant-nonce` | high | a nonce written into the policy: whoever has seen one page can run scripts |
//! | `csp-script-unsafe-inline`, `csp-script-unsafe-eval`, `csp-script-any-host`, `csp-script-unrestricted`, `csp-object-unrestricted`, `csp-base-uri-missing`, `csp-strict-dynamic-alone`, `csp-insecure-source`, `csp-missing` | medium | the policy does not keep what is injected from running |
//! | `framing-unrestricted`, `content-type-sniffing`, `legacy-xss-protection`, `permissions-open-feature` | medium | |
//! | `hsts-missing`, `hsts-short` | medium | |
//! | `csp-form-action-missing`, `framing-contradictory`, `hsts-without-subdomains`, `permissions-unknown-feature` | low | |
//! | `hsts-preload`, `https-assumed`, `resource-policy-cross-origin` | info | |
//!
//! # In the stack
//! Outermost but for the context and audit. It reads the scheme from the context and leaves nothing there; the
//! nonce, where a policy has one, is in the request's extensions for [`CspNonce`].
//!
//! # How it fails
//! It refuses nothing. Where a page needs a nonce and the system has no random numbers, the request is refused: 500
//! `internal_error`.
//!
//! # Cost
//! Constant values are made once. A response costs ten look-ups in its header map, and at most one growth
//! of the map; a nonce costs a system call and two small allocations.

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
