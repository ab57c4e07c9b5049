use axum::{
    Router,
    body::Body,
    extract::OriginalUri,
    http::{HeaderMap, HeaderValue, Request, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::{ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    config_error::ConfigError,
    gate::RequestContextLayer,
    lint::Severity,
    time::{Clock, ManualClock, Timestamp},
};

mod ending;

const ONE: ApiVersion = ApiVersion::number(1);
const TWO: ApiVersion = ApiVersion::number(2);
const NINE: ApiVersion = ApiVersion::number(9);

fn day(year: i16, month: i8, day: i8) -> Timestamp {
    UtcDate::new(year, month, day).timestamp().unwrap()
}

fn clock() -> ManualClock {
    ManualClock::at(day(2025, 7, 1))
}

fn two() -> ApiVersionLayerBuilder {
    ApiVersionLayer::builder([ONE, TWO]).clock(clock())
}

/// Says which version its handlers get.
fn app(layer: &ApiVersionLayer, clock: impl Clock) -> Router {
    let shown = |version: Option<ApiVersion>, OriginalUri(uri): OriginalUri| async move {
        format!("{} {uri}", version.map_or("none".into(), |version| version.to_string()))
    };
    let api = Router::new().route("/orders", get(shown));
    Router::new()
        .nest("/v1", api.clone())
        .nest("/v2", api.clone())
        .nest("/2025-01-01", api.clone())
        .merge(api)
        .route("/own", get(|| async { ([("x-api-version", "v1"), ("vary", "X-Api-Version, Origin")], "own") }))
        .route("/any", get(|| async { ([("vary", "*")], "any") }))
        .layer(ServiceBuilder::new().layer(RequestContextLayer::new().clock(clock)).layer(layer.clone()))
}

fn ask(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).unwrap()
}

async fn send(app: &Router, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, String) {
    let (parts, body) = app.clone().oneshot(ask(path, headers)).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

fn mistakes(result: Result<ApiVersionLayer, ConfigError>) -> String {
    result.unwrap_err().to_string()
}

#[tokio::test]
async fn each_source_finds_its_version() {
    let layer = two()
        .sources([VersionSource::header(), VersionSource::accept("example"), VersionSource::path()])
        .build()
        .unwrap();
    let app = app(&layer, clock());
    for (path, headers) in [
        ("/v2/orders", &[][..]),
        ("/orders", &[("x-api-version", "v2")]),
        ("/orders", &[("x-api-version", " 2 ")]),
        ("/orders", &[("accept", "application/vnd.example.v2+json")]),
        ("/v2/orders", &[("x-api-version", "2"), ("accept", "application/vnd.example.v2+json")]),
    ] {
        let (status, headers, body) = send(&app, path, headers).await;
        assert_eq!((status, &*body), (StatusCode::OK, &*format!("v2 {path}")));
        assert_eq!(headers["x-api-version"], "v2");
        assert_eq!(headers["vary"], "x-api-version, accept");
        assert!(!headers.contains_key("deprecation") && !headers.contains_key("sunset"));
    }
}

#[tokio::test]
async fn dates_are_versions_too() {
    let (old, new) = (ApiVersion::date(2024, 7, 1), ApiVersion::date(2025, 1, 1));
    let layer = ApiVersionLayer::builder([old, new])
        .sources([VersionSource::path(), VersionSource::header(), VersionSource::accept("example")])
        .build()
        .unwrap();
    let app = app(&layer, clock());
    for (path, name, value) in [
        ("/2025-01-01/orders", "x-nothing", ""),
        ("/orders", "x-api-version", "2025-01-01"),
        ("/orders", "accept", "application/vnd.example.2025-01-01+json"),
    ] {
        let (status, headers, _) = send(&app, path, &[(name, value)]).await;
        assert_eq!((status, &headers["x-api-version"]), (StatusCode::OK, &HeaderValue::from_static("2025-01-01")));
    }
}

#[tokio::test]
async fn what_is_unknown_is_refused_as_its_source_demands_and_says_what_there_is() {
    let layer = two()
        .sources([VersionSource::path(), VersionSource::header(), VersionSource::accept("example")])
        .build()
        .unwrap();
    let app = app(&layer, clock());
    for (path, name, value, status, code) in [
        ("/v3/orders", "x-nothing", "", 404, "not_found"),
        ("/orders", "x-api-version", "v3", 400, "invalid_request"),
        ("/orders", "x-api-version", "latest", 400, "invalid_request"),
        ("/orders", "x-api-version", "02", 400, "invalid_request"),
        ("/orders", "x-api-version", "+2", 400, "invalid_request"),
        ("/orders", "x-api-version", "", 400, "invalid_request"),
        ("/orders", "accept", "application/vnd.example.v3+json", 406, "not_acceptable"),
        ("/orders", "accept", "application/vnd.example.v2+json;q=2", 400, "invalid_request"),
        // None at all, where the first source is the path.
        ("/orders", "x-nothing", "", 404, "not_found"),
        ("/orders", "accept", "*/*", 404, "not_found"),
    ] {
        let (found, headers, body) = send(&app, path, &[(name, value)]).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((found.as_u16(), body["error"].as_str()), (status, Some(code)), "{path} {name}: {value}");
        assert_eq!(body["supported"], serde_json::json!(["v1", "v2"]));
        assert_eq!(headers["vary"], "x-api-version, accept", "a refusal depends on the fields, too");
        assert_eq!(headers["cache-control"], "no-store");
        assert!(!headers.contains_key("x-api-version"), "none was served");
    }
}

#[tokio::test]
async fn conflicts_and_repetitions_are_refused() {
    let layer = two()
        .sources([VersionSource::path(), VersionSource::header(), VersionSource::accept("example")])
        .build()
        .unwrap();
    let app = app(&layer, clock());
    for headers in [
        &[("x-api-version", "v1")][..],
        &[("accept", "application/vnd.example.v1+json")],
        &[("x-api-version", "v2"), ("x-api-version", "v2")],
        &[("x-api-version", "v2"), ("x-api-version", "v1")],
        &[("x-api-version", "v2, v2")],
        &[("x-api-version", "v2"), ("accept", "application/vnd.example.v1+json")],
    ] {
        assert_eq!(send(&app, "/v2/orders", headers).await.0, StatusCode::BAD_REQUEST, "{headers:?}");
    }
    let mut request = ask("/v2/orders", &[]);
    request.headers_mut().insert("x-api-version", HeaderValue::from_bytes(b"v\xFF2").unwrap());
    assert_eq!(app.oneshot(request).await.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn who_names_none_is_refused_let_through_or_served() {
    for (source, without, path, status, body) in [
        (VersionSource::header(), WithoutVersion::Refuse, "/orders", 400, None),
        (VersionSource::accept("example"), WithoutVersion::Refuse, "/orders", 400, None),
        (VersionSource::path(), WithoutVersion::Refuse, "/orders", 404, None),
        (VersionSource::path(), WithoutVersion::Pass, "/orders", 200, Some("none /orders")),
        (VersionSource::path(), WithoutVersion::Serve(ONE), "/orders", 200, Some("v1 /orders")),
        (VersionSource::path(), WithoutVersion::Serve(ONE), "/v2/orders", 200, Some("v2 /v2/orders")),
    ] {
        let layer = two().sources([source.clone()]).without_version(without).build().unwrap();
        let (found, headers, text) = send(&app(&layer, clock()), path, &[]).await;
        assert_eq!(found.as_u16(), status, "{source:?} {without:?}");
        assert!(body.is_none_or(|body| body == text), "{text}");
        assert_eq!(headers.contains_key("x-api-version"), status == 200 && without != WithoutVersion::Pass);
    }
}

/// Seed: `X-API-Version` was a constant, also for requests of v1.
#[tokio::test]
async fn seed_bug_7_the_version_served_is_named() {
    let layer = two().build().unwrap();
    let app = app(&layer, clock());
    for version in ["v1", "v2"] {
        let (_, headers, _) = send(&app, &format!("/{version}/orders"), &[]).await;
        assert_eq!(headers.get_all("x-api-version").iter().collect::<Vec<_>>(), [version]);
    }
}

#[tokio::test]
async fn what_a_handler_sets_stays_and_vary_is_not_repeated() {
    let layer = two()
        .sources([VersionSource::header(), VersionSource::accept("example")])
        .without_version(WithoutVersion::Serve(TWO))
        .build()
        .unwrap();
    let app = app(&layer, clock());
    let (_, headers, _) = send(&app, "/own", &[]).await;
    assert_eq!(headers.get_all("x-api-version").iter().collect::<Vec<_>>(), ["v1"]);
    assert_eq!(headers.get_all("vary").iter().collect::<Vec<_>>(), ["X-Api-Version, Origin", "accept"]);
    let (_, headers, _) = send(&app, "/any", &[]).await;
    assert_eq!(headers.get_all("vary").iter().collect::<Vec<_>>(), ["*"]);
}

#[tokio::test]
async fn a_wrapped_router_serves_all_versions_by_one_route() {
    let layer = two().sources([VersionSource::path_after("/api").stripped()]).build().unwrap();
    let shown = |version: ApiVersion, OriginalUri(original): OriginalUri, uri: http::Uri| async move {
        format!("{version} {uri} {original}")
    };
    let router = Router::new().route("/api/orders", get(shown)).route("/api", get(|| async { "root" }));
    let app = layer.wrap(router.clone()).layer(RequestContextLayer::new().clock(clock()));
    let (status, headers, body) = send(&app, "/api/v2/orders?a=%20b", &[]).await;
    assert_eq!((status, &*body), (StatusCode::OK, "v2 /api/orders?a=%20b /api/v2/orders?a=%20b"));
    assert_eq!(headers["x-api-version"], "v2");
    assert_eq!(send(&app, "/api/v1", &[]).await.2, "root");
    assert_eq!(send(&app, "/api/v3/orders", &[]).await.0, StatusCode::NOT_FOUND);
    assert_eq!(send(&app, "/api/orders", &[]).await.0, StatusCode::NOT_FOUND, "without a version");
    assert_eq!(send(&app, "/api/v2/nowhere", &[]).await.0, StatusCode::NOT_FOUND);
    let root = two().sources([VersionSource::path().stripped()]).build().unwrap();
    let app = root.wrap(Router::new().route("/", get(|uri: http::Uri| async move { uri.to_string() })));
    assert_eq!(send(&app, "/v1?x", &[]).await.2, "/?x");
    // Too late: the routing is done.
    let app = router.layer(layer);
    assert_eq!(send(&app, "/api/orders", &[]).await.0, StatusCode::NOT_FOUND);
    let late = two().sources([VersionSource::path().stripped()]).build().unwrap();
    let app = Router::new().route("/v1/orders", get(|| async { "late" })).layer(late);
    assert_eq!(send(&app, "/v1/orders", &[]).await.0, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn inside_a_nested_router_the_clients_path_counts() {
    let layer = two().sources([VersionSource::path_after("/api")]).build().unwrap();
    let inner =
        Router::new().route("/orders", get(|version: ApiVersion| async move { version.to_string() })).layer(layer);
    let app = Router::new().nest("/api/v2", inner);
    assert_eq!(send(&app, "/api/v2/orders", &[]).await.2, "v2");
}

#[tokio::test]
async fn a_handler_without_a_layer_is_a_mistake_of_wiring() {
    let app = Router::new()
        .route("/", get(|version: ApiVersion| async move { version.to_string() }))
        .layer(RequestContextLayer::new());
    assert_eq!(send(&app, "/", &[]).await.0, StatusCode::INTERNAL_SERVER_ERROR);
}

#[test]
fn all_mistakes_are_found_at_once() {
    let none = ApiVersionLayer::builder(Vec::<ApiVersion>::new()).sources([]).callers(0).build();
    let text = mistakes(none);
    for part in ["3 mistakes", "versions: there must be", "sources: requests", "callers: not"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = mistakes(
        ApiVersionLayer::builder([ONE, ONE, ApiVersion::date(2025, 2, 30)])
            .sources([
                VersionSource::path(),
                VersionSource::path_after("api"),
                VersionSource::header(),
                VersionSource::header_named(http::HeaderName::from_static("x-api-version")),
                VersionSource::accept("Example"),
                VersionSource::accept("a..b"),
            ])
            .without_version(WithoutVersion::Serve(NINE))
            .build(),
    );
    for part in [
        "versions[v1]: it is here twice",
        "versions[2025-02-30]: the calendar",
        "sources[1]: there is such",
        "sources[1]: no prefix",
        "sources[3]: there is such",
        "sources[4]: no name",
        "sources[5]: there is such",
        "sources[5]: no name",
        "without_version: v9",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn clones_and_debug_show_no_caller() {
    let layer = two().build().unwrap();
    let shown = format!("{layer:?} {:?}", layer.usage());
    assert!(shown.contains("v1") && !shown.contains("127.0.0.1"), "{shown}");
}

fn response(text: &'static str) -> Response {
    text.into_response()
}

proptest::proptest! {
    /// Whatever stands in the path and the fields: an answer, and never a 5xx.
    #[test]
    fn no_request_breaks_it(
        path in "/(v1|v2|v3|api|/|%2f|%00|[a-z0-9.~-]){0,6}",
        fields in proptest::collection::vec(
            ("(x-api-version|accept|link|vary)", proptest::collection::vec(0x20_u8..=0xFF, 0..40)), 0..4,
        ),
        strip in proptest::bool::ANY,
    ) {
        let source = VersionSource::path();
        let source = if strip { source.stripped() } else { source };
        let sources = [source, VersionSource::header(), VersionSource::accept("example")];
        let layer = two().sources(sources).without_version(WithoutVersion::Serve(ONE)).build().unwrap();
        let app = layer.wrap(Router::new().fallback(|| async { response("in") }));
        let mut request = Request::new(Body::empty());
        let Ok(uri) = path.parse() else { return Ok(()) };
        *request.uri_mut() = uri;
        for (name, value) in fields {
            if let (Ok(name), Ok(value)) = (name.parse::<header::HeaderName>(), HeaderValue::from_bytes(&value)) {
                request.headers_mut().append(name, value);
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let response = runtime.block_on(app.oneshot(request)).unwrap();
        proptest::prop_assert!(!response.status().is_server_error());
        proptest::prop_assert_eq!(response.status().is_success(), response.headers().contains_key("x-api-version"));
    }
}

#[test]
fn findings_have_a_severity() {
    let report = two().lint();
    assert!(report.is_empty(), "{report}");
    let report = ApiVersionLayer::builder([ONE]).lint();
    assert_eq!(report.issues()[0].severity, Severity::Info);
    assert_eq!(report.issues()[0].code, "single-version");
}
