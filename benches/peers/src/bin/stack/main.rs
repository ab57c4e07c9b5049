//! One request through axum, in process: bare, behind each layer alone, behind all seven, and
//! behind the peers that come nearest (which authenticate nobody, meter nothing, record nothing).
//!
//! Beside the seven stands what one service costs that does the same by hand ([`by_hand`]).
//!
//! `cargo run --release --bin stack [-- ROUNDS ITERATIONS]`

mod by_hand;

use std::{collections::HashSet, hint::black_box, net::SocketAddr, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, routing::get};
use governor::middleware::StateInformationMiddleware;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body_util::BodyExt as _;
use portcullis::{
    audit::{AuditBatch, AuditLayer, AuditSink},
    auth::{
        AuthLayer,
        api_key::{ApiKey, ApiKeyFormat, ApiKeyRecord, KeyHasher},
    },
    authz::ScopeLayer,
    backend::memory::MemoryStore,
    cors::{CorsSecurityLayer, CorsSecurityLayerBuilder},
    gate::{Gates, ProblemLayer},
    headers::SecurityHeadersLayer,
    quota::{Plan, QuotaLayer},
    rate_limit::{Key, Rate, RateLimitHeaders, RateLimitLayer, Rule},
    stack::Stack,
    store::{BoxFuture, StoreError},
    testing::TestIssuer,
};
use portcullis_peers::{Counting, Suite};
use tower::{ServiceBuilder, ServiceExt as _};
use tower_governor::{
    GovernorLayer,
    governor::{GovernorConfig, GovernorConfigBuilder},
    key_extractor::PeerIpKeyExtractor,
};
use tower_http::{cors::CorsLayer, set_header::SetResponseHeaderLayer};

use by_hand::ByHand;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What never refuses a benchmark, at a rate whose period is a whole microsecond, as usual ones are.
const PLENTY: u64 = 1_000_000;
const ORIGIN: &str = "https://app.example.com";
const HEADERS: [(&str, &str); 8] = [
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
    ("permissions-policy", "geolocation=(), camera=()"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

#[derive(Debug)]
struct Discard;

impl AuditSink for Discard {
    fn write<'a>(&'a self, batch: &'a AuditBatch) -> BoxFuture<'a, Result<(), StoreError>> {
        black_box(batch.len());
        Box::pin(async { Ok(()) })
    }
}

fn bare() -> Router {
    Router::new().route("/orders/{id}", get(|| async { "ok" }))
}

/// As `axum::serve` runs it: with its state, so that the layers are applied once and not, as to a
/// router that still waits for one, at every request.
fn requests(app: Router, credential: Option<(HeaderName, HeaderValue)>) -> impl FnMut(u64) + 'static {
    let service: Router = app.with_state(());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let peer: SocketAddr = "192.0.2.7:4711".parse().expect("an address");
    move |count| {
        runtime.block_on(async {
            for _ in 0..count {
                let mut request = Request::builder()
                    .uri("/orders/42")
                    .header(header::ORIGIN, HeaderValue::from_static(ORIGIN))
                    .body(Body::empty())
                    .expect("a request");
                if let Some((name, value)) = &credential {
                    request.headers_mut().insert(name.clone(), value.clone());
                }
                request.extensions_mut().insert(ConnectInfo(peer));
                let response = service.clone().oneshot(request).await.expect("a response");
                assert_eq!(response.status(), 200);
                black_box(response.into_body().collect().await.expect("a body"));
            }
        });
    }
}

/// The fields of one response.
fn fields(app: Router, credential: Option<(HeaderName, HeaderValue)>) -> HeaderMap {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (name, value) = credential.expect("a credential");
    let request = Request::builder().uri("/orders/42").header(header::ORIGIN, ORIGIN).header(name, value);
    let mut request = request.body(Body::empty()).expect("a request");
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 4711))));
    let response = runtime.block_on(app.with_state::<()>(()).oneshot(request)).expect("a response");
    response.headers().clone()
}

struct Layers {
    audit: AuditLayer,
    headers: SecurityHeadersLayer,
    cors: CorsSecurityLayer,
    auth: AuthLayer,
    rate: RateLimitLayer,
    scope: ScopeLayer,
    quota: QuotaLayer,
}

fn cors() -> CorsSecurityLayerBuilder {
    CorsSecurityLayer::builder().allow_origin(ORIGIN)
}

fn rates(store: &MemoryStore, headers: RateLimitHeaders) -> RateLimitLayer {
    let rule = Rule::new("client", Key::client(), Rate::per_second(PLENTY).burst(1_000_000_000));
    RateLimitLayer::builder(store.clone()).rule(rule).headers(headers).build().expect("rates")
}

fn layers(store: &MemoryStore) -> Layers {
    Layers {
        audit: AuditLayer::builder(Discard).build().expect("audit"),
        headers: SecurityHeadersLayer::api(),
        cors: cors().build().expect("cors"),
        auth: AuthLayer::builder().api_keys(store.clone()).build().expect("auth"),
        rate: rates(store, RateLimitHeaders::default()),
        scope: ScopeLayer::all(["read:orders"]).expect("a scope"),
        quota: QuotaLayer::builder(store.clone())
            .plan(Plan::new("pro").unlimited())
            .default_plan("pro")
            .build()
            .expect("a quota"),
    }
}

/// The seven in one `ServiceBuilder`.
fn seven(parts: &Layers, auth: &AuthLayer) -> Router {
    let layers = ServiceBuilder::new()
        .layer(parts.audit.clone())
        .layer(parts.headers.clone())
        .layer(parts.cors.clone())
        .layer(auth.clone())
        .layer(parts.rate.clone())
        .layer(parts.scope.clone())
        .layer(parts.quota.clone());
    bare().layer(layers)
}

