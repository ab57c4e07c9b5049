//! Requests of the right shape.

use axum::{
    Router,
    body::{Body, Bytes},
    routing::any,
};
use http::Request;
use portcullis::validate::{RequestValidationLayer, RequestValidationLayerBuilder, Rule};

use super::{Observed, bytes, get, greatest, status};

const VALIDATION: &str = "Validation";

fn app(layer: RequestValidationLayerBuilder) -> Router {
    Router::new().route("/{*path}", any(|_: Bytes| async {})).layer(layer.build().unwrap())
}

fn usual() -> Router {
    app(RequestValidationLayer::builder())
}

fn post(kind: &str, encoding: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post("/a").header("content-type", kind).header("content-encoding", encoding);
    request.body(body.into()).unwrap()
}

fn json(body: impl Into<Body>) -> Request<Body> {
    post("application/json", "identity", body)
}

fn nested(depth: u64) -> String {
    let depth = usize::try_from(depth).unwrap();
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

pub(super) async fn look(seen: &mut Observed) {
    let opaque = app(RequestValidationLayer::builder().default_rule(Rule::opaque("*/*")));
    let fits = async |length: u64| status(&opaque, json(vec![7; usize::try_from(length).unwrap()])).await == 200;
    seen.see(VALIDATION, "largest checked body", bytes(greatest(0..=20_000_000, fits).await));
    let deep = async |depth: u64| status(&usual(), json(nested(depth))).await == 200;
    seen.see(VALIDATION, "depth of JSON", format!("{} levels", greatest(1..=200, deep).await));
    let allowed = async |depth: u64| {
        let layer = RequestValidationLayer::builder().max_depth(usize::try_from(depth).unwrap()).build();
        layer.is_ok()
    };
    seen.see(VALIDATION, "deepest JSON that can be allowed", format!("{} levels", greatest(1..=999, allowed).await));
    let query = async |parameters: u64| {
        let query = vec!["a"; usize::try_from(parameters).unwrap()].join("&");
        status(&usual(), get(&format!("/a?{query}"), &[])).await == 200
    };
    seen.see(VALIDATION, "parameters of a query", greatest(1..=2_000, query).await.to_string());
    shapes(seen).await;
}

async fn shapes(seen: &mut Observed) {
    let mut kinds = Vec::new();
    for kind in ["application/json", "application/vnd.a+json", "text/plain", "multipart/form-data; boundary=a"] {
        if status(&usual(), post(kind, "identity", "{}")).await == 200 {
            kinds.push(kind);
        }
    }
    seen.see(VALIDATION, "media types", super::codes(kinds));
    let encoded = status(&usual(), post("application/json", "gzip", "{}")).await;
    seen.see(VALIDATION, "encodings of bodies", if encoded == 415 { "none" } else { "some" });
    let twice = status(&usual(), json("{\"a\":1,\"a\":2}")).await;
    seen.see(VALIDATION, "a member that stands twice", twice.to_string());
    let slash = status(&usual(), get("/a%2Fb", &[])).await;
    seen.see(VALIDATION, "encoded slash in a path", slash.to_string());
    let (any, without) = (status(&usual(), json("[]")).await, status(&usual(), get("/a", &[])).await);
    let body = Request::get("/a").header("content-type", "application/json").body(Body::from("[]")).unwrap();
    let as_stated = (any, without, status(&usual(), body).await) == (200, 200, 400);
    let stated = "JSON of any shape, where the method has a body";
    seen.see(VALIDATION, "routes without a rule", if as_stated { stated } else { "something else" });
}
