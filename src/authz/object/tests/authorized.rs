//! The extractor.

use axum::{Json, routing::get};
use http::Method;

use super::*;
use crate::{
    authz::RoleMap,
    testing::{principal, with_principal},
};

#[derive(Debug)]
struct Refund;

impl Action for Refund {
    const NAME: &'static str = "refund";
}

async fn read(order: Authorized<Order, Read>) -> String {
    format!("{} of {}", order.id, order.owner)
}

async fn delete(order: Authorized<Order, Delete>) -> String {
    order.into_inner().owner
}

async fn refund(order: Authorized<Order, Refund>) -> String {
    order.into_inner().owner
}

async fn open(order: Authorized<Open, Read>) -> String {
    order.into_inner().0.owner
}

fn app(orders: &Orders) -> Router {
    let routes = Router::new()
        .route("/orders/{id}", get(read).delete(delete).patch(refund))
        .route("/users/{user}/orders/{id}", get(read))
        .route("/open/{key}", get(open))
        .route("/wrong/{order}", get(read))
        .route("/none", get(read));
    guarded(routes, orders)
}

const ANN: &str = "ann;north;;read:profile";

#[tokio::test]
async fn owner_tenant_scope_and_policy_decide() {
    let app = app(&orders());
    for (caller, path, status) in [
        (ANN, "/orders/1", 200),
        (ANN, "/orders/2", 200),
        // Somebody else's, in one's own tenant.
        (ANN, "/orders/3", 404),
        (ANN, "/orders/4", 404),
        // One's own, in another tenant.
        (ANN, "/orders/5", 404),
        (ANN, "/orders/6", 404),
        // Nobody's: an empty owner, no tenant, an empty tenant.
        (";north;;", "/orders/7", 404),
        (ANN, "/orders/8", 404),
        ("ann;;;", "/orders/8", 404),
        ("ann;;;", "/orders/10", 404),
        ("ann;;;read:orders admin:orders", "/orders/1", 404),
        // A scope for everybody's, within the tenant.
        ("sue;north;;read:orders", "/orders/1", 200),
        ("sue;north;;admin:orders", "/orders/4", 200),
        ("sue;north;;read:*", "/orders/4", 200),
        ("sue;north;;read:orders", "/orders/5", 404),
        ("sue;north;;read:orders", "/orders/6", 404),
        ("sue;north;;read:orders:own read:ordersx write:orders", "/orders/1", 404),
        // And beyond it.
        ("root;;;admin:platform", "/orders/5", 200),
        ("root;west;;admin:platform", "/orders/8", 200),
        // Policies.
        (ANN, "/orders/12", 404),
        ("sue;north;;admin:orders", "/orders/12", 404),
        ("root;;;admin:platform", "/orders/12", 404),
        (ANN, "/orders/14", 200),
        (ANN, "/orders/20", 404),
        (ANN, "/orders/16", 503),
        ("sue;north;;admin:orders", "/orders/16", 503),
        ("eve;south;;", "/orders/16", 404),
        (ANN, "/orders/18", 200),
        // The same subject of another issuer is somebody else.
        ("ann;north;https://a.example;", "/orders/22", 200),
        ("ann;north;https://b.example;", "/orders/22", 404),
        (ANN, "/orders/22", 404),
        ("nobody", "/orders/1", 401),
    ] {
        let answer = fetch(&app, path, caller).await;
        assert_eq!(answer.status, status, "{caller} {path} {}", answer.source());
    }
    assert_eq!(fetch(&app, "/orders/1", ANN).await.text(), "1 of ann");
}

#[tokio::test]
async fn every_action_has_its_own_scopes() {
    let app = app(&orders());
    for (method, caller, status) in [
        ("DELETE", "ann;north;;", 200),
        ("DELETE", "sue;north;;read:orders", 404),
        ("DELETE", "sue;north;;admin:orders", 200),
        ("PATCH", "ann;north;;", 200),
        // Its scopes are a wildcard, one's own, and nothing: they override nothing.
        ("PATCH", "sue;north;;read:* write:orders:own write:orders admin:orders", 404),
    ] {
        assert_eq!(send(&app, method, "/orders/1", caller, "").await.status, status, "{method} {caller}");
    }
    assert_eq!(fetch(&app, "/orders/18", ANN).await.status, 200);
    assert_eq!(send(&app, "DELETE", "/orders/18", ANN, "").await.status, 404, "granted was reading only");
}

/// Header fields and body, with the id of the request taken out.
fn without_id(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let id = answer.headers["x-request-id"].to_str().unwrap();
    let mut fields: Vec<(String, String)> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().replace(id, "ID")))
        .collect();
    fields.sort();
    assert!(answer.text().contains(id));
    (answer.status, fields, answer.text().replace(id, "ID"))
}

