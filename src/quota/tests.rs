use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    response::Response,
    routing::{get, post},
};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::sync::Notify;
use tower::{Layer as _, ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    backend::memory::MemoryStore,
    gate::{Entry, Gate, GateLayer, RequestContextLayer},
    identity::{Principal, PrincipalParts},
    rejection::{Rejection, RejectionKind},
    request::{Place, QuotaStatus, RequestContext},
    store::{BoxFuture, StoreError},
    time::{ManualClock, Timestamp},
};

mod come_back;

/// Makes the caller from headers, as an authenticating layer would.
struct Caller;

impl<B> Gate<B> for Caller {
    const NAME: &'static str = "caller";
    const PLACE: Place = Place::Auth;
    type Pass = ();

    fn enter(self: &Arc<Self>, request: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, ()> {
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().into());
        if let Some(subject) = header("subject") {
            context.set_principal(Principal::new(PrincipalParts {
                subject,
                plan: header("plan"),
                tenant: header("tenant"),
                ..PrincipalParts::default()
            }));
        }
        Entry::Pass(())
    }
}

/// Refuses `/forbidden`, as a scope layer inside would.
struct Scope;

impl<B> Gate<B> for Scope {
    const NAME: &'static str = "scope";
    type Pass = ();

    fn enter(self: &Arc<Self>, request: &mut Request<B>, _: &Arc<RequestContext>) -> Entry<B, ()> {
        if request.uri().path() == "/forbidden" {
            return Entry::Reject(RejectionKind::InsufficientScope.into());
        }
        Entry::Pass(())
    }
}

/// The memory store as one that has to be waited for, and that can fail or hang.
#[derive(Clone, Debug, Default)]
struct Remote {
    memory: MemoryStore,
    failing: Arc<std::sync::atomic::AtomicBool>,
    /// Operations that ended.
    done: Arc<AtomicU64>,
    /// If it holds something, reservations wait for it.
    gate: Arc<std::sync::Mutex<Option<Arc<Notify>>>>,
}

impl Remote {
    async fn answer<T>(
        &self,
        act: impl FnOnce(&MemoryStore) -> Option<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let gate = self.gate.lock().unwrap().clone();
        if let Some(gate) = gate {
            gate.notified().await;
        }
        tokio::task::yield_now().await;
        if self.failing.load(SeqCst) {
            return Err(StoreError::TimedOut);
        }
        let result = act(&self.memory).unwrap();
        self.done.fetch_add(1, SeqCst);
        result
    }
}

impl QuotaStore for Remote {
    fn reserve<'a>(&'a self, charge: &'a Charge) -> BoxFuture<'a, Result<Reservation, StoreError>> {
        Box::pin(self.answer(move |memory| memory.try_reserve(charge)))
    }

    fn give_back<'a>(&'a self, charge: &'a Charge) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(self.answer(move |memory| memory.try_give_back(charge)))
    }
}

const START: Timestamp = Timestamp::from_secs(1_795_219_200);

fn builder(store: impl QuotaStore) -> QuotaLayerBuilder {
    QuotaLayer::builder(store)
        .plan(Plan::new("free").monthly(5))
        .plan(Plan::new("pro").monthly(100))
        .plan(Plan::new("enterprise").unlimited())
        .default_plan("free")
        .upgrade_url("https://example.com/upgrade")
}

struct App {
    router: Router,
    clock: ManualClock,
    quota: QuotaLayer,
}

