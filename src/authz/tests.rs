mod roles;
mod routes;
mod table;

use std::sync::Arc;

use axum::{Router, body::Body, routing::get};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use tower::{ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    gate::{Entry, Gate, GateLayer},
    identity::{Confirmation, Grant, Principal, PrincipalParts, Scopes},
    rejection::{Rejection, RejectionKind},
    request::{Place, RequestContext},
};

/// Stands where `AuthLayer` stands: the header `x-caller` is `scopes;roles`, `anonymous` is nobody.
struct FakeAuth;

impl Gate<Body> for FakeAuth {
    const NAME: &'static str = "auth";
    const PLACE: Place = Place::Auth;
    type Pass = ();

    fn enter(self: &Arc<Self>, request: &mut Request<Body>, context: &Arc<RequestContext>) -> Entry<Body, ()> {
        let bearer = HeaderValue::from_static("Bearer realm=\"orders\"");
        context.set_challenges(&Arc::from([HeaderValue::from_static("ApiKey realm=\"orders\""), bearer]));
        let caller = request.headers()["x-caller"].to_str().unwrap();
        if let Some((scopes, roles)) = caller.split_once(';') {
            context.set_principal(Principal::new(PrincipalParts {
                subject: "usr_1".into(),
                scopes: Scopes::from_token(scopes.split_whitespace()).unwrap(),
                roles: roles.split_whitespace().map(Into::into).collect(),
                ..PrincipalParts::default()
            }));
        }
        Entry::Pass(())
    }
}

/// The roles of the workflow document, line 315.
fn roles() -> RoleMap {
    RoleMap::builder()
        .role("customer", ["read:orders:own", "write:orders:own", "read:profile"])
        .role("support", ["read:orders", "read:customers", "write:tickets"])
        .role("admin", ["read:*", "write:*", "admin:*"])
        .role("api_consumer", ["read:orders", "read:customers", "write:orders"])
        .build()
        .unwrap()
}

fn app(scope: ScopeLayer) -> Router {
    async fn granted(grant: Option<axum::Extension<Arc<RequestContext>>>) -> String {
        let context = grant.unwrap().0;
        context.obligation().meet();
        let grants = context.grants().map(|grant: &Grant| grant.required().collect::<Vec<_>>().join("+"));
        format!("granted {}", grants.collect::<Vec<_>>().join("|"))
    }
    let orders = get(granted).post(granted).delete(granted);
    Router::new()
        .route("/orders/{id}", orders.clone())
        .nest("/v1", Router::new().route("/orders", orders.clone()))
        .route("/health", get(granted))
        .fallback(|| async { "the fallback answered" })
        .layer(ServiceBuilder::new().layer(GateLayer::new(FakeAuth)).layer(scope))
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    rejection: Option<Rejection>,
    body: String,
}

