//! A router behind one layer, and what becomes of a request.

use axum::{Router, body::Body, routing::any};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use portcullis::auth::AuthLayer;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

pub struct Door {
    runtime: Runtime,
    app: Router,
}

impl Door {
    /// Built within the runtime, which some layers need.
    pub fn new(layer: impl FnOnce() -> AuthLayer) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let _inside = runtime.enter();
        let app = Router::new().route("/{*rest}", any(|| async { "in" })).layer(layer());
        drop(_inside);
        Self { runtime, app }
    }

    /// The status, which is never a 5xx. `None` if the headers cannot be sent at all.
    pub fn knock<'a>(&self, headers: impl IntoIterator<Item = (&'static str, &'a [u8])>) -> Option<StatusCode> {
        let mut request = Request::get("/a?b=c").body(Body::empty()).expect("a request");
        for (name, value) in headers {
            request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_bytes(value).ok()?);
        }
        Some(self.send(request))
    }

    pub fn send(&self, request: Request<Body>) -> StatusCode {
        let response = self.runtime.block_on(self.app.clone().oneshot(request)).expect("never fails");
        assert!(!response.status().is_server_error(), "{response:?}");
        response.status()
    }
}

/// The parts of an input: what stands between its 0xFF bytes, which no text has.
pub fn parts<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut rest = data.split(|byte| *byte == 0xFF);
    std::array::from_fn(|_| rest.next().unwrap_or_default())
}
