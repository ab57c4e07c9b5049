use std::collections::HashSet;

use http_body_util::BodyExt as _;
use serde_json::json;

use super::*;

async fn body_of(response: Response) -> Value {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap()
}

fn limited() -> Rejection {
    Rejection::new(RejectionKind::RateLimited)
        .with_detail("Rate limit of 20 requests per minute exceeded")
        .with_retry_after(Duration::from_millis(5_001))
        .with_member("limit", 20)
        .with_member("remaining", 0)
        .with_member("reset_at", "2025-01-15T10:30:00Z")
}

#[test]
fn every_kind_has_a_row_of_its_own() {
    let codes: HashSet<_> = RejectionKind::ALL.iter().map(|kind| kind.code()).collect();
    assert_eq!(codes.len(), RejectionKind::COUNT);
    for (index, kind) in RejectionKind::ALL.iter().enumerate() {
        assert_eq!(kind.index(), index);
        assert!(kind.status().is_client_error() || kind.status().is_server_error());
        assert!(kind.code().chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", kind.code());
        assert!(kind.detail().ends_with('.') && !kind.title().ends_with('.'));
        assert!(kind.advice().ends_with('.') && kind.advice() != kind.detail());
    }
}

#[test]
fn a_bare_status_finds_its_kind() {
    for status in 400..600 {
        let status = StatusCode::from_u16(status).unwrap();
        let kind = Rejection::from_status(status).kind();
        assert_eq!(kind.status().is_client_error(), status.is_client_error(), "{status}");
        assert_eq!(Rejection::from_status(status).status(), status);
    }
    assert_eq!(Rejection::from_status(StatusCode::OK).status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(Rejection::from_status(StatusCode::BAD_REQUEST).kind(), RejectionKind::InvalidRequest);
    assert_eq!(Rejection::from_status(StatusCode::IM_A_TEAPOT).kind(), RejectionKind::InvalidRequest);
}

/// RFC 9457 §3.1.2: the member and the response have the same status.
#[tokio::test]
async fn a_foreign_status_stands_in_the_document_too() {
    let response = Rejection::from_status(StatusCode::IM_A_TEAPOT).into_response();
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(body_of(response).await["status"], 418);
}

#[tokio::test]
async fn what_was_restyled_is_not_written_anew() {
    let restyled = LegacyJson::Workflow.restyle(limited().into_response());
    let rejection = restyled.extensions().get::<Rejection>().unwrap().clone();
    let stamped = restamp(restyled, rejection, Stamp { request_id: "req_1", is_head: false });
    assert!(stamped.extensions().get::<Rejection>().unwrap().is_stamped());
    let length: usize = stamped.headers()["content-length"].to_str().unwrap().parse().unwrap();
    let body = body_of(stamped).await;
    assert_eq!((&body["error"], body.get("type")), (&"rate_limit_exceeded".into(), None));
    assert_eq!(length, body.to_string().len());
}

#[tokio::test]
async fn the_document_is_rfc_9457() {
    let response = render(limited(), Some(Stamp { request_id: "req_1", is_head: false }));
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["retry-after"], "6");
    assert_eq!(
        body_of(response).await,
        json!({
            "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
            "title": "Rate limit exceeded", "status": 429,
            "detail": "Rate limit of 20 requests per minute exceeded",
            "error": "rate_limit_exceeded", "request_id": "req_1", "retry_after": 6,
            "limit": 20, "remaining": 0, "reset_at": "2025-01-15T10:30:00Z",
        })
    );
}

#[tokio::test]
async fn a_response_to_head_has_no_body() {
    let response = render(limited(), Some(Stamp { request_id: "req_1", is_head: true }));
    assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
}

#[tokio::test]
async fn the_source_reaches_no_client() {
    let rejection = Rejection::misconfigured("AuthLayer is missing at secret-host:5432");
    let logged = rejection.source().unwrap().to_string();
    let body = body_of(rejection.into_response()).await.to_string();
    assert!(logged.contains("secret-host") && !body.contains("secret-host"), "{body}");
}

#[tokio::test]
async fn restamping_keeps_headers_that_came_since() {
    let mut response = limited().into_response();
    response.headers_mut().insert("vary", HeaderValue::from_static("Origin"));
    let rejection = response.extensions().get::<Rejection>().unwrap().clone();
    assert!(!rejection.is_stamped());
    let response = restamp(response, rejection, Stamp { request_id: "req_2", is_head: false });
    assert_eq!(response.headers()["vary"], "Origin");
    assert_eq!(response.headers()["retry-after"], "6");
    assert!(response.extensions().get::<Rejection>().unwrap().is_stamped());
    assert_eq!(body_of(response).await["request_id"], "req_2");
}

/// The workflow document, line 626.
#[tokio::test]
async fn legacy_workflow_is_the_documents_body() {
    let response = LegacyJson::Workflow.restyle(limited().into_response());
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(
        body_of(response).await,
        json!({
            "error": "rate_limit_exceeded", "message": "Rate limit of 20 requests per minute exceeded",
            "retry_after": 6, "limit": 20, "remaining": 0, "reset_at": "2025-01-15T10:30:00Z",
        })
    );
}

/// The best practices, line 44.
#[tokio::test]
async fn legacy_best_practices_is_the_documents_body() {
    let response = LegacyJson::BestPractices.restyle(limited().into_response());
    assert_eq!(body_of(response).await, json!({ "error": "Rate limit exceeded", "retry_after": 6 }));
}

#[tokio::test]
async fn other_responses_are_left_alone() {
    let response = LegacyJson::Workflow.restyle("hello".into_response());
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
}
