//! What the mechanism and each layer cost in allocations, pinned exactly: a change that costs one
//! more fails here, and so does one that costs one less (then the pin is lowered).
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test that cannot go on must fail")]

use std::{
    convert::Infallible,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use allocation_counter::measure;
use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use http::{HeaderValue, Request};
use http_body_util::BodyExt as _;
use portcullis::{
    audit::{AuditBatch, AuditLayer, AuditSink},
    auth::{
        AuthLayer, AuthLayerBuilder,
        api_key::{ApiKey, ApiKeyFormat, ApiKeyRecord, KeyHasher},
        jwt::JwtVerifier,
        revocation::{Revocation, RevocationStore as _},
    },
    authz::ScopeLayer,
    backend::memory::MemoryStore,
    cors::CorsSecurityLayer,
    gate::{Entry, Gate, GateLayer, Gates},
    headers::SecurityHeadersLayer,
    quota::{Plan, QuotaLayer},
    rate_limit::{Key, Rate, RateLimitLayer, Rule},
    request::RequestContext,
    secret::Secret,
    stack::Stack,
    store::{BoxFuture, StoreError},
    time::Clock as _,
    webhook::{Provider, WebhookVerifyLayer},
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt as _};

/// A layer that does nothing, in a service with a pointer in it: what axum itself charges.
#[derive(Clone)]
struct Noop(Arc<()>);

#[derive(Clone)]
struct NoopService<S>(#[expect(dead_code, reason = "it is there for its size")] Arc<()>, S);

impl<S> Layer<S> for Noop {
    type Service = NoopService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        NoopService(Arc::clone(&self.0), inner)
    }
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for NoopService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.1.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        self.1.call(request)
    }
}

struct Empty;

impl<B> Gate<B> for Empty {
    const NAME: &'static str = "empty";
    type Pass = ();

    fn enter(self: &Arc<Self>, _: &mut Request<B>, _: &Arc<RequestContext>) -> Entry<B, ()> {
        Entry::Pass(())
    }
}

fn empty() -> GateLayer<Empty> {
    GateLayer::new(Empty)
}

fn router() -> Router {
    Router::new().route("/orders/{id}", get(|| async { "ok" }))
}

/// As `axum::serve` runs it: a router that still waits for its state applies its layers to each request.
fn served(app: Router) -> Router {
    app.with_state(())
}

/// Allocations of one call: the least of eight, after three to warm up. (A map of a store may grow
/// in any one of them.)
fn allocations<S>(service: &S) -> u64
where
    S: Service<Request<Body>, Response = axum::response::Response, Error = Infallible> + Clone,
{
    allocations_of(service, "/orders/1", 200)
}

fn allocations_of<S>(service: &S, path: &'static str, status: u16) -> u64
where
    S: Service<Request<Body>, Response = axum::response::Response, Error = Infallible> + Clone,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let call = || {
        let service = service.clone();
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        runtime.block_on(async move {
            let response = service.oneshot(request).await.unwrap();
            assert_eq!(response.status(), status);
            black_box(response.into_body().collect().await.unwrap());
        });
    };
    (0..3).for_each(|_| call());
    (0..8).map(|_| measure(call).count_total).min().unwrap()
}

#[test]
fn seven_empty_gates() {
    let bare = allocations(&served(router()));
    let noop = allocations(&served(router().layer(Noop(Arc::new(())))));
    let absent = GateLayer::<Empty>::absent;
    let optional = allocations(&served(
        router().layer(
            ServiceBuilder::new()
                .layer(absent())
                .layer(absent())
                .layer(absent())
                .layer(absent())
                .layer(absent())
                .layer(absent())
                .layer(absent()),
        ),
    ));
    let one = allocations(&served(router().layer(empty())));
    let seven = allocations(&served(
        router().layer(
            ServiceBuilder::new()
                .layer(empty())
                .layer(empty())
                .layer(empty())
                .layer(empty())
                .layer(empty())
                .layer(empty())
                .layer(empty()),
        ),
    ));
    println!("bare {bare}, Router::layer {noop}, seven absent gates {optional}, one gate {one}, seven gates {seven}");
    assert_eq!(optional, noop, "an absent gate costs nothing");
    assert_eq!(noop, bare + 2, "axum's own");
    assert_eq!(seven, bare + 5, "and three for the context: itself, its box in the extensions, and their growth");
    assert_eq!(seven, one, "the second gate costs no allocation");
}

const ORIGIN: &str = "https://app.example.com";

#[derive(Debug)]
struct Discard;

impl AuditSink for Discard {
    fn write<'a>(&'a self, batch: &'a AuditBatch) -> BoxFuture<'a, Result<(), StoreError>> {
        black_box(batch.len());
        Box::pin(async { Ok(()) })
    }
}

struct Layers {
    key: HeaderValue,
    audit: AuditLayer,
    headers: SecurityHeadersLayer,
    cors: CorsSecurityLayer,
    auth: AuthLayer,
    rate: RateLimitLayer,
    scope: ScopeLayer,
    quota: QuotaLayer,
}

