//! Requests that others signed, through the whole layer: the test suite of AWS Signature Version 4.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a vector that cannot be read is to panic"
)]

use std::time::Duration;

use axum::{
    Router,
    body::{Body, Bytes},
    routing::any,
};
use http::{HeaderName, HeaderValue, Request};
use portcullis::{
    auth::{
        AuthLayer,
        signed::{SigV4, SigningKey},
    },
    backend::memory::MemoryStore,
    gate::RequestContextLayer,
    identity::Principal,
    secret::Secret,
    time::{ManualClock, Timestamp},
};
use serde::Deserialize;
use tower::{ServiceBuilder, ServiceExt as _};

#[derive(Deserialize)]
struct Suite {
    key_id: String,
    secret: String,
    region: String,
    service: String,
    time: u64,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    normalize: bool,
    #[serde(default)]
    token_is_added_later: bool,
    header: Message,
    query: Option<Message>,
}

#[derive(Clone, Deserialize)]
struct Message {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Message {
    fn request(&self) -> Request<Body> {
        let mut request = Request::builder().method(self.method.as_str()).uri(self.target.as_str());
        for (name, value) in &self.headers {
            let name = HeaderName::try_from(name).unwrap();
            request = request.header(name, HeaderValue::try_from(value.trim()).unwrap());
        }
        request.body(Body::from(self.body.clone())).unwrap()
    }
}

fn suite() -> Suite {
    serde_json::from_str(include_str!("vectors/aws-sigv4.json")).unwrap()
}

fn app(suite: &Suite, normalize: bool, now: u64) -> Router {
    let keys = MemoryStore::new();
    let key = SigningKey::secret(&suite.key_id, "signer", Secret::new(suite.secret.as_str())).build().unwrap();
    keys.insert_signing_key(key).unwrap();
    let signed = SigV4::builder(keys, &suite.region, &suite.service).presigned_urls();
    let signed = if normalize {
        signed.dangerously_allow_unresolved_paths()
    } else {
        signed.s3_paths().dangerously_allow_unsigned_payload()
    };
    let auth = AuthLayer::builder().authenticator(signed.build().unwrap()).build().unwrap();
    let context = RequestContextLayer::new().clock(ManualClock::at(Timestamp::from_secs(now)));
    let handler = |caller: Principal, body: Bytes| async move {
        assert_eq!(caller.subject(), "signer");
        body
    };
    Router::new().fallback(any(handler)).layer(ServiceBuilder::new().layer(context).layer(auth))
}

async fn send(app: &Router, request: Request<Body>) -> (u16, String) {
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn every_vector_of_aws_verifies_in_the_header() {
    let suite = suite();
    for vector in &suite.vectors {
        let app = app(&suite, vector.normalize, suite.time);
        let (status, body) = send(&app, vector.header.request()).await;
        // A session token that is added after signing is not signed, and anybody could have added it.
        let expected = if vector.token_is_added_later { 401 } else { 200 };
        assert_eq!(status, expected, "{}: {body}", vector.name);
        if status == 200 {
            assert_eq!(body, vector.header.body, "{}", vector.name);
        }
    }
}

/// URLs of S3 never sign the body, those of the suite without normalization do: they cannot be told
/// apart, and count as S3's.
#[tokio::test]
async fn every_vector_of_aws_verifies_in_the_query() {
    let suite = suite();
    let mut seen = 0;
    for vector in suite.vectors.iter().filter(|vector| vector.normalize && !vector.token_is_added_later) {
        let Some(query) = &vector.query else { continue };
        let app = app(&suite, true, suite.time + 3_600);
        let (status, body) = send(&app, query.request()).await;
        assert_eq!(status, 200, "{}: {body}", vector.name);
        seen += 1;
    }
    assert!(seen > 25, "{seen}");
}

#[tokio::test]
async fn every_change_of_a_vector_is_refused() {
    let suite = suite();
    for vector in suite.vectors.iter().filter(|vector| !vector.token_is_added_later) {
        let app = app(&suite, vector.normalize, suite.time);
        let changed = |change: fn(&mut Message)| {
            let mut message = vector.header.clone();
            change(&mut message);
            message.request()
        };
        let other_method: fn(&mut Message) = |message| message.method = "PUT".into();
        let other_path: fn(&mut Message) = |message| message.target = message.target.replacen('/', "/x/", 1);
        let more_query: fn(&mut Message) = |message| {
            message.target.push(if message.target.contains('?') { '&' } else { '?' });
            message.target.push_str("admin=1");
        };
        let other_host: fn(&mut Message) = |message| {
            for (name, value) in &mut message.headers {
                if name.eq_ignore_ascii_case("host") {
                    value.push_str(".evil.example");
                }
            }
        };
        let other_body: fn(&mut Message) = |message| message.body.push('x');
        for (what, change) in [
            ("method", other_method),
            ("path", other_path),
            ("query", more_query),
            ("host", other_host),
            ("body", other_body),
        ] {
            assert_eq!(send(&app, changed(change)).await.0, 401, "{}: {what}", vector.name);
        }
    }
}

#[tokio::test]
async fn the_window_is_five_minutes_and_a_url_ends_when_it_says() {
    let suite = suite();
    let vector = &suite.vectors.iter().find(|vector| vector.name == "get-vanilla").unwrap();
    let query = vector.query.as_ref().unwrap();
    let window = Duration::from_secs(300).as_secs();
    for (message, at, expected) in [
        (&vector.header, suite.time - window, 200),
        (&vector.header, suite.time - window - 1, 401),
        (&vector.header, suite.time + window, 200),
        (&vector.header, suite.time + window + 1, 401),
        (query, suite.time - window - 1, 401),
        (query, suite.time + 3_600, 200),
        (query, suite.time + 3_601, 401),
    ] {
        let (status, body) = send(&app(&suite, true, at), message.request()).await;
        assert_eq!(status, expected, "{at}");
        assert_eq!(body.contains("timestamp_out_of_window"), expected == 401, "{body}");
    }
}
