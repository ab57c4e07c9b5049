//! A queue before a service: requests that come too fast wait for their turn instead of being refused.
//!
//! The leaky bucket as a shaper, for what suffers from bursts behind callers who would rather wait than
//! come again. Against callers who do *not* behave it is no protection by itself: put a
//! [`RateLimitLayer`](super::RateLimitLayer) outside.
//!
//! ```
//! use std::time::Duration;
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     backend::memory::MemoryStore,
//!     rate_limit::{Key, Rate, ShapingLayer},
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let layer = ShapingLayer::builder(MemoryStore::new(), "partner", Key::global(), Rate::per_second(50))
//!     .waiting(2)
//!     .longest_wait(Duration::from_millis(500))
//!     .build()?;
//! let app = Router::new()
//!     .route("/", get(|| async { "sent" }))
//!     .layer(ServiceBuilder::new().layer(layer.clone()));
//!
//! // One goes ahead at once, two wait for 20 and 40 ms, and the fourth is refused.
//! let send = || app.clone().oneshot(Request::new(Body::empty()));
//! let (a, b, c, d) = tokio::join!(send(), send(), send(), send());
//! let codes = [a?.status(), b?.status(), c?.status(), d?.status()];
//! assert_eq!(codes, [StatusCode::OK, StatusCode::OK, StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE]);
//! # Ok(())
//! # }
//! ```
//!
//! # The queue
//! It lies in the store, as every limit does ([`LeakyQueue`](super::LeakyQueue)): with a shared store all
//! processes take turns in one queue. Every store will do. What waits is bounded three times: units for
//! each key, time for each request, requests in each process.
//!
//! * **Deadlines**: whose turn would come after [`RequestDeadline`] is refused at once, and takes no place.
//! * **Leaving**: who goes away while waiting gives the place back, if nobody stands behind; else the
//!   turn stays empty, because those behind have been told theirs. A place that was taken in a remote
//!   store at the moment the client went away stays empty, too.
//! * Waiting is done in the request's own future, never in `poll_ready`: one who waits holds up nobody.
//!
//! # Where it stands
//! Like [`RateLimitLayer`](super::RateLimitLayer), inside `AuthLayer` if the key is a caller's. It reads
//! the context's clock and what the key needs, and leaves nothing. The layers inside see the clock
//! reading of the request's arrival, which is older by the time it has waited: keep waits short where
//! tokens are short-lived.
//!
//! # How it fails
//! | what happened | kind | status | also |
//! |---|---|---|---|
//! | the queue is full, or the turn would come too late | `rate_limit_exceeded` | 429 | `Retry-After`; members `limit`, `remaining`, `violated-policies` |
//! | the same, with [`Key::global`](super::Key::global) | `service_unavailable` | 503 | `Retry-After`; `violated-policies` |
//! | too many wait in this process | `service_unavailable` | 503 | `Retry-After` |
//! | the store cannot answer | `backend_unavailable` | 503 | `Retry-After: 1` |
//!
//! # Cost
//! Who needs not wait pays for a decision, as with any limit. Who waits pays for a box and a timer.

mod builder;
mod deadline;
mod layer;
mod room;
#[cfg(test)]
mod tests;
mod turn;

pub use self::{
    builder::ShapingLayerBuilder,
    deadline::RequestDeadline,
    layer::{ShapingGate, ShapingLayer},
};