#[tokio::test]
async fn a_forbidden_object_is_the_same_404_as_a_missing_one() {
    let app = app(&orders());
    let missing = without_id(&fetch(&app, "/orders/999", ANN).await);
    assert_eq!(missing.0, 404);
    for path in [
        "/orders/3",
        "/orders/4",
        "/orders/5",
        "/orders/6",
        "/orders/8",
        "/orders/12",
        "/orders/x",
        "/orders/-1",
        "/orders/99999999999999999999999",
        "/orders/%31%20",
        "/orders/%FF%FE",
        "/orders/%00",
        "/users/bob/orders/3",
        "/users/bob/orders/1",
    ] {
        let answer = fetch(&app, path, ANN).await;
        assert_eq!(without_id(&answer), missing, "{path}");
    }
    let long = format!("/orders/{}", "1".repeat(10_000));
    assert_eq!(without_id(&fetch(&app, &long, ANN).await), missing);
    // The log tells them apart.
    for (path, said) in [
        ("/orders/999", "there is none"),
        ("/orders/3", "somebody else's"),
        ("/orders/6", "another tenant's"),
        ("/orders/12", "a policy"),
        ("/orders/x", "cannot be read"),
        ("/users/bob/orders/1", "elsewhere"),
    ] {
        let source = fetch(&app, path, ANN).await.source();
        assert!(source.contains(said) && !source.contains("bob"), "{path} {source}");
    }
}

#[tokio::test]
async fn existence_can_be_revealed_except_to_other_tenants() {
    let app = app(&orders());
    for (path, status) in [
        ("/open/ord_1", 200),
        ("/open/ord_3", 403),
        ("/open/ord_5", 200),
        ("/open/ord_12", 403),
        ("/open/ord_999", 404),
    ] {
        assert_eq!(fetch(&app, path, "ann;elsewhere;;").await.status, status, "{path}");
    }
    assert_eq!(fetch(&app, "/open/ord_3", "sue;;;admin:orders").await.status, 200);
    assert_eq!(fetch(&app, "/open/ord_7", ";;;").await.status, 403, "an empty owner is nobody");
}

#[tokio::test]
async fn an_id_that_cannot_be_read_costs_no_load() {
    let orders = orders();
    let app = app(&orders);
    for path in ["/orders/x", "/orders/%FF"] {
        assert_eq!(fetch(&app, path, ANN).await.status, 404);
    }
    assert_eq!(fetch(&app, &format!("/open/{}", "o".repeat(257)), ANN).await.status, 404);
    // Nor does a caller who can have none.
    assert_eq!(fetch(&app, "/orders/1", "ann;;;").await.status, 404);
    assert_eq!(fetch(&app, "/orders/1", "nobody").await.status, 401);
    assert_eq!(orders.loads.load(Relaxed), 0);
    assert_eq!(fetch(&app, &format!("/open/{}", "o".repeat(256)), ANN).await.status, 404);
    assert_eq!(orders.loads.load(Relaxed), 1);
}

/// What a client could measure is the same, too: one load for each, and none that tells.
#[tokio::test]
async fn a_forbidden_object_is_loaded_like_a_missing_one() {
    let orders = orders();
    let app = app(&orders);
    for (path, loads) in [("/orders/999", 1), ("/orders/3", 2), ("/orders/6", 3), ("/orders/12", 4)] {
        assert_eq!(fetch(&app, path, ANN).await.status, 404);
        assert_eq!(orders.loads.load(Relaxed), loads, "{path}");
    }
}

#[tokio::test]
async fn a_store_that_is_down_is_503_and_tells_nothing() {
    let app = app(&Orders { down: true, ..orders() });
    for path in ["/orders/1", "/orders/3", "/orders/999"] {
        let answer = fetch(&app, path, ANN).await;
        assert_eq!((answer.status, answer.code()), (503, "backend_unavailable"), "{path}");
        assert!(!answer.text().contains("10.1.2.3") && answer.headers.contains_key("retry-after"));
    }
}

#[tokio::test]
async fn a_route_without_the_parameter_is_a_500_that_names_it() {
    let app = app(&orders());
    for path in ["/wrong/1", "/none"] {
        let answer = fetch(&app, path, ANN).await;
        assert_eq!((answer.status, answer.code()), (500, "misconfigured"), "{path}");
        assert!(answer.source().contains("{id}") && answer.source().contains("orders"), "{}", answer.source());
    }
    // And without an AuthLayer nobody is let in.
    let bare = Router::new().route("/orders/{id}", get(read)).with_state(orders());
    assert_eq!(fetch(&bare, "/orders/1", ANN).await.status, 500);
}

