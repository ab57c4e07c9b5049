//! The service, stacked as the README shows.

use axum::{
    Router,
    routing::{delete, get, post},
};
use http::{HeaderName, Method, header};
use portcullis::{
    audit::AuditLayer,
    auth::{
        AuthLayer,
        api_key::{ApiKey, ApiKeyFormat, ApiKeyRecord, KeyHasher},
        jwt::{Issuer, StaticKeys},
    },
    authz::{Requirement, ScopeLayer},
    backend::memory::MemoryStore,
    cors::CorsSecurityLayer,
    headers::SecurityHeadersLayer,
    identity::Principal,
    quota::{Plan, QuotaLayer},
    rate_limit::{Key, Rate, RateLimitLayer, Rule},
    request::{QuotaStatus, VerifiedWebhook},
    secret::Secret,
    webhook::{Provider, WebhookVerifyLayer},
};
use tower::ServiceBuilder;

use crate::backends::{MapStore, Records};

/// The origin whose pages may read the responses.
pub const PAGE: &str = "https://app.example.com";

pub struct Service {
    pub router: Router,
    pub audit: AuditLayer,
    pub store: MemoryStore,
    pub api_key: String,
    pub hook_secret: Secret,
}

impl Service {
    pub fn new(records: Records) -> Result<Self, Box<dyn std::error::Error>> {
        let store = MemoryStore::new();
        let record = ApiKeyRecord::builder("usr_1").plan("free").scopes(["read:orders"]);
        let key = ApiKey::issue(&ApiKeyFormat::new("acme", "live")?, &KeyHasher::ephemeral(), record)?;
        store.insert_api_key(key.record)?;
        let keys = StaticKeys::new().secret(Secret::new("a secret of the service, 32 bytes at least"));
        let tokens = Issuer::new("https://id.example.com").audience("orders").keys(keys).build()?;
        let hook_secret = Secret::new("It's a Secret to Everybody");

        let audit = AuditLayer::builder(records).service("consumer").build()?;
        let headers = SecurityHeadersLayer::api();
        let cors = CorsSecurityLayer::builder()
            .allow_origin(PAGE)
            .methods([Method::GET, Method::DELETE])
            .request_headers([header::AUTHORIZATION, HeaderName::from_static("x-api-key")])
            .build()?;
        let auth = AuthLayer::builder().jwt(tokens).api_keys(store.clone()).realm("orders").build()?;
        let rates = RateLimitLayer::builder(MapStore::default())
            .rule(Rule::new("client", Key::client(), Rate::per_minute(5)))
            .build()?;
        let scopes = ScopeLayer::table()
            .route(Method::GET, "/orders", Requirement::all(["read:orders"]))
            .route(Method::DELETE, "/orders/{id}", Requirement::all(["admin:orders"]))
            .build()?;
        let quota =
            QuotaLayer::builder(store.clone()).plan(Plan::new("free").monthly(2)).default_plan("free").build()?;
        let hook = WebhookVerifyLayer::builder(Provider::github(), hook_secret.clone(), store.clone()).build()?;

        let gates = ServiceBuilder::new()
            .layer(audit.clone())
            .layer(headers)
            .layer(cors)
            .layer(auth)
            .layer(rates)
            .layer(scopes)
            .layer(quota);
        let api = Router::new()
            .route("/orders", get(list))
            .route("/orders/{id}", delete(|| async { "deleted" }))
            .layer(gates);
        let hooks = Router::new()
            .route("/webhooks/github", post(pushed))
            .layer(ServiceBuilder::new().layer(audit.clone()).layer(hook));
        let api_key = String::from_utf8(key.secret.expose().to_vec())?;
        Ok(Self { router: api.merge(hooks), audit, store, api_key, hook_secret })
    }
}

async fn list(caller: Principal, quota: QuotaStatus) -> String {
    format!("orders of {}, call {} of this month", caller.subject(), quota.used)
}

async fn pushed(webhook: VerifiedWebhook) -> String {
    format!("{} {}", webhook.provider(), webhook.event_id())
}
