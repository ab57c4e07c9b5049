use std::{fmt, sync::Arc};

use tower_layer::Layer;

use super::{End, GateLayer, GatedBy, Link, chain::Sealed};

/// Several layers of this crate as one, the outermost first: what a `ServiceBuilder` makes of them, for
/// less. Nested services have a future each, which are moved one into the other, and each of them holds
/// the request's context; these have one.
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::{Request, StatusCode};
/// use portcullis::{auth::AuthLayer, authz::ScopeLayer, backend::memory::MemoryStore, gate::Gates};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let gates = Gates::new()
///     .layer(AuthLayer::builder().api_keys(MemoryStore::new()).build()?)
///     .layer(ScopeLayer::all(["read:orders"])?);
/// let app = Router::new().route("/orders", get(|| async { "orders" })).layer(gates);
///
/// let response = app.oneshot(Request::get("/orders").body(Body::empty())?).await?;
/// assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
/// # Ok(()) }
/// ```
///
/// A [`Stack`](crate::stack::Stack) knows the right order, and has what stands between the layers; this
/// is for who wants another order, other layers or gates of their own. Layers of others cannot stand
/// between them: end the one and begin another inside.
#[must_use = "gates do nothing until they are given to Router::layer"]
pub struct Gates<C = End> {
    chain: C,
}

impl Gates {
    /// No gates yet.
    pub const fn new() -> Self {
        Self { chain: End }
    }
}

impl Default for Gates {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Gates<C> {
    /// With another gate, inside of those before it.
    pub fn layer<L: AsGate>(self, layer: L) -> Gates<Link<C, L::Gate>> {
        Gates { chain: Link::new(self.chain, layer.gate_layer().0) }
    }
}

impl<C: Sealed> Gates<C> {
    /// A service behind the gates, as `ServiceBuilder::service` makes one.
    pub fn service<S>(self, inner: S) -> GatedBy<C, S> {
        let chain = (!self.chain.is_empty()).then(|| Arc::new(self.chain));
        GatedBy::new(chain, inner)
    }
}

impl<C: Clone> Clone for Gates<C> {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone() }
    }
}

impl<C> fmt::Debug for Gates<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gates").finish_non_exhaustive()
    }
}

impl<C: Sealed + Clone, S> Layer<S> for Gates<C> {
    type Service = GatedBy<C, S>;

    fn layer(&self, inner: S) -> GatedBy<C, S> {
        self.clone().service(inner)
    }
}

/// A layer that is one gate: what [`Gates`] are made of.
pub trait AsGate {
    /// The gate.
    type Gate;

    /// The layer of that gate. It shares the counters.
    fn gate_layer(&self) -> GateLayer<Self::Gate>;
}

impl<G> AsGate for GateLayer<G> {
    type Gate = G;

    fn gate_layer(&self) -> Self {
        self.clone()
    }
}

impl<L: AsGate + ?Sized> AsGate for &L {
    type Gate = L::Gate;

    fn gate_layer(&self) -> GateLayer<L::Gate> {
        (**self).gate_layer()
    }
}

/// Makes a tower layer, and a part of [`Gates`], of a type that holds the layer of a gate.
macro_rules! layer_of_gate {
    ($layer:ty => $gate:ty, |$this:ident| $gate_layer:expr) => {
        impl $crate::gate::AsGate for $layer {
            type Gate = $gate;

            fn gate_layer(&self) -> $crate::gate::GateLayer<$gate> {
                let $this = self;
                $gate_layer
            }
        }

        impl<S> ::tower_layer::Layer<S> for $layer {
            type Service = $crate::gate::Gated<$gate, S>;

            fn layer(&self, inner: S) -> Self::Service {
                let $this = self;
                ::tower_layer::Layer::layer(&$gate_layer, inner)
            }
        }
    };
}

pub(crate) use layer_of_gate;
