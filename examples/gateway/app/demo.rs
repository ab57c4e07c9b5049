//! The other routes: log-in, a slow handler, a panicking one, the receivers of webhooks.

use std::time::Duration;

use axum::{Json, body::Bytes, extract::rejection::BytesRejection};
use http::{HeaderValue, StatusCode};
use portcullis::{
    identity::Principal,
    rejection::{Rejection, RejectionKind},
    request::{QuotaStatus, VerifiedWebhook},
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
}

/// A demo account: `demo` / `demo`. Everything else, also what is no JSON, is a failed log-in.
pub(crate) async fn login(body: Result<Bytes, BytesRejection>) -> Result<Json<Value>, Rejection> {
    let body = body.map_err(|error| Rejection::from_extractor(error.status(), &error))?;
    let known = |login: &Login| login.username == "demo" && login.password == "demo";
    match serde_json::from_slice::<Login>(&body).ok().filter(known) {
        Some(login) => Ok(Json(json!({ "user": login.username }))),
        // RFC 9110 §15.5.2 wants a challenge with every 401: the one of what a log-in is for.
        None => Err(Rejection::new(RejectionKind::MissingCredentials)
            .with_detail("Unknown user or wrong password.")
            .with_challenge(HeaderValue::from_static("Bearer realm=\"orders\""))),
    }
}

pub(crate) async fn quota(quota: QuotaStatus) -> Json<Value> {
    Json(json!({ "plan": &*quota.plan, "used": quota.used, "limit": quota.limit }))
}

pub(crate) async fn slow(principal: Principal) -> String {
    tokio::time::sleep(Duration::from_secs(3)).await;
    format!("done, {}", principal.subject())
}

#[expect(clippy::panic, reason = "it shows what becomes of a panic")]
pub(crate) async fn panic(_: Principal) -> StatusCode {
    panic!("this handler always panics")
}

/// Runs once for each event, however often the provider sends it.
pub(crate) async fn hook(webhook: VerifiedWebhook) -> Json<Value> {
    Json(json!({ "received": webhook.event_id() }))
}
