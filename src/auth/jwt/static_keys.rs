use std::{fmt, sync::Arc};

use serde_json::Value;

use super::{
    Algorithm, PublicKey, SignatureVerifier, UnusableKey, VerifierFactory,
    key::{self, Key, Material},
    key_set::{KeySet, Unnamed},
};
use crate::{config_error::ConfigIssues, secret::SecretSet};

/// Keys that are known when the service starts.
///
/// Mistakes are reported by [`Issuer::build`](super::Issuer::build), all together. A key without a
/// `kid` verifies every token of its algorithm that names no other key; two such keys of one
/// algorithm are a mistake.
///
/// ```
/// use portcullis::{auth::jwt::{Issuer, StaticKeys}, secret::Secret};
///
/// let keys = StaticKeys::new().secret(Secret::new("the secret has at least 32 bytes"));
/// let verifier = Issuer::new("orders-login").audience("orders").keys(keys).build()?;
///
/// let keys = StaticKeys::new().jwk(r#"{"kty":"OKP","crv":"Ed25519","kid":"1",
///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#);
/// # assert!(cfg!(not(any(feature = "aws-lc", feature = "rust-crypto")))
/// #     || Issuer::new("orders-login").audience("orders").keys(keys).build().is_ok());
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct StaticKeys {
    parts: Vec<Part>,
}

/// The number of keys only: somebody may have given a private key, and learns of it when it is built.
impl fmt::Debug for StaticKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticKeys").field("parts", &self.parts.len()).finish()
    }
}

#[derive(Clone)]
enum Part {
    Jwks(String),
    Jwk(String),
    Rsa { kid: String, modulus: String, exponent: String },
    P256 { kid: String, x: String, y: String },
    P384 { kid: String, x: String, y: String },
    Ed25519 { kid: String, x: String },
    Secret(Algorithm, SecretSet),
    Own(Key),
}

impl StaticKeys {
    /// No keys yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn with(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    /// The JSON text of a JWK set (RFC 7517 §5), at most 100 keys. Keys that cannot be used here (`use: enc`,
    /// other curves and algorithms) are skipped with a `tracing` warning; one must remain.
    pub fn jwks(self, json: impl Into<String>) -> Self {
        self.with(Part::Jwks(json.into()))
    }

    /// The JSON text of one public JWK (RFC 7517 §4).
    pub fn jwk(self, json: impl Into<String>) -> Self {
        self.with(Part::Jwk(json.into()))
    }

    /// An RSA key for `RS256`: modulus and exponent in base64url, 2048 to 8192 bits.
    pub fn rsa(self, kid: impl Into<String>, modulus: impl Into<String>, exponent: impl Into<String>) -> Self {
        self.with(Part::Rsa { kid: kid.into(), modulus: modulus.into(), exponent: exponent.into() })
    }

    /// A P-256 key for `ES256`: coordinates in base64url.
    pub fn p256(self, kid: impl Into<String>, x: impl Into<String>, y: impl Into<String>) -> Self {
        self.with(Part::P256 { kid: kid.into(), x: x.into(), y: y.into() })
    }

    /// A P-384 key for `ES384`: its coordinates in base64url.
    pub fn p384(self, kid: impl Into<String>, x: impl Into<String>, y: impl Into<String>) -> Self {
        self.with(Part::P384 { kid: kid.into(), x: x.into(), y: y.into() })
    }

    /// An Ed25519 key for `EdDSA`, in base64url.
    pub fn ed25519(self, kid: impl Into<String>, x: impl Into<String>) -> Self {
        self.with(Part::Ed25519 { kid: kid.into(), x: x.into() })
    }

    /// Secrets for `HS256`, of at least 32 bytes each: the current one and, during a rotation, the
    /// previous ones all verify. Whoever verifies with a shared secret can also sign: use it only
    /// where issuer and service are one.
    pub fn secret(self, secrets: impl Into<SecretSet>) -> Self {
        self.secret_for(Algorithm::Hs256, secrets)
    }

    /// The same for `HS384` or `HS512`, whose secrets have at least 48 and 64 bytes.
    pub fn secret_for(self, algorithm: Algorithm, secrets: impl Into<SecretSet>) -> Self {
        self.with(Part::Secret(algorithm, secrets.into()))
    }

    /// A verifier of your own, under a `kid`.
    pub fn verifier(self, kid: impl Into<String>, algorithm: Algorithm, verifier: Arc<dyn SignatureVerifier>) -> Self {
        let kid = Some(kid.into().into_boxed_str());
        self.with(Part::Own(Key { kid, algorithm, material: Material::Public(verifier) }))
    }

