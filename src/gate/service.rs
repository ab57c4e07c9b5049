use std::{
    fmt, mem,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use axum::response::IntoResponse;
use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Entry, Gate, GateFuture,
    counters::{VerdictCounters, VerdictCounts},
    future::Visit,
};
use crate::request::{Outcome, RequestContext, TrailName};

/// A gate as a tower layer. Clones share the gate and its counters.
pub struct GateLayer<G>(Option<Arc<Keeper<G>>>);

/// A gate, and how often it said what.
pub(super) struct Keeper<G> {
    pub(super) gate: Arc<G>,
    /// What trails call the gate, once it is known.
    name: OnceLock<TrailName>,
    pub(super) counters: VerdictCounters,
}

impl<G> Keeper<G> {
    /// Counts a verdict, and records it.
    pub(super) fn record<B>(&self, outcome: Outcome, context: &RequestContext)
    where
        G: Gate<B>,
    {
        self.counters.count(outcome);
        context.trail().record(*self.name.get_or_init(|| TrailName::of(G::NAME)), outcome);
    }
}

impl<G> GateLayer<G> {
    /// A layer that asks `gate`.
    pub fn new(gate: G) -> Self {
        Self(Some(Arc::new(Keeper { gate: Arc::new(gate), name: OnceLock::new(), counters: VerdictCounters::new() })))
    }

    /// A layer that lets everything through, costing nothing: what a [`Stack`](crate::stack::Stack)
    /// puts where no layer was given.
    pub fn absent() -> Self {
        Self(None)
    }

    /// How often the gate said what, since the layer was made.
    pub fn verdicts(&self) -> VerdictCounts {
        self.0.as_ref().map(|keeper| keeper.counters.read()).unwrap_or_default()
    }

    /// The gate.
    pub fn gate(&self) -> Option<&Arc<G>> {
        self.0.as_ref().map(|keeper| &keeper.gate)
    }
}

impl<G> Clone for GateLayer<G> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<G> fmt::Debug for GateLayer<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateLayer").field("verdicts", &self.verdicts()).finish()
    }
}

impl<G, S> Layer<S> for GateLayer<G> {
    type Service = Gated<G, S>;

    fn layer(&self, inner: S) -> Gated<G, S> {
        Gated { keeper: self.0.clone(), inner }
    }
}

/// A service behind a gate.
pub struct Gated<G, S> {
    keeper: Option<Arc<Keeper<G>>>,
    inner: S,
}

impl<G, S: Clone> Clone for Gated<G, S> {
    fn clone(&self) -> Self {
        Self { keeper: self.keeper.clone(), inner: self.inner.clone() }
    }
}

impl<G, S: fmt::Debug> fmt::Debug for Gated<G, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gated").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<G, S, B> Service<Request<B>> for Gated<G, S>
where
    G: Gate<B>,
    S: Service<Request<B>> + Clone,
    S::Response: IntoResponse,
{
    type Response = axum::response::Response;
    type Error = S::Error;
    type Future = GateFuture<G, S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    // All in one function: to hand the request on to another one would copy it.
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Some(keeper) = &self.keeper else { return GateFuture::bypass(self.inner.call(request)) };
        let visit = Visit::begin(Arc::clone(keeper), &mut request);
        match visit.keeper.gate.enter(&mut request, &visit.context) {
            Entry::Pass(pass) => {
                visit.keeper.record::<B>(Outcome::Passed, &visit.context);
                GateFuture::called(self.inner.call(request), pass, visit)
            }
            Entry::Answer(response) => GateFuture::decided(visit.answer::<B>(response), visit),
            Entry::Reject(rejection) => GateFuture::decided(visit.refuse::<B>(rejection), visit),
            Entry::Wait(begin) => {
                // The service that was polled ready must be the one that is called.
                let clone = self.inner.clone();
                let ready = mem::replace(&mut self.inner, clone);
                GateFuture::waiting(begin(request), ready, visit)
            }
        }
    }
}
