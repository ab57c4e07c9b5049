//! Gates one inside the other, entered and left in one go.
//!
//! A chain is a list of types, the innermost gate at its head. So all that the gates remember of a
//! request lies side by side in one future, and is moved once; a future around a future around a future
//! is moved once for each of them.

use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::response::Response;
use http::Request;

use super::{Begin, Entry, Gate, Leave, Waited, keeper::Keeper, visit::Visit, wiring};
use crate::{
    request::{ContextSettings, Outcome, Place},
    store::BoxFuture,
};

/// Gates, to be entered and left as one: [`Gates`](super::Gates) makes them. Nobody else can.
pub trait Chain<B>: sealed::Sealed + Send + Sync + 'static {
    /// What the gates remember that were passed. The innermost one's is dropped first.
    #[doc(hidden)]
    type Held: Default + Send + 'static;
    /// How the one gate begins that has to wait.
    #[doc(hidden)]
    type Begins;
    /// What it waits for.
    #[doc(hidden)]
    type Waits: Send + 'static;

    /// How the context is made, if the outermost gate says so.
    #[doc(hidden)]
    fn settings(&self) -> Option<&ContextSettings>;

    /// Asks the gates that nothing is held of yet, the outermost first.
    #[doc(hidden)]
    fn enter(&self, request: &mut Request<B>, visit: &Visit, held: &mut Self::Held) -> Entered<Self::Begins>;

    #[doc(hidden)]
    fn begin(begins: Self::Begins, request: Request<B>) -> Self::Waits;

    /// What the gate decides that waits.
    #[doc(hidden)]
    fn poll(
        &self,
        waits: &mut Self::Waits,
        visit: &Visit,
        held: &mut Self::Held,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Request<B>, Response>>;

    /// Shows the response to the gates that something is held of, the innermost first; what has to be
    /// waited for before the others may see it.
    #[doc(hidden)]
    fn leave(
        &self,
        held: &mut Self::Held,
        response: &mut Response,
        visit: &Visit,
    ) -> Option<BoxFuture<'static, Response>>;

    /// Tells the gates that there is no response, the innermost first.
    #[doc(hidden)]
    fn fail(&self, held: &mut Self::Held, visit: &Visit);
}

/// What became of a request on its way in.
#[derive(Debug)]
pub enum Entered<W> {
    /// It is through.
    Passed,
    /// A gate has answered or refused.
    Decided(Response),
    /// A gate has to wait.
    Waits(W),
}

/// No gate. See [`Chain`].
#[derive(Clone, Copy, Debug, Default)]
pub struct End;

/// A gate inside of others. See [`Chain`].
pub struct Link<O, G> {
    outer: O,
    /// `None` where no layer was given.
    keeper: Option<Arc<Keeper<G>>>,
}

impl<O, G> Link<O, G> {
    pub(super) const fn new(outer: O, keeper: Option<Arc<Keeper<G>>>) -> Self {
        Self { outer, keeper }
    }
}

impl<O: Clone, G> Clone for Link<O, G> {
    fn clone(&self) -> Self {
        Self { outer: self.outer.clone(), keeper: self.keeper.clone() }
    }
}

impl<O: fmt::Debug, G> fmt::Debug for Link<O, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("outer", &self.outer).field("present", &self.keeper.is_some()).finish()
    }
}

mod sealed {
    /// Whether there is any gate in it.
    pub trait Sealed {
        fn is_empty(&self) -> bool;
    }

    impl Sealed for super::End {
        fn is_empty(&self) -> bool {
            true
        }
    }

    impl<O: Sealed, G> Sealed for super::Link<O, G> {
        fn is_empty(&self) -> bool {
            self.keeper.is_none() && self.outer.is_empty()
        }
    }
}

pub(super) use sealed::Sealed;

impl<B> Chain<B> for End {
    type Held = ();
    type Begins = Infallible;
    type Waits = Infallible;

    fn settings(&self) -> Option<&ContextSettings> {
        None
    }

    fn enter(&self, _: &mut Request<B>, _: &Visit, (): &mut ()) -> Entered<Infallible> {
        Entered::Passed
    }

    fn begin(begins: Infallible, _: Request<B>) -> Infallible {
        begins
    }

    fn poll(
        &self,
        waits: &mut Infallible,
        _: &Visit,
        (): &mut (),
        _: &mut Context<'_>,
    ) -> Poll<Result<Request<B>, Response>> {
        match *waits {}
    }

    fn leave(&self, (): &mut (), _: &mut Response, _: &Visit) -> Option<BoxFuture<'static, Response>> {
        None
    }

    fn fail(&self, (): &mut (), _: &Visit) {}
}