fn app(quota: QuotaLayer) -> App {
    let clock = ManualClock::at(START);
    let stack = ServiceBuilder::new()
        .layer(RequestContextLayer::new().clock(clock.clone()))
        .layer(GateLayer::new(Caller))
        .layer(quota.clone())
        .layer(GateLayer::new(Scope));
    let router = Router::new()
        .route("/", get(|| async { "inner" }))
        .route("/forbidden", get(|| async { "inner" }))
        .route("/error", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/own", get(|| async { Rejection::new(RejectionKind::NotFound) }))
        .route("/status", get(|status: QuotaStatus| async move { format!("{} {}", status.plan, status.used) }))
        .route("/panic", get(explode))
        .route("/hang", post(std::future::pending::<()>))
        .layer(stack);
    App { router, clock, quota }
}

async fn explode() {
    panic!("boom");
}

fn request(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let method = if path == "/hang" { "POST" } else { "GET" };
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

impl App {
    async fn call(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.router.clone().oneshot(request(path, headers)).await.unwrap()
    }

    /// Usage after one more call.
    async fn next_use(&self, headers: &[(&str, &str)]) -> String {
        header(&self.call("/", headers).await, "x-quota-used")
    }
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

async fn document(response: Response) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

fn apps() -> Vec<App> {
    vec![app(builder(MemoryStore::new()).build().unwrap()), app(builder(Remote::default()).build().unwrap())]
}

/// Lets spawned tasks run to their end.
async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_sixth_of_five_is_402_and_says_when_and_where() {
    for app in apps() {
        for used in 1..=5 {
            let response = app.call("/", &[("subject", "usr_1")]).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(header(&response, "x-quota-limit"), "5");
            assert_eq!(header(&response, "x-quota-used"), used.to_string());
            assert_eq!(header(&response, "x-quota-remaining"), (5 - used).to_string());
            assert_eq!(header(&response, "x-quota-reset"), "1796083200");
        }
        let response = app.call("/", &[("subject", "usr_1")]).await;
        assert_eq!(response.status(), StatusCode::PAYMENT_REQUIRED);
        assert_eq!(header(&response, "x-quota-used"), "5");
        assert_eq!(header(&response, "x-quota-remaining"), "0");
        assert_eq!(header(&response, "retry-after"), "");
        let body = document(response).await;
        assert_eq!(body["error"], "quota_exceeded");
        assert_eq!(body["plan"], "free");
        assert_eq!(body["current_usage"], 5);
        assert_eq!(body["quota"], 5);
        assert_eq!(body["reset_at"], "2026-12-01T00:00:00.000000Z");
        assert_eq!(body["upgrade_url"], "https://example.com/upgrade");
        // Neither who nor with which key (the seeds put the key into the URL).
        assert!(!body.to_string().contains("usr_1"));
        assert_eq!(app.quota.verdicts().rejected(RejectionKind::QuotaExceeded), 1);
    }
}

#[tokio::test]
async fn the_plan_is_the_principals_and_an_unknown_one_is_the_default() {
    let app = app(builder(MemoryStore::new()).build().unwrap());
    let limit = |response: Response| header(&response, "x-quota-limit");
    assert_eq!(limit(app.call("/", &[("subject", "a"), ("plan", "pro")]).await), "100");
    assert_eq!(limit(app.call("/", &[("subject", "b"), ("plan", "gold")]).await), "5");
    assert_eq!(limit(app.call("/", &[("subject", "c")]).await), "5");
    assert_eq!(limit(app.call("/", &[]).await), "5");
    // Without limit, but metered.
    for used in 1..=20 {
        let response = app.call("/", &[("subject", "d"), ("plan", "enterprise")]).await;
        assert_eq!(
            (header(&response, "x-quota-used"), header(&response, "x-quota-remaining")),
            (used.to_string(), String::new())
        );
        assert_eq!(header(&response, "x-quota-limit"), "");
    }
    // A better plan keeps the month's usage.
    assert_eq!(app.next_use(&[("subject", "c"), ("plan", "pro")]).await, "2");
}

#[tokio::test]
async fn subjects_do_not_share_unless_told_to() {
    let apart = app(builder(MemoryStore::new()).build().unwrap());
    let shared = app(builder(MemoryStore::new()).shared_by_tenant().build().unwrap());
    for app in [&apart, &shared] {
        assert_eq!(app.next_use(&[("subject", "a"), ("tenant", "t")]).await, "1");
        assert_eq!(app.next_use(&[("subject", "a"), ("tenant", "u")]).await, "1");
        assert_eq!(app.next_use(&[("subject", "a")]).await, "1");
        assert_eq!(app.next_use(&[]).await, "1");
        assert_eq!(app.next_use(&[]).await, "2");
    }
    assert_eq!(apart.next_use(&[("subject", "b"), ("tenant", "t")]).await, "1");
    assert_eq!(shared.next_use(&[("subject", "b"), ("tenant", "t")]).await, "2");
}

#[tokio::test]
async fn a_call_that_is_refused_inside_costs_nothing() {
    for app in apps() {
        let caller = &[("subject", "a")];
        assert_eq!(app.next_use(caller).await, "1");
        for _ in 0..20 {
            let response = app.call("/forbidden", caller).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN);
            assert_eq!(header(&response, "x-quota-used"), "1");
            assert_eq!(header(&response, "x-quota-remaining"), "4");
        }
        assert_eq!(app.call("/own", caller).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(app.next_use(caller).await, "2");
        // A handler's own error is an answer like any other.
        assert_eq!(app.call("/error", caller).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(app.next_use(caller).await, "4");
    }
}

#[tokio::test]
async fn the_context_holds_the_usage_that_is_left() {
    #[derive(Default)]
    struct Watch(std::sync::Mutex<Vec<QuotaStatus>>);
    impl<B> Gate<B> for Watch {
        const NAME: &'static str = "watch";
        type Pass = ();
        fn enter(self: &Arc<Self>, _: &mut Request<B>, _: &Arc<RequestContext>) -> Entry<B, ()> {
            Entry::Pass(())
        }
        fn leave(self: &Arc<Self>, (): (), _: &mut Response, context: &Arc<RequestContext>) -> crate::gate::Leave {
            self.0.lock().unwrap().push(context.quota().unwrap());
            crate::gate::Leave::Done
        }
    }
    for app in apps() {
        let layer = GateLayer::new(Watch::default());
        let watch = Arc::clone(layer.gate().unwrap());
        let router = app.router.clone().layer(layer);
        for path in ["/", "/forbidden", "/status"] {
            router.clone().oneshot(request(path, &[])).await.unwrap();
        }
        let seen: Vec<_> = watch.0.lock().unwrap().iter().map(|status| (status.used, status.limit)).collect();
        assert_eq!(seen, [(1, Some(5)), (1, Some(5)), (2, Some(5))]);
        let body = app.call("/status", &[]).await.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "free 3");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_at_once_never_exceed_the_allowance() {
    for app in apps() {
        let calls: Vec<_> =
            (0..64).map(|_| tokio::spawn(app.router.clone().oneshot(request("/", &[("subject", "a")])))).collect();
        let mut passed = 0;
        for call in calls {
            passed += u64::from(call.await.unwrap().unwrap().status() == StatusCode::OK);
        }
        assert_eq!(passed, 5);
    }
}

#[tokio::test]
async fn a_store_that_cannot_answer_is_503_and_no_denial() {
    let store = Remote::default();
    let app = app(builder(store.clone()).build().unwrap());
    store.failing.store(true, SeqCst);
    for plan in ["free", "enterprise"] {
        let response = app.call("/", &[("subject", "a"), ("plan", plan)]).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(header(&response, "x-quota-used"), "");
        assert_eq!(document(response).await["error"], "backend_unavailable");
    }
    store.failing.store(false, SeqCst);
    assert_eq!(app.next_use(&[("subject", "a")]).await, "1");
}

#[tokio::test]
async fn a_request_may_cost_more() {
    let app = app(builder(MemoryStore::new()).cost(2).build().unwrap());
    assert_eq!(app.next_use(&[]).await, "2");
    assert_eq!(app.next_use(&[]).await, "4");
    let response = app.call("/", &[]).await;
    assert_eq!(response.status(), StatusCode::PAYMENT_REQUIRED);
    assert_eq!(document(response).await["current_usage"], 4);
}

#[test]
fn every_mistake_is_listed_at_once() {
    let error = QuotaLayer::builder(MemoryStore::new())
        .plan(Plan::new("free"))
        .plan(Plan::new("").monthly(10))
        .plan(Plan::new("pro").monthly(10))
        .plan(Plan::new("pro").unlimited())
        .plan(Plan::new("tiny").monthly(2))
        .cost(3)
        .default_plan("gold")
        .upgrade_url("http://example.com")
        .build()
        .unwrap_err();
    let fields: Vec<_> = error.issues().iter().map(|issue| &*issue.field).collect();
    assert_eq!(
        fields,
        ["plan[\"free\"]", "plan[\"\"]", "plan[\"pro\"]", "plan[\"tiny\"]", "default_plan", "upgrade_url"]
    );
    let error = QuotaLayer::builder(MemoryStore::new()).cost(0).build().unwrap_err();
    assert_eq!(error.issues().len(), 3, "{error}");
    for url in ["", "/upgrade", "https://", "https://user@example.com/", "https://exa mple.com", "javascript:alert(1)"]
    {
        assert!(builder(MemoryStore::new()).upgrade_url(url).build().is_err(), "{url}");
    }
    // Zero is an allowance like any other.
    assert!(builder(MemoryStore::new()).plan(Plan::new("suspended").monthly(0)).build().is_ok());
}
