//! A table of requirements, by method and route.

use axum::{Router, body::Body, middleware::from_fn, routing::get};
use http::{Method, Request, StatusCode};
use tower::{Layer as _, ServiceBuilder, ServiceExt as _};

use super::{FakeAuth, app, roles, send, status};
use crate::{
    authz::{Requirement, ScopeCatalogue, ScopeLayer},
    gate::GateLayer,
};

fn table() -> ScopeLayer {
    ScopeLayer::table()
        .route(Method::GET, "/orders/{id}", Requirement::all(["read:orders"]))
        .route(Method::POST, "/orders/{id}", Requirement::any(["write:orders", "admin:orders"]))
        .route(Method::GET, "/v1/orders", Requirement::authenticated())
        .route(Method::HEAD, "/v1/orders", Requirement::all(["admin:orders"]))
        .public(Method::GET, "/health")
        .roles(roles())
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_table_knows_the_requirement_of_each_route() {
    let app = app(table());
    for (method, path, caller, expected) in [
        ("GET", "/orders/7", "read:orders;", 200),
        ("GET", "/orders/7", "write:orders;", 403),
        ("GET", "/orders/7", ";support", 200),
        ("GET", "/orders/7", "anonymous", 401),
        ("POST", "/orders/7", "read:orders;", 403),
        ("POST", "/orders/7", ";admin", 200),
        ("GET", "/v1/orders", ";", 200),
        ("GET", "/v1/orders", "anonymous", 401),
        ("GET", "/health", "anonymous", 200),
        // HEAD follows GET, unless it has a row of its own.
        ("HEAD", "/orders/7", "read:orders;", 200),
        ("HEAD", "/orders/7", "write:orders;", 403),
        ("HEAD", "/health", "anonymous", 200),
        ("HEAD", "/v1/orders", ";", 403),
        // A public row is for its method only.
        ("POST", "/health", "anonymous", 403),
    ] {
        assert_eq!(status(&app, method, path, caller).await, expected, "{method} {path} {caller}");
    }
    // What everybody may call proves nothing about the caller.
    assert_eq!(send(&app, "GET", "/health", ";").await.body, "granted ");
}

#[tokio::test]
async fn a_route_without_a_row_is_refused_and_the_log_names_the_row() {
    let app = app(table());
    let answer = send(&app, "DELETE", "/orders/7", ";admin").await;
    assert_eq!(answer.status, 403);
    let source = answer.rejection.unwrap().source().unwrap().to_string();
    assert!(source.contains("no row for DELETE /orders/{id}"), "{source}");
    assert!(!answer.body.contains("row"));
    assert_eq!(status(&app, "OPTIONS", "/orders/7", ";admin").await, 403);
}

/// A fallback has no route and no row: it must not be what an attacker reaches by a wrong path.
#[tokio::test]
async fn where_no_route_matched_the_answer_is_404() {
    let answer = send(&app(table()), "GET", "/nowhere", ";admin").await;
    assert_eq!((answer.status, answer.body.contains("fallback")), (404, false));
    // Outside a router there is never a route: everything is refused.
    let outside = table().layer(Router::new().route("/health", get(|| async { "in" })));
    let request = Request::builder().uri("/health").body(Body::empty()).unwrap();
    assert_eq!(outside.oneshot(request).await.unwrap().status(), StatusCode::NOT_FOUND);
}

/// The table goes by what the router matched, not by the path that was sent.
#[tokio::test]
async fn spelling_the_path_otherwise_gains_nothing() {
    let app = app(table());
    for path in ["/orders//7", "/health/", "/orders/7/", "/orders/..%2fhealth", "/HEALTH", "//health", "/health%2f"] {
        assert_ne!(status(&app, "GET", path, "anonymous").await, 200, "{path}");
    }
}

/// A method that is changed on the way counts as it is when the layer sees it.
#[tokio::test]
async fn the_method_is_the_one_that_the_handler_will_see() {
    async fn into_post(mut request: Request<Body>, next: axum::middleware::Next) -> axum::response::Response {
        *request.method_mut() = Method::DELETE;
        next.run(request).await
    }
    let stack = ServiceBuilder::new().layer(GateLayer::new(FakeAuth)).layer(from_fn(into_post)).layer(table());
    let app = Router::new().route("/health", get(|| async { "in" }).delete(|| async { "deleted" })).layer(stack);
    assert_eq!(status(&app, "GET", "/health", ";").await, 403);
}

/// One misspelled scope in a layer, one in a row: all are told, with what was probably meant.
#[test]
fn a_scope_that_the_catalogue_does_not_have_is_a_mistake() {
    let catalogue = ScopeCatalogue::builder()
        .scope("read:orders", "View all orders")
        .scope("write:orders", "Create and modify orders")
        .build()
        .unwrap();
    let error = ScopeLayer::table()
        .route(Method::GET, "/a", Requirement::all(["read:orders", "raed:orders"]))
        .route(Method::GET, "/b", Requirement::any(["delete:data"]))
        .route(Method::GET, "/c", Requirement::authenticated())
        .catalogue(&catalogue)
        .build()
        .unwrap_err();
    let fields: Vec<_> = error.issues().iter().map(|issue| issue.field.as_ref()).collect();
    assert_eq!(fields, ["route[GET /a]", "route[GET /b]"]);
    assert!(error.to_string().contains("is \"read:orders\" meant?"), "{error}");
    let one = |scope: &str| ScopeLayer::builder(Requirement::all([scope])).catalogue(&catalogue).build();
    assert!(one("write:orders").is_ok() && one("write:order").is_err());
    // What a wider scope would satisfy has no meaning of its own unless it is listed.
    assert!(one("read:orders:own").is_err());
}

/// Whoever reviews the list must see which routes owe the check.
#[test]
fn the_inventory_says_what_the_table_adds() {
    let layer = ScopeLayer::table()
        .object_level()
        .route(Method::GET, "/orders/{id}", Requirement::all(["read:orders"]))
        .route(Method::GET, "/orders/{id}/pdf", Requirement::all(["read:orders"]).function_level())
        .route(Method::GET, "/orders", Requirement::all(["read:orders"]))
        .build()
        .unwrap();
    let listed: Vec<_> =
        layer.inventory().unwrap().rows().iter().map(|row| row.requirement.as_ref().unwrap().to_string()).collect();
    assert_eq!(listed, ["read:orders", "read:orders, each object checked", "read:orders"]);
}
