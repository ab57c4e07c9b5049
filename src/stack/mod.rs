//! All layers by name, always nested in the right order.
//!
//! [`Stack`] takes the layers of this crate in whatever order they are given and nests them in the
//! one order in which they protect each other, with tower-http's sensitive headers, catch-panic,
//! time-out and body limits between them:
//!
//! | # | layer | why there |
//! |---|---|---|
//! | 1 | sensitive headers | before anything can log a credential |
//! | 2 | request context | all others read it: client address, request id, the one reading of the clock |
//! | 3 | [`AuditLayer`] | sees every refusal below, and the true duration |
//! | 4 | [`SecurityHeadersLayer`] | on every response, preflights and refusals among them |
//! | 5 | [`CorsSecurityLayer`] | answers preflights before they cost anything; makes refusals readable |
//! | 6 | problem documents, catch-panic | what panics or fails below is still decorated by 4 and 5 |
//! | 7 | [`IpFilterLayer`] | the cheapest refusal; inside 5, so that a page can read it |
//! | 8 | [`RequireHttpsLayer`] | before anything looks at a credential that everybody has read |
//! | 9 | time-out, body limit, body deadline | bound everything below |
//! | 10 | [`RateLimitLayer`], by address and globally | signature checks are dearer than a counter |
//! | 11 | [`ApiVersionLayer`] | who calls a version that has ended learns so without a credential |
//! | 12 | [`AuthLayer`] | |
//! | 13 | [`RateLimitLayer`], by client | needs the principal |
//! | 14 | [`ScopeLayer`] | a forbidden call must cost no quota |
//! | 15 | `GraphQlLimitLayer` (feature `graphql`) | a query that is refused costs no quota |
//! | 16 | [`QuotaLayer`] | |
//! | 17 | [`RequestValidationLayer`] | reads the body, for callers who may call |
//! | 18 | [`WebhookVerifyLayer`] | needs the bytes of the body; takes 12's place on hook routes |
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     backend::memory::MemoryStore,
//!     rate_limit::{Key, Rate, RateLimitLayer, Rule},
//!     stack::Stack,
//! };
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let per_address = RateLimitLayer::builder(MemoryStore::new())
//!     .rule(Rule::new("address", Key::ip(), Rate::per_minute(1)))
//!     .build()?;
//! let app = Router::new()
//!     .route("/", get(|| async { "hello" }))
//!     .layer(Stack::new().rate_limit_before_auth(&per_address));
//!
//! let ask = || Request::new(Body::empty());
//! assert_eq!(app.clone().oneshot(ask()).await?.status(), StatusCode::OK);
//! assert_eq!(app.oneshot(ask()).await?.status(), StatusCode::TOO_MANY_REQUESTS);
//! # Ok(()) }
//! ```
//!
//! `docs/stacking.md` says more: the other ways to stack, layers of single routes, several routers,
//! and what comes of wrong orders.
//!
//! # Cost
//! What is not given costs nothing. Catch-panic, the body limit and their conversions are
//! tower-http's and box the response body.

mod bounds;
mod lints;
mod service;

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tower_layer::Layer;

pub use self::service::StackService;
#[cfg(feature = "graphql")]
use crate::graphql::{GraphQlLimitGate, GraphQlLimitLayer};
use crate::{
    audit::{AuditGate, AuditLayer},
    auth::{AuthGate, AuthLayer},
    authz::{ScopeGate, ScopeLayer},
    cors::{CorsGate, CorsSecurityLayer},
    gate::{AsGate as _, ContextGate, GateLayer, RequestContextLayer},
    headers::{SecurityHeadersGate, SecurityHeadersLayer},
    ip_filter::{IpFilterGate, IpFilterLayer},
    lint::{Lints, Report, Waivers},
    quota::{QuotaGate, QuotaLayer},
    rate_limit::{RateLimitGate, RateLimitLayer},
    request::TrustedProxies,
    require_https::{RequireHttpsGate, RequireHttpsLayer},
    time::Clock,
    validate::{RequestValidationLayer, ValidationGate},
    versioning::{ApiVersionGate, ApiVersionLayer},
    webhook::{WebhookGate, WebhookVerifyLayer},
};

/// Runs the programs of the page.
#[cfg(doctest)]
#[doc = include_str!("../../docs/stacking.md")]
struct Page;

/// Runs the programs of the guide to the edge.
#[cfg(doctest)]
#[doc = include_str!("../../docs/edge.md")]
struct Edge;

