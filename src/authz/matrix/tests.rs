use axum::{
    Router,
    routing::{MethodRouter, get},
};
use tower::ServiceBuilder;

use super::*;
use crate::{authz::object::Obligation, testing::PrincipalLayer};

/// The matrix of the workflow document, line 415, letter by letter. Its own profile and all profiles
/// need scopes of their own: support reads all profiles and not its own.
const DOCUMENT: &str = "\
| Resource | Customer | Support | Admin | API Consumer |
|---|---|---|---|---|
| Own Orders | Read, Create | Read | Read, Update, Delete | Read, Create |
| All Orders | - | Read | Read, Update, Delete | Read |
| Own Profile | Read, Update | - | Read, Update | - |
| All Profiles | - | Read | Read, Update, Delete | - |
| Refunds | - | Create | Create, Approve | - |
| Settings | - | - | Read, Update | - |
";

fn endpoints(own_profile: &str) -> AuthMatrixBuilder {
    let builder = AuthMatrix::builder();
    let resources = [
        ("Own Orders", "/me/orders/{id}", "orders:own", "Read Create Update Delete"),
        ("All Orders", "/orders/{id}", "orders", "Read Update Delete"),
        ("Own Profile", "/me/profile", own_profile, "Read Update"),
        ("All Profiles", "/profiles/{id}", "profiles", "Read Update Delete"),
        ("Refunds", "/refunds/{id}", "refunds", "Create Approve"),
        ("Settings", "/settings", "settings", "Read Update"),
    ];
    resources.into_iter().fold(builder, |builder, (resource, path, scope, verbs)| {
        verbs.split(' ').fold(builder, |builder, verb| {
            let method = match verb {
                "Read" => Method::GET,
                "Create" => Method::POST,
                "Update" | "Approve" => Method::PUT,
                _ => Method::DELETE,
            };
            builder.endpoint(resource, verb, method, path, format!("{}:{scope}", verb.to_lowercase()))
        })
    })
}

fn routes() -> Router {
    let all = || -> MethodRouter { get(ok).post(ok).put(ok).delete(ok) };
    ["/me/orders/{id}", "/orders/{id}", "/me/profile", "/profiles/{id}", "/refunds/{id}", "/settings"]
        .into_iter()
        .fold(Router::new(), |router, path| router.route(path, all()))
}

/// The matrix is about functions; whose object it is would be a matter of the handler.
async fn ok(obligation: Obligation) -> &'static str {
    obligation.discharge("no objects here");
    "done"
}

fn app(scopes: &ScopeLayer) -> impl Fn(PrincipalLayer) -> Router {
    let scopes = scopes.clone();
    move |auth| routes().layer(ServiceBuilder::new().layer(auth).layer(scopes.clone()))
}

#[tokio::test]
async fn the_matrix_of_the_document_is_enforced_cell_by_cell() {
    let matrix = endpoints("profile").table(DOCUMENT).build().unwrap();
    let report = matrix.check(app(&matrix.scope_layer().unwrap())).await;
    report.assert_ok();
    // 16 verbs, each by four roles, an anonymous caller and one without a role.
    assert_eq!(report.checked(), 16 * 6);
    // What the document says of single cells.
    let expects = |name: &str, path: &str, method: Method| {
        let check =
            matrix.checks().iter().find(|check| check.name == name && check.path == path && check.method == method);
        check.unwrap().expected
    };
    assert_eq!(expects("Admin", "/me/orders/1", Method::POST), Expected::Denied);
    assert_eq!(expects("API Consumer", "/me/orders/1", Method::POST), Expected::Allowed);
    assert_eq!(expects("Support", "/refunds/1", Method::PUT), Expected::Denied);
}

