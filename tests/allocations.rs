//! What the mechanism and each layer cost in allocations, pinned exactly: a change that costs one
//! more fails here, and so does one that costs one less (then the pin is lowered).

use std::{
    convert::Infallible,
    hint::black_box,
    sync::Arc,
    task::{Context, Poll},
};

use allocation_counter::measure;
use axum::{Router, body::Body, routing::get};
use http::Request;
use http_body_util::BodyExt as _;
use portcullis::{
    gate::{Entry, Gate, GateLayer},
    request::RequestContext,
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt as _};

/// A layer that does nothing, in a service with a pointer in it: what axum itself charges.
#[derive(Clone)]
struct Noop(Arc<()>);

#[derive(Clone)]
struct NoopService<S>(#[expect(dead_code, reason = "it is there for its size")] Arc<()>, S);

impl<S> Layer<S> for Noop {
    type Service = NoopService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        NoopService(Arc::clone(&self.0), inner)
    }
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for NoopService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.1.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        self.1.call(request)
    }
}

struct Empty;

impl<B> Gate<B> for Empty {
    const NAME: &'static str = "empty";
    type Pass = ();

    fn enter(self: &Arc<Self>, request: Request<B>, _: &Arc<RequestContext>) -> Entry<B, ()> {
        Entry::Pass(request, ())
    }
}

fn empty() -> GateLayer<Empty> {
    GateLayer::new(Empty)
}

fn router() -> Router {
    Router::new().route("/orders/{id}", get(|| async { "ok" }))
}

/// Allocations of one call, after three to warm up.
fn allocations<S>(service: S) -> u64
where
    S: Service<Request<Body>, Response = axum::response::Response, Error = Infallible> + Clone,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let call = || {
        let service = service.clone();
        let request = Request::builder().uri("/orders/1").body(Body::empty()).unwrap();
        runtime.block_on(async move {
            let response = service.oneshot(request).await.unwrap();
            assert_eq!(response.status(), 200);
            black_box(response.into_body().collect().await.unwrap());
        });
    };
    (0..3).for_each(|_| call());
    measure(call).count_total
}

#[test]
fn seven_empty_gates() {
    let bare = allocations(router());
    let noop = allocations(router().layer(Noop(Arc::new(()))));
    let absent = GateLayer::<Empty>::absent;
    let optional = allocations(
        router().layer(
            ServiceBuilder::new()
                .layer(absent())
                .layer(absent())
                .layer(absent())
                .layer(absent())
                .layer(absent())
                .layer(absent())
                .layer(absent()),
        ),
    );
    let one = allocations(router().layer(empty()));
    let seven = allocations(
        router().layer(
            ServiceBuilder::new()
                .layer(empty())
                .layer(empty())
                .layer(empty())
                .layer(empty())
                .layer(empty())
                .layer(empty())
                .layer(empty()),
        ),
    );
    println!("bare {bare}, Router::layer {noop}, seven absent gates {optional}, one gate {one}, seven gates {seven}");
    assert_eq!(optional, noop, "an absent gate costs nothing");
    assert_eq!(noop, bare + 4, "axum's own");
    assert_eq!(seven, bare + 7, "and three for the context: itself, its box in the extensions, and their growth");
    assert_eq!(seven, one, "the second gate costs no allocation");
}
