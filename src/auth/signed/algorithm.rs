use std::fmt;

use crate::auth::jwt::Algorithm;

/// The algorithms of RFC 9421 §3.3, by which a [`SigningKey`](super::SigningKey) is used: each key
/// with one, whatever a request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// HMAC with SHA-256 and a shared secret.
    HmacSha256,
    /// Ed25519.
    Ed25519,
    /// ECDSA on P-256 with SHA-256; the signature is `r` and `s`, 32 bytes each.
    EcdsaP256Sha256,
    /// ECDSA on P-384 with SHA-384; the signature is `r` and `s`, 48 bytes each.
    EcdsaP384Sha384,
    /// RSASSA-PSS with SHA-512, and a salt of 64 bytes.
    RsaPssSha512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaV15Sha256,
}

impl SignatureAlgorithm {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::HmacSha256,
        Self::Ed25519,
        Self::EcdsaP256Sha256,
        Self::EcdsaP384Sha384,
        Self::RsaPssSha512,
        Self::RsaV15Sha256,
    ];

    /// The name in the registry of RFC 9421 §6.2, as the parameter `alg` has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            Self::RsaPssSha512 => "rsa-pss-sha512",
            Self::RsaV15Sha256 => "rsa-v1_5-sha256",
        }
    }

    /// The same algorithm under its name for tokens.
    pub(super) fn of_jwt(algorithm: Algorithm) -> Option<Self> {
        match algorithm.as_str() {
            "EdDSA" => Some(Self::Ed25519),
            "ES256" => Some(Self::EcdsaP256Sha256),
            "ES384" => Some(Self::EcdsaP384Sha384),
            "PS512" => Some(Self::RsaPssSha512),
            "RS256" => Some(Self::RsaV15Sha256),
            _ => None,
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
