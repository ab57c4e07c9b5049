use std::{fmt, str::FromStr};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// What is stored in place of a key: a digest of the whole key, brand, environment and id included,
/// so that a digest moved to another record verifies nothing.
///
/// SHA-256 is right here, and a slow password hash would not be: the secret has 256 random bits,
/// which nobody guesses however fast the hash, while 27 ms of Argon2 for each request (measured)
/// would let anybody with a few bad keys stop the service.
///
/// As text, for a column or a file: `sha256:` and 43 characters of base64url.
#[derive(Clone, Copy)]
pub struct ApiKeyDigest([u8; 32]);

const PREFIX: &str = "sha256:";
/// Keeps these digests apart from every other SHA-256 of the same text.
const DOMAIN: &[u8] = b"portcullis api key v1\0";

/// The text is not the text of an [`ApiKeyDigest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an API key digest: expected sha256: and 43 characters of base64url")]
pub struct DigestError;

impl ApiKeyDigest {
    /// Matches no key: nobody knows a text whose digest is zero.
    pub(super) const NOBODY: Self = Self([0; 32]);

    pub(super) fn of(key: &str) -> Self {
        Self(Sha256::new().chain_update(DOMAIN).chain_update(key.as_bytes()).finalize().into())
    }

    /// Compares in constant time.
    pub(super) fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for ApiKeyDigest {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other)
    }
}

impl Eq for ApiKeyDigest {}

impl fmt::Display for ApiKeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", Base64UrlUnpadded::encode_string(&self.0))
    }
}

impl FromStr for ApiKeyDigest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(DigestError)?;
        let mut bytes = [0; 32];
        let decoded = Base64UrlUnpadded::decode(encoded, &mut bytes).map_err(|_| DigestError)?;
        if decoded.len() == 32 { Ok(Self(bytes)) } else { Err(DigestError) }
    }
}

/// Not the digest itself: it is not secret, but it has no business in a log.
impl fmt::Debug for ApiKeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyDigest(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let digest = ApiKeyDigest::of("acme_live_x");
        let text = digest.to_string();
        assert_eq!((text.len(), text.parse()), (50, Ok(digest)));
        for bad in ["", "sha256:", "md5:abc", &text[..49], &format!("{text}A"), &text.replace("sha", "SHA")] {
            assert_eq!(bad.parse::<ApiKeyDigest>(), Err(DigestError), "{bad}");
        }
        assert!(!format!("{digest:?}").contains(&text[10..20]));
    }

    /// Computed with another implementation: stored digests must stay valid.
    #[test]
    fn the_digest_is_frozen() {
        assert_eq!(ApiKeyDigest::of("acme_live_x").to_string(), "sha256:xX6ZTf448XlEtBlhG8MmbgmLaxgv_Cuy-DjlctoK6bY");
    }
}
