#[cfg(feature = "jwks")]
mod over_http;
mod settings;
mod subjects;

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{Router, body::Body, response::Response, routing::get};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Introspection, IntrospectionError, Introspector};
use crate::{
    auth::AuthLayer,
    gate::RequestContextLayer,
    identity::Principal,
    rejection::{Rejection, RejectionKind},
    store::BoxFuture,
    time::{ManualClock, Timestamp},
};

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://id.test";

type Answer = Result<Bytes, IntrospectionError>;

/// Says about every token what it was told to say, and counts the questions.
#[derive(Clone, Debug)]
struct Server {
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicU64>,
    slow: bool,
}

impl Introspector for Server {
    fn introspect<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            self.asked.fetch_add(1, Relaxed);
            if self.slow {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            self.answer.lock().unwrap().clone()
        })
    }
}

struct Scene {
    server: Server,
    clock: ManualClock,
    app: Router,
}

fn good() -> Value {
    json!({
        "active": true, "iss": ISSUER, "sub": "usr_1", "aud": "orders", "scope": "read:orders", "client_id": "web",
        "exp": NOW + 600, "iat": NOW - 10, "nbf": NOW - 10, "jti": "t1", "token_type": "Bearer", "username": "jane",
    })
}

impl Scene {
    fn new(answer: &Value) -> Self {
        Self::with(Ok(answer.to_string().into()), |settings| settings)
    }

    fn with(answer: Answer, settings: impl FnOnce(Introspection) -> Introspection) -> Self {
        Self::of(answer, false, settings)
    }

    fn of(answer: Answer, slow: bool, settings: impl FnOnce(Introspection) -> Introspection) -> Self {
        let server = Server { answer: Arc::new(Mutex::new(answer)), asked: Arc::default(), slow };
        let clock = ManualClock::at(Timestamp::from_secs(NOW));
        let tokens = settings(Introspection::with(ISSUER, server.clone()).audience("orders").clock(clock.clone()));
        let auth = AuthLayer::builder().opaque_tokens(tokens.build().unwrap()).build().unwrap();
        let context = RequestContextLayer::new().clock(clock.clone());
        let whoami = |caller: Principal| async move {
            let scopes: Vec<&str> = caller.scopes().exact().collect();
            let client = caller.client().unwrap_or("-");
            format!("{} {} {client} {}", caller.subject(), caller.method().as_str(), scopes.join(","))
        };
        let app = Router::new().route("/", get(whoami)).layer(tower::ServiceBuilder::new().layer(context).layer(auth));
        Self { server, clock, app }
    }

    fn says(&self, answer: &Value) {
        *self.server.answer.lock().unwrap() = Ok(answer.to_string().into());
    }

    fn fails(&self, error: IntrospectionError) {
        *self.server.answer.lock().unwrap() = Err(error);
    }

    fn asked(&self) -> u64 {
        self.server.asked.load(Relaxed)
    }

    async fn send(&self, token: &str) -> Response {
        let request = Request::get("/").header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
        self.app.clone().oneshot(request).await.unwrap()
    }

    async fn status(&self, token: &str) -> u16 {
        self.send(token).await.status().as_u16()
    }

    /// The kind, and the words of the log.
    async fn refused(&self, token: &str) -> (RejectionKind, String) {
        let response = self.send(token).await;
        let rejection = response.extensions().get::<Rejection>().expect("a rejection");
        (rejection.kind(), rejection.source().map(ToString::to_string).unwrap_or_default())
    }
}

async fn kind_of(answer: Value) -> RejectionKind {
    Scene::new(&answer).refused("t").await.0
}

fn with(name: &str, value: Value) -> Value {
    let mut answer = good();
    answer[name] = value;
    answer
}

fn without(name: &str) -> Value {
    let mut answer = good();
    answer.as_object_mut().unwrap().remove(name);
    answer
}

#[tokio::test]
async fn an_active_token_lets_its_caller_in_rfc7662_2_2() {
    let scene = Scene::new(&good());
    let body = axum::body::to_bytes(scene.send("opaque").await.into_body(), 1_000).await.unwrap();
    assert_eq!(body, "usr_1 opaque_token web read:orders");
}

