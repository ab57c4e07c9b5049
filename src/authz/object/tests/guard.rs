//! Handlers that forget.

use axum::{
    Extension,
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use http::{StatusCode, header};
use std::sync::atomic::AtomicBool;

use super::*;

const ANN: &str = "ann;north;;read:orders:own";
const SUE: &str = "sue;north;;read:orders";

/// The vulnerable handler of the seeds (FAQ 10).
async fn forgets(State(orders): State<Orders>, Path(id): Path<u64>) -> Response {
    let Some(order) = orders.rows.get(&id) else { return StatusCode::NOT_FOUND.into_response() };
    ([(header::ETAG, "\"1\""), (header::SET_COOKIE, "seen=1")], format!("secret of {}", order.owner)).into_response()
}

async fn checks(order: Authorized<Order, Read>) -> String {
    order.owner.clone()
}

fn app(requirement: Requirement) -> Router {
    let routes = Router::new().route("/forgets/{id}", get(forgets)).route("/checks/{id}", get(checks));
    behind(routes, &orders(), ScopeLayer::builder(requirement).build().unwrap())
}

#[tokio::test]
async fn an_answer_without_a_check_is_never_sent() {
    let app = app(Requirement::all(["read:orders"]).object_level());
    // Neither to others nor to the owner, and whatever the caller may.
    for caller in [ANN, SUE, "root;;;read:orders admin:platform admin:orders"] {
        let answer = fetch(&app, "/forgets/1", caller).await;
        assert_eq!((answer.status, answer.code()), (500, "authorization_not_checked"), "{caller}");
        assert!(!answer.text().contains("secret") && !answer.text().contains("ann"), "{}", answer.text());
        assert!(!answer.headers.contains_key("etag") && !answer.headers.contains_key("set-cookie"));
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert!(answer.source().contains("GET /forgets/{id} answered without a check"), "{}", answer.source());
    }
    // What is refused anyway needs no check.
    assert_eq!(fetch(&app, "/forgets/999", SUE).await.status, 404);
    assert_eq!(fetch(&app, "/checks/1", SUE).await.status, 200);
    let head = send(&app, "HEAD", "/forgets/1", SUE, "").await;
    assert_eq!((head.status, head.body.len()), (500, 0));
}

#[tokio::test]
async fn who_has_only_own_owes_the_check() {
    for (requirement, ann, sue) in [
        // Own objects are not enough where nobody said so.
        (Requirement::all(["read:orders"]), [403, 403], [200, 200]),
        (Requirement::all(["read:orders"]).own_allowed(), [500, 200], [200, 200]),
        (Requirement::all(["read:orders:own"]), [500, 200], [200, 200]),
        (Requirement::any(["admin:orders", "read:orders"]).own_allowed(), [500, 200], [200, 200]),
        (Requirement::any(["admin:orders", "read:orders:own"]), [500, 200], [200, 200]),
        (Requirement::all(["read:orders"]).object_level(), [500, 200], [500, 200]),
        (Requirement::all(["read:orders"]).object_level().own_allowed(), [500, 200], [500, 200]),
        (Requirement::authenticated().own_allowed(), [200, 200], [200, 200]),
        (Requirement::authenticated().object_level(), [500, 200], [500, 200]),
    ] {
        let app = app(requirement.clone());
        for (caller, expected) in [(ANN, ann), (SUE, sue)] {
            let statuses =
                [fetch(&app, "/forgets/1", caller).await.status, fetch(&app, "/checks/1", caller).await.status];
            assert_eq!(statuses, expected, "{requirement:?} {caller}");
        }
    }
}

#[tokio::test]
async fn own_is_of_one_kind_and_one_action_only() {
    let app = app(Requirement::all(["read:orders", "read:notes"]).own_allowed());
    for (scopes, status) in [
        ("read:orders:own read:notes", 200),
        ("read:orders:own read:notes:own", 200),
        ("read:orders read:notes:own", 200),
        ("read:orders:* read:notes", 200),
        ("read:orders:own", 403),
        ("read:orders:own write:notes:own", 403),
        ("read:orders:OWN read:notes", 403),
        ("read:orders:own:x read:notes", 403),
        ("read:own read:notes", 403),
    ] {
        let answer = fetch(&app, "/checks/1", &format!("ann;north;;{scopes}")).await;
        assert_eq!(answer.status, status, "{scopes}");
    }
    let missing = fetch(&app, "/checks/1", "ann;north;;read:orders:own").await;
    assert_eq!(missing.rejection.unwrap().member("missing_scopes").unwrap(), &serde_json::json!(["read:notes"]));
}

#[tokio::test]
async fn the_grant_says_how_far_it_reaches() {
    use crate::identity::{Grant, Reach};
    async fn reach(grant: Grant) -> String {
        format!("{:?} {:?}", grant.reach(), grant.required().collect::<Vec<_>>())
    }
    let routes = Router::new().route("/reach", get(reach));
    for requirement in [
        Requirement::all(["read:orders"]).own_allowed(),
        Requirement::any(["admin:orders", "read:orders"]).own_allowed(),
    ] {
        let scope = ScopeLayer::builder(requirement).build().unwrap();
        let app = behind(routes.clone(), &orders(), scope);
        assert_eq!(fetch(&app, "/reach", SUE).await.text(), "All [\"read:orders\"]");
        assert_eq!(fetch(&app, "/reach", ANN).await.status, 500);
    }
    assert_eq!(Reach::default(), Reach::All);
}

/// Ends of all kinds, none of which checks anything.
async fn end(Path(kind): Path<String>, obligation: Obligation, streamed: Extension<Arc<AtomicBool>>) -> Response {
    match kind.as_str() {
        "empty" => StatusCode::NO_CONTENT.into_response(),
        "redirect" => Redirect::to("/secret").into_response(),
        "unchanged" => StatusCode::NOT_MODIFIED.into_response(),
        "upgrade" => StatusCode::SWITCHING_PROTOCOLS.into_response(),
        "hint" => StatusCode::from_u16(103).unwrap().into_response(),
        "unknown" => StatusCode::from_u16(799).unwrap().into_response(),
        "stream" => {
            let stream = futures_of(move || {
                streamed.store(true, Relaxed);
                obligation.discharge("too late: the head has been judged");
            });
            Response::new(stream)
        }
        "bad" => StatusCode::BAD_REQUEST.into_response(),
        "worse" => StatusCode::BAD_GATEWAY.into_response(),
        _ => {
            obligation.discharge("this is a test");
            assert!(!obligation.is_open());
            "discharged".into_response()
        }
    }
}

/// A body that runs `effect` when it is read.
fn futures_of(effect: impl FnOnce() + Send + 'static) -> Body {
    let mut effect = Some(effect);
    Body::new(http_body_util::Full::new(Bytes::from_static(b"secret")).map_frame(move |frame| {
        if let Some(effect) = effect.take() {
            effect();
        }
        frame
    }))
}

#[tokio::test]
async fn every_end_below_400_is_judged_by_its_head() {
    let streamed = Arc::new(AtomicBool::new(false));
    let routes = Router::new().route("/end/{kind}", get(end)).layer(Extension(Arc::clone(&streamed)));
    let app = guarded(routes, &orders());
    for (kind, status) in [
        ("empty", 500),
        ("redirect", 500),
        ("unchanged", 500),
        ("upgrade", 500),
        ("hint", 500),
        ("unknown", 500),
        ("stream", 500),
        ("bad", 400),
        ("worse", 502),
        ("discharged", 200),
    ] {
        let answer = fetch(&app, &format!("/end/{kind}"), ANN).await;
        assert_eq!(answer.status, status, "{kind}");
        assert!(!answer.headers.contains_key("location"), "{kind}");
    }
    assert!(!streamed.load(Relaxed), "a body that is not sent is not read either");
}

#[tokio::test]
async fn a_refusal_that_is_ignored_owes_again() {
    type Tried = Result<Authorized<Order, Read>, Rejection>;
    async fn shrugs(tried: Tried) -> String {
        format!("{}", tried.is_ok())
    }
    async fn forgives(
        State(orders): State<Orders>,
        access: Access<Order, Read>,
        Query(ids): Query<Vec<(String, u64)>>,
    ) -> String {
        let all: Vec<bool> = ids.iter().map(|(_, id)| access.check(&orders.rows[id]).is_ok()).collect();
        format!("{all:?}")
    }
    let routes = Router::new().route("/shrugs/{id}", get(shrugs)).route("/forgives", get(forgives));
    let app = guarded(routes, &orders());
    for (path, status) in [
        ("/shrugs/1", 200),
        ("/shrugs/3", 500),
        ("/shrugs/999", 500),
        ("/shrugs/x", 500),
        ("/shrugs/16", 500),
        ("/forgives", 500),
        ("/forgives?id=1", 200),
        ("/forgives?id=3", 500),
        ("/forgives?id=1&id=3", 500),
        ("/forgives?id=16", 500),
        ("/forgives?id=3&id=1", 200),
    ] {
        assert_eq!(fetch(&app, path, ANN).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_public_row_and_a_plain_one_owe_nothing() {
    let scope = ScopeLayer::table()
        .public(http::Method::GET, "/forgets/{id}")
        .route(http::Method::GET, "/checks/{id}", Requirement::authenticated())
        .build()
        .unwrap();
    let routes = Router::new().route("/forgets/{id}", get(forgets)).route("/checks/{id}", get(checks));
    let app = behind(routes, &orders(), scope);
    assert_eq!(fetch(&app, "/forgets/1", "nobody").await.status, 200);
    assert_eq!(fetch(&app, "/checks/1", ANN).await.status, 200);
    assert_eq!(fetch(&app, "/checks/3", ANN).await.status, 404);
}

#[tokio::test]
async fn in_a_table_every_route_with_a_parameter_can_owe_the_check() {
    let get = |table: crate::authz::ScopeTableBuilder, path: &str, requirement| {
        table.route(http::Method::GET, path, requirement)
    };
    let orders = || Requirement::all(["read:orders"]);
    let table = ScopeLayer::table().object_level();
    let table = get(table, "/forgets/{id}", orders());
    let table = get(table, "/checks/{id}", orders());
    let table = get(table, "/plain", orders());
    let table = get(table, "/any/{id}", orders().function_level());
    let table = get(table, "/own/{id}", orders().own_allowed());
    let table = get(table, "/files/{*path}", Requirement::authenticated());
    let plain = || async { "the same for all" };
    let routes = Router::new()
        .route("/forgets/{id}", axum::routing::get(forgets))
        .route("/checks/{id}", axum::routing::get(checks))
        .route("/plain", axum::routing::get(plain))
        .route("/any/{id}", axum::routing::get(plain))
        .route("/own/{id}", axum::routing::get(plain))
        .route("/files/{*path}", axum::routing::get(plain));
    let app = behind(routes, &self::orders(), table.build().unwrap());
    for (path, status) in [
        ("/forgets/1", 500),
        ("/checks/1", 200),
        ("/plain", 200),
        ("/any/1", 200),
        ("/own/1", 200),
        ("/files/a/b", 500),
    ] {
        assert_eq!(fetch(&app, path, SUE).await.status, status, "{path}");
    }
    assert_eq!(fetch(&app, "/own/1", ANN).await.status, 500);
}

#[tokio::test]
async fn one_check_is_enough_for_two_layers_and_one_answer_is_judged_once() {
    let routes = Router::new()
        .route("/forgets/{id}", get(forgets).layer(object_level()))
        .route("/checks/{id}", get(checks).layer(object_level()));
    let app = guarded(routes, &orders());
    assert_eq!(fetch(&app, "/checks/1", ANN).await.status, 200);
    assert_eq!(fetch(&app, "/forgets/1", ANN).await.code(), "authorization_not_checked");
}

#[tokio::test]
async fn nobody_owes_anything_without_a_guard() {
    let app = GateLayer::new(FakeAuth);
    let app: Router = Router::new().route("/forgets/{id}", get(forgets)).with_state(orders()).layer(app);
    assert_eq!(fetch(&app, "/forgets/1", ANN).await.status, 200);
}
