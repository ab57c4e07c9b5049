//! A signature beside another credential.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http_body::Frame;

use super::*;
use crate::{
    auth::{
        api_key::{ApiKey, ApiKeyFormat, ApiKeyRecord, ApiKeyRecordBuilder},
        signed::{HttpSignatures, HttpSignaturesBuilder},
    },
    testing::MessageSigner,
};

struct Service {
    app: Router,
    api_key: String,
}

fn service(subject: &str) -> Service {
    service_of(SigningKey::secret(KEY_ID, subject, Secret::new(SECRET)), ApiKeyRecord::builder("usr_1"))
}

fn service_of(key: SigningKeyBuilder, record: ApiKeyRecordBuilder) -> Service {
    service_with(key, record, |signatures| signatures)
}

fn service_with(
    key: SigningKeyBuilder,
    record: ApiKeyRecordBuilder,
    settings: impl FnOnce(HttpSignaturesBuilder) -> HttpSignaturesBuilder,
) -> Service {
    let keys = store([key]);
    let format = ApiKeyFormat::new("acme", "live").unwrap();
    let issued = ApiKey::issue(&format, &crate::auth::api_key::KeyHasher::ephemeral(), record).unwrap();
    keys.insert_api_key(issued.record).unwrap();
    let signatures = settings(HttpSignatures::builder(keys.clone())).build().unwrap();
    let auth = AuthLayer::builder().api_keys(keys).optional().require_signature(signatures);
    Service { app: app(auth, NOW), api_key: String::from_utf8(issued.secret.expose().to_vec()).unwrap() }
}

impl Service {
    fn request(&self, header: &'static str) -> Request<&'static str> {
        let value = if header == "authorization" { format!("Bearer {}", self.api_key) } else { self.api_key.clone() };
        Request::post("/").header("host", "a").header(header, value).body("{}").unwrap()
    }
}

fn signer() -> MessageSigner {
    MessageSigner::hmac(KEY_ID, SECRET).at(NOW)
}

#[tokio::test]
async fn the_credential_must_be_signed_along_rfc9421_3_2_1() {
    let service = service("usr_1");
    for header in ["x-api-key", "authorization"] {
        let answer = send(&service.app, signer().sign(service.request(header))).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, "{}"), "{}", answer.body);
        assert_eq!(answer.headers["x-caller"], "usr_1");

        let unsigned = service.request(header).map(Body::from);
        assert!(send(&service.app, unsigned).await.is(401, "invalid_signature"));

        let elsewhere = signer().components(["\"@method\"", "\"@target-uri\"", "\"content-digest\""]);
        let answer = send(&service.app, elsewhere.sign(service.request(header))).await;
        assert!(answer.is(401, "invalid_signature"), "{}", answer.body);

        let mut changed = signer().sign(service.request(header));
        *changed.body_mut() = Body::from("{ }");
        assert!(send(&service.app, changed).await.is(401, "invalid_signature"));
    }
    // Nobody in particular has nothing to prove.
    let request = Request::get("/").header("host", "a").body(Body::empty()).unwrap();
    assert_eq!(send(&service.app, request).await.headers["x-caller"], "nobody");
}

#[tokio::test]
async fn the_signature_of_somebody_else_proves_nothing() {
    let service = service("usr_2");
    let request = signer().sign(service.request("x-api-key"));
    assert!(send(&service.app, request).await.is(401, "invalid_signature"));
}

#[tokio::test]
async fn a_signature_does_not_make_up_for_a_bad_credential() {
    let service = service("usr_1");
    let request = Request::post("/").header("host", "a").header("x-api-key", "acme_live_nothing").body("{}").unwrap();
    assert!(send(&service.app, signer().sign(request)).await.is(401, "invalid_api_key"));
}

/// Two tenants may have users of one name.
#[tokio::test]
async fn the_key_of_a_namesake_in_another_tenant_proves_nothing() {
    let key = || SigningKey::secret(KEY_ID, "usr_1", Secret::new(SECRET));
    let record = || ApiKeyRecord::builder("usr_1");
    for (key, record, status) in [
        (key().tenant("acme"), record().tenant("acme"), 200),
        (key().tenant("evil"), record().tenant("acme"), 401),
        (key().tenant("evil"), record(), 401),
        // A key that belongs to no tenant in particular says nothing about it.
        (key(), record().tenant("acme"), 200),
    ] {
        let service = service_of(key, record);
        let answer = send(&service.app, signer().sign(service.request("x-api-key"))).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
}

/// A body that does not come.
#[derive(Debug)]
struct Held;

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

fn held(mut request: Request<Body>) -> Request<Body> {
    *request.body_mut() = Body::new(Held);
    request
}

async fn within(millis: u64, app: &Router, request: Request<Body>) -> Option<Answer> {
    tokio::time::timeout(Duration::from_millis(millis), send(app, request)).await.ok()
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_the_body_of_a_signature_that_is_none() {
    let service = service("usr_1");
    let request = || service.request("x-api-key");
    let elsewhere = signer().components(["\"@method\"", "\"@target-uri\"", "\"content-digest\""]);
    for (request, status, code) in [
        (request().map(Body::from), 401, "invalid_signature"),
        (elsewhere.sign(request()), 401, "invalid_signature"),
        (signer().at(NOW.saturating_sub(Duration::from_secs(301))).sign(request()), 401, "timestamp_out_of_window"),
    ] {
        let answer = within(1, &service.app, held(request)).await.expect("an answer at once");
        assert!(answer.is(status, code), "{}", answer.body);
        assert_eq!(answer.headers.contains_key("accept-signature"), code == "invalid_signature");
    }
}

#[tokio::test(start_paused = true)]
async fn the_body_of_a_proof_may_take_as_long_as_its_verifier_says() {
    for seconds in [2, 20] {
        let key = SigningKey::secret(KEY_ID, "usr_1", Secret::new(SECRET));
        let slow = |signatures: HttpSignaturesBuilder| signatures.body_timeout(Duration::from_secs(seconds));
        let service = service_with(key, ApiKeyRecord::builder("usr_1"), slow);
        let request = || held(signer().sign(service.request("x-api-key")));
        assert!(within(seconds * 1_000 - 1, &service.app, request()).await.is_none());
        let answer = within(seconds * 1_000 + 1, &service.app, request()).await;
        assert!(answer.is_some_and(|answer| answer.is(408, "request_timeout")), "{seconds}");
    }
}
