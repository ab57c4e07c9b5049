//! Roles: in a layer of their own, inherited, replaced while requests are under way.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::Request as AxumRequest,
    middleware::{Next, from_fn},
    routing::get,
};
use http::Request;
use tower::{ServiceBuilder, ServiceExt as _};

use super::{FakeAuth, send};
use crate::{
    authz::{Requirement, RoleLayer, RoleMap, ScopeLayer},
    gate::GateLayer,
    rejection::{Rejection, RejectionKind},
    request::RequestContext,
};

fn ranks() -> RoleMap {
    RoleMap::builder()
        .role("clerk", ["read:orders"])
        .role("lead", ["approve:orders"])
        .role("auditor", ["read:audit"])
        .inherits("lead", ["clerk"])
        .inherits("head", ["lead", "auditor"])
        .build()
        .unwrap()
}

fn app(layer: RoleLayer) -> Router {
    let handler = get(|context: axum::Extension<Arc<RequestContext>>| async move {
        let grants = context.grants().map(|grant| grant.roles().collect::<Vec<_>>().join("+"));
        grants.collect::<Vec<_>>().join("|")
    });
    Router::new().route("/", handler).layer(ServiceBuilder::new().layer(GateLayer::new(FakeAuth)).layer(layer))
}

async fn status(layer: &RoleLayer, roles: &str) -> u16 {
    send(&app(layer.clone()), "GET", "/", &format!(";{roles}")).await.status
}

#[tokio::test]
async fn all_and_any_roles() {
    let (all, any) = (RoleLayer::all(["a", "b"]).unwrap(), RoleLayer::any(["a", "b"]).unwrap());
    for (roles, all_status, any_status) in
        [("a b", 200, 200), ("b a c", 200, 200), ("a", 403, 200), ("c", 403, 403), ("", 403, 403), ("A B", 403, 403)]
    {
        assert_eq!(status(&all, roles).await, all_status, "{roles}");
        assert_eq!(status(&any, roles).await, any_status, "{roles}");
    }
    // A scope is no role.
    assert_eq!(send(&app(any.clone()), "GET", "/", "a b;").await.status, 403);
    assert_eq!(send(&app(any.clone()), "GET", "/", "anonymous").await.status, 401);
    assert_eq!(send(&app(any), "GET", "/", ";b").await.body, "a+b");
}

#[tokio::test]
async fn who_inherits_a_role_has_it() {
    let clerk = RoleLayer::builder().any(["clerk"]).roles(ranks()).build().unwrap();
    let both = RoleLayer::builder().all(["clerk", "auditor"]).roles(ranks()).build().unwrap();
    for (roles, clerk_status, both_status) in [
        ("clerk", 200, 403),
        ("lead", 200, 403),
        ("head", 200, 200),
        ("auditor", 403, 403),
        ("auditor lead", 200, 200),
        ("stranger", 403, 403),
    ] {
        assert_eq!(status(&clerk, roles).await, clerk_status, "{roles}");
        assert_eq!(status(&both, roles).await, both_status, "{roles}");
    }
    let without = RoleLayer::any(["clerk"]).unwrap();
    assert_eq!(status(&without, "head").await, 403, "without a map a role is only itself");
}

#[tokio::test]
async fn inherited_scopes_open_routes() {
    let layer =
        ScopeLayer::builder(Requirement::all(["read:orders", "approve:orders"])).roles(ranks()).build().unwrap();
    let app = super::app(layer);
    for (roles, expected) in [("lead", 200), ("head", 200), ("clerk", 403), ("auditor clerk", 403)] {
        assert_eq!(send(&app, "GET", "/orders/7", &format!(";{roles}")).await.status, expected, "{roles}");
    }
}

#[tokio::test]
async fn the_log_names_the_roles_and_the_answer_does_not() {
    let layer = RoleLayer::any(["chief-of-desk"]).unwrap();
    let answer = send(&app(layer.clone()), "GET", "/", ";clerk").await;
    let rejection: Rejection = answer.rejection.unwrap();
    assert_eq!((answer.status, rejection.kind()), (403, RejectionKind::Forbidden));
    assert!(rejection.source().unwrap().to_string().contains("chief-of-desk"));
    assert!(!answer.body.contains("chief-of-desk"));
    assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"orders\", error=\"insufficient_scope\"");
    assert_eq!(layer.verdicts().rejected(RejectionKind::Forbidden), 1);
}

#[test]
fn a_layer_without_roles_does_not_build() {
    assert!(
        RoleLayer::all([""; 0]).is_err() && RoleLayer::any(["a", ""]).is_err() && RoleLayer::builder().build().is_err()
    );
}

/// The map is replaced between two layers of one request: it sees the old one in both, and the next
/// request the new one in both.
#[tokio::test]
async fn a_request_that_is_under_way_sees_one_map() {
    let roles = RoleMap::builder().role("clerk", ["read:orders", "write:orders"]).build().unwrap();
    let handle = roles.handle();
    let reload = from_fn(move |request: AxumRequest, next: Next| {
        let handle = handle.clone();
        async move {
            handle.reload(RoleMap::builder().role("clerk", ["read:orders"])).unwrap();
            next.run(request).await
        }
    });
    let layer = |scope: &str| ScopeLayer::builder(Requirement::all([scope])).roles(roles.clone()).build().unwrap();
    let stack = ServiceBuilder::new()
        .layer(GateLayer::new(FakeAuth))
        .layer(layer("read:orders"))
        .layer(reload)
        .layer(layer("write:orders"));
    let app: Router = Router::new().route("/", get(|| async {})).layer(stack);
    let ask = || Request::get("/").header("x-caller", ";clerk").body(Body::empty()).unwrap();
    assert_eq!(app.clone().oneshot(ask()).await.unwrap().status(), 200);
    assert_eq!(app.oneshot(ask()).await.unwrap().status(), 403);
}

/// Two maps are two maps, also within one request.
#[tokio::test]
async fn a_second_map_is_its_own() {
    let map = |scope: &str| RoleMap::builder().role("clerk", [scope]).build().unwrap();
    let layer = |scope: &str, map| ScopeLayer::builder(Requirement::all([scope])).roles(map).build().unwrap();
    for (second, expected) in [("write:b", 200), ("read:a", 403)] {
        let stack = ServiceBuilder::new()
            .layer(GateLayer::new(FakeAuth))
            .layer(layer("read:a", map("read:a")))
            .layer(layer("write:b", map(second)));
        let app: Router = Router::new().route("/", get(|| async {})).layer(stack);
        let request = Request::get("/").header("x-caller", ";clerk").body(Body::empty()).unwrap();
        assert_eq!(app.oneshot(request).await.unwrap().status(), expected, "{second}");
    }
}
