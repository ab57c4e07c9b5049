use std::{fmt, str::FromStr};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// What is stored in place of a key: one or two digests of the whole key, brand, environment and id
/// included, so that a digest moved to another record verifies nothing.
///
/// [`KeyHasher`](super::KeyHasher) makes and checks them. As text, for a column or a file, a digest
/// says itself what it is; at most 256 characters:
///
/// | text | made by |
/// |---|---|
/// | `hmac-sha256$v1$` and 43 characters of base64url | [`KeyHasher::hmac`](super::KeyHasher::hmac) |
/// | `sha256:` and 43 characters of base64url | [`KeyHasher::sha256`](super::KeyHasher::sha256) |
/// | `$argon2id$v=19$m=…,t=…,p=…$…$…` | `KeyHasher::argon2id` (feature `password`) |
/// | `$2b$12$…` | `KeyHasher::bcrypt` (feature `password`) |
/// | the first, then the third | `KeyHasher::hybrid` (feature `password`) |
#[derive(Clone)]
pub struct ApiKeyDigest {
    fast: Option<Fast>,
    slow: Option<Box<str>>,
}

const SHA256: &str = "sha256:";
const HMAC: &str = "hmac-sha256$v1$";
const SLOW: &[&str] = &["$argon2id$", "$2a$", "$2b$", "$2y$"];
/// The base64url of 32 bytes.
const ENCODED: usize = 43;
const MAX_SLOW: usize = 160;
/// Keeps these digests apart from every other digest of the same text.
const DOMAIN: &[u8] = b"portcullis api key v1\0";

/// The text is not the text of an [`ApiKeyDigest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an API key digest: expected hmac-sha256$v1$, sha256:, $argon2id$ or $2b$ and what follows it")]
pub struct DigestError;

/// A digest that costs less than a microsecond.
#[derive(Clone, Copy)]
pub(super) struct Fast {
    kind: FastKind,
    bytes: [u8; 32],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FastKind {
    Sha256,
    Hmac,
}

impl Fast {
    /// Matches no key: nobody knows a text whose digest is zero.
    pub(super) const NOBODY: Self = Self { kind: FastKind::Hmac, bytes: [0; 32] };

    pub(super) fn sha256_of(key: &str) -> Self {
        let bytes = Sha256::new().chain_update(DOMAIN).chain_update(key.as_bytes()).finalize().into();
        Self { kind: FastKind::Sha256, bytes }
    }

    pub(super) fn hmac_of(pepper: &[u8], key: &str) -> Self {
        let bytes = match Hmac::<Sha256>::new_from_slice(pepper) {
            Ok(mac) => mac.chain_update(DOMAIN).chain_update(key.as_bytes()).finalize().into_bytes().into(),
            // HMAC takes keys of any length. Were it not so, nothing may match.
            Err(_) => [0xFF; 32],
        };
        Self { kind: FastKind::Hmac, bytes }
    }

    pub(super) fn kind(&self) -> FastKind {
        self.kind
    }

    /// Compares in constant time; which kind it is, is no secret.
    pub(super) fn matches(&self, other: &Self) -> Choice {
        self.bytes.ct_eq(&other.bytes) & Choice::from(u8::from(self.kind == other.kind))
    }
}

impl ApiKeyDigest {
    pub(super) fn of_fast(fast: Fast) -> Self {
        Self { fast: Some(fast), slow: None }
    }

    #[cfg(feature = "password")]
    pub(super) fn of_slow(text: &str) -> Option<Self> {
        is_slow(text).then(|| Self { fast: None, slow: Some(text.into()) })
    }

    #[cfg(feature = "password")]
    pub(super) fn and_fast(mut self, fast: Fast) -> Self {
        self.fast = Some(fast);
        self
    }

    pub(super) fn fast(&self) -> Option<&Fast> {
        self.fast.as_ref()
    }

    pub(super) fn slow(&self) -> Option<&str> {
        self.slow.as_deref()
    }
}

/// In constant time for digests of one length.
impl PartialEq for ApiKeyDigest {
    fn eq(&self, other: &Self) -> bool {
        let fast = match (&self.fast, &other.fast) {
            (Some(one), Some(other)) => one.matches(other).into(),
            (one, other) => one.is_none() && other.is_none(),
        };
        let bytes = |slow: &Option<Box<str>>| slow.as_deref().unwrap_or_default().as_bytes().to_vec();
        fast & bool::from(bytes(&self.slow).ct_eq(&bytes(&other.slow)))
    }
}

impl Eq for ApiKeyDigest {}

impl fmt::Display for ApiKeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Fast { kind, bytes }) = &self.fast {
            let prefix = if *kind == FastKind::Hmac { HMAC } else { SHA256 };
            write!(f, "{prefix}{}", Base64UrlUnpadded::encode_string(bytes))?;
        }
        f.write_str(self.slow.as_deref().unwrap_or_default())
    }
}

