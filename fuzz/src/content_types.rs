//! Path and query, `Content-Type`, `Content-Encoding` and `Content-Length` of a request with a body: what
//! gets through says of itself that it is JSON, and has a path that is read in one way only.

use std::sync::LazyLock;

use axum::{Router, body::Body, routing::any};
use http::{HeaderMap, Request, Uri};
use portcullis::validate::{RequestValidationLayer, Rule};

use crate::door::{Door, parts, with};

static DOOR: LazyLock<Door> = LazyLock::new(|| {
    Door::around(|| {
        let validation = RequestValidationLayer::builder().default_rule(Rule::json().accept_json("+json"));
        Router::new().fallback(any(look)).layer(validation.build().expect("a layer"))
    })
});

async fn look(uri: Uri, headers: HeaderMap) -> &'static str {
    let path = uri.path();
    assert!(!path.split('/').any(|segment| matches!(segment, "." | "..")), "{path:?}");
    assert!(!path.to_ascii_lowercase().contains("%2f") && !path.contains(['\\', '\0']), "{path:?}");
    // A quoted parameter may hold obs-text (RFC 9110, 5.6.4): the essence may not.
    let kind = String::from_utf8_lossy(headers["content-type"].as_bytes()).to_ascii_lowercase();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    assert!(essence == "application/json" || essence.ends_with("+json"), "{kind:?}");
    assert!(headers.get_all("content-type").iter().count() == 1);
    "in"
}

pub fn run(data: &[u8]) {
    let [path, kind, encoding, length] = parts(data);
    let Ok(uri) = Uri::try_from(path) else { return };
    let request = Request::post(uri).body(Body::from("{}")).expect("a request");
    let set = [("content-type", kind), ("content-encoding", encoding), ("content-length", length)];
    let sent = set.into_iter().filter(|(name, value)| *name == "content-type" || !value.is_empty());
    if let Some(request) = with(request, sent) {
        DOOR.send(request);
    }
}