#[tokio::test]
async fn active_is_the_boolean_true_rfc7662_2_2() {
    assert_eq!(kind_of(with("active", json!(false))).await, RejectionKind::InvalidToken);
    assert_eq!(kind_of(json!({ "active": false })).await, RejectionKind::InvalidToken);
    // What is no boolean is no answer, and so no verdict on the token.
    for wrong in [json!("true"), json!(1), json!(null), json!([true]), json!({})] {
        assert_eq!(kind_of(with("active", wrong)).await, RejectionKind::BackendUnavailable);
    }
    assert_eq!(kind_of(without("active")).await, RejectionKind::BackendUnavailable);
}

#[tokio::test]
async fn the_claims_are_ours_to_check_rfc7662_4() {
    for (name, value, kind) in [
        ("iss", json!("https://evil.test"), RejectionKind::InvalidToken),
        ("iss", json!([ISSUER]), RejectionKind::InvalidToken),
        ("aud", json!("billing"), RejectionKind::InvalidToken),
        ("aud", json!(["billing", 7]), RejectionKind::InvalidToken),
        ("exp", json!(NOW - 30), RejectionKind::TokenExpired),
        ("exp", json!("soon"), RejectionKind::InvalidToken),
        ("nbf", json!(NOW + 31), RejectionKind::TokenNotYetValid),
        ("iat", json!(NOW + 31), RejectionKind::TokenNotYetValid),
        ("scope", json!(7), RejectionKind::InvalidToken),
        ("sub", json!(7), RejectionKind::InvalidToken),
        ("token_type", json!("refresh_token"), RejectionKind::InvalidToken),
        ("token_type", json!("mac"), RejectionKind::InvalidToken),
        ("token_type", json!(7), RejectionKind::InvalidToken),
        ("token_type", json!("DPoP"), RejectionKind::InvalidToken),
        ("at_hash", json!("x"), RejectionKind::InvalidToken),
        ("cnf", json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }), RejectionKind::InvalidToken),
        ("cnf", json!({ "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" }), RejectionKind::InvalidToken),
        ("cnf", json!({ "kid": "1" }), RejectionKind::InvalidToken),
    ] {
        assert_eq!(kind_of(with(name, value.clone())).await, kind, "{name} {value}");
    }
    assert_eq!(Scene::new(&with("aud", json!(["billing", "orders"]))).status("t").await, 200);
}

#[tokio::test]
async fn what_may_be_left_out_may_be_left_out_rfc7662_2_2() {
    for name in ["iss", "scope", "client_id", "username", "token_type", "exp", "iat", "nbf", "jti"] {
        assert_eq!(Scene::new(&without(name)).status("t").await, 200, "{name}");
        assert_eq!(Scene::new(&with(name, json!(null))).status("t").await, 200, "{name}");
    }
    // But somebody it must be for, and somebody's.
    let (kind, why) = Scene::new(&without("aud")).refused("t").await;
    assert_eq!(kind, RejectionKind::InvalidToken);
    assert!(why.contains("aud"), "{why}");
    let nobody = json!({ "active": true, "aud": "orders" });
    assert_eq!(kind_of(nobody).await, RejectionKind::InvalidToken);
    let careless =
        |answer: Value| Scene::with(Ok(answer.to_string().into()), Introspection::dangerously_accept_missing_audience);
    assert_eq!(careless(without("aud")).status("t").await, 200);
    assert_eq!(careless(with("aud", json!("billing"))).status("t").await, 401);
}

#[tokio::test]
async fn what_is_no_answer_is_503_and_never_401_rfc7662_2_3() {
    let large = format!("{{\"active\":true,\"x\":\"{}\"}}", "x".repeat(64 * 1024));
    for body in ["", "null", "[]", "{\"active\":true,\"active\":true}", "{\"active\":true} x", "<html>", &large] {
        let scene = Scene::with(Ok(body.to_owned().into()), |settings| settings);
        let response = scene.send("t").await;
        assert_eq!(response.status(), 503, "{body:.40}");
        assert_eq!(response.headers()["retry-after"], "1");
        assert!(!response.headers().contains_key("www-authenticate"));
    }
    for error in [IntrospectionError::TimedOut, IntrospectionError::Status(401), IntrospectionError::Status(500)] {
        assert_eq!(Scene::with(Err(error), |settings| settings).status("t").await, 503);
    }
}