/// A check that finds nothing proves nothing: each wrong service is found out, and wholly.
#[tokio::test]
async fn a_service_that_does_otherwise_is_found_out() {
    let matrix = endpoints("profile").table(DOCUMENT).build().unwrap();
    // One scope too many for support, one too few for customers.
    let roles = RoleMap::builder()
        .role("customer", ["read:orders:own", "read:profile", "update:profile"])
        .role("support", ["read:orders", "read:profiles", "create:refunds", "approve:refunds"])
        .role("admin", ["read:*", "update:*", "delete:*", "create:refunds", "approve:refunds"])
        .role("api_consumer", ["read:orders", "create:orders:own"])
        .build()
        .unwrap();
    let report = matrix.check(app(&matrix.scope_table().roles(roles).build().unwrap())).await;
    let text = report.to_string();
    assert!(!report.is_ok() && report.mismatches().len() == 2, "{text}");
    assert!(text.contains("Customer POST /me/orders/1: expected allowed, got 403"), "{text}");
    assert!(text.contains("Support PUT /refunds/1: expected denied (403), got 200"), "{text}");
    // No layer at all.
    let open = matrix.check(|auth| routes().layer(auth)).await;
    let denied = matrix.checks().iter().filter(|check| check.expected == Expected::Denied).count();
    assert_eq!(open.mismatches().len(), denied);
    // A route that is not there allows nothing.
    let scopes = matrix.scope_layer().unwrap();
    let empty = matrix.check(|auth| Router::new().layer(ServiceBuilder::new().layer(auth).layer(scopes.clone()))).await;
    assert_eq!(empty.mismatches().len(), 16 * 6);
}

/// `read:profiles` includes `read:profiles:own`: with those scopes the document contradicts itself.
#[test]
fn a_matrix_that_no_scopes_can_enforce_does_not_build() {
    let error = endpoints("profiles:own").table(DOCUMENT).build().unwrap_err();
    let text = error.to_string();
    assert_eq!(error.issues().len(), 1, "{text}");
    assert!(text.contains("row[Support, Own Profile]: the table denies Read of Own Profile"), "{text}");
}

#[tokio::test]
async fn callers_by_scope_and_single_expectations() {
    let matrix = endpoints("profile")
        .table(DOCUMENT)
        .caller("read-only key", MatrixCaller::scopes(["read:orders"]))
        .expect("read-only key", Method::GET, "/orders/7", Expected::Allowed)
        .expect("read-only key", Method::DELETE, "/orders/7", Expected::Denied)
        .table("caller,method,path,expected\nAdmin,GET,/nowhere,404\nanonymous,GET,/settings,deny\nread-only key,PUT,/settings,403")
        .build()
        .unwrap();
    let report = matrix.check(app(&matrix.scope_layer().unwrap())).await;
    report.assert_ok();
    assert_eq!(report.checked(), 16 * 6 + 5);
}

#[test]
fn a_table_in_code_is_the_same_table() {
    let base = || {
        AuthMatrix::builder()
            .endpoint("Orders", "Read", Method::GET, "/orders/{id}", "read:orders")
            .example("id", "ord_7")
    };
    let code = base().row("Customer", "Orders", ["Read"]).build().unwrap();
    let csv = base().table("x,Customer\nOrders,read").build().unwrap();
    assert_eq!(code.checks(), csv.checks());
    assert_eq!(code.checks()[0].path, "/orders/ord_7");
    assert!(code.roles().scopes("customer").unwrap().satisfies("read:orders"));
}

#[test]
fn every_mistake_is_named() {
    let error = AuthMatrix::builder()
        .endpoint("Orders", "Read", Method::GET, "/orders", "read:*")
        .endpoint("Orders", "Create", Method::POST, "/orders", "create:orders")
        .table("")
        .table("| Resource | Customer |\n|---|---|\n| Orders | Create, Burn |\n| Orders |\n| Refunds | Create |")
        .table("caller,method,path,expected\nCustomer,GET,/orders,maybe\nCustomer,GET,orders,allow\nCustomer,GET,/orders,999\nGhost,GET,/orders,deny")
        .build()
        .unwrap_err();
    let fields: Vec<_> = error.issues().iter().map(|issue| issue.field.as_ref()).collect();
    let expected = [
        "table[0]",
        "table[1] line 4",
        "table[2] line 2",
        "table[2] line 3",
        "table[2] line 4",
        "endpoint[Orders, Read]",
        "table[1] line 3",
        "table[1] line 5",
        "expect[Ghost GET /orders]",
    ];
    assert_eq!(fields, expected, "{error}");
    assert!(AuthMatrix::builder().build().is_err());
}