/// The seven in one [`Gates`].
fn seven_in_one(parts: &Layers, auth: &AuthLayer) -> Router {
    let gates = Gates::new()
        .layer(&parts.audit)
        .layer(&parts.headers)
        .layer(&parts.cors)
        .layer(auth)
        .layer(&parts.rate)
        .layer(&parts.scope)
        .layer(&parts.quota);
    bare().layer(gates)
}

fn governor() -> GovernorConfig<PeerIpKeyExtractor, StateInformationMiddleware> {
    let mut governor = GovernorConfigBuilder::default();
    governor.per_nanosecond(1).burst_size(1_000_000_000);
    governor.use_headers().finish().expect("a configuration")
}

fn peers_cors() -> CorsLayer {
    CorsLayer::new().allow_origin([HeaderValue::from_static(ORIGIN)]).allow_credentials(true)
}

fn peers() -> Router {
    let header = |index: usize| {
        let (name, value) = HEADERS[index];
        SetResponseHeaderLayer::overriding(HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    let eight = ServiceBuilder::new()
        .layer(header(0))
        .layer(header(1))
        .layer(header(2))
        .layer(header(3))
        .layer(header(4))
        .layer(header(5))
        .layer(header(6))
        .layer(header(7));
    bare().layer(ServiceBuilder::new().layer(eight).layer(peers_cors()).layer(GovernorLayer::new(governor())))
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let rounds = arguments.next().unwrap_or(60);
    let iterations = arguments.next().unwrap_or(2_000);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let _entered = runtime.enter();

    let store = MemoryStore::new();
    let record = ApiKeyRecord::builder("usr_1").plan("pro").scopes(["read:orders"]);
    let format = ApiKeyFormat::new("bench", "live").expect("a format");
    let key = ApiKey::issue(&format, &KeyHasher::ephemeral(), record).expect("a key");
    store.insert_api_key(key.record).expect("room");
    let value = HeaderValue::from_bytes(key.secret.expose()).expect("a header value");
    let credential = || Some((HeaderName::from_static("x-api-key"), value.clone()));
    let parts = layers(&store);

    let mut suite = Suite::default();
    suite.case("bare router", requests(bare(), None));
    suite.case("one empty gate: the context", requests(bare().layer(ProblemLayer::new()), None));
    suite.case("AuditLayer", requests(bare().layer(parts.audit.clone()), None));
    suite.case("SecurityHeadersLayer", requests(bare().layer(parts.headers.clone()), None));
    suite.case("CorsSecurityLayer", requests(bare().layer(parts.cors.clone()), None));
    suite.case("AuthLayer, API key", requests(bare().layer(parts.auth.clone()), credential()));
    suite.case("RateLimitLayer", requests(bare().layer(parts.rate.clone()), None));
    let scoped = ServiceBuilder::new().layer(parts.auth.clone()).layer(parts.scope.clone());
    suite.case("AuthLayer + ScopeLayer", requests(bare().layer(scoped), credential()));
    suite.case("QuotaLayer", requests(bare().layer(parts.quota.clone()), None));
    suite.case("seven layers, API key", requests(seven(&parts, &parts.auth), credential()));
    let issuer = TestIssuer::new("https://issuer.test");
    let token = issuer.token("usr_1").plan("pro").scopes(["read:orders"]).sign();
    let bearer = HeaderValue::try_from(format!("Bearer {token}")).expect("a header value");
    let tokens = AuthLayer::builder().jwt(issuer.verifier()).build().expect("auth");
    let fewer = Layers {
        cors: cors().expose_only([""; 0]).build().expect("cors"),
        rate: rates(&store, RateLimitHeaders::ietf()),
        ..layers(&store)
    };
    let cached = || Some((header::AUTHORIZATION, bearer.clone()));
    suite.case("AuthLayer, cached token", requests(bare().layer(tokens.clone()), cached()));
    suite.case("seven layers, cached token", requests(seven(&parts, &tokens), cached()));
    suite.case("the seven in one Gates, cached token", requests(seven_in_one(&parts, &tokens), cached()));
    suite.case("the same, rate limits in the draft's two fields", requests(seven_in_one(&fewer, &tokens), cached()));
    // Of layers of their own: a layer's tasks live where it is used first, and here nothing lives long.
    let like = fields(seven(&layers(&store), &tokens), cached());
    let hand = ByHand::new(&store, &bearer, &like, Rate::per_second(PLENTY).burst(1_000_000_000));
    let names = |headers: &HeaderMap| headers.keys().cloned().collect::<HashSet<_>>();
    assert_eq!(names(&fields(bare().layer(hand.clone()), cached())), names(&like));
    suite.case(&format!("the same {} fields, by hand", like.len()), requests(bare().layer(hand), cached()));
    drop(like);
    let stack = Stack::new()
        .audit(&parts.audit)
        .security_headers(&parts.headers)
        .cors(&parts.cors)
        .auth(&parts.auth)
        .rate_limit(&parts.rate)
        .scope(&parts.scope)
        .quota(&parts.quota);
    suite.case("Stack with the seven and tower-http's", requests(bare().layer(stack), credential()));
    let alone = GovernorLayer::new(governor());
    suite.case("peer: tower_governor with headers", requests(bare().layer(alone), None));
    suite.case("peer: tower-http CORS", requests(bare().layer(peers_cors()), None));
    suite.case("peers: tower_governor + tower-http CORS + 8 headers", requests(peers(), None));
    suite.print(usize::try_from(rounds).expect("rounds"), iterations);
    runtime.shutdown_timeout(Duration::from_secs(1));
}
