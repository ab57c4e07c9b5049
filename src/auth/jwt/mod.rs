//! JSON Web Tokens (RFC 7519) as bearer tokens.

mod algorithm;
#[cfg(feature = "aws-lc")]
mod aws_lc;
mod claim_names;
mod claims;
mod engine;
mod fault;
mod header;
mod hmac_keys;
mod issuer;
mod json;
mod jwks;
mod key;
mod key_set;
#[cfg(all(feature = "rust-crypto", any(test, not(feature = "aws-lc"))))]
mod rust_crypto;
mod source;
mod static_keys;
#[cfg(test)]
mod tests;
mod token;
mod verifier;

pub use self::{
    algorithm::Algorithm,
    claim_names::ClaimNames,
    engine::JwtVerifier,
    issuer::Issuer,
    source::{FetchedKeys, KeySetHealth, KeySource, KeySourceError},
    static_keys::StaticKeys,
    verifier::{PublicKey, SignatureVerifier, UnusableKey, VerifierFactory},
};
#[allow(unused_imports)]
pub(crate) use self::engine::Checked;
