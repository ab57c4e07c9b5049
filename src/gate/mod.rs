//! The one mechanism behind every layer.
//!
//! A layer is a [`Gate`]. A gate says pass, answer, reject or wait. The mechanism in this module,
//! and nothing else, polls futures, renders rejections and records verdicts. So a gate never builds
//! an error response, knows nothing of audit and owns no `Future`; and a gate of yours gets problem
//! documents, audit, counters and cancellation safety for nothing.
//!
//! # A gate of your own
//! ```
//! use std::sync::Arc;
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     gate::{Entry, Gate, GateLayer},
//!     rejection::RejectionKind,
//!     request::RequestContext,
//! };
//! use tower::ServiceExt;
//!
//! /// Closes the service for maintenance.
//! struct Maintenance { closed: bool }
//!
//! impl<B> Gate<B> for Maintenance {
//!     const NAME: &'static str = "maintenance";
//!     type Pass = ();
//!
//!     fn enter(self: &Arc<Self>, _: &mut Request<B>, _: &Arc<RequestContext>) -> Entry<B, ()> {
//!         if self.closed { Entry::Reject(RejectionKind::Overloaded.into()) } else { Entry::Pass(()) }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let app = Router::new()
//!     .route("/", get(|| async { "open" }))
//!     .layer(GateLayer::new(Maintenance { closed: true }));
//! let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
//! assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
//! assert_eq!(response.headers()["content-type"], "application/problem+json");
//! # }
//! ```
//!
//! # What is guaranteed
//! * A verdict that is known at once calls the ready inner service in place: no clone, no box.
//! * A request is borrowed by the gates and moved once, into the inner service. Only a gate that waits
//!   takes it over, and gets the service that was ready (tower's contract); only then is it cloned.
//! * [`Gate::leave`] sees every response of the inner service. If there is none (the inner service
//!   failed, panicked, or the client went away), the `Pass` is dropped: its `Drop` must settle
//!   without awaiting. A panic is still unwinding then (`std::thread::panicking()`), wherever it is
//!   caught; a failure is told to [`Gate::fail`] first.
//! * A gate never fails the service: it answers `Ok(Response)`, or the inner service's own error.
//! * The outermost gate writes `X-Request-ID` on every response that one of this crate's layers has
//!   seen the request of; a gate of yours that stands alone, on every refusal.
//!
//! # Cost
//! Seven empty gates in one `ServiceBuilder` add five allocations to a request that `axum::serve` hands
//! over: two are axum's for any layer at all, three are the context's. A second gate adds none. Each
//! further `Router::layer` call adds axum's own again, so stack the layers in one `ServiceBuilder`.
//! Cheaper still is one [`Gates`], or a [`Stack`](crate::stack::Stack), which is made of them: what the
//! gates remember of a request then lies in one future, where nested services move a future into a
//! future for each. `tests/allocations.rs` pins the allocations.

mod body;
mod chain;
mod collect;
mod constants;
mod context;
mod counters;
mod drain;
pub(crate) mod emitted;
mod fields;
mod future;
mod gates;
mod keeper;
mod problem;
mod reading;
mod service;
mod values;
mod visit;
mod wiring;

use std::{mem, sync::Arc};

use axum::response::Response;
use http::{Request, request::Parts};

pub(crate) use self::{
    body::{BodyEnd, Watch, held_back, watch_request, watch_response},
    collect::{Collected, announced, collect},
    constants::constant,
    drain::drained,
    fields::insert_if_absent,
    gates::layer_of_gate,
    problem::panicked,
    reading::{Pace, Reading},
    values::{decimal, repeated, written},
};
pub use self::{
    chain::{Chain, End, Link},
    context::{ContextGate, RequestContextLayer},
    counters::VerdictCounts,
    future::GateFuture,
    gates::{AsGate, Gates},
    problem::{ProblemGate, ProblemLayer},
    service::{GateLayer, Gated, GatedBy},
};
pub use crate::request::Place;
use crate::{
    rejection::Rejection,
    request::{ContextSettings, RequestContext},
    store::BoxFuture,
};

/// Decides on requests, and sees the responses of those that it let through.
///
/// See the [module](self) for a complete one.
pub trait Gate<B>: Send + Sync + 'static {
    /// The name in trails, logs and metrics: short, `snake_case`, unique in a stack.
    const NAME: &'static str;

    /// Where the gate belongs, for the wiring check.
    const PLACE: Place = Place::Anywhere;

    /// How many header fields [`leave`](Self::leave) may add to a response. Room for those of all
    /// gates is made at once; a number that is too small costs time, nothing else.
    const RESPONSE_FIELDS: usize = 0;

    /// The response header fields that the gate writes and a page may want to read, in lower case, on
    /// what it lets through and on its refusals. Browsers hide them from pages of other origins unless
    /// `Access-Control-Expose-Headers` names them. What this crate's own gates declare,
    /// [`CorsSecurityLayer`](crate::cors::CorsSecurityLayer) exposes; of a gate of yours it is told:
    /// `.expose(<MyGate as Gate<Body>>::EMITS)`.
    const EMITS: &'static [&'static str] = &[];

    /// What is remembered between the way in and the way out. If there is no way out, it is
    /// dropped: `Drop` must then settle (give back, release, write) without awaiting or panicking.
    type Pass: Send + 'static;

    /// Decides on a request, and may change it. Must not block.
    fn enter(self: &Arc<Self>, request: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, Self::Pass>;

    /// Sees the response to a request that was let through, and may change it. Must not block.
    fn leave(self: &Arc<Self>, pass: Self::Pass, response: &mut Response, context: &Arc<RequestContext>) -> Leave {
        let _ = (pass, response, context);
        Leave::Done
    }

    /// Learns that the inner service failed: there is an error, and no response to leave with. Must
    /// neither block nor panic. Like a panic and a client who goes away, it usually just drops the
    /// pass.
    fn fail(self: &Arc<Self>, pass: Self::Pass, context: &Arc<RequestContext>) {
        let _ = (pass, context);
    }

    /// How to make the context if this gate is the outermost; `None` for the defaults.
    fn context_settings(&self) -> Option<&ContextSettings> {
        None
    }
}

