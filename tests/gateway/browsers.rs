//! What pages of an allowed origin can read, and those of any other cannot.

use http::Request;

use super::orders::in_chunks;
use crate::desk::{APP, Answer, Desk, JSON, with};

const ORIGIN: (&str, &str) = ("origin", APP);

fn readable(answer: &Answer) -> bool {
    let mut lines = answer.headers.get_all("access-control-allow-origin").iter();
    lines.next().is_some_and(|line| line == APP) && lines.next().is_none()
}

#[tokio::test]
async fn a_preflight() {
    let desk = Desk::new().await;
    for method in ["GET", "POST", "DELETE"] {
        let ask = [
            ORIGIN,
            ("access-control-request-method", method),
            ("access-control-request-headers", "authorization,content-type,x-api-key"),
        ];
        let answer = desk.send(with(Request::options("/api/orders/ord_1"), &ask), "").await;
        assert!(answer.status == 204 && readable(&answer));
        assert!(answer.header("access-control-allow-methods").contains(method));
        let headers = answer.header("access-control-allow-headers").to_ascii_lowercase();
        assert!(["authorization", "content-type", "x-api-key"].iter().all(|name| headers.contains(name)), "{headers}");
    }
    let ask = [ORIGIN, ("access-control-request-method", "PATCH")];
    let answer = desk.send(with(Request::options("/api/orders"), &ask), "").await;
    assert!(!answer.header("access-control-allow-methods").contains("PATCH"));
    let ask = [ORIGIN, ("access-control-request-method", "GET"), ("access-control-request-headers", "x-other")];
    let answer = desk.send(with(Request::options("/api/orders"), &ask), "").await;
    assert!(!answer.header("access-control-allow-headers").contains("x-other"));
    desk.finish(0).await;
}

#[tokio::test]
async fn a_refused_origin_gets_nothing() {
    let desk = Desk::new().await;
    for origin in [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "https://app.example.com:8443",
        "http://app.example.com",
        "HTTPS://APP.EXAMPLE.COM",
        "https://app.example.com/",
        "https://app.example.com, https://evil.example",
        "null",
        "*",
        "",
    ] {
        let origin = ("origin", origin);
        let (name, value) = desk.bearer("TOKEN_READ");
        let ask = [origin, ("access-control-request-method", "GET")];
        for answer in [
            desk.send(with(Request::options("/api/orders"), &ask), "").await,
            desk.send(with(Request::get("/api/orders"), &[origin, (name, &value)]), "").await,
            desk.send(with(Request::get("/api/orders"), &[origin]), "").await,
            desk.send(with(Request::get("/nowhere"), &[origin]), "").await,
        ] {
            assert_eq!(answer.cors_headers(), 0, "{origin:?}: {:?}", answer.headers);
        }
    }
    let twice = desk.send(with(Request::get("/health"), &[ORIGIN, ("origin", "https://evil.example")]), "").await;
    assert_eq!(twice.cors_headers(), 0);
    assert_eq!(desk.get("/health").await.cors_headers(), 0);
    desk.finish(0).await;
}

#[tokio::test]
async fn an_allowed_page_reads_every_refusal() {
    let desk = Desk::new().await;
    let (_, write) = desk.bearer("TOKEN_WRITE");
    let (write, key) = (("authorization", &*write), desk.api_key());
    let ask = |request, headers: &[_], body: &str| desk.send(with(with(request, &[ORIGIN]), headers), in_chunks(body));
    let mut answers = vec![
        (200, ask(Request::get("/api/orders"), &[write], "").await),
        (400, ask(Request::get("/api/orders"), &[write, key], "").await),
        (401, ask(Request::get("/api/orders"), &[], "").await),
        (403, ask(Request::delete("/api/orders/ord_1"), &[write], "").await),
        (404, ask(Request::get("/nowhere"), &[], "").await),
        (404, ask(Request::get("/api/orders/ord_9"), &[write], "").await),
        (405, ask(Request::put("/api/orders"), &[write], "").await),
        (413, ask(Request::post("/api/orders"), &[write, JSON], &"a".repeat(1_100_000)).await),
        (415, ask(Request::post("/api/orders"), &[write], "{}").await),
        (422, ask(Request::post("/api/orders"), &[write, JSON], "{}").await),
        (400, ask(Request::post("/webhooks/stripe"), &[], "{}").await),
        (500, ask(Request::get("/demo/panic"), &[write], "").await),
    ];
    for _ in 0..5 {
        answers.push((200, ask(Request::get("/quota/demo"), &[key], "").await));
        answers.push((401, ask(Request::post("/auth/login"), &[], "").await));
    }
    answers.push((402, ask(Request::get("/quota/demo"), &[key], "").await));
    answers.push((429, ask(Request::post("/auth/login"), &[], "").await));
    for (status, answer) in answers {
        assert_eq!(answer.status, status);
        assert!(readable(&answer), "{status}: {:?}", answer.headers);
    }
    desk.finish(0).await;
}
