//! Reports of leaked keys.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http_body::Frame;

use super::*;
use crate::{
    auth::api_key::{ApiKeys, LeakReports},
    testing::{principal, with_principal, with_webhook},
};

fn keys() -> ApiKeys {
    ApiKeys::new(MemoryStore::new(), ApiKeyFormat::new("acme", "test").unwrap(), KeyHasher::ephemeral())
}

fn text(key: &ApiKey) -> String {
    String::from_utf8(key.secret.expose().to_vec()).unwrap()
}

async fn report(app: &Router, body: impl Into<Body>) -> Answer {
    send(app, Request::post("/leaks").body(body.into()).unwrap()).await
}

/// The shape of GitHub's secret scanning partner program.
#[tokio::test]
async fn a_genuine_key_is_revoked_and_everything_else_is_a_false_positive() {
    let keys = keys();
    let app = LeakReports::new(&keys).router("/leaks").layer(with_principal(principal("scanner").build()));
    let leaked = keys.issue(ApiKeyRecord::builder("usr_1")).await.unwrap();
    let kept = keys.issue(ApiKeyRecord::builder("usr_1").allowed_networks(["192.0.2.0/24"])).await.unwrap();
    // The id is public, the checksum anybody can compute: neither ends a key.
    let guessed = ApiKeyFormat::new("acme", "test").unwrap().compose(kept.record.id(), &"x".repeat(43));
    let body = serde_json::json!([
        { "token": text(&leaked), "type": "acme_key", "url": "https://example.com/a\nb", "source": "content" },
        { "token": guessed, "type": "acme_key", "url": "https://example.com" },
        { "token": "ghp_of_somebody_else", "type": "acme_key" },
    ]);
    let answer = report(&app, body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let found: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let labels: Vec<_> = found.as_array().unwrap().iter().map(|one| one["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["true_positive", "false_positive", "false_positive"]);
    assert_eq!(found[0]["token_type"], "acme_key");
    assert!(!answer.body.contains(&text(&leaked)[23..40]));
    let record = async |key: &ApiKey| keys.find(key.record.id()).await.unwrap().unwrap();
    assert_eq!(record(&leaked).await.revocation_reason(), Some("leaked"));
    assert_eq!(record(&kept).await.revoked_at(), None);
    // Reported again, and from outside the networks that it may be used from, it is still ours.
    let again = serde_json::json!([{ "token": text(&leaked) }, { "token": text(&kept) }]).to_string();
    let answer = report(&app, again).await;
    assert_eq!(answer.body.matches("true_positive").count(), 2);
    assert!(record(&kept).await.revoked_at().is_some());
    // A report is no use of the key.
    keys.flush().await.unwrap();
    assert_eq!(record(&leaked).await.last_used_at(), None);
}

#[tokio::test]
async fn nobody_unknown_reports() {
    let keys = keys();
    let leaked = keys.issue(ApiKeyRecord::builder("usr_1")).await.unwrap();
    let bare = LeakReports::new(&keys).router("/leaks");
    let body = || serde_json::json!([{ "token": text(&leaked) }]).to_string();
    for app in [bare.clone(), bare.clone().layer(RequestContextLayer::new())] {
        report(&app, body()).await.is(500, "misconfigured");
    }
    assert_eq!(keys.find(leaked.record.id()).await.unwrap().unwrap().revoked_at(), None);
    let hook = bare.layer(with_webhook("scanner", "evt_1"));
    assert_eq!(report(&hook, body()).await.status, 200);
}

#[tokio::test]
async fn what_is_no_report_is_refused() {
    let app = LeakReports::new(&keys()).router("/leaks").layer(with_principal(principal("scanner").build()));
    let many = serde_json::json!(vec![serde_json::json!({ "token": "a" }); 101]).to_string();
    for body in ["", "{}", "[1]", "[{}]", "\u{0}", &many] {
        report(&app, body.to_owned()).await.is(422, "unprocessable_content");
    }
    report(&app, "x".repeat(300 * 1024)).await.is(413, "payload_too_large");
}

struct Never;

impl http_body::Body for Never {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<bytes::Bytes>, Self::Error>>> {
        Poll::Pending
    }
}

/// Whoever sends a byte a minute holds nothing for ever.
#[tokio::test(start_paused = true)]
async fn a_report_that_does_not_end_is_408() {
    let app = LeakReports::new(&keys()).router("/leaks").layer(with_principal(principal("scanner").build()));
    let answer = tokio::time::timeout(Duration::from_secs(60), report(&app, Body::new(Never))).await;
    answer.unwrap().is(408, "request_timeout");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn no_report_makes_it_fail(body in "(\\[?\\{\"token\":)?\\PC{0,60}(\\}\\])?") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let app = LeakReports::new(&keys()).router("/leaks").layer(with_principal(principal("scanner").build()));
        let status = runtime.block_on(report(&app, body)).status;
        proptest::prop_assert!(status == 200 || status == 422, "{status}");
    }
}

/// With a slow hash, nothing but the whole key ends one either: the secret is compared before
/// anything else is looked at.
#[cfg(feature = "password")]
#[tokio::test]
async fn a_slow_digest_is_compared_too() {
    let format = ApiKeyFormat::new("acme", "test").unwrap();
    let keys = ApiKeys::new(MemoryStore::new(), format.clone(), KeyHasher::cheap_argon2id());
    let app = LeakReports::new(&keys).router("/leaks").layer(with_principal(principal("scanner").build()));
    let key = keys.issue(ApiKeyRecord::builder("usr_1").allowed_networks(["192.0.2.0/24"])).await.unwrap();
    let guessed = format.compose(key.record.id(), &"x".repeat(43));
    let label = async |token: &str| report(&app, serde_json::json!([{ "token": token }]).to_string()).await.body;
    assert!(label(&guessed).await.contains("false_positive"));
    assert!(label(&text(&key)).await.contains("true_positive"));
}
