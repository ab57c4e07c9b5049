//! AWS Signature Version 4: `Authorization`, `x-amz-date` and a target (with or without a signature
//! in its query) once as they come, once signed, and once signed and then changed.

use std::{sync::LazyLock, time::Duration};

use axum::body::Body;
use http::{HeaderValue, Request, Uri};
use portcullis::{
    auth::{
        AuthLayer,
        signed::{SigV4, SigningKey},
    },
    backend::memory::MemoryStore,
    secret::Secret,
    testing::SigV4Signer,
};

use crate::door::{Door, NOW, parts, with};

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

static DOOR: LazyLock<Door> = LazyLock::new(|| {
    Door::new(|| {
        let store = MemoryStore::new();
        let key = SigningKey::secret(KEY, "svc", Secret::new(SECRET)).build().expect("a key");
        store.insert_signing_key(key).expect("room for a key");
        let signed = SigV4::builder(store, "us-east-1", "orders").presigned_urls().build().expect("a verifier");
        AuthLayer::builder().authenticator(signed).build().expect("a layer")
    })
});

pub fn run(data: &[u8]) {
    let [authorization, date, target, body, field] = parts(data);
    let target = if target.starts_with(b"/") { target } else { b"/a" };
    let Ok(target) = Uri::try_from(target) else { return };
    let request = Request::post(target.clone()).header("host", "api.test").body(Body::from(body.to_vec()));
    let fields = [("authorization", authorization), ("x-amz-date", date), ("x-amz-meta", field)];
    let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
    if let Some(request) = with(request.expect("a request"), fields) {
        let status = DOOR.send(request);
        assert!(status.is_client_error(), "nobody signed that: {status}");
    }
    signed(&target, body, field);
}

fn signed(target: &Uri, body: &[u8], field: &[u8]) {
    // A target may bring a signature of its own: two are one too many.
    if target.query().is_some_and(|query| query.to_ascii_lowercase().contains("amz") || query.contains('%')) {
        return;
    }
    let Ok(field) = HeaderValue::from_bytes(field) else { return };
    let request = || {
        let request = Request::put(target.clone()).header("host", "api.test").header("x-amz-meta", field.clone());
        request.body(body.to_vec()).expect("a request")
    };
    let signer = SigV4Signer::new(KEY, SECRET, "us-east-1", "orders").at(NOW);
    let bare = || Request::put(target.clone()).header("host", "api.test").body(body.to_vec()).expect("a request");
    for sign in [&|| signer.sign(request()), &|| signer.presign(bare(), Duration::from_secs(60))]
        as [&dyn Fn() -> Request<Body>; 2]
    {
        let status = DOOR.send(sign());
        if !is_resolved(target.path()) {
            assert!(status.is_client_error(), "a router may read that path in another way: {status}");
            continue;
        }
        assert!(status.is_success(), "it was signed");
        let mut other = sign();
        *other.method_mut() = http::Method::DELETE;
        assert!(DOOR.send(other).is_client_error(), "that was not signed");
        let mut other = sign();
        *other.body_mut() = Body::from([body, b"!"].concat());
        assert!(DOOR.send(other).is_client_error(), "that was not signed");
    }
}

/// Without empty segments and dots, which are signed as what they lead to.
fn is_resolved(path: &str) -> bool {
    let inner = path.strip_prefix('/').unwrap_or(path);
    let inner = inner.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(inner);
    inner.is_empty() || !inner.split('/').any(|segment| matches!(segment, "" | "." | ".."))
}