async fn send(app: &Router, method: &str, path: &str, caller: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("x-caller", caller).body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status.as_u16(),
        rejection: parts.extensions.get::<Rejection>().cloned(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

async fn status(app: &Router, method: &str, path: &str, caller: &str) -> u16 {
    send(app, method, path, caller).await.status
}

#[tokio::test]
async fn all_needs_each_and_any_needs_one() {
    let all = app(ScopeLayer::all(["read:orders", "read:customers"]).unwrap());
    let any = app(ScopeLayer::any(["read:orders", "admin:orders"]).unwrap());
    for (caller, all_status, any_status) in [
        ("read:orders read:customers;", 200, 200),
        ("read:orders;", 403, 200),
        ("admin:orders;", 403, 200),
        ("read:customers write:orders;", 403, 403),
        (";", 403, 403),
        ("read:orderscsv READ:ORDERS;", 403, 403),
        // In a token a star is a letter like any other.
        ("read:* * *:* admin:*;", 403, 403),
        ("read:orders:own;", 403, 403),
    ] {
        assert_eq!(status(&all, "GET", "/orders/7", caller).await, all_status, "{caller}");
        assert_eq!(status(&any, "GET", "/orders/7", caller).await, any_status, "{caller}");
    }
    let answer = send(&all, "GET", "/orders/7", "read:orders read:customers;").await;
    assert_eq!(answer.body, "granted read:orders+read:customers");
    assert_eq!(send(&any, "GET", "/orders/7", "admin:orders;").await.body, "granted admin:orders");
}

#[tokio::test]
async fn section_3_1_rfc6750_a_missing_scope_is_403_and_the_challenge_names_what_is_needed() {
    let app = app(ScopeLayer::all(["read:orders", "write:orders"]).unwrap());
    let answer = send(&app, "GET", "/orders/7", "read:orders;").await;
    assert_eq!(answer.status, 403);
    let lines: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(lines, ["Bearer realm=\"orders\", error=\"insufficient_scope\", scope=\"read:orders write:orders\""]);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["error"], "insufficient_scope");
    assert_eq!(body["required_scopes"], serde_json::json!(["read:orders", "write:orders"]));
    assert_eq!(body["missing_scopes"], serde_json::json!(["write:orders"]));
}

/// Another layer may have let the caller in, one that knows no challenges.
#[tokio::test]
async fn without_a_realm_the_challenge_is_still_well_formed() {
    struct Silent;
    impl Gate<Body> for Silent {
        const NAME: &'static str = "silent";
        const PLACE: Place = Place::Auth;
        type Pass = ();
        fn enter(self: &Arc<Self>, _: &mut Request<Body>, context: &Arc<RequestContext>) -> Entry<Body, ()> {
            context.set_principal(Principal::new(PrincipalParts::default()));
            Entry::Pass(())
        }
    }
    let scope = ScopeLayer::any(["a:b"]).unwrap();
    let app = Router::new()
        .route("/", get(|| async {}))
        .layer(ServiceBuilder::new().layer(GateLayer::new(Silent)).layer(scope));
    let answer = send(&app, "GET", "/", "").await;
    assert_eq!(answer.headers["www-authenticate"], "Bearer error=\"insufficient_scope\", scope=\"a:b\"");
    assert!(answer.body.contains("needs one of the required scopes"));
}

/// RFC 9449 §7.1: who came with a token that is bound to a key is challenged in that scheme.
#[tokio::test]
async fn section_7_1_rfc9449_a_bound_token_is_challenged_as_dpop() {
    struct Bound;
    impl Gate<Body> for Bound {
        const NAME: &'static str = "bound";
        const PLACE: Place = Place::Auth;
        type Pass = ();
        fn enter(self: &Arc<Self>, _: &mut Request<Body>, context: &Arc<RequestContext>) -> Entry<Body, ()> {
            let lines = ["Bearer realm=\"orders\"", "DPoP realm=\"orders\", algs=\"ES256\""];
            context.set_challenges(&Arc::from(lines.map(HeaderValue::from_static)));
            let confirmation = Some(Confirmation { dpop: Some([7; 32]), ..Confirmation::default() });
            context.set_principal(Principal::new(PrincipalParts { confirmation, ..PrincipalParts::default() }));
            Entry::Pass(())
        }
    }
    let scope = ScopeLayer::any(["a:b"]).unwrap();
    let app = Router::new()
        .route("/", get(|| async {}))
        .layer(ServiceBuilder::new().layer(GateLayer::new(Bound)).layer(scope));
    let answer = send(&app, "GET", "/", "").await;
    let expected = "DPoP realm=\"orders\", algs=\"ES256\", error=\"insufficient_scope\", scope=\"a:b\"";
    assert_eq!(answer.headers["www-authenticate"], expected);
}

#[tokio::test]
async fn an_anonymous_caller_is_401_with_the_auth_layers_challenges() {
    for scope in
        [ScopeLayer::all(["read:orders"]).unwrap(), ScopeLayer::builder(Requirement::authenticated()).build().unwrap()]
    {
        let answer = send(&app(scope), "GET", "/orders/7", "anonymous").await;
        let lines: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
        assert_eq!((answer.status, lines.len()), (401, 2));
        assert!(!answer.headers["www-authenticate"].to_str().unwrap().contains("error"));
    }
}

#[tokio::test]
async fn without_an_auth_layer_the_call_is_500_and_the_log_names_it() {
    let app = Router::new().route("/", get(|| async {})).layer(ScopeLayer::all(["read:orders"]).unwrap());
    let answer = send(&app, "GET", "/", ";").await;
    assert_eq!(answer.status, 500);
    assert!(answer.rejection.unwrap().source().unwrap().to_string().contains("AuthLayer"));
    assert!(!answer.body.contains("AuthLayer"));
}

#[tokio::test]
async fn authenticated_asks_for_a_caller_and_nothing_else() {
    let app = app(ScopeLayer::builder(Requirement::authenticated()).build().unwrap());
    assert_eq!(send(&app, "GET", "/orders/7", ";").await.body, "granted ");
}

#[tokio::test]
async fn roles_stand_for_scopes_only_where_a_map_says_so() {
    let with =
        app(ScopeLayer::builder(Requirement::all(["read:orders", "write:tickets"])).roles(roles()).build().unwrap());
    let without = app(ScopeLayer::all(["read:orders", "write:tickets"]).unwrap());
    for (caller, expected) in [
        (";support", 200),
        (";admin", 200),
        // Each scope may come from another side.
        ("write:tickets;api_consumer", 200),
        (";customer support", 200),
        (";customer api_consumer", 403),
        (";Support", 403),
        (";stranger", 403),
        // A role is not a scope, and a scope is no role.
        ("support admin;", 403),
    ] {
        assert_eq!(status(&with, "GET", "/orders/7", caller).await, expected, "{caller}");
        assert_eq!(status(&without, "GET", "/orders/7", caller).await, 403, "{caller}");
    }
}

#[tokio::test]
async fn layers_add_up_and_each_leaves_its_grant() {
    let inner = app(ScopeLayer::all(["read:orders"]).unwrap());
    let outer = ServiceBuilder::new().layer(GateLayer::new(FakeAuth)).layer(ScopeLayer::any(["a:b"]).unwrap());
    let app = Router::new().merge(inner).layer(outer);
    assert_eq!(send(&app, "GET", "/orders/7", "a:b read:orders;").await.body, "granted a:b|read:orders");
    assert_eq!(status(&app, "GET", "/orders/7", "read:orders;").await, 403);
    assert_eq!(status(&app, "GET", "/orders/7", "a:b;").await, 403);
}

#[test]
fn verdicts_are_counted() {
    let layer = ScopeLayer::all(["read:orders"]).unwrap();
    let app = app(layer.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        send(&app, "GET", "/orders/7", "read:orders;").await;
        send(&app, "GET", "/orders/7", ";").await;
    });
    assert_eq!((layer.verdicts().passed, layer.verdicts().rejected(RejectionKind::InsufficientScope)), (1, 1));
}

