//! A JSON body: what gets through is what `serde_json` reads from the same bytes, and has no member
//! twice, however it is written.

use std::sync::LazyLock;

use axum::{
    Router,
    body::{Body, Bytes},
    routing::any,
};
use http::Request;
use portcullis::validate::{ParsedJson, RequestValidationLayer};
use serde_json::Value;

use crate::door::Door;

static DOOR: LazyLock<Door> = LazyLock::new(|| {
    Door::around(|| {
        let validation = RequestValidationLayer::builder().build().expect("a layer");
        Router::new().fallback(any(look)).layer(validation)
    })
});

async fn look(parsed: ParsedJson, body: Bytes) -> &'static str {
    let theirs: Value = match serde_json::from_slice(&body) {
        Ok(theirs) => theirs,
        // A name that serde_json keeps for itself, and that means nothing in a body.
        Err(error) => {
            assert!(body.windows(20).any(|window| window == b"$serde_json::private"), "{error}");
            return "in";
        }
    };
    let special = body.windows(20).any(|window| window == b"$serde_json::private");
    assert!(*parsed.value() == theirs || special, "{theirs}");
    "in"
}

pub fn run(data: &[u8]) {
    let request = Request::post("/").header("content-type", "application/json");
    let status = DOOR.send(request.body(Body::from(data.to_vec())).expect("a request"));
    let theirs = serde_json::from_slice::<Value>(data);
    if theirs.is_ok() && !data.contains(&b':') && depth(data) <= 64 {
        assert!(status.is_success(), "{status}");
    }
}

/// No more than this.
fn depth(data: &[u8]) -> usize {
    data.iter().filter(|byte| **byte == b'[').count()
}
