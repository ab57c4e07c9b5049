//! Where a request without credentials is sent.

use http::{HeaderMap, HeaderValue, Uri, header, uri::Authority};

/// A host, and the authority of its HTTPS address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    host: String,
    authority: String,
}

impl Target {
    /// `api.example`, or `api.example:8443` where HTTPS has that port.
    pub(super) fn parse(text: &str) -> Result<Self, (&'static str, &'static str)> {
        let authority =
            text.parse::<Authority>().map_err(|_| ("is no host", "write api.example, or api.example:8443"))?;
        if text.contains(['@', '*']) || authority.host().is_empty() {
            return Err(("is no host", "write api.example, or api.example:8443"));
        }
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(("has capitals", "write the host in lower case"));
        }
        Ok(Self { host: authority.host().to_owned(), authority: text.to_owned() })
    }
}

/// The HTTPS address of what was asked for, if its host is one of `targets`.
pub(super) fn location(targets: &[Target], uri: &Uri, headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = asked_host(uri, headers)?;
    let target = targets.iter().find(|target| target.host.eq_ignore_ascii_case(&asked))?;
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    // `OPTIONS *` is no GET, and everything else begins with a slash.
    let path = if path.starts_with('/') { path } else { "/" };
    HeaderValue::try_from(format!("https://{}{path}", target.authority)).ok()
}

/// RFC 9110 §7.2: the target's own authority, or the one `Host`.
fn asked_host(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    if let Some(host) = uri.host() {
        return Some(host.to_owned());
    }
    let mut lines = headers.get_all(header::HOST).iter();
    match (lines.next(), lines.next()) {
        (Some(only), None) => Some(only.to_str().ok()?.parse::<Authority>().ok()?.host().to_owned()),
        _ => None,
    }
}
