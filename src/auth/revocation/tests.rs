//! Through the layer.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use axum::{Router, body::Body, response::Response, routing::get};
use http::{Request, StatusCode};
use tower::ServiceExt as _;

use super::*;
use crate::{
    auth::{AuthLayer, AuthLayerBuilder, Authenticator, Head, Presence, Presented, Verified},
    backend::memory::MemoryStore,
    gate::RequestContextLayer,
    rejection::Rejection,
    store::{BoxFuture, StoreError},
    time::{ManualClock, Timestamp},
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const LATER: Timestamp = Timestamp::from_secs(1_800_000_900);

/// Takes everybody for `usr_1`, by the credential `c1` of an issuer.
#[derive(Debug)]
struct Anybody;

impl Authenticator for Anybody {
    fn name(&self) -> &'static str {
        "anybody"
    }

    fn presence(&self, _: Head<'_>) -> Presence {
        Presence::Present
    }

    fn authenticate<'a>(&'a self, _: Presented<'a>) -> BoxFuture<'a, Result<Verified, Rejection>> {
        Box::pin(async { Ok(Verified::new("usr_1", "anybody").issuer("https://issuer.test").credential_id("c1")) })
    }
}

fn app(auth: AuthLayerBuilder) -> Router {
    let context = RequestContextLayer::new().clock(ManualClock::at(NOW));
    let auth = auth.authenticator(Anybody).build().unwrap();
    Router::new().route("/", get(|| async {})).layer(tower::ServiceBuilder::new().layer(context).layer(auth))
}

async fn ask(app: &Router) -> Response {
    app.clone().oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap()
}

/// Answers what it is told, and only if it is waited for.
#[derive(Debug)]
struct Elsewhere {
    answer: Mutex<Result<bool, StoreError>>,
    asked: AtomicU64,
}

impl Elsewhere {
    fn saying(answer: Result<bool, StoreError>) -> Arc<Self> {
        Arc::new(Self { answer: Mutex::new(answer), asked: AtomicU64::new(0) })
    }

    fn now_says(&self, answer: Result<bool, StoreError>) {
        *self.answer.lock().unwrap() = answer;
    }
}

impl RevocationStore for Elsewhere {
    fn is_revoked<'a>(&'a self, _: RevocationQuery<'a>, now: Timestamp) -> BoxFuture<'a, Result<bool, StoreError>> {
        assert_eq!(now, NOW, "the wall clock of the request");
        self.asked.fetch_add(1, Relaxed);
        let answer = self.answer.lock().unwrap().clone();
        Box::pin(async {
            tokio::task::yield_now().await;
            answer
        })
    }

