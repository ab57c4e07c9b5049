//! What the head says of the body: decided before a byte of it is read.

use axum::body::{Body, HttpBody as _};
use http::{HeaderMap, HeaderName, Method, Request, header};

use super::rule::{Compiled, JSON, Presence, which};
use crate::rejection::{Rejection, RejectionKind};

const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// What is to become of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// There is none.
    Absent,
    /// Nothing says that there is one, and nothing that there is none: a byte would be refused.
    Nothing(Surprise),
    /// One of the rule's media types.
    Content(usize),
}

/// Why a byte would be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surprise {
    /// The route takes no body.
    Body,
    /// It has no type.
    Untyped,
}

pub(super) fn expected(rule: &Compiled, request: &Request<Body>, limit: usize) -> Result<Expected, Rejection> {
    let (method, headers) = (request.method(), request.headers());
    let announced = length(headers)?.unwrap_or(0).max(request.body().size_hint().lower());
    let presence = rule.presence(method);
    if request.body().is_end_stream() {
        return if presence == Presence::Required { Err(missing()) } else { Ok(Expected::Absent) };
    }
    if presence == Presence::Never {
        return if announced > 0 {
            Err(surprise(Surprise::Body, rule, method))
        } else {
            Ok(Expected::Nothing(Surprise::Body))
        };
    }
    let Some(value) = single(headers, &header::CONTENT_TYPE)? else {
        return if announced > 0 { Err(unsupported(rule, method)) } else { Ok(Expected::Nothing(Surprise::Untyped)) };
    };
    let content = if value == JSON { rule.json } else { which(&rule.contents, value) };
    let content = content.ok_or_else(|| unsupported(rule, method))?;
    check_encoding(rule, headers)?;
    if announced > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(RejectionKind::PayloadTooLarge.into());
    }
    Ok(Expected::Content(content))
}

fn check_encoding(rule: &Compiled, headers: &HeaderMap) -> Result<(), Rejection> {
    let lines = headers.get_all(header::CONTENT_ENCODING).into_iter();
    let mut codings = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let is_known = |coding: &[u8]| {
        coding.eq_ignore_ascii_case(b"identity")
            || rule.encodings.iter().any(|known| coding.eq_ignore_ascii_case(known.as_bytes()))
    };
    if codings.all(is_known) {
        return Ok(());
    }
    // RFC 9110 §12.5.3: in a 415 it says which encodings would have been taken.
    let line = rule.accept_encoding.clone();
    Err(Rejection::new(RejectionKind::UnsupportedMediaType).with_header(header::ACCEPT_ENCODING, line))
}

/// `Content-Length`. What is no number is refused, and so is a length beside a transfer coding (RFC
/// 9112 §6.1): a front that goes by the one and a service that goes by the other see two requests.
fn length(headers: &HeaderMap) -> Result<Option<u64>, Rejection> {
    let Some(value) = single(headers, &header::CONTENT_LENGTH)? else { return Ok(None) };
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).filter(|_| is_number);
    if number.is_none() || headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(Rejection::new(RejectionKind::InvalidRequest).with_detail("The length of the body is not clear."));
    }
    Ok(number)
}

/// The one line of a field that must not stand twice.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, Rejection> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next();
    if lines.next().is_some() {
        return Err(
            Rejection::new(RejectionKind::InvalidRequest).with_detail("A header that must stand once is repeated.")
        );
    }
    Ok(first.map(http::HeaderValue::as_bytes))
}

/// 415, with what would have been taken (RFC 9110 §15.5.16, RFC 5789 §3.1, LDP §7.1).
fn unsupported(rule: &Compiled, method: &Method) -> Rejection {
    let rejection =
        Rejection::new(RejectionKind::UnsupportedMediaType).with_header(header::ACCEPT, rule.accept.clone());
    match *method {
        Method::POST => rejection.with_header(ACCEPT_POST, rule.accept.clone()),
        Method::PATCH => rejection.with_header(ACCEPT_PATCH, rule.accept.clone()),
        _ => rejection,
    }
}

pub(super) fn surprise(surprise: Surprise, rule: &Compiled, method: &Method) -> Rejection {
    match surprise {
        Surprise::Body => Rejection::new(RejectionKind::InvalidRequest).with_detail("A body is not expected here."),
        Surprise::Untyped => unsupported(rule, method),
    }
}

pub(super) fn missing() -> Rejection {
    Rejection::new(RejectionKind::InvalidRequest).with_detail("A body is expected here.")
}
