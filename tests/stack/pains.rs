//! What users of other stacks suffer, by the numbers of the research: each a test on a whole stack.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    response::Response,
    routing::{any, get, post},
};
use http::{HeaderMap, Method, Request, StatusCode};
use portcullis::{
    auth::AuthLayer,
    authz::ScopeLayer,
    backend::memory::MemoryStore,
    cors::CorsSecurityLayer,
    headers::SecurityHeadersLayer,
    quota::{Plan, QuotaLayer},
    rate_limit::{Batch, Key, Rate, RateLimitLayer, RateLimitStore, Rule, Verdicts},
    stack::Stack,
    store::{BoxFuture, StoreError},
    testing::TestIssuer,
};
use tower::ServiceExt as _;

use super::{ORIGIN, cors};

/// A store that counts how often it is asked.
#[derive(Clone, Debug, Default)]
struct Counting {
    asked: Arc<AtomicUsize>,
    inner: MemoryStore,
}

impl RateLimitStore for Counting {
    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        self.asked.fetch_add(1, Relaxed);
        self.inner.apply(batch)
    }
}

/// A store that cannot be reached.
#[derive(Clone, Debug)]
struct Lost;

impl RateLimitStore for Lost {
    fn apply<'a>(&'a self, _: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(async { Err(StoreError::unavailable("the cable is cut")) })
    }
}

struct Scene {
    issuer: TestIssuer,
    app: Router,
}

impl Scene {
    fn new(store: &(impl RateLimitStore + Clone), requests: u64) -> Self {
        let issuer = TestIssuer::new("https://issuer.test");
        let limit = |name: &str, key| {
            let rule = Rule::new(name.to_owned(), key, Rate::per_hour(requests)).fixed_window();
            RateLimitLayer::builder(store.clone()).rule(rule).build().unwrap()
        };
        let plan = Plan::new("small").monthly(3);
        let quota = QuotaLayer::builder(MemoryStore::new()).plan(plan).default_plan("small").build().unwrap();
        let stack = Stack::new()
            .cors(&cors())
            .security_headers(&SecurityHeadersLayer::api())
            .body_limit(16)
            .timeout(Duration::from_millis(50))
            .rate_limit_before_auth(&limit("address", Key::ip()))
            .auth(&AuthLayer::builder().jwt(issuer.verifier()).build().unwrap())
            .rate_limit(&limit("client", Key::client()))
            .scope(&ScopeLayer::all(["read:orders"]).unwrap())
            .quota(&quota);
        let routes = Router::new()
            .route("/orders", get(|| async { "orders" }).merge(post(|body: String| async move { body })))
            .route("/panic", any(panics))
            .route("/slow", get(std::future::pending::<()>))
            .route("/options", get(|| async {}).options(|| async { "the handler" }));
        Self { issuer, app: routes.layer(stack) }
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let request = Request::builder().method(method).uri(path).header("origin", ORIGIN);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.app.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap()
    }

    fn bearer(&self, subject: &str, scope: &str) -> String {
        format!("Bearer {}", self.issuer.token(subject).scopes([scope]).sign())
    }

    async fn preflight(&self, path: &str) -> Response {
        let asked = [("access-control-request-method", "GET")];
        self.send(Method::OPTIONS, path, &asked, "").await
    }
}

async fn panics() -> &'static str {
    panic!("always")
}

fn is_readable(headers: &HeaderMap) -> bool {
    headers.get("access-control-allow-origin").is_some_and(|origin| origin == ORIGIN)
        && headers.get("vary").is_some_and(|vary| vary == "Origin")
}

