#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod config;
mod costs;
mod fixed_window;
mod headers;
mod inherit;
mod keys;
mod late;
mod laws;
mod layer;
mod operating;
mod plain;
mod precedence;
mod queue;
mod request_keys;
mod rule_modes;
mod settled_keys;
mod simulate;
mod sliding;
mod token_bucket;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, response::Response, routing};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::{ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    gate::{Entry, Gate, GateLayer, RequestContextLayer},
    identity::{AuthMethod, Principal, PrincipalParts},
    request::RequestContext,
    time::{ManualClock, Timestamp},
};

const START: Timestamp = Timestamp::from_secs(1_700_000_040);

/// Takes the caller's word for who it is: `x-caller: method,credential,subject,plan`.
struct Believe;

impl<B> Gate<B> for Believe {
    const NAME: &'static str = "believe";
    type Pass = ();

    fn enter(self: &Arc<Self>, request: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, ()> {
        if let Some(caller) = request.headers().get("x-caller") {
            let parts: Vec<&str> = caller.to_str().unwrap().split(',').collect();
            context.set_principal(Principal::new(PrincipalParts {
                subject: parts[2].into(),
                issuer: Some("https://issuer.example".into()),
                method: Some(if parts[0] == "key" { AuthMethod::ApiKey } else { AuthMethod::Jwt }),
                credential_id: Some(parts[1].into()),
                plan: parts.get(3).map(|plan| (*plan).into()),
                tenant: parts.get(4).map(|tenant| (*tenant).into()),
                ..PrincipalParts::default()
            }));
        }
        Entry::Pass(())
    }
}

/// An application behind some layers, with a clock of its own.
struct App {
    router: Router,
    clock: ManualClock,
}

const ROUTES: &[&str] = &[
    "/",
    "/auth/login",
    "/auth/forgot-password",
    "/users/{user}",
    "/users/me",
    "/orders",
    "/search",
    "/reports",
    "/refunds",
];

impl App {
    fn new(layers: impl IntoIterator<Item = RateLimitLayer>) -> Self {
        let clock = ManualClock::at(START);
        let routes =
            ROUTES.iter().fold(Router::new(), |router, route| router.route(route, routing::any(|| async { "ok" })));
        let mut layers: Vec<_> = layers.into_iter().collect();
        let inner = layers.pop().unwrap();
        let limited = layers.into_iter().rev().fold(routes.layer(inner), Router::layer);
        let outer =
            ServiceBuilder::new().layer(RequestContextLayer::new().clock(clock.clone())).layer(GateLayer::new(Believe));
        Self { router: limited.layer(outer), clock }
    }

    fn of(rule: Rule) -> Self {
        Self::new([layer([rule])])
    }

    async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn status(&self, request: Request<Body>) -> u16 {
        self.send(request).await.status().as_u16()
    }

    async fn get(&self, path: &str) -> Response {
        self.send(request(Method::GET, path, None, "203.0.113.7")).await
    }

    /// How many requests pass in a row, of at most 20,000.
    async fn burst(&self, method: &Method, path: &str, caller: Option<&str>, ip: &str) -> usize {
        for passed in 0..20_000 {
            if self.status(request(method.clone(), path, caller, ip)).await != 200 {
                return passed;
            }
        }
        20_000
    }

    fn wait(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }
}

fn layer(rules: impl IntoIterator<Item = Rule>) -> RateLimitLayer {
    let builder = RateLimitLayer::builder(crate::backend::memory::MemoryStore::new());
    rules.into_iter().fold(builder, RateLimitLayerBuilder::rule).build().unwrap()
}

fn request(method: Method, path: &str, caller: Option<&str>, ip: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(caller) = caller {
        request = request.header("x-caller", caller);
    }
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(ip.parse().unwrap(), 4711)));
    request
}

async fn json(response: Response) -> Value {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}
