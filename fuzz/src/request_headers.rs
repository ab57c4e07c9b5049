//! `Access-Control-Request-Headers` in two lines, and `Access-Control-Request-Method`.

use std::sync::{LazyLock, atomic::Ordering::Relaxed};

use axum::body::Body;
use http::Request;
use portcullis::cors::CorsPolicy;

use crate::{
    door::{LET_IN, parts, with},
    pages::Pages,
};

const ORIGIN: &str = "https://app.example.com";
const METHODS: [&str; 3] = ["GET", "PUT", "PURGE"];
const NAMES: [&str; 4] = ["authorization", "content-type", "x-api-key", "x-request-id"];

static LISTED: LazyLock<Pages> = LazyLock::new(|| {
    Pages::new(
        CorsPolicy::builder().allow_origin(ORIGIN).methods(METHODS).request_headers(NAMES).build().expect("a policy"),
    )
});

static ANY: LazyLock<Pages> = LazyLock::new(|| {
    let policy = CorsPolicy::builder().allow_origin(ORIGIN).allow_any_method().allow_any_request_header();
    Pages::new(policy.build().expect("a policy"))
});

pub fn run(data: &[u8]) {
    let [method, first, second] = parts(data);
    for (pages, any) in [(&LISTED, false), (&ANY, true)] {
        let request = Request::options("/").body(Body::empty()).expect("a request");
        let lines = [first, second].into_iter().map(|line| ("access-control-request-headers", line));
        let fields =
            [("origin", ORIGIN.as_bytes()), ("access-control-request-method", method)].into_iter().chain(lines);
        let Some(request) = with(request, fields) else { return };
        let (response, origin) = pages.send(request);
        let is_preflight = response.status() == 204;
        if origin.is_none() || !is_preflight {
            continue;
        }
        LET_IN.fetch_add(usize::from(!any), Relaxed);
        let text = String::from_utf8_lossy(method).trim_matches([' ', '\t']).to_owned();
        assert!(any || METHODS.contains(&&*text), "{text:?} got in");
        for name in [first, second].iter().flat_map(|line| line.split(|byte| *byte == b',')) {
            let name = String::from_utf8_lossy(name).trim_matches([' ', '\t']).to_ascii_lowercase();
            let right = if any { name != "authorization" && name.is_ascii() } else { NAMES.contains(&&*name) };
            assert!(name.is_empty() || right, "{name:?} got in");
        }
    }
}
