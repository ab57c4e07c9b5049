//! `HS256`, `HS384` and `HS512`: the `hmac` crate, whose comparison takes the same time for every wrong
//! signature.

use hmac::{EagerHash, Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};

use super::Algorithm;
use crate::{
    secret::{Secret, SecretSet},
    time::Timestamp,
};

/// Whether one of the secrets valid at `now` made the signature. A secret that a rotation made too
/// short verifies nothing (RFC 7518 §3.2).
pub(crate) fn verify(
    algorithm: Algorithm,
    secrets: &SecretSet,
    message: &[u8],
    signature: &[u8],
    now: Timestamp,
) -> bool {
    let Some(least) = algorithm.least_secret() else { return false };
    let mut right = false;
    for secret in secrets.valid_at(now) {
        if secret.len() >= least {
            // All are tried, so that the time does not tell which secret it was.
            right |= match algorithm {
                Algorithm::Hs384 => verifies::<Sha384>(&secret, message, signature),
                Algorithm::Hs512 => verifies::<Sha512>(&secret, message, signature),
                _ => verifies::<Sha256>(&secret, message, signature),
            };
        }
    }
    right
}

fn verifies<D: EagerHash>(secret: &Secret, message: &[u8], signature: &[u8]) -> bool
where
    Hmac<D>: Mac + KeyInit,
{
    <Hmac<D> as KeyInit>::new_from_slice(secret.expose()).is_ok_and(|mut mac| {
        mac.update(message);
        mac.verify_slice(signature).is_ok()
    })
}
