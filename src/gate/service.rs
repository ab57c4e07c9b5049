use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use axum::response::IntoResponse;
use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use super::{Chain, End, GateFuture, Link, counters::VerdictCounts, keeper::Keeper};

/// A gate as a tower layer. Clones share the gate and its counters.
pub struct GateLayer<G>(pub(super) Option<Arc<Keeper<G>>>);

impl<G> GateLayer<G> {
    /// A layer that asks `gate`.
    pub fn new(gate: G) -> Self {
        Self(Some(Arc::new(Keeper::new(gate))))
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
        let chain = self.0.clone().map(|keeper| Arc::new(Link::new(End, Some(keeper))));
        GatedBy { chain, inner }
    }
}

/// A service behind one gate.
pub type Gated<G, S> = GatedBy<Link<End, G>, S>;

/// A service behind the gates of a chain.
pub struct GatedBy<C, S> {
    chain: Option<Arc<C>>,
    inner: S,
}

impl<C, S> GatedBy<C, S> {
    pub(super) const fn new(chain: Option<Arc<C>>, inner: S) -> Self {
        Self { chain, inner }
    }
}

impl<C, S: Clone> Clone for GatedBy<C, S> {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), inner: self.inner.clone() }
    }
}

impl<C, S: fmt::Debug> fmt::Debug for GatedBy<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gated").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<C, S, B> Service<Request<B>> for GatedBy<C, S>
where
    C: Chain<B>,
    S: Service<Request<B>> + Clone,
    S::Response: IntoResponse,
{
    type Response = axum::response::Response;
    type Error = S::Error;
    type Future = GateFuture<C, S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match &self.chain {
            Some(chain) => GateFuture::enter(chain, &mut self.inner, request),
            None => GateFuture::bypass(self.inner.call(request)),
        }
    }
}
