//! Other people's signatures through the real layer: each vector is accepted, and nothing near it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

use std::{collections::BTreeMap, fs, path::Path};

use axum::{Router, body::Body, routing::post};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use portcullis::{
    backend::memory::MemoryStore,
    gate::RequestContextLayer,
    request::VerifiedWebhook,
    secret::Secret,
    time::{ManualClock, Timestamp},
    webhook::{Provider, WebhookVerifyLayer},
};
use proptest::prelude::*;
use serde::Deserialize;
use tower::{ServiceBuilder, ServiceExt as _};

#[derive(Deserialize)]
struct Vector {
    provider: String,
    secret: String,
    now: u64,
    headers: BTreeMap<String, String>,
    signed_headers: Vec<String>,
    body: String,
    event_id: String,
    event_type: Option<String>,
}

impl Vector {
    fn headers(&self) -> HeaderMap {
        self.headers.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    fn app(&self) -> Router {
        let provider = Provider::named(&self.provider).unwrap();
        let layer = WebhookVerifyLayer::builder(provider, Secret::new(&*self.secret), MemoryStore::new());
        let clock = ManualClock::at(Timestamp::from_secs(self.now));
        let echo = |hook: VerifiedWebhook, body: Bytes| async move {
            let event = format!("{}|{}|{}", hook.provider(), hook.event_id(), hook.event_type().unwrap_or("-"));
            ([("x-event", event)], body)
        };
        Router::new()
            .route("/hook", post(echo))
            .layer(ServiceBuilder::new().layer(RequestContextLayer::new().clock(clock)).layer(layer.build().unwrap()))
    }
}

fn vectors() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/webhooks");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let vectors: Vec<Vector> =
        files.iter().map(|file| serde_json::from_slice(&fs::read(file).unwrap()).unwrap()).collect();
    let covered: Vec<_> = vectors.iter().map(|vector| vector.provider.as_str()).collect();
    for name in Provider::names() {
        assert!(covered.contains(&name), "no vector for {name}");
    }
    vectors
}

async fn send(app: &Router, headers: HeaderMap, body: impl Into<Body>) -> Response<Body> {
    let mut request = Request::post("/hook").body(body.into()).unwrap();
    *request.headers_mut() = headers;
    app.clone().oneshot(request).await.unwrap()
}

#[tokio::test]
async fn every_vector_is_accepted_and_its_body_arrives_unchanged() {
    for vector in vectors() {
        let response = send(&vector.app(), vector.headers(), vector.body.clone()).await;
        assert_eq!(response.status(), StatusCode::OK, "{}", vector.provider);
        let kind = vector.event_type.as_deref().unwrap_or("-");
        let event = format!("{}|{}|{kind}", vector.provider, vector.event_id);
        assert_eq!(response.headers()["x-event"], event);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, vector.body.as_bytes());
    }
}

#[tokio::test]
async fn the_signer_makes_the_same_headers() {
    for vector in vectors() {
        let provider = Provider::named(&vector.provider).unwrap();
        let now = Timestamp::from_secs(vector.now);
        let signed =
            provider.sign(&Secret::new(&*vector.secret), &vector.event_id, now, vector.body.as_bytes()).unwrap();
        let held = vector.headers();
        for name in &vector.signed_headers {
            assert_eq!(signed.get(name), held.get(name), "{}: {name}", vector.provider);
        }
        assert!(signed.iter().all(|(name, value)| held.get(name) == Some(value)), "{signed:?}");
    }
}

#[tokio::test]
async fn every_changed_byte_of_the_body_is_refused() {
    for vector in vectors() {
        let app = vector.app();
        for at in 0..vector.body.len() {
            for bit in [at % 8, (at + 5) % 8] {
                let mut body = vector.body.clone().into_bytes();
                body[at] ^= 1 << bit;
                let response = send(&app, vector.headers(), body).await;
                assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{} byte {at} bit {bit}", vector.provider);
            }
        }
        for body in [&vector.body[1..], &vector.body[..vector.body.len() - 1], "", &format!("{}\n", vector.body)] {
            let response = send(&app, vector.headers(), body.to_owned()).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{}", vector.provider);
        }
    }
}

