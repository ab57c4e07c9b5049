//! Three versions of an API, of which one has ended and one is about to, all served by one set of routes.
//!
//! `cargo run --example api_versions`: it asks for each of them, prints what a client sees, and checks it. The
//! clock is set by hand, so that a year passes at once; a service leaves it away.

use std::{error::Error, io::Write as _};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    routing::get,
};
use http::{Request, StatusCode};
use portcullis::{
    config_error::ConfigError,
    gate::RequestContextLayer,
    time::{ManualClock, Timestamp},
    versioning::{ApiVersion, ApiVersionLayer, SupportedVersion, UtcDate, VersionSource},
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

const FIRST: ApiVersion = ApiVersion::number(1);
const SECOND: ApiVersion = ApiVersion::number(2);
const THIRD: ApiVersion = ApiVersion::number(3);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let clock = ManualClock::at(midnight(2025, 10, 1));
    let versions = versions(&clock)?;
    let app = app(&versions, &clock);
    let mut out = std::io::stdout();
    for finding in versions.report().issues() {
        writeln!(out, "{finding}")?;
    }

    for (path, accept) in
        [("/v3/orders/7", "*/*"), ("/orders/7", "application/vnd.shop.v2+json"), ("/v1/orders/7", "*/*")]
    {
        let answer = ask(&app, path, accept).await?;
        writeln!(out, "\nGET {path}, Accept: {accept}: {}\n{}", answer.status, answer.body)?;
        for field in ["x-api-version", "deprecation", "sunset", "link", "vary"] {
            if let Some(value) = answer.field(field) {
                writeln!(out, "{field}: {value}")?;
            }
        }
    }

    // The version that is about to end is served, and says so.
    let old = ask(&app, "/v2/orders/7", "*/*").await?;
    assert_eq!((old.status, &old.body), (StatusCode::OK, &json!({ "id": 7, "total": 12.5 })));
    assert_eq!(old.field("sunset"), Some("Wed, 31 Dec 2025 23:59:59 GMT"));
    // The one before is gone.
    let gone = ask(&app, "/v1/orders/7", "*/*").await?;
    assert_eq!((gone.status, gone.body.get("error")), (StatusCode::GONE, Some(&json!("gone"))));
    // Path and field must not disagree.
    assert_eq!(ask(&app, "/v3/orders/7", "application/vnd.shop.v2+json").await?.status, StatusCode::BAD_REQUEST);
    assert_eq!(ask(&app, "/orders/7", "application/vnd.shop.v9+json").await?.status, StatusCode::NOT_ACCEPTABLE);

    // The year ends, and so does the version: nobody has to deploy anything.
    clock.set_wall(midnight(2026, 1, 1));
    assert_eq!(ask(&app, "/v2/orders/7", "*/*").await?.status, StatusCode::GONE);
    assert_eq!(ask(&app, "/v3/orders/7", "*/*").await?.status, StatusCode::OK);

    writeln!(out, "\nWho still calls {SECOND}:")?;
    let callers = versions.usage().callers(SECOND);
    for caller in &callers {
        writeln!(out, "{}: {} times, last {}", caller.who, caller.calls, caller.last)?;
    }
    assert_eq!(callers.iter().map(|caller| caller.calls).sum::<u64>(), 3);
    Ok(())
}

/// `/v2/orders` or `Accept: application/vnd.shop.v2+json`, as the client likes it.
fn versions(clock: &ManualClock) -> Result<ApiVersionLayer, ConfigError> {
    ApiVersionLayer::builder([
        SupportedVersion::new(FIRST)
            .deprecated(UtcDate::new(2024, 1, 1))
            .sunset(UtcDate::new(2024, 12, 31).end_of_day())
            .successor_link("/v3"),
        SupportedVersion::new(SECOND)
            .deprecated(UtcDate::new(2025, 1, 1))
            .sunset(UtcDate::new(2025, 12, 31).end_of_day())
            // Two hours in which those notice who read no header fields.
            .brown_out(UtcDate::new(2025, 12, 1).at(10, 0, 0), UtcDate::new(2025, 12, 1).at(12, 0, 0))
            .deprecation_link("https://developer.example.com/v2-to-v3")
            .successor_link("/v3"),
        SupportedVersion::new(THIRD),
    ])
    .sources([VersionSource::path().stripped(), VersionSource::accept("shop")])
    .clock(clock.clone())
    .build()
}

/// The layer takes the version out of the path, so it stands around the router.
fn app(versions: &ApiVersionLayer, clock: &ManualClock) -> Router {
    let routes = Router::new().route("/orders/{id}", get(order));
    versions.wrap(routes).layer(RequestContextLayer::new().clock(clock.clone()))
}

/// Money is a number no more: what the third version is for.
async fn order(version: ApiVersion) -> Json<Value> {
    Json(if version >= THIRD {
        json!({ "id": 7, "total": { "amount": "12.50", "currency": "EUR" } })
    } else {
        json!({ "id": 7, "total": 12.5 })
    })
}

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Value,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

async fn ask(app: &Router, path: &str, accept: &str) -> Result<Answer, Box<dyn Error>> {
    let request = Request::get(path).header("accept", accept).body(Body::empty())?;
    let (parts, body) = app.clone().oneshot(request).await?.into_parts();
    let body = serde_json::from_slice(&to_bytes(body, 64 * 1024).await?)?;
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}

fn midnight(year: i16, month: i8, day: i8) -> Timestamp {
    UtcDate::new(year, month, day).timestamp().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_holds_what_it_shows() {
        super::main().unwrap();
    }
}
