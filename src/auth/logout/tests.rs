//! Through the route, beside the layer.
#![cfg(any(feature = "aws-lc", feature = "rust-crypto"))]

mod keys;

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body, response::Response, routing::get};
use http::{Request, StatusCode};
use serde_json::json;
use tower::{ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    auth::{
        AuthLayer,
        jwt::JwtVerifier,
        revocation::{Revocation, RevocationQuery, RevocationStore},
    },
    backend::memory::MemoryStore,
    gate::RequestContextLayer,
    rejection::Rejection,
    store::{BoxFuture, StoreError},
    testing::{TestIssuer, TestToken},
    time::{ManualClock, Timestamp},
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

struct Setting {
    issuer: TestIssuer,
    clock: ManualClock,
    verifier: JwtVerifier,
    app: Router,
}

impl Setting {
    fn new() -> Self {
        Self::with(MemoryStore::new())
    }

    fn with(store: impl RevocationStore) -> Self {
        let clock = ManualClock::at(NOW);
        let issuer = TestIssuer::new("https://issuer.test").clock(clock.clone());
        let verifier = issuer.verifier();
        Self::of(issuer, clock, verifier, store)
    }

    fn of(issuer: TestIssuer, clock: ManualClock, verifier: JwtVerifier, store: impl RevocationStore) -> Self {
        let store = Arc::new(store);
        let auth = AuthLayer::builder().jwt(verifier.clone()).revocations(Arc::clone(&store)).build().unwrap();
        let logout = BackChannelLogout::builder(verifier.clone(), "orders-app", store).clock(clock.clone());
        let context = RequestContextLayer::new().clock(clock.clone());
        let app = Router::new()
            .route("/", get(|| async {}))
            .layer(ServiceBuilder::new().layer(context).layer(auth))
            .route("/logout", logout.build().unwrap().route());
        Self { issuer, clock, verifier, app }
    }

    async fn visit(&self, token: &str) -> StatusCode {
        let request = Request::get("/").header("authorization", format!("Bearer {token}"));
        self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status()
    }

    /// A good logout token, to be changed.
    fn word(&self) -> TestToken {
        let word = self.issuer.token("usr_1").typ("logout+jwt").audience("orders-app");
        word.claim("events", json!({ EVENT: {} })).claim("sid", "s1")
    }

    async fn post(&self, body: String) -> Response {
        let request = Request::post("/logout").header("content-type", "application/x-www-form-urlencoded");
        self.app.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()
    }

    async fn logout(&self, word: TestToken) -> StatusCode {
        let response = self.post(format!("logout_token={}", word.sign())).await;
        assert_eq!(response.headers()["cache-control"], "no-store");
        response.status()
    }
}

#[tokio::test]
async fn a_cached_token_is_refused_at_once_after_its_session_has_ended() {
    let setting = Setting::new();
    let [mine, other] = ["s1", "s2"].map(|sid| setting.issuer.token("usr_1").claim("sid", sid).sign());
    for token in [&mine, &mine, &other] {
        assert_eq!(setting.visit(token).await, StatusCode::OK);
    }
    assert_eq!(setting.verifier.cached_tokens(), 2);
    assert_eq!(setting.logout(setting.word()).await, StatusCode::OK);
    assert_eq!(setting.visit(&mine).await, StatusCode::UNAUTHORIZED);
    assert_eq!(setting.visit(&other).await, StatusCode::OK, "another session of the same subject");
    assert_eq!(setting.visit(&setting.issuer.token("usr_2").claim("sid", "s3").sign()).await, StatusCode::OK);
}

#[tokio::test]
async fn tokens_that_name_no_session_end_with_any_of_their_subject() {
    let setting = Setting::new();
    let [old, others] = ["usr_1", "usr_2"].map(|subject| setting.issuer.token(subject).sign());
    assert_eq!(setting.visit(&old).await, StatusCode::OK);
    assert_eq!(setting.logout(setting.word()).await, StatusCode::OK);
    assert_eq!(setting.visit(&old).await, StatusCode::UNAUTHORIZED);
    assert_eq!(setting.visit(&others).await, StatusCode::OK);
    // Whoever logs in again is in again.
    setting.clock.advance(Duration::from_secs(1));
    assert_eq!(setting.visit(&setting.issuer.token("usr_1").sign()).await, StatusCode::OK);
}

#[tokio::test]
async fn a_logout_of_a_subject_ends_all_of_its_sessions() {
    let setting = Setting::new();
    let tokens = ["s1", "s2"].map(|sid| setting.issuer.token("usr_1").claim("sid", sid).sign());
    assert_eq!(setting.logout(setting.word().without("sid")).await, StatusCode::OK);
    for token in &tokens {
        assert_eq!(setting.visit(token).await, StatusCode::UNAUTHORIZED);
    }
    setting.clock.advance(Duration::from_secs(1));
    assert_eq!(setting.visit(&setting.issuer.token("usr_1").claim("sid", "s3").sign()).await, StatusCode::OK);
}

#[tokio::test]
async fn what_is_no_logout_token_logs_nobody_out_oidc_back_channel_2_6() {
    let setting = Setting::new();
    let other = TestIssuer::new("https://issuer.test").clock(setting.clock.clone());
    let access = setting.issuer.token("usr_1").claim("sid", "s1");
    let words = [
        ("an access token", access.clone().audience("orders-app")),
        ("an ID token", setting.word().typ("JWT").claim("nonce", "n")),
        ("typ of an access token", setting.word().typ("at+jwt")),
        ("typ of another event", setting.word().typ("secevent+jwt")),
        ("no signature", setting.word().unsigned()),
        ("the public key as secret", setting.word().hs256_with_the_public_key()),
        ("somebody else's signature", setting.word().signed_by(&other)),
        ("changed after signing", setting.word().tampered()),
        ("another issuer", setting.word().claim("iss", "https://other.test")),
        ("another client", setting.word().audience("other-app")),
        ("the API's audience", setting.word().audience("https://api.test")),
        ("expired", setting.word().expired()),
        ("no exp", setting.word().without("exp")),
        ("no jti", setting.word().without("jti")),
        ("no events", setting.word().without("events")),
        ("crit", setting.word().header("crit", json!(["x"]))),
    ];
    let token = access.sign();
    for (name, word) in words {
        assert_eq!(setting.logout(word).await, StatusCode::BAD_REQUEST, "{name}");
        assert_eq!(setting.visit(&token).await, StatusCode::OK, "{name}");
    }
    for typ in ["JWT", "application/logout+jwt"] {
        assert_eq!(setting.logout(setting.word().typ(typ)).await, StatusCode::OK);
    }
    assert_eq!(setting.logout(setting.word().without_header("typ")).await, StatusCode::OK);
}

#[tokio::test]
async fn a_logout_token_is_no_access_token_rfc8725_3_12() {
    let setting = Setting::new();
    for typ in ["logout+jwt", "JWT"] {
        let word = setting.word().typ(typ).audience("https://api.test").sign();
        assert_eq!(setting.visit(&word).await, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_logout_token_counts_once_oidc_back_channel_2_6() {
    let setting = Setting::new();
    let word = setting.word();
    assert_eq!(setting.logout(word.clone()).await, StatusCode::OK);
    let again = setting.post(format!("logout_token={}", word.sign())).await;
    assert_eq!(again.status(), StatusCode::BAD_REQUEST);
    let source = again.extensions().get::<Rejection>().unwrap().source().unwrap().to_string();
    assert_eq!(source, "it has been obeyed already");
}

#[tokio::test]
async fn bodies_that_are_no_form_are_refused_oidc_back_channel_2_5() {
    let setting = Setting::new();
    let word = setting.word().sign();
    for body in [String::new(), format!("token={word}"), format!("logout_token={word}&logout_token={word}")] {
        assert_eq!(setting.post(body).await.status(), StatusCode::BAD_REQUEST);
    }
    let long = format!("logout_token={word}&x={}", "x".repeat(20_000));
    assert_eq!(setting.post(long).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let json = Request::post("/logout").header("content-type", "application/json");
    let json = json.body(Body::from(format!("logout_token={word}"))).unwrap();
    assert_eq!(setting.app.clone().oneshot(json).await.unwrap().status(), StatusCode::BAD_REQUEST);
    // In the query it would stand in logs; there it is not read.
    let request = Request::post(format!("/logout?logout_token={word}"));
    let query = request.header("content-type", "application/x-www-form-urlencoded").body(Body::empty()).unwrap();
    assert_eq!(setting.app.clone().oneshot(query).await.unwrap().status(), StatusCode::BAD_REQUEST);
}

/// Takes no revocation.
#[derive(Debug)]
struct Full;

impl RevocationStore for Full {
    fn is_revoked<'a>(&'a self, _: RevocationQuery<'a>, _: Timestamp) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async { Ok(false) })
    }

    fn revoke(&self, _: Revocation, _: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Err(StoreError::Full) })
    }
}

#[tokio::test]
async fn a_logout_that_is_not_kept_is_not_confirmed_oidc_back_channel_2_8() {
    let setting = Setting::with(Full);
    assert_eq!(setting.logout(setting.word()).await, StatusCode::SERVICE_UNAVAILABLE);
    // And may come again.
    assert_eq!(setting.logout(setting.word()).await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn mistakes_are_found_when_it_is_built() {
    let verifier = TestIssuer::new("https://issuer.test").verifier();
    let error = BackChannelLogout::builder(verifier, "", MemoryStore::new()).remember_for(Duration::ZERO).build();
    let fields: Vec<_> = error.unwrap_err().issues().iter().map(|issue| issue.field.to_string()).collect();
    assert_eq!(fields, ["client_id", "remember_for"]);
}