impl FromStr for ApiKeyDigest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (kind, rest) = match (text.strip_prefix(HMAC), text.strip_prefix(SHA256)) {
            (Some(rest), _) => (FastKind::Hmac, rest),
            (None, Some(rest)) => (FastKind::Sha256, rest),
            (None, None) if is_slow(text) => return Ok(Self { fast: None, slow: Some(text.into()) }),
            (None, None) => return Err(DigestError),
        };
        let (encoded, slow) = rest.split_at_checked(ENCODED).ok_or(DigestError)?;
        let mut bytes = [0; 32];
        let decoded = Base64UrlUnpadded::decode(encoded, &mut bytes).map_err(|_| DigestError)?;
        if decoded.len() != 32 || !(slow.is_empty() || is_slow(slow)) {
            return Err(DigestError);
        }
        let slow = if slow.is_empty() { None } else { Some(slow.into()) };
        Ok(Self { fast: Some(Fast { kind, bytes }), slow })
    }
}

fn is_slow(text: &str) -> bool {
    text.len() <= MAX_SLOW
        && SLOW.iter().any(|prefix| text.starts_with(prefix))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"$./+,=-".contains(&byte))
}

/// Not the digest itself: it is not secret, but it has no business in a log.
impl fmt::Debug for ApiKeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyDigest(***)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ARGON: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2E$aGFzaA";

    #[test]
    fn text_and_back() {
        let digest = ApiKeyDigest::of_fast(Fast::sha256_of("acme_live_x"));
        let text = digest.to_string();
        assert_eq!((text.len(), text.parse()), (50, Ok(digest.clone())));
        for bad in ["", "sha256:", "md5:abc", &text[..49], &format!("{text}A"), &text.replace("sha", "SHA")] {
            assert_eq!(bad.parse::<ApiKeyDigest>(), Err(DigestError), "{bad}");
        }
        assert!(!format!("{digest:?}").contains(&text[10..20]));
        let keyed = ApiKeyDigest::of_fast(Fast::hmac_of(b"pepper", "acme_live_x")).to_string();
        for whole in [keyed.clone(), ARGON.to_owned(), format!("{keyed}{ARGON}"), "$2b$12$abcdefghijk".to_owned()] {
            assert_eq!(whole.parse::<ApiKeyDigest>().unwrap().to_string(), whole);
        }
        for bad in [format!("{keyed}x"), format!("{ARGON} "), format!("$argon2id${}", "a".repeat(200)), "$1$x".into()] {
            assert_eq!(bad.parse::<ApiKeyDigest>(), Err(DigestError), "{bad}");
        }
    }

    /// Computed with another implementation (openssl): stored digests must stay valid.
    #[test]
    fn the_digests_are_frozen() {
        let sha256 = ApiKeyDigest::of_fast(Fast::sha256_of("acme_live_x"));
        assert_eq!(sha256.to_string(), "sha256:xX6ZTf448XlEtBlhG8MmbgmLaxgv_Cuy-DjlctoK6bY");
        let hmac = ApiKeyDigest::of_fast(Fast::hmac_of(b"0123456789abcdef0123456789abcdef", "acme_live_x"));
        assert_eq!(hmac.to_string(), "hmac-sha256$v1$McK_hCwWJ2V0MgIdQGSgHvSfzZeHvWpYh5eAtnG5J1s");
    }

    #[test]
    fn equal_only_in_every_part() {
        let (one, other) = (Fast::sha256_of("a"), Fast::sha256_of("b"));
        let digest = |fast: Fast| ApiKeyDigest::of_fast(fast);
        assert_eq!(digest(one), digest(one));
        assert_ne!(digest(one), digest(other));
        // The same bytes under another name are another digest.
        assert_ne!(digest(one), digest(Fast { kind: FastKind::Hmac, ..one }));
        let both: ApiKeyDigest = format!("{}{ARGON}", digest(one)).parse().unwrap();
        assert_ne!(both, digest(one));
        assert_ne!(both, ARGON.parse().unwrap());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(sha256:|hmac-sha256\\$v1\\$|\\$argon2id\\$)?\\PC{0,80}") {
            if let Ok(digest) = text.parse::<ApiKeyDigest>() {
                prop_assert_eq!(digest.to_string(), text);
            }
        }
    }
}
