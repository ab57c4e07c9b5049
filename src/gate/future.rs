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

use super::{Gate, Leave, Waited, service::Keeper, values::copied, wiring};
use crate::{
    rejection::{Rejection, Severity, render, restamp},
    request::{ContextSettings, Outcome, Place, RequestContext, TrailName},
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
        // Dropped if no response comes.
        pass: Option<G::Pass>,
        // Absent where there is no gate.
        visit: Option<Visit<G>>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, S, B, P> {
        /// The inner service has been called: the gate let the request through, or there is none.
        Called { #[pin] inner: F },
        /// The gate has not decided yet; `service` is the one that was ready.
        Waiting { waited: BoxFuture<'static, Waited<B, P>>, service: S },
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
pub(super) struct Visit<G> {
    pub(super) keeper: Arc<Keeper<G>>,
    pub(super) context: Arc<RequestContext>,
    /// This gate made the context, so it is the outermost.
    outermost: bool,
}

impl<G, S, B> GateFuture<G, S, B>
where
    G: Gate<B>,
    S: Service<Request<B>>,
{
    pub(super) fn bypass(inner: S::Future) -> Self {
        Self { state: State::Called { inner }, pass: None, visit: None }
    }

    pub(super) fn called(inner: S::Future, pass: G::Pass, visit: Visit<G>) -> Self {
        Self { state: State::Called { inner }, pass: Some(pass), visit: Some(visit) }
    }

    /// The service is the one that was ready.
    pub(super) fn waiting(waited: BoxFuture<'static, Waited<B, G::Pass>>, service: S, visit: Visit<G>) -> Self {
        Self { state: State::Waiting { waited, service }, pass: None, visit: Some(visit) }
    }

    pub(super) fn decided(response: Response, visit: Visit<G>) -> Self {
        Self { state: State::Decided { response: Some(response) }, pass: None, visit: Some(visit) }
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
            let next = match (this.state.as_mut().project(), this.visit.as_ref()) {
                (StateProjection::Called { inner }, None) => return inner.poll(cx).map_ok(IntoResponse::into_response),
                (StateProjection::Called { inner }, Some(visit)) => {
                    let mut leaving = None;
                    let polled = poll_called::<G, S, B>(inner, this.pass, visit, &mut leaving, cx);
                    let Some(response) = leaving else { return polled };
                    State::Leaving { response }
                }
                (StateProjection::Waiting { waited, service }, Some(visit)) => match ready!(waited.as_mut().poll(cx)) {
                    Waited::Pass(request, pass) => {
                        visit.keeper.record::<B>(Outcome::Passed, &visit.context);
                        // A pass that is still held here is dropped while a panic of the call unwinds.
                        let inner = service.call(request);
                        *this.pass = Some(pass);
                        State::Called { inner }
                    }
                    Waited::Answer(response) => State::Decided { response: Some(visit.answer::<B>(response)) },
                    Waited::Reject(rejection) => State::Decided { response: Some(visit.refuse::<B>(rejection)) },
                },
                (StateProjection::Leaving { response }, _) => {
                    State::Decided { response: Some(ready!(response.as_mut().poll(cx))) }
                }
                (StateProjection::Decided { response }, Some(visit)) => {
                    let Some(mut response) = response.take() else { return Poll::Pending };
                    visit.finish(&mut response);
                    return Poll::Ready(Ok(response));
                }
                // Without a visit the inner service has been called from the beginning.
                (StateProjection::Waiting { .. } | StateProjection::Decided { .. }, None) => return Poll::Pending,
            };
            this.state.set(next);
        }
    }
}

/// What the inner service answers, as the gate leaves it; `leaving` is what has to be waited for
/// instead. The response is changed where it will be returned: it is worth no copy.
fn poll_called<G, S, B>(
    inner: Pin<&mut S::Future>,
    pass: &mut Option<G::Pass>,
    visit: &Visit<G>,
    leaving: &mut Option<BoxFuture<'static, Response>>,
    cx: &mut Context<'_>,
) -> Poll<Result<Response, S::Error>>
where
    G: Gate<B>,
    S: Service<Request<B>>,
    S::Response: IntoResponse,
{
    if pass.is_none() {
        // Polled once more after its end.
        return Poll::Pending;
    }
    let watch = WhilePolled(pass);
    let mut polled = watch.done(inner.poll(cx)).map_ok(IntoResponse::into_response);
    if let Poll::Ready(result) = &mut polled
        && let Some(pass) = pass.take()
    {
        let gate = &visit.keeper.gate;
        match result {
            Ok(response) => {
                visit.see(response);
                match gate.leave(pass, response, &visit.context) {
                    Leave::Done => visit.finish(response),
                    Leave::Wait(begin) => *leaving = Some(begin(mem::take(response))),
                }
            }
            Err(_) => gate.fail(pass, &visit.context),
        }
    }
    polled
}

impl<G> Visit<G> {
    /// Finds the request's context, or makes it, and enters the gate's place.
    pub(super) fn begin<B>(keeper: Arc<Keeper<G>>, request: &mut Request<B>) -> Self
    where
        G: Gate<B>,
    {
        let (context, outermost) = if let Some(context) = RequestContext::of(request) {
            (Arc::clone(context), false)
        } else {
            let context = match keeper.gate.context_settings() {
                Some(settings) => RequestContext::open(request, settings),
                None => RequestContext::open(request, ContextSettings::shared_default()),
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
        Self { keeper, context, outermost }
    }

    pub(super) fn answer<B>(&self, response: Response) -> Response
    where
        G: Gate<B>,
    {
        self.keeper.record::<B>(Outcome::Answered, &self.context);
        response
    }

    pub(super) fn refuse<B>(&self, rejection: Rejection) -> Response
    where
        G: Gate<B>,
    {
        self.keeper.record::<B>(Outcome::Rejected(rejection.kind()), &self.context);
        report(G::NAME, &rejection, &self.context);
        render(rejection, Some(self.context.stamp()))
    }

    /// A rejection that a handler or an extractor returned has no request id yet, and nobody has
    /// recorded it: the innermost gate does both.
    ///
    /// It also makes room for the header fields of all gates at once: a header map that grows gate
    /// by gate is copied again and again.
    fn see(&self, response: &mut Response) {
        let fields = self.context.take_expected_fields();
        if fields > 0 {
            // Fails only where a map is full already; it then grows no further.
            let _ = response.headers_mut().try_reserve(fields);
        }
        let rejection = response.extensions().get::<Rejection>().filter(|rejection| !rejection.is_stamped()).cloned();
        let Some(rejection) = rejection else { return };
        self.context.trail().record(TrailName::of("handler"), Outcome::Rejected(rejection.kind()));
        report("handler", &rejection, &self.context);
        let refused = mem::take(response);
        *response = restamp(refused, rejection, self.context.stamp());
    }

    fn finish(&self, response: &mut Response) {
        self.see(response);
        // A third party's gate alone leaves responses as they are, unless they name the id.
        if self.outermost
            && (self.context.marks() != 0 || response.extensions().get::<Rejection>().is_some())
            && let Some(id) = copied(self.context.request_id().as_str())
        {
            response.headers_mut().insert(X_REQUEST_ID, id);
        }
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
