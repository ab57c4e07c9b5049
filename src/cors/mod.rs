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
//! # Which origins
//! One origin, exactly as browsers send it; all subdomains of a domain, `https://*.example.com`; all ports
//! of a host, `http://localhost:*`; or both: an [`OriginPattern`]. There are no regular expressions and no
//! suffixes, which is how `https://app.example.com.evil.example` gets in elsewhere. What is known when the
//! program is written is checked when it is compiled:
//!
//! ```
//! use portcullis::cors::{CorsSecurityLayer, origin};
//!
//! let cors = CorsSecurityLayer::builder()
//!     .allow_origins([origin!("https://*.example.com"), origin!("http://localhost:*")])
//!     .build()?;
//! # let _ = cors;
//! # Ok::<_, portcullis::config_error::ConfigError>(())
//! ```
//!
//! Everybody ([`allow_any_origin`](CorsBuilder::allow_any_origin)) is for what is public anyway. The origins of
//! tenants, which nobody knows at start-up, come from an [`OriginSource`].
//!
//! # What it answers
//! * **A preflight** is OPTIONS with `Origin` and one `Access-Control-Request-Method` of one token
//!   (Fetch §3.2.2). It gets 204 with what was asked, if the origin, the method and every header are
//!   allowed; else 204 ([or 403](CorsBuilder::refused_preflight)) without any `Access-Control-*` header,
//!   which is how a browser is told no. It never reaches authentication, limits or quotas.
//! * **Every other request**, plain OPTIONS included, reaches the inner service. Its response, whoever
//!   made it, gets `Access-Control-Allow-Origin` and the exposed headers if the origin is allowed.
//! * `Vary: Origin` stands on every response, also without an `Origin` and for a single allowed
//!   origin: otherwise a cache hands one origin's response to another. Only where everybody may read,
//!   it would be of no use, and is not there.
//! * `Access-Control-*` headers that an inner service set are taken out first, so that there is one
//!   policy. `null`, repeated and non-ASCII origins are never allowed.
//!
//! # What does not build
//! Each origin is compared as bytes, so one that no browser ever sends would silently never match:
//! a trailing slash, a path, capitals, the default port, Unicode. They are errors of
//! [`build`](CorsBuilder::build), as is every name that Fetch forbids; and so is what is dangerous:
//!
//! | finding | severity | |
//! |---|---|---|
//! | `wildcard-origin-with-credentials` | critical | browsers refuse the pair; who gets round that by reflecting gives every site the user's session |
//! | `null-origin` | high | every sandboxed frame has it |
//! | `unacceptable-origin` | high | an origin that would never match, with the reason |
//! | `insecure-origin-with-credentials` | high | plain HTTP beyond this machine |
//! | `public-suffix` | high | `https://*.github.io`: everybody can have a subdomain |
//! | `wildcard-expose-with-credentials` | high | then `*` is the name of a header |
//! | `wildcard-methods`, `wildcard-headers` | medium | |
//! | `broad-subdomain-with-credentials` | medium | one subdomain that is taken over acts for all users |
//! | `forbidden-method`, `forbidden-header`, `forbidden-expose` | medium | no script can send or read it; does not build either |
//! | `rate-limit-headers-not-exposed` | medium | a page cannot read how long to wait |
//! | `max-age-capped` | low | longer than Chromium keeps an answer |
//! | `safelisted-redundant`, `redundant-origin` | info | allowed anyway |
//! | `credentials-not-needed-for-bearer` | info | a page that sends `Authorization` itself |
//! | `private-network-legacy`, `explains-failures` | info | |
//!
//! Critical and high findings fail the build, all at once, each with its cure and a link, unless the owner
//! [allows the code and says why](CorsBuilder::allow_lint); what cannot work at all cannot be allowed. All
//! findings stand in the [report](CorsSecurityLayer::report), [before](CorsBuilder::lint) and after.
//!
//! Whether a domain is shared, a short list of well-known hosts and registries says (a domain of one label
//! is always); with the feature `psl`, the whole Public Suffix List. [`validate_configuration`] looks at
//! configurations that are not ours.
//!
//! ```
//! use portcullis::cors::CorsSecurityLayer;
//!
//! let settings = CorsSecurityLayer::builder()
//!     .allow_origins(["https://app.example.com/", "null", "http://intranet.example"])
//!     .allow_credentials()
//!     .methods(["GET", "TRACE"]);
//! assert_eq!(settings.lint().issues().len(), 4);
//! let error = settings.build().unwrap_err();
//! assert_eq!(error.issues().len(), 4);
//! assert_eq!(
//!     error.issues()[0].to_string(),
//!     "allow_origin[0]: high: \"https://app.example.com/\" has a trailing slash, which browsers never send \
//!      (remove the slash. See https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin)",
//! );
//! ```
//!
//! # What a page can read
//! Browsers show a page of another origin seven response headers. [The default](CorsBuilder::expose_standard) adds
//! what the layers of this crate write for pages: each gate declares it
//! ([`Gate::EMITS`](crate::gate::Gate::EMITS)), and the union is exposed, `Retry-After`, `RateLimit`,
//! `X-RateLimit-*`, `X-Quota-*`, `X-Request-ID`, `WWW-Authenticate`, `DPoP-Nonce`, `Deprecation` and `Sunset`
//! among it. The handlers' own are [`expose`](CorsBuilder::expose)d by name.
//!
//! # While it serves
//! [`CorsHandle::reload`] puts another [`CorsPolicy`] in force; requests read it without a lock.
//! [`CorsPolicy::explain`] says rule by rule what becomes of a request. In development,
//! [`explain_failures`](CorsBuilder::explain_failures) lets the browser's console name the method or header
//! that was not allowed.
//!
//! ```
//! use http::Request;
//! use portcullis::cors::CorsPolicy;
//!
//! let policy = CorsPolicy::builder().allow_origin("https://*.example.com").build()?;
//! let request = Request::get("/").header("origin", "https://example.com").body(())?;
//! assert!(policy.explain(&request).to_string().contains("https://*.example.com is, which stands for its subdomains only"));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # In the stack
//! Outside everything that refuses (authentication, limits, scopes, quotas), inside
//! [`SecurityHeadersLayer`](crate::headers::SecurityHeadersLayer). Put it on the router with
//! `Router::layer` after the routes were added: `route_layer` would leave out the 404s and the
//! preflights of unknown paths. It reads the time from the context, and leaves nothing there.
//!
//! With the feature `tower-http-interop`, a [`CorsPolicy`] converts to tower-http's `CorsLayer`, where that
//! can keep to it.
//!
//! # How it fails
//! A list of origins never fails. An [`OriginSource`] may:
//!
//! | what happens | answer |
//! |---|---|
//! | the source fails, or is slow, and has answered the same before | the last answer counts on |
//! | … and has not | 503 `backend_unavailable`, for preflights and requests alike |
//! | a preflight is refused, with [`RefusedPreflight::Forbidden`] | 403 `forbidden` |
//!
//! # Cost
//! One keyed hash of the origin, however many origins are allowed, and one more for each number of labels
//! that a pattern's domain has; no parsing, and no allocation but the growth of the response's header map. A
//! list in `Access-Control-Request-Headers` that is longer than all allowed names together is refused unread.
//! A source's answer is remembered: no box, no allocation, until it is asked again.

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
