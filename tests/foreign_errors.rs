//! What axum, tower-http and a panicking handler answer becomes a problem document; what the application
//! answers stays as it is.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a check that cannot go on is to panic"
)]

use std::time::Duration;

use axum::{
    Extension, Form, Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path, Query},
    http::{HeaderMap, Request, StatusCode, header},
    response::{Html, IntoResponse as _, Response},
    routing::{get, post},
};
use portcullis::{
    cors::CorsSecurityLayer,
    gate::ProblemLayer,
    headers::SecurityHeadersLayer,
    rejection::{LegacyJson, Rejection, RejectionKind},
    stack::Stack,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt as _};
use tower_http::catch_panic::CatchPanicLayer;

const SECRET: &str = "a-very-secret-value-that-nobody-is-told";

#[derive(Deserialize)]
struct Order {
    count: u32,
}

/// A route for each way in which axum refuses.
fn routes() -> Router {
    let count = |order: Order| order.count.to_string();
    Router::new()
        .route("/json", post(move |Json(order): Json<Order>| async move { count(order) }))
        .route("/form", post(move |Form(order): Form<Order>| async move { count(order) }))
        .route("/query", get(move |Query(order): Query<Order>| async move { count(order) }))
        .route("/path/{count}", get(|Path(count): Path<u32>| async move { count.to_string() }))
        // Two parameters for a route with one: axum's 500, which names types.
        .route("/paths/{count}", get(|Path((a, b)): Path<(u32, u32)>| async move { a.saturating_add(b).to_string() }))
        .route("/extension", get(|Extension(count): Extension<u32>| async move { count.to_string() }))
        .route("/bytes", post(|body: Bytes| async move { body.len().to_string() }).layer(DefaultBodyLimit::max(4)))
        .route("/text", post(|body: String| async move { body }))
        .route("/broken", get(|| async { (StatusCode::INTERNAL_SERVER_ERROR, format!("no table {SECRET}")) }))
}

fn ask(method: &str, path: &str, media_type: &str, body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !media_type.is_empty() {
        request = request.header(header::CONTENT_TYPE, media_type);
    }
    request.body(body.into()).unwrap()
}

async fn send(app: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, Bytes) {
    let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    (parts.status, parts.headers, axum::body::to_bytes(body, 1 << 20).await.unwrap())
}

fn document(headers: &HeaderMap, body: &[u8]) -> Value {
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["cache-control"], "no-store");
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(body["request_id"], headers["x-request-id"].to_str().unwrap());
    body
}

/// The list of those that axum 0.8 has, with the status that is axum's.
#[tokio::test]
async fn every_rejection_of_axum_becomes_a_problem() {
    let app = routes().layer(ProblemLayer::new());
    let json = "application/json";
    for (request, status, code) in [
        (ask("POST", "/json", json, format!("{{\"count\": {SECRET}")), 400, "invalid_request"),
        (ask("POST", "/json", json, format!("{{\"count\": \"{SECRET}\"}}")), 422, "unprocessable_content"),
        (ask("POST", "/json", "text/plain", "{}"), 415, "unsupported_media_type"),
        (ask("POST", "/json", "", "{}"), 415, "unsupported_media_type"),
        (ask("POST", "/form", "text/plain", "count=1"), 415, "unsupported_media_type"),
        (
            ask("POST", "/form", "application/x-www-form-urlencoded", format!("count={SECRET}")),
            422,
            "unprocessable_content",
        ),
        (ask("GET", &format!("/query?count={SECRET}"), "", ""), 400, "invalid_request"),
        (ask("GET", "/query", "", ""), 400, "invalid_request"),
        (ask("GET", &format!("/path/{SECRET}"), "", ""), 400, "invalid_request"),
        (ask("GET", "/path/%FF", "", ""), 400, "invalid_request"),
        (ask("GET", "/paths/1", "", ""), 500, "internal_error"),
        (ask("GET", "/extension", "", ""), 500, "internal_error"),
        (ask("POST", "/bytes", "", "12345"), 413, "payload_too_large"),
        (ask("POST", "/text", "", &b"\xFF"[..]), 400, "invalid_request"),
        (ask("POST", "/json", json, vec![b' '; (2 << 20) + 1]), 413, "payload_too_large"),
        (ask("DELETE", "/json", "", ""), 405, "method_not_allowed"),
        (ask("GET", "/nowhere", "", ""), 404, "not_found"),
        (ask("GET", "/broken", "", ""), 500, "internal_error"),
    ] {
        let shown = format!("{} {}", request.method(), request.uri());
        let (found, headers, body) = send(&app, request).await;
        let body = document(&headers, &body);
        assert_eq!(
            (found.as_u16(), &body["error"], &body["status"]),
            (status, &code.into(), &status.into()),
            "{shown}"
        );
        let text = format!("{body} {headers:?}");
        for leak in [SECRET, "u32", "at line", "Extension"] {
            assert!(!text.contains(leak), "{shown} tells {leak}: {text}");
        }
    }
}

