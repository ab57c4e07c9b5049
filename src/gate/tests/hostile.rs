//! Whatever happens at whatever moment, each pass is settled exactly once.

use std::{future::Future as _, pin::pin, task::Waker, thread};

use tower_http::catch_panic::CatchPanicLayer;

use super::*;
use crate::{rejection::Rejection, stack::Stack};

/// How often each thing happened.
#[derive(Debug, Default)]
struct Ledger {
    opened: AtomicUsize,
    left: AtomicUsize,
    failed: AtomicUsize,
    dropped: AtomicUsize,
    dropped_in_panic: AtomicUsize,
}

impl Ledger {
    fn counts(&self) -> [usize; 5] {
        [&self.opened, &self.left, &self.failed, &self.dropped, &self.dropped_in_panic]
            .map(|counter| counter.load(SeqCst))
    }
}

/// Waits on both ways.
#[derive(Default)]
struct Slow(Arc<Ledger>);

struct Entered(Option<Arc<Ledger>>);

impl Entered {
    fn settle(mut self) -> Arc<Ledger> {
        self.0.take().unwrap()
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(ledger) = self.0.take() {
            ledger.dropped.fetch_add(1, SeqCst);
            ledger.dropped_in_panic.fetch_add(usize::from(thread::panicking()), SeqCst);
        }
    }
}

async fn pause() {
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
}

impl Gate<Body> for Slow {
    const NAME: &'static str = "slow";
    type Pass = Entered;

    fn enter(self: &Arc<Self>, request: &mut Request<Body>, _: &Arc<RequestContext>) -> Entry<Body, Entered> {
        assert_ne!(request.uri().path(), "/panic-in-enter", "boom");
        let ledger = Arc::clone(&self.0);
        Entry::wait(|request| async move {
            pause().await;
            ledger.opened.fetch_add(1, SeqCst);
            Waited::Pass(request, Entered(Some(ledger)))
        })
    }

    fn leave(self: &Arc<Self>, pass: Entered, response: &mut Response, _: &Arc<RequestContext>) -> Leave {
        assert!(!response.headers().contains_key("panic-in-leave"), "boom");
        Leave::wait(|response| async move {
            pause().await;
            pass.settle().left.fetch_add(1, SeqCst);
            response
        })
    }

    fn fail(self: &Arc<Self>, pass: Entered, _: &Arc<RequestContext>) {
        pass.settle().failed.fetch_add(1, SeqCst);
    }
}

/// Two gates around `inner`, and what becomes of their passes.
fn guarded<S>(inner: S) -> (Arc<Ledger>, impl Service<Request<Body>, Response = Response, Error = S::Error> + Clone)
where
    S: Service<Request<Body>, Response = Response> + Clone,
{
    let ledger = Arc::new(Ledger::default());
    let gate = GateLayer::new(Slow(Arc::clone(&ledger)));
    (Arc::clone(&ledger), ServiceBuilder::new().layer(gate.clone()).layer(gate).service(inner))
}

#[test]
fn cancelled_at_any_moment_each_pass_is_settled_once() {
    let inner = tower::service_fn(|_: Request<Body>| async {
        pause().await;
        Ok::<_, Infallible>(Response::default())
    });
    let mut finished = false;
    for polls in 0..64 {
        let (ledger, service) = guarded(inner);
        let mut cx = Context::from_waker(Waker::noop());
        {
            let mut call = pin!(service.oneshot(request("/")));
            finished = (0..polls).any(|_| call.as_mut().poll(&mut cx).is_ready());
        }
        let [opened, left, failed, dropped, in_panic] = ledger.counts();
        assert_eq!((opened, failed, in_panic), (left + dropped, 0, 0), "after {polls} polls");
        assert_eq!(finished, left == 2, "after {polls} polls");
        if finished {
            break;
        }
    }
    assert!(finished);
}

#[tokio::test]
async fn a_panic_is_seen_by_each_pass_although_it_is_caught_outside() {
    async fn boom(request: Request<Body>) -> Result<Response, Infallible> {
        assert_eq!(request.uri().path(), "/in-call");
        pause().await;
        panic!("boom")
    }
    let at_once = tower::service_fn(|request: Request<Body>| {
        assert_ne!(request.uri().path(), "/in-call", "boom");
        boom(request)
    });
    for path in ["/in-call", "/in-poll"] {
        let (ledger, service) = guarded(at_once);
        let caught = ServiceBuilder::new().layer(CatchPanicLayer::new()).service(service);
        let response = caught.oneshot(request(path)).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(ledger.counts(), [2, 0, 0, 2, 2], "{path}");
    }
}

