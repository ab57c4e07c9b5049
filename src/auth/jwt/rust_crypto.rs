//! Verification by the `RustCrypto` crates, through jsonwebtoken's own static provider: never through
//! the process-global one, which panics when both providers are compiled in.

use std::sync::Arc;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use jsonwebtoken::{Algorithm, DecodingKey, crypto::rust_crypto::DEFAULT_PROVIDER};

use super::{PublicKey, SignatureVerifier, UnusableKey};

#[derive(Debug)]
struct Foreign {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl SignatureVerifier for Foreign {
    /// The boxed verifier is not `Send`, so it cannot be kept; making one parses the key again.
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        (DEFAULT_PROVIDER.verifier_factory)(&self.algorithm, &self.key)
            .is_ok_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok())
    }
}

pub(super) fn verifier(key: &PublicKey<'_>) -> Result<Arc<dyn SignatureVerifier>, UnusableKey> {
    const REFUSED: UnusableKey = UnusableKey("RustCrypto refuses the key");
    let (algorithm, key) = match key {
        PublicKey::Rsa { modulus, exponent } => {
            if modulus.len() > 512 {
                return Err(UnusableKey("RustCrypto takes RSA keys of at most 4096 bits"));
            }
            (Algorithm::RS256, DecodingKey::from_rsa_raw_components(modulus, exponent))
        }
        PublicKey::P256 { point } => (Algorithm::ES256, DecodingKey::from_ec_der(point.as_slice())),
        PublicKey::Ed25519 { key } => {
            let key = DecodingKey::from_ed_components(&Base64UrlUnpadded::encode_string(key.as_slice()));
            (Algorithm::EdDSA, key.map_err(|_| REFUSED)?)
        }
    };
    // Parses the key, and thereby checks that a point lies on its curve.
    match (DEFAULT_PROVIDER.verifier_factory)(&algorithm, &key) {
        Ok(_) => Ok(Arc::new(Foreign { algorithm, key })),
        Err(_) => Err(REFUSED),
    }
}