    /// The set, with every mistake added to `issues`.
    pub(crate) fn build(self, factory: &dyn VerifierFactory, issues: &mut ConfigIssues) -> KeySet {
        let mut keys = Vec::new();
        if self.parts.is_empty() {
            issues.add("keys", "there is no key", "add at least one");
        }
        for (index, part) in self.parts.into_iter().enumerate() {
            match load(part, factory, &mut keys) {
                Ok(()) => {}
                Err((reason, cure)) => issues.add(format!("keys[{index}]"), reason, cure),
            }
        }
        check_names(&keys, issues);
        KeySet::new(keys, Unnamed::FitsAny)
    }
}

fn load(part: Part, factory: &dyn VerifierFactory, keys: &mut Vec<Key>) -> Result<(), (String, &'static str)> {
    const CURE: &str = "use an RSA (2048 bits or more), P-256, P-384, P-521 or Ed25519 public key for signatures";
    let unusable = |reason: UnusableKey| (reason.to_string(), CURE);
    let named = |kid: String| Some(kid.into_boxed_str());
    let key = match part {
        Part::Jwks(json) => return load_set(&json, factory, keys),
        Part::Jwk(json) => {
            let jwk: Value = serde_json::from_str(&json).map_err(|error| (error.to_string(), CURE))?;
            key::from_jwk(&jwk, factory).map_err(unusable)?
        }
        Part::Rsa { kid, modulus, exponent } => {
            let (modulus, exponent) =
                (key::number(Some(&modulus)).map_err(unusable)?, key::number(Some(&exponent)).map_err(unusable)?);
            key::rsa(named(kid), None, &modulus, &exponent, factory).map_err(unusable)?
        }
        Part::P256 { kid, x, y } => {
            let point = key::point::<32, 65>(Some(&x), Some(&y)).map_err(unusable)?;
            key::public(named(kid), None, &PublicKey::P256 { point: &point }, factory).map_err(unusable)?
        }
        Part::P384 { kid, x, y } => {
            let point = key::point::<48, 97>(Some(&x), Some(&y)).map_err(unusable)?;
            key::public(named(kid), None, &PublicKey::P384 { point: &point }, factory).map_err(unusable)?
        }
        Part::Ed25519 { kid, x } => {
            let key = key::coordinate::<32>(Some(&x)).map_err(unusable)?;
            key::public(named(kid), None, &PublicKey::Ed25519 { key: &key }, factory).map_err(unusable)?
        }
        Part::Secret(algorithm, secrets) => shared(algorithm, secrets)?,
        Part::Own(key) => key,
    };
    keys.push(key);
    Ok(())
}

fn shared(algorithm: Algorithm, secrets: SecretSet) -> Result<Key, (String, &'static str)> {
    let Some(least) = algorithm.least_secret() else {
        return Err((format!("{algorithm} uses no shared secret"), "use HS256, HS384 or HS512, or a public key"));
    };
    if secrets.valid_at(crate::time::Timestamp::EPOCH).iter().any(|secret| secret.len() < least) {
        let reason = format!("an {algorithm} secret is shorter than {least} bytes");
        return Err((reason, "use as many random bytes as the hash has, or more"));
    }
    Ok(Key { kid: None, algorithm, material: Material::Shared(secrets) })
}

fn load_set(json: &str, factory: &dyn VerifierFactory, keys: &mut Vec<Key>) -> Result<(), (String, &'static str)> {
    const CURE: &str =
        "give the text of a JWK set with at least one RSA, P-256, P-384, P-521 or Ed25519 key for signatures";
    let set = KeySet::from_jwks(json.as_bytes(), factory).map_err(|bad| (bad.to_string(), CURE))?;
    if set.keys().is_empty() {
        let reasons: Vec<String> = set.skipped().iter().map(ToString::to_string).collect();
        return Err((format!("the set has no usable key ({})", reasons.join("; ")), CURE));
    }
    for reason in set.skipped() {
        tracing::warn!(target: "portcullis", %reason, "a key of the configured set is not used");
    }
    keys.extend(set.into_keys());
    Ok(())
}

/// Two keys that fit the same tokens fit none.
fn check_names(keys: &[Key], issues: &mut ConfigIssues) {
    for (index, key) in keys.iter().enumerate() {
        let same = |other: &&Key| other.kid == key.kid && other.algorithm == key.algorithm;
        if keys.iter().take(index).any(|other| same(&other)) {
            let reason = format!("two {} keys have the same kid, or none", key.algorithm);
            issues.add("keys", reason, "give each key a kid of its own; rotate secrets within one SecretSet");
        }
        if key.kid.as_deref() == Some("") {
            issues.add("keys", "a kid is empty", "leave it out, or name the key");
        }
    }
}
