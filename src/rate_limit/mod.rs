//! How fast callers may call: rules of key and rate, charged together, over a store of your choice.
//!
//! Protects against brute force (a few log-ins a minute for each address), against one caller who
//! takes everybody's share (OWASP API4:2023, unrestricted resource consumption), and what stands
//! behind against the sum of all.
//!
//! ```
//! use axum::{Router, body::Body, routing::post};
//! use http::{Method, Request, StatusCode};
//! use portcullis::backend::memory::MemoryStore;
//! use portcullis::rate_limit::{Key, Rate, RateLimitLayer, Rule};
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let layer = RateLimitLayer::builder(MemoryStore::new())
//!     .rule(
//!         Rule::new("clients", Key::client(), Rate::per_minute(10).burst(20))
//!             .plan("pro", Rate::per_minute(600).burst(1_000)),
//!     )
//!     .rule(Rule::new("login", Key::ip(), Rate::per_minute(5)).on(Method::POST, "/auth/login"))
//!     .rule(Rule::new("capacity", Key::global(), Rate::per_second(10_000)))
//!     .build()?;
//!
//! let app = Router::new()
//!     .route("/auth/login", post(|| async { "welcome" }))
//!     .layer(ServiceBuilder::new().layer(layer.clone()));
//! let login = || app.clone().oneshot(Request::post("/auth/login").body(Body::empty()).unwrap());
//! for _ in 0..5 {
//!     assert_eq!(login().await?.status(), StatusCode::OK);
//! }
//! let refused = login().await?;
//! assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
//! assert_eq!(refused.headers()["retry-after"], "12");
//! assert_eq!(refused.headers()["ratelimit-policy"], r#""clients";q=20;w=120, "login";q=5;w=60"#);
//! assert_eq!(layer.verdicts().passed, 5);
//! # Ok(())
//! # }
//! ```
//!
//! # The parts
//! * A [`Rule`] says who is told apart ([`Key`]), how much each may ([`Rate`], by plan and endpoint), what
//!   a request costs ([`Cost`]), whom it does not hold for ([`Exemption`]), and what happens while the
//!   store is lost ([`OnStoreLoss`]). [`EndpointClass`] has the usual rates.
//! * A [`PlanResolver`] says on which plan callers are whose credentials do not say so.
//! * A [`Breaker`] turns requests away while what stands behind is overloaded.
//! * The [`RateLimitHandle`] of a layer replaces its rules, explains what holds for a request, and reads
//!   what rules that only count ([`Rule::shadow`]) would have done.
//! * An [`Algorithm`] is a pure step from one [`State`] to the next: [`TokenBucket`] (the default),
//!   [`LeakyBucket`], [`FixedWindow`], [`SlidingLog`], [`SlidingCounter`], [`LeakyQueue`] (which delays
//!   instead of refusing), or one of yours.
//! * A [`RateLimitStore`] keeps the states and runs the steps: the memory store, or one of yours.
//!   Every algorithm works on every store.
//! * All rules that apply to a request are one [`Batch`]: all of them are charged, or none is. A
//!   refused request costs nothing.
//!
//! # Where it stands
//! Inside `AuthLayer`, so that callers and plans are known, and outside `ScopeLayer`. Rules by
//! address and for all callers together may stand in a layer of their own outside `AuthLayer`,
//! where they also slow down who guesses credentials; those two layers are two batches, and what the
//! outer one charged stays charged if the inner one refuses.
//!
//! It reads the context's clock (the monotonic reading), client address, principal and route. It
//! leaves [`RateLimitStatus`](crate::request::RateLimitStatus): the limit closest to exhaustion. Where the
//! store was lost and rules do not close, the trail has a verdict `rate_limit.degraded`.
//!
//! # What the caller is told
//! See [`RateLimitHeaders`]; nested layers join their lists. What all callers do together
//! ([`Key::global`]) is in none of them.
//!
//! | what happened | kind | status | also |
//! |---|---|---|---|
//! | a limit is exceeded | `rate_limit_exceeded` | 429 | `Retry-After`; members `limit`, `remaining`, `reset_at`, `violated-policies` |
//! | only limits on all callers together are | `service_unavailable` | 503 | `Retry-After`; `violated-policies` |
//! | the breaker is open, or too many requests are under way | `service_unavailable` | 503 | `Retry-After` |
//! | a header or path parameter that a rule goes by is repeated, too long or unreadable | `invalid_request` | 400 | |
//! | the store or the plan resolver cannot answer, and a rule is closed then | `backend_unavailable` | 503 | `Retry-After: 1` |
//!
//! `Retry-After` is whole seconds, rounded up: whoever waits so long, and is alone with his bucket,
//! passes. If several limits refuse, it is the longest of their waits. It is absent where no waiting
//! helps.
//!
//! # Cost
//! Each part of a key is hashed once for a request, whatever the number of rules that go by it, and what
//! belongs to the caller once for each credential that is remembered. A decision by the memory store then
//! takes, for each rule, a look into a table and a few nanoseconds of arithmetic, without a lock for states
//! of one word ([`Packing`]) and with one for others; nothing is allocated for it. The header fields take one
//! allocation for a single rule, and two for several. Which rules and limits hold is found by the
//! segments of the route: ten thousand rules, endpoints or plans cost a request no more than one. What
//! allocates is to take a key from the path, a header or a function, and to settle a cost afterwards.

