#![expect(clippy::expect_used, reason = "only tests come here, and a wrong test should say where")]

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    TestToken,
    signing_key::SigningKey,
    token::{parts, with_signature},
};
use crate::{
    auth::jwt::{Algorithm, Issuer, JwtVerifier, StaticKeys},
    secret::SecretSet,
    time::{Clock, SystemClock, Timestamp},
};

/// An identity provider in the test's own process: signs tokens, publishes its keys, rotates them.
///
/// Its keys are made when it is made, and exist nowhere else. (With `rust-crypto` and without
/// `aws-lc`, RSA uses keys that come with the crate.) Clones are the same issuer.
///
/// ```
/// use portcullis::testing::TestIssuer;
///
/// let issuer = TestIssuer::new("https://issuer.test");
/// let token = issuer.token("usr_1").scopes(["read:orders"]).claim("department", "legal").sign();
/// let forged = issuer.token("usr_1").tampered().sign();
/// // For `AuthLayer`: the issuer with its keys, the audience and the defaults.
/// let verifier = issuer.issuer().build()?;
/// assert_eq!(verifier.issuer(), "https://issuer.test");
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct TestIssuer {
    url: Arc<str>,
    audience: Arc<str>,
    algorithm: Algorithm,
    clock: Arc<dyn Clock>,
    keys: Arc<Mutex<Keys>>,
}

struct Keys {
    current: SigningKey,
    previous: Vec<SigningKey>,
    /// For `HS256` to `HS512`.
    secrets: Option<SecretSet>,
}

impl TestIssuer {
    /// An issuer that signs with `ES256`.
    pub fn new(url: impl Into<String>) -> Self {
        Self::with_algorithm(url, Algorithm::Es256)
    }

    /// An issuer that signs with another algorithm. To make an RSA key takes a good part of a second.
    ///
    /// # Panics
    /// If the machine has no randomness, and for `ES512` without the feature `aws-lc`.
    pub fn with_algorithm(url: impl Into<String>, algorithm: Algorithm) -> Self {
        let current = SigningKey::generate(algorithm);
        let secrets = current.secret().map(|secret| SecretSet::new(secret.clone()));
        Self {
            url: url.into().into(),
            audience: "https://api.test".into(),
            algorithm,
            clock: Arc::new(SystemClock::new()),
            keys: Arc::new(Mutex::new(Keys { current, previous: Vec::new(), secrets })),
        }
    }

    /// The audience of its tokens. Default `https://api.test`.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into().into();
        self
    }

    /// The clock by which tokens are dated. Default: the machine's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Its `iss`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A good token for `subject`, to be changed and signed.
    pub fn token(&self, subject: &str) -> TestToken {
        TestToken::new(self, subject)
    }

    /// Signs any header and claims, given as JSON text that need not be JSON.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        let signed = parts(header, claims);
        with_signature(&signed, &self.current_key().sign(signed.as_bytes()))
    }

    /// The `kid` of the key that signs now.
    pub fn current_kid(&self) -> String {
        self.lock().current.kid.clone()
    }

    /// From now on another key signs; the old one stays published.
    pub fn rotate(&self) {
        let next = SigningKey::generate(self.algorithm);
        let hour = Duration::from_secs(3_600);
        let mut keys = self.lock();
        if let (Some(secrets), Some(secret)) = (&keys.secrets, next.secret()) {
            secrets.rotate(secret.clone(), self.now().saturating_add(hour));
        }
        let old = std::mem::replace(&mut keys.current, next);
        keys.previous.push(old);
    }

    /// Takes the old keys out of what is published.
    pub fn retire_old_keys(&self) {
        let mut keys = self.lock();
        keys.previous.clear();
        if let Some(secrets) = &keys.secrets {
            secrets.forget_previous();
        }
    }

    /// What it publishes: a JWK set (RFC 7517 §5). Empty for shared secrets.
    pub fn jwks(&self) -> Value {
        let keys = self.lock();
        let published: Vec<&Value> =
            std::iter::once(&keys.current).chain(&keys.previous).filter_map(|key| key.jwk.as_ref()).collect();
        json!({ "keys": published })
    }

    /// What a service is configured with to accept its tokens: the keys as they are now, and the
    /// audience. (A shared secret is followed through rotations.)
    pub fn issuer(&self) -> Issuer {
        let secrets = self.lock().secrets.clone();
        let keys = match secrets {
            Some(secrets) => StaticKeys::new().secret_for(self.algorithm, secrets),
            None => StaticKeys::new().jwks(self.jwks().to_string()),
        };
        Issuer::new(&*self.url).audience(&*self.audience).keys(keys)
    }

    /// [`issuer`](Self::issuer), built.
    ///
    /// # Panics
    /// Never, unless this crate has an error.
    pub fn verifier(&self) -> JwtVerifier {
        self.issuer().build().expect("a test issuer's configuration is right")
    }

    pub(super) fn current_key(&self) -> SigningKey {
        self.lock().current.clone()
    }

    pub(super) fn default_audience(&self) -> &str {
        &self.audience
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now().wall
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestIssuer").field("url", &self.url).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
