use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{
    Authenticator, Head, forward,
    grammar::{self, Authorization, Malformed},
    sources::{self, Sources},
};
use crate::rejection::{Rejection, RejectionKind};

pub(super) const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The credential of a request, not verified yet. Borrowed: a token is never copied.
#[derive(Debug)]
pub(super) enum Sent<'a> {
    /// Neither header is there.
    Nothing,
    /// `Authorization` with a scheme that is not accepted here.
    OtherScheme,
    /// An `Authorization` line that nobody has looked at yet: [`authorization`] does.
    Unread(&'a HeaderValue),
    /// `Authorization: Bearer …`.
    Bearer(&'a str),
    /// `Authorization: DPoP …`.
    Dpop(&'a str),
    /// The same token, as WebSocket sub-protocol.
    WebSocket(&'a str),
    /// `X-API-Key: …`.
    ApiKey(&'a str),
    /// Something that this authenticator knows.
    Other(Arc<dyn Authenticator>),
}

/// By which scheme a credential came: the challenge that names the error is that scheme's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::auth) enum Via {
    /// `Authorization: Bearer`.
    Bearer,
    /// `Authorization: DPoP`.
    Dpop,
    /// A sub-protocol of a WebSocket handshake.
    WebSocket,
    /// `X-API-Key`.
    ApiKey,
    /// As an [`Authenticator`] knows.
    Other,
}

/// A refusal, and the scheme whose challenge says so.
#[derive(Debug)]
pub(super) struct Unreadable(pub(super) Rejection, pub(super) Via);

const TWICE: &str = "Send exactly one credential, exactly once.";

/// Reads the one credential that was put into a request on purpose, from `sources` among the headers only: what stands in a URL
/// stands in logs, in histories and in `Referer` (RFC 9700 §4.3.2).
pub(super) fn read<'a>(head: Head<'a>, sources: &Sources) -> Result<Sent<'a>, Unreadable> {
    let (authorization, key) = single(head.headers, sources)?;
    let protocol = if sources.websocket { sources::websocket_token(head).map_err(|_| twice())? } else { None };
    if let Some(token) = protocol {
        return if authorization.or(key).is_some() { Err(twice()) } else { bare(token).map(Sent::WebSocket) };
    }
    match (authorization, key) {
        (None, None) => Ok(Sent::Nothing),
        (Some(_), Some(_)) => Err(twice()),
        (Some(value), None) => Ok(Sent::Unread(value)),
        (None, Some(value)) => grammar::api_key(value.as_bytes())
            .map(Sent::ApiKey)
            .map_err(|why| unreadable(&why, RejectionKind::InvalidApiKey, Via::ApiKey)),
    }
}

/// Reads the line that [`read`] found.
pub(super) fn authorization<'a>(value: &'a HeaderValue, sources: &Sources) -> Result<Sent<'a>, Unreadable> {
    match grammar::authorization(value.as_bytes(), sources.dpop) {
        Ok(Authorization::Bearer(token)) => Ok(Sent::Bearer(token)),
        Ok(Authorization::Dpop(token)) => Ok(Sent::Dpop(token)),
        Ok(Authorization::OtherScheme) => Ok(Sent::OtherScheme),
        Err(why) => Err(unreadable(&why, RejectionKind::InvalidToken, Via::Bearer)),
    }
}

/// The token of the cookie, for a request that carries nothing else: a browser sends cookies whether
/// or not somebody means them.
pub(super) fn cookie<'a>(head: Head<'a>, sources: &Sources) -> Result<Sent<'a>, Unreadable> {
    match sources.cookie.as_ref().map(|cookie| cookie.token(head)) {
        Some(Ok(Some(token))) => bare(token).map(Sent::Bearer),
        Some(Err(rejection)) => Err(Unreadable(rejection, Via::Bearer)),
        Some(Ok(None)) | None => Ok(Sent::Nothing),
    }
}

/// The token under the `DPoP` scheme, once [`read`] has found it.
pub(super) fn dpop_token(headers: &HeaderMap) -> Option<&str> {
    match grammar::authorization(headers.get(header::AUTHORIZATION)?.as_bytes(), true) {
        Ok(Authorization::Dpop(token)) => Some(token),
        _ => None,
    }
}

/// A token without a scheme before it.
fn bare(token: &[u8]) -> Result<&str, Unreadable> {
    let text = std::str::from_utf8(token).ok().filter(|text| grammar::is_token(text));
    text.ok_or_else(|| Unreadable(RejectionKind::InvalidToken.into(), Via::Bearer))
}

/// Marks the headers so that what logs the request further in shows `Sensitive`. Whether there are
/// identity headers, which only the layer itself may write.
pub(super) fn mark_sensitive(headers: &mut HeaderMap) -> bool {
    let mut forged = false;
    // One pass, in which names are compared, costs less than to look for each: that hashes it.
    for (name, value) in headers.iter_mut() {
        forged |= forward::is_identity(name);
        if [&header::AUTHORIZATION, &X_API_KEY, &header::COOKIE, &header::SEC_WEBSOCKET_PROTOCOL].contains(&name) {
            value.set_sensitive(true);
        }
    }
    forged
}

/// The two headers in which a credential may stand, each once at most.
fn single<'a>(headers: &'a HeaderMap, sources: &Sources) -> Result<(Lone<'a>, Lone<'a>), Unreadable> {
    let (mut authorization, mut key) = (None, None);
    for (name, line) in headers {
        let held = if *name == header::AUTHORIZATION {
            &mut authorization
        } else if sources.api_keys && *name == X_API_KEY {
            &mut key
        } else {
            continue;
        };
        if held.replace(line).is_some() {
            return Err(twice());
        }
    }
    Ok((authorization, key))
}

type Lone<'a> = Option<&'a HeaderValue>;

pub(super) fn twice() -> Unreadable {
    Unreadable(Rejection::new(RejectionKind::InvalidRequest).with_detail(TWICE), Via::Bearer)
}

fn unreadable(why: &Malformed, token: RejectionKind, via: Via) -> Unreadable {
    match *why {
        Malformed::Header(detail) => Unreadable(Rejection::new(RejectionKind::InvalidRequest).with_detail(detail), via),
        Malformed::Token => Unreadable(token.into(), via),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_for_credentials_makes_no_room_in_a_full_map() {
        let mut headers = HeaderMap::with_capacity(3);
        let full = headers.capacity();
        for number in 0..full {
            headers.insert(HeaderName::try_from(format!("x-{number}")).unwrap(), HeaderValue::from_static("1"));
        }
        assert!(!mark_sensitive(&mut headers));
        assert_eq!(headers.capacity(), full);
    }

    #[test]
    fn every_line_is_marked_rfc9700() {
        let mut headers = HeaderMap::new();
        for name in [header::AUTHORIZATION, X_API_KEY] {
            headers.append(&name, HeaderValue::from_static("a"));
            headers.append(&name, HeaderValue::from_static("b"));
        }
        assert!(!mark_sensitive(&mut headers));
        assert!(headers.values().all(HeaderValue::is_sensitive));
    }
}
