//! A token in the list of WebSocket sub-protocols: browsers let a page set no other header of the
//! handshake (RFC 6455 §4.1), and a URL is no place for a token.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::auth::Head;

/// The sub-protocol that announces a token.
const BEARER: &str = "bearer";
const BEARER_BYTES: &[u8] = BEARER.as_bytes();

/// `bearer` is offered more than once: two tokens are a mistake, not a choice.
#[derive(Debug)]
pub(in crate::auth) struct Twice;

/// What stands after `bearer` in the offered sub-protocols of a handshake: the token, if it is one. Empty if
/// there is nothing after it.
pub(in crate::auth) fn token(head: Head<'_>) -> Result<Option<&[u8]>, Twice> {
    let Some(upgrade) = head.headers.get(header::UPGRADE) else { return Ok(None) };
    // HTTP/2 has no Upgrade field, and an extended CONNECT (RFC 8441) is not read here.
    if !upgrade.as_bytes().eq_ignore_ascii_case(b"websocket") {
        return Ok(None);
    }
    let mut offered = offered(head.headers);
    if !offered.any(|protocol| protocol == BEARER_BYTES) {
        return Ok(None);
    }
    let token = offered.next().unwrap_or_default();
    if offered.any(|protocol| protocol == BEARER_BYTES) { Err(Twice) } else { Ok(Some(token)) }
}

/// Leaves `bearer` and the other sub-protocols, without the token: handlers log what was offered.
pub(in crate::auth) fn forget(headers: &mut HeaderMap) {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut is_token = false;
    for protocol in offered(headers) {
        if !std::mem::take(&mut is_token) {
            kept.push(protocol);
            is_token = protocol == BEARER_BYTES && kept.iter().filter(|kept| **kept == BEARER_BYTES).count() == 1;
        }
    }
    if let Ok(value) = HeaderValue::from_bytes(&kept.join(b", ".as_slice())) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, value);
    }
}

/// Chooses `bearer` if the handler chose nothing: a browser that offered sub-protocols and is told
/// none closes the connection (RFC 6455 §4.1).
pub(in crate::auth) fn choose(response: &mut Response) {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        response
            .headers_mut()
            .entry(header::SEC_WEBSOCKET_PROTOCOL)
            .or_insert(const { HeaderValue::from_static(BEARER) });
    }
}

/// As bytes: an odd one in another sub-protocol hides none of the others.
fn offered(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}