/// A revoked token that is used all the time must not live for ever.
#[tokio::test]
async fn being_used_does_not_prolong_an_answer() {
    let scene = Scene::new(&good());
    assert_eq!(scene.status("t").await, 200);
    scene.says(&json!({ "active": false }));
    for _ in 0..59 {
        scene.clock.advance(Duration::from_secs(1));
        assert_eq!(scene.status("t").await, 200);
    }
    assert_eq!(scene.asked(), 1);
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!((scene.status("t").await, scene.asked()), (401, 2));
}

#[tokio::test]
async fn an_answer_never_outlives_the_token_rfc7662_4() {
    let scene = Scene::with(Ok(with("exp", json!(NOW + 10)).to_string().into()), |s| s.leeway(Duration::ZERO));
    assert_eq!(scene.status("t").await, 200);
    scene.clock.advance(Duration::from_secs(9));
    assert_eq!((scene.status("t").await, scene.asked()), (200, 1));
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!((scene.refused("t").await.0, scene.asked()), (RejectionKind::TokenExpired, 2));
}

#[tokio::test]
async fn refusals_are_held_for_thirty_seconds_and_one_token_is_not_another() {
    let scene = Scene::new(&json!({ "active": false }));
    assert_eq!((scene.status("t").await, scene.status("t").await, scene.asked()), (401, 401, 1));
    assert_eq!((scene.status("u").await, scene.asked()), (401, 2));
    scene.says(&good());
    scene.clock.advance(Duration::from_secs(29));
    assert_eq!((scene.status("t").await, scene.asked()), (401, 2));
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!((scene.status("t").await, scene.asked()), (200, 3));
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_prolong_an_answer() {
    let scene = Scene::with(Ok(good().to_string().into()), |settings| settings);
    assert_eq!(scene.status("t").await, 200);
    scene.clock.set_wall(Timestamp::from_secs(NOW - 3_600));
    scene.says(&json!({ "active": false }));
    assert_eq!((scene.status("t").await, scene.asked()), (401, 2));
}

#[tokio::test]
async fn who_invents_tokens_pushes_out_no_good_ones() {
    let scene = Scene::with(Ok(good().to_string().into()), |s| s.calls_per_second(NonZeroU32::MAX));
    assert_eq!(scene.status("good").await, 200);
    scene.says(&json!({ "active": false }));
    for number in 0..3_000 {
        assert_eq!(scene.status(&format!("invented-{number}")).await, 401);
    }
    let asked = scene.asked();
    assert_eq!((scene.status("good").await, scene.asked()), (200, asked));
}

#[tokio::test]
async fn questions_are_limited_and_known_tokens_are_not() {
    let scene = Scene::with(Ok(good().to_string().into()), |s| s.calls_per_second(NonZeroU32::new(2).unwrap()));
    assert_eq!((scene.status("a").await, scene.status("b").await), (200, 200));
    let (kind, why) = scene.refused("c").await;
    assert_eq!(kind, RejectionKind::BackendUnavailable);
    assert!(why.contains("more unknown tokens"), "{why}");
    assert_eq!((scene.status("a").await, scene.asked()), (200, 2));
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!((scene.status("c").await, scene.asked()), (200, 3));
}

#[tokio::test]
async fn a_server_that_failed_is_left_alone_for_a_second() {
    let scene = Scene::new(&good());
    assert_eq!(scene.status("known").await, 200);
    scene.fails(IntrospectionError::Status(500));
    for token in ["a", "a", "b", "c"] {
        assert_eq!(scene.status(token).await, 503);
    }
    assert_eq!((scene.status("known").await, scene.asked()), (200, 2));
    scene.says(&good());
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!((scene.status("a").await, scene.asked()), (200, 3));
}

/// A question that the server will not answer says nothing about the next one: else one odd token
/// each second would keep everybody out.
#[tokio::test]
async fn a_token_that_the_server_chokes_on_is_nobody_elses_trouble() {
    for status in [400, 413, 414, 422] {
        let scene = Scene::new(&good());
        scene.fails(IntrospectionError::Status(status));
        assert_eq!(scene.status("odd").await, 503);
        scene.says(&good());
        assert_eq!((scene.status("new").await, scene.asked()), (200, 2), "{status}");
    }
    let scene = Scene::new(&good());
    assert_eq!(scene.status("known").await, 200);
    scene.clock.advance(Duration::from_secs(60));
    scene.fails(IntrospectionError::Status(500));
    assert_eq!(scene.status("odd").await, 503);
    scene.says(&good());
    // The new ones wait for a second; whoever was let in a moment ago does not.
    assert_eq!((scene.status("new").await, scene.status("known").await, scene.asked()), (503, 200, 3));
}

#[tokio::test]
async fn who_invents_tokens_spends_nothing_of_those_that_held() {
    let scene = Scene::with(Ok(good().to_string().into()), |s| s.calls_per_second(NonZeroU32::new(2).unwrap()));
    assert_eq!((scene.status("a").await, scene.status("b").await), (200, 200));
    scene.clock.advance(Duration::from_secs(60));
    for token in ["x", "y"] {
        scene.says(&json!({ "active": false }));
        assert_eq!(scene.status(token).await, 401);
    }
    assert_eq!(scene.status("z").await, 503);
    scene.says(&good());
    assert_eq!((scene.status("a").await, scene.status("b").await), (200, 200));
    assert_eq!(scene.status("z").await, 503);
    // Theirs has an end, too; and who is refused once is new.
    scene.clock.advance(Duration::from_secs(60));
    scene.says(&json!({ "active": false }));
    assert_eq!((scene.status("a").await, scene.status("x").await, scene.status("y").await), (401, 401, 401));
    scene.clock.advance(Duration::from_millis(30_001));
    assert_eq!((scene.status("a").await, scene.status("x").await, scene.status("y").await), (401, 401, 503));
}

#[tokio::test]
async fn of_requests_with_one_token_one_asks_also_if_it_fails() {
    for (answer, status) in [
        (Ok(good().to_string().into()), 200),
        (Ok(json!({ "active": false }).to_string().into()), 401),
        (Err(IntrospectionError::TimedOut), 503),
    ] {
        let scene = Arc::new(Scene::of(answer, true, |settings| settings));
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let scene = Arc::clone(&scene);
                tokio::spawn(async move { scene.status("t").await })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), status);
        }
        assert_eq!(scene.asked(), 1, "{status}");
    }
}

