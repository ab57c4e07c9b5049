//! One request at the gates of a chain.

use std::{mem, sync::Arc};

use axum::response::Response;
use http::{HeaderName, Request};

use super::{Chain, values::copied};
use crate::{
    rejection::{Rejection, Severity, restamp},
    request::{ContextSettings, Outcome, RequestContext, TrailName},
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// One request at the gates of a chain.
#[derive(Debug)]
pub struct Visit {
    pub(super) context: Arc<RequestContext>,
    /// This chain's outermost gate made the context, so there is none further out.
    pub(super) outermost: bool,
}

impl Visit {
    /// Finds the request's context, or makes it.
    pub(super) fn begin<B>(chain: &impl Chain<B>, request: &mut Request<B>) -> Self {
        let (context, outermost) = if let Some(context) = RequestContext::of(request) {
            (Arc::clone(context), false)
        } else {
            let context = match chain.settings() {
                Some(settings) => RequestContext::open(request, settings),
                None => RequestContext::open(request, ContextSettings::shared_default()),
            };
            // The request's id.
            context.expect_fields(1);
            request.extensions_mut().insert(Arc::clone(&context));
            (context, true)
        };
        context.see_route(request.extensions());
        Self { context, outermost }
    }

    /// A rejection that a handler or an extractor returned has no request id yet, and nobody has
    /// recorded it: the innermost gate does both.
    ///
    /// It also makes room for the header fields of all gates at once: a header map that grows gate
    /// by gate is copied again and again.
    pub(super) fn see(&self, response: &mut Response) {
        let fields = self.context.take_expected_fields();
        if fields > 0 {
            // Fails only where a map is full already; it then grows no further.
            let _ = response.headers_mut().try_reserve(fields);
        }
        let rejection = response.extensions().get::<Rejection>().filter(|rejection| !rejection.is_stamped()).cloned();
        if let Some(rejection) = rejection {
            self.stamp(rejection, response);
        }
    }

    #[cold]
    fn stamp(&self, rejection: Rejection, response: &mut Response) {
        self.context.trail().record(TrailName::of("handler"), Outcome::Rejected(rejection.kind()));
        report("handler", &rejection, &self.context);
        let refused = mem::take(response);
        *response = restamp(refused, rejection, self.context.stamp());
    }

    /// No gate will see the response any more.
    pub(super) fn finish(&self, response: &mut Response) {
        // A third party's gate alone leaves responses as they are, unless they name the id.
        if self.outermost
            && (self.context.marks() != 0 || response.extensions().get::<Rejection>().is_some())
            && let Some(id) = copied(self.context.request_id().as_bytes())
        {
            response.headers_mut().insert(X_REQUEST_ID, id);
        }
    }
}

/// One event for each rejection. It holds the source, which no client sees, and nothing secret.
pub(super) fn report(layer: &'static str, rejection: &Rejection, context: &RequestContext) {
    let kind = rejection.kind();
    macro_rules! event {
        ($level:ident) => {
            tracing::event!(
                target: "portcullis",
                tracing::Level::$level,
                layer,
                code = kind.code(),
                status = rejection.status().as_u16(),
                request_id = %context.request_id(),
                route = context.route(),
                source = rejection.source().map(|source| &**source as &(dyn std::error::Error + 'static)),
                "request refused"
            )
        };
    }
    match kind.severity() {
        _ if rejection.status().is_server_error() => event!(ERROR),
        Severity::Low => event!(INFO),
        Severity::Medium | Severity::High => event!(WARN),
    }
}
