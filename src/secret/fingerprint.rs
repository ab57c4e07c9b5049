//! A short name for a credential, by which it can be recognised in a log but not used or guessed.

use std::{collections::hash_map::RandomState, hash::BuildHasher as _, sync::OnceLock};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A [`fingerprint`] as text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Nobody's.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) const ZERO: Self = Self([b'0'; 16]);

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Sixteen hexadecimal digits of HMAC-SHA256 under a key of this process: equal for equal
/// credentials of one kind while the process lives, and of no use outside it.
pub(crate) fn fingerprint(kind: &str, credential: &[u8]) -> Fingerprint {
    // Keyed once: to key it takes as long as to digest a short credential.
    static KEYED: OnceLock<Option<Hmac<Sha256>>> = OnceLock::new();
    let mut text = [b'0'; 16];
    if let Some(keyed) = KEYED.get_or_init(|| Hmac::new_from_slice(&**key()).ok()) {
        let mut mac = keyed.clone();
        mac.update(kind.as_bytes());
        // No kind contains it, so that no two pairs run together.
        mac.update(&[0]);
        mac.update(credential);
        let digest = mac.finalize().into_bytes();
        // Fails only if the buffer were too short.
        let _ = base16ct::lower::encode(digest.get(..8).unwrap_or_default(), &mut text);
    }
    Fingerprint(text)
}

/// 32 bytes that only this process knows, another for each purpose, the same at each call.
pub(crate) fn process_key(purpose: &str) -> Zeroizing<[u8; 32]> {
    let mut derived = Zeroizing::new([0; 32]);
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&**key()) {
        mac.update(b"key\0");
        mac.update(purpose.as_bytes());
        derived.copy_from_slice(&mac.finalize().into_bytes());
    }
    derived
}

fn key() -> &'static Zeroizing<[u8; 32]> {
    static KEY: OnceLock<Zeroizing<[u8; 32]>> = OnceLock::new();
    KEY.get_or_init(|| {
        let mut key = Zeroizing::new([0; 32]);
        if getrandom::fill(&mut *key).is_err() {
            // A machine without randomness: the standard library's per-process keys are left.
            for (index, part) in key.chunks_exact_mut(8).enumerate() {
                part.copy_from_slice(&RandomState::new().hash_one(index).to_ne_bytes());
            }
        }
        key
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_for_equal_credentials_of_one_kind() {
        let print = |kind, credential| fingerprint(kind, credential).as_str().to_owned();
        let first = print("jwt", b"a");
        assert_eq!(first, print("jwt", b"a"));
        assert_ne!(first, print("jwt", b"b"));
        assert_ne!(first, print("api_key", b"a"));
        assert_eq!(first.len(), 16);
        assert!(first.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