/// The layers of one router. See the [module](self) for the order.
#[derive(Clone, Debug)]
#[must_use = "a stack does nothing until it is given to Router::layer"]
pub struct Stack {
    context: RequestContextLayer,
    audit: GateLayer<AuditGate>,
    headers: GateLayer<SecurityHeadersGate>,
    cors: GateLayer<CorsGate>,
    ip_filter: GateLayer<IpFilterGate>,
    require_https: GateLayer<RequireHttpsGate>,
    bounds: bounds::Bounds,
    rate_before_auth: GateLayer<RateLimitGate>,
    api_version: GateLayer<ApiVersionGate>,
    auth: GateLayer<AuthGate>,
    rate: GateLayer<RateLimitGate>,
    scope: GateLayer<ScopeGate>,
    #[cfg(feature = "graphql")]
    graphql: GateLayer<GraphQlLimitGate>,
    quota: GateLayer<QuotaGate>,
    validation: GateLayer<ValidationGate>,
    webhook: GateLayer<WebhookGate>,
    lints: Lints,
    /// What was found about the layers, with the setter's name.
    reports: Vec<(&'static str, Report)>,
    /// What is allowed of the whole; known once the stack is first put around something.
    waivers: Arc<OnceLock<Option<Arc<Waivers>>>>,
}

impl Stack {
    /// An empty stack: the request context, sensitive headers, problem documents and catch-panic
    /// are always in it; bodies are limited to 1 MiB (or what a validation takes) within 30 s, and
    /// handlers to 30 s.
    pub fn new() -> Self {
        Self {
            context: RequestContextLayer::new(),
            audit: GateLayer::absent(),
            headers: GateLayer::absent(),
            cors: GateLayer::absent(),
            ip_filter: GateLayer::absent(),
            require_https: GateLayer::absent(),
            bounds: bounds::Bounds::default(),
            rate_before_auth: GateLayer::absent(),
            api_version: GateLayer::absent(),
            auth: GateLayer::absent(),
            rate: GateLayer::absent(),
            scope: GateLayer::absent(),
            #[cfg(feature = "graphql")]
            graphql: GateLayer::absent(),
            quota: GateLayer::absent(),
            validation: GateLayer::absent(),
            webhook: GateLayer::absent(),
            lints: Lints::new(),
            reports: Vec::new(),
            waivers: Arc::default(),
        }
    }

    /// Another clock than the machine's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.context = self.context.clock(clock);
        self
    }

