//! JSON Web Tokens as bearer tokens (RFC 7519, RFC 9068), verified by the book (RFC 8725).
//!
//! [`Issuer`] says whose tokens are accepted and with which keys; [`JwtVerifier`], which it builds,
//! is what `AuthLayer` asks. Keys are [static](StaticKeys), behind a URL, or in a
//! [source](KeySource) of your own.
//!
//! ```
//! use std::time::Duration;
//! use portcullis::{auth::jwt::{Algorithm, Issuer, StaticKeys}, secret::Secret};
//!
//! let keys = StaticKeys::new().secret(Secret::new("a secret of the service, 32 bytes at least"));
//! let verifier = Issuer::new("https://id.example.com")
//!     .audience("https://api.example.com")
//!     .keys(keys)
//!     .leeway(Duration::from_secs(10))
//!     .build()?;
//! assert_eq!(verifier.key_set_health().keys, 1);
//!
//! // Every mistake is found when the service starts, and all of them at once.
//! let error = Issuer::new("").leeway(Duration::from_secs(600)).build().unwrap_err();
//! assert_eq!(error.issues().len(), 4);
//! # Ok::<_, portcullis::config_error::ConfigError>(())
//! ```
//!
//! # What is checked, in this order
//! 1. **Form.** At most 8 KiB; three parts; base64url without padding, other letters or left-over
//!    bits. The header is one JSON object with distinct members, and without `crit`; `jku`, `jwk`,
//!    `x5u` and `x5c` are ignored, for they let the sender choose the key. `alg` is one that is
//!    accepted, `typ` is `at+jwt`, `JWT` or absent. Garbage costs no cryptography.
//! 2. **Key.** The one that `kid` names; without a `kid`, the only one for the algorithm. A key is
//!    used with one algorithm, whatever the header says: `none`, or `HS256` with the public key as
//!    secret, find no key.
//! 3. **Signature.**
//! 4. **Claims.** One JSON object with distinct members, at every depth. `iss` is the issuer, `aud`
//!    names this service, `sub` is there; the token is not bound to a key (`cnf`) and is no ID
//!    token, logout token or event; then `exp`, `nbf`, `iat`, with 30 s of leeway. What has the
//!    wrong JSON type is refused, not converted.
//!
//! No claim is believed, or reported on, before the signature has verified: "expired" is said only
//! of tokens that the issuer did sign.
//!
//! | refusal | status | why |
//! |---|---|---|
//! | `invalid_token` | 401 | form, `crit`, `typ`, unknown key, wrong `iss` or `aud`, a claim missing or of a wrong type |
//! | `unsupported_algorithm` | 401 | `alg` is not accepted, or not the key's |
//! | `invalid_signature` | 401 | the signature does not verify |
//! | `token_expired` | 401 | `exp` plus leeway has passed |
//! | `token_not_yet_valid` | 401 | `nbf` or `iat` minus leeway lies ahead |
//! | `backend_unavailable` | 503 | the keys cannot be fetched, so nobody knows |
//!
//! The client learns the kind and no more; which check failed is the rejection's source, for the log.
//!
//! # Keys from a URL
//! The set is fetched when the verifier is built and again at 80 % of its life: `Cache-Control:
//! max-age` between a minute and a day, ten minutes if the response does not say. Requests read it
//! without a lock, and none waits whose key is known. A `kid` that is not in the set makes the
//! request wait for a new fetch, two seconds at most; such fetches share a budget of one in 30 s
//! (two at once), beside that of the scheduled ones, and what they show to be unknown is remembered
//! for a minute. Beyond the budget an unknown `kid` is a 401 without a fetch: who sprays them can hide
//! a new key for 30 s, and no longer. Failures back off from one second to one minute. While the source is down the keys
//! that are there go on working for a day; then, or if there never were any, the answer is 503.
//!
//! The URL is `https`, or `http` on the loopback interface (where neither proxy settings nor CA
//! certificates of the machine play a part; for `https` both do). Redirects are not followed; 5 s, 1 MiB and 100 keys
//! are the limits. A key that cannot be used (another type or curve, RSA under 2048 bits, `use:
//! enc`, a shared secret) is skipped, and breaks no other.
//!
//! # Cryptography
//! `RS256`, `ES256` and `EdDSA` are verified by aws-lc-rs (feature `aws-lc`, the default) or the
//! `RustCrypto` crates (feature `rust-crypto`, some ten times slower for RSA, and subject to
//! RUSTSEC-2023-0071, which concerns private keys only); with both, by aws-lc-rs. With neither, give
//! [`Issuer::verifiers`] or [`StaticKeys::verifier`]. `HS256` needs no provider. The process-global
//! provider of jsonwebtoken is never used: it panics when both of its features are on.
//!
//! # Cost
//! Keys are parsed when they are loaded, a token's header and claims once; the choice of the key is
//! a binary search. A token with the claims of RFC 9068 costs eight allocations and each further
//! claim that a principal keeps, each scope and each role one more; the time is the signature's.

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

/// What proofs of possession and introspection have in common with tokens.
pub(in crate::auth) mod parts {
    pub(in crate::auth) use super::{
        claims::numeric_date,
        header::without_application,
        json::{Distinct, Names, Texts, object},
        key::{Key, from_jwk},
        token::{Signature, Token, decode},
        verifier::BuiltIn,
    };
}

pub use self::{
    algorithm::Algorithm,
    claim_names::ClaimNames,
    engine::JwtVerifier,
    issuer::Issuer,
    source::{FetchedKeys, KeySetHealth, KeySource, KeySourceError},
    static_keys::StaticKeys,
    verifier::{PublicKey, SignatureVerifier, UnusableKey, VerifierFactory},
};
