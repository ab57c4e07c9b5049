//! What is remembered of a token instead of it.

use std::hash::{Hash, Hasher};

use subtle::ConstantTimeEq as _;

#[cfg(feature = "aws-lc")]
const LENGTH: usize = 16;
#[cfg(not(feature = "aws-lc"))]
const LENGTH: usize = 32;

/// Stands for a token where it may not be kept itself. Compared in constant time; found in its table by its
/// bits, in a time that may depend on them.
#[derive(Clone, Copy, Eq)]
pub(crate) struct TokenDigest([u8; LENGTH]);

impl PartialEq for TokenDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// The bytes alone, without their number.
impl Hash for TokenDigest {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write(&self.0);
    }
}

/// Makes the digests of one cache: GMAC (NIST SP 800-38D §3), with a key that never leaves it.
///
/// What is asked for is that nobody finds a second text with the digest of a token that somebody else has
/// shown. GMAC is the value of a polynomial at a secret point, and something added: whatever two texts of up to
/// 8 KiB are chosen without a digest ever being seen, they meet with a probability below 2⁻¹¹⁸, as long as AES
/// holds. SHA-256 takes two to four times as long. The nonce is the same each time: it hides digests from who sees
/// several, and nobody sees any.
#[cfg(feature = "aws-lc")]
pub(super) struct Digester(Option<aws_lc_rs::aead::LessSafeKey>);

#[cfg(feature = "aws-lc")]
impl Digester {
    /// Without random numbers there are no digests, and each token is verified anew.
    pub(super) fn random() -> Self {
        use aws_lc_rs::aead::{AES_128_GCM, LessSafeKey, UnboundKey};

        let mut key = zeroize::Zeroizing::new([0; 16]);
        let filled = getrandom::fill(&mut *key).is_ok();
        Self(if filled { UnboundKey::new(&AES_128_GCM, &*key).ok().map(LessSafeKey::new) } else { None })
    }

    pub(super) fn digest(&self, text: &[u8]) -> Option<TokenDigest> {
        use aws_lc_rs::aead::{Aad, Nonce};

        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let tag = self.0.as_ref()?.seal_in_place_separate_tag(nonce, Aad::from(text), &mut []).ok()?;
        tag.as_ref().try_into().ok().map(TokenDigest)
    }
}

/// Makes the digests of a cache: SHA-256, as this build has no GMAC.
#[cfg(not(feature = "aws-lc"))]
pub(super) struct Digester;

#[cfg(not(feature = "aws-lc"))]
impl Digester {
    pub(super) fn random() -> Self {
        Self
    }

    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the other provider has a key, and may lack it")]
    pub(super) fn digest(&self, text: &[u8]) -> Option<TokenDigest> {
        use sha2::Digest as _;
        Some(TokenDigest(sha2::Sha256::digest(text).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_and_the_length_count() {
        let digester = Digester::random();
        let token: Vec<u8> = (b'A'..=b'z').cycle().take(700).collect();
        let of = |text: &[u8]| digester.digest(text).unwrap();
        assert!(of(&token) == of(&token));
        for index in 0..token.len() {
            let mut other = token.clone();
            other[index] ^= 1;
            assert!(of(&other) != of(&token), "{index}");
            assert!(of(&token[..index]) != of(&token), "{index}");
        }
        let padded = [&token[..], b"\0"].concat();
        assert!(of(&padded) != of(&token));
    }

    /// Nobody can compute at home what is remembered here.
    #[cfg(feature = "aws-lc")]
    #[test]
    fn no_two_caches_agree() {
        let [one, other] = [Digester::random(), Digester::random()];
        assert!(one.digest(b"e30.e30.AA").unwrap() != other.digest(b"e30.e30.AA").unwrap());
    }
}
