use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::response::{IntoResponse, Response};
use http::{HeaderName, Request};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Entry, Gate, Leave, service::Keeper, wiring};
use crate::{
    rejection::{Rejection, Severity, render, restamp},
    request::{ContextSettings, Outcome, Place, RequestContext},
    store::BoxFuture,
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pin_project! {
    /// The future of a [`Gated`](super::Gated) service.
    pub struct GateFuture<G, S, B>
    where
        G: Gate<B>,
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S::Future, S, B, G::Pass>,
        visit: Option<Visit<G>>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, S, B, P> {
        /// There is no gate here.
        Bypassed { #[pin] inner: F },
        /// The gate has not decided yet; `service` is the one that was ready.
        Waiting { entry: BoxFuture<'static, Entry<B, P>>, service: S },
        /// The gate let the request through. `pass` is dropped if no response comes.
        Passed { #[pin] inner: F, pass: Option<P> },
        /// The gate tells a store before it lets the response go.
        Leaving { response: BoxFuture<'static, Response> },
        /// The gate answered or refused.
        Decided { response: Option<Response> },
    }
}

/// If the inner service panics, the pass is dropped while the panic unwinds, and so can see it:
/// whoever catches the panic outside drops the rest of the future only later.
struct WhilePolled<'a, P>(&'a mut Option<P>);

impl<P> WhilePolled<'_, P> {
    /// There was no panic.
    fn done<T>(self, polled: T) -> T {
        mem::forget(self);
        polled
    }
}

impl<P> Drop for WhilePolled<'_, P> {
    fn drop(&mut self) {
        *self.0 = None;
    }
}

/// One request at one gate.
struct Visit<G> {
    keeper: Arc<Keeper<G>>,
    context: Arc<RequestContext>,
    /// This gate made the context, so it is the outermost.
    outermost: bool,
}

/// What becomes of a request once the gate has decided.
enum Decision<B, P> {
    Call(Request<B>, P),
    Respond(Response),
    Wait(BoxFuture<'static, Entry<B, P>>),
}

impl<G, S, B> GateFuture<G, S, B>
where
    G: Gate<B>,
    S: Service<Request<B>> + Clone,
{
    pub(super) fn bypass(inner: S::Future) -> Self {
        Self { state: State::Bypassed { inner }, visit: None }
    }

    pub(super) fn enter(keeper: Arc<Keeper<G>>, service: &mut S, mut request: Request<B>) -> Self {
        let (context, outermost) = if let Some(context) = RequestContext::of(&request) {
            (Arc::clone(context), false)
        } else {
            let context = match keeper.gate.context_settings() {
                Some(settings) => RequestContext::open(&request, settings),
                None => RequestContext::open(&request, ContextSettings::shared_default()),
            };
            request.extensions_mut().insert(Arc::clone(&context));
            (context, true)
        };
        context.see_route(request.extensions());
        context.expect_fields(G::RESPONSE_FIELDS.saturating_add(usize::from(outermost)));
        if !outermost && G::PLACE == Place::Context {
            wiring::enter_with_foreign_settings(&context);
        }
        wiring::enter(&context, G::PLACE, G::NAME);
        let entry = keeper.gate.enter(request, &context);
        let visit = Visit { keeper, context, outermost };
        let state = match visit.decide(entry) {
            Decision::Call(request, pass) => State::Passed { inner: service.call(request), pass: Some(pass) },
            Decision::Respond(response) => State::Decided { response: Some(response) },
            Decision::Wait(entry) => {
                // The service that was polled ready must be the one that is called.
                let clone = service.clone();
                State::Waiting { entry, service: mem::replace(service, clone) }
            }
        };
        Self { state, visit: Some(visit) }
    }
}

impl<G, S, B> Future for GateFuture<G, S, B>
where
    G: Gate<B>,
    S: Service<Request<B>>,
    S::Response: IntoResponse,
{
    type Output = Result<Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let Some(visit) = this.visit.as_ref() else {
                // Without a visit the state is `Bypassed` from beginning to end.
                let StateProjection::Bypassed { inner } = this.state.as_mut().project() else { return Poll::Pending };
                return inner.poll(cx).map_ok(IntoResponse::into_response);
            };
            let next = match this.state.as_mut().project() {
                StateProjection::Waiting { entry, service } => match visit.decide(ready!(entry.as_mut().poll(cx))) {
                    Decision::Call(request, pass) => State::Passed { inner: service.call(request), pass: Some(pass) },
                    Decision::Respond(response) => State::Decided { response: Some(response) },
                    Decision::Wait(later) => {
                        *entry = later;
                        continue;
                    }
                },
                StateProjection::Passed { inner, pass } => {
                    let watch = WhilePolled(pass);
                    let result = ready!(watch.done(inner.poll(cx)));
                    let Some(pass) = pass.take() else { return Poll::Pending };
                    let gate = &visit.keeper.gate;
                    let response = match result {
                        Ok(response) => visit.see(response.into_response()),
                        Err(error) => {
                            gate.fail(pass, &visit.context);
                            return Poll::Ready(Err(error));
                        }
                    };
                    match gate.leave(pass, response, &visit.context) {
                        Leave::Done(response) => State::Decided { response: Some(response) },
                        Leave::Wait(response) => State::Leaving { response },
                    }
                }
                StateProjection::Leaving { response } => {
                    State::Decided { response: Some(ready!(response.as_mut().poll(cx))) }
                }
                StateProjection::Decided { response } => {
                    return response
                        .take()
                        .map_or(Poll::Pending, |response| Poll::Ready(Ok(visit.finish::<B>(response))));
                }
                StateProjection::Bypassed { inner } => return inner.poll(cx).map_ok(IntoResponse::into_response),
            };
            this.state.set(next);
        }
    }
}

impl<G> Visit<G> {
    fn decide<B>(&self, entry: Entry<B, G::Pass>) -> Decision<B, G::Pass>
    where
        G: Gate<B>,
    {
        match entry {
            Entry::Pass(request, pass) => {
                self.record(G::NAME, Outcome::Passed);
                Decision::Call(request, pass)
            }
            Entry::Answer(response) => {
                self.record(G::NAME, Outcome::Answered);
                Decision::Respond(response)
            }
            Entry::Reject(rejection) => {
                self.record(G::NAME, Outcome::Rejected(rejection.kind()));
                report(G::NAME, &rejection, &self.context);
                Decision::Respond(render(rejection, Some(self.context.stamp())))
            }
            Entry::Wait(later) => Decision::Wait(later),
        }
    }

    fn record(&self, layer: &'static str, outcome: Outcome) {
        self.keeper.counters.count(outcome);
        self.context.trail().record(layer, outcome);
    }

    /// A rejection that a handler or an extractor returned has no request id yet, and nobody has
    /// recorded it: the innermost gate does both.
    ///
    /// It also makes room for the header fields of all gates at once: a header map that grows gate
    /// by gate is copied again and again.
    fn see(&self, mut response: Response) -> Response {
        let fields = self.context.take_expected_fields();
        if fields > 0 {
            // Fails only where a map is full already; it then grows no further.
            let _ = response.headers_mut().try_reserve(fields);
        }
        let rejection = response.extensions().get::<Rejection>().filter(|rejection| !rejection.is_stamped()).cloned();
        let Some(rejection) = rejection else { return response };
        self.context.trail().record("handler", Outcome::Rejected(rejection.kind()));
        report("handler", &rejection, &self.context);
        restamp(response, rejection, self.context.stamp())
    }

    fn finish<B>(&self, response: Response) -> Response
    where
        G: Gate<B>,
    {
        let mut response = self.see(response);
        // A third party's gate alone leaves responses as they are, unless they name the id.
        if self.outermost && (self.context.marks() != 0 || response.extensions().get::<Rejection>().is_some()) {
            response.headers_mut().insert(X_REQUEST_ID, self.context.request_id().header_value());
        }
        response
    }
}

/// One event for each rejection. It holds the source, which no client sees, and nothing secret.
fn report(layer: &'static str, rejection: &Rejection, context: &RequestContext) {
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