/// A client that goes away while its request asks must not leave the others waiting.
#[tokio::test]
async fn who_gives_up_leaves_the_question_to_the_next() {
    let scene = Arc::new(Scene::of(Ok(good().to_string().into()), true, |settings| settings));
    let ask = || {
        let scene = Arc::clone(&scene);
        tokio::spawn(async move { scene.status("t").await })
    };
    let first = ask();
    tokio::task::yield_now().await;
    let second = ask();
    tokio::task::yield_now().await;
    first.abort();
    assert_eq!((second.await.unwrap(), scene.asked()), (200, 2));
}

#[tokio::test]
async fn without_a_cache_every_request_asks() {
    let scene = Scene::with(Ok(good().to_string().into()), Introspection::without_cache);
    assert_eq!((scene.status("t").await, scene.status("t").await, scene.asked()), (200, 200, 2));
    scene.says(&json!({ "active": false }));
    assert_eq!((scene.status("t").await, scene.asked()), (401, 3));
}

proptest::proptest! {
    #[test]
    fn no_response_makes_it_panic_or_let_in(body in ".{0,200}", claims in proptest::collection::btree_map("[a-z_]{1,6}", "[a-z0-9]{0,6}", 0..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            for text in [body, json!(claims).to_string()] {
                let status = Scene::with(Ok(text.into()), |settings| settings).status("t").await;
                proptest::prop_assert!(status == 503 || status == 401, "{status}");
            }
            Ok(())
        })?;
    }
}
