use std::{fmt, sync::Arc};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

use super::{
    SignatureAlgorithm,
    derived::{Derivation, DerivedKeys, mac},
    sigv4::authorization::is_key_id,
};
use crate::{
    auth::jwt::{BuiltIn, Material as JwkMaterial, SignatureVerifier, from_jwk},
    config_error::{ConfigError, ConfigIssues},
    identity::{AuthMethod, PrincipalParts, ScopeError, Scopes},
    secret::{Secret, SecretSet, fingerprint},
    time::Timestamp,
};

/// As long as the hash (RFC 7518 §3.2); AWS's own have 40 characters.
const MIN_SECRET: usize = 32;

/// A key that requests are signed with, and whose it is: what a
/// [`SigningKeyStore`](super::SigningKeyStore) keeps.
///
/// ```
/// use portcullis::{auth::signed::SigningKey, secret::Secret};
///
/// let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
/// let key = SigningKey::secret("AKIDEXAMPLE", "svc_billing", secret)
///     .tenant("acme")
///     .scopes(["read:orders"])
///     .services(["orders"])
///     .build()?;
/// assert_eq!((key.id(), key.subject()), ("AKIDEXAMPLE", "svc_billing"));
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
pub struct SigningKey {
    id: Box<str>,
    material: Material,
    services: Option<Box<[Box<str>]>>,
    revoked_at: Option<Timestamp>,
    parts: PrincipalParts,
    derived: DerivedKeys,
}

#[derive(Clone, Debug)]
enum Material {
    Secret(SecretSet),
    Public(SignatureAlgorithm, Arc<dyn SignatureVerifier>),
}

impl SigningKey {
    /// A shared secret, of 32 bytes at least: for [`SigV4`](super::SigV4) and the `hmac-sha256` of
    /// RFC 9421. During a rotation all secrets of a set verify.
    pub fn secret(
        id: impl Into<String>,
        subject: impl Into<String>,
        secrets: impl Into<SecretSet>,
    ) -> SigningKeyBuilder {
        SigningKeyBuilder::new(id.into(), subject.into(), Source::Secret(secrets.into()))
    }

    /// A public key, as the JSON text of a JWK (RFC 7517 §4); its `kid` plays no part. For RFC 9421.
    /// An RSA key is used as its `alg` says: `RS256` is `rsa-v1_5-sha256`, `PS512` is
    /// `rsa-pss-sha512`.
    pub fn jwk(id: impl Into<String>, subject: impl Into<String>, json: impl Into<String>) -> SigningKeyBuilder {
        SigningKeyBuilder::new(id.into(), subject.into(), Source::Jwk(json.into()))
    }

    /// A verifier of your own, used with this algorithm and no other. For RFC 9421.
    pub fn verifier(
        id: impl Into<String>,
        subject: impl Into<String>,
        algorithm: SignatureAlgorithm,
        verifier: Arc<dyn SignatureVerifier>,
    ) -> SigningKeyBuilder {
        SigningKeyBuilder::new(id.into(), subject.into(), Source::Own(algorithm, verifier))
    }

    /// The id by which requests name it: 1 to 256 visible ASCII characters. Not secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whose key it is.
    pub fn subject(&self) -> &str {
        self.parts.subject.of(&self.parts.claims)
    }

    /// The owner's tenant.
    pub fn tenant(&self) -> Option<&str> {
        self.parts.tenant.as_ref().map(|tenant| tenant.of(&self.parts.claims))
    }

