//! The whole gateway of the example, called without a network between: what its contract says of
//! every route, every refusal and every record.
#![cfg(all(feature = "jwks", any(feature = "aws-lc", feature = "rust-crypto")))]

#[path = "../examples/gateway/app/mod.rs"]
mod app;
#[path = "gateway/desk.rs"]
mod desk;

use desk::*;
use http::Request;
#[tokio::test]
async fn probe() {
    let desk = Desk::new().await;
    let (n, v) = desk.bearer("TOKEN_READ");
    let a = desk.send(Request::get("/api/orders").header(n, v), "").await;
    println!("{:?} {}", desk.verdicts(&a).await, desk.record(&a).await);
    let a = desk.send(Request::post("/api/orders").header(n, desk.bearer("TOKEN_READ").1), "").await;
    println!("{:?} {} {:?}", desk.verdicts(&a).await, a.body, a.headers);
    let a = desk.get("/api/orders").await;
    println!("{:?} {} {:?}", desk.verdicts(&a).await, a.body, a.challenges());
    let a = desk.get("/nowhere").await;
    println!("{:?} {}", desk.verdicts(&a).await, desk.record(&a).await);
    let (n, v) = desk.api_key();
    for _ in 0..5 { assert_eq!(desk.send(Request::get("/quota/demo").header(n, v), "").await.status, 200); }
    let a = desk.send(Request::get("/quota/demo").header(n, v), "").await;
    println!("{:?} {} {:?}", desk.verdicts(&a).await, a.body, a.headers);
    let a = desk.send(Request::post("/auth/login"), "").await;
    println!("{:?} {} {:?}", desk.verdicts(&a).await, a.body, a.headers);
    let a = desk.send(Request::get("/demo/panic").header("authorization", desk.bearer("TOKEN_READ").1), "").await;
    println!("{:?} {} {:?}", desk.verdicts(&a).await, a.body, a.headers);
    let a = desk.send(Request::options("/api/orders").header("origin", APP).header("access-control-request-method", "POST"), "").await;
    println!("{:?} {} {:?}", desk.verdicts(&a).await, a.body, a.headers);
    let a = desk.send(Request::post("/webhooks/stripe"), "").await;
    println!("{:?} {} {:?}", desk.verdicts(&a).await, a.body, a.headers);
    desk.abandon(Request::get("/demo/slow").header("authorization", desk.bearer("TOKEN_READ").1).body(axum::body::Body::empty()).unwrap());
    println!("{:#}", desk.records().await.last().unwrap());
    desk.finish(1).await;
}
