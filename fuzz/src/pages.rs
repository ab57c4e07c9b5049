//! A router behind a CORS policy, and what it tells pages.

use axum::{Router, body::Body, response::Response, routing::any};
use http::Request;
use portcullis::cors::{CorsPolicy, CorsSecurityLayer};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

pub struct Pages {
    runtime: Runtime,
    app: Router,
}

impl Pages {
    pub fn new(policy: CorsPolicy) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let app = Router::new().fallback(any(|| async { "in" })).layer(CorsSecurityLayer::new(policy));
        Self { runtime, app }
    }

    /// The response, which is never an error, and the one origin that may read it.
    pub fn send(&self, request: Request<Body>) -> (Response, Option<Vec<u8>>) {
        let response = self.runtime.block_on(self.app.clone().oneshot(request)).expect("never fails");
        assert!(response.status().is_success(), "{response:?}");
        let mut origins = response.headers().get_all("access-control-allow-origin").iter();
        let origin = origins.next().map(|value| value.as_bytes().to_vec());
        assert!(origins.next().is_none(), "two answers: {response:?}");
        assert!(response.headers().contains_key("vary"), "a cache would mix them up");
        (response, origin)
    }
}