fn layers() -> Layers {
    let store = MemoryStore::new();
    let record = ApiKeyRecord::builder("usr_1").plan("pro").scopes(["read:orders"]);
    let key = ApiKey::issue(&ApiKeyFormat::new("test", "live").unwrap(), &KeyHasher::ephemeral(), record).unwrap();
    store.insert_api_key(key.record).unwrap();
    let rule = Rule::new("client", Key::client(), Rate::per_minute(1_000_000));
    let plan = Plan::new("pro").monthly(1_000_000);
    Layers {
        key: HeaderValue::from_bytes(key.secret.expose()).unwrap(),
        audit: AuditLayer::builder(Discard).build().unwrap(),
        headers: SecurityHeadersLayer::api(),
        cors: CorsSecurityLayer::builder().allow_origin(ORIGIN).build().unwrap(),
        auth: AuthLayer::builder().api_keys(store.clone()).build().unwrap(),
        rate: RateLimitLayer::builder(store.clone()).rule(rule).build().unwrap(),
        scope: ScopeLayer::all(["read:orders"]).unwrap(),
        quota: QuotaLayer::builder(store).plan(plan).default_plan("pro").build().unwrap(),
    }
}

/// What a layer adds to the same request behind an empty gate, which is in the house already and
/// pays for the context; the request carries a key and an origin.
#[test]
fn each_layer() {
    let parts = layers();
    let key = parts.key.clone();
    let run = |app: Router| {
        let key = key.clone();
        let ask = tower::util::MapRequestLayer::new(move |mut request: Request<Body>| {
            request.headers_mut().insert("x-api-key", key.clone());
            request.headers_mut().insert("origin", HeaderValue::from_static(ORIGIN));
            request
        });
        allocations(&ask.layer(app))
    };
    let base = run(served(router().layer(empty())));
    let alone = |name: &'static str, app: Router| (name, run(app) - base);
    let with_auth = |layer| served(router().layer(ServiceBuilder::new().layer(parts.auth.clone()).layer(layer)));
    let seven = ServiceBuilder::new()
        .layer(parts.audit.clone())
        .layer(parts.headers.clone())
        .layer(parts.cors.clone())
        .layer(parts.auth.clone())
        .layer(parts.rate.clone())
        .layer(parts.scope.clone())
        .layer(parts.quota.clone());
    let in_one = Gates::new()
        .layer(&parts.audit)
        .layer(&parts.headers)
        .layer(&parts.cors)
        .layer(&parts.auth)
        .layer(&parts.rate)
        .layer(&parts.scope)
        .layer(&parts.quota);
    let stack = Stack::new()
        .audit(&parts.audit)
        .security_headers(&parts.headers)
        .cors(&parts.cors)
        .auth(&parts.auth)
        .rate_limit(&parts.rate)
        .scope(&parts.scope)
        .quota(&parts.quota);
    let measured = [
        alone("audit", served(router().layer(parts.audit.clone()))),
        alone("security headers", served(router().layer(parts.headers.clone()))),
        alone("cors", served(router().layer(parts.cors.clone()))),
        alone("auth, API key", served(router().layer(parts.auth.clone()))),
        alone("auth and scope", with_auth(parts.scope.clone())),
        alone("rate limit", served(router().layer(parts.rate.clone()))),
        alone("quota", served(router().layer(parts.quota.clone()))),
        alone("all seven", served(router().layer(seven))),
        alone("the seven in one", served(router().layer(in_one))),
        alone("stack", served(router().layer(stack))),
    ];
    let pinned = [
        ("audit", 2),
        ("security headers", 2),
        ("cors", 0),
        ("auth, API key", 0),
        ("auth and scope", 0),
        ("rate limit", 2),
        ("quota", 2),
        ("all seven", 4),
        ("the seven in one", 4),
        ("stack", 7),
    ];
    assert_eq!(measured, pinned);
}