    /// From when on it is refused.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.parts.expires_at
    }

    /// When it was revoked. A revoked key is refused whatever the time.
    pub fn revoked_at(&self) -> Option<Timestamp> {
        self.revoked_at
    }

    /// The one algorithm of RFC 9421 that it is used with.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        match &self.material {
            Material::Secret(_) => SignatureAlgorithm::HmacSha256,
            Material::Public(algorithm, _) => *algorithm,
        }
    }

    /// The same key, revoked. The first revocation stands.
    #[must_use]
    pub fn revoked(&self, at: Timestamp) -> Self {
        Self {
            id: self.id.clone(),
            material: self.material.clone(),
            services: self.services.clone(),
            revoked_at: self.revoked_at.or(Some(at)),
            parts: self.parts.clone(),
            derived: DerivedKeys::default(),
        }
    }

    pub(super) fn parts(&self) -> &PrincipalParts {
        &self.parts
    }

    /// Whether it may be used at all, for this service, at this time.
    pub(super) fn in_force(&self, service: Option<&str>, now: Timestamp) -> Result<(), NotInForce> {
        if self.revoked_at.is_some() {
            return Err(NotInForce::Revoked);
        }
        if self.expires_at().is_some_and(|at| now >= at) {
            return Err(NotInForce::Expired);
        }
        let Some(services) = &self.services else { return Ok(()) };
        let allowed = service.is_some_and(|service| services.iter().any(|allowed| **allowed == *service));
        if allowed { Ok(()) } else { Err(NotInForce::OtherService) }
    }

    /// Whether a key that was derived from one of the secrets made `signature`. All are tried, so
    /// that the time does not tell which.
    pub(super) fn verify_derived(
        &self,
        derivation: &Derivation<'_>,
        message: &[u8],
        signature: &[u8; 32],
        now: Timestamp,
    ) -> bool {
        let Material::Secret(secrets) = &self.material else { return false };
        let mut right = Choice::from(0);
        for key in self.derived.of(&usable(secrets, now), derivation) {
            right |= mac(&**key, message).ct_eq(signature);
        }
        right.into()
    }

    /// Whether the key made `signature`, by the rules of RFC 9421 §3.3.
    #[cfg_attr(not(feature = "http-signatures"), allow(dead_code, reason = "only RFC 9421 has public keys"))]
    pub(super) fn verify(&self, message: &[u8], signature: &[u8], now: Timestamp) -> bool {
        let secrets = match &self.material {
            Material::Public(_, verifier) => return verifier.verify(message, signature),
            Material::Secret(secrets) => secrets,
        };
        let mut right = false;
        for secret in usable(secrets, now) {
            if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose()) {
                mac.update(message);
                right |= mac.verify_slice(signature).is_ok();
            }
        }
        right
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm().as_str())
            .field("services", &self.services)
            .field("revoked_at", &self.revoked_at)
            .finish_non_exhaustive()
    }
}

/// Why a key that made the signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotInForce {
    #[error("it is revoked")]
    Revoked,
    #[error("it has expired")]
    Expired,
    #[error("it is not for this service")]
    OtherService,
}

/// A secret that a rotation made too short verifies nothing.
fn usable(secrets: &SecretSet, now: Timestamp) -> Vec<Secret> {
    let mut valid = secrets.valid_at(now);
    valid.retain(|secret| secret.len() >= MIN_SECRET);
    valid
}

/// Builds a [`SigningKey`].
#[derive(Debug)]
#[must_use]
pub struct SigningKeyBuilder {
    id: String,
    source: Source,
    services: Option<Vec<String>>,
    scopes: Vec<String>,
    revoked_at: Option<Timestamp>,
    parts: PrincipalPartsOf,
}

/// What is taken over as it is.
#[derive(Debug)]
struct PrincipalPartsOf {
    subject: String,
    tenant: Option<String>,
    plan: Option<String>,
    roles: Vec<String>,
    expires_at: Option<Timestamp>,
}

enum Source {
    Secret(SecretSet),
    Jwk(String),
    Own(SignatureAlgorithm, Arc<dyn SignatureVerifier>),
}

/// Not the text: somebody may have given a private key.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(***)",
            Self::Jwk(_) => "Jwk(***)",
            Self::Own(..) => "Own(…)",
        })
    }
}

impl SigningKeyBuilder {
    fn new(id: String, subject: String, source: Source) -> Self {
        let parts = PrincipalPartsOf { subject, tenant: None, plan: None, roles: Vec::new(), expires_at: None };
        Self { id, source, services: None, scopes: Vec::new(), revoked_at: None, parts }
    }

