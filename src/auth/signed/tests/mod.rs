//! Signed requests through the whole layer.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on is to panic")]

#[cfg(feature = "http-signatures")]
mod messages;
#[cfg(feature = "http-signatures")]
mod proofs;
mod sigv4;
mod stores;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request as AxumRequest,
    routing::any,
};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use tower::{ServiceBuilder, ServiceExt as _};

use super::{SigningKey, SigningKeyBuilder};
use crate::{
    auth::{AuthLayer, AuthLayerBuilder},
    backend::memory::MemoryStore,
    gate::RequestContextLayer,
    identity::Principal,
    secret::Secret,
    time::{ManualClock, Timestamp},
};

const NOW: Timestamp = Timestamp::from_secs(1_795_248_300);
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const KEY_ID: &str = "AKIDEXAMPLE";

fn key() -> SigningKeyBuilder {
    SigningKey::secret(KEY_ID, "svc_billing", Secret::new(SECRET)).tenant("acme").scopes(["read:orders"])
}

fn store(keys: impl IntoIterator<Item = SigningKeyBuilder>) -> MemoryStore {
    let store = MemoryStore::new();
    for key in keys {
        store.insert_signing_key(key.build().unwrap()).unwrap();
    }
    store
}

/// A service that answers with what its handler saw.
fn app(auth: AuthLayerBuilder, now: Timestamp) -> Router {
    app_by(auth, ManualClock::at(now))
}

fn app_by(auth: AuthLayerBuilder, clock: ManualClock) -> Router {
    let handler = |caller: Option<Principal>, headers: HeaderMap, body: Bytes| async move {
        let caller = caller.map_or_else(|| "nobody".to_owned(), |caller| caller.subject().to_owned());
        let length = headers.get("content-length").cloned().unwrap_or(HeaderValue::from_static(""));
        ([("x-caller", caller), ("x-length", length.to_str().unwrap().to_owned())], body)
    };
    let context = RequestContextLayer::new().clock(clock);
    Router::new()
        .route(
            "/whole",
            any(
                |request: AxumRequest| async move { axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap() },
            ),
        )
        .fallback(any(handler))
        .layer(ServiceBuilder::new().layer(context).layer(auth.build().unwrap()))
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    /// The code of the problem; empty if it is none.
    fn code(&self) -> &str {
        let code = self.body.split("\"error\":\"").nth(1).and_then(|rest| rest.split('"').next());
        code.filter(|_| !self.status.is_success()).unwrap_or_default()
    }

    fn is(&self, status: u16, code: &str) -> bool {
        self.status.as_u16() == status && self.code() == code
    }
}

async fn send(app: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = axum::body::to_bytes(body, 1 << 22).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() }
}
