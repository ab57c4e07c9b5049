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
    gate::{ContextGate, End, GatedBy, Gates, Link, ProblemGate, ProblemLayer, panicked},
    headers::SecurityHeadersGate,
    ip_filter::IpFilterGate,
    quota::QuotaGate,
    rate_limit::RateLimitGate,
    require_https::RequireHttpsGate,
    validate::ValidationGate,
    versioning::ApiVersionGate,
    webhook::WebhookGate,
};

/// Rows 10 to 14.
type Callers = Link<Link<Link<Link<Link<End, RateLimitGate>, ApiVersionGate>, AuthGate>, RateLimitGate>, ScopeGate>;

#[cfg(feature = "graphql")]
type Bodies = Link<Callers, crate::graphql::GraphQlLimitGate>;
#[cfg(not(feature = "graphql"))]
type Bodies = Callers;

/// Rows 10 to 18.
type Inner<S> = GatedBy<Link<Link<Link<Bodies, QuotaGate>, ValidationGate>, WebhookGate>, S>;

/// Rows 7 to 9.
type Middle<S> = GatedBy<Link<Link<End, IpFilterGate>, RequireHttpsGate>, Bounded<Inner<S>>>;

/// Rows 2 to 6.
type Outer = Link<Link<Link<Link<Link<End, ContextGate>, AuditGate>, SecurityHeadersGate>, CorsGate>, ProblemGate>;

type Nested<S> = SetSensitiveRequestHeaders<GatedBy<Outer, CatchPanic<Middle<S>, OnPanic>>>;

type OnPanic = fn(Box<dyn Any + Send>) -> Response;

/// A service behind a [`Stack`].
#[derive(Clone)]
pub struct StackService<S> {
    nested: Nested<S>,
}

impl<S> StackService<S> {
    pub(super) fn new(stack: &Stack, inner: S) -> Self {
        let callers = Gates::new()
            .layer(&stack.rate_before_auth)
            .layer(&stack.api_version)
            .layer(&stack.auth)
            .layer(&stack.rate)
            .layer(&stack.scope);
        #[cfg(feature = "graphql")]
        let callers = callers.layer(&stack.graphql);
        let inner = callers.layer(&stack.quota).layer(&stack.validation).layer(&stack.webhook).service(inner);
        let inner = stack.bounds.layer(inner, stack.longest_validated());
        let inner = Gates::new().layer(&stack.ip_filter).layer(&stack.require_https).service(inner);
        let inner = CatchPanicLayer::custom(panicked as OnPanic).layer(inner);
        let inner = Gates::new()
            .layer(stack.context_gate())
            .layer(&stack.audit)
            .layer(&stack.headers)
            .layer(&stack.cors)
            .layer(ProblemLayer::new())
            .service(inner);
        let sensitive =
            [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE, HeaderName::from_static("x-api-key")];
        Self { nested: SetSensitiveRequestHeadersLayer::new(sensitive).layer(inner) }
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
