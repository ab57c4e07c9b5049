//! JSON that means one thing only, and what the handler gets of it.

use std::sync::Arc;

use axum::{Router, body::Body, routing::post as on_post};
use portcullis::{
    gate::RequestContextLayer,
    validate::{ParsedJson, RequestValidationLayer, Rule, ValidatedJson},
};
use serde::Deserialize;

use super::ask::{app, ask, chunked, layer, post, request, ruled, status};

#[tokio::test]
async fn seed_bug_6_what_is_no_json_is_400_and_not_repeated() {
    let app = ruled(Rule::json());
    for (body, offset) in [("{\"a\":zz_secret}", 6), ("", 0), ("{\"a\":1}{", 8), ("\u{feff}{}", 1), ("nul", 3)] {
        if body.is_empty() {
            continue;
        }
        let answer = ask(&app, post(body)).await;
        let problem = answer.json();
        assert_eq!((answer.status.as_u16(), &problem["error"]), (400, &"invalid_request".into()), "{body}");
        assert_eq!(problem["offset"], offset, "{body}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("zz_secret"));
    }
    assert_eq!(status(&app, post(Body::from(vec![b'"', 0xff, b'"']))).await, 400);
    assert_eq!(status(&app, post("\"\\ud800\"")).await, 400);
}

#[tokio::test]
async fn no_member_stands_twice() {
    let app = ruled(Rule::json());
    for body in [r#"{"amount":1,"amount":1000000}"#, r#"{"a":[{"b":1,"\u0062":2}]}"#] {
        let answer = ask(&app, post(body)).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.json()["detail"].as_str().unwrap().contains("stands twice"));
    }
}

#[tokio::test]
async fn depth_and_number_are_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let usual = ruled(Rule::json());
    assert_eq!(status(&usual, post(nested(64))).await, 200);
    assert_eq!(status(&usual, post(nested(65))).await, 400);
    assert_eq!(status(&usual, post("[".repeat(1_000_000))).await, 400);
    let ruled = ruled(Rule::json().max_depth(2));
    assert_eq!((status(&ruled, post(nested(2))).await, status(&ruled, post(nested(3))).await), (200, 400));
    let few = app(layer().max_values(3));
    assert_eq!((status(&few, post("[1,2]")).await, status(&few, post("[1,2,3]")).await), (200, 400));
}

/// More than is parsed where the request is handled.
#[tokio::test]
async fn large_documents_are_judged_like_small_ones() {
    let app = ruled(Rule::json());
    let large = |last: &str| format!("[{}{last}]", "\"0123456789\",".repeat(50_000));
    for chunks in [false, true] {
        let body = |text: String| {
            if chunks { chunked(text.into_bytes().chunks(10_000).map(<[u8]>::to_vec)) } else { Body::from(text) }
        };
        let answer = ask(&app, post(body(large("1")))).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, large("1").len()));
        assert_eq!(ask(&app, post(body(large("x")))).await.json()["offset"], large("x").len() - 1);
    }
}

#[derive(Deserialize)]
struct Order {
    pieces: u32,
}

fn typed() -> Router {
    let strict =
        on_post(async |ValidatedJson(order): ValidatedJson<Order>, body: String| format!("{} {body}", order.pieces));
    let lax = on_post(async |order: Option<ValidatedJson<Order>>| order.map_or(0, |order| order.0.pieces).to_string());
    let raw = on_post(async |parsed: ParsedJson, again: ParsedJson| {
        (parsed == again).then(|| parsed.value().to_string()).unwrap()
    });
    Router::new().route("/orders", strict).route("/lax", lax).route("/raw", raw)
}

#[tokio::test]
async fn the_handler_need_not_parse_again_and_still_can() {
    let app = typed().layer(RequestValidationLayer::builder().build().unwrap());
    let json = [("content-type", "application/json")];
    let answer = ask(&app, post("{ \"pieces\": 3 }")).await;
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"3 { \"pieces\": 3 }"[..]));
    let problem = ask(&app, post("{\"pieces\":\"zz_secret\"}")).await;
    assert_eq!(problem.status, 422);
    assert!(!String::from_utf8_lossy(&problem.body).contains("zz_secret"));
    assert_eq!(ask(&app, request("POST", "/orders", &[], Body::empty())).await.status, 400);
    assert_eq!(ask(&app, request("POST", "/lax", &[], Body::empty())).await.body, "0");
    assert_eq!(ask(&app, request("POST", "/lax", &json, "{\"pieces\":7}")).await.body, "7");
    assert_eq!(ask(&app, request("POST", "/lax", &json, "[]")).await.status, 422);
    assert_eq!(ask(&app, request("POST", "/raw", &json, "{\"b\":1}")).await.body, "{\"b\":1}");
}

#[tokio::test]
async fn a_missing_layer_is_500_and_never_an_unchecked_body() {
    let json = [("content-type", "application/json")];
    for app in [typed(), typed().layer(RequestContextLayer::new())] {
        for path in ["/orders", "/lax", "/raw"] {
            let answer = ask(&app, request("POST", path, &json, "{\"pieces\":3}")).await;
            assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (500, &"misconfigured".into()), "{path}");
        }
    }
}

/// A document is dropped with the request, whatever it holds: no stack grows with it.
#[tokio::test]
async fn a_document_at_its_bounds_goes_away() {
    let app = app(layer().max_depth(126));
    let deep = format!("{}{}", "{\"a\":[".repeat(63), "]}".repeat(63));
    let sent = Arc::new(deep);
    assert_eq!(status(&app, post(sent.as_str().to_owned())).await, 200);
}
