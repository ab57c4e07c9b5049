use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Request, State},
    routing::post,
};
use base64ct::{Base64, Encoding as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{ApiKeyError, ApiKeys, format::Shaped};
use crate::{
    auth::authenticator::BODY_TIMEOUT,
    gate::collect,
    rejection::{Rejection, RejectionKind},
    request::RequestContext,
    store::StoreError,
};

const MAX_BODY: usize = 256 * 1024;
const MAX_REPORTS: usize = 100;
/// Of what a reporter says about a find, in the log.
const MAX_TOLD: usize = 200;

/// Takes reports of leaked keys, as secret scanners send them, and revokes what is genuine.
///
/// The body is the one of GitHub's secret scanning partner program: a list of
/// `{"token": …, "type": …, "url": …}`, at most 100 of them in 256 KiB, which arrive within 10 s. The answer says of each
/// whether it was a key of ours (`true_positive`, and now revoked) or not (`false_positive`), by the
/// token's SHA-256 in base64. A key that is revoked already is a true positive.
///
/// Only a report that holds the whole key ends it: an id, which is public, does not. Each revocation
/// is an event (`WARN`, "a leaked API key was revoked") with the id and the place, never the key.
///
/// # Who may report
/// Whoever can prove that it has the key could end it without harm, but could also have keys tried.
/// So the route answers only behind a layer that says who calls: `AuthLayer`, or, for a provider that
/// signs, `WebhookVerifyLayer` with the scheme that it signs by. Without one it is a 500 `misconfigured`, never an open door.
///
/// ```
/// use axum::{body::Body, Router};
/// use http::{Request, StatusCode};
/// use portcullis::{
///     auth::api_key::{ApiKeyFormat, ApiKeyRecord, ApiKeys, KeyHasher, LeakReports},
///     backend::memory::MemoryStore,
///     secret::Secret,
///     time::{Clock, SystemClock},
///     webhook::{Provider, WebhookVerifyLayer},
/// };
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new();
/// let keys = ApiKeys::new(store.clone(), ApiKeyFormat::new("acme", "live")?, KeyHasher::ephemeral());
/// let leaked = keys.issue(ApiKeyRecord::builder("usr_42")).await?;
///
/// let shared = Secret::new("shared with the scanner, 32 bytes");
/// let signed = WebhookVerifyLayer::builder(Provider::github(), shared.clone(), store).build()?;
/// let app: Router = LeakReports::new(&keys).router("/leaks").layer(signed);
///
/// let token = String::from_utf8(leaked.secret.expose().to_vec())?;
/// let report = format!(r#"[{{"token":"{token}","type":"acme_key","url":"https://example.com/repository"}}]"#);
/// let signature = Provider::github().sign(&shared, "report_1", SystemClock::new().now().wall, report.as_bytes())?;
/// let mut request = Request::post("/leaks").header("content-type", "application/json").body(Body::from(report))?;
/// request.headers_mut().extend(signature);
/// assert_eq!(app.oneshot(request).await?.status(), StatusCode::OK);
/// assert_eq!(keys.find(leaked.record.id()).await?.unwrap().revocation_reason(), Some("leaked"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct LeakReports {
    keys: ApiKeys,
}

#[derive(Deserialize)]
struct Report {
    token: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    url: String,
}

/// What was found out about one report.
#[derive(Debug, Serialize)]
struct Finding {
    token_hash: String,
    token_type: String,
    label: Label,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Label {
    TruePositive,
    FalsePositive,
}

impl LeakReports {
    /// Reports on these keys.
    pub fn new(keys: &ApiKeys) -> Self {
        Self { keys: keys.clone() }
    }

    /// A router with one route that takes `POST`s, to be put behind a layer that says who calls.
    ///
    /// # Panics
    /// If `path` is not one that axum takes.
    pub fn router<S: Clone + Send + Sync + 'static>(&self, path: &str) -> Router<S> {
        Router::new().route(path, post(receive).with_state(Arc::new(self.clone())))
    }

    async fn look_at(&self, report: &Report) -> Result<Finding, Rejection> {
        let digest = Sha256::digest(report.token.as_bytes());
        let label = if self.revoke(report).await? { Label::TruePositive } else { Label::FalsePositive };
        Ok(Finding {
            token_hash: Base64::encode_string(&digest),
            token_type: report.kind.chars().take(MAX_TOLD).collect(),
            label,
        })
    }

    /// Whether it was a key of ours.
    async fn revoke(&self, report: &Report) -> Result<bool, Rejection> {
        let Ok(shaped) = Shaped::parse(&report.token) else { return Ok(false) };
        if !self.keys.verifier().recognises(&report.token, self.keys.both_now()).await? {
            return Ok(false);
        }
        match self.keys.revoke(shaped.id, "leaked").await {
            Ok(_) => {
                let place: String = report.url.chars().filter(|letter| !letter.is_control()).take(MAX_TOLD).collect();
                tracing::warn!(target: "portcullis", key = shaped.id, place, "a leaked API key was revoked");
                Ok(true)
            }
            Err(ApiKeyError::Unknown) => Ok(false),
            Err(ApiKeyError::Store(error)) => Err(Rejection::backend(error)),
            Err(error) => Err(Rejection::backend(StoreError::corrupt(error))),
        }
    }
}

async fn receive(State(reports): State<Arc<LeakReports>>, request: Request) -> Result<Json<Vec<Finding>>, Rejection> {
    let context = RequestContext::of(&request);
    if !context.is_some_and(|context| context.principal().is_some() || context.webhook().is_some()) {
        return Err(Rejection::misconfigured("put AuthLayer or WebhookVerifyLayer around the route of LeakReports"));
    }
    let body = collect(request.into_body(), MAX_BODY, BODY_TIMEOUT).await?;
    let found: Vec<Report> = serde_json::from_slice(body.bytes()).map_err(|_| malformed())?;
    if found.len() > MAX_REPORTS {
        return Err(malformed());
    }
    let mut findings = Vec::with_capacity(found.len());
    for report in &found {
        findings.push(reports.look_at(report).await?);
    }
    Ok(Json(findings))
}

fn malformed() -> Rejection {
    Rejection::new(RejectionKind::UnprocessableContent).with_detail("Expected a JSON list of at most 100 reports.")
}
