mod chain;
mod hostile;

use std::{
    convert::Infallible,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body, response::IntoResponse as _, routing::get};
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt as _;
use tower::{Layer as _, Service, ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    rejection::RejectionKind,
    request::{Outcome, Scheme, TrustedProxies},
    time::{ManualClock, Timestamp},
};

/// A gate that does what the request's path says, and counts what became of its passes.
#[derive(Default)]
struct Probe {
    left: AtomicUsize,
    dropped: Arc<AtomicUsize>,
    seen: Mutex<Vec<Arc<RequestContext>>>,
}

struct Pass {
    settled: bool,
    dropped: Arc<AtomicUsize>,
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.settled {
            self.dropped.fetch_add(1, SeqCst);
        }
    }
}

impl Gate<Body> for Probe {
    const NAME: &'static str = "probe";
    type Pass = Pass;

    fn enter(self: &Arc<Self>, request: &mut Request<Body>, context: &Arc<RequestContext>) -> Entry<Body, Pass> {
        self.seen.lock().unwrap().push(Arc::clone(context));
        let dropped = Arc::clone(&self.dropped);
        let pass = move || Pass { settled: false, dropped };
        match request.uri().path() {
            "/answer" => Entry::Answer("answered".into_response()),
            "/reject" => Entry::Reject(RejectionKind::Forbidden.into()),
            "/wait" => Entry::wait(|request| async move {
                tokio::task::yield_now().await;
                Waited::Pass(request, pass())
            }),
            "/wait-reject" => Entry::wait(|_| async { Waited::Reject(RejectionKind::RateLimited.into()) }),
            _ => Entry::Pass(pass()),
        }
    }

    fn leave(self: &Arc<Self>, mut pass: Pass, _: &mut Response, context: &Arc<RequestContext>) -> Leave {
        self.left.fetch_add(1, SeqCst);
        pass.settled = true;
        if context.method() == "PUT" {
            return Leave::wait(|response| async move {
                tokio::task::yield_now().await;
                response
            });
        }
        Leave::Done
    }
}

fn request(path: &str) -> Request<Body> {
    Request::builder().uri(path).body(Body::empty()).unwrap()
}

fn probed() -> (GateLayer<Probe>, Arc<Probe>) {
    let layer = GateLayer::new(Probe::default());
    let probe = Arc::clone(layer.gate().unwrap());
    (layer, probe)
}

fn router(layer: GateLayer<Probe>) -> Router {
    Router::new()
        .route("/pass", get(|| async { "inner" }).put(|| async { "inner" }))
        .route("/wait", get(|| async { "inner" }))
        .route("/handler", get(|| async { crate::rejection::Rejection::new(RejectionKind::NotFound) }))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(layer)
}

#[tokio::test]
async fn each_entry_does_what_it_says() {
    let (layer, probe) = probed();
    let app = router(layer.clone());
    for (path, status) in [("/pass", 200), ("/answer", 200), ("/reject", 403), ("/wait", 200), ("/wait-reject", 429)] {
        let response = app.clone().oneshot(request(path)).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers().contains_key("x-request-id"), status >= 400, "{path}");
    }
    assert_eq!(probe.left.load(SeqCst), 2);
    assert_eq!(probe.dropped.load(SeqCst), 0);
    let counts = layer.verdicts();
    assert_eq!((counts.passed, counts.answered), (2, 1));
    assert_eq!(counts.rejected, [(RejectionKind::Forbidden, 1), (RejectionKind::RateLimited, 1)]);
}

#[tokio::test]
async fn a_gate_may_wait_on_the_way_out() {
    let (layer, probe) = probed();
    let put = Request::builder().method("PUT").uri("/pass").body(Body::empty()).unwrap();
    let response = router(layer).oneshot(put).await.unwrap();
    assert_eq!((response.status(), probe.left.load(SeqCst)), (StatusCode::OK, 1));
}

#[tokio::test]
async fn a_handlers_rejection_gets_the_request_id_and_a_verdict() {
    let (layer, probe) = probed();
    let response = router(layer).oneshot(request("/handler")).await.unwrap();
    let id = response.headers()["x-request-id"].clone();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["request_id"], id.to_str().unwrap());
    let contexts = probe.seen.lock().unwrap();
    let verdicts: Vec<_> =
        contexts[0].trail().iter().map(|verdict| (verdict.layer, verdict.outcome.as_str())).collect();
    assert_eq!(verdicts, [("probe", "passed"), ("handler", "not_found")]);
}

#[tokio::test]
async fn cancelled_before_the_response_the_pass_is_dropped() {
    let (layer, probe) = probed();
    let service =
        layer.layer(tower::service_fn(|_: Request<Body>| std::future::pending::<Result<Response, Infallible>>()));
    let response = tokio::time::timeout(Duration::from_millis(20), service.oneshot(request("/pass"))).await;
    assert!(response.is_err());
    assert_eq!((probe.left.load(SeqCst), probe.dropped.load(SeqCst)), (0, 1));
}

