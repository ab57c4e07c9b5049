//! API keys in a real PostgreSQL.

use std::time::Duration;

use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode};
use portcullis::{
    auth::{
        AuthLayer,
        api_key::{ApiKey, ApiKeyFormat, ApiKeyRecord, ApiKeys, KeyHasher},
    },
    backend::sql::SqlStore,
    conformance,
};
use portcullis_interop::postgres::Postgres;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tower::ServiceExt as _;

async fn pool(server: &Postgres) -> PgPool {
    PgPoolOptions::new().max_connections(8).connect(&server.url()).await.expect("the server answers")
}

/// A process: a pool, a store and a layer of its own.
async fn process(server: &Postgres) -> (ApiKeys, Router) {
    let store = SqlStore::postgres(pool(server).await);
    store.migrate().await.expect("the tables are made");
    let keys = ApiKeys::new(store, ApiKeyFormat::new("acme", "live").expect("a format"), KeyHasher::ephemeral());
    let auth = AuthLayer::builder().api_keys(&keys).build().expect("a layer");
    (keys, Router::new().route("/", get(|| async {})).layer(auth))
}

async fn send(app: &Router, key: &ApiKey) -> StatusCode {
    let request = Request::get("/").header("x-api-key", key.secret.expose()).body(Body::empty()).expect("a request");
    app.clone().oneshot(request).await.expect("infallible").status()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_laws_hold() {
    let server = Postgres::start();
    let store = SqlStore::postgres(pool(&server).await);
    store.migrate().await.expect("the tables are made");
    conformance::api_keys::all(&store).await;
    conformance::api_keys::all(&store.clone().cache_api_keys(Duration::from_secs(60))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_number_of_processes_may_migrate_at_once() {
    let server = Postgres::start();
    let mut tasks = Vec::new();
    for _ in 0..6 {
        let store = SqlStore::postgres(pool(&server).await);
        tasks.push(tokio::spawn(async move { store.migrate().await }));
    }
    for task in tasks {
        task.await.expect("no panic").expect("migrated");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_revokes_the_other_refuses_at_once() {
    let server = Postgres::start();
    let ((ours, our_app), (theirs, their_app)) = (process(&server).await, process(&server).await);
    let key = ours.issue(ApiKeyRecord::builder("usr_1")).await.expect("a key");
    assert_eq!((send(&our_app, &key).await, send(&their_app, &key).await), (StatusCode::OK, StatusCode::OK));
    assert!(theirs.revoke(key.record.id(), "test").await.expect("revoked"));
    assert_eq!(send(&our_app, &key).await, StatusCode::UNAUTHORIZED);
    assert_eq!(send(&their_app, &key).await, StatusCode::UNAUTHORIZED);
}

/// Of twenty rotations of one key by two processes at once, one gives a key that works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_rotations_wins() {
    let server = Postgres::start();
    let ((ours, app), (theirs, _)) = (process(&server).await, process(&server).await);
    let old = ours.issue(ApiKeyRecord::builder("usr_1")).await.expect("a key");
    let mut tasks = Vec::new();
    for number in 0..20 {
        let (keys, id) = (if number % 2 == 0 { &ours } else { &theirs }.clone(), old.record.id().to_owned());
        tasks.push(tokio::spawn(async move { keys.rotate(&id, Duration::from_secs(60)).await }));
    }
    let mut won = Vec::new();
    for task in tasks {
        won.extend(task.await.expect("no panic").ok());
    }
    let [new] = won.as_slice() else { panic!("{} rotations won", won.len()) };
    assert_eq!((send(&app, new).await, send(&app, &old).await), (StatusCode::OK, StatusCode::OK));
    let in_force = ours.list("usr_1").await.expect("a list").iter().filter(|key| key.revoked_at().is_none()).count();
    assert_eq!(in_force, 2, "the old one and the new one");
}

/// A server that is gone is 503, and all is well when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_503_and_ends() {
    let mut server = Postgres::start();
    let (keys, app) = process(&server).await;
    let key = keys.issue(ApiKeyRecord::builder("usr_1")).await.expect("a key");
    assert_eq!(send(&app, &key).await, StatusCode::OK);
    server.stop();
    for _ in 0..3 {
        assert_eq!(send(&app, &key).await, StatusCode::SERVICE_UNAVAILABLE);
    }
    server.restart();
    assert_eq!(send(&app, &key).await, StatusCode::OK);
}
