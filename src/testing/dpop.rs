#![expect(clippy::expect_used, reason = "only tests come here, and a wrong test should say where")]

use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    signing_key::{SigningKey, random, text},
    token::{parts, with_signature},
};
use crate::{
    auth::{dpop::thumbprint, jwt::Algorithm},
    time::{Clock, SystemClock, Timestamp},
};

/// A client's key for proofs of possession (RFC 9449).
///
/// ```
/// use portcullis::testing::TestDpopKey;
///
/// let key = TestDpopKey::generate();
/// let proof = key.proof("GET", "https://api.example.com/orders", "the.access.token");
/// assert_eq!((key.thumbprint().len(), proof.sign().split('.').count()), (43, 3));
/// ```
#[derive(Clone)]
pub struct TestDpopKey {
    key: SigningKey,
    now: Option<Timestamp>,
}

impl TestDpopKey {
    /// A fresh key for `ES256`.
    pub fn generate() -> Self {
        Self::with_algorithm(Algorithm::Es256)
    }

    /// A fresh key for another algorithm.
    ///
    /// # Panics
    /// For one with shared secrets: there are no such proofs.
    pub fn with_algorithm(algorithm: Algorithm) -> Self {
        let key = SigningKey::generate(algorithm);
        assert!(key.jwk.is_some(), "a proof is not signed with a shared secret");
        Self { key, now: None }
    }

    /// Proofs are made at this time. By default at that of the machine's clock.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.now = Some(now);
        self
    }

    /// The public key, with the members that a proof needs and no others.
    ///
    /// # Panics
    /// Never.
    pub fn jwk(&self) -> Value {
        let jwk = self.key.jwk.as_ref().and_then(Value::as_object).expect("a public key");
        let members = ["kty", "crv", "x", "y", "n", "e"];
        Value::Object(jwk.iter().filter(|(name, _)| members.contains(&name.as_str())).map(clone).collect())
    }

    /// What a token that is bound to this key has as `cnf.jkt` (RFC 9449 §6.1).
    ///
    /// # Panics
    /// Never.
    pub fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        text(&jwk.as_object().and_then(thumbprint).expect("every public key has one"))
    }

    /// A proof for a request with this method and URL and this access token: good unless told
    /// otherwise, and new each time.
    pub fn proof(&self, method: &str, url: &str, token: &str) -> TestDpopProof {
        let now = self.now.unwrap_or_else(|| SystemClock::new().now().wall);
        let header = json!({ "typ": "dpop+jwt", "alg": self.key.algorithm.as_str(), "jwk": self.jwk() });
        let claims = json!({
            "jti": base16ct::lower::encode_string(&random::<16>()),
            "htm": method,
            "htu": url,
            "iat": now.as_secs(),
            "ath": text(&Sha256::digest(token)),
        });
        let (Value::Object(header), Value::Object(claims)) = (header, claims) else { unreachable!("both are objects") };
        TestDpopProof { key: self.key.clone(), now, header, claims }
    }
}

fn clone((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// The thumbprint; never the key.
impl std::fmt::Debug for TestDpopKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestDpopKey").field("thumbprint", &self.thumbprint()).finish_non_exhaustive()
    }
}

/// A proof to be: the content of a `DPoP` header. Made by [`TestDpopKey::proof`].
#[derive(Clone)]
#[must_use]
pub struct TestDpopProof {
    key: SigningKey,
    now: Timestamp,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl TestDpopProof {
    /// With a nonce of the server.
    pub fn nonce(self, nonce: impl Into<String>) -> Self {
        self.claim("nonce", nonce.into())
    }

    /// Made that long ago.
    pub fn aged(self, age: Duration) -> Self {
        let at = self.now.saturating_sub(age).as_secs();
        self.claim("iat", at)
    }

    /// Any claim, in place of the one with this name.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// Without this claim.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Any member of the header, in place of the one with this name.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.into(), value.into());
        self
    }

    /// Without this member of the header.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Signed with another key; the header still shows this one.
    pub fn signed_by(mut self, other: &TestDpopKey) -> Self {
        self.key = other.key.clone();
        self
    }

    /// The proof in compact form.
    pub fn sign(self) -> String {
        let signed = parts(&Value::Object(self.header).to_string(), &Value::Object(self.claims).to_string());
        with_signature(&signed, &self.key.sign(signed.as_bytes()))
    }
}

/// What the proof says, which a test chose itself; never the key.
impl std::fmt::Debug for TestDpopProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestDpopProof")
            .field("header", &self.header)
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}
