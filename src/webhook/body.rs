//! Reads the body, with a bound on its size and on the time it takes.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Limited};

use crate::rejection::{Rejection, RejectionKind};

/// What is known to be wrong with the body before it is read.
pub(super) fn check(headers: &HeaderMap, body: &Body, limit: usize) -> Result<(), RejectionKind> {
    // What was signed are the bytes on the wire; decompressing is for layers further in.
    let is_plain = |value: &http::HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain) {
        return Err(RejectionKind::UnsupportedMediaType);
    }
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok())
        .unwrap_or(0);
    if announced.max(body.size_hint().lower()) > limit {
        return Err(RejectionKind::PayloadTooLarge);
    }
    Ok(())
}

/// The body's bytes: of a body in one piece, that piece; else joined.
pub(super) async fn read(body: Body, limit: usize, timeout: Duration) -> Result<Bytes, Rejection> {
    match tokio::time::timeout(timeout, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        // The limit may be ours or one that stands outside.
        Ok(Err(error)) => Err(Rejection::from_body_error(&*error)),
        Err(_) => Err(RejectionKind::RequestTimeout.into()),
    }
}
