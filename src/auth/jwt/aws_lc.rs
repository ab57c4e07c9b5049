//! Verification by aws-lc-rs. The key is parsed once and kept: parsing costs a fifth of an RS256
//! verification.

use std::sync::Arc;

use aws_lc_rs::{
    digest::{self, SHA256, SHA384, SHA512},
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
        RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    },
};

use super::{Algorithm, PublicKey, SignatureVerifier, UnusableKey};

#[derive(Debug)]
struct Parsed {
    key: ParsedPublicKey,
    /// With what a message is digested, where that can be done apart.
    digest: Option<&'static digest::Algorithm>,
}

impl SignatureVerifier for Parsed {
    /// Digested apart: digest and verification in one call copy the state of both before they end.
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self.digest {
            Some(algorithm) => self.key.verify_digest_sig(&digest::digest(algorithm, message), signature),
            None => self.key.verify_sig(message, signature),
        }
        .is_ok()
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
        Ok(key) => Ok(Arc::new(Parsed { key, digest: digest_of(algorithm) })),
        Err(_) => Err(UnusableKey("aws-lc-rs refuses the key")),
    }
}

fn digest_of(algorithm: Algorithm) -> Option<&'static digest::Algorithm> {
    match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => Some(&SHA256),
        Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 => Some(&SHA384),
        Algorithm::Rs512 | Algorithm::Ps512 | Algorithm::Es512 => Some(&SHA512),
        // Ed25519 digests the message twice; the others are no algorithms of public keys.
        Algorithm::EdDsa | Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => None,
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
