//! JSON Web Tokens as bearer tokens (RFC 7519, RFC 9068), verified by the book (RFC 8725).
//!
//! [`Issuer`] says whose tokens are accepted and with which keys; [`JwtVerifier`], which it builds,
//! is what `AuthLayer` asks: one for each issuer. Keys are [static](StaticKeys), behind a URL, where the
//! issuer's metadata says, or in a [source](KeySource) of your own.
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
//! A token at work:
//!
//! ```
//! # #[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use portcullis::{auth::{AuthLayer, jwt::Profile}, identity::Principal, testing::TestIssuer};
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! let issuer = TestIssuer::new("https://id.example.com");
//! let partner = TestIssuer::new("https://id.partner.example");
//! let auth = AuthLayer::builder()
//!     .jwt(issuer.issuer().profile(Profile::Rfc9068).build()?)
//!     .jwt(partner.verifier())
//!     .build()?;
//! let app = Router::new()
//!     .route("/me", get(|caller: Principal| async move { caller.issuer().unwrap_or_default().to_owned() }))
//!     .layer(ServiceBuilder::new().layer(auth));
//!
//! let send = |token: String| {
//!     let request = Request::get("/me").header("authorization", format!("Bearer {token}")).body(Body::empty());
//!     app.clone().oneshot(request.unwrap())
//! };
//! assert_eq!(send(partner.token("usr_1").sign()).await?.status(), StatusCode::OK);
//! // The partner's key does not make it the issuer.
//! let forged = issuer.token("usr_1").signed_by(&partner).sign();
//! assert_eq!(send(forged).await?.status(), StatusCode::UNAUTHORIZED);
//! # Ok(()) }
//! # #[cfg(not(any(feature = "aws-lc", feature = "rust-crypto")))] fn main() {}
//! ```
//!
//! # What is checked, in this order
//! 1. **Form.** At most 8 KiB; three parts; base64url without padding, other letters or left-over
//!    bits. The header is one JSON object with distinct members, and without `crit`; `jku`, `jwk`,
//!    `x5u` and `x5c` are ignored, for they let the sender choose the key. `alg` is one that is
//!    accepted, `typ` is `at+jwt`, `JWT` or absent (stricter [profiles](Profile): `at+jwt`). Garbage
//!    costs no cryptography, and what is not even JSON no allocation.
//! 2. **Key.** The one that `kid` names; without a `kid`, the only one for the algorithm. A key is
//!    used with one algorithm, whatever the header says: `none`, or `HS256` with the public key as
//!    secret, find no key.
//! 3. **Signature.**
//! 4. **Claims.** One JSON object with distinct members, at every depth. `iss` is the issuer, `aud`
//!    names this service, `sub` is there; the token does not say that it is an ID
//!    token, logout token or event (one that does not say so only the stricter [profiles](Profile)
//!    refuse: use an audience that is no client's id); the profile's claims are there; then `exp`, `nbf`, `iat`, with
//!    30 s of leeway; and from `iat` to `exp` it is no longer than
//!    [`max_lifetime`](Issuer::max_lifetime). What has the wrong JSON type is refused, not converted.
//!    What a token is bound to (`cnf`) the layer [checks](crate::auth::dpop), in every case.
//!
//! No claim is believed, or reported on, before the signature has verified: "expired" is said only
//! of tokens that the issuer did sign. Among several issuers the unverified `iss` chooses which one is
//! asked, exactly one, whose word is final; an `iss` that nobody has is an `invalid_token`.
//!
//! | refusal | status | why |
//! |---|---|---|
//! | `invalid_token` | 401 | form, `crit`, `typ`, unknown key or issuer, wrong `aud`, a claim missing or of a wrong type, too long a life |
//! | `unsupported_algorithm` | 401 | `alg` is not accepted, or not the key's |
//! | `invalid_signature` | 401 | the signature does not verify |
//! | `token_expired` | 401 | `exp` plus leeway has passed |
//! | `token_not_yet_valid` | 401 | `nbf` or `iat` minus leeway lies ahead |
//! | `backend_unavailable` | 503 | the keys cannot be fetched, so nobody knows |
//!
//! The client learns the kind and no more; which check failed is the rejection's source, for the log.
//!
//! # In the principal
//! Scopes, roles, tenant, plan, client and e-mail address from the [claims that are named](ClaimNames)
//! for them; `sub`, `iss`, `jti`, `iat`, `exp`, `sid`, `acr`, `amr`, `auth_time` and `act.sub` under
//! their own. The rest with [`Claims<T>`](crate::identity::Claims), in a type of yours.
//!
//! # Keys from a URL
//! The set is fetched when the verifier is built and again at 80 % of its life: `Cache-Control:
//! max-age` between a minute and a day, ten minutes if the response does not say. Requests read it
//! without a lock, and none waits whose key is known. A `kid` that is not in the set makes the
//! request wait for a new fetch, two seconds at most and 64 requests at once; such fetches share a
//! budget of one in 30 s (two at once), beside that of the scheduled ones, and what they show to be
//! unknown is remembered for 30 s from their beginning. Beyond the budget, or the 64, an unknown `kid` is a
//! 401 without a fetch: who sprays them, or uses a key before it is published, can hide it for 30 s after it
//! is published, and no longer.
//!
//! Failures back off from one second to one minute. While the source is down the keys that are
//! there go on working for a day ([`Issuer::max_key_age`]), and no longer if the clock is set back
//! meanwhile; then, or if there never were any, the answer is 503. Only the first request for another
//! key waits for a source that does not answer: the others are 503 at once, until a scheduled fetch
//! succeeds.
//!
//! A token without `kid` is verified by the only key of its algorithm; if there are two, none. If that
//! key did not sign it, the set is fetched again within the same budget, and the token judged by the
//! new one: an issuer that names no key can rotate too. Of two keys with one `kid` and algorithm
//! neither is used. A response with an `ETag` is asked for again with `If-None-Match`, and 304 renews the set.
//!
//! `AuthLayer::warm_up` waits for the first keys, `AuthLayer::health` tells how it stands with them:
//! [`KeySetHealth`] has their age, the last error, what is skipped and why, and counts fetches, failures,
//! and tokens refused for the budget's sake.
//!
//! The URL is `https`, or `http` on the loopback interface (where neither proxy settings nor CA
//! certificates of the machine play a part; for `https` both do). Redirects are not followed; 5 s, 1 MiB and 100 keys
//! are the limits. A key that cannot be used (another type or curve, RSA under 2048 bits, `use:
//! enc`, a shared secret) is skipped, and breaks no other.
//!
//! # Discovery
//! [`Issuer::discover`] asks the issuer's metadata for the URL of its keys: at
//! `/.well-known/openid-configuration` behind the issuer's path, and if nothing is there (4xx), at
//! `/.well-known/oauth-authorization-server` before it. The metadata must name the issuer byte for byte,
//! and an `https` URL of its keys; it is asked again after a day, and as soon as the keys are no longer
//! where it said. Limits are those of a fetch.
//!
//! # Tokens that were seen before
//! A client sends one token many times. That it verified is remembered for a minute, at most until
//! it expires, by a keyed digest (GMAC; without `aws-lc`, SHA-256): [`TokenCache`]. What can change meanwhile is looked at for each
//! request: `exp` by the clock, whether the key is still in the set (a key that is withdrawn takes
//! its tokens with it), and everything that the layer demands beside, [revocation](crate::auth::revocation)
//! first. Never remembered are refusals, tokens that are bound to a key (`cnf`), whose possession must be
//! proven each time, and those signed with a shared secret, which cost little. The time is not
//! renewed by use. Each verifier has a memory of its own, of 10,000 tokens of up to 1 KiB (larger
//! ones count for several).
//!
//! # Cryptography
//! | algorithms | key | verified by |
//! |---|---|---|
//! | `RS256` `RS384` `RS512` `PS256` `PS384` `PS512` | RSA, 2048 to 8192 bits (`RustCrypto`: 4096) | aws-lc-rs or `RustCrypto` |
//! | `ES256` `ES384` | P-256, P-384 | aws-lc-rs or `RustCrypto` |
//! | `ES512` | P-521 | aws-lc-rs |
//! | `EdDSA`, also called `Ed25519` | Ed25519 | aws-lc-rs or `RustCrypto` |
//! | `HS256` `HS384` `HS512` | a secret as long as the hash | the `hmac` crate, always there |
//!
//! A JWK says with `alg` which one it is for. An RSA key that does not is used with the first of
//! [`Issuer::algorithms`] that is for RSA, and without that setting with `RS256`: never with several,
//! for then the sender would choose among them.
//!
//! aws-lc-rs is the feature `aws-lc`, the default; `RustCrypto` the feature `rust-crypto`, some ten
//! times slower for RSA, and subject to RUSTSEC-2023-0071, which concerns private keys only. With both,
//! aws-lc-rs is used. With neither, give [`Issuer::verifiers`] or [`StaticKeys::verifier`]. The
//! process-global provider of jsonwebtoken is never used: it panics when both of its features are on.
//!
//! # Cost
//! Keys are parsed when they are loaded, a token's header and claims once; the choice of the key is a
//! binary search, that of the issuer a hash. A header that is, byte for byte, one of up to four which
//! led to a key of the present set is not even decoded. A token that is remembered costs its digest and no
//! allocation. One that is not costs at most four allocations however many claims it has: the claims as they
//! are, the principal whose strings are places in them, its scopes, its roles; and what it takes to remember
//! it. (Claims with escapes, `null` or objects among them take a few more.) The time is the signature's.

