#![expect(clippy::expect_used, reason = "only tests come here, and a wrong test should say where")]

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    TestIssuer,
    signing_key::{SigningKey, hmac, random, text},
};
use crate::time::Timestamp;

/// A token to be: good unless told otherwise. Made by [`TestIssuer::token`].
///
/// By default it has `typ: at+jwt`, the issuer's key and algorithm, the issuer's audience, a `jti`
/// of its own, and is valid from now for 15 minutes.
#[derive(Clone)]
#[must_use]
pub struct TestToken {
    key: SigningKey,
    now: Timestamp,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    forgery: Forgery,
}

#[derive(Clone, Debug)]
enum Forgery {
    None,
    Unsigned,
    Tampered,
    HmacWith(Vec<u8>),
}

impl TestToken {
    pub(super) fn new(issuer: &TestIssuer, subject: &str) -> Self {
        let key = issuer.current_key();
        let now = issuer.now();
        let header = json!({"alg": key.algorithm.as_str(), "typ": "at+jwt", "kid": key.kid});
        let claims = json!({
            "iss": issuer.url(),
            "sub": subject,
            "aud": issuer.default_audience(),
            "iat": now.as_secs(),
            "exp": now.as_secs().saturating_add(900),
            "jti": base16ct::lower::encode_string(&random::<8>()),
            "client_id": "test-client",
        });
        let (Value::Object(header), Value::Object(claims)) = (header, claims) else { unreachable!("both are objects") };
        Self { key, now, header, claims, forgery: Forgery::None }
    }

    /// The claim `scope`.
    pub fn scopes<S: AsRef<str>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        let scopes: Vec<String> = scopes.into_iter().map(|scope| scope.as_ref().to_owned()).collect();
        self.claim("scope", scopes.join(" "))
    }

    /// The claim `roles`.
    pub fn roles<S: Into<String>>(self, roles: impl IntoIterator<Item = S>) -> Self {
        self.claim("roles", roles.into_iter().map(Into::into).collect::<Vec<String>>())
    }

    /// The claim `tenant_id`.
    pub fn tenant(self, tenant: impl Into<String>) -> Self {
        self.claim("tenant_id", tenant.into())
    }

    /// The claim `subscription_tier`.
    pub fn plan(self, plan: impl Into<String>) -> Self {
        self.claim("subscription_tier", plan.into())
    }

    /// Another audience.
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.claim("aud", audience.into())
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

    /// `exp` this long from now.
    pub fn expires_in(self, after: Duration) -> Self {
        let at = self.now.saturating_add(after).as_secs();
        self.claim("exp", at)
    }

    /// `iat` two hours ago, `exp` one hour ago.
    pub fn expired(self) -> Self {
        let at = |hours: u64| self.now.saturating_sub(Duration::from_secs(hours.saturating_mul(3_600))).as_secs();
        let (issued, expires) = (at(2), at(1));
        self.claim("iat", issued).claim("exp", expires)
    }

    /// `nbf` this long from now.
    pub fn not_before_in(self, after: Duration) -> Self {
        let at = self.now.saturating_add(after).as_secs();
        self.claim("nbf", at)
    }

    /// What the header says under `alg`, whatever the key is.
    pub fn algorithm(self, name: &str) -> Self {
        self.header("alg", name)
    }

    /// What the header says under `kid`, whatever the key is.
    pub fn kid(self, kid: &str) -> Self {
        self.header("kid", kid)
    }

    /// What the header says under `typ`.
    pub fn typ(self, typ: &str) -> Self {
        self.header("typ", typ)
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

    /// Signed with another issuer's key; the header still names this one's.
    pub fn signed_by(mut self, other: &TestIssuer) -> Self {
        self.key = other.current_key();
        self
    }

    /// `alg: none` and no signature (RFC 7515 appendix A.5).
    pub fn unsigned(mut self) -> Self {
        self.forgery = Forgery::Unsigned;
        self.algorithm("none")
    }

    /// `alg: HS256` with the public key as the secret: the classic confusion of algorithms.
    ///
    /// # Panics
    /// At [`sign`](Self::sign), if the issuer signs with a shared secret: then there is no public key.
    pub fn hs256_with_the_public_key(mut self) -> Self {
        let jwk = self.key.jwk.as_ref().expect("an issuer with a public key");
        let public = ["n", "x"].iter().find_map(|name| jwk.get(name)?.as_str());
        self.forgery = Forgery::HmacWith(public.unwrap_or_default().as_bytes().to_vec());
        self.algorithm("HS256")
    }

    /// The subject is changed to `admin` after signing.
    pub fn tampered(mut self) -> Self {
        self.forgery = Forgery::Tampered;
        self
    }

    /// The token in compact form.
    pub fn sign(self) -> String {
        let header = Value::Object(self.header).to_string();
        let claims = Value::Object(self.claims.clone()).to_string();
        let signed = parts(&header, &claims);
        match self.forgery {
            Forgery::None => with_signature(&signed, &self.key.sign(signed.as_bytes())),
            Forgery::Unsigned => with_signature(&signed, &[]),
            Forgery::HmacWith(secret) => with_signature(&signed, &hmac(&secret, signed.as_bytes())),
            Forgery::Tampered => {
                let signature = self.key.sign(signed.as_bytes());
                let mut claims = self.claims;
                claims.insert("sub".into(), "admin".into());
                with_signature(&parts(&header, &Value::Object(claims).to_string()), &signature)
            }
        }
    }
}

pub(super) fn parts(header: &str, claims: &str) -> String {
    format!("{}.{}", text(header.as_bytes()), text(claims.as_bytes()))
}

pub(super) fn with_signature(signed: &str, signature: &[u8]) -> String {
    format!("{signed}.{}", text(signature))
}

/// The claims, which a test chose itself; never the key.
impl std::fmt::Debug for TestToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestToken").field("header", &self.header).field("claims", &self.claims).finish_non_exhaustive()
    }
}
