//! HS256: the `hmac` crate, whose comparison takes the same time for every wrong signature.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{secret::SecretSet, time::Timestamp};

/// A shorter secret than the hash is weaker than the algorithm (RFC 7518 §3.2).
pub(crate) const MIN_SECRET: usize = 32;

/// Whether one of the secrets valid at `now` made the signature. A secret that a rotation made too
/// short verifies nothing.
pub(crate) fn verify(secrets: &SecretSet, message: &[u8], signature: &[u8], now: Timestamp) -> bool {
    let mut right = false;
    for secret in secrets.valid_at(now) {
        if secret.len() >= MIN_SECRET
            && let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose())
        {
            mac.update(message);
            // All are tried, so that the time does not tell which secret it was.
            right |= mac.verify_slice(signature).is_ok();
        }
    }
    right
}
