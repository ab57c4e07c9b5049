//! How many requests are under way at once.
//!
//! A rate says how often; it says nothing of requests that take long. Ten exports that run for a minute
//! each are six hundred a minute's worth of work, and a caller who opens downloads and reads them slowly
//! holds connections and memory for as long as he likes. Here a request holds a permit from the moment
//! it is let in until its response's *body* has been sent, has failed, or is dropped.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use http_body_util::BodyExt;
//! use portcullis::{
//!     backend::memory::MemoryStore,
//!     rate_limit::{ConcurrencyLimit, ConcurrencyLimitLayer, Key},
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let layer = ConcurrencyLimitLayer::builder(MemoryStore::new())
//!     .limit(ConcurrencyLimit::new("downloads", Key::ip(), 1).plan("pro", 10))
//!     .limit(ConcurrencyLimit::new("capacity", Key::global(), 1_000))
//!     .build()?;
//! let app = Router::new()
//!     .route("/export", get(|| async { "a,b,c" }))
//!     .layer(ServiceBuilder::new().layer(layer));
//! let get = || app.clone().oneshot(Request::get("/export").body(Body::empty()).unwrap());
//!
//! let first = get().await?;
//! assert_eq!(first.headers()["ratelimit-policy"], r#""downloads";q=1;qu="concurrent-requests""#);
//! assert_eq!(get().await?.status(), StatusCode::TOO_MANY_REQUESTS);
//! // Once the body has been read to its end …
//! first.into_body().collect().await?;
//! assert_eq!(get().await?.status(), StatusCode::OK);
//! # Ok(())
//! # }
//! ```
//!
//! # Permits
//! Each [`ConcurrencyLimit`] that applies to a request must grant one, or the request is refused and gives
//! back those that it has. For that instant another request may be refused that would have found room;
//! never is one let in too many. A permit ends with the body, with a handler that fails or panics, and
//! with a client who goes away. A connection that is upgraded (WebSocket) holds it until the answer to
//! the handshake only.
//!
//! They lie in a [`ConcurrencyStore`]. In memory they are counted exactly, and die with the process. In a
//! store that processes share each is a lease, which is renewed three times before it ends: what a process
//! that crashed held is free when the lease is over, 60 s by default.
//!
//! # Where it stands
//! Inside `AuthLayer` if a limit is a caller's; outside what works hard. It reads what the keys need
//! from the context, and leaves nothing.
//!
//! # How it fails
//! | what happened | kind | status | also |
//! |---|---|---|---|
//! | too many at once | `rate_limit_exceeded` | 429 | `RateLimit`, `RateLimit-Policy` with `qu="concurrent-requests"`; members `limit`, `remaining`, `violated-policies` |
//! | the same, of all callers together ([`Key::global`](super::Key::global)) | `service_unavailable` | 503 | `violated-policies` |
//! | the store cannot answer | `backend_unavailable` | 503 | `Retry-After: 1` |
//!
//! Refusals carry no `Retry-After` unless you [say one](ConcurrencyLimitLayerBuilder::retry_after): nobody
//! knows when a request will end.
//!
//! # Cost
//! In memory a lock and a count for each limit, on the way in and on the way out; the response's body is
//! boxed once, so that its end is seen. A shared store takes a round trip on the way in, and a task each
//! for that, for the signs of life and for the release.

mod builder;
mod headers;
mod held;
mod layer;
mod limit;
mod store;
#[cfg(test)]
mod tests;

pub use self::{
    builder::ConcurrencyLimitLayerBuilder,
    layer::{ConcurrencyLimitGate, ConcurrencyLimitLayer, ConcurrencyLimitPass},
    limit::ConcurrencyLimit,
    store::{Admission, ConcurrencyStore, Permit, PermitAsk},
};
