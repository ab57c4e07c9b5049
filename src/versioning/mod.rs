//! Versions of the API: which one a request wants, and how old ones end.
//!
//! An API that cannot take anything away cannot be repaired. [`ApiVersionLayer`] finds the version that a
//! request names, says on each response which one was served, announces the end of old versions in the way
//! that clients can read (`Deprecation`, RFC 9745; `Sunset`, RFC 8594), ends them when their time has come,
//! by itself, and knows who still calls them.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     gate::RequestContextLayer,
//!     time::{ManualClock, Timestamp},
//!     versioning::{ApiVersion, ApiVersionLayer, SupportedVersion, UtcDate, VersionSource},
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = ManualClock::at(UtcDate::new(2025, 7, 1).timestamp().unwrap_or_default());
//! let versions = ApiVersionLayer::builder([
//!     SupportedVersion::new(ApiVersion::number(1))
//!         .deprecated(UtcDate::new(2025, 1, 1))
//!         .sunset(UtcDate::new(2025, 12, 31).end_of_day())
//!         .successor_link("/v2"),
//!     SupportedVersion::new(ApiVersion::number(2)),
//! ])
//! .sources([VersionSource::path(), VersionSource::header(), VersionSource::accept("example")])
//! .build()?;
//! let app = Router::new()
//!     .nest("/v1", Router::new().route("/orders", get(|| async { "old" })))
//!     .nest("/v2", Router::new().route("/orders", get(|| async { "new" })))
//!     .layer(ServiceBuilder::new().layer(RequestContextLayer::new().clock(clock.clone())).layer(versions.clone()));
//!
//! let get = |path| Request::get(path).body(Body::empty());
//! let response = app.clone().oneshot(get("/v1/orders")?).await?;
//! assert_eq!(response.headers()["x-api-version"], "v1");
//! assert_eq!(response.headers()["deprecation"], "@1735689600");
//! assert_eq!(response.headers()["sunset"], "Wed, 31 Dec 2025 23:59:59 GMT");
//! assert_eq!(response.headers()["link"], "</v2>; rel=\"successor-version\"");
//!
//! clock.set_wall(UtcDate::new(2026, 1, 1).timestamp().unwrap_or_default());
//! assert_eq!(app.clone().oneshot(get("/v1/orders")?).await?.status(), StatusCode::GONE);
//! assert_eq!(app.oneshot(get("/v2/orders")?).await?.status(), StatusCode::OK);
//! assert_eq!(versions.usage().callers(ApiVersion::number(1))[0].calls, 2);
//! # Ok(()) }
//! ```
//!
//! # Where the version stands
//! In the path, in a field, or in `Accept`: see [`VersionSource`]. A request that names it in several places
//! must name the same one in all of them. With the path, routes are usually nested under each version, and
//! the layer stands on the router around them. To serve several versions by one set of routes, take
//! [`VersionSource::stripped`] and put the layer around the router with [`ApiVersionLayer::wrap`]: layers of
//! a router come after its routing, too late to change the path.
//!
//! The handler takes [`ApiVersion`] as an extractor. Where the version comes from a field, `Vary` says so on
//! every response, refusals included: otherwise a cache hands out one version for another. The media type of
//! a response stays the handler's, also where the version came from `Accept`.
//!
//! # What it adds to responses
//! | field | value |
//! |---|---|
//! | `X-API-Version` | the version that was served, unless the handler has set one |
//! | `Deprecation` | `@` and seconds since 1970 (RFC 9745), also for a date to come |
//! | `Sunset` | a date (RFC 8594), written from a [`UtcDate`]: no weekday can be wrong |
//! | `Link` | `rel="deprecation"`, `"sunset"`, `"successor-version"` |
//! | `Vary` | the fields that name versions |
//!
//! Browsers show fields to pages of other origins only if CORS exposes them.
//!
//! # What it reads and leaves
//! It reads the request's clock reading and, when the request is over, the principal; it leaves the version
//! in the [`RequestContext`](crate::request::RequestContext).
//!
//! # Where it stands
//! Inside CORS, security headers and limits by address; outside authentication: who calls a version that
//! has ended learns so without a credential. `wrap` stands around the router, and so inside all layers that
//! are put on what it returns; those do not see the matched route.
//!
//! # How it refuses
//! | what | kind | status |
//! |---|---|---|
//! | an unknown version in the path, or none where there must be one | `not_found` | 404 |
//! | the same in a field; a repeated field; two different versions | `invalid_request` | 400 |
//! | an unknown version in `Accept`, and nothing else accepted | `not_acceptable` | 406 |
//! | a version whose sunset is past, or that is browned out | `gone` | 410 |
//! | a path that is rewritten too late | `misconfigured` | 500 |
//!
//! The first three name the versions that there are in the member `supported`.
//!
//! # Cost
//! A few comparisons and header values that were made when the layer was built; no allocation, but for a
//! rewritten path. Calls of versions that end take a lock for the time of a table's entry.

mod accept;
mod builder;
mod date;
mod layer;
mod lints;
mod path;
mod served;
mod source;
mod supported;
mod usage;

pub use self::{
    builder::{ApiVersionLayerBuilder, WithoutVersion},
    date::UtcDate,
    layer::{ApiVersionGate, ApiVersionLayer, VersionPass},
    source::VersionSource,
    supported::SupportedVersion,
    usage::{CallerName, VersionCaller, VersionUsage},
};
pub use crate::request::ApiVersion;

#[cfg(test)]
mod tests;
