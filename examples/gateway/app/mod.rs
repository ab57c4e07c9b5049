//! The application: an orders API, open routes and webhook receivers, behind all seven layers.

mod demo;
mod orders;

use std::{error::Error, time::Duration};

use axum::{
    Router,
    routing::{get, post},
};
use http::{HeaderName, Method, header};
use portcullis::{
    audit::{AuditLayer, AuditSink},
    auth::{
        AuthLayer,
        api_key::{ApiKey, ApiKeyFormat, ApiKeyRecord, KeyHasher},
        jwt::{Issuer, JwtVerifier},
    },
    authz::ScopeLayer,
    backend::memory::MemoryStore,
    config_error::ConfigError,
    cors::CorsSecurityLayer,
    headers::SecurityHeadersLayer,
    quota::{Plan, QuotaLayer},
    rate_limit::{Key, Rate, RateLimitLayer, Rule},
    rejection::{Rejection, RejectionKind},
    secret::Secret,
    stack::Stack,
    testing::TestIssuer,
    webhook::{Provider, WebhookVerifyLayer},
};
use tower::ServiceBuilder;

/// What a token must be meant for.
const AUDIENCE: &str = "orders";
const MAX_BODY: usize = 1_000_000;
/// No request takes longer, the upload of its body included.
pub(crate) const LONGEST: Duration = Duration::from_secs(8);
const UPLOAD: Duration = Duration::from_secs(5);

