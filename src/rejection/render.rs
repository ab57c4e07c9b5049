//! The one place that builds an error response.

use axum::{body::Body, response::Response};
use http::{HeaderValue, header};
use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::Rejection;

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// What is said of a body, and is wrong of another one in its place: a gzipped one, say, was
/// written by a compression layer further inside.
const OF_A_BODY: [http::HeaderName; 9] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_DISPOSITION,
    header::CONTENT_LANGUAGE,
    header::ETAG,
    header::LAST_MODIFIED,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    http::HeaderName::from_static("repr-digest"),
];

/// For who puts another body into a response.
pub(crate) fn forget_body(headers: &mut http::HeaderMap) {
    for name in &OF_A_BODY {
        headers.remove(name);
    }
}

/// What the renderer needs to know of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp<'a> {
    /// The request's id.
    pub(crate) request_id: &'a str,
    /// A response to HEAD has no body (RFC 9110 §9.3.2).
    pub(crate) is_head: bool,
}

/// The rejection as `application/problem+json` (RFC 9457), with itself in the extensions.
pub(crate) fn render(rejection: Rejection, stamp: Option<Stamp<'_>>) -> Response {
    let body = match stamp {
        Some(Stamp { is_head: true, .. }) => Vec::new(),
        _ => body(&Document { rejection: &rejection, stamp }),
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = rejection.status();
    let headers = response.headers_mut();
    headers.reserve(rejection.headers().len().saturating_add(8));
    headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    if let Some(secs) = rejection.retry_after_secs() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
    }
    for (name, value) in rejection.headers() {
        headers.append(name, value.clone());
    }
    *response.body_mut() = Body::from(body);
    let rejection = if stamp.is_some() { rejection.stamped() } else { rejection };
    response.extensions_mut().insert(rejection);
    response
}

fn body(document: &Document<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(512);
    if serde_json::to_writer(&mut body, document).is_err() {
        // Only a member that cannot be written as JSON gets here; the status still tells.
        body.clear();
    }
    body
}

/// Writes the body of a rejection that a handler or extractor returned anew, now with the id.
/// Headers that were added since stay, and so does a body that the application has restyled.
pub(crate) fn restamp(mut response: Response, rejection: Rejection, stamp: Stamp<'_>) -> Response {
    if response.headers().get(header::CONTENT_TYPE) != Some(&PROBLEM_JSON) {
        response.extensions_mut().insert(rejection.stamped());
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let status = parts.status;
    let fresh = render(rejection, Some(stamp));
    let (fresh_parts, body) = fresh.into_parts();
    forget_body(&mut parts.headers);
    parts.headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
    parts.extensions.extend(fresh_parts.extensions);
    parts.status = status;
    Response::from_parts(parts, body)
}

/// Written member by member, without a tree in between: refusing must be cheap.
struct Document<'a> {
    rejection: &'a Rejection,
    stamp: Option<Stamp<'a>>,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (rejection, kind) = (self.rejection, self.rejection.kind());
        let mut document = serializer.serialize_map(None)?;
        document.serialize_entry("type", &*kind.problem_type())?;
        document.serialize_entry("title", kind.title())?;
        document.serialize_entry("status", &rejection.status().as_u16())?;
        document.serialize_entry("detail", rejection.detail())?;
        document.serialize_entry("error", kind.code())?;
        if let Some(stamp) = self.stamp {
            document.serialize_entry("request_id", stamp.request_id)?;
        }
        if let Some(secs) = rejection.retry_after_secs() {
            document.serialize_entry("retry_after", &secs)?;
        }
        for (name, value) in rejection.members() {
            document.serialize_entry(name, value)?;
        }
        document.end()
    }
}