#[test]
fn every_mistake_of_a_requirement_is_named() {
    assert_eq!(ScopeLayer::all([""; 0]).unwrap_err().issues().len(), 1);
    assert_eq!(ScopeLayer::any(["read:*", "a b", "read:", "", "a\"b", "read:orders"]).unwrap_err().issues().len(), 5);
    let error = ScopeLayer::table()
        .route(Method::GET, "orders", Requirement::all(["read:orders"]))
        .route(Method::GET, "/orders/:id", Requirement::all(["read:orders"]))
        .route(Method::GET, "/a", Requirement::all(["*"]))
        .public(Method::GET, "/a")
        .build()
        .unwrap_err();
    let fields: Vec<_> = error.issues().iter().map(|issue| issue.field.as_ref()).collect();
    assert_eq!(fields, ["route[GET orders]", "route[GET /orders/:id]", "route[GET /a]", "route[GET /a]"]);
    assert_eq!(ScopeLayer::table().build().unwrap_err().issues().len(), 1);
}

proptest! {
    /// Requirement and refusal for any text: a mistake in the configuration or a challenge that fits
    /// into a header.
    #[test]
    fn any_text_is_a_requirement_or_a_config_error(scope in "\\PC{0,20}", held in "[a-z:]{1,8}") {
        if let Ok(layer) = ScopeLayer::all([scope.clone()]) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let answer = runtime.block_on(send(&app(layer), "GET", "/orders/7", &format!("{held};")));
            let holds = Scopes::from_token([held.as_str()]).unwrap().satisfies(&scope);
            prop_assert_eq!(answer.status, if holds { 200 } else { 403 });
            if !holds {
                let expected = format!("Bearer realm=\"orders\", error=\"insufficient_scope\", scope=\"{scope}\"");
                prop_assert_eq!(answer.headers["www-authenticate"].to_str().unwrap(), expected);
            }
        } else {
            prop_assert!(!Scopes::is_requirement(&scope));
        }
    }
}