/// Makes a future of what it is given.
pub type Begin<T, U> = Box<dyn FnOnce(T) -> BoxFuture<'static, U> + Send>;

/// What a gate decides on the way in.
///
/// The request stays where it is: a gate borrows it, and takes it over only where it
/// [waits](Self::wait).
pub enum Entry<B, P> {
    /// Let it through, and remember `P` for the way out.
    Pass(P),
    /// Answer in place of the inner service, as CORS answers a preflight.
    Answer(Response),
    /// Refuse.
    Reject(Rejection),
    /// Decide later: the function is given the request, and the future that it makes decides. The one
    /// case that costs a box; [`wait`](Self::wait) makes it.
    Wait(Begin<Request<B>, Waited<B, P>>),
}

impl<B, P> Entry<B, P> {
    /// Decides later, with the request in hand.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use http::Request;
    /// use portcullis::gate::{Entry, Gate, Waited};
    /// use portcullis::request::RequestContext;
    ///
    /// struct Patient;
    ///
    /// impl<B: Send + 'static> Gate<B> for Patient {
    ///     const NAME: &'static str = "patient";
    ///     type Pass = ();
    ///
    ///     fn enter(self: &Arc<Self>, _: &mut Request<B>, _: &Arc<RequestContext>) -> Entry<B, ()> {
    ///         Entry::wait(|request| async move {
    ///             tokio::task::yield_now().await;
    ///             Waited::Pass(request, ())
    ///         })
    ///     }
    /// }
    /// ```
    pub fn wait<F>(begin: impl FnOnce(Request<B>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Waited<B, P>> + Send + 'static,
    {
        Self::Wait(Box::new(move |request| Box::pin(begin(request))))
    }
}

impl<B, P> From<Result<P, Rejection>> for Entry<B, P> {
    /// Passes with what is to be remembered, or refuses.
    fn from(result: Result<P, Rejection>) -> Self {
        match result {
            Ok(pass) => Self::Pass(pass),
            Err(rejection) => Self::Reject(rejection),
        }
    }
}

impl<B, P> std::fmt::Debug for Entry<B, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pass(_) => "Pass",
            Self::Answer(_) => "Answer",
            Self::Reject(_) => "Reject",
            Self::Wait(_) => "Wait",
        })
    }
}

/// What a gate has decided that had to [wait](Entry::wait) for it.
pub enum Waited<B, P> {
    /// Let the request through, and remember `P` for the way out.
    Pass(Request<B>, P),
    /// Answer in place of the inner service.
    Answer(Response),
    /// Refuse.
    Reject(Rejection),
}

impl<B, P> Waited<B, P> {
    /// Passes the request with what is to be remembered, or refuses.
    pub fn settle(request: Request<B>, result: Result<P, Rejection>) -> Self {
        match result {
            Ok(pass) => Self::Pass(request, pass),
            Err(rejection) => Self::Reject(rejection),
        }
    }
}

impl<B, P> std::fmt::Debug for Waited<B, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pass(..) => "Pass",
            Self::Answer(_) => "Answer",
            Self::Reject(_) => "Reject",
        })
    }
}

/// What a gate makes of a response.
pub enum Leave {
    /// It is as it should be.
    Done,
    /// It will be, once a store has been told: the function is given the response, and the future that
    /// it makes gives it back. If the client goes away meanwhile, the future is dropped.
    /// [`wait`](Self::wait) makes it.
    Wait(Begin<Response, Response>),
}

impl Leave {
    /// Keeps the response until the future is ready.
    pub fn wait<F>(begin: impl FnOnce(Response) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        Self::Wait(Box::new(move |response| Box::pin(begin(response))))
    }
}

impl std::fmt::Debug for Leave {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Done => "Done",
            Self::Wait(_) => "Wait",
        })
    }
}

/// Lets `look` see the head of a request whose body is of any type.
pub(crate) fn with_head<B, T>(request: &mut Request<B>, look: impl FnOnce(&Parts) -> T) -> T {
    let (mut head, ()) = Request::new(()).into_parts();
    let mut swap = |head: &mut Parts| {
        mem::swap(&mut head.method, request.method_mut());
        mem::swap(&mut head.uri, request.uri_mut());
        mem::swap(&mut head.version, request.version_mut());
        mem::swap(&mut head.headers, request.headers_mut());
        mem::swap(&mut head.extensions, request.extensions_mut());
    };
    swap(&mut head);
    let seen = look(&head);
    swap(&mut head);
    seen
}

#[cfg(test)]
mod tests;