mod algorithm;
#[cfg(feature = "aws-lc")]
mod aws_lc;
mod bound;
mod cache;
mod cache_settings;
mod claim_fields;
mod claim_names;
mod claims;
mod dates;
mod digest_hasher;
#[cfg(feature = "jwks")]
mod discovery;
mod engine;
mod fault;
mod header;
mod hmac_keys;
mod issuer;
mod issuer_check;
mod issuers;
mod json;
mod jwks;
#[cfg(feature = "jwks-client-rs")]
mod jwks_client_rs;
mod key;
mod key_set;
mod known_headers;
mod payload;
mod profile;
#[cfg(all(feature = "rust-crypto", any(test, not(feature = "aws-lc"))))]
mod rust_crypto;
mod scan;
mod source;
mod static_keys;
#[cfg(test)]
mod tests;
mod texts;
mod token;
mod token_digest;
mod verifier;

#[cfg(feature = "jwks-client-rs")]
pub use self::jwks_client_rs::JwksClientRs;
/// What proofs of possession and introspection have in common with tokens.
pub(in crate::auth) mod parts {
    #[cfg(feature = "jwks")]
    pub(in crate::auth) use super::jwks::http_client;
    pub(in crate::auth) use super::{
        claims::{BoundTokens, Claims, Expectations},
        dates::numeric_date,
        fault::Fault,
        header::without_application,
        json::{Distinct, Names, Texts, object},
        key::{Key, from_jwk},
        token::{Signature, Token, decode},
        verifier::BuiltIn,
    };
}

pub use self::{
    algorithm::Algorithm,
    cache_settings::TokenCache,
    claim_names::ClaimNames,
    engine::JwtVerifier,
    issuer::Issuer,
    jwks::KeySetHealth,
    profile::Profile,
    source::{FetchedKeys, KeySource, KeySourceError},
    static_keys::StaticKeys,
    verifier::{PublicKey, SignatureVerifier, UnusableKey, VerifierFactory},
};
pub(in crate::auth) use self::{issuers::Issuers, payload::TokenUse};
pub(in crate::auth) use self::{
    key::{Material, from_jwk},
    verifier::BuiltIn,
};
