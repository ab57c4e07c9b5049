//! A token in a cookie, for pages of the same site.

use http::{HeaderMap, Method, header};

use crate::{
    auth::Head,
    config_error::{ConfigError, ConfigIssues},
    rejection::{Rejection, RejectionKind},
};

const CROSS_SITE: &str = "A request with this cookie must come from a page of this site.";
const TWICE: &str = "The cookie is there more than once.";

/// A cookie that holds a bearer token.
///
/// A browser sends a cookie whoever asks it to, so the cookie counts only where the request comes
/// from a page of the same origin, by the browser's own word: `Sec-Fetch-Site: same-origin`, or an
/// `Origin` that names this host (under `https`, if the name has a prefix). `GET`, `HEAD` and `OPTIONS` need no such word, for they must not
/// change anything (RFC 9110 §9.2.1); WebSocket handshakes do. What comes from elsewhere is a 403.
///
/// What is sent on purpose (an `Authorization` header, a signature, a signed URL) wins over the cookie,
/// which a browser adds by itself.
#[derive(Clone, Debug)]
pub struct CookieSource {
    name: Box<str>,
}

impl CookieSource {
    /// The cookie's name. It begins with `__Host-` or `__Secure-`, whose rules keep other sites and
    /// plain-text connections from setting it (RFC 6265bis §4.1.3).
    ///
    /// # Errors
    /// A name with another beginning, or with a character that no cookie's name may have.
    pub fn new(name: impl Into<String>) -> Result<Self, ConfigError> {
        let name = name.into();
        let mut issues = ConfigIssues::new();
        if !name.starts_with("__Host-") && !name.starts_with("__Secure-") {
            issues.add(
                "cookie",
                "the name has neither prefix, so other sites can set the cookie",
                "use a name such as __Host-token, or CookieSource::dangerously_unprefixed",
            );
        }
        check(&name, &mut issues);
        issues.finish(Self { name: name.into() })
    }

    /// A cookie of any name. Whoever controls a sister domain, or the network on a plain-text
    /// connection, can set it: a victim may then act in an attacker's name.
    ///
    /// # Errors
    /// A name with a character that no cookie's name may have.
    pub fn dangerously_unprefixed(name: impl Into<String>) -> Result<Self, ConfigError> {
        let name = name.into();
        let mut issues = ConfigIssues::new();
        check(&name, &mut issues);
        issues.finish(Self { name: name.into() })
    }

    /// The cookie's value, if the request may use it.
    pub(in crate::auth) fn token<'a>(&self, head: Head<'a>) -> Result<Option<&'a [u8]>, Rejection> {
        let mut values = pairs(head.headers).filter_map(|pair| self.value(pair));
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Rejection::new(RejectionKind::InvalidRequest).with_detail(TWICE));
        }
        if is_safe(head) || self.is_same_origin(head) {
            return Ok(Some(value.trim_ascii()));
        }
        Err(Rejection::new(RejectionKind::Forbidden).with_detail(CROSS_SITE))
    }

    fn is_same_origin(&self, head: Head<'_>) -> bool {
        let only = |name: &str| {
            let mut lines = head.headers.get_all(name).into_iter();
            lines.next().filter(|_| lines.next().is_none()).and_then(|line| line.to_str().ok())
        };
        if head.headers.contains_key("sec-fetch-site") {
            return only("sec-fetch-site") == Some("same-origin");
        }
        // A cookie with a prefix goes to `https` only; who sends it from a plain-text page of the same
        // name may be somebody on the way.
        let is_secret = |scheme: &str| scheme == "https" || !self.name.starts_with("__");
        let host = head.uri.authority().map(http::uri::Authority::as_str).or_else(|| only("host"));
        match (only("origin").and_then(|origin| origin.split_once("://")), host) {
            (Some((scheme, origin)), Some(host)) => {
                is_secret(scheme) && !host.is_empty() && origin.eq_ignore_ascii_case(host)
            }
            _ => false,
        }
    }

    /// What stands behind the name, if the pair is this cookie.
    pub(in crate::auth) fn value<'a>(&self, pair: &'a [u8]) -> Option<&'a [u8]> {
        pair.strip_prefix(self.name.as_bytes())?.strip_prefix(b"=")
    }
}

/// The pairs of all lines. As bytes: an odd one in the cookie of somebody else hides none of the others.
pub(in crate::auth) fn pairs(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).map(<[u8]>::trim_ascii)
}

fn check(name: &str, issues: &mut ConfigIssues) {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > 128 || !name.bytes().all(is_token) {
        issues.add("cookie", "the name is not a token (RFC 9110 §5.6.2)", "use 1 to 128 letters, digits, - and _");
    }
}

/// A handshake begins with a GET, and then does what it likes.
fn is_safe(head: Head<'_>) -> bool {
    matches!(*head.method, Method::GET | Method::HEAD | Method::OPTIONS) && !head.headers.contains_key(header::UPGRADE)
}