#[tokio::test]
async fn allow_stays_and_a_head_has_no_body() {
    let app = routes().layer(ProblemLayer::new());
    let (_, headers, _) = send(&app, ask("DELETE", "/json", "", "")).await;
    assert_eq!(headers["allow"], "POST");
    for (path, status) in [("/nowhere", 404), ("/query", 400), ("/json", 405), ("/broken", 500)] {
        let (found, headers, body) = send(&app, ask("HEAD", path, "", "")).await;
        assert_eq!((found.as_u16(), body.len()), (status, 0), "{path}");
        assert_eq!(headers["content-type"], "application/problem+json");
        assert!(headers.contains_key("x-request-id"));
    }
}

/// An extension that an inner layer leaves for an outer one.
#[derive(Clone, Debug, PartialEq)]
struct Left(u8);

#[tokio::test]
async fn what_is_the_applications_stays_the_applications() {
    let own = |status: u16, name: &'static str, media_type: &'static str| {
        move || async move { (StatusCode::from_u16(status).unwrap(), [(name, media_type)], "{\"own\":true}") }
    };
    let app = Router::new()
        .route("/json", get(own(400, "content-type", "application/json")))
        .route("/problem", get(own(409, "content-type", "application/problem+json")))
        .route("/fine", get(own(200, "content-type", "text/plain")))
        .route("/moved", get(own(303, "content-type", "text/plain")))
        .route("/almost", get(own(400, "content-type", "text/plain-but-not-quite")))
        .route("/html", get(|| async { (StatusCode::NOT_FOUND, Html("<h1>own</h1>")) }))
        .layer(ProblemLayer::new());
    for (path, status, media_type) in [
        ("/json", 400, "application/json"),
        ("/problem", 409, "application/problem+json"),
        ("/fine", 200, "text/plain"),
        ("/moved", 303, "text/plain"),
        ("/almost", 400, "text/plain-but-not-quite"),
        ("/html", 404, "text/html; charset=utf-8"),
    ] {
        let (found, headers, body) = send(&app, ask("GET", path, "", "")).await;
        assert_eq!((found.as_u16(), &headers["content-type"]), (status, &media_type.parse().unwrap()));
        assert!(String::from_utf8_lossy(&body).contains("own"), "{path}");
    }
}

#[tokio::test]
async fn what_belongs_to_the_response_stays_and_what_belongs_to_the_body_goes() {
    let foreign = || async {
        let headers = [
            ("content-type", "Text/Plain; charset=utf-8"),
            ("content-encoding", "gzip"),
            ("etag", "\"1\""),
            ("cache-control", "max-age=60"),
            ("retry-after", "7"),
            ("www-authenticate", "Basic realm=\"x\""),
            ("set-cookie", "a=1"),
        ];
        let mut response = (StatusCode::UNAUTHORIZED, headers, "foreign").into_response();
        response.headers_mut().append("set-cookie", "b=2".parse().unwrap());
        response.extensions_mut().insert(Left(7));
        response
    };
    let seen = |response: Response| {
        assert_eq!(response.extensions().get::<Left>(), Some(&Left(7)), "what a layer left for one outside");
        assert!(response.extensions().get::<Rejection>().is_some());
        response
    };
    let layers = ServiceBuilder::new().map_response(seen).layer(ProblemLayer::new());
    let app = Router::new().route("/", get(foreign)).layer(layers);
    let (_, headers, body) = send(&app, ask("GET", "/", "", "")).await;
    let body = document(&headers, &body);
    assert_eq!(body["error"], "missing_credentials");
    assert_eq!(
        (&headers["retry-after"], &headers["www-authenticate"]),
        (&"7".parse().unwrap(), &"Basic realm=\"x\"".parse().unwrap())
    );
    assert_eq!(headers.get_all("set-cookie").iter().count(), 2);
    for gone in ["content-encoding", "etag"] {
        assert!(!headers.contains_key(gone), "{gone}");
    }
}

