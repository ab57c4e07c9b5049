//! A GraphQL document, in a body of each form and in an address; and a body of JSON as it comes. What is let
//! through is a document for another parser, too.

use std::sync::LazyLock;

use apollo_parser::Parser;
use axum::{Router, body::Body, routing::any};
use http::Request;
use portcullis::graphql::{GraphQlLimitLayer, QueryCosts};

use crate::door::Door;

static DOOR: LazyLock<Door> = LazyLock::new(|| {
    Door::around(|| {
        let costs = QueryCosts::new().list_arguments(["first", "ids"]).weight("search", 7);
        let layer =
            GraphQlLimitLayer::builder().costs(costs).allow_get().allow_introspection().build().expect("a layer");
        Router::new().fallback(any(|| async { "in" })).layer(layer)
    })
});

fn post(media_type: &str, body: Vec<u8>) -> Request<Body> {
    Request::post("/").header("content-type", media_type).body(body.into()).expect("a request")
}

pub fn run(data: &[u8]) {
    DOOR.send(post("application/json", data.to_vec()));
    let status = DOOR.send(post("application/graphql", data.to_vec()));
    let Ok(query) = std::str::from_utf8(data) else { return };
    let body = format!("{{\"query\":{},\"variables\":{{\"n\":3}}}}", quoted(query));
    let by_json = DOOR.send(post("application/json", body.into_bytes()));
    // A variable may make it dearer, and nothing else.
    assert!(by_json == status || query.contains('$'), "the form of the body decides: {status} {by_json}");
    let encoded: String = data.iter().map(|byte| format!("%{byte:02x}")).collect();
    DOOR.send(Request::get(format!("/?query={encoded}")).body(Body::empty()).expect("a request"));
    // Strings are left out: descriptions and some escapes are newer than that parser. And commas are nothing
    // (GraphQL §2.1.5), also behind the dots of a spread, where it takes them for something.
    if status.is_success() && !query.contains('"') {
        let tree = Parser::new(&query.replace(',', " ")).parse();
        assert_eq!(tree.errors().len(), 0, "{:?}", tree.errors().next());
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\0'..' ' => quoted += &format!("\\u{:04x}", u32::from(letter)),
            _ => quoted.push(letter),
        }
    }
    quoted + "\""
}
