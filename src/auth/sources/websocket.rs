//! A token in the list of WebSocket sub-protocols: browsers let a page set no other header of the
//! handshake (RFC 6455 §4.1), and a URL is no place for a token.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::auth::Head;

/// The sub-protocol that announces a token.
const BEARER: &str = "bearer";

/// `bearer` is offered more than once: two tokens are a mistake, not a choice.
#[derive(Debug)]
pub(in crate::auth) struct Twice;

/// The token after `bearer` in the offered sub-protocols of a handshake. `Some("")` if there is
/// none after it.
pub(in crate::auth) fn token(head: Head<'_>) -> Result<Option<&str>, Twice> {
    let Some(upgrade) = head.headers.get(header::UPGRADE) else { return Ok(None) };
    // HTTP/2 has no Upgrade field, and an extended CONNECT (RFC 8441) is not read here.
    if !upgrade.as_bytes().eq_ignore_ascii_case(b"websocket") {
        return Ok(None);
    }
    let mut offered = offered(head.headers);
    if !offered.any(|protocol| protocol == BEARER) {
        return Ok(None);
    }
    let token = offered.next().unwrap_or_default();
    if offered.any(|protocol| protocol == BEARER) { Err(Twice) } else { Ok(Some(token)) }
}

/// Leaves `bearer` and the other sub-protocols, without the token: handlers log what was offered.
pub(in crate::auth) fn forget(headers: &mut HeaderMap) {
    let mut kept: Vec<&str> = Vec::new();
    let mut is_token = false;
    for protocol in offered(headers) {
        if !std::mem::take(&mut is_token) {
            kept.push(protocol);
            is_token = protocol == BEARER && kept.iter().filter(|kept| **kept == BEARER).count() == 1;
        }
    }
    if let Ok(value) = HeaderValue::try_from(kept.join(", ")) {
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

fn offered(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter();
    lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim)
}
