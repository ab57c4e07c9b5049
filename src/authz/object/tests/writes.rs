//! Bodies that are held back.

use axum::{Json, body::to_bytes, extract::State, routing::put};

use super::*;

const ANN: &str = "ann;north;;";

fn app(writes: &Arc<AtomicU64>) -> Router {
    let count = || {
        let writes = Arc::clone(writes);
        move || {
            writes.fetch_add(1, Relaxed);
        }
    };
    let (a, b, c, d, e, f) = (count(), count(), count(), count(), count(), count());
    let routes = Router::new()
        .route("/checks/{id}", put(|_: Authorized<Order, Write>, Json(()): Json<()>| async move { a() }))
        .route("/forgets/{id}", put(|Json(()): Json<()>| async move { b() }))
        // Checks, but takes the body first.
        .route(
            "/late/{id}",
            put(|obligation: Obligation, body: Result<Bytes, axum::extract::rejection::BytesRejection>| async move {
                obligation.discharge("too late");
                if body.is_ok() {
                    c();
                }
            }),
        )
        .route(
            "/lazy/{id}",
            put(|State(orders): State<Orders>, access: Access<Order, Write>, body: Body| async move {
                access.check(&orders.rows[&1])?;
                let body = to_bytes(body, 100).await.unwrap();
                assert_eq!(&body[..], b"null");
                d();
                Ok::<_, Rejection>("written")
            }),
        )
        .route("/ignores/{id}", put(|| async move { e() }))
        .route(
            "/refuses/{id}",
            put(|_: Authorized<Order, Write>| async move {
                f();
                Rejection::new(crate::rejection::RejectionKind::Conflict)
            }),
        )
        .layer(WriteGuardLayer::new());
    routes.with_state(orders()).layer(GateLayer::new(FakeAuth))
}

#[tokio::test]
async fn nothing_is_written_before_the_check() {
    let writes = Arc::new(AtomicU64::new(0));
    let app = app(&writes);
    for (path, body, status, code, written) in [
        ("/checks/1", "null", 200, "", 1),
        ("/checks/3", "null", 404, "not_found", 0),
        ("/checks/1", "nul", 400, "", 0),
        ("/forgets/1", "null", 500, "authorization_not_checked", 0),
        ("/forgets/3", "null", 500, "authorization_not_checked", 0),
        ("/late/1", "null", 500, "authorization_not_checked", 0),
        ("/lazy/1", "null", 200, "", 1),
        ("/refuses/1", "null", 409, "conflict", 1),
        // Without a body there is nothing to hold back: only the answer is stopped.
        ("/ignores/1", "", 500, "authorization_not_checked", 1),
        ("/ignores/1", "null", 500, "authorization_not_checked", 1),
    ] {
        writes.store(0, Relaxed);
        let answer = send(&app, "PUT", path, ANN, body).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{path}");
        assert_eq!(writes.load(Relaxed), written, "{path}");
    }
    assert_eq!(send(&app, "PUT", "/checks/1", "nobody", "null").await.status, 401);
    let answer = send(&app, "PUT", "/forgets/1", ANN, "null").await;
    assert!(answer.source().contains("read the body before"), "{}", answer.source());
}

#[tokio::test]
async fn two_guards_say_it_once() {
    let routes: Router<Orders> = Router::new()
        .route("/forgets/{id}", put(|Json(()): Json<()>| async {}))
        .route("/checks/{id}", put(|_: Authorized<Order, Write>, Json(()): Json<()>| async {}))
        .layer(WriteGuardLayer::default());
    let app = guarded(routes, &orders());
    let answer = send(&app, "PUT", "/forgets/1", ANN, "null").await;
    assert_eq!((answer.status, answer.code()), (500, "authorization_not_checked"));
    assert!(answer.source().contains("status 4"), "the innermost guard saw the handler's answer: {}", answer.source());
    assert_eq!(send(&app, "PUT", "/checks/1", ANN, "null").await.status, 200);
    // What the guard hands on is the body as it was.
    let long = format!("\"{}\"", "x".repeat(100_000));
    let routes: Router<Orders> = Router::new()
        .route(
            "/{id}",
            put(|_: Authorized<Order, Write>, Json(text): Json<String>| async move { text.len().to_string() }),
        )
        .layer(WriteGuardLayer::new());
    let app = guarded(routes, &orders());
    assert_eq!(send(&app, "PUT", "/1", ANN, &long).await.text(), "100000");
}
