//! What the crate does when it is told nothing.

mod addresses;
mod browsers;
mod callers;
mod edge;
mod hooks;
mod limits;
mod objects;
mod origin_sources;
mod permits;
mod records;
mod signed;
mod tokens;
mod validation;
mod versions;

use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode};
use tower::ServiceExt as _;

/// Section, setting and value, written as on the page.
#[derive(Default)]
pub(crate) struct Observed(pub(crate) Vec<(&'static str, &'static str, String)>);

impl Observed {
    fn see(&mut self, section: &'static str, setting: &'static str, value: impl Into<String>) {
        self.0.push((section, setting, value.into()));
    }
}

pub(crate) async fn all(seen: &mut Observed) {
    edge::look(seen).await;
    addresses::look(seen).await;
    callers::look(seen).await;
    objects::look(seen).await;
    permits::look(seen).await;
    tokens::look(seen).await;
    signed::look(seen).await;
    limits::look(seen).await;
    browsers::look(seen).await;
    origin_sources::look(seen).await;
    hooks::look(seen).await;
    validation::look(seen).await;
    records::look(seen).await;
    versions::look(seen).await;
}

/// Status, headers and body of the response.
async fn ask(app: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

async fn status(app: &Router, request: Request<Body>) -> u16 {
    ask(app, request).await.0.as_u16()
}

/// A GET with these headers.
fn get(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).unwrap()
}

/// `a`, `b`
fn codes<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// The greatest number for which something holds, if it holds up to a number between the two.
async fn greatest(range: std::ops::RangeInclusive<u64>, holds: impl AsyncFn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (*range.start(), *range.end());
    assert!(holds(low).await && !holds(high).await, "the border lies outside {low} to {high}");
    while low + 1 < high {
        let middle = low.midpoint(high);
        if holds(middle).await { low = middle } else { high = middle }
    }
    low
}

/// 8 KiB, 1 MiB
fn bytes(count: u64) -> String {
    match count {
        count if count % (1 << 20) == 0 => format!("{} MiB", count >> 20),
        count if count % (1 << 10) == 0 => format!("{} KiB", count >> 10),
        count => format!("{count} bytes"),
    }
}

/// 1,048,576
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}