/// The application, and what its users need to call it.
pub(crate) struct Gateway {
    pub(crate) router: Router,
    pub(crate) audit: AuditLayer,
    pub(crate) tokens: JwtVerifier,
    /// `NAME=value` for whoever wants to try it.
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// The demo's own issuer of tokens, for a gateway that is reachable at `base_url`.
pub(crate) fn issuer(base_url: &str) -> TestIssuer {
    TestIssuer::new(base_url).audience(AUDIENCE)
}

/// Builds the gateway that serves the keys of `issuer`, and fetches them from there over HTTP like
/// any other issuer's.
pub(crate) fn build(issuer: &TestIssuer, sink: impl AuditSink) -> Result<Gateway, Box<dyn Error>> {
    let store = MemoryStore::new();
    let base_url = issuer.url();
    let jwks_url = format!("{base_url}/.well-known/jwks.json");
    // The demo's tokens live for as long as somebody may play with it.
    let hour = Duration::from_secs(3600);
    let tokens = Issuer::new(base_url).audience(AUDIENCE).jwks_url(jwks_url).max_lifetime(hour).build()?;
    let audit = AuditLayer::builder(sink).service("gateway").build()?;

    let api_key = ApiKey::issue(
        &ApiKeyFormat::new("demo", "live")?,
        &KeyHasher::ephemeral(),
        ApiKeyRecord::builder("usr_key").plan("free").scopes(["read:orders"]),
    )?;
    store.insert_api_key(api_key.record)?;

    let token = |subject: &str, scopes: &[&str]| issuer.token(subject).scopes(scopes).plan("free").expires_in(hour);
    let mut environment = vec![
        ("BASE_URL", base_url.to_owned()),
        ("TOKEN_READ", token("usr_read", &["read:orders"]).sign()),
        ("TOKEN_WRITE", token("usr_write", &["read:orders", "write:orders"]).sign()),
        ("TOKEN_ADMIN", token("usr_admin", &["read:orders", "write:orders", "admin:orders"]).sign()),
        ("TOKEN_EXPIRED", token("usr_read", &["read:orders"]).expired().sign()),
        ("API_KEY", String::from_utf8_lossy(api_key.secret.expose()).into_owned()),
    ];

    let open = open_routes(issuer, &store)?;
    let api = api_routes(&tokens, &store)?;
    let hooks = hook_routes(&store, &mut environment)?;
    let router = open
        .merge(api)
        .merge(hooks)
        .fallback(|| async { Rejection::new(RejectionKind::NotFound) })
        .layer(edge(&audit)?);
    Ok(Gateway { router, audit, tokens, environment })
}

/// What every request passes, whatever route it is for.
fn edge(audit: &AuditLayer) -> Result<Stack, ConfigError> {
    let cors = CorsSecurityLayer::builder()
        .allow_origin("https://app.example.com")
        .methods([Method::GET, Method::POST, Method::DELETE])
        .request_headers([header::AUTHORIZATION, header::CONTENT_TYPE, HeaderName::from_static("x-api-key")])
        .build()?;
    Ok(Stack::new()
        .audit(audit)
        .security_headers(&SecurityHeadersLayer::api())
        .cors(&cors)
        .timeout(LONGEST)
        .body_limit(MAX_BODY)
        .body_deadline(UPLOAD))
}

/// Nobody needs a credential here, so the address is what limits go by.
fn open_routes(issuer: &TestIssuer, store: &MemoryStore) -> Result<Router, ConfigError> {
    let limits = RateLimitLayer::builder(store.clone())
        .rule(Rule::new("open", Key::ip(), Rate::per_minute(1200)))
        .rule(Rule::new("login", Key::ip(), Rate::per_minute(5)).on(Method::POST, "/auth/login"))
        .build()?;
    Ok(Router::new()
        .route("/health", get(demo::health))
        .route("/auth/login", post(demo::login))
        .merge(issuer.jwks_router())
        .layer(limits))
}

fn api_routes(tokens: &JwtVerifier, store: &MemoryStore) -> Result<Router, ConfigError> {
    let by_address =
        RateLimitLayer::builder(store.clone()).rule(Rule::new("address", Key::ip(), Rate::per_minute(6000))).build()?;
    let auth = AuthLayer::builder().jwt(tokens.clone()).api_keys(store.clone()).realm("orders").build()?;
    let by_client = RateLimitLayer::builder(store.clone())
        .rule(Rule::new("client", Key::client(), Rate::per_minute(300)))
        .build()?;
    let quota = QuotaLayer::builder(store.clone())
        .plan(Plan::new("free").monthly(5))
        .default_plan("free")
        .upgrade_url("https://app.example.com/upgrade")
        .build()?;
    let scope = |scope: &'static str| ScopeLayer::all([scope]);

    let orders =
        get(orders::list).layer(scope("read:orders")?).merge(post(orders::create).layer(scope("write:orders")?));
    let order = get(orders::read)
        .layer(scope("read:orders")?)
        .merge(axum::routing::delete(orders::delete).layer(scope("admin:orders")?));
    let gates = ServiceBuilder::new().layer(by_address).layer(auth).layer(by_client);
    Ok(Router::new()
        .route("/api/orders", orders)
        .route("/api/orders/{id}", order)
        .with_state(orders::Orders::default())
        .route("/quota/demo", get(demo::quota).layer(quota))
        .route("/demo/slow", get(demo::slow))
        .route("/demo/panic", get(demo::panic))
        .layer(gates))
}

/// The signature is the credential here.
fn hook_routes(store: &MemoryStore, environment: &mut Vec<(&'static str, String)>) -> Result<Router, Box<dyn Error>> {
    let mut hooks = Router::new();
    for (name, variable) in [
        ("stripe", "STRIPE_SECRET"),
        ("github", "GITHUB_SECRET"),
        ("shopify", "SHOPIFY_SECRET"),
        ("slack", "SLACK_SECRET"),
    ] {
        let secret = random_secret()?;
        let verify = WebhookVerifyLayer::builder(Provider::named(name)?, Secret::from(secret.as_str()), store.clone())
            .max_body(MAX_BODY)
            .build()?;
        hooks = hooks.route(&format!("/webhooks/{name}"), post(demo::hook).layer(verify));
        environment.push((variable, secret));
    }
    let limits =
        RateLimitLayer::builder(store.clone()).rule(Rule::new("hooks", Key::ip(), Rate::per_minute(1200))).build()?;
    Ok(hooks.layer(limits))
}

fn random_secret() -> Result<String, Box<dyn Error>> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
