use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
};

use axum::{body::Body, response::Response};
use http::{Method, Request, StatusCode};
use http_body::Body as _;

use super::{
    builder::AuditLayerBuilder,
    handle::AuditHandle,
    queue::Queue,
    record::Ending,
    sink::AuditSink,
    ticket::{Asked, RequestBytes, Ticket},
};
use crate::{
    gate::{Entry, Gate, GateLayer, Leave, VerdictCounts, layer_of_gate, watch_request, watch_response},
    rejection::Rejection,
    request::{Place, RequestContext},
};

/// Writes one record of each request, at the end of its response, whatever happens to it.
///
/// See the [module](super).
#[derive(Clone, Debug)]
pub struct AuditLayer {
    gate: GateLayer<AuditGate>,
    handle: AuditHandle,
}

impl AuditLayer {
    /// A layer whose records go to `sink`.
    pub fn builder(sink: impl AuditSink) -> AuditLayerBuilder {
        AuditLayerBuilder::new(sink)
    }

    pub(super) fn new(queue: Arc<Queue>, shown: Box<[Box<str>]>) -> Self {
        let handle = AuditHandle::new(Arc::clone(&queue));
        Self { gate: GateLayer::new(AuditGate { queue, shown }), handle }
    }

    /// Counts, flushes and ends the writer task.
    pub fn handle(&self) -> AuditHandle {
        self.handle.clone()
    }

    /// How often the layer said what. It lets everything through.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

layer_of_gate!(AuditLayer => AuditGate, |layer| layer.gate.clone());

/// The gate of [`AuditLayer`].
pub struct AuditGate {
    queue: Arc<Queue>,
    /// The names in a query whose values may be written down.
    shown: Box<[Box<str>]>,
}

impl fmt::Debug for AuditGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditGate").field("query_values", &self.shown).finish_non_exhaustive()
    }
}

/// What is remembered of a request between the way in and the way out. Dropped, it writes the
/// record.
pub struct AuditPass(Option<Ticket>);

impl fmt::Debug for AuditPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditPass").finish_non_exhaustive()
    }
}

impl Gate<Body> for AuditGate {
    const NAME: &'static str = "audit";
    const PLACE: Place = Place::Audit;
    type Pass = AuditPass;

    fn enter(self: &Arc<Self>, request: &mut Request<Body>, context: &Arc<RequestContext>) -> Entry<Body, AuditPass> {
        if !context.must_record(Arc::as_ptr(&self.queue).addr()) {
            return Entry::Pass(AuditPass(None));
        }
        let asked = Asked::new(request.uri(), request.headers(), &self.shown);
        // Most requests have no body, and then counting costs nothing.
        let counted = (!request.body().is_end_stream()).then(|| {
            let counter = Arc::new(AtomicU64::new(0));
            watch_request(request.body_mut(), RequestBytes(Arc::clone(&counter)));
            counter
        });
        let ticket = Ticket::new(Arc::clone(&self.queue), Arc::clone(context), asked, counted);
        Entry::Pass(AuditPass(Some(ticket)))
    }

    fn leave(self: &Arc<Self>, pass: AuditPass, response: &mut Response, context: &Arc<RequestContext>) -> Leave {
        let AuditPass(Some(mut ticket)) = pass else { return Leave::Done };
        ticket.see_response(response.status(), response.extensions().get::<Rejection>());
        if has_no_body(context.method(), response.status()) || response.body().is_end_stream() {
            ticket.settle(Ending::Completed);
            return Leave::Done;
        }
        watch_response(response, ticket);
        Leave::Done
    }

    fn fail(self: &Arc<Self>, pass: AuditPass, _: &Arc<RequestContext>) {
        if let AuditPass(Some(mut ticket)) = pass {
            ticket.settle(Ending::Failed);
        }
    }
}

/// Nobody will read the body of these, whatever it holds (RFC 9110 §6.4.1, §9.3.2, §9.3.6).
fn has_no_body(method: &Method, status: StatusCode) -> bool {
    method == Method::HEAD
        || method == Method::CONNECT && status.is_success()
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}
