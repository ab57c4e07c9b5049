//! Verification by aws-lc-rs. The key is parsed once and kept: parsing costs a fifth of an RS256
//! verification.

use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
};

use super::{Algorithm, PublicKey, SignatureVerifier, UnusableKey};

#[derive(Debug)]
struct Parsed(ParsedPublicKey);

impl SignatureVerifier for Parsed {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

pub(super) fn verifier(algorithm: Algorithm, key: &PublicKey<'_>) -> Result<Arc<dyn SignatureVerifier>, UnusableKey> {
    let parsed = match (key, algorithm) {
        (PublicKey::Rsa { modulus, exponent }, _) => {
            let parameters = rsa(algorithm).ok_or(UnusableKey::ALGORITHM)?;
            RsaPublicKeyComponents { n: *modulus, e: *exponent }.to_parsed_public_key(parameters)
        }
        (PublicKey::P256 { point }, Algorithm::Es256) => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point),
        (PublicKey::P384 { point }, Algorithm::Es384) => ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point),
        (PublicKey::P521 { point }, Algorithm::Es512) => ParsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, point),
        (PublicKey::Ed25519 { key }, Algorithm::EdDsa) => ParsedPublicKey::new(&ED25519, key),
        _ => return Err(UnusableKey::ALGORITHM),
    };
    match parsed {
        Ok(key) => Ok(Arc::new(Parsed(key))),
        Err(_) => Err(UnusableKey("aws-lc-rs refuses the key")),
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}
