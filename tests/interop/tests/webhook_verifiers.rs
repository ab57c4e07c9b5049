//! Both directions: what the vendors' libraries sign, [`WebhookVerifyLayer`] accepts, and what
//! [`Provider::sign`] makes, the vendors' libraries accept. Neither accepts what is forged.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::{Body, Bytes},
    routing::post,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use portcullis::{
    backend::memory::MemoryStore,
    gate::RequestContextLayer,
    request::VerifiedWebhook,
    secret::Secret,
    time::{Clock as _, ManualClock, SystemClock, Timestamp},
    webhook::{Provider, WebhookVerifyLayer},
};
use portcullis_interop::{Delivery, Webhook, sign, verify};
use tower::{ServiceBuilder, ServiceExt as _};

/// 2026-11-21T08:05:00Z.
const SENT: u64 = 1_795_248_300;

const ID: &str = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W";

/// Providers by their names here and there, each with a secret as its vendor hands it out and
/// another one of the same form.
const VENDORS: &[(&str, &str, &str)] = &[
    ("stripe", "whsec_Zm9yIHRlc3RzIG9ubHk", "whsec_Zm9yIHRlc3RzIG9ubHm"),
    ("github", "It's a Secret to Everybody", "It's a Secret to Nobody"),
    ("standard", "whsec_dHdlbnR5LWZvdXIgYnl0ZXMgb2Yga2V5", "whsec_dHdlbnR5LWZvdXIgYnl0ZXMgb2YgbG9j"),
];

/// ASCII, more than one byte a character, what JSON escapes. All of it JSON: two of the libraries
/// parse what they have verified.
const BODIES: &[&str] = &[
    "{\"id\":\"evt_1\",\"type\":\"invoice.paid\"}",
    "{\"id\":\"evt_2\",\"name\":\"Zoë 🦀\"}",
    "{ \"id\" : \"evt_3\",\r\n \"text\":\"\\u0000\\\"\" }\n",
];

/// A receiver of its own: nothing is a repetition there.
fn receiver(provider: &str, secret: &str, now: Timestamp) -> Router {
    let provider = Provider::named(provider).unwrap();
    let verify = WebhookVerifyLayer::builder(provider, Secret::from(secret), MemoryStore::new()).build().unwrap();
    let context = RequestContextLayer::new().clock(ManualClock::at(now));
    Router::new()
        .route("/hook", post(|_: VerifiedWebhook, body: Bytes| async { body }))
        .layer(ServiceBuilder::new().layer(context).layer(verify))
}

/// The status, and the body if it was handed on.
async fn deliver(app: Router, headers: &BTreeMap<String, String>, body: &str) -> (StatusCode, Bytes) {
    let mut request = Request::post("/hook").body(Body::from(body.to_owned())).unwrap();
    for (name, value) in headers {
        let name = HeaderName::try_from(name).unwrap();
        request.headers_mut().insert(name, HeaderValue::try_from(value).unwrap());
    }
    let response = app.oneshot(request).await.unwrap();
    let status = response.status();
    (status, axum::body::to_bytes(response.into_body(), 64 * 1024).await.unwrap())
}

#[tokio::test]
async fn we_accept_what_the_vendors_sign() {
    for &(provider, secret, another) in VENDORS {
        let webhook = |body| Webhook { provider, secret, timestamp: SENT, id: ID, body };
        let webhooks: Vec<_> = BODIES.iter().copied().map(webhook).collect();
        for (body, headers) in BODIES.iter().zip(sign(&webhooks)) {
            let at = Timestamp::from_secs;
            let (status, handed_on) = deliver(receiver(provider, secret, at(SENT)), &headers, body).await;
            assert_eq!((status, &*handed_on), (StatusCode::OK, body.as_bytes()), "{provider} {body}");

            let (status, _) = deliver(receiver(provider, another, at(SENT)), &headers, body).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{provider}, another secret");
            let changed = body.replacen("evt", "evu", 1);
            let (status, _) = deliver(receiver(provider, secret, at(SENT)), &headers, &changed).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{provider}, another body");
            if provider != "github" {
                let (status, _) = deliver(receiver(provider, secret, at(SENT + 301)), &headers, body).await;
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{provider}, too late");
            }
        }
    }
}

/// Both libraries go by the machine's clock, so this is signed now.
#[test]
fn the_vendors_accept_what_we_sign() {
    let now = SystemClock::new().now().wall;
    let mut deliveries = Vec::new();
    for &(provider, secret, another) in VENDORS {
        for &body in BODIES {
            let signed = Provider::named(provider).unwrap().sign(&Secret::from(secret), ID, now, body.as_bytes());
            let headers = texts(&signed.unwrap());
            let genuine = Delivery { provider, secret, body, headers };
            deliveries.push((true, genuine.clone()));
            deliveries.push((false, Delivery { secret: another, ..genuine.clone() }));
            deliveries.push((false, Delivery { body: "{}", ..genuine }));
        }
        if provider != "github" {
            let before = Timestamp::from_secs(now.as_secs() - 3_600);
            let signed = Provider::named(provider).unwrap().sign(&Secret::from(secret), ID, before, b"{}");
            let headers = texts(&signed.unwrap());
            deliveries.push((false, Delivery { provider, secret, body: "{}", headers }));
        }
    }
    let jobs: Vec<_> = deliveries.iter().map(|(_, delivery)| delivery.clone()).collect();
    for ((expected, delivery), accepted) in deliveries.iter().zip(verify(&jobs)) {
        assert_eq!(accepted, *expected, "{delivery:?}");
    }
}

fn texts(headers: &HeaderMap) -> BTreeMap<String, String> {
    headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}