    fn revoke(&self, _: Revocation, _: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn what_is_revoked_is_refused_with_the_next_request_rfc6750_3_1() {
    let revocations = [
        Revocation::credential(crate::identity::AuthMethod::Custom("anybody"), "c1", LATER),
        // This credential does not say when it was issued: whatever the moment, it was before.
        Revocation::subject("https://issuer.test", "usr_1", Timestamp::from_secs(1), LATER),
    ];
    for revocation in revocations {
        let store = MemoryStore::new();
        let app = app(AuthLayer::builder().revocations(store.clone()));
        assert_eq!(ask(&app).await.status(), StatusCode::OK);
        store.revoke(Revocation::subject("https://other.test", "usr_1", LATER, LATER), NOW).await.unwrap();
        store.revoke(Revocation::api_key("c1", LATER), NOW).await.unwrap();
        assert_eq!(ask(&app).await.status(), StatusCode::OK, "somebody else's");
        store.revoke(revocation, NOW).await.unwrap();
        let refused = ask(&app).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        // The scheme is the application's own: no line of another one speaks for it.
        assert_eq!(refused.headers()["www-authenticate"], "Bearer realm=\"api\"");
        let rejection = refused.extensions().get::<Rejection>().unwrap();
        assert_eq!(rejection.kind().code(), "invalid_token", "the client does not learn that it was one once");
        assert_eq!(rejection.source().unwrap().to_string(), "the credential is revoked");
    }
}

#[tokio::test]
async fn a_store_elsewhere_is_asked_for_each_request() {
    let store = Elsewhere::saying(Ok(false));
    let app = app(AuthLayer::builder().revocations(store.clone()));
    assert_eq!(ask(&app).await.status(), StatusCode::OK);
    store.now_says(Ok(true));
    assert_eq!(ask(&app).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(store.asked.load(Relaxed), 2);
}

#[tokio::test]
async fn an_outage_is_no_permission_and_no_denial() {
    let store = Elsewhere::saying(Err(StoreError::TimedOut));
    let closed = app(AuthLayer::builder().revocations(store.clone()));
    let refused = ask(&closed).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    let builder = AuthLayer::builder().revocations(store.clone());
    let open = app(builder.dangerously_accept_while_revocations_are_unknown());
    assert_eq!(ask(&open).await.status(), StatusCode::OK);
    store.now_says(Ok(true));
    assert_eq!(ask(&open).await.status(), StatusCode::UNAUTHORIZED, "what is known counts");
}

/// Never answers.
#[derive(Debug)]
struct Stuck;

impl RevocationStore for Stuck {
    fn is_revoked<'a>(&'a self, _: RevocationQuery<'a>, _: Timestamp) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(std::future::pending())
    }

    fn revoke(&self, _: Revocation, _: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_given_up() {
    let app = app(AuthLayer::builder().revocations(Stuck));
    assert_eq!(ask(&app).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn mistakes_are_found_when_the_layer_is_built() {
    let two = AuthLayer::builder().authenticator(Anybody).revocations(Stuck).revocations(Stuck).build();
    assert_eq!(two.unwrap_err().issues()[0].field, "revocations");
    let none = AuthLayer::builder().authenticator(Anybody).dangerously_accept_while_revocations_are_unknown().build();
    assert_eq!(none.unwrap_err().issues()[0].field, "revocations");
}

/// What a token was verified for is remembered; what is revoked is not forgotten over it.
#[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
#[tokio::test]
async fn a_token_that_is_remembered_is_refused_once_revoked() {
    let issuer = crate::testing::TestIssuer::new("https://issuer.test").clock(ManualClock::at(NOW));
    let revocations = [
        Revocation::token("https://issuer.test", "jti-1", LATER),
        Revocation::session("https://issuer.test", "sid-1", LATER),
        Revocation::subject(
            "https://issuer.test",
            "usr_1",
            NOW.saturating_add(std::time::Duration::from_secs(1)),
            LATER,
        ),
    ];
    for revocation in revocations {
        let (store, verifier) = (MemoryStore::new(), issuer.verifier());
        let auth = AuthLayer::builder().jwt(verifier.clone()).revocations(store.clone()).build().unwrap();
        let context = RequestContextLayer::new().clock(ManualClock::at(NOW));
        let layers = tower::ServiceBuilder::new().layer(context).layer(auth);
        let app = Router::new().route("/", get(|| async {})).layer(layers);
        let ask = async |token: &str| {
            let request = Request::get("/").header("authorization", format!("Bearer {token}"));
            app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status()
        };
        let token = |jti: &str, sid: &str, sub: &str| issuer.token(sub).claim("jti", jti).claim("sid", sid).sign();
        let (mine, other) = (token("jti-1", "sid-1", "usr_1"), token("jti-2", "sid-2", "usr_2"));
        for token in [&mine, &other] {
            assert_eq!(ask(token).await, StatusCode::OK);
        }
        assert_eq!(verifier.cached_tokens(), 2);
        store.revoke(revocation, NOW).await.unwrap();
        assert_eq!(ask(&mine).await, StatusCode::UNAUTHORIZED);
        assert_eq!(ask(&other).await, StatusCode::OK);
    }
}
