use std::fmt;

/// The signature algorithms that are verified (RFC 7518 §3.1, RFC 8037, RFC 9864).
///
/// There is no `none` to configure, and no key is used with more than one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, keys from 2048 to 8192 bits (4096 without `aws-lc`).
    Rs256,
    /// ECDSA on P-256 with SHA-256; the signature is `r` and `s`, 32 bytes each.
    Es256,
    /// Ed25519. The header may say `EdDSA` (RFC 8037) or `Ed25519` (RFC 9864).
    EdDsa,
    /// HMAC with SHA-256, secrets of 32 bytes or more (RFC 7518 §3.2).
    Hs256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Rs256, Self::Es256, Self::EdDsa, Self::Hs256];

    /// The name in a token's header: `RS256`, `ES256`, `EdDSA`, `HS256`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }

    /// Exact and case-sensitive (RFC 7515 §4.1.1): `None` is not an algorithm of ours, whatever its case.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            "HS256" => Some(Self::Hs256),
            _ => None,
        }
    }

    /// How long a signature is, where the algorithm alone decides it.
    pub(crate) const fn signature_len(self) -> Option<usize> {
        match self {
            Self::Rs256 => None,
            Self::Es256 | Self::EdDsa => Some(64),
            Self::Hs256 => Some(32),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
