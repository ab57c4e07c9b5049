use std::{any::Any, mem, sync::Arc};

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Request, header};

use super::{Entry, Gate, GateLayer, Leave, VerdictCounts, layer_of_gate};
use crate::{
    rejection::{Rejection, RejectionKind, forget_body},
    request::{Place, RequestContext},
};

/// Turns the bare errors of others into problem documents: axum's 404, 405 and extractor
/// rejections, tower-http's 408 and 413, and the 500 of its catch-panic.
///
/// Only responses with a 4xx or 5xx status and no body type, or `text/plain`, are touched: an
/// application's own JSON and HTML errors are its own. The text is dropped, because it often
/// repeats what the client sent, or tells of the inside; `Allow` and the other headers stay. The
/// document has the foreign status, the request's id and `no-store`; an answer to `HEAD` has no body.
///
/// ```
/// use axum::{Json, Router, body::Body, routing::post};
/// use http::{Request, StatusCode, header};
/// use portcullis::gate::ProblemLayer;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let app = Router::new()
///     .route("/orders", post(|Json(count): Json<u32>| async move { count.to_string() }))
///     .layer(ProblemLayer::new());
///
/// let order = Request::post("/orders").header(header::CONTENT_TYPE, "application/json").body(Body::from("one"))?;
/// let response = app.clone().oneshot(order).await?;
/// assert_eq!(response.status(), StatusCode::BAD_REQUEST);
/// assert_eq!(response.headers()["content-type"], "application/problem+json");
///
/// let response = app.oneshot(Request::get("/orders").body(Body::empty())?).await?;
/// assert_eq!((response.status(), &response.headers()["allow"]), (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse()?));
/// # Ok(()) }
/// ```
///
/// For another body than the problem document, see [`LegacyJson`](crate::rejection::LegacyJson): it
/// restyles what this layer made, too.
#[derive(Clone, Debug)]
pub struct ProblemLayer {
    gate: GateLayer<ProblemGate>,
}

impl ProblemLayer {
    /// The layer.
    pub fn new() -> Self {
        Self { gate: GateLayer::new(ProblemGate) }
    }

    /// How often the layer said what: it lets everything through.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

impl Default for ProblemLayer {
    fn default() -> Self {
        Self::new()
    }
}

layer_of_gate!(ProblemLayer => ProblemGate, |layer| layer.gate.clone());

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

/// No body type, or `text/plain`. Not what merely begins like it.
fn is_bare(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_none_or(|value| {
        let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(b"text/plain")
    })
}

/// The mechanism adds the request id, and takes the body from an answer to HEAD.
fn convert(response: &mut Response) {
    let (mut foreign, _) = mem::take(response).into_parts();
    forget_body(&mut foreign.headers);
    let mut problem = Rejection::from_status(foreign.status).into_response();
    for (name, value) in &foreign.headers {
        if name != header::CONTENT_TYPE && name != header::CACHE_CONTROL {
            problem.headers_mut().append(name, value.clone());
        }
    }
    // What inner layers left there for outer ones.
    problem.extensions_mut().extend(foreign.extensions);
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
