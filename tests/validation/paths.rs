//! Paths and queries.

use axum::{Router, routing::get};
use portcullis::{rejection::RejectionKind, validate::RequestValidationLayer};

use super::ask::{app, ask, echo, layer, request, status};

#[tokio::test]
async fn a_path_that_can_be_read_in_two_ways_is_400() {
    let app = app(layer());
    for path in [
        "/files/../orders",
        "/files/%2e%2e/orders",
        "/files/%252e%252e%252forders",
        "/files/a%2fb",
        "/files/a%5cb",
        "/files/a%00.png",
        "/files/a%0d%0ab",
        "/files/%ff",
        "/files/%c0%ae%c0%ae",
        "/files/a%zz",
        "/files/..;/a",
    ] {
        let answer = ask(&app, request("GET", path, &[], "")).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &"invalid_request".into()), "{path}");
        // Whoever is refused reads nothing of what was sent.
        assert!(!String::from_utf8_lossy(&answer.body).contains(path));
    }
    for path in ["/files/a/b.txt", "/files/caf%C3%A9", "/files/a%20b", "/orders/7", "/files/100%25"] {
        assert_eq!(status(&app, request("GET", path, &[], "")).await, 200, "{path}");
    }
    assert_eq!(status(&app, request("GET", "/nowhere/%2e%2e", &[], "")).await, 400);
}

/// axum cuts the prefix off the path that a nested router sees.
#[tokio::test]
async fn a_nested_router_sees_the_whole_path() {
    let inner = Router::new().route("/a", get(|| async {})).layer(layer().build().unwrap());
    let app = Router::new().nest("/v1/{tenant}", inner);
    assert_eq!(status(&app, request("GET", "/v1/acme/a", &[], "")).await, 200);
    assert_eq!(status(&app, request("GET", "/v1/%2e%2e/a", &[], "")).await, 400);
}

#[tokio::test]
async fn encoded_slashes_can_be_allowed() {
    let app = app(layer().dangerously_allow_encoded_slashes());
    assert_eq!(status(&app, request("GET", "/orders/a%2Fb", &[], "")).await, 200);
    assert_eq!(status(&app, request("GET", "/orders/a%2F..%2Fb", &[], "")).await, 400);
}

#[tokio::test]
async fn a_query_has_so_many_parameters() {
    let query = |parameters: usize| format!("/orders?{}", vec!["a=1"; parameters].join("&"));
    let usual = app(layer());
    assert_eq!(status(&usual, request("GET", &query(100), &[], "")).await, 200);
    assert_eq!(status(&usual, request("GET", &query(101), &[], "")).await, 400);
    let none = app(layer().max_query_parameters(0));
    assert_eq!(status(&none, request("GET", "/orders?", &[], "")).await, 200);
    assert_eq!(status(&none, request("GET", "/orders?a", &[], "")).await, 400);
}

#[tokio::test]
async fn the_layer_counts_what_it_says() {
    let layer = RequestValidationLayer::builder().build().unwrap();
    let app = echo().layer(layer.clone());
    status(&app, request("GET", "/orders", &[], "")).await;
    status(&app, request("GET", "/orders/%00", &[], "")).await;
    let verdicts = layer.verdicts();
    assert_eq!((verdicts.passed, verdicts.rejected(RejectionKind::InvalidRequest)), (1, 1));
}
