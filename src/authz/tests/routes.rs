//! Routes and requirements in one call, and the list of both.

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    handler::Handler as _,
    routing::{any, get},
};
use http::{Method, Request};
use tower::{ServiceBuilder, ServiceExt as _};

use super::super::{Requirement, SecuredRouter, StepUp, StepUpLayer};
use crate::testing::{PrincipalBuilder, anonymous, principal, with_principal};

async fn ok() -> &'static str {
    "ok"
}

fn needs(scope: &str) -> Requirement {
    Requirement::all([scope])
}

fn router() -> SecuredRouter {
    let orders = SecuredRouter::new()
        .get("/", ok, needs("read:orders"))
        .post("/", ok, needs("write:orders"))
        .get("/{id}", |Path(id): Path<String>| async move { id }, needs("read:orders"))
        .delete("/{id}", ok, Requirement::authenticated().any_role(["admin"]));
    SecuredRouter::new()
        .nest("/v1/orders", orders)
        .merge(SecuredRouter::new().put("/me", ok, Requirement::authenticated()))
        .public(Method::GET, "/health", ok)
}

async fn status(app: &Router, method: &str, path: &str) -> u16 {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    app.clone().oneshot(request).await.unwrap().status().as_u16()
}

fn app(router: SecuredRouter, caller: PrincipalBuilder) -> Router {
    router.build().unwrap().into_router().layer(with_principal(caller.build()))
}

#[tokio::test]
async fn each_route_has_its_requirement() {
    let app = app(router(), principal("u").scopes(["read:orders"]));
    for (method, path, expected) in [
        ("GET", "/v1/orders", 200),
        ("HEAD", "/v1/orders", 200),
        ("POST", "/v1/orders", 403),
        ("GET", "/v1/orders/7", 200),
        ("DELETE", "/v1/orders/7", 403),
        ("PUT", "/me", 200),
        ("GET", "/health", 200),
        ("GET", "/nowhere", 404),
        ("PATCH", "/me", 403),
    ] {
        assert_eq!(status(&app, method, path).await, expected, "{method} {path}");
    }
}

/// The list is what the router does: nobody gets in anywhere but where everybody may.
#[tokio::test]
async fn the_inventory_lists_every_route_and_checks_them() {
    let routes = router().build().unwrap();
    let inventory = routes.inventory().clone();
    assert_eq!(
        inventory.to_string(),
        "| method | path | requires |\n|---|---|---|\n\
         | GET | `/health` | *public* |\n\
         | PUT | `/me` | any caller |\n\
         | GET | `/v1/orders` | read:orders |\n\
         | POST | `/v1/orders` | write:orders |\n\
         | DELETE | `/v1/orders/{id}` | any caller; role admin |\n\
         | GET | `/v1/orders/{id}` | read:orders |\n",
    );
    assert_eq!(inventory.public().count(), 1);
    let json = serde_json::to_value(&inventory).unwrap();
    let delete = serde_json::json!({"method": "DELETE", "path": "/v1/orders/{id}", "public": false, "requires": "any caller; role admin"});
    assert_eq!(json[4], delete);
    let app = routes.into_router().layer(anonymous());
    let report = inventory.check(&app, &[("id", "ord_7")]).await;
    report.assert_ok();
    assert_eq!(report.checked(), 6);
}

/// The check finds an open route, a closed public one, and a row whose route is gone.
#[tokio::test]
async fn the_check_of_an_inventory_can_fail() {
    let inventory = router().build().unwrap().inventory().clone();
    // The layer has been forgotten.
    let (open, _) = router().build().unwrap().into_parts();
    let report = inventory.check(&open.layer(anonymous()), &[]).await;
    assert_eq!(report.mismatches().len(), 5);
    assert!(report.to_string().contains("anonymous PUT /me: expected denied (401), got 200"), "{report}");
    // Other routes than those of the list.
    let other = SecuredRouter::new().get("/health", ok, Requirement::authenticated()).build().unwrap();
    let report = inventory.check(&other.into_router().layer(anonymous()), &[]).await;
    assert_eq!(report.mismatches().len(), 6);
}

