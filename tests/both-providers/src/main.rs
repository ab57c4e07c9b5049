//! A request through a build that holds both signature providers.

use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode};
use portcullis::gate::ProblemLayer;
use tower::ServiceExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let app = Router::new().route("/", get(|| async { "hello" })).layer(ProblemLayer::new());
    let response = app.oneshot(Request::new(Body::empty())).await.expect("a router does not fail");
    assert_eq!(response.status(), StatusCode::OK);
    println!("both-providers: answered 200");
}
