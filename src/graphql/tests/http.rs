//! The layer, around a handler that returns what it gets.

use std::time::Duration;

use super::*;
use crate::{config_error::ConfigError, gate::RequestContextLayer, lint::Severity, request::RequestContext};

fn app(builder: GraphQlLimitLayerBuilder) -> Router {
    let echo = |request: Request<Body>| async move {
        let cost = RequestContext::of(&request).unwrap().computed_cost();
        let cost = cost.map_or("none".into(), |cost| cost.to_string());
        let read = request.into_body().collect().await.unwrap();
        let trailers = read.trailers().map_or(0, HeaderMap::len).to_string();
        ([("x-cost", cost), ("x-trailers", trailers)], read.to_bytes())
    };
    Router::new()
        .route("/graphql", post(echo).get(echo))
        .layer(builder.build().unwrap())
        .layer(RequestContextLayer::new())
}

fn ask(media_type: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post("/graphql").header("content-type", media_type).body(body.into()).unwrap()
}

fn json_of(query: &str) -> Request<Body> {
    ask("application/json", json!({ "query": query }).to_string())
}

async fn send(app: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, Bytes) {
    let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
}

async fn refusal(app: &Router, request: Request<Body>) -> (u16, Value) {
    let (status, headers, body) = send(app, request).await;
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["cache-control"], "no-store");
    (status.as_u16(), serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn what_is_let_through_is_handed_on_as_it_came_with_its_cost() {
    let app = app(GraphQlLimitLayer::builder());
    let body = "{\"query\" : \"{ a { b } }\",\n \"variables\": null }";
    for media_type in ["application/json", "application/json; charset=utf-8"] {
        let (status, headers, echoed) = send(&app, ask(media_type, body)).await;
        assert_eq!((status, &*echoed), (StatusCode::OK, body.as_bytes()));
        assert_eq!(headers["x-cost"], "2");
    }
    let (status, headers, echoed) = send(&app, ask("application/graphql", "{ a b c }")).await;
    assert_eq!((status, &*echoed, &headers["x-cost"]), (StatusCode::OK, &b"{ a b c }"[..], &"3".parse().unwrap()));
    let batch = r#"[{"query":"{ a }"},{"query":"{ b c }"}]"#;
    let (_, headers, echoed) = send(&app, ask("application/json", batch)).await;
    assert_eq!((&*echoed, &headers["x-cost"]), (batch.as_bytes(), &"3".parse().unwrap()));
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", "7".parse().unwrap());
    let full = http_body_util::Full::new(Bytes::from_static(b"{ a }"));
    let streamed = Body::new(full.with_trailers(std::future::ready(Some(Ok(trailers)))));
    let (_, headers, echoed) = send(&app, ask("application/graphql", streamed)).await;
    assert_eq!((&*echoed, &headers["x-trailers"]), (&b"{ a }"[..], &"1".parse().unwrap()));
}

#[tokio::test]
async fn each_fault_has_its_status() {
    let app = app(GraphQlLimitLayer::builder().max_body(4_000).max_depth(3));
    let long = "x".repeat(4_001);
    for (request, status, code) in [
        (ask("application/json", "NONSENSE"), 400, "invalid_request"),
        (ask("application/json", "{\"query\":"), 400, "invalid_request"),
        (ask("application/graphql", &b"{ a(x: \"\xFF\") }"[..]), 400, "invalid_request"),
        (json_of("{"), 400, "invalid_request"),
        (ask("application/json", r#"{"qeury":"{__typename}"}"#), 422, "unprocessable_content"),
        (ask("application/json", r#"{"query":"{a}","variables":[7]}"#), 422, "unprocessable_content"),
        (json_of("{ ...F }"), 422, "unprocessable_content"),
        (json_of("{ __schema { types { name } } }"), 422, "unprocessable_content"),
        (json_of("{ a { b { c { d } } } }"), 422, "query_too_complex"),
        (ask("text/plain", "{ a }"), 415, "unsupported_media_type"),
        (ask("application/x-www-form-urlencoded", "query={a}"), 415, "unsupported_media_type"),
        (Request::post("/graphql").body(Body::from("{ a }")).unwrap(), 415, "unsupported_media_type"),
        (ask("application/graphql", long.clone()), 413, "payload_too_large"),
        (ask("application/graphql", Body::new(Chunked(Some(long)))), 413, "payload_too_large"),
        (Request::get("/graphql?query={a}").body(Body::empty()).unwrap(), 405, "method_not_allowed"),
        (Request::put("/graphql").body(Body::empty()).unwrap(), 405, "method_not_allowed"),
    ] {
        let shown = format!("{request:?}");
        let (found, body) = refusal(&app, request).await;
        assert_eq!((found, &body["error"]), (status, &code.into()), "{shown} {body}");
    }
    let (_, body) = refusal(&app, json_of("{ a { b { c { d } } } }")).await;
    assert_eq!((&body["exceeded"], &body["limit"]), (&"depth".into(), &3.into()));
    let (_, body) = refusal(&app, json_of("{ a ? secretly }")).await;
    assert_eq!(body["offset"], 4);
    assert!(!body.to_string().contains("secretly"), "nothing of the query comes back");
}

/// As chunked transfer brings it: of no known length.
struct Chunked(Option<String>);

impl http_body::Body for Chunked {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(self.0.take().map(|text| Ok(http_body::Frame::data(text.into()))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_drips_is_given_up() {
    struct Never;
    impl http_body::Body for Never {
        type Data = Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }
    let app = app(GraphQlLimitLayer::builder().body_timeout(Duration::from_secs(3)));
    let (status, _) = refusal(&app, ask("application/json", Body::new(Never))).await;
    assert_eq!(status, 408);
}

#[tokio::test]
async fn the_defaults_are_those_of_the_table() {
    let app = app(GraphQlLimitLayer::builder());
    let nested = |depth: usize| format!("{}{}", "{a".repeat(depth), "}".repeat(depth));
    let many = |what: &dyn Fn(usize) -> String, count: usize| (0..count).map(what).collect::<String>();
    let batch = |count: usize| vec![json!({ "query": "{a}" }); count];
    for (at, over, limit) in [
        (json!({ "query": nested(15) }), json!({ "query": nested(16) }), "depth"),
        (
            json!({ "query": format!("{{ r {{ {} }} }}", many(&|n| format!("x{n}: a "), 30)) }),
            json!({ "query": format!("{{ r {{ {} }} }}", many(&|n| format!("x{n}: a "), 31)) }),
            "aliases",
        ),
        (
            json!({ "query": format!("{{ {} }}", "a ".repeat(30)) }),
            json!({ "query": format!("{{ {} }}", "a ".repeat(31)) }),
            "root_fields",
        ),
        (
            json!({ "query": format!("{{ a {} }}", "@d ".repeat(50)) }),
            json!({ "query": format!("{{ a {} }}", "@d ".repeat(51)) }),
            "directives",
        ),
        (
            json!({ "query": format!("{{ a(x: [{}]) }}", "1 ".repeat(10_000 - 9)) }),
            json!({ "query": format!("{{ a(x: [{}]) }}", "1 ".repeat(10_000 - 8)) }),
            "tokens",
        ),
        (json!({ "query": "{ a(first: 5000) { b } }" }), json!({ "query": "{ a(first: 5001) { b } }" }), "cost"),
        (json!(batch(10)), json!(batch(11)), "batch"),
    ] {
        assert_eq!(send(&app, ask("application/json", at.to_string())).await.0, StatusCode::OK, "{limit}");
        let (status, body) = refusal(&app, ask("application/json", over.to_string())).await;
        assert_eq!((status, &body["exceeded"]), (422, &limit.into()));
    }
}

#[tokio::test]
async fn get_is_for_queries_and_only_where_it_is_allowed() {
    let app = app(GraphQlLimitLayer::builder().allow_get().max_depth(3));
    let get = |query: &str| Request::get(format!("/graphql?{query}")).body(Body::empty()).unwrap();
    let (status, headers, _) = send(&app, get("query=%7B+a(first:+$n)+%7D&variables=%7B%22n%22:7%7D")).await;
    assert_eq!((status, &headers["x-cost"]), (StatusCode::OK, &"7".parse().unwrap()));
    for (query, status) in [
        ("query=mutation%7Ba%7D", 405),
        ("query=%7Ba%7Bb%7Bc%7Bd%7D%7D%7D%7D", 422),
        ("query=%7B", 400),
        ("query=%7Ba%7D&query=%7Ba%7D", 422),
        ("", 422),
    ] {
        assert_eq!(refusal(&app, get(query)).await.0, status, "{query}");
    }
    let (_, headers, _) = send(&app, Request::delete("/graphql").body(Body::empty()).unwrap()).await;
    assert_eq!(headers["allow"], "GET, POST");
    let (_, headers, _) = send(&app, get("query=mutation%7Ba%7D")).await;
    assert_eq!(headers["allow"], "POST");
}

#[tokio::test]
async fn persisted_queries_pass_only_where_they_are_allowed() {
    let body = r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"ab"}}}"#;
    let (status, _) = refusal(&app(GraphQlLimitLayer::builder()), ask("application/json", body)).await;
    assert_eq!(status, 422);
    let app = app(GraphQlLimitLayer::builder().allow_persisted_queries());
    let (status, headers, _) = send(&app, ask("application/json", body)).await;
    assert_eq!((status, &headers["x-cost"]), (StatusCode::OK, &"1".parse().unwrap()));
}

#[tokio::test]
async fn refusals_can_be_those_of_a_graphql_server() {
    let app = app(GraphQlLimitLayer::builder().graphql_errors().max_depth(1));
    for (accept, media_type) in [
        ("application/graphql-response+json, application/json;q=0.9", "application/graphql-response+json"),
        ("application/json", "application/json"),
    ] {
        let mut request = json_of("{ a { b } }");
        request.headers_mut().insert("accept", accept.parse().unwrap());
        let (status, headers, body) = send(&app, request).await;
        assert_eq!(
            (status, &headers["content-type"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &media_type.parse().unwrap())
        );
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["errors"][0]["extensions"]["exceeded"], "depth");
        assert_eq!(body["errors"][0]["extensions"]["request_id"], headers["x-request-id"].to_str().unwrap());
        assert!(body.get("data").is_none());
    }
    let (status, headers, _) = send(&app, ask("text/plain", "{ a }")).await;
    assert_eq!((status.as_u16(), &headers["content-type"]), (415, &"application/json".parse().unwrap()));
}

fn mistakes(result: Result<GraphQlLimitLayer, ConfigError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn all_mistakes_are_found_at_once() {
    let costs = QueryCosts::new().list("countries", 0).weight("a b", 1).list_arguments(["1"]);
    let text = mistakes(
        GraphQlLimitLayer::builder()
            .max_depth(0)
            .max_tokens(0)
            .max_batch(0)
            .max_root_fields(0)
            .max_cost(0)
            .max_body(0)
            .body_timeout(Duration::ZERO)
            .costs(costs)
            .build(),
    );
    for part in [
        "10 mistakes",
        "max_depth:",
        "max_body:",
        "body_timeout:",
        "costs.list[countries]:",
        "costs[a b]:",
        "costs[1]:",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // No aliases and no directives at all are limits that somebody may want.
    assert!(GraphQlLimitLayer::builder().max_aliases(0).max_directives(0).build().is_ok());
}

#[test]
fn what_is_doubtful_is_told() {
    assert!(GraphQlLimitLayer::builder().lint().is_empty());
    let layer = GraphQlLimitLayer::builder()
        .allow_introspection()
        .allow_get()
        .allow_persisted_queries()
        .max_depth(51)
        .max_cost(1_000_001)
        .build()
        .unwrap();
    let found: Vec<_> = layer.report().issues().iter().map(|issue| (issue.code, issue.severity)).collect();
    assert_eq!(
        found,
        [
            ("graphql-loose-limit", Severity::Medium),
            ("graphql-loose-limit", Severity::Medium),
            ("graphql-introspection", Severity::Low),
            ("graphql-get", Severity::Low),
            ("graphql-persisted-unjudged", Severity::Info),
        ]
    );
}

proptest::proptest! {
    /// Whatever the body is: an answer, and never a 5xx.
    #[test]
    fn no_body_breaks_it(
        body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60),
        text in "(\\{|\\}|a|\\(|\\)|:|\\[|\\]|\\.\\.\\.|fragment F on T|\"|\\$|@|1| ){0,30}",
        form in 0..3_u8,
    ) {
        let app = app(GraphQlLimitLayer::builder().allow_get());
        let request = match form {
            0 => ask("application/json", body),
            1 => json_of(&text),
            _ => ask("application/graphql", text),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (status, _, _) = runtime.block_on(send(&app, request));
        proptest::prop_assert!(!status.is_server_error());
    }
}
