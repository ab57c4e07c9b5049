//! What a signature is compared with if there is no such key, so that the time does not tell.

use std::sync::OnceLock;

use super::SigningKey;
use crate::secret::Secret;

/// A key with a secret that nobody knows.
pub(super) fn secret() -> Option<&'static SigningKey> {
    static DECOY: OnceLock<Option<SigningKey>> = OnceLock::new();
    DECOY
        .get_or_init(|| {
            let mut secret = vec![0; 32];
            // Without randomness it is a known secret, of a key that is never accepted.
            let _ = getrandom::fill(&mut secret);
            SigningKey::secret("decoy", "nobody", Secret::new(secret)).build().ok()
        })
        .as_ref()
}
