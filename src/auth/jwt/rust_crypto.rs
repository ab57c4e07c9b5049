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

pub(super) fn verifier(
    algorithm: super::Algorithm,
    key: &PublicKey<'_>,
) -> Result<Arc<dyn SignatureVerifier>, UnusableKey> {
    const REFUSED: UnusableKey = UnusableKey("RustCrypto refuses the key");
    if !key.algorithms().contains(&algorithm) {
        return Err(UnusableKey::ALGORITHM);
    }
    let key = match key {
        PublicKey::Rsa { modulus, exponent } => {
            if modulus.len() > 512 {
                return Err(UnusableKey("RustCrypto takes RSA keys of at most 4096 bits"));
            }
            DecodingKey::from_rsa_raw_components(modulus, exponent)
        }
        PublicKey::P256 { point } => DecodingKey::from_ec_der(point.as_slice()),
        PublicKey::P384 { point } => DecodingKey::from_ec_der(point.as_slice()),
        PublicKey::P521 { .. } => return Err(UnusableKey("RustCrypto has no ES512 here: enable the feature aws-lc")),
        PublicKey::Ed25519 { key } => {
            let key = DecodingKey::from_ed_components(&Base64UrlUnpadded::encode_string(key.as_slice()));
            key.map_err(|_| REFUSED)?
        }
    };
    let algorithm = foreign(algorithm).ok_or(UnusableKey::ALGORITHM)?;
    // Parses the key, and thereby checks that a point lies on its curve.
    match (DEFAULT_PROVIDER.verifier_factory)(&algorithm, &key) {
        Ok(_) => Ok(Arc::new(Foreign { algorithm, key })),
        Err(_) => Err(REFUSED),
    }
}

fn foreign(algorithm: super::Algorithm) -> Option<Algorithm> {
    Some(match algorithm {
        super::Algorithm::Rs256 => Algorithm::RS256,
        super::Algorithm::Rs384 => Algorithm::RS384,
        super::Algorithm::Rs512 => Algorithm::RS512,
        super::Algorithm::Ps256 => Algorithm::PS256,
        super::Algorithm::Ps384 => Algorithm::PS384,
        super::Algorithm::Ps512 => Algorithm::PS512,
        super::Algorithm::Es256 => Algorithm::ES256,
        super::Algorithm::Es384 => Algorithm::ES384,
        super::Algorithm::EdDsa => Algorithm::EdDSA,
        _ => return None,
    })
}
