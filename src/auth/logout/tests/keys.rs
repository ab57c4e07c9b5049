//! Logout tokens whose key has to be fetched: an issuer has no reason to send again what was a 400.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::*;
use crate::auth::jwt::{FetchedKeys, Issuer, KeySource, KeySourceError};

/// Serves what has been published, as long as it is let.
#[derive(Debug)]
struct Published {
    set: Mutex<Value>,
    calls: AtomicU64,
    answers: Semaphore,
}

impl Published {
    fn now_has(&self, set: Value) {
        *self.set.lock().unwrap() = set;
    }
}

impl KeySource for Published {
    fn fetch(&self) -> BoxFuture<'_, Result<FetchedKeys, KeySourceError>> {
        let jwks = Bytes::from(self.set.lock().unwrap().to_string());
        self.calls.fetch_add(1, Relaxed);
        Box::pin(async move {
            self.answers.acquire().await.unwrap().forget();
            Ok(FetchedKeys { jwks, max_age: None })
        })
    }
}

/// The issuer's keys, of which no name is told.
fn nameless(issuer: &TestIssuer) -> Value {
    let mut set = issuer.jwks();
    for key in set["keys"].as_array_mut().unwrap() {
        key.as_object_mut().unwrap().remove("kid");
    }
    set
}

/// A service that has fetched `set` of its issuer.
async fn fetched(set: fn(&TestIssuer) -> Value) -> (Setting, Arc<Published>) {
    let clock = ManualClock::at(NOW);
    let issuer = TestIssuer::new("https://issuer.test").clock(clock.clone());
    let answers = Semaphore::new(1_000);
    let source = Arc::new(Published { set: Mutex::new(set(&issuer)), calls: AtomicU64::new(0), answers });
    let builder = Issuer::new("https://issuer.test").audience("https://api.test").key_source(source.clone());
    let verifier = builder.clock(clock.clone()).build().unwrap();
    verifier.warm_up().await.unwrap();
    (Setting::of(issuer, clock, verifier, MemoryStore::new()), source)
}

#[tokio::test]
async fn a_logout_whose_key_nobody_looked_for_may_come_again() {
    let (setting, source) = fetched(TestIssuer::jwks).await;
    let token = setting.issuer.token("usr_1").claim("sid", "s1").sign();
    for invented in ["x1", "x2"] {
        assert_eq!(setting.logout(setting.word().kid(invented)).await, StatusCode::BAD_REQUEST, "it was looked for");
    }
    setting.issuer.rotate();
    source.now_has(setting.issuer.jwks());
    let word = setting.word();
    // Those who invent keys have spent the budget: nobody knows whose this key is.
    assert_eq!(setting.logout(word.clone()).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(setting.visit(&setting.issuer.token("usr_2").sign()).await, StatusCode::UNAUTHORIZED, "as ever");
    assert_eq!((source.calls.load(Relaxed), setting.verifier.key_set_health().fetches_denied), (3, 2));
    setting.clock.advance(Duration::from_secs(30));
    assert_eq!(setting.logout(word).await, StatusCode::OK);
    assert_eq!(setting.visit(&token).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_logout_whose_key_was_looked_for_too_early_may_come_again() {
    let (setting, source) = fetched(TestIssuer::jwks).await;
    setting.issuer.rotate();
    let word = setting.word();
    assert_eq!(setting.logout(word.clone()).await, StatusCode::BAD_REQUEST, "it is not published");
    source.now_has(setting.issuer.jwks());
    assert_eq!(setting.logout(word.clone()).await, StatusCode::SERVICE_UNAVAILABLE, "it may be by now");
    assert_eq!(setting.verifier.key_set_health().known_unknown, 1);
    setting.clock.advance(Duration::from_secs(60));
    assert_eq!(setting.logout(word).await, StatusCode::OK);
}

/// Of a hundred, 64 wait for the fetch; it ends too late for them, and the others were never in it.
#[tokio::test]
async fn a_logout_that_is_one_too_many_may_come_again() {
    let (setting, source) = fetched(TestIssuer::jwks).await;
    source.answers.forget_permits(1_000);
    let mut posts = tokio::task::JoinSet::new();
    for number in 0..100 {
        let body = format!("logout_token={}", setting.word().kid(&format!("x{number}")).sign());
        let request = Request::post("/logout").header("content-type", "application/x-www-form-urlencoded");
        posts.spawn(setting.app.clone().oneshot(request.body(Body::from(body)).unwrap()));
    }
    while let Some(response) = posts.join_next().await {
        assert_eq!(response.unwrap().unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(setting.verifier.key_set_health().turned_away, 36);
}

/// The set that a fetch under way will bring may be older than the token.
#[tokio::test]
async fn a_logout_that_joins_an_older_fetch_may_come_again() {
    let (setting, source) = fetched(TestIssuer::jwks).await;
    source.answers.forget_permits(1_000);
    let early = setting.logout(setting.word().kid("x1"));
    let late = async {
        while source.calls.load(Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        setting.clock.advance(Duration::from_secs(1));
        setting.issuer.rotate();
        source.now_has(setting.issuer.jwks());
        let release = async {
            tokio::task::yield_now().await;
            source.answers.add_permits(1_000);
        };
        tokio::join!(setting.logout(setting.word()), release).0
    };
    let statuses = tokio::join!(early, late);
    assert_eq!(statuses, (StatusCode::BAD_REQUEST, StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(source.calls.load(Relaxed), 2);
}

#[tokio::test]
async fn a_logout_without_kid_follows_a_rotation_within_the_budget() {
    let (setting, source) = fetched(nameless).await;
    let word = |sid: &str| setting.word().without_header("kid").claim("sid", sid);
    assert_eq!(setting.logout(word("s0")).await, StatusCode::OK);
    setting.issuer.rotate();
    setting.issuer.retire_old_keys();
    source.now_has(nameless(&setting.issuer));
    let token = setting.issuer.token("usr_1").without_header("kid").claim("sid", "s1").sign();
    assert_eq!(setting.logout(word("s1")).await, StatusCode::OK);
    assert_eq!(setting.visit(&token).await, StatusCode::UNAUTHORIZED);
    assert_eq!(source.calls.load(Relaxed), 2);
    // A fetch shows that this one is nobody's; then the budget is spent, and nobody knows.
    assert_eq!(setting.logout(word("s2").tampered()).await, StatusCode::BAD_REQUEST);
    assert_eq!(setting.logout(word("s2").tampered()).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(source.calls.load(Relaxed), 3);
}

#[tokio::test]
async fn a_logout_with_a_known_kid_and_a_bad_signature_causes_no_fetch() {
    let (setting, source) = fetched(TestIssuer::jwks).await;
    assert_eq!(setting.logout(setting.word().tampered()).await, StatusCode::BAD_REQUEST);
    assert_eq!(source.calls.load(Relaxed), 1);
}