#[tokio::test]
async fn every_changed_bit_of_every_signed_header_is_refused() {
    for vector in vectors() {
        let app = vector.app();
        for name in &vector.signed_headers {
            let value = vector.headers[name].as_bytes();
            for at in 0..value.len() {
                let mut tried = 0;
                for bit in 0..8 {
                    let mut changed = value.to_vec();
                    changed[at] ^= 1 << bit;
                    let Ok(changed) = HeaderValue::from_bytes(&changed) else { continue };
                    tried += 1;
                    let mut headers = vector.headers();
                    headers.insert(name.parse::<HeaderName>().unwrap(), changed.clone());
                    let status = send(&app, headers, vector.body.clone()).await.status();
                    assert!(matches!(status.as_u16(), 400 | 401), "{}: {changed:?} is {status}", vector.provider);
                }
                assert!(tried >= 3, "{name} byte {at}");
            }
        }
    }
}

#[tokio::test]
async fn every_shortened_lengthened_missing_or_repeated_signed_header_is_refused() {
    for vector in vectors() {
        let app = vector.app();
        for name in &vector.signed_headers {
            let name: HeaderName = name.parse().unwrap();
            let value = &vector.headers[name.as_str()];
            let changes = [
                &value[1..],
                &value[..value.len() - 1],
                "",
                &format!("{value}0"),
                &format!("0{value}"),
                &format!("{value} "),
                &format!("{value}, {value}"),
            ];
            for changed in changes {
                let mut headers = vector.headers();
                headers.insert(&name, changed.parse().unwrap());
                let status = send(&app, headers, vector.body.clone()).await.status();
                assert!(matches!(status.as_u16(), 400 | 401), "{}: {changed:?} is {status}", vector.provider);
            }
            let mut missing = vector.headers();
            missing.remove(&name);
            assert_eq!(send(&app, missing, vector.body.clone()).await.status(), StatusCode::BAD_REQUEST, "{name}");
            let mut repeated = vector.headers();
            repeated.append(&name, value.parse().unwrap());
            assert_eq!(send(&app, repeated, vector.body.clone()).await.status(), StatusCode::BAD_REQUEST, "{name}");
        }
    }
}

#[tokio::test]
async fn every_row_signs_and_verifies_every_kind_of_body() {
    for vector in vectors() {
        let (app, provider) = (vector.app(), Provider::named(&vector.provider).unwrap());
        let now = Timestamp::from_secs(vector.now);
        for (id, body) in [b"".to_vec(), vec![0xff, 0xfe, 0x00, 0x80], vec![0x61; 300_000], (0..=255).collect()]
            .into_iter()
            .enumerate()
        {
            let headers = provider.sign(&Secret::new(&*vector.secret), &format!("evt-{id}"), now, &body).unwrap();
            let response = send(&app, headers.clone(), body.clone()).await;
            assert_eq!(response.status(), StatusCode::OK, "{}", vector.provider);
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), body);
            let again = send(&app, headers, body).await;
            assert_eq!(
                (again.status(), &again.headers()["x-webhook-duplicate"]),
                (StatusCode::OK, &HeaderValue::from_static("1"))
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever stands in the scheme's headers: 400 or 401, and no panic.
    #[test]
    fn arbitrary_headers_are_refused(
        row in 0..6_usize,
        values in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(0x20..=0xff_u8, 0..120),
                "[tv01sha256=,; -]{0,12}[0-9a-f]{60,68}".prop_map(String::into_bytes),
                "[-+]?[0-9]{0,21}".prop_map(String::into_bytes),
                Just(i64::MIN.to_string().into_bytes()),
            ],
            3..6,
        ),
    ) {
        let vector = &vectors()[row];
        let app = vector.app();
        let mut headers = vector.headers();
        for (name, value) in vector.signed_headers.iter().cycle().zip(values) {
            let Ok(value) = HeaderValue::from_bytes(&value) else { continue };
            let name: HeaderName = name.parse().unwrap();
            // Replaced the first time; repeated the second time, where there are fewer names than values.
            if headers.get(&name).is_some_and(|held| held.as_bytes() == vector.headers[name.as_str()].as_bytes()) {
                headers.insert(name, value);
            } else {
                headers.append(name, value);
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let status = runtime.block_on(send(&app, headers, vector.body.clone())).status();
        prop_assert!(matches!(status.as_u16(), 400 | 401), "{}", status);
    }
}
