use std::{
    any::Any,
    fmt,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, Request, header};
use tower_http::{
    catch_panic::{CatchPanic, CatchPanicLayer},
    sensitive_headers::{SetSensitiveRequestHeaders, SetSensitiveRequestHeadersLayer},
};
use tower_layer::Layer as _;
use tower_service::Service;

use super::{Stack, bounds::Bounded};
use crate::{
    audit::AuditGate,
    auth::AuthGate,
    authz::ScopeGate,
    cors::CorsGate,
    gate::{ContextGate, Gated, ProblemGate, ProblemLayer, panicked},
    headers::SecurityHeadersGate,
    ip_filter::IpFilterGate,
    quota::QuotaGate,
    rate_limit::RateLimitGate,
    require_https::RequireHttpsGate,
    validate::ValidationGate,
    versioning::ApiVersionGate,
    webhook::WebhookGate,
};

/// Rows 16 to 18 of the table.
type Innermost<S> = Gated<QuotaGate, Gated<ValidationGate, Gated<WebhookGate, S>>>;

#[cfg(feature = "graphql")]
type Bodied<S> = Gated<crate::graphql::GraphQlLimitGate, Innermost<S>>;
#[cfg(not(feature = "graphql"))]
type Bodied<S> = Innermost<S>;

/// Rows 10 to 14.
type Inner<S> =
    Gated<RateLimitGate, Gated<ApiVersionGate, Gated<AuthGate, Gated<RateLimitGate, Gated<ScopeGate, Bodied<S>>>>>>;

/// Rows 6 to 9.
type Caught<S> =
    Gated<ProblemGate, CatchPanic<Gated<IpFilterGate, Gated<RequireHttpsGate, Bounded<Inner<S>>>>, OnPanic>>;

/// Rows 3 to 5.
type Outer<S> = Gated<AuditGate, Gated<SecurityHeadersGate, Gated<CorsGate, Caught<S>>>>;

type Nested<S> = Gated<ContextGate, SetSensitiveRequestHeaders<Outer<S>>>;

type OnPanic = fn(Box<dyn Any + Send>) -> Response;

/// A service behind a [`Stack`].
#[derive(Clone)]
pub struct StackService<S> {
    nested: Nested<S>,
}

impl<S> StackService<S> {
    pub(super) fn new(stack: &Stack, inner: S) -> Self {
        let inner = stack.webhook.layer(inner);
        let inner = stack.validation.layer(inner);
        let inner = stack.quota.layer(inner);
        #[cfg(feature = "graphql")]
        let inner = stack.graphql.layer(inner);
        let inner = stack.scope.layer(inner);
        let inner = stack.rate.layer(inner);
        let inner = stack.auth.layer(inner);
        let inner = stack.api_version.layer(inner);
        let inner = stack.rate_before_auth.layer(inner);
        let inner = stack.bounds.layer(inner, stack.longest_validated());
        let inner = stack.require_https.layer(inner);
        let inner = stack.ip_filter.layer(inner);
        let inner = CatchPanicLayer::custom(panicked as OnPanic).layer(inner);
        let inner = ProblemLayer::new().into_gate_layer().layer(inner);
        let inner = stack.cors.layer(inner);
        let inner = stack.headers.layer(inner);
        let inner = stack.audit.layer(inner);
        let sensitive =
            [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE, HeaderName::from_static("x-api-key")];
        let inner = SetSensitiveRequestHeadersLayer::new(sensitive).layer(inner);
        Self { nested: stack.context_gate().layer(inner) }
    }
}

impl<S> Service<Request<Body>> for StackService<S>
where
    S: Service<Request<Body>> + Clone,
    S::Response: IntoResponse,
{
    type Response = Response;
    type Error = S::Error;
    type Future = <Nested<S> as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.nested.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.nested.call(request)
    }
}

impl<S: fmt::Debug> fmt::Debug for StackService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackService").finish_non_exhaustive()
    }
}