#[tokio::test]
async fn a_gate_that_panics_takes_no_outer_gate_along() {
    let marked = tower::service_fn(|request: Request<Body>| async move {
        let mut response = Response::default();
        if request.uri().path() == "/panic-in-leave" {
            response.headers_mut().insert("panic-in-leave", HeaderValue::from_static("1"));
        }
        Ok::<_, Infallible>(response)
    });
    for (path, counts) in [("/panic-in-enter", [0; 5]), ("/panic-in-leave", [2, 0, 0, 2, 2])] {
        let (ledger, service) = guarded(marked);
        let caught = ServiceBuilder::new().layer(CatchPanicLayer::new()).service(service);
        assert_eq!(caught.oneshot(request(path)).await.unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(ledger.counts(), counts, "{path}");
    }
}

#[tokio::test]
async fn a_failure_is_told_to_each_gate_once() {
    let (ledger, service) = guarded(tower::service_fn(|_: Request<Body>| async {
        pause().await;
        Err::<Response, _>("broken")
    }));
    assert_eq!(service.oneshot(request("/")).await.unwrap_err(), "broken");
    assert_eq!(ledger.counts(), [2, 0, 2, 0, 0]);
}

#[derive(Clone)]
struct Marker;

#[tokio::test]
async fn upgrades_connect_and_trailers_go_through_as_they_are() {
    let stack = || Stack::new().security_headers(&crate::headers::SecurityHeadersLayer::api());
    let app = Router::new()
        .route(
            "/upgrade",
            axum::routing::any(|| async {
                let headers = [("connection", "upgrade"), ("upgrade", "websocket")];
                (StatusCode::SWITCHING_PROTOCOLS, headers, axum::Extension(Marker)).into_response()
            }),
        )
        .route(
            "/trailers",
            get(|| async {
                let mut trailers = http::HeaderMap::new();
                trailers.insert("x-sum", HeaderValue::from_static("5"));
                let body = http_body_util::Full::from("hello").with_trailers(async { Some(Ok(trailers)) });
                Response::new(Body::new(body))
            }),
        )
        // Two stacks, as in a router that is nested in another one.
        .layer(stack())
        .layer(stack());
    for method in ["GET", "CONNECT", "OPTIONS"] {
        let request = Request::builder().method(method).uri("/upgrade").body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS, "{method}");
        assert!(response.extensions().get::<Marker>().is_some(), "hyper finds the upgrade in the extensions");
        assert_eq!(response.headers().get_all("x-request-id").iter().count(), 1);
        assert_eq!(response.headers().get_all("x-frame-options").iter().count(), 1);
        assert_eq!(response.headers()["upgrade"], "websocket");
    }
    let response = app.oneshot(request("/trailers")).await.unwrap();
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["x-sum"], "5");
}

#[tokio::test]
async fn refusals_of_every_method_have_one_id_and_the_right_body() {
    for method in ["GET", "HEAD", "OPTIONS", "CONNECT", "TRACE", "QUERY"] {
        let (layer, _) = probed();
        let app = Stack::new().layer(router(layer));
        let request = Request::builder().method(method).uri("/reject").body(Body::empty()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{method}");
        assert_eq!(response.headers().get_all("x-request-id").iter().count(), 1);
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body.is_empty(), method == "HEAD", "{method}");
        assert!(method == "HEAD" || String::from_utf8_lossy(&body).contains(&id));
    }
}

#[tokio::test]
async fn a_flood_of_headers_chooses_no_address_and_breaks_nothing() {
    let settings = ContextSettings::new().trusted_proxies(TrustedProxies::cidrs(["10.0.0.0/8"]).unwrap());
    for peer in [Some("10.0.0.1:1"), Some("[fe80::1%7]:1"), None] {
        let mut request = request("/");
        for number in 0..20_000 {
            let value = HeaderValue::from_str(&format!("10.0.{}.{}", number / 250, number % 250)).unwrap();
            request.headers_mut().append("x-forwarded-for", value);
            request.headers_mut().append("x-forwarded-proto", HeaderValue::from_static("https"));
        }
        let peer: Option<std::net::SocketAddr> = peer.map(|peer| peer.parse().unwrap());
        if let Some(peer) = peer {
            request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        }
        let context = RequestContext::open(&request, &settings);
        // Sixty-four trusted hops from the right at most; and only behind a trusted proxy.
        match peer {
            Some(peer) if peer.is_ipv6() => assert_eq!(context.client_ip().ip(), Some(peer.ip())),
            Some(_) => assert_eq!(context.client_ip().ip(), Some("10.0.79.187".parse().unwrap())),
            None => assert_eq!(context.client_ip(), crate::request::ClientIp::UNKNOWN),
        }
        let trusted = peer.is_some_and(|peer| peer.is_ipv4());
        assert_eq!(context.scheme() == Scheme::Https, trusted);
    }
}