#[tokio::test]
async fn when_the_inner_service_fails_the_error_is_its_own_and_the_pass_is_dropped() {
    let (layer, probe) = probed();
    let service = layer.layer(tower::service_fn(|_: Request<Body>| async { Err::<Response, _>("broken") }));
    assert_eq!(service.oneshot(request("/pass")).await.unwrap_err(), "broken");
    assert_eq!((probe.left.load(SeqCst), probe.dropped.load(SeqCst)), (0, 1));
}

#[tokio::test]
async fn when_the_inner_service_panics_the_pass_is_dropped() {
    fn boom() -> Result<Response, Infallible> {
        panic!("boom")
    }
    let (layer, probe) = probed();
    let service = layer.layer(tower::service_fn(|_: Request<Body>| async { boom() }));
    let joined = tokio::spawn(service.oneshot(request("/pass"))).await;
    assert!(joined.unwrap_err().is_panic());
    assert_eq!((probe.left.load(SeqCst), probe.dropped.load(SeqCst)), (0, 1));
}

/// Panics when called without having been polled ready, as tower allows.
struct Strict {
    ready: bool,
    calls: Arc<AtomicUsize>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { ready: false, calls: Arc::clone(&self.calls) }
    }
}

impl Service<Request<Body>> for Strict {
    type Response = Response;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without being ready");
        self.calls.fetch_add(1, SeqCst);
        std::future::ready(Ok(Response::default()))
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_called() {
    let (layer, _) = probed();
    let calls = Arc::new(AtomicUsize::new(0));
    let mut service = layer.layer(Strict { ready: false, calls: Arc::clone(&calls) });
    for path in ["/pass", "/wait", "/pass", "/reject", "/wait"] {
        service.ready().await.unwrap().call(request(path)).await.unwrap();
    }
    assert_eq!(calls.load(SeqCst), 4);
}

#[tokio::test]
async fn a_permit_of_the_inner_service_is_held_by_the_waiting_request() {
    let (layer, _) = probed();
    let service =
        ServiceBuilder::new().layer(layer).concurrency_limit(1).service(tower::service_fn(|_: Request<Body>| async {
            tokio::task::yield_now().await;
            Ok::<Response, Infallible>(Response::default())
        }));
    let calls = (0..8).map(|_| tokio::spawn(service.clone().oneshot(request("/wait"))));
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_absent_gate_is_no_gate() {
    let service = GateLayer::<Probe>::absent()
        .layer(tower::service_fn(|_: Request<Body>| async { Ok::<Response, Infallible>(Response::default()) }));
    let response = service.oneshot(request("/reject")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers().is_empty());
}

#[tokio::test]
async fn one_context_for_all_gates_made_with_the_outermost_settings() {
    let (layer, probe) = probed();
    let clock = ManualClock::at(Timestamp::from_secs(1_000));
    let outer =
        RequestContextLayer::new().clock(clock).trusted_proxies(TrustedProxies::cidrs(["192.0.2.0/24"]).unwrap());
    let stack = ServiceBuilder::new().layer(outer).layer(layer.clone()).layer(layer);
    let app = Router::new().route("/orders/{id}", get(|| async { "inner" })).layer(stack);
    let mut request = request("/orders/7");
    let peer: std::net::SocketAddr = "192.0.2.1:1".parse().unwrap();
    request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
    request.headers_mut().insert("x-forwarded-for", HeaderValue::from_static("198.51.100.1"));
    request.headers_mut().insert("x-forwarded-proto", HeaderValue::from_static("http, HTTPS"));
    let response = app.oneshot(request).await.unwrap();
    let contexts = probe.seen.lock().unwrap();
    assert!(Arc::ptr_eq(&contexts[0], &contexts[1]));
    let context = &contexts[0];
    assert_eq!(context.now().wall, Timestamp::from_secs(1_000));
    assert_eq!(context.client_ip().ip(), Some("198.51.100.1".parse().unwrap()));
    assert_eq!(context.scheme(), Scheme::Https);
    assert_eq!(context.route(), Some("/orders/{id}"));
    assert_eq!(response.headers()["x-request-id"], context.request_id().as_str());
    assert_eq!(context.trail().iter().filter(|verdict| verdict.outcome == Outcome::Passed).count(), 3);
}

#[tokio::test]
async fn bare_errors_become_problems_and_others_stay() {
    let app = Router::new()
        .route("/own", get(|| async { (StatusCode::BAD_REQUEST, axum::Json("own")) }))
        .route("/pass", get(|| async { "inner" }))
        .layer(ProblemLayer::new());
    for (method, path, status, media) in [
        ("GET", "/nowhere", 404, "application/problem+json"),
        ("POST", "/pass", 405, "application/problem+json"),
        ("GET", "/own", 400, "application/json"),
        ("GET", "/pass", 200, "text/plain; charset=utf-8"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = app.clone().layer(ProblemLayer::new()).oneshot(request).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"].to_str().unwrap()),
            (status, &media),
            "{path}"
        );
        assert_eq!(response.headers().contains_key("allow"), status == 405);
    }
}