#[tokio::test]
async fn u1_an_allowed_page_reads_every_status() {
    let scene = Scene::new(&MemoryStore::new(), 20);
    let (reader, writer) = (scene.bearer("usr_1", "read:orders"), scene.bearer("usr_2", "write:orders"));
    let (reader, writer) = (("authorization", &*reader), ("authorization", &*writer));
    let mut seen = Vec::new();
    let mut see = |response: Response| {
        assert!(is_readable(response.headers()), "{}: {:?}", response.status(), response.headers());
        seen.push(response.status().as_u16());
    };
    see(scene.send(Method::GET, "/orders", &[reader], "").await);
    see(scene.send(Method::GET, "/orders", &[], "").await);
    see(scene.send(Method::GET, "/orders", &[writer], "").await);
    see(scene.send(Method::GET, "/nowhere", &[reader], "").await);
    see(scene.send(Method::DELETE, "/orders", &[reader], "").await);
    see(scene.send(Method::POST, "/orders", &[("content-length", "17")], "seventeen letters").await);
    see(scene.send(Method::GET, "/orders", &[reader, reader], "").await);
    // The three of the month are used up.
    see(scene.send(Method::GET, "/orders", &[reader], "").await);
    let other = scene.bearer("usr_3", "read:orders");
    see(scene.send(Method::GET, "/panic", &[("authorization", &other)], "").await);
    see(scene.send(Method::GET, "/slow", &[("authorization", &other)], "").await);
    for _ in 0..20 {
        let response = scene.send(Method::GET, "/orders", &[], "").await;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            see(response);
            break;
        }
    }
    let lost = Scene::new(&Lost, 1);
    see(lost.send(Method::GET, "/orders", &[], "").await);
    seen.sort_unstable();
    assert_eq!(seen, [200, 400, 401, 402, 403, 404, 405, 413, 429, 500, 503, 504]);
}

#[tokio::test]
async fn u2_a_preflight_needs_no_credential() {
    let scene = Scene::new(&MemoryStore::new(), 20);
    for path in ["/orders", "/nowhere", "/panic"] {
        let answer = scene.preflight(path).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{path}");
        assert_eq!(answer.headers()["access-control-allow-origin"], ORIGIN);
        assert!(!answer.headers().contains_key("www-authenticate"));
    }
}

#[tokio::test]
async fn u3_a_preflight_reaches_no_store() {
    let store = Counting::default();
    let scene = Scene::new(&store.clone(), 20);
    for _ in 0..200 {
        assert_eq!(scene.preflight("/orders").await.status(), StatusCode::NO_CONTENT);
    }
    assert_eq!(store.asked.load(Relaxed), 0);
    let token = scene.bearer("usr_1", "read:orders");
    let response = scene.send(Method::GET, "/orders", &[("authorization", &token)], "").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(store.asked.load(Relaxed), 2, "by address, and by client");
    // Nor does it fail where the store does.
    assert_eq!(Scene::new(&Lost, 1).preflight("/orders").await.status(), StatusCode::NO_CONTENT);
}

/// What every page may read (Fetch, "CORS-safelisted response-header name"), and what is said to the
/// browser and not to the page.
const NOT_FOR_PAGES: &[&str] = &[
    "cache-control",
    "content-language",
    "content-length",
    "content-type",
    "expires",
    "last-modified",
    "pragma",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "vary",
    "allow",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "content-security-policy",
    "referrer-policy",
    "permissions-policy",
    "cross-origin-resource-policy",
];

#[tokio::test]
async fn u4_what_the_stack_says_to_clients_is_exposed() {
    let scene = Scene::new(&MemoryStore::new(), 2);
    let token = scene.bearer("usr_1", "read:orders");
    let mut said = 0;
    for headers in [vec![("authorization", &*token)], vec![], vec![]] {
        let response = scene.send(Method::GET, "/orders", &headers, "").await;
        let exposed = response.headers()["access-control-expose-headers"].to_str().unwrap().to_ascii_lowercase();
        let exposed: Vec<&str> = exposed.split(',').map(str::trim).collect();
        for name in response.headers().keys().filter(|name| !NOT_FOR_PAGES.contains(&name.as_str())) {
            assert!(exposed.contains(&name.as_str()), "{}: {name}", response.status());
            said += 1;
        }
    }
    assert!(said > 12, "rate limits, quota, request id: {said}");
}

