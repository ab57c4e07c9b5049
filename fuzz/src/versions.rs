//! Where a request names the version: path, field, `Accept`. Whatever it says, the answer is one version of
//! those that there are, or a refusal.

use std::sync::LazyLock;

use axum::{Router, body::Body, routing::get};
use http::{HeaderName, HeaderValue, Request, Uri};
use portcullis::versioning::{ApiVersion, ApiVersionLayer, VersionSource, WithoutVersion};

use crate::door::{Door, parts};

static STRIPPED: LazyLock<Door> = LazyLock::new(|| Door::around(|| app(VersionSource::path().stripped())));
static NESTED: LazyLock<Door> = LazyLock::new(|| Door::around(|| app(VersionSource::path_after("/api"))));

fn app(path: VersionSource) -> Router {
    let layer = ApiVersionLayer::builder([ApiVersion::number(1), ApiVersion::number(2), ApiVersion::date(2025, 1, 1)])
        .sources([path, VersionSource::header(), VersionSource::accept("example")])
        .without_version(WithoutVersion::Refuse)
        .build()
        .expect("a layer");
    layer.wrap(Router::new().fallback(get(|version: ApiVersion| async move { version.to_string() })))
}

pub fn run(data: &[u8]) {
    let [path, field, accept, more] = parts(data);
    let Ok(uri) = Uri::try_from(path) else { return };
    for door in [&STRIPPED, &NESTED] {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri.clone();
        for (name, value) in [("x-api-version", field), ("accept", accept), ("accept", more)] {
            let Ok(value) = HeaderValue::from_bytes(value) else { return };
            if !value.is_empty() {
                request.headers_mut().append(HeaderName::from_static(name), value);
            }
        }
        if door.send(request).is_success() {
            let named = |text: &[u8]| [&path, &field, &accept, &more].iter().any(|part| has(part, text));
            assert!(named(b"1") || named(b"2"), "nobody named a version");
        }
    }
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
