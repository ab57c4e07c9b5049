//! A user's service, and a few requests to it.

use std::sync::Arc;

use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode};
use portcullis::{
    gate::{Entry, Gate, GateLayer, ProblemLayer},
    rejection::RejectionKind,
    request::RequestContext,
};
use tower::{ServiceBuilder, ServiceExt as _};

/// Refuses callers who do not say who they are.
struct Named;

impl<B> Gate<B> for Named {
    const NAME: &'static str = "named";
    type Pass = ();

    fn enter(self: &Arc<Self>, request: Request<B>, _: &Arc<RequestContext>) -> Entry<B, ()> {
        match request.headers().contains_key("user-agent") {
            true => Entry::Pass(request, ()),
            false => Entry::Reject(RejectionKind::InvalidRequest.into()),
        }
    }
}

fn app() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .layer(ServiceBuilder::new().layer(ProblemLayer::new()).layer(GateLayer::new(Named)))
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for (agent, wanted) in [(Some("consumer"), StatusCode::OK), (None, StatusCode::BAD_REQUEST)] {
        let mut request = Request::new(Body::empty());
        if let Some(agent) = agent {
            request.headers_mut().insert("user-agent", agent.parse().expect("it is ASCII"));
        }
        let response = app().oneshot(request).await.expect("a router does not fail");
        assert_eq!(response.status(), wanted);
        assert!(response.headers().contains_key("x-request-id"));
    }
    println!("consumer: 2 requests answered as expected");
}