#[tokio::test]
async fn u5_a_cache_is_told_what_the_response_depends_on() {
    let scene = Scene::new(&MemoryStore::new(), 20);
    for origin in [Some(ORIGIN), Some("https://evil.example"), None] {
        let request = Request::get("/orders");
        let request = origin.iter().fold(request, |request, origin| request.header("origin", *origin));
        let response = scene.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let vary: Vec<_> = response.headers().get_all("vary").iter().collect();
        assert_eq!(vary, ["Origin"], "{origin:?}");
    }
}

#[tokio::test]
async fn u6_no_origin_gets_in_by_its_ends() {
    let scene = Scene::new(&MemoryStore::new(), 100);
    for origin in [
        "https://app.example.com.evil.example",
        "https://evilapp.example.com",
        "https://appxexample.com",
        "https://app..example.com",
        "https://app.example.com:444",
        "http://app.example.com",
        "https://app.example.com/",
        "null",
    ] {
        for method in [Method::GET, Method::OPTIONS] {
            let request = Request::builder().method(&method).uri("/orders").header("origin", origin);
            let request = request.header("access-control-request-method", "GET").body(Body::empty()).unwrap();
            let response = scene.app.clone().oneshot(request).await.unwrap();
            let told = response.headers().keys().find(|name| name.as_str().starts_with("access-control-"));
            assert_eq!(told, None, "{method} from {origin}");
        }
    }
}

#[test]
fn u7_a_bad_policy_is_an_error_that_lists_everything() {
    let built = CorsSecurityLayer::builder()
        .allow_origins(["https://app.example.com/", "null"])
        .methods(["GET", "TRACE"])
        .request_headers(["cookie"])
        .build();
    let error = built.unwrap_err().to_string();
    for wrong in ["https://app.example.com/", "null", "TRACE", "cookie"] {
        assert!(error.contains(wrong), "{wrong}: {error}");
    }
}

type Call = Box<dyn Fn(Stack) -> Stack>;

/// The same as with every other order of the calls.
#[tokio::test]
async fn u8_the_order_of_the_calls_does_not_matter() {
    let issuer = TestIssuer::new("https://issuer.test");
    let auth = AuthLayer::builder().jwt(issuer.verifier()).build().unwrap();
    let rule = Rule::new("few", Key::ip(), Rate::per_hour(9)).fixed_window();
    let limit = RateLimitLayer::builder(MemoryStore::new()).rule(rule).build().unwrap();
    let calls: [Call; 4] = [
        Box::new(|stack| stack.cors(&cors())),
        Box::new(move |stack| stack.auth(&auth)),
        Box::new(move |stack| stack.rate_limit_before_auth(&limit)),
        Box::new(|stack| stack.security_headers(&SecurityHeadersLayer::api())),
    ];
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1]];
    for order in orders {
        let stack = order.into_iter().fold(Stack::new(), |stack, index: usize| calls[index](stack));
        let app = Router::new().route("/orders", get(|| async { "orders" })).layer(stack);
        let scene = Scene { issuer: issuer.clone(), app };
        let preflight = scene.preflight("/orders").await;
        assert_eq!(preflight.status(), StatusCode::NO_CONTENT, "{order:?}");
        assert_eq!(preflight.headers()["x-content-type-options"], "nosniff");
        let refused = scene.send(Method::GET, "/orders", &[], "").await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{order:?}");
        assert!(is_readable(refused.headers()));
    }
}

#[tokio::test]
async fn u9_handlers_for_options_run() {
    let scene = Scene::new(&MemoryStore::new(), 20);
    let token = scene.bearer("usr_1", "read:orders");
    // From a page, and from elsewhere: only what asks for a method is a preflight.
    let own = scene.send(Method::OPTIONS, "/options", &[("authorization", &token)], "").await;
    assert_eq!(own.status(), StatusCode::OK);
    assert!(is_readable(own.headers()));
    assert_eq!(scene.preflight("/options").await.status(), StatusCode::NO_CONTENT);
}
