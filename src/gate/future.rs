use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::response::{IntoResponse, Response};
use http::Request;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Chain, chain::Entered, visit::Visit};
use crate::store::BoxFuture;

pin_project! {
    /// The future of a [`GatedBy`](super::GatedBy) service.
    pub struct GateFuture<C, S, B>
    where
        C: Chain<B>,
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S::Future, S, C::Waits>,
        // Dropped if no response comes.
        held: C::Held,
        // Absent where there is no gate.
        chain: Option<Arc<C>>,
        visit: Option<Visit>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, S, W> {
        /// The inner service has been called: the gates let the request through, or there are none.
        Called { #[pin] inner: F },
        /// A gate has not decided yet; `service` is the one that was ready.
        Waiting { waits: W, service: S },
        /// A gate tells a store before it lets the response go.
        Leaving { response: BoxFuture<'static, Response> },
        /// A gate answered or refused, and those outside of it have not seen that yet. Nothing: the end.
        Decided { response: Option<Response> },
    }
}

/// If something panics, the inner service or a gate, what is held is dropped while the panic unwinds, and so can
/// see it: whoever catches the panic outside drops the rest of the future only later.
struct Watch<'a, H: Default>(&'a mut H);

impl<H: Default> Watch<'_, H> {
    /// There was no panic.
    fn done<T>(self, result: T) -> T {
        mem::forget(self);
        result
    }
}

impl<H: Default> Drop for Watch<'_, H> {
    fn drop(&mut self) {
        *self.0 = H::default();
    }
}

impl<C, S, B> GateFuture<C, S, B>
where
    C: Chain<B>,
    S: Service<Request<B>> + Clone,
{
    /// What a service without gates does.
    pub(super) fn bypass(inner: S::Future) -> Self {
        Self { state: State::Called { inner }, held: C::Held::default(), chain: None, visit: None }
    }

    /// Asks the gates. All in one function: to hand the request on to another one would copy it.
    #[inline]
    pub(super) fn enter(chain: &Arc<C>, service: &mut S, mut request: Request<B>) -> Self {
        let visit = Visit::begin(&**chain, &mut request);
        let mut held = C::Held::default();
        let state = match chain.enter(&mut request, &visit, &mut held) {
            Entered::Passed => State::Called { inner: service.call(request) },
            Entered::Decided(response) => State::Decided { response: Some(response) },
            Entered::Waits(begins) => {
                // The service that was polled ready must be the one that is called.
                let clone = service.clone();
                State::Waiting { waits: C::begin(begins, request), service: mem::replace(service, clone) }
            }
        };
        Self { state, held, chain: Some(Arc::clone(chain)), visit: Some(visit) }
    }
}

impl<C, S, B> Future for GateFuture<C, S, B>
where
    C: Chain<B>,
    S: Service<Request<B>>,
    S::Response: IntoResponse,
{
    type Output = Result<Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (Some(chain), Some(visit)) = (&*this.chain, &*this.visit) else {
            return match this.state.project() {
                StateProjection::Called { inner } => inner.poll(cx).map_ok(IntoResponse::into_response),
                // Without gates the inner service has been called from the beginning.
                _ => Poll::Pending,
            };
        };
        let watch = Watch(this.held);
        let polled = advance(this.state, &**chain, visit, watch.0, cx);
        watch.done(polled)
    }
}

fn advance<C, S, B>(
    mut state: Pin<&mut State<S::Future, S, C::Waits>>,
    chain: &C,
    visit: &Visit,
    held: &mut C::Held,
    cx: &mut Context<'_>,
) -> Poll<Result<Response, S::Error>>
where
    C: Chain<B>,
    S: Service<Request<B>>,
    S::Response: IntoResponse,
{
    loop {
        let next = match state.as_mut().project() {
            StateProjection::Called { inner } => {
                let mut leaving = None;
                let polled = poll_called(chain, inner, held, visit, &mut leaving, cx);
                match leaving {
                    Some(response) => State::Leaving { response },
                    None if polled.is_pending() => return polled,
                    None => {
                        state.set(State::Decided { response: None });
                        return polled;
                    }
                }
            }
            StateProjection::Waiting { waits, service } => match ready!(chain.poll(waits, visit, held, cx)) {
                Err(response) => State::Decided { response: Some(response) },
                Ok(mut request) => match chain.enter(&mut request, visit, held) {
                    Entered::Passed => State::Called { inner: service.call(request) },
                    Entered::Decided(response) => State::Decided { response: Some(response) },
                    Entered::Waits(begins) => {
                        *waits = C::begin(begins, request);
                        continue;
                    }
                },
            },
            StateProjection::Leaving { response } => {
                State::Decided { response: Some(ready!(response.as_mut().poll(cx))) }
            }
            StateProjection::Decided { response } => {
                let Some(mut response) = response.take() else { return Poll::Pending };
                match leave(chain, held, &mut response, visit) {
                    None => return Poll::Ready(Ok(response)),
                    Some(response) => State::Leaving { response },
                }
            }
        };
        state.set(next);
    }
}

/// What the inner service answers, as the gates leave it; `leaving` is what has to be waited for
/// instead. The response is changed where it will be returned: it is worth no copy.
fn poll_called<B, C, F, R, E>(
    chain: &C,
    inner: Pin<&mut F>,
    held: &mut C::Held,
    visit: &Visit,
    leaving: &mut Option<BoxFuture<'static, Response>>,
    cx: &mut Context<'_>,
) -> Poll<Result<Response, E>>
where
    C: Chain<B>,
    F: Future<Output = Result<R, E>>,
    R: IntoResponse,
{
    let mut polled = inner.poll(cx).map_ok(IntoResponse::into_response);
    match &mut polled {
        Poll::Ready(Ok(response)) => *leaving = leave(chain, held, response, visit),
        Poll::Ready(Err(_)) => chain.fail(held, visit),
        Poll::Pending => {}
    }
    polled
}

/// Shows the response to the gates that are still to see it; what has to be waited for meanwhile.
fn leave<B, C: Chain<B>>(
    chain: &C,
    held: &mut C::Held,
    response: &mut Response,
    visit: &Visit,
) -> Option<BoxFuture<'static, Response>> {
    visit.see(response);
    let leaving = chain.leave(held, response, visit);
    if leaving.is_none() {
        visit.finish(response);
    }
    leaving
}
