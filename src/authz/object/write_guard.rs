use std::{mem, sync::Arc};

use axum::{body::Body, response::Response};
use http::Request;
use http_body::Body as _;

use super::judge;
use crate::{
    gate::{Entry, Gate, GateLayer, Leave, VerdictCounts, held_back, layer_of_gate},
    request::{Place, RequestContext},
};

/// Hands the body to a handler only once the object has been checked.
///
/// The guard of `ScopeLayer` sees a response, and so comes after the deed: of a handler that writes
/// without a check it stops the answer, not the write. Behind this layer the handler cannot even read
/// what it is to write: reading the body fails until [`Authorized`](super::Authorized) has run, and
/// extractors that read bodies come last. Whoever tried is answered 500 `authorization_not_checked`.
///
/// Every request through it owes a check, whatever its scopes; it stands on a route, innermost:
///
/// ```
/// use axum::{Json, Router, body::Body, routing::put};
/// use http::{Request, StatusCode};
/// use portcullis::{authz::object::WriteGuardLayer, testing::{principal, with_principal}};
/// use tower::{ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// /// Forgets to check whose order it is.
/// async fn change(Json(quantity): Json<u32>) {
///     unreachable!("{quantity} was written");
/// }
///
/// let gates = ServiceBuilder::new()
///     .layer(with_principal(principal("usr_1").build()))
///     .layer(WriteGuardLayer::new());
/// let app: Router = Router::new().route("/orders/{id}", put(change).layer(gates));
/// let request = Request::put("/orders/7").header("content-type", "application/json").body(Body::from("2"));
/// let response = app.oneshot(request.unwrap()).await.unwrap();
/// assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
/// # }
/// ```
///
/// What it cannot do: a request without a body, such as most `DELETE`s, has nothing to hold back. A
/// handler that calls [`Access::check`](super::Access::check) must take the body as `Body` or
/// `Request`, and read it afterwards.
///
/// # Cost
/// One box for each request with a body.
#[derive(Clone, Debug)]
pub struct WriteGuardLayer {
    gate: GateLayer<WriteGuardGate>,
}

impl WriteGuardLayer {
    /// The layer. There is nothing to set.
    pub fn new() -> Self {
        Self { gate: GateLayer::new(WriteGuardGate) }
    }

    /// How many requests passed.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

impl Default for WriteGuardLayer {
    fn default() -> Self {
        Self::new()
    }
}

layer_of_gate!(WriteGuardLayer => WriteGuardGate, |layer| layer.gate.clone());

/// The gate of [`WriteGuardLayer`].
#[derive(Debug)]
pub struct WriteGuardGate;

impl Gate<Body> for WriteGuardGate {
    const NAME: &'static str = "write_guard";
    const PLACE: Place = Place::Scope;
    type Pass = ();

    fn enter(self: &Arc<Self>, request: &mut Request<Body>, context: &Arc<RequestContext>) -> Entry<Body, ()> {
        context.obligation().open();
        if request.body().is_end_stream() {
            return Entry::Pass(());
        }
        let body = mem::take(request.body_mut());
        *request.body_mut() = held_back(body, Arc::clone(context));
        Entry::Pass(())
    }

    fn leave(self: &Arc<Self>, (): (), response: &mut Response, context: &Arc<RequestContext>) -> Leave {
        judge(response, context);
        Leave::Done
    }
}
