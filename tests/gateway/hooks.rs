//! The receivers of webhooks, against what each provider sends.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Request, request::Builder};
use portcullis::{
    secret::Secret,
    time::{Clock as _, SystemClock, Timestamp},
    webhook::Provider,
};

use super::orders::in_chunks;
use crate::desk::{Answer, Desk};

/// Name, signature header, and whether a time is signed.
const PROVIDERS: [(&str, &str, bool); 4] = [
    ("stripe", "stripe-signature", true),
    ("github", "x-hub-signature-256", false),
    ("shopify", "x-shopify-hmac-sha256", false),
    ("slack", "x-slack-signature", true),
];

fn now() -> Timestamp {
    SystemClock::new().now().wall
}

fn event(id: &str) -> String {
    format!(r#"{{"id":"{id}","event_id":"{id}","type":"order.paid"}}"#)
}

/// What the provider sends, with the gateway's secret.
fn signed(desk: &Desk, name: &str, id: &str, time: Timestamp, body: &str) -> HeaderMap {
    let secret = Secret::from(desk.value(&format!("{}_SECRET", name.to_ascii_uppercase())));
    Provider::named(name).unwrap().sign(&secret, id, time, body.as_bytes()).unwrap()
}

fn post(name: &str, headers: HeaderMap) -> Builder {
    let mut request = Request::post(format!("/webhooks/{name}"));
    request.headers_mut().unwrap().extend(headers);
    request
}

async fn deliver(desk: &Desk, name: &str, headers: HeaderMap, body: impl Into<Body>) -> Answer {
    desk.send(post(name, headers), body).await
}

#[tokio::test]
async fn a_genuine_event_runs_the_handler_once() {
    let desk = Desk::new().await;
    for (name, ..) in PROVIDERS {
        let (body, other) = (event("evt_1"), event("evt_2"));
        let headers = signed(&desk, name, "evt_1", now(), &body);
        let first = deliver(&desk, name, headers.clone(), body.clone()).await;
        assert_eq!((first.status, &first.body["received"]), (200, &"evt_1".into()), "{name}");
        assert_eq!(desk.verdicts(&first).await.last().unwrap(), "webhook passed");
        // Again, and again with a signature of its own.
        for headers in [headers, signed(&desk, name, "evt_1", now(), &body)] {
            let again = deliver(&desk, name, headers, body.clone()).await;
            assert_eq!((again.status, again.body.get("received")), (200, None), "{name}");
            assert_eq!(desk.verdicts(&again).await.last().unwrap(), "webhook answered");
        }
        let other = deliver(&desk, name, signed(&desk, name, "evt_2", now(), &other), other).await;
        assert_eq!((other.status, &other.body["received"]), (200, &"evt_2".into()), "{name}");
    }
    desk.finish(0).await;
}

#[tokio::test]
async fn a_wrong_signature() {
    let desk = Desk::new().await;
    for (name, header, _) in PROVIDERS {
        let body = event("evt_1");
        let headers = signed(&desk, name, "evt_1", now(), &body);
        let another = Secret::from("another secret");
        let forged = Provider::named(name).unwrap().sign(&another, "evt_1", now(), body.as_bytes()).unwrap();
        let answer = deliver(&desk, name, forged, body.clone()).await;
        assert_eq!(answer.refusal(), (401, "invalid_signature"), "{name}");
        let answer = deliver(&desk, name, headers.clone(), body.replace("paid", "void")).await;
        assert_eq!(answer.refusal(), (401, "invalid_signature"), "{name}");
        let answer = deliver(&desk, name, headers.clone(), "").await;
        assert_eq!(answer.refusal(), (401, "invalid_signature"), "{name}");
        // What was refused is not taken for seen.
        let answer = deliver(&desk, name, headers.clone(), body).await;
        assert_eq!((answer.status, &answer.body["received"]), (200, &"evt_1".into()), "{name} {header}");
    }
    desk.finish(0).await;
}

#[tokio::test]
async fn a_stale_signature() {
    let desk = Desk::new().await;
    for (name, ..) in PROVIDERS.iter().filter(|(.., timed)| *timed) {
        let (body, span) = (event("evt_1"), Duration::from_secs(400));
        for time in [now().saturating_sub(span), now().saturating_add(span), Timestamp::EPOCH] {
            let answer = deliver(&desk, name, signed(&desk, name, "evt_1", time, &body), body.clone()).await;
            assert_eq!(answer.refusal(), (401, "timestamp_out_of_window"), "{name}");
        }
    }
    desk.finish(0).await;
}

#[tokio::test]
async fn a_signature_that_is_none() {
    let desk = Desk::new().await;
    for (name, header, _) in PROVIDERS {
        let body = event("evt_1");
        let good = signed(&desk, name, "evt_1", now(), &body);
        let missing = deliver(&desk, name, HeaderMap::new(), body.clone()).await;
        assert_eq!(missing.refusal(), (400, "malformed_signature"), "{name}");
        let mut repeated = good.clone();
        repeated.append(header, good[header].clone());
        let repeated = deliver(&desk, name, repeated, body.clone()).await;
        assert_eq!(repeated.refusal(), (400, "malformed_signature"), "{name}");
        let half = good[header].to_str().unwrap();
        let long = "0".repeat(20_000);
        for bad in ["", "zzz", "=", "t=,v1=", "sha256=", "v0=", "%00", &half[..half.len() - 5], &long] {
            let mut headers = good.clone();
            headers.insert(header, bad.parse().unwrap());
            let answer = deliver(&desk, name, headers, body.clone()).await;
            assert_eq!(answer.refusal(), (400, "malformed_signature"), "{name} {bad}");
        }
        let mut headers = good.clone();
        headers.insert(header, http::HeaderValue::from_bytes(b"\xff\xfe\x80").unwrap());
        assert_eq!(deliver(&desk, name, headers, body).await.refusal(), (400, "malformed_signature"), "{name}");
    }
    desk.finish(0).await;
}

#[tokio::test]
async fn an_event_above_one_megabyte() {
    let desk = Desk::new().await;
    for (name, ..) in PROVIDERS {
        let body = format!(r#"{{"id":"evt_1","pad":"{}"}}"#, "a".repeat(1_100_000));
        let headers = signed(&desk, name, "evt_1", now(), &body);
        let announced = post(name, headers.clone()).header("content-length", body.len());
        let answer = desk.send(announced, body.clone()).await;
        assert_eq!(answer.refusal(), (413, "payload_too_large"), "{name}");
        let answer = deliver(&desk, name, headers, in_chunks(&body)).await;
        assert_eq!(answer.refusal(), (413, "payload_too_large"), "{name}");
    }
    desk.finish(0).await;
}

#[tokio::test]
async fn a_token_is_no_signature() {
    let desk = Desk::new().await;
    for (name, ..) in PROVIDERS {
        let (header, value) = desk.bearer("TOKEN_ADMIN");
        let request = Request::post(format!("/webhooks/{name}")).header(header, value);
        assert_eq!(desk.send(request, event("evt_1")).await.refusal(), (400, "malformed_signature"), "{name}");
        let get = desk.get(&format!("/webhooks/{name}")).await;
        assert_eq!(get.status, 405, "{name}");
    }
    desk.finish(0).await;
}

#[tokio::test]
async fn hooks_allow_six_hundred_a_minute() {
    let desk = Desk::new().await;
    for number in 0..600 {
        let (id, body) = (format!("evt_{number}"), event(&format!("evt_{number}")));
        let answer = deliver(&desk, "stripe", signed(&desk, "stripe", &id, now(), &body), body).await;
        assert_eq!(answer.status, 200, "{number}");
    }
    desk.finish(0).await;
}