/// What a gate remembers, and what those outside of it do.
#[derive(Debug)]
pub struct Held<O, P> {
    pass: Option<P>,
    outer: O,
}

impl<O: Default, P> Default for Held<O, P> {
    #[inline]
    fn default() -> Self {
        Self { pass: None, outer: O::default() }
    }
}

/// Of the outer gates, or of this one.
#[derive(Debug)]
pub enum Which<O, I> {
    /// Of one of the outer ones.
    Outer(O),
    /// Of this one.
    Own(I),
}

impl<B, O, G> Chain<B> for Link<O, G>
where
    B: 'static,
    O: Chain<B>,
    G: Gate<B>,
{
    type Held = Held<O::Held, G::Pass>;
    type Begins = Which<O::Begins, Begin<Request<B>, Waited<B, G::Pass>>>;
    type Waits = Which<O::Waits, BoxFuture<'static, Waited<B, G::Pass>>>;

    fn settings(&self) -> Option<&ContextSettings> {
        if self.outer.is_empty() {
            self.keeper.as_ref().and_then(|keeper| keeper.gate.context_settings())
        } else {
            self.outer.settings()
        }
    }

    #[inline]
    fn enter(&self, request: &mut Request<B>, visit: &Visit, held: &mut Self::Held) -> Entered<Self::Begins> {
        match self.outer.enter(request, visit, &mut held.outer) {
            Entered::Passed => {}
            Entered::Decided(response) => return Entered::Decided(response),
            Entered::Waits(begins) => return Entered::Waits(Which::Outer(begins)),
        }
        let Some(keeper) = self.keeper.as_ref().filter(|_| held.pass.is_none()) else { return Entered::Passed };
        let context = &visit.context;
        context.expect_fields(G::RESPONSE_FIELDS);
        if G::PLACE == Place::Context && !(visit.outermost && self.outer.is_empty()) {
            wiring::enter_with_foreign_settings(context);
        }
        wiring::enter(context, G::PLACE, G::NAME);
        match keeper.gate.enter(request, context) {
            Entry::Pass(pass) => {
                keeper.record::<B>(Outcome::Passed, context);
                held.pass = Some(pass);
                Entered::Passed
            }
            Entry::Answer(response) => Entered::Decided(keeper.answer::<B>(response, context)),
            Entry::Reject(rejection) => Entered::Decided(keeper.refuse::<B>(rejection, context)),
            Entry::Wait(begin) => Entered::Waits(Which::Own(begin)),
        }
    }

    fn begin(begins: Self::Begins, request: Request<B>) -> Self::Waits {
        match begins {
            Which::Outer(begins) => Which::Outer(O::begin(begins, request)),
            Which::Own(begin) => Which::Own(begin(request)),
        }
    }

    fn poll(
        &self,
        waits: &mut Self::Waits,
        visit: &Visit,
        held: &mut Self::Held,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Request<B>, Response>> {
        let waited = match (waits, &self.keeper) {
            (Which::Outer(waits), _) => return self.outer.poll(waits, visit, &mut held.outer, cx),
            (Which::Own(waited), Some(keeper)) => (ready!(waited.as_mut().poll(cx)), keeper),
            // Who is not there does not wait.
            (Which::Own(_), None) => return Poll::Pending,
        };
        Poll::Ready(match waited {
            (Waited::Pass(request, pass), keeper) => {
                visit.context.has_waited();
                keeper.record::<B>(Outcome::Passed, &visit.context);
                held.pass = Some(pass);
                Ok(request)
            }
            (Waited::Answer(response), keeper) => Err(keeper.answer::<B>(response, &visit.context)),
            (Waited::Reject(rejection), keeper) => Err(keeper.refuse::<B>(rejection, &visit.context)),
        })
    }

    #[inline]
    fn leave(
        &self,
        held: &mut Self::Held,
        response: &mut Response,
        visit: &Visit,
    ) -> Option<BoxFuture<'static, Response>> {
        if let (Some(pass), Some(keeper)) = (held.pass.take(), &self.keeper) {
            match keeper.gate.leave(pass, response, &visit.context) {
                Leave::Done => visit.see(response),
                Leave::Wait(begin) => return Some(begin(std::mem::take(response))),
            }
        }
        self.outer.leave(&mut held.outer, response, visit)
    }

    fn fail(&self, held: &mut Self::Held, visit: &Visit) {
        if let (Some(pass), Some(keeper)) = (held.pass.take(), &self.keeper) {
            keeper.gate.fail(pass, &visit.context);
        }
        self.outer.fail(&mut held.outer, visit);
    }
}
