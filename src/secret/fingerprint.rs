use std::{collections::hash_map::RandomState, hash::BuildHasher as _, sync::OnceLock};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// A short keyed digest (16 characters, 96 bits) by which an investigator recognises a credential
/// in the log of one process. The key is random and never leaves the process, so that nobody can
/// test guesses against a leaked log.
pub(crate) fn fingerprint(kind: &str, bytes: &[u8]) -> Box<str> {
    static KEY: OnceLock<[u8; 32]> = OnceLock::new();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(KEY.get_or_init(random_key)) else {
        return Box::default();
    };
    mac.update(kind.as_bytes());
    mac.update(&[0]);
    mac.update(bytes);
    let digest = mac.finalize().into_bytes();
    let short = digest.get(..12).unwrap_or_default();
    Base64UrlUnpadded::encode_string(short).into()
}

fn random_key() -> [u8; 32] {
    let mut key = [0; 32];
    if getrandom::fill(&mut key).is_err() {
        // Without the system's randomness the standard library's hash keys are the best there is.
        let (chunks, _) = key.as_chunks_mut::<8>();
        for (index, chunk) in chunks.iter_mut().enumerate() {
            *chunk = RandomState::new().hash_one(index).to_le_bytes();
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_stable_short_and_depends_on_kind_and_bytes() {
        let one = fingerprint("jwt", b"a");
        assert_eq!((one.len(), &one), (16, &fingerprint("jwt", b"a")));
        assert_ne!(one, fingerprint("jwt", b"b"));
        assert_ne!(one, fingerprint("api_key", b"a"));
    }
}
