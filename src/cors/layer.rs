use std::sync::Arc;

use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use tower_layer::Layer;

use super::{
    builder::CorsSecurityLayerBuilder,
    policy::{Policy, preflight_method, refused_preflight},
};
use crate::{
    gate::{Entry, Gate, GateLayer, Gated, Leave, VerdictCounts},
    request::{Place, RequestContext},
};

/// Tells browsers which origins' pages may read this API. See the [module](super).
#[derive(Clone, Debug)]
pub struct CorsSecurityLayer {
    gate: GateLayer<CorsGate>,
}

impl CorsSecurityLayer {
    /// Begins with no origin allowed.
    pub fn builder() -> CorsSecurityLayerBuilder {
        CorsSecurityLayerBuilder::default()
    }

    pub(super) fn new(policy: Policy) -> Self {
        Self { gate: GateLayer::new(CorsGate { policy }) }
    }

    /// How often the layer said what: `answered` counts the preflights, allowed or not.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }

    pub(crate) fn gate_layer(&self) -> GateLayer<CorsGate> {
        self.gate.clone()
    }
}

impl<S> Layer<S> for CorsSecurityLayer {
    type Service = Gated<CorsGate, S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.gate.layer(inner)
    }
}

/// The gate of [`CorsSecurityLayer`].
#[derive(Debug)]
pub struct CorsGate {
    policy: Policy,
}

impl<B> Gate<B> for CorsGate {
    const NAME: &'static str = "cors";
    const PLACE: Place = Place::Cors;
    const RESPONSE_FIELDS: usize = 3;
    /// The value that answers the origin, if it is allowed.
    type Pass = Option<HeaderValue>;

    fn enter(self: &Arc<Self>, request: &mut Request<B>, _: &Arc<RequestContext>) -> Entry<B, Self::Pass> {
        let Some(method) = preflight_method(request) else {
            let origin = self.policy.origin_of(request.headers());
            return Entry::Pass(origin);
        };
        let headers = self.policy.preflight(method, request.headers()).unwrap_or_else(|reason| {
            // The client learns nothing, so this is where a developer finds out.
            tracing::debug!(target: "portcullis", reason, "preflight refused");
            refused_preflight()
        });
        Entry::Answer(no_content(headers))
    }

    fn leave(self: &Arc<Self>, origin: Self::Pass, response: &mut Response, _: &Arc<RequestContext>) -> Leave {
        self.policy.decorate(response.headers_mut(), origin);
        Leave::Done
    }
}

/// A preflight's answer is 204 also when it is no: a browser goes by the headers, and nothing is
/// wrong with the service.
fn no_content(headers: HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = headers;
    response
}