/// A signed token costs the same however many claims it has.
#[cfg(feature = "aws-lc")]
#[test]
fn a_token() {
    let issuer = portcullis::testing::TestIssuer::new("https://issuer.test");
    let another = portcullis::testing::TestIssuer::new("https://another.test");
    let of = |auth: AuthLayerBuilder, token: String| {
        let token = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        let ask = tower::util::MapRequestLayer::new(move |mut request: Request<Body>| {
            request.headers_mut().insert("authorization", token.clone());
            request
        });
        let base = allocations(&ask.layer(served(router().layer(empty()))));
        allocations(&ask.layer(served(router().layer(auth.build().unwrap())))) - base
    };
    let forgetful = |issuer: &portcullis::testing::TestIssuer| -> JwtVerifier {
        issuer.issuer().without_token_cache().build().unwrap()
    };
    let first_sight = || AuthLayer::builder().jwt(forgetful(&issuer));
    let few = || issuer.token("usr_1").scopes(["read:orders"]).plan("pro");
    let many = || few().scopes(["a:b", "c:d"]).roles(["x", "y"]).tenant("t").claim("nbf", 1).claim("acr", "2");
    assert_eq!(of(first_sight(), few().sign()), 3, "ES256");
    assert_eq!(of(first_sight(), many().sign()), 4, "thirteen claims, and roles");
    let both = first_sight().jwt(forgetful(&another));
    assert_eq!(of(both, few().sign()), 4, "one of two issuers: the parser's box when it stops at iss");
    // Seen again, as an API key: the principal is there.
    let again = || AuthLayer::builder().jwt(issuer.verifier());
    assert_eq!(of(again(), many().sign()), 0, "seen again");
    // Nothing is revoked, or something else is.
    let store = MemoryStore::new();
    assert_eq!(of(again().revocations(store.clone()), few().sign()), 0, "revocations");
    let (now, ever) = (portcullis::time::Timestamp::EPOCH, portcullis::time::Timestamp::MAX);
    let revoked = store.revoke(Revocation::token("https://issuer.test", "another", ever), now);
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(revoked).unwrap();
    assert_eq!(of(again().revocations(store), few().sign()), 0, "something revoked");
}

/// A webhook costs the boxes in which its body is awaited, and what it leaves behind.
#[test]
fn a_webhook() {
    const BODY: &str = "{\"zen\":\"Speak like a human.\"}";
    let secret = Secret::new("a secret of tests");
    let hook = WebhookVerifyLayer::builder(Provider::github(), secret.clone(), MemoryStore::new()).build().unwrap();
    let now = portcullis::time::SystemClock::new().now().wall;
    let signature = Provider::github().sign(&secret, "1", now, BODY.as_bytes()).unwrap();
    let deliveries = AtomicU64::new(0);
    let deliveries = Arc::new(deliveries);
    let ask = tower::util::MapRequestLayer::new(move |_: Request<Body>| {
        let mut request = Request::post("/orders/1").body(Body::from(BODY)).unwrap();
        request.headers_mut().extend(signature.clone());
        // Each one is another event, with an id of the same length.
        let id = deliveries.fetch_add(1, Relaxed) + 1_000;
        request.headers_mut().insert("x-github-delivery", HeaderValue::from(id));
        request
    });
    let router = || Router::new().route("/orders/{id}", post(|| async { "ok" }));
    let base = allocations(&ask.layer(served(router().layer(empty()))));
    assert_eq!(allocations(&ask.layer(served(router().layer(hook)))) - base, 12, "webhook");
}

/// That a route owes the check costs nothing; an object costs axum's list of the path's parameters.
#[test]
fn an_object() {
    use portcullis::{
        authz::{
            Requirement,
            object::{Access, Authorized, ListScope, Load, Read, Resource, Tenancy},
        },
        testing::{principal, with_principal},
    };

    #[derive(Clone)]
    struct Order(&'static str);

    impl Resource for Order {
        type Id = u64;
        const KIND: &'static str = "orders";
        const TENANCY: Tenancy = Tenancy::Separate;

        fn owner(&self) -> &str {
            self.0
        }

        fn tenant(&self) -> Option<&str> {
            Some("t1")
        }
    }

    impl Load<Order> for Order {
        async fn load(&self, id: &u64, _: Option<&str>) -> Result<Option<Order>, StoreError> {
            Ok(["usr_1", "usr_2"].get(usize::try_from(id - 1).unwrap()).map(|owner| Order(owner)))
        }
    }

    let app = |handler: axum::routing::MethodRouter<Order>, requirement: Requirement| {
        let caller = principal("usr_1").tenant("t1").scopes(["read:orders:own"]).build();
        let scope = ScopeLayer::builder(requirement).build().unwrap();
        let gates = ServiceBuilder::new().layer(with_principal(caller)).layer(scope);
        Router::new().route("/orders/{id}", handler).with_state(Order("usr_1")).layer(gates)
    };
    let run = |handler, requirement| allocations(&app(handler, requirement));
    let plain = Requirement::authenticated;
    let base = run(get(|| async { "ok" }), plain());
    let met = |requirement| {
        run(get(|access: Access<Order, Read>| async move { access.check(&Order("usr_1")).map(|()| "ok") }), requirement)
    };
    assert_eq!([met(plain()) - base, met(plain().object_level()) - base], [0, 0], "obligation");
    let own = Requirement::all(["read:orders"]).own_allowed();
    let listed =
        run(get(|list: ListScope<Order, Read>| async move { list.filter().owner().map_or("", |_| "ok") }), own);
    let loaded = run(get(|_: Authorized<Order, Read>| async { "ok" }), plain().object_level());
    assert_eq!((listed - base, loaded - base), (0, 1), "ListScope, Authorized");

    // Somebody else's costs what none does: nothing to be measured.
    let loading = app(get(|_: Authorized<Order, Read>| async { "ok" }), plain().object_level());
    assert_eq!(allocations_of(&loading, "/orders/2", 404), allocations_of(&loading, "/orders/3", 404));
}
