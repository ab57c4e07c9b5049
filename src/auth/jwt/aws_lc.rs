//! Verification by aws-lc-rs. The key is parsed once and kept: parsing costs a fifth of an RS256
//! verification.

use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};

use super::{PublicKey, SignatureVerifier, UnusableKey};

#[derive(Debug)]
struct Parsed(ParsedPublicKey);

impl SignatureVerifier for Parsed {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

pub(super) fn verifier(key: &PublicKey<'_>) -> Result<Arc<dyn SignatureVerifier>, UnusableKey> {
    let parsed = match key {
        PublicKey::Rsa { modulus, exponent } => {
            RsaPublicKeyComponents { n: *modulus, e: *exponent }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        }
        PublicKey::P256 { point } => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point),
        PublicKey::Ed25519 { key } => ParsedPublicKey::new(&ED25519, key),
    };
    match parsed {
        Ok(key) => Ok(Arc::new(Parsed(key))),
        Err(_) => Err(UnusableKey("aws-lc-rs refuses the key")),
    }
}
