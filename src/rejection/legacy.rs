//! The bodies of the two documents that portcullis implements, literally.

use std::mem;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderValue, header};
use http_body::Frame;
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};

use super::{Rejection, RejectionKind, forget_body};

/// Renders rejections in one of the two older house styles, for clients that parse those.
///
/// Status and headers stay as they are; only the body and its media type change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LegacyJson {
    /// `{"error": "rate_limit_exceeded", "message": …, "retry_after": …, "limit": …, "remaining": 0, "reset_at": …}`.
    Workflow,
    /// `{"error": "Rate limit exceeded", "retry_after": 60}`.
    BestPractices,
}

impl LegacyJson {
    /// Rewrites the body if the response is a rejection; returns every other response untouched.
    pub fn restyle(self, response: Response) -> Response {
        restyled(response, &HeaderValue::from_static("application/json"), |rejection| self.body(rejection))
    }

    /// The body for one rejection.
    pub fn body(self, rejection: &Rejection) -> Value {
        let retry_after = rejection.retry_after_secs();
        let mut body = Map::new();
        match self {
            Self::Workflow => {
                body.insert("error".into(), rejection.kind().code().into());
                body.insert("message".into(), rejection.detail().into());
                if let Some(secs) = retry_after {
                    body.insert("retry_after".into(), secs.into());
                }
                for (name, value) in rejection.members() {
                    body.insert((*name).into(), value.clone());
                }
                if rejection.kind() == RejectionKind::RateLimited {
                    body.entry("remaining").or_insert(json!(0));
                }
            }
            Self::BestPractices => {
                body.insert("error".into(), rejection.kind().title().into());
                if let Some(secs) = retry_after {
                    body.insert("retry_after".into(), secs.into());
                }
            }
        }
        Value::Object(body)
    }
}

/// The response with another body, if it is a rejection.
pub(super) fn restyled(
    mut response: Response,
    media_type: &HeaderValue,
    body: impl FnOnce(&Rejection) -> Value,
) -> Response {
    let Some(rejection) = response.extensions().get::<Rejection>() else { return response };
    let is_empty = http_body::Body::is_end_stream(response.body());
    let body = body(rejection).to_string();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type.clone());
    forget_body(headers);
    // A response to HEAD stays without a body.
    if !is_empty {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        let old = mem::take(response.body_mut());
        *response.body_mut() = in_place_of(old, body.into());
    }
    response
}

/// The old body is read to its end all the same: an `AuditLayer` further inside would take one that
/// is thrown away for one that the client did not want.
fn in_place_of(old: Body, new: Bytes) -> Body {
    let mut new = Some(new);
    Body::new(old.map_frame(move |_| Frame::data(new.take().unwrap_or_default())))
}