    /// The owner's tenant. Default: none.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.parts.tenant = Some(tenant.into());
        self
    }

    /// The plan that limits and quotas go by. Default: none.
    pub fn plan(mut self, plan: impl Into<String>) -> Self {
        self.parts.plan = Some(plan.into());
        self
    }

    /// Adds to what the key allows; `read:*` is a wildcard here. Default: nothing.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Adds to the roles that the key stands for. Default: none.
    pub fn roles(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.parts.roles.extend(roles.into_iter().map(Into::into));
        self
    }

    /// Adds to the services that the key is for, by the name that the verifying layer was given.
    /// Default: every service that asks the store.
    pub fn services(mut self, services: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.services.get_or_insert_default().extend(services.into_iter().map(Into::into));
        self
    }

    /// From when on it is refused. Default: never.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.parts.expires_at = Some(at);
        self
    }

    /// When it was revoked. Default: it was not.
    pub fn revoked_at(mut self, at: Timestamp) -> Self {
        self.revoked_at = Some(at);
        self
    }

    /// The key.
    ///
    /// # Errors
    /// If the id, the subject or a scope is none, there is no service in the list of services, or
    /// the secret or public key cannot be used.
    pub fn build(self) -> Result<SigningKey, ConfigError> {
        let mut issues = ConfigIssues::new();
        if !is_key_id(&self.id) {
            let cure = "use 1 to 256 visible ASCII characters, without comma, quote and backslash";
            issues.add("id", "it cannot stand in a signature's header", cure);
        }
        if self.parts.subject.is_empty() {
            let cure = "name the user or service that signs";
            issues.add("subject", "a key without an owner is nobody's", cure);
        }
        if self.services.as_ref().is_some_and(Vec::is_empty) {
            issues.add("services", "a key for no service is good for nothing", "name a service, or leave it out");
        }
        let scopes = Scopes::from_own_data(self.scopes.iter().map(String::as_str));
        let scopes = scopes.unwrap_or_else(|error: ScopeError| {
            issues.add("scopes", error.to_string(), "write action:resource, or action:* for all of an action");
            Scopes::none()
        });
        let material = load(self.source, &mut issues);
        let own = self.parts;
        let parts = PrincipalParts {
            subject: own.subject.into(),
            tenant: own.tenant.map(Into::into),
            plan: own.plan.map(Into::into),
            method: Some(AuthMethod::SignedRequest),
            scopes,
            roles: own.roles.into_iter().map(Into::into).collect(),
            credential_id: Some(self.id.as_str().into()),
            fingerprint: Some(fingerprint("signing_key", self.id.as_bytes())),
            expires_at: own.expires_at,
            ..PrincipalParts::default()
        };
        let services = self.services.map(|services| services.into_iter().map(Into::into).collect());
        let material = match material {
            Some(material) => material,
            // There is an issue, so this goes nowhere.
            None => Material::Secret(SecretSet::new(Secret::new(Vec::new()))),
        };
        let (id, revoked_at) = (self.id.into(), self.revoked_at);
        issues.finish(SigningKey { id, material, services, revoked_at, parts, derived: DerivedKeys::default() })
    }
}

fn load(source: Source, issues: &mut ConfigIssues) -> Option<Material> {
    match source {
        Source::Own(algorithm, verifier) => return Some(Material::Public(algorithm, verifier)),
        Source::Secret(secrets) => {
            if secrets.valid_at(Timestamp::EPOCH).iter().all(|secret| secret.len() >= MIN_SECRET) {
                return Some(Material::Secret(secrets));
            }
            issues.add("secret", "it is shorter than 32 bytes", "use 32 random bytes or more");
        }
        Source::Jwk(json) => {
            const CURE: &str = "use an Ed25519, P-256, P-384 or RSA public key (2048 bits or more)";
            let jwk: Option<Value> = serde_json::from_str(&json).ok();
            match jwk.map(|jwk| from_jwk(&jwk, &BuiltIn)) {
                None => issues.add("jwk", "it is not JSON", CURE),
                Some(Err(reason)) => issues.add("jwk", reason.to_string(), CURE),
                Some(Ok(key)) => match (SignatureAlgorithm::of_jwt(key.algorithm), key.material) {
                    (Some(algorithm), JwkMaterial::Public(verifier)) => {
                        return Some(Material::Public(algorithm, verifier));
                    }
                    _ => issues.add("jwk", "RFC 9421 has no algorithm for it", CURE),
                },
            }
        }
    }
    None
}