/// Seed: the documents disagree on the body of a 429. There is one model, and each of their bodies.
#[tokio::test]
async fn seed_bug_17_one_model_and_the_bodies_of_both_documents() {
    let limited = || async { Rejection::new(RejectionKind::RateLimited).with_retry_after(Duration::from_secs(60)) };
    let app = |style: Option<LegacyJson>| {
        let restyle = move |response: Response| match style {
            Some(style) => style.restyle(response),
            None => response,
        };
        let layers = ServiceBuilder::new().map_response(restyle).layer(ProblemLayer::new());
        Router::new().route("/limited", get(limited)).layer(layers)
    };
    let body = async |style, path: &str| -> Value {
        let (_, headers, body) = send(&app(style), ask("GET", path, "", "")).await;
        assert_eq!(headers["content-type"] == "application/json", style.is_some());
        serde_json::from_slice(&body).unwrap()
    };
    assert_eq!(
        body(Some(LegacyJson::BestPractices), "/limited").await,
        json!({ "error": "Rate limit exceeded", "retry_after": 60 })
    );
    let workflow = body(Some(LegacyJson::Workflow), "/limited").await;
    assert_eq!(
        (&workflow["error"], &workflow["retry_after"], &workflow["remaining"]),
        (&"rate_limit_exceeded".into(), &60.into(), &0.into())
    );
    assert_eq!(body(None, "/limited").await["status"], 429);
    // What was not ours in the first place, too.
    assert_eq!(body(Some(LegacyJson::BestPractices), "/nowhere").await, json!({ "error": "Not found" }));
}

async fn panics() -> &'static str {
    std::panic::panic_any(format!("no table {SECRET}"))
}

#[tokio::test]
async fn a_panic_is_a_500_that_tells_nothing_and_is_decorated_like_all_others() {
    let origin = "https://app.example.com";
    let cors = CorsSecurityLayer::builder().allow_origins([origin]).build().unwrap();
    let stack = Stack::new().cors(&cors).security_headers(&SecurityHeadersLayer::api());
    let app = Router::new().route("/panics", get(panics)).merge(routes()).layer(stack);
    for (path, status) in [("/panics", 500), ("/nowhere", 404), ("/broken", 500), ("/query", 400)] {
        let mut request = ask("GET", path, "", "");
        request.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
        let (found, headers, body) = send(&app, request).await;
        let body = document(&headers, &body);
        assert_eq!((found.as_u16(), &body["status"]), (status, &status.into()), "{path}");
        assert!(!body.to_string().contains(SECRET));
        assert_eq!(headers["access-control-allow-origin"], origin);
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["vary"], "Origin");
    }
    let (_, headers, body) = send(&app, ask("HEAD", "/panics", "", "")).await;
    assert_eq!((body.len(), &headers["content-type"]), (0, &"application/problem+json".parse().unwrap()));
}

/// Without a `Stack`: tower-http's own layer, whose answer is plain text.
#[tokio::test]
async fn a_panic_that_tower_http_catches_becomes_a_problem() {
    let layers = ServiceBuilder::new().layer(ProblemLayer::new()).layer(CatchPanicLayer::new());
    let app = Router::new().route("/panics", get(panics)).layer(layers);
    let (status, headers, body) = send(&app, ask("GET", "/panics", "", "")).await;
    let body = document(&headers, &body);
    assert_eq!((status.as_u16(), &body["error"]), (500, &"internal_error".into()));
    assert!(!body.to_string().contains(SECRET) && !body.to_string().contains("panicked"));
}

proptest::proptest! {
    /// Whatever the media type and the status: an error of no type or of plain text is converted, and
    /// nothing else is.
    #[test]
    fn what_is_converted_depends_on_type_and_status(
        status in 200_u16..600,
        media_type in proptest::option::of("(text/plain|TEXT/PLAIN|application/json|text/html| )(; ?charset=utf-8)?|[ -~]{0,20}"),
    ) {
        let status = StatusCode::from_u16(status).unwrap();
        let named = media_type.clone();
        let handler = move || {
            let mut response = Response::new(Body::from("own"));
            *response.status_mut() = status;
            if let Some(media_type) = &named {
                response.headers_mut().insert(header::CONTENT_TYPE, media_type.parse().unwrap());
            }
            async { response }
        };
        let app = Router::new().route("/", get(handler)).layer(ProblemLayer::new());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (found, headers, body) = runtime.block_on(send(&app, ask("GET", "/", "", "")));
        let essence = media_type.as_deref().map(|text| text.split(';').next().unwrap_or_default().trim().to_lowercase());
        let is_bare = essence.is_none_or(|essence| essence == "text/plain");
        let is_error = status.is_client_error() || status.is_server_error();
        proptest::prop_assert_eq!(found, status);
        proptest::prop_assert_eq!(&*body == b"own", !(is_bare && is_error));
        let converted = headers.get(header::CONTENT_TYPE).is_some_and(|value| value == "application/problem+json");
        proptest::prop_assert_eq!(converted, is_bare && is_error || media_type.as_deref() == Some("application/problem+json"));
    }
}
