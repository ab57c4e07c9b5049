//! What stands around the layer changes nothing: one record, and a true one.

use axum::routing::get;
use http::StatusCode;
use tower::Layer as _;
use tower_http::catch_panic::CatchPanicLayer;

use super::*;
use crate::{
    gate::{Entry, Gate, GateLayer},
    identity::{Principal, PrincipalParts, Scopes},
    rejection::{LegacyJson, Rejection, RejectionKind},
    request::RequestContext,
};

#[tokio::test]
async fn a_panic_that_is_caught_outside() {
    async fn boom() {
        tokio::task::yield_now().await;
        panic!("boom")
    }
    let desk = Desk::new();
    let app = desk.wrap(Router::new().route("/", get(boom))).layer(CatchPanicLayer::new());
    assert_eq!(call(&app, request("/")).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let record = desk.record().await;
    assert_eq!(
        (&record["status"], &record["level"], &record["outcome"]),
        (&Value::Null, &"ERROR".into(), &"panic".into())
    );
}

#[tokio::test]
async fn an_inner_service_that_fails() {
    let desk = Desk::new();
    let failing = tower::service_fn(|_: Request<Body>| async { Err::<Response, _>("broken") });
    let service = desk.layer.layer(failing);
    assert_eq!(service.oneshot(request("/")).await.unwrap_err(), "broken");
    let record = desk.record().await;
    assert_eq!(
        (&record["status"], &record["level"], &record["outcome"]),
        (&Value::Null, &"ERROR".into(), &"failed".into())
    );
}

#[tokio::test]
async fn a_layer_that_stands_twice_writes_once() {
    let (desk, other) = (Desk::new(), Desk::new());
    let inner = Router::new().route("/", get(|| async { "hello" })).layer(desk.layer.clone());
    let app = desk.wrap(inner.layer(other.layer.clone()));
    assert_eq!(read(call(&app, request("/")).await).await, "hello");
    assert_eq!(desk.record().await["response_bytes"], 5);
    // Another layer has a sink of its own, and so a record.
    assert_eq!(other.record().await["response_bytes"], 5);
}

#[tokio::test]
async fn a_body_that_is_restyled_outside_is_complete() {
    let desk = Desk::new();
    let refuse = || async { Rejection::new(RejectionKind::Forbidden) };
    let app = desk
        .wrap(Router::new().route("/", get(refuse)))
        .layer(tower::util::MapResponseLayer::new(|response| LegacyJson::Workflow.restyle(response)));
    let body = read(call(&app, request("/")).await).await;
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["error"], "forbidden");
    assert_eq!(desk.record().await["outcome"], "completed");
}

/// What an issuer put into its token is not for the log, either.
struct Careless;

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";

impl<B> Gate<B> for Careless {
    const NAME: &'static str = "careless";
    type Pass = ();

    fn enter(
        self: &std::sync::Arc<Self>,
        _: &mut Request<B>,
        context: &std::sync::Arc<RequestContext>,
    ) -> Entry<B, ()> {
        let text = |text: &str| Some(text.into());
        context.set_principal(Principal::new(PrincipalParts {
            subject: "alice@example.com".into(),
            tenant: text("bob@example.com"),
            plan: text("4111111111111111"),
            client: text("carol%40example.com"),
            credential_id: text(JWT),
            scopes: Scopes::from_token(["read:orders"]).unwrap(),
            ..PrincipalParts::default()
        }));
        Entry::Pass(())
    }
}

#[tokio::test]
async fn what_a_credential_says_is_searched_too() {
    let desk = Desk::new();
    let app = desk.wrap(Router::new().route("/", get(|| async {})).layer(GateLayer::new(Careless)));
    call(&app, request("/")).await;
    let record = desk.record().await;
    assert_eq!(
        record["user"],
        serde_json::json!({"id": "[email]", "email": null, "tenant": "[email]", "plan": "[pan]"})
    );
    assert_eq!((&record["auth"]["client_id"], &record["auth"]["token_id"]), (&"[email]".into(), &"[jwt]".into()));
    let text = desk.sink.text();
    assert!(text.contains("read:orders") && !text.contains("example.com") && !text.contains("41111111"), "{text}");
}

#[tokio::test]
async fn an_invented_method_does_not_fill_the_log() {
    let desk = Desk::new();
    let app = desk.wrap(Router::new().fallback(|| async {}));
    for method in ["PURGE", &"M".repeat(100_000)] {
        call(&app, Request::builder().method(method).uri("/").body(Body::empty()).unwrap()).await;
    }
    let records = desk.records().await;
    assert_eq!((&records[0]["method"], &records[1]["method"]), (&"PURGE".into(), &"[long]".into()));
}

/// So many requests at once, against a queue of eight.
async fn crowd(desk: &Desk, requests: usize) {
    let app = desk.wrap(Router::new().route("/", get(|| async { "hello" })));
    let calls: Vec<_> = (0..requests)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move { read(call(&app, request("/")).await).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
}

fn narrow() -> Desk {
    Desk::with(|sink| AuditLayer::builder(sink).queue_capacity(8).build().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_a_crowd_each_request_is_written_or_counted() {
    let desk = narrow();
    crowd(&desk, 5_000).await;
    let counts = desk.handle.shutdown().await;
    assert_eq!((counts.accepted, counts.written.saturating_add(counts.lost)), (counts.written, 5_000));
    let records = desk.sink.records();
    let gaps: u64 = records.iter().filter_map(|record| record["lost"].as_u64()).sum();
    assert_eq!(gaps, counts.lost);
    let written = records.iter().filter(|record| record["kind"] == "request").count();
    assert_eq!(written as u64, counts.written);
    assert!(records.iter().enumerate().all(|(index, record)| record["seq"] == index));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn shutdown_in_the_midst_of_a_crowd_loses_count_of_nobody() {
    let desk = narrow();
    let handle = desk.handle.clone();
    let ((), first) = tokio::join!(crowd(&desk, 5_000), async {
        tokio::task::yield_now().await;
        handle.shutdown().await
    });
    let counts = desk.handle.shutdown().await;
    assert!(first.written <= counts.written);
    assert_eq!((counts.accepted, counts.written.saturating_add(counts.lost)), (counts.written, 5_000));
    assert_eq!(desk.sink.records().iter().filter(|record| record["kind"] == "request").count() as u64, counts.written);
}
