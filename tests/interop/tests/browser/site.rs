//! What listens on loopback: pages, and the API that they call.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::Request,
    middleware::map_request,
    response::Html,
    routing::{get, post},
};
use http::{HeaderMap, StatusCode, header};
use portcullis::{
    auth::AuthLayer,
    backend::memory::MemoryStore,
    cors::{CorsSecurityLayer, CorsSecurityLayerBuilder},
    headers::SecurityHeadersLayer,
    rate_limit::{Key, Rate, RateLimitLayer, Rule},
    stack::Stack,
    testing::TestIssuer,
};
use tokio::{net::TcpListener, task::JoinHandle};

/// A server on a free port of 127.0.0.1, which remembers what it was asked, and ends with this value.
pub(crate) struct Site {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    server: JoinHandle<()>,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

impl Seen {
    pub(crate) fn is_preflight(&self) -> bool {
        self.method == "OPTIONS" && self.headers.contains_key("access-control-request-method")
    }

    pub(crate) fn cookie(&self) -> Option<&str> {
        self.headers.get(header::COOKIE).and_then(|value| value.to_str().ok())
    }
}

impl Site {
    pub(crate) async fn serve(app: Router) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let memory = Arc::clone(&seen);
        // Outermost, so that it sees what the layers below answer themselves.
        let app = app.layer(map_request(move |request: Request| {
            let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
            let headers = request.headers().clone();
            memory.lock().unwrap_or_else(PoisonError::into_inner).push(Seen { method, path, headers });
            std::future::ready(request)
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move { drop(axum::serve(listener, service).await) });
        Self { port, seen, server }
    }

    /// A site with an empty page.
    pub(crate) async fn page() -> Self {
        // The icon stands in the page, or else the browser would ask for one, and complain.
        const PAGE: &str = "<!doctype html><title>a page</title><link rel=icon href='data:,'>";
        Self::serve(Router::new().fallback(get(|| async { Html(PAGE) }))).await
    }

    /// Its origin, by a name of this machine.
    pub(crate) fn origin(&self, host: &str) -> String {
        format!("http://{host}:{}", self.port)
    }

    /// An address of it. Cookies belong to the host `localhost`, whatever the port.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin("localhost"))
    }

    /// What it was asked for under a path.
    pub(crate) fn asked(&self, path: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|seen| seen.path == path).cloned().collect()
    }

    /// How many preflights there were for a path, and how many other requests.
    pub(crate) fn counts(&self, path: &str) -> (usize, usize) {
        let asked = self.asked(path);
        let preflights = asked.iter().filter(|seen| seen.is_preflight()).count();
        (preflights, asked.len() - preflights)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What the APIs of these tests allow to pages of `origins`.
pub(crate) fn policy(origins: &[String]) -> CorsSecurityLayerBuilder {
    CorsSecurityLayer::builder()
        .allow_origins(origins.iter().map(String::as_str))
        .methods(["GET", "POST", "PUT", "OPTIONS"])
        .request_headers(["authorization", "content-type"])
        .expose(["x-orders"])
}

pub(crate) fn issuer() -> TestIssuer {
    TestIssuer::new("https://issuer.test")
}

pub(crate) fn auth(issuer: &TestIssuer) -> AuthLayer {
    AuthLayer::builder().jwt(issuer.verifier()).build().unwrap()
}

/// An API with everything that refuses, behind one stack.
pub(crate) fn api(cors: &CorsSecurityLayer, issuer: &TestIssuer) -> Router {
    let rule = Rule::new("few", Key::ip(), Rate::per_hour(2)).fixed_window();
    let few = RateLimitLayer::builder(MemoryStore::new()).rule(rule).build().unwrap();
    let orders = get(|| async { ([("x-orders", "3"), ("x-internal", "7")], "orders") })
        .post(|body: String| async { body })
        .put(|Json(order): Json<serde_json::Value>| async { Json(order) })
        .options(|| async { "GET, POST and PUT, says the handler" });
    let open = Router::new()
        .route("/open", orders.clone())
        .route("/login", post(|| async { ([(header::SET_COOKIE, "session=of-usr-1; HttpOnly; SameSite=Lax")], "in") }))
        .route("/me", get(me))
        .route("/cached", get(|| async { ([(header::CACHE_CONTROL, "public, max-age=600")], "cached") }))
        .route("/panic", get(panics));
    let limited = Router::new().route("/limited", get(|| async { "one of two" })).layer(few);
    let protected = Router::new().route("/orders", orders).layer(auth(issuer));
    let edge = Stack::new().cors(cors).security_headers(&SecurityHeadersLayer::api()).body_limit(1_024);
    // Of its own: else it would be that of `protected`, behind its credential.
    let nowhere = || async { StatusCode::NOT_FOUND };
    open.merge(limited).merge(protected).fallback(nowhere).layer(edge)
}

async fn me(headers: HeaderMap) -> String {
    headers.get(header::COOKIE).and_then(|value| value.to_str().ok()).unwrap_or("nobody").to_owned()
}

async fn panics() -> &'static str {
    panic!("always")
}