#[tokio::test]
async fn the_trail_tells_what_the_client_is_not_told() {
    async fn waive(obligation: Obligation) {
        obligation.discharge("this is a test");
    }
    let trail = |path: &'static str| async move {
        let seen = Arc::new(std::sync::Mutex::new(String::new()));
        let kept = Arc::clone(&seen);
        let spy = axum::middleware::from_fn(move |request: axum::extract::Request, next: axum::middleware::Next| {
            let kept = Arc::clone(&kept);
            async move {
                let context = Arc::clone(RequestContext::of(&request).unwrap());
                let response = next.run(request).await;
                *kept.lock().unwrap() = format!("{:?}", context.trail());
                response
            }
        });
        let routes = Router::new().route("/orders/{id}", get(read)).route("/waive", get(waive)).with_state(orders());
        let gates = ServiceBuilder::new().layer(GateLayer::new(FakeAuth)).layer(spy).layer(object_level());
        fetch(&routes.layer(gates), path, ANN).await;
        seen.lock().unwrap().clone()
    };
    let (forbidden, missing) = (trail("/orders/3").await, trail("/orders/999").await);
    assert!(forbidden.contains("\"object\", outcome: Rejected(Forbidden)"), "{forbidden}");
    assert!(missing.contains("\"object\", outcome: Rejected(NotFound)"), "{missing}");
    assert!(!trail("/orders/1").await.contains("object"));
    assert!(trail("/waive").await.contains("\"obligation\", outcome: Passed"));
}

#[tokio::test]
async fn a_shared_state_loads_as_well() {
    async fn show(order: Authorized<Order, Read>) -> Json<u64> {
        Json(order.id)
    }
    let routes: Router = Router::new().route("/orders/{id}", get(show)).with_state(Arc::new(orders()));
    let app = routes.layer(ServiceBuilder::new().layer(GateLayer::new(FakeAuth)).layer(object_level()));
    assert_eq!(fetch(&app, "/orders/1", ANN).await.status, 200);
    assert_eq!(fetch(&app, "/orders/3", ANN).await.status, 404);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]
    /// Whatever stands where the id should: 200 for the caller's two, else the 404.
    #[test]
    fn garbage_in_the_path_is_404(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 1..40)) {
        let id = bytes.iter().fold(String::new(), |id, byte| id + &format!("%{byte:02X}"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer = runtime.block_on(fetch(&app(&orders()), &format!("/orders/{id}"), ANN));
        let own = matches!(bytes.as_slice(), b"1" | b"2" | b"+1" | b"+2" | b"01" | b"02" | b"14" | b"18");
        if !own {
            proptest::prop_assert!(matches!(answer.status, 404 | 503), "{} {}", id, answer.status);
        }
    }
}

/// A scope that overrides ownership may come from a role.
#[tokio::test]
async fn a_role_overrides_ownership_as_its_scopes_do() {
    let roles = RoleMap::builder().role("support", ["read:orders"]).role("clerk", ["read:orders:own"]).build().unwrap();
    let scope = ScopeLayer::table()
        .route(Method::GET, "/orders/{id}", Requirement::authenticated().object_level())
        .route(Method::DELETE, "/orders/{id}", Requirement::authenticated().object_level())
        .roles(roles.clone());
    let scope = scope.build().unwrap();
    let app = |role: &str| {
        let caller = principal("sue").tenant("north").roles([role]).build();
        let routes = Router::new().route("/orders/{id}", get(read).delete(delete)).with_state(orders());
        routes.layer(ServiceBuilder::new().layer(with_principal(caller)).layer(scope.clone()))
    };
    for (role, method, path, status) in [
        ("support", "GET", "/orders/1", 200),
        // In the caller's tenant only, for reading only, and past no veto.
        ("support", "GET", "/orders/5", 404),
        ("support", "DELETE", "/orders/1", 404),
        ("support", "GET", "/orders/12", 404),
        ("clerk", "GET", "/orders/1", 404),
        ("stranger", "GET", "/orders/1", 404),
    ] {
        assert_eq!(send(&app(role), method, path, "nobody", "").await.status, status, "{role} {method} {path}");
    }
    // What a role stands for is the map's to say, also while the service runs.
    roles.handle().reload(RoleMap::builder().role("support", ["write:tickets"])).unwrap();
    assert_eq!(fetch(&app("support"), "/orders/1", "nobody").await.status, 404);
}
