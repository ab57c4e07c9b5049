//! Each rule, broken once, is found; and what only looks like a breach is not.

use super::{
    findings::{self, Exception, Rule},
    owners::stale,
    tree::Tree,
};

fn found(sources: &[(&str, &str)]) -> Vec<String> {
    findings::judge(findings::check(&Tree::of(sources.iter().copied())), &[])
}

#[track_caller]
fn assert_found(sources: &[(&str, &str)], wanted: &str) {
    let found = found(sources);
    assert!(found.len() == 1 && found[0] == wanted, "wanted {wanted:?}, found {found:#?}");
}

#[track_caller]
fn assert_clean(sources: &[(&str, &str)]) {
    let found = found(sources);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn directions() {
    assert_found(
        &[("gate/mod.rs", "use crate::{audit::Trail, time::Now};"), ("audit/mod.rs", "")],
        "Direction: gate/mod.rs:1: the spine (gate) names a feature (crate::audit::Trail)",
    );
    assert_found(
        &[("request/mod.rs", "\nfn f() -> crate::backend::memory::Store { todo!() }")],
        "Direction: request/mod.rs:2: the spine (request) names a backend (crate::backend::memory::Store)",
    );
    assert_found(
        &[("store/mod.rs", "use crate::testing::chaos;")],
        "Direction: store/mod.rs:1: the spine (store) names what is for tests (crate::testing::chaos)",
    );
    assert_found(
        &[("quota/layer.rs", "use super::super::authz::Scope;")],
        "Direction: quota/layer.rs:1: a feature (quota) names a feature (crate::authz::Scope)",
    );
    assert_found(
        &[("cors/mod.rs", "mod inner { use super::super::headers; }")],
        "Direction: cors/mod.rs:1: a feature (cors) names a feature (crate::headers)",
    );
    assert_found(
        &[("webhook/mod.rs", "fn f() { json!({ \"at\": crate::backend::memory::NAME }) }")],
        "Direction: webhook/mod.rs:1: a feature (webhook) names a backend (crate::backend::memory::NAME)",
    );
    assert_found(
        &[("audit/mod.rs", "use crate::stack::Stack;")],
        "Direction: audit/mod.rs:1: a feature (audit) names the stack (crate::stack::Stack)",
    );
    assert_found(
        &[("backend/memory/mod.rs", "use crate::conformance::rates;")],
        "Direction: backend/memory/mod.rs:1: a backend (backend) names what is for tests (crate::conformance::rates)",
    );
    assert_found(
        &[("stack/mod.rs", "use crate::backend::memory;")],
        "Direction: stack/mod.rs:1: the stack (stack) names a backend (crate::backend::memory)",
    );
    assert_found(
        &[("auth/mod.rs", "use crate::ScopeLayer;")],
        "Direction: auth/mod.rs:1: names crate::ScopeLayer through the root: name the module it stands in",
    );
    assert_found(
        &[("billing/mod.rs", "")],
        "Direction: billing/mod.rs:1: `billing` is in no group: give it a row in tests/house_rules/directions.rs",
    );
    assert_clean(&[
        ("lib.rs", "pub mod auth; pub use auth::AuthLayer;"),
        ("auth/mod.rs", "use crate::{auth::jwt, gate::Gate, store};"),
        ("backend/sql/mod.rs", "use crate::quota::QuotaStore; use super::memory;"),
        ("stack/mod.rs", "use crate::{auth::AuthLayer, gate::GateLayer};"),
        ("testing/mod.rs", "use crate::{backend::memory, quota, time};"),
    ]);
}

#[test]
fn tests_may_import_anything() {
    assert_clean(&[
        ("auth/mod.rs", "#[cfg(test)] mod fixtures; #[cfg(test)] mod inline { use crate::quota::X; }"),
        ("auth/fixtures.rs", "use crate::backend::memory;"),
        ("auth/layer.rs", "#[cfg(test)] #[path = \"layer_tests.rs\"] mod tests;"),
        ("auth/layer_tests.rs", "use crate::backend::memory;"),
        ("auth/tests.rs", "use crate::backend::memory;"),
        ("quota/tests/deep.rs", "use crate::auth::X; fn now() { std::time::Instant::now(); }"),
        (
            "cors/mod.rs",
            "/// [`Stack`](crate::stack::Stack)\nconst TEXT: &str = \"crate::audit::X\"; // crate::audit::X",
        ),
        ("audit/mod.rs", "impl X { #[cfg(test)] fn f() { crate::quota::f(); } }"),
    ]);
    // `any(test, …)` is part of a product.
    assert_found(
        &[("auth/mod.rs", "#[cfg(any(test, feature = \"testing\"))] use crate::quota::X;")],
        "Direction: auth/mod.rs:1: a feature (auth) names a feature (crate::quota::X)",
    );
}

#[test]
fn the_root_only_lists() {
    assert_found(
        &[("lib.rs", "pub mod time; fn helper() {}")],
        "Root: lib.rs:1: the root holds modules and re-exports, nothing else",
    );
}

#[test]
fn pure_files() {
    assert_found(
        &[("rate_limit/algorithm/token_bucket.rs", "use http::HeaderMap;")],
        "Pure: rate_limit/algorithm/token_bucket.rs:1: is pure, but names http::HeaderMap of http",
    );
    assert_found(
        &[("cors/origin.rs", "async fn f() { tokio::task::yield_now().await }")],
        "Pure: cors/origin.rs:1: is pure, but names tokio::task::yield_now of tokio",
    );
    assert_found(
        &[("audit/redact/mod.rs", "use axum::Json;")],
        "Pure: audit/redact/mod.rs:1: is pure, but names axum::Json of axum",
    );
    assert_clean(&[("cors/origin.rs", "fn f(http: &str) { g(http) }"), ("cors/layer.rs", "use http::HeaderMap;")]);
}

#[test]
fn a_pure_file_that_was_renamed() {
    let tree = Tree::of([("quota/mod.rs", ""), ("quota/periods.rs", ""), ("authz/mod.rs", "")]);
    assert_eq!(stale(&tree), ["`quota/period.rs` of PURE is no file: correct it in tests/house_rules/owners.rs"]);
}

#[test]
fn owners() {
    for (path, name) in [
        ("quota/store.rs", "redis"),
        ("backend/redis/mod.rs", "sqlx"),
        ("webhook/mod.rs", "aws_lc_rs"),
        ("auth/mod.rs", "jsonwebtoken"),
        ("auth/mod.rs", "jwks_client_rs"),
    ] {
        let found = found(&[(path, &format!("use {name}::Thing;"))]);
        let wanted = format!("Owner: {path}:1: names {name}::Thing: only ");
        assert!(found.len() == 1 && found[0].starts_with(&wanted), "wanted {wanted:?}, found {found:?}");
    }
    assert_clean(&[
        ("auth/jwt/keys.rs", "use {jsonwebtoken::jwk, aws_lc_rs::signature};"),
        ("auth/jwt.rs", "use jsonwebtoken::jwk;"),
        ("backend/redis/mod.rs", "use redis::Script;"),
        ("backend/sql/mod.rs", "use sqlx::Row;"),
    ]);
}

#[test]
fn clocks() {
    let text = "reads a clock: take `now` as an argument";
    for (source, named) in [
        ("use std::time::Instant; fn f() { Instant::now(); }", "Instant::now"),
        ("fn f() { std::time::SystemTime::now(); }", "std::time::SystemTime::now"),
        ("fn f() { tokio::time::Instant::now(); }", "tokio::time::Instant::now"),
        ("fn f() -> u64 { x.map_or_else(Instant::now, g) }", "Instant::now"),
        ("fn f() { RateLimiter::direct(quota); }", "RateLimiter::direct"),
        ("fn f(x: Instant) { x.elapsed(); }", "`.elapsed()`"),
    ] {
        assert_found(&[("auth/mod.rs", source)], &format!("Clock: auth/mod.rs:1: {named} {text}"));
    }
    assert_clean(&[
        ("time/clock.rs", "fn f() { Instant::now().elapsed(); }"),
        ("auth/mod.rs", "fn f(c: &Context) { c.now(); RateLimiter::direct_with_clock(quota, clock); }"),
    ]);
}

#[test]
fn polling() {
    for (name, source) in [
        ("Future", "impl Future for Mine {}"),
        ("Service", "impl<S> tower_service::Service<Request> for Mine<S> {}"),
        ("Body", "impl http_body::Body for Mine {}"),
    ] {
        assert_found(
            &[("audit/body.rs", source)],
            &format!("Mechanism: audit/body.rs:1: implements `{name}`: only gate/ polls"),
        );
    }
    assert_found(
        &[("audit/sink.rs", "use std::future::poll_fn;")],
        "Mechanism: audit/sink.rs:1: `poll_fn` is a future written by hand: only gate/ polls",
    );
    assert_clean(&[
        ("gate/body.rs", "impl http_body::Body for Mine {} impl Future for Mine {}"),
        ("audit/layer.rs", "impl<S> Layer<S> for Mine {} impl<B> Gate<B> for Mine {}"),
    ]);
}

#[test]
fn error_responses() {
    let text = "builds an error response: return a Rejection";
    for (source, named) in [
        ("fn f() { (StatusCode::FORBIDDEN, \"no\").into_response() }", "`StatusCode::FORBIDDEN`"),
        ("fn f() { http::StatusCode::CONFLICT.into_response() }", "`StatusCode::CONFLICT`"),
        ("fn f() { *response.status_mut() = status; }", "`.status_mut()`"),
        ("fn f() { set(response.status_mut(), StatusCode::OK); }", "`.status_mut()`"),
        ("fn f() { Response::builder().status(403) }", "`.status(…)`"),
        ("fn f() { Response::builder().status(StatusCode::GONE) }", "`StatusCode::GONE`"),
        ("fn f() { StatusCode::from_u16(429) }", "`from_u16`"),
    ] {
        assert_found(&[("cors/layer.rs", source)], &format!("ErrorResponse: cors/layer.rs:1: {named} {text}"));
    }
    assert_clean(&[
        ("rejection/render.rs", "fn f() { *response.status_mut() = StatusCode::FORBIDDEN; }"),
        ("cors/layer.rs", "fn f() { (StatusCode::NO_CONTENT, headers).into_response() }"),
        ("cors/actual.rs", "fn f() { *response.status_mut() = StatusCode::NO_CONTENT; }"),
        ("quota/layer.rs", "fn f(s: StatusCode) -> bool { s == StatusCode::FORBIDDEN || s.is_server_error() }"),
        ("auth/layer.rs", "fn f(s: StatusCode) -> u8 { match s { StatusCode::FORBIDDEN => 1, _ => 2 } }"),
        ("request/extract.rs", "fn f() { Rejection::from_status(StatusCode::BAD_REQUEST) }"),
    ]);
}

#[test]
fn lengths() {
    let long = "\n".repeat(401);
    assert_found(&[("gate/mod.rs", &long)], "FileLength: gate/mod.rs:401: 401 lines, and 400 are allowed");
    assert_found(&[("gate/tests.rs", &long)], "FileLength: gate/tests.rs:401: 401 lines, and 400 are allowed");
    assert_clean(&[("gate/mod.rs", &"\n".repeat(400))]);

    let function = |lines: usize| format!("impl X {{\n/// Doc.\nfn f() {{{}}}\n}}", "\n".repeat(lines - 1));
    assert_found(
        &[("gate/mod.rs", &function(61))],
        "FunctionLength: gate/mod.rs:3: `f` has 61 lines, and 60 are allowed",
    );
    assert_clean(&[("gate/mod.rs", &function(60)), ("gate/tests.rs", &function(61))]);
}

#[test]
fn public_api() {
    let text = |how: &str, name: &str| {
        format!("PublicApi: auth/jwt/mod.rs:1: {how} a type of {name} in the public API: wrap it in a type of our own")
    };
    for (source, how, name) in [
        ("use jsonwebtoken::jwk::JwkSet; pub fn f(set: JwkSet) {}", "shows", "jsonwebtoken"),
        ("pub fn f() -> Option<reqwest::Client> { None }", "shows", "reqwest"),
        ("pub struct A { pub net: ipnet::IpNet }", "shows", "ipnet"),
        ("pub enum A { B(#[from] jiff::Error) }", "shows", "jiff"),
        ("use dashmap as d; pub type A = d::DashMap<u8, u8>;", "shows", "dashmap"),
        ("pub struct A; impl From<governor::Quota> for A {}", "shows", "governor"),
        ("pub struct A; impl A { pub fn f<T: zeroize::Zeroize>(t: T) {} }", "shows", "zeroize"),
        ("pub trait A { fn f(&self, c: &reqwest::Client); }", "shows", "reqwest"),
        ("pub use reqwest::Client;", "re-exports", "reqwest"),
        ("pub use reqwest::*;", "re-exports", "reqwest"),
    ] {
        assert_found(&[("auth/jwt/mod.rs", source)], &text(how, name));
    }
    assert_clean(&[(
        "auth/jwt/mod.rs",
        "use http::Request; use std::time::Duration;
         pub fn f<B>(r: Request<B>, d: Duration) -> bytes::Bytes { let c: reqwest::Client = g(); }
         pub struct A { client: reqwest::Client }
         impl A { fn f(c: reqwest::Client) {} pub(crate) fn g(c: reqwest::Client) {} }
         struct B; impl From<reqwest::Error> for B {}
         impl<S> tower_layer::Layer<S> for A {}
         pub(crate) fn h(c: reqwest::Client) {}",
    )]);
}

#[test]
fn waivers() {
    let builder = ("cors/builder.rs", "struct B;\nimpl B { pub fn allow_lint(self) {} }");
    assert_found(
        &[builder, ("quota/layer.rs", "fn f() { report.waivers(); }")],
        "Waivers: cors/builder.rs:2: cors has allow_lint, and announces to the audit log nothing of what it allows",
    );
    assert_clean(&[builder, ("cors/layer.rs", "fn f() { report.waivers(\"cors\"); }")]);
}

#[test]
fn exceptions() {
    let breach = || findings::check(&Tree::of([("auth/mod.rs", "use crate::quota::X;")]));
    let exception = |path, what, reason| Exception { rule: Rule::Direction, path, what, reason };
    assert!(findings::judge(breach(), &[exception("auth/mod.rs", "crate::quota::X", "it is a test")]).is_empty());

    let left = findings::judge(breach(), &[exception("auth/layer.rs", "crate::quota", "it is a test")]);
    assert_eq!(
        left,
        [
            "Direction: auth/mod.rs:1: a feature (auth) names a feature (crate::quota::X)",
            "unused exception: Direction in auth/layer.rs: crate::quota — remove it from the table",
        ]
    );
    let left = findings::judge(breach(), &[exception("auth/mod.rs", "crate::quota", "")]);
    assert_eq!(left, ["exception without a reason: Direction in auth/mod.rs"]);
}
