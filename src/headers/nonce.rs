use std::fmt;

use axum::extract::FromRequestParts;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use http::request::Parts;

use crate::rejection::Rejection;

/// 128 bits in base64url.
const LEN: usize = 22;

/// The nonce of one response: scripts and styles in the page that carry it may run, if the response's
/// policy has [`Source::NONCE`](super::Source::NONCE).
///
/// It is made anew for each request, of 128 bits from the operating system (CSP Level 3 §7.1). A page
/// that holds one must not be kept by shared caches. An extractor; without a
/// [`SecurityHeadersLayer`](super::SecurityHeadersLayer) outside whose policy for the path has a nonce,
/// the request fails with 500 `misconfigured`.
///
/// ```
/// use axum::response::Html;
/// use portcullis::headers::CspNonce;
///
/// async fn page(nonce: CspNonce) -> Html<String> {
///     Html(format!("<script nonce=\"{nonce}\">start()</script>"))
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CspNonce([u8; LEN]);

impl CspNonce {
    pub(super) fn generate() -> Result<Self, getrandom::Error> {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits)?;
        let mut text = [b'0'; LEN];
        // Fails only if the buffer were too short.
        let _ = Base64UrlUnpadded::encode(&bits, &mut text);
        Ok(Self(text))
    }

    /// The text for the attribute `nonce`: letters, digits, `-` and `_`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for CspNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whoever knows it in time can run scripts.
impl fmt::Debug for CspNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CspNonce(…)")
    }
}

impl<S: Sync> FromRequestParts<S> for CspNonce {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        parts.extensions.get::<Self>().copied().ok_or_else(|| {
            Rejection::misconfigured(
                "the CspNonce extractor is used, but no policy with a nonce is set for the path: \
                 put a SecurityHeadersLayer outside that has Source::NONCE, such as docs()",
            )
        })
    }
}
