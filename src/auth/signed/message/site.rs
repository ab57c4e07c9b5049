use http::Uri;

use crate::{
    auth::{Head, signed::target},
    request::{RequestContext, Scheme},
};

/// Scheme and authority, in the form in which they are signed (RFC 9421 §2.2.3): lower case, without
/// the scheme's own port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    https: bool,
    authority: String,
}

impl Origin {
    fn new(https: bool, authority: &str) -> Self {
        let authority = authority.to_ascii_lowercase();
        let port = if https { ":443" } else { ":80" };
        let authority = authority.strip_suffix(port).map_or_else(|| authority.clone(), ToOwned::to_owned);
        Self { https, authority }
    }

    /// As configured; `None` if it is not `http(s)://authority`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let https = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?.as_str();
        let bare = uri.path().trim_end_matches('/').is_empty() && uri.query().is_none() && !authority.contains('@');
        bare.then(|| Self::new(https, authority))
    }

    /// As far as the request says. A connection of which nothing is known is taken for HTTPS: what is
    /// signed travels over TLS, which ends in front of the service.
    pub(super) fn of(head: &Head<'_>, context: &RequestContext) -> Option<Self> {
        Some(Self::new(context.scheme() != Scheme::Http, target::authority(head)?))
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_the_scheme_are_dropped() {
        let text =
            |text: &str| Origin::parse(text).map(|origin| format!("{}://{}", origin.scheme(), origin.authority()));
        assert_eq!(text("https://API.example.com:443/").as_deref(), Some("https://api.example.com"));
        assert_eq!(text("https://api.example.com:80").as_deref(), Some("https://api.example.com:80"));
        assert_eq!(text("http://[::1]:80").as_deref(), Some("http://[::1]"));
        for bad in ["", "api.example.com", "ftp://a", "https://a/b", "https://a?b", "https://u@a", "/a"] {
            assert_eq!(text(bad), None, "{bad}");
        }
    }
}
