//! The one place that builds an error response.

use std::sync::OnceLock;

use axum::{body::Body, response::Response};
use http::{HeaderValue, header};
use serde::Serialize;

use super::{GraphQlErrors, Rejection, RejectionKind};

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
        // Only a member that cannot be written as JSON leaves nothing; the status still tells.
        _ => match rejection.graphql_body() {
            Some(form) => form.body_with(&rejection, stamp.map(|stamp| stamp.request_id)).to_string().into_bytes(),
            None => body(&rejection, stamp).unwrap_or_default(),
        },
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = rejection.status();
    let headers = response.headers_mut();
    // And one for the request's id.
    headers.reserve(rejection.headers().len().saturating_add(4));
    headers.insert(header::CONTENT_TYPE, media_type(&rejection));
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

fn media_type(rejection: &Rejection) -> HeaderValue {
    rejection.graphql_body().map_or(PROBLEM_JSON, GraphQlErrors::media_type)
}

/// Written piece by piece, without a tree in between: refusing must be cheap.
fn body(rejection: &Rejection, stamp: Option<Stamp<'_>>) -> serde_json::Result<Vec<u8>> {
    const REQUEST_ID: &[u8] = b",\"request_id\":";
    let kind = rejection.kind();
    let is_usual = rejection.status() == kind.status() && rejection.detail() == kind.detail();
    let usual = if is_usual { usual_beginning(kind) } else { None };
    let id = stamp.map_or("", |stamp| stamp.request_id);
    // Exact, where there is no more to say: then the bytes become the body as they lie.
    let known = usual.map_or(512, <[u8]>::len).saturating_add(REQUEST_ID.len()).saturating_add(id.len());
    let more = if rejection.members().is_empty() { 0 } else { 256 };
    let mut body = Vec::with_capacity(known.saturating_add(more).saturating_add(const { "\"\"}".len() }));
    match usual {
        Some(usual) => body.extend_from_slice(usual),
        None => beginning(&mut body, rejection.status().as_u16(), kind, rejection.detail())?,
    }
    if stamp.is_some() {
        body.extend_from_slice(REQUEST_ID);
        serde_json::to_writer(&mut body, id)?;
    }
    if let Some(secs) = rejection.retry_after_secs() {
        body.extend_from_slice(b",\"retry_after\":");
        serde_json::to_writer(&mut body, &secs)?;
    }
    for (name, value) in rejection.members() {
        body.push(b',');
        serde_json::to_writer(&mut body, name)?;
        body.push(b':');
        serde_json::to_writer(&mut body, value)?;
    }
    body.push(b'}');
    Ok(body)
}

/// What every document has, in the order in which it has it.
#[derive(Serialize)]
struct Beginning<'a> {
    #[serde(rename = "type")]
    problem_type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    error: &'a str,
}

/// Without the brace at the end.
fn beginning(body: &mut Vec<u8>, status: u16, kind: RejectionKind, detail: &str) -> serde_json::Result<()> {
    let problem_type = &*kind.problem_type();
    let beginning = Beginning { problem_type, title: kind.title(), status, detail, error: kind.code() };
    serde_json::to_writer(&mut *body, &beginning)?;
    body.pop();
    Ok(())
}

/// That of a rejection that says no more than its kind, written once.
fn usual_beginning(kind: RejectionKind) -> Option<&'static [u8]> {
    static WRITTEN: [OnceLock<Vec<u8>>; RejectionKind::COUNT] = [const { OnceLock::new() }; RejectionKind::COUNT];
    let write = || {
        let mut body = Vec::new();
        beginning(&mut body, kind.status().as_u16(), kind, kind.detail()).map(|()| body).unwrap_or_default()
    };
    WRITTEN.get(kind.index()).map(|written| &**written.get_or_init(write)).filter(|written| !written.is_empty())
}

/// Writes the body of a rejection that a handler or extractor returned anew, now with the id.
/// Headers that were added since stay, and so does a body that the application has restyled.
pub(crate) fn restamp(mut response: Response, rejection: Rejection, stamp: Stamp<'_>) -> Response {
    let media_type = media_type(&rejection);
    if response.headers().get(header::CONTENT_TYPE) != Some(&media_type) {
        response.extensions_mut().insert(rejection.stamped());
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let status = parts.status;
    let fresh = render(rejection, Some(stamp));
    let (fresh_parts, body) = fresh.into_parts();
    forget_body(&mut parts.headers);
    parts.headers.insert(header::CONTENT_TYPE, media_type);
    parts.extensions.extend(fresh_parts.extensions);
    parts.status = status;
    Response::from_parts(parts, body)
}