/// Runs the programs of the page.
#[cfg(doctest)]
#[doc = include_str!("../../docs/stores.md")]
struct Stores;

mod algorithm;
mod asked;
mod batch;
mod blocking;
mod breaker;
mod builder;
mod cas;
mod checks;
mod compiled;
pub mod concurrency;
mod contention;
mod cost;
mod endpoint;
mod exemption;
mod explain;
mod gate;
mod guard;
mod handle;
mod headers;
mod identity;
mod inline;
mod key;
mod layer;
mod leased;
mod limit;
mod limit_of;
mod losses;
mod outcome;
mod owned;
mod packed;
mod picks;
mod places;
mod plans;
mod preset;
mod rate;
mod rule;
mod ruleset;
mod selector;
mod settling;
mod shadow;
pub mod shaping;
mod simulate;
mod sip;
mod state;
mod state_bytes;
mod store;
mod store_loss;
mod usage;
mod view;

pub(crate) use self::algorithm::{LATE, PackedTake};
#[cfg(feature = "postgres")]
pub(crate) use self::contention::Turn;
pub(crate) use self::identity::{bucket, mix};
pub(crate) use self::inline::Inline;
pub use self::{
    algorithm::{
        Algorithm, AlgorithmId, Decision, FixedWindow, Inherit, Inheriting, Language, LeakyBucket, LeakyQueue, Op,
        Program, SlidingCounter, SlidingLog, Step, TokenBucket, Windows, Write,
    },
    batch::{Batch, BatchFull, BatchSteps, Charge, ChargeKey, Verdicts},
    blocking::Blocking,
    breaker::Breaker,
    builder::RateLimitLayerBuilder,
    cas::{CasBackend, CasStore, Version},
    concurrency::{ConcurrencyLimit, ConcurrencyLimitLayer, ConcurrencyLimitLayerBuilder, ConcurrencyStore},
    cost::{Cost, StatusClass},
    exemption::Exemption,
    explain::{Applied, ExplainedRule, Explanation, WhyNot},
    gate::{RateLimitGate, RateLimitPass},
    handle::RateLimitHandle,
    headers::{HeaderDialect, LegacyReset, QuotaUnit, RateLimitHeaders},
    identity::{HashedPart, HashedRule},
    key::{Key, KeyPart},
    layer::RateLimitLayer,
    leased::LeasedStore,
    limit::Limit,
    packed::{Packed, PackedClock, PackedStep, PackedWrite, Packing},
    plans::{OnPlanLoss, PlanResolver, PlanSubject},
    preset::EndpointClass,
    rate::Rate,
    rule::Rule,
    shadow::Shadowed,
    shaping::{RequestDeadline, ShapingLayer, ShapingLayerBuilder},
    simulate::{Proposal, Share, SimulatedLimit, TimeSlice, Timeline, TraceOutcome, TraceRequest, recommend, simulate},
    state::State,
    store::RateLimitStore,
    store_loss::OnStoreLoss,
    usage::RateLimitUsage,
    view::RequestView,
};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use self::{
    contention::{Jitter, Reads, Turns},
    state_bytes::{read_state, write_state},
};

#[cfg(test)]
mod tests;

/// Runs the programs of the page.
#[cfg(doctest)]
#[doc = include_str!("../../docs/rate-limiting.md")]
struct Page;
