//! What the layer hands on to the handler, and to services behind it, beside the principal: nothing
//! by default.
//!
//! `X-User-ID`, `X-User-Scopes` and `X-User-Tier` (and `X-User-Signature`) of the caller are removed
//! from every request, anonymous ones too, in every spelling with `-` or `_`: many servers behind a
//! proxy make one variable of both. With [`IdentityHeaders`] they are then written from the verified
//! principal.

mod signature;

use http::{HeaderMap, HeaderName, HeaderValue, header};

pub use self::signature::{ForwardedIdentity, IdentityError};
use super::{CookieSource, credentials::X_API_KEY, sources::cookie_pairs};
use crate::{identity::Principal, request::RequestContext, secret::SecretSet};

pub(super) const ID: HeaderName = HeaderName::from_static("x-user-id");
pub(super) const SCOPES: HeaderName = HeaderName::from_static("x-user-scopes");
pub(super) const TIER: HeaderName = HeaderName::from_static("x-user-tier");
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static("x-user-signature");

/// Writes the verified caller into `X-User-ID` (the subject), `X-User-Scopes` (separated by
/// spaces) and `X-User-Tier` (the plan), for a service behind this one that cannot read the
/// principal.
///
/// What is absent has no header. A byte that is not visible ASCII, and `%`, is percent-encoded
/// (RFC 3986 §2.1), so every subject has exactly one spelling and none can break the line.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct IdentityHeaders {
    secrets: Option<SecretSet>,
}

impl IdentityHeaders {
    /// The three headers, unsigned: whoever reaches the service behind by another way can write
    /// them himself.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `X-User-Signature`, by which the service behind knows that this one wrote them, and
    /// when: see [`ForwardedIdentity::verify`].
    pub fn signed(mut self, secrets: SecretSet) -> Self {
        self.secrets = Some(secrets);
        self
    }

    fn write(&self, headers: &mut HeaderMap, principal: &Principal, context: &RequestContext) {
        let scopes = principal.scopes().iter().map(|scope| encoded(&scope)).collect::<Vec<_>>().join(" ");
        let values = [
            Some(encoded(principal.subject())),
            Some(scopes).filter(|scopes| !scopes.is_empty()),
            principal.plan().map(encoded),
        ];
        let values = [&values[0], &values[1], &values[2]].map(Option::as_deref);
        for (name, value) in [ID, SCOPES, TIER].into_iter().zip(values) {
            if let Some(value) = value.and_then(|text| HeaderValue::try_from(text).ok()) {
                headers.insert(name, value);
            }
        }
        if let Some(secrets) = &self.secrets {
            let id = context.request_id();
            let text = signature::sign(values, &secrets.current(), context.now().wall, id.as_str());
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(SIGNATURE, value);
            }
        }
    }
}

/// Everything but visible ASCII, and `%`, in hexadecimal.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | ..=b' ' | 0x7F.. => {
                let hex = |digit: u8| char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase();
                out.extend(['%', hex(byte >> 4), hex(byte & 0xF)]);
            }
            _ => out.push(char::from(byte)),
        }
    }
    out
}

/// What becomes of the request's own headers.
#[derive(Clone, Debug, Default)]
pub(super) struct Forwarding {
    pub(super) identity: Option<IdentityHeaders>,
    pub(super) remove_credentials: bool,
}

impl Forwarding {
    /// Once it is known who calls.
    pub(super) fn apply(
        &self,
        headers: &mut HeaderMap,
        principal: &Principal,
        context: &RequestContext,
        cookie: Option<&CookieSource>,
    ) {
        if self.remove_credentials {
            headers.remove(header::AUTHORIZATION);
            headers.remove(X_API_KEY);
            if let Some(cookie) = cookie {
                forget_cookie(headers, cookie);
            }
        }
        if let Some(identity) = &self.identity {
            identity.write(headers, principal, context);
        }
    }
}

/// Removes every spelling of the identity headers. Allocates only if there is one.
pub(super) fn strip(headers: &mut HeaderMap) {
    while let Some(name) = headers.keys().find(|name| is_identity(name)).cloned() {
        headers.remove(name);
    }
}

pub(super) fn is_identity(name: &HeaderName) -> bool {
    let bytes = name.as_str().as_bytes();
    if bytes.first() != Some(&b'x') || bytes.len() < ID.as_str().len() {
        return false;
    }
    let same = |ours: &HeaderName| {
        let ours = ours.as_str().as_bytes();
        ours.len() == bytes.len()
            && ours.iter().zip(bytes).all(|(ours, theirs)| ours == theirs || (*ours == b'-' && *theirs == b'_'))
    };
    [ID, SCOPES, TIER, SIGNATURE].iter().any(same)
}

fn forget_cookie(headers: &mut HeaderMap, cookie: &CookieSource) {
    let pairs = cookie_pairs(headers).filter(|pair| !pair.is_empty() && cookie.value(pair).is_none());
    let kept: Vec<&[u8]> = pairs.collect();
    match HeaderValue::from_bytes(&kept.join(b"; ".as_slice())) {
        Ok(value) if !value.is_empty() => {
            headers.insert(header::COOKIE, value);
        }
        _ => {
            headers.remove(header::COOKIE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_subject_breaks_the_line_and_each_has_one_spelling() {
        assert_eq!(encoded("a\r\nx: y%\u{e9}\u{7f}"), "a%0D%0Ax:%20y%25%C3%A9%7F");
        assert_eq!(encoded("usr_1|google-oauth2~/+=\"\\"), "usr_1|google-oauth2~/+=\"\\");
    }
}
