//! What strangers do: origins that nobody has allowed, long bodies, panics, forged names.

use axum::{
    Router,
    body::Body,
    extract::DefaultBodyLimit,
    middleware::{Next, from_fn, map_response},
    response::Response,
    routing::{get, post},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use portcullis::{request::TrustedProxies, stack::Stack, testing::check_edge};
use tower::ServiceBuilder;
use tower_http::cors::AllowOrigin;

use super::{
    LIMIT, ORIGIN, adding, check, edge, edge_without_cors, edge_without_cors_and_auth, found, only, public, routes,
};

/// tower-http's layer, as it is often set up.
fn others(policy: AllowOrigin, credentials: bool) -> Router {
    let cors = tower_http::cors::CorsLayer::new()
        .allow_origin(policy)
        .allow_credentials(credentials)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE]);
    routes().layer(ServiceBuilder::new().layer(cors).layer(edge_without_cors()))
}

#[tokio::test]
async fn origins_that_nobody_has_allowed() {
    let mirror = check(others(AllowOrigin::mirror_request(), true)).await;
    assert!(found(&mirror, "origin-reflected").contains("https://stranger.edge-check.test"));

    let ends = AllowOrigin::predicate(|origin, _| origin.as_bytes().ends_with(b"example.com"));
    assert!(found(&check(others(ends, true)).await, "lookalike-origin-allowed").contains("edge-checkexample.com"));
    let begins = AllowOrigin::predicate(|origin, _| origin.as_bytes().starts_with(b"https://app.example.com"));
    let report = check(others(begins, true)).await;
    assert!(found(&report, "lookalike-origin-allowed").contains("https://app.example.com.edge-check.test"));

    let null = AllowOrigin::list([HeaderValue::from_static(ORIGIN), HeaderValue::from_static("null")]);
    assert!(found(&check(others(null, true)).await, "null-origin-allowed").contains("from null"));

    // Nothing says that the answer depends on the origin, and refused origins learn what others may.
    let exact = check(others(AllowOrigin::exact(HeaderValue::from_static(ORIGIN)), true)).await;
    found(&exact, "vary-origin-missing");
    let list = check(others(AllowOrigin::list([HeaderValue::from_static(ORIGIN)]), true)).await;
    found(&list, "refused-preflight-tells");

    let both = routes().layer(edge_without_cors()).layer(map_response(adding("access-control-allow-origin", "*")));
    let both = both.layer(map_response(adding("access-control-allow-credentials", "true")));
    found(&check(both).await, "wildcard-origin-with-credentials");
}

#[tokio::test]
async fn bodies_without_bound() {
    let check = |app: Router| check_edge(app).public_route(Method::POST, "/").body_limit(LIMIT);
    let unbounded = Router::new().route("/", post(reads)).layer(DefaultBodyLimit::disable());
    let report = check(unbounded).await;
    found(&report, "oversize-accepted");
    assert!(found(&report, "oversize-chunked-accepted").contains("of unknown length: 200"));
    // The announced length is looked at, and nothing else: the seeds' gateway.
    let announced = Router::new().route("/", post(reads)).layer(from_fn(only_announced));
    let report = check(announced).await;
    found(&report, "oversize-chunked-accepted");
    assert!(report.with_code("oversize-accepted").next().is_none(), "{report}");
    // Whoever reads decides what the client is told.
    found(&check(Router::new().route("/", post(fails))).await, "oversize-not-413");
}

async fn reads(body: Body) -> String {
    axum::body::to_bytes(body, usize::MAX).await.map_or_else(|_| "broken".into(), |body| body.len().to_string())
}

async fn fails(body: Body) -> Result<String, StatusCode> {
    axum::body::to_bytes(body, LIMIT).await.map(|_| String::new()).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn only_announced(request: Request<Body>, next: Next) -> Result<Response, StatusCode> {
    let announced = request.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.unwrap_or(0) > LIMIT { Err(StatusCode::PAYLOAD_TOO_LARGE) } else { Ok(next.run(request).await) }
}

#[tokio::test]
async fn a_panic_that_leaves_the_router() {
    let report = check_edge(routes()).panicking_route(Method::GET, "/panic").await;
    assert_eq!(found(&report, "panic-escapes"), "GET /panic which panics");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_answers() {
    let never = || Router::new().route("/", get(std::future::pending::<()>));
    let report = check_edge(never()).public_route(Method::GET, "/").await;
    assert!(found(&report, "no-answer").contains("GET / without a credential"));
    let report = check_edge(never().layer(Stack::new())).public_route(Method::GET, "/").await;
    assert!(report.with_code("no-answer").next().is_none(), "{report}");
}

#[tokio::test]
async fn names_that_are_believed() {
    // Whose request it is, by trusting everybody.
    let everybody = TrustedProxies::cidrs(["192.0.2.0/24"]).unwrap();
    let app = public().layer(edge_without_cors_and_auth().trusted_proxies(everybody));
    let report = check_edge(app).public_route(Method::GET, "/orders").limited_route(Method::GET, "/orders", 60).await;
    assert_eq!(found(&report, "client-address-spoofable"), "GET /orders with x-forwarded-for");

    // Who is calling, by what the client says: AuthLayer would have taken it out.
    let whoever = |headers: HeaderMap| async move { format!("hello {:?}", headers.get("x-user-id")) };
    let app = Router::new().route("/me", get(whoever)).layer(edge_without_cors_and_auth());
    let report = check_edge(app).public_route(Method::GET, "/me").await;
    assert_eq!(found(&report, "identity-header-believed"), "GET /me without a credential: 200");

    // The request's id, by one.
    let echoes = from_fn(|request: Request<Body>, next: Next| async move {
        let id = request.headers().get("x-request-id").cloned();
        let mut response = next.run(request).await;
        response.headers_mut().extend(id.map(|id| (HeaderName::from_static("x-request-id"), id)));
        response
    });
    only(&check(routes().layer(edge()).layer(echoes)).await, &["request-id-believed"]);
}
