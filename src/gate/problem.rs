use std::{any::Any, sync::Arc};

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Request, header};
use tower_layer::Layer;

use super::{Entry, Gate, GateLayer, Gated, Leave};
use crate::{
    rejection::{Rejection, RejectionKind, forget_body},
    request::{Place, RequestContext},
};

/// Turns the bare errors of others into problem documents: axum's 404, 405 and extractor
/// rejections, tower-http's 408 and 413.
///
/// Only responses with a 4xx or 5xx status and no body type, or `text/plain`, are touched: an
/// application's own JSON and HTML errors are its own. The text is dropped, because it often
/// repeats what the client sent; `Allow` and the other headers stay.
#[derive(Clone, Debug)]
pub struct ProblemLayer {
    gate: GateLayer<ProblemGate>,
}

impl ProblemLayer {
    /// The layer.
    pub fn new() -> Self {
        Self { gate: GateLayer::new(ProblemGate) }
    }

    pub(crate) fn into_gate_layer(self) -> GateLayer<ProblemGate> {
        self.gate
    }
}

impl Default for ProblemLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ProblemLayer {
    type Service = Gated<ProblemGate, S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.gate.layer(inner)
    }
}

/// The gate of [`ProblemLayer`].
#[derive(Debug)]
pub struct ProblemGate;

impl<B> Gate<B> for ProblemGate {
    const NAME: &'static str = "problem";
    const PLACE: Place = Place::Problem;
    type Pass = ();

    fn enter(self: &Arc<Self>, _: &mut Request<B>, _: &Arc<RequestContext>) -> Entry<B, ()> {
        Entry::Pass(())
    }

    fn leave(self: &Arc<Self>, (): (), response: &mut Response, _: &Arc<RequestContext>) -> Leave {
        let status = response.status();
        let foreign = (status.is_client_error() || status.is_server_error())
            && response.extensions().get::<Rejection>().is_none()
            && is_bare(response.headers());
        if foreign {
            convert(response);
        }
        Leave::Done
    }
}

fn is_bare(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_none_or(|value| value.as_bytes().starts_with(b"text/plain"))
}

/// The next gate outside adds the request id.
fn convert(response: &mut Response) {
    forget_body(response.headers_mut());
    let mut problem = Rejection::from_status(response.status()).into_response();
    for (name, value) in response.headers() {
        if name != header::CONTENT_TYPE && name != header::CACHE_CONTROL {
            problem.headers_mut().append(name, value.clone());
        }
    }
    *response = problem;
}

/// What a caught panic becomes: 500, with the panic's message in the log only.
#[expect(clippy::needless_pass_by_value, reason = "the signature is tower-http's")]
pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Response {
    let message = payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into());
    Rejection::new(RejectionKind::InternalError).with_source(Panicked(message)).into_response()
}

#[derive(Debug, thiserror::Error)]
#[error("the handler panicked: {0}")]
struct Panicked(String);