#[tokio::test]
async fn a_dangerous_order_is_told_of_once_and_a_right_one_never() {
    struct At<const OUTER: bool>;
    impl Gate<Body> for At<true> {
        const NAME: &'static str = "quota";
        const PLACE: Place = Place::Quota;
        type Pass = ();
        fn enter(self: &Arc<Self>, _: &mut Request<Body>, _: &Arc<RequestContext>) -> Entry<Body, ()> {
            Entry::Pass(())
        }
    }
    impl Gate<Body> for At<false> {
        const NAME: &'static str = "auth";
        const PLACE: Place = Place::Auth;
        type Pass = ();
        fn enter(self: &Arc<Self>, _: &mut Request<Body>, _: &Arc<RequestContext>) -> Entry<Body, ()> {
            Entry::Pass(())
        }
    }
    let log = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&log);
    let subscriber = tracing_subscriber::fmt().with_writer(move || Log(Arc::clone(&writer))).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let told = || String::from_utf8(log.lock().unwrap().clone()).unwrap().matches("dangerous order").count();
    let (quota, auth) = (GateLayer::new(At::<true>), GateLayer::new(At::<false>));
    let open = || Router::<()>::new().fallback(|| async { "open" });
    let right = open().layer(ServiceBuilder::new().layer(auth.clone()).layer(quota.clone()));
    right.oneshot(request("/")).await.unwrap();
    assert_eq!(told(), 0);
    let wrong = open().layer(ServiceBuilder::new().layer(quota).layer(auth));
    for _ in 0..3 {
        wrong.clone().oneshot(request("/")).await.unwrap();
    }
    assert_eq!(told(), 1);
    drop(guard);
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert!(log.contains("put AuthLayer outside QuotaLayer"), "{log}");
}

struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// As tower-http's compression leaves it, if it stands inside.
#[tokio::test]
async fn a_body_that_was_replaced_is_not_said_to_be_compressed() {
    let squeeze = tower::util::MapResponseLayer::new(|mut response: Response| {
        response.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
        response.headers_mut().insert("vary", HeaderValue::from_static("accept-encoding"));
        response
    });
    let app = Router::new()
        .route("/rejection", get(|| async { Rejection::new(RejectionKind::NotFound) }))
        .route("/bare", get(|| async { (StatusCode::BAD_REQUEST, "bad") }))
        .layer(squeeze)
        .layer(Stack::new());
    let legacy =
        app.clone().layer(tower::util::MapResponseLayer::new(|it| crate::rejection::LegacyJson::Workflow.restyle(it)));
    for app in [app, legacy] {
        for path in ["/rejection", "/bare"] {
            let response = app.clone().oneshot(request(path)).await.unwrap();
            assert!(!response.headers().contains_key("content-encoding"), "{path}");
            assert_eq!(response.headers()["vary"], "accept-encoding");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
        }
    }
}

/// Third parties' gates have no place in the order, and stand anywhere.
#[tokio::test]
async fn every_response_of_a_stack_has_an_id_whatever_stands_outside() {
    let (layer, probe) = probed();
    let app = Router::new().route("/pass", get(|| async { "inner" })).layer(Stack::new()).layer(layer);
    let response = app.oneshot(request("/pass")).await.unwrap();
    let id = probe.seen.lock().unwrap()[0].request_id();
    assert_eq!(response.headers()["x-request-id"], id.as_str());
}

#[tokio::test]
async fn a_rejection_that_waits_in_a_handler_is_told_of_once() {
    let (layer, probe) = probed();
    let app = Router::new()
        .route("/pass", get(|| async { Rejection::new(RejectionKind::Conflict) }))
        .layer(layer.clone())
        .layer(layer)
        .layer(Stack::new());
    let response = app.oneshot(request("/pass")).await.unwrap();
    assert_eq!(response.status(), StatusCode::CONFLICT);
    let contexts = probe.seen.lock().unwrap();
    let told = contexts[0].trail().iter().filter(|verdict| verdict.layer == "handler").count();
    assert_eq!(told, 1);
}