#[tokio::test]
async fn state_method_routers_and_layers_of_one_route() {
    let step_up = StepUpLayer::new(StepUp::new().amr(["mfa"])).unwrap();
    let router: SecuredRouter<u8> = SecuredRouter::new()
        .get("/state", |State(state): State<u8>| async move { state.to_string() }, Requirement::authenticated())
        .get("/strong", ok.layer(step_up), Requirement::authenticated())
        .method_router(
            "/both",
            [(Method::GET, needs("read:a")), (Method::POST, needs("write:a"))],
            get(ok).post(ok).delete(ok),
        )
        .method_router("/any", [(Method::GET, needs("read:a"))], any(ok));
    let (router, scopes) = router.build().unwrap().into_parts();
    let caller = principal("u").scopes(["read:a"]).build();
    let app = router.with_state(7).layer(ServiceBuilder::new().layer(with_principal(caller)).layer(scopes));
    for (method, path, expected) in [
        ("GET", "/state", 200),
        ("GET", "/strong", 401),
        ("GET", "/both", 200),
        ("POST", "/both", 403),
        // The method router answers it, and nobody has said who may call it.
        ("DELETE", "/both", 403),
        ("GET", "/any", 200),
        ("POST", "/any", 403),
        ("BREW", "/any", 403),
    ] {
        assert_eq!(status(&app, method, path).await, expected, "{method} {path}");
    }
}

#[test]
fn every_mistake_is_named_and_nothing_panics() {
    let error = SecuredRouter::<()>::new()
        .get("orders", ok, needs("read:a"))
        .get("/twice", ok, needs("read:a"))
        .get("/twice", ok, needs("read:b"))
        .get("/orders/{id}", ok, needs("read:a"))
        .post("/orders/{order}", ok, needs("read:a"))
        .get("/part{id}", ok, needs("read:a"))
        .get("/{*rest}/more", ok, needs("read:a"))
        .get("/{}", ok, needs("read:a"))
        .get("/:id", ok, needs("read:*"))
        .route(Method::from_bytes(b"BREW").unwrap(), "/tea", ok, needs("read:a"))
        .build()
        .unwrap_err();
    let fields: Vec<_> = error.issues().iter().map(|issue| issue.field.as_ref()).collect();
    let expected = [
        "route[/orders/{order}]",
        "route[/part{id}]",
        "route[/{*rest}/more]",
        "route[/{}]",
        "route[BREW /tea]",
        "route[GET orders]",
        "route[GET /twice]",
        "route[GET /:id]",
        "route[GET /:id]",
    ];
    assert_eq!(fields, expected, "{error}");
    assert!(SecuredRouter::<()>::new().build().is_err());
}

/// Who adds a route with an object in its path cannot forget the check, wherever the router ends up.
#[tokio::test]
async fn routes_with_parameters_owe_the_check_if_the_router_says_so() {
    let orders = || SecuredRouter::new().get("/{id}", ok, needs("read:orders")).get("/", ok, needs("read:orders"));
    let health = || SecuredRouter::new().public(Method::GET, "/{id}/health", ok);
    let free = || SecuredRouter::new().get("/free/{id}", ok, needs("read:orders"));
    for router in [
        SecuredRouter::new().nest("/orders", orders()).merge(health()).object_level(),
        SecuredRouter::new().nest("/orders", orders().object_level()).merge(health().object_level()).merge(free()),
    ] {
        let inventory = router.build().unwrap().inventory().to_string();
        assert!(inventory.contains("`/orders/{id}` | read:orders, each object checked |"), "{inventory}");
    }
    let router = SecuredRouter::new().nest("/orders", orders().object_level()).merge(health()).merge(free());
    let app = app(router, principal("u").scopes(["read:orders"]));
    for (path, expected) in [("/orders/7", 500), ("/orders", 200), ("/7/health", 200), ("/free/7", 200)] {
        assert_eq!(status(&app, "GET", path).await, expected, "{path}");
    }
}