    /// The proxies whose word on the client's address is taken. None by default.
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        let report = proxies.report();
        self.context = self.context.trusted_proxies(proxies);
        self.found("trusted_proxies", &report)
    }

    /// Writes one record for each request.
    pub fn audit(mut self, layer: &AuditLayer) -> Self {
        self.audit = layer.gate_layer();
        self
    }

    /// Sets the security headers.
    pub fn security_headers(mut self, layer: &SecurityHeadersLayer) -> Self {
        self.headers = layer.gate_layer();
        self.found("security_headers", layer.report())
    }

    /// Answers preflights and lets allowed origins read the responses.
    pub fn cors(mut self, layer: &CorsSecurityLayer) -> Self {
        self.cors = layer.gate_layer();
        self.found("cors", layer.report())
    }

    /// Lets in and keeps out by address.
    pub fn ip_filter(mut self, layer: &IpFilterLayer) -> Self {
        self.ip_filter = layer.gate_layer();
        let report = layer.report();
        self.found("ip_filter", &report)
    }

    /// Refuses plain HTTP.
    pub fn require_https(mut self, layer: &RequireHttpsLayer) -> Self {
        self.require_https = layer.gate_layer();
        self.found("require_https", layer.report())
    }

    /// The largest request body in bytes; by default 1 MiB, or as much as any rule of the
    /// [`validation`](Self::validation) takes. A larger one is 413.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.bounds.body_limit = Some(bytes);
        self
    }

    fn longest_validated(&self) -> Option<usize> {
        self.validation.gate().map(|gate| gate.longest_body())
    }

    /// How long a request body may take to arrive, in all; 30 s by default.
    pub fn body_deadline(mut self, limit: Duration) -> Self {
        self.bounds.body_deadline = limit;
        self
    }

    /// How long a handler may take to begin its response; 30 s by default. Then 504.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.bounds.timeout = Some(limit);
        self
    }

    /// Lets handlers take as long as they like: for long polling.
    pub fn without_timeout(mut self) -> Self {
        self.bounds.timeout = None;
        self
    }

    /// Limits by address and for all clients together, before a credential is looked at.
    pub fn rate_limit_before_auth(mut self, layer: &RateLimitLayer) -> Self {
        self.rate_before_auth = layer.gate_layer();
        self
    }

    /// Finds out which version of the API is asked for, and ends old ones. (Paths that are to be
    /// rewritten need [`ApiVersionLayer::wrap`] around the router instead.)
    pub fn api_version(mut self, layer: &ApiVersionLayer) -> Self {
        self.api_version = layer.gate_layer();
        self.found("api_version", layer.report())
    }

    /// Finds out who calls.
    pub fn auth(mut self, layer: &AuthLayer) -> Self {
        self.auth = layer.gate_layer();
        self
    }

    /// Limits by client, once it is known who calls.
    pub fn rate_limit(mut self, layer: &RateLimitLayer) -> Self {
        self.rate = layer.gate_layer();
        self
    }

    /// Checks what the caller may do, for a whole router. (On single routes, give the layer to the
    /// route.)
    pub fn scope(mut self, layer: &ScopeLayer) -> Self {
        self.scope = layer.gate_layer();
        self
    }

    /// Bounds what GraphQL queries may ask for. (A rule that charges what they cost stands on the route,
    /// inside: [`rate_limit`](Self::rate_limit) counts requests.)
    #[cfg(feature = "graphql")]
    pub fn graphql_limit(mut self, layer: &GraphQlLimitLayer) -> Self {
        self.graphql = layer.gate_layer();
        self.found("graphql_limit", layer.report())
    }

    /// Meters the plan's allowance.
    pub fn quota(mut self, layer: &QuotaLayer) -> Self {
        self.quota = layer.gate_layer();
        self
    }

    /// Refuses requests of another shape than the routes take. Bodies are bounded by
    /// [`body_deadline`](Self::body_deadline) as well, and by [`body_limit`](Self::body_limit) where that is
    /// set: raise them as far as the largest route needs.
    pub fn validation(mut self, layer: &RequestValidationLayer) -> Self {
        self.validation = layer.gate_layer();
        self.found("validation", layer.report())
    }

    /// Verifies webhooks.
    pub fn webhook(mut self, layer: &WebhookVerifyLayer) -> Self {
        self.webhook = layer.gate_layer();
        self
    }

    /// Allows a kind of finding about the stack as a whole, and says why. (What is found about a layer
    /// is allowed at its own builder.) The reason reaches the audit log.
    pub fn allow_lint(mut self, code: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        self.lints = self.lints.allow(code, why);
        self.waivers = Arc::default();
        self
    }

    /// Everything that is doubtful about the stack: what was found about each layer, with the setter's
    /// name before the field, and what only shows where they stand together: scopes without
    /// authentication, authentication that nothing protects from guessing, no security headers, no
    /// time-out.
    ///
    /// ```
    /// use portcullis::{auth::AuthLayer, backend::memory::MemoryStore, stack::Stack};
    ///
    /// let auth = AuthLayer::builder().api_keys(MemoryStore::new()).build()?;
    /// let report = Stack::new().auth(&auth).lint();
    /// let codes: Vec<_> = report.issues().iter().map(|issue| issue.code).collect();
    /// assert_eq!(codes, ["no-limit-before-auth", "no-security-headers", "no-audit"]);
    /// assert!(report.check().is_ok(), "none of it is fatal");
    /// # Ok::<_, portcullis::config_error::ConfigError>(())
    /// ```
    #[must_use]
    pub fn lint(&self) -> Report {
        let whole = lints::whole(self, self.lints.clone());
        self.reports.iter().fold(whole, |report, (part, found)| report.merged(part, found))
    }

    /// Of a layer that is given twice, the second one counts.
    fn found(mut self, part: &'static str, report: &Report) -> Self {
        self.reports.retain(|(held, _)| *held != part);
        if !report.is_empty() {
            self.reports.push((part, report.clone()));
        }
        self
    }

    fn context_gate(&self) -> GateLayer<ContextGate> {
        let waivers = self.waivers.get_or_init(|| lints::whole(self, self.lints.clone()).waivers("stack"));
        self.context.gate_layer(waivers.clone())
    }
}

impl Default for Stack {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for Stack {
    type Service = StackService<S>;

    fn layer(&self, inner: S) -> StackService<S> {
        StackService::new(self, inner)
    }
}
