//! Quotas: how many calls a plan allows in a calendar month.
//!
//! A rate limit bounds the speed of calls, a quota their number in a billing period (CWE-770, OWASP
//! API4:2023). [`QuotaLayer`] finds the caller's [`Plan`], takes the request's cost from the month's
//! allowance in one atomic step, and refuses with 402 what the allowance does not cover.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use portcullis::{backend::memory::MemoryStore, quota::{Plan, QuotaLayer}};
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let quota = QuotaLayer::builder(MemoryStore::new())
//!     .plan(Plan::new("free").monthly(2))
//!     .plan(Plan::new("enterprise").unlimited())
//!     .default_plan("free")
//!     .upgrade_url("https://example.com/plans")
//!     .build()?;
//! let app = Router::new().route("/", get(|| async { "hello" })).layer(ServiceBuilder::new().layer(quota));
//!
//! for left in ["1", "0"] {
//!     let response = app.clone().oneshot(Request::get("/").body(Body::empty())?).await?;
//!     assert_eq!(response.headers()["x-quota-remaining"], left);
//! }
//! let response = app.oneshot(Request::get("/").body(Body::empty())?).await?;
//! assert_eq!(response.status(), StatusCode::PAYMENT_REQUIRED);
//! assert_eq!(response.headers()["content-type"], "application/problem+json");
//! # Ok(()) }
//! ```
//!
//! # Whose allowance
//! * **Plan**: the principal's (by default the claim `subscription_tier`). Callers without one, with
//!   an unknown one, and addresses without a caller have the
//!   [default plan](QuotaLayerBuilder::default_plan); the first unknown one is a warning in the log.
//! * **Subject**: issuer, tenant and subject of the principal together, so each caller has an
//!   allowance of its own; with [`shared_by_tenant`](QuotaLayerBuilder::shared_by_tenant) the callers of one
//!   issuer's tenant share one. Without a principal it is the client's [network](crate::request::Network)
//!   (IPv4 address, IPv6 /64). The plan is no part of it: who upgrades keeps the month's usage.
//! * **Month**: the calendar month in UTC by the wall clock, when the request arrived. It is part of
//!   the key, so a new month begins at zero and nothing has to be reset.
//!
//! # What counts
//! Units are reserved on the way in. They are given back, once and to the month that they came from, when
//! an inner layer or the handler answers with a [`Rejection`](crate::rejection::Rejection), when
//! the handler panics or fails, and when the client goes away before there is a response. Every
//! other response counts, also an error of the handler's own making. What is reserved while a call
//! runs is used to others: the allowance is never exceeded, not even by concurrent calls.
//!
//! # What the client is told
//! | header | on | value |
//! |---|---|---|
//! | `X-Quota-Limit` | limited plans | units in the month |
//! | `X-Quota-Used` | all | units used, this call included |
//! | `X-Quota-Remaining` | limited plans | units left |
//! | `X-Quota-Reset` | all | when the next month begins, in seconds since the Unix epoch |
//!
//! They stand on every response that was metered, the 402 and inner refusals included. The 402 has
//! the members `plan`, `current_usage`, `quota`, `reset_at` (RFC 3339) and, if configured, `upgrade_url`;
//! never who called, or with which key. It has no `Retry-After`: that would ask a client to sleep for
//! weeks.
//!
//! # In the stack
//! Inside authentication and the limits of speed, outside validation of bodies. It reads the
//! principal, the client's address and the clock, and leaves
//! [`QuotaStatus`](crate::request::QuotaStatus), which handlers can extract.
//!
//! # How it fails
//! | case | kind | status |
//! |---|---|---|
//! | the allowance does not cover the call | `quota_exceeded` | 402 |
//! | the store cannot decide, or is full | `backend_unavailable` | 503, also for unlimited plans |
//!
//! # Cost
//! With [`MemoryStore`](crate::backend::memory::MemoryStore) one keyed hash of the subject, one lock of
//! a shard, no boxed future, and an allocation for each of the two numbers that change. A store that
//! has to be waited for costs a task, so that a client who goes away cannot leave half a
//! reservation. A store of yours is four methods, of which two have defaults: [`QuotaStore`] shows one.

mod builder;
mod held;
mod layer;
mod period;
mod plan;
mod ready;
mod store;
mod subject;

pub use self::{
    builder::QuotaLayerBuilder,
    layer::{QuotaGate, QuotaLayer, QuotaPass},
    period::Period,
    plan::Plan,
    store::{Charge, QuotaStore, Reservation},
    subject::QuotaSubject,
};

#[cfg(test)]
mod tests;
