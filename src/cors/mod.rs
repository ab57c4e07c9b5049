//! Cross-origin resource sharing (WHATWG Fetch §3.2): which origins' pages may read this API.
//!
//! Browsers keep a page from reading another origin's responses. [`CorsSecurityLayer`] makes exact
//! exceptions, puts them on *every* response (a 401 or 429 that the page cannot read looks like
//! a network failure to it), and answers preflights before any other layer is asked.
//!
//! **CORS is no access control.** It protects the users of browsers, never the API: `curl` sends any
//! `Origin`, a refused origin's request still reaches the handler, and only the page cannot read the
//! response. Who may call is decided by authentication and scopes; whether a cookie may be used
//! from another site, by `SameSite` and CSRF tokens.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode, header};
//! use portcullis::cors::CorsSecurityLayer;
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cors = CorsSecurityLayer::builder()
//!     .allow_origins(["https://app.example.com", "https://admin.example.com"])
//!     .methods(["GET", "POST", "PUT", "PATCH", "DELETE"])
//!     .request_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
//!     .build()?;
//! let app = Router::new().route("/", get(|| async { "hello" })).layer(ServiceBuilder::new().layer(cors));
//!
//! let preflight = Request::options("/")
//!     .header("origin", "https://app.example.com")
//!     .header("access-control-request-method", "PUT")
//!     .header("access-control-request-headers", "authorization")
//!     .body(Body::empty())?;
//! let response = app.clone().oneshot(preflight).await?;
//! assert_eq!(response.status(), StatusCode::NO_CONTENT);
//! assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example.com");
//! assert_eq!(response.headers()["access-control-allow-methods"], "PUT");
//!
//! let stranger = Request::get("/").header("origin", "https://evil.example").body(Body::empty())?;
//! let response = app.oneshot(stranger).await?;
//! assert!(!response.headers().contains_key("access-control-allow-origin"));
//! assert_eq!(response.headers()["vary"], "Origin");
//! # Ok(()) }
//! ```
//!
//! # What it answers
//! * **A preflight** is OPTIONS with `Origin` and one `Access-Control-Request-Method` of one token
//!   (Fetch §3.2.2). It gets 204 with what was asked, if the origin, the method and every header are
//!   allowed; else 204 without any `Access-Control-*` header, which is how a browser is told no. It
//!   never reaches authentication, limits or quotas. The reason of a refusal is a `tracing` event at
//!   debug level.
//! * **Every other request**, plain OPTIONS included, reaches the inner service. Its response, whoever
//!   made it, gets `Access-Control-Allow-Origin` and the exposed headers if the origin is allowed.
//! * `Vary: Origin` stands on every response, also without an `Origin` and for a single allowed
//!   origin: otherwise a cache hands one origin's response to another.
//! * `Access-Control-*` headers that an inner service set are taken out first, so that there is one
//!   policy. `null`, repeated and non-ASCII origins are never allowed.
//!
//! # Mistakes that do not build
//! Each origin is compared as bytes, so one that no browser ever sends would silently never match:
//! a trailing slash, a path, capitals, the default port, Unicode. They are errors of
//! [`build`](CorsSecurityLayerBuilder::build), as are `*`, `null`, plain HTTP with credentials, and every
//! wildcard or name that Fetch forbids. Origins are never patterns or regular expressions here:
//! suffix matches are how `https://app.example.com.evil.example` gets in.
//!
//! ```
//! use portcullis::cors::CorsSecurityLayer;
//!
//! let error = CorsSecurityLayer::builder()
//!     .allow_origins(["https://app.example.com/", "null", "http://intranet.example"])
//!     .allow_credentials()
//!     .methods(["GET", "TRACE"])
//!     .build()
//!     .unwrap_err();
//! assert_eq!(error.issues().len(), 4);
//! assert_eq!(
//!     error.issues()[0].to_string(),
//!     r#"allow_origin[0]: "https://app.example.com/" has a trailing slash, which browsers never send (remove the slash)"#,
//! );
//! ```
//!
//! # In the stack
//! Outside everything that refuses (authentication, limits, scopes, quotas), inside
//! [`SecurityHeadersLayer`](crate::headers::SecurityHeadersLayer). Put it on the router with
//! `Router::layer` after the routes were added: `route_layer` would leave out the 404s and the
//! preflights of unknown paths. It reads and leaves nothing in the context.
//!
//! # How it fails
//! It refuses nothing and fails never: there is no rejection of this layer.
//!
//! # Cost
//! One keyed hash of the origin, however many origins are allowed; no parsing, and no allocation but
//! the growth of the response's header map. A list in `Access-Control-Request-Headers` that is longer
//! than all allowed names together is refused unread.

mod address;
mod asked;
mod builder;
mod compiled;
mod explain;
mod fault;
mod grammar;
mod handle;
#[cfg(feature = "tower-http-interop")]
mod interop;
mod layer;
mod lints;
mod macros;
mod names;
mod origin;
mod origins;
mod policy;
mod settings;
mod source;
mod suffix;
mod validate;

#[cfg(feature = "tower-http-interop")]
pub use self::interop::{TowerHttpError, TowerHttpGap};
pub use self::{
    builder::{CorsBuilder, CorsSecurityLayerBuilder},
    explain::{Explanation, Outcome, Step},
    fault::OriginFault,
    handle::CorsHandle,
    layer::{CorsGate, CorsSecurityLayer},
    macros::origin,
    origin::{OriginError, OriginPattern},
    policy::{CorsPolicy, RefusedPreflight},
    source::{OriginCache, OriginRequest, OriginSource},
    validate::validate_configuration,
};

#[cfg(test)]
mod tests;
