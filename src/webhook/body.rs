//! Which bodies are not even read.

use axum::body::Body;
use http::{HeaderMap, header};

use crate::{gate, rejection::RejectionKind};

/// What is known to be wrong with the body before it is read.
pub(super) fn check(headers: &HeaderMap, body: &Body, limit: usize) -> Result<(), RejectionKind> {
    // What was signed are the bytes on the wire; decompressing is for layers further in.
    let is_plain = |value: &http::HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain) {
        return Err(RejectionKind::UnsupportedMediaType);
    }
    gate::announced(headers, body, limit)
}
