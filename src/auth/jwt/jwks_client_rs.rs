use std::{fmt, sync::Arc};

use jwks_client_rs::{JsonWebKey, JsonWebKeySet, source::JwksSource};
use serde_json::{Value, json};

use super::{FetchedKeys, KeySource, KeySourceError};
use crate::store::BoxFuture;

/// Any source of the crate `jwks_client_rs` as a [`KeySource`], behind our own cache: for those who
/// have one of their own already. Feature `jwks-client-rs`.
///
/// ```
/// use portcullis::auth::jwt::{Issuer, JwksClientRs};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let url = "https://id.example.com/.well-known/jwks.json".parse()?;
/// let source = jwks_client_rs::source::WebSource::builder().build(url)?;
/// let verifier = Issuer::new("https://id.example.com")
///     .audience("https://api.example.com")
///     .key_source(JwksClientRs::new(source))
///     .build()?;
/// # verifier.shutdown().await;
/// # Ok(()) }
/// ```
///
/// # What it cannot do
/// [`Issuer::jwks_url`](super::Issuer::jwks_url) is the better source where there is a choice. Of `jwks_client_rs` 0.6.13
/// only the source is used here, never its `JwksClient`, whose cache has been measured with a
/// loopback server: twenty unknown `kid`s are twenty fetches, 200 of them on a source that fails
/// after 100 ms made a caller with a *known* key wait for 20 s, and a set without any of its keys'
/// `alg` verifies nothing. Behind our cache these are gone. What stays is its parser and its
/// transport:
///
/// * **one key that it does not know fails the whole set**: `oct`, `AKP` (post-quantum signatures),
///   a key without `kid`, a `use` other than `sig` and `enc`. To us that is a fetch that failed: the old
///   keys go on working for [a day](super::Issuer::max_key_age);
/// * `use` is known of RSA keys only, `key_ops` of none: a key for encryption on a curve may verify
///   signatures;
/// * `Cache-Control` and `ETag` are lost: sets live for ten minutes;
/// * `WebSource` follows redirects, takes plain HTTP from anywhere, and bodies of any size; 10 s is
///   its limit.
#[derive(Clone)]
pub struct JwksClientRs(Arc<dyn JwksSource + Send + Sync>);

impl JwksClientRs {
    /// For [`Issuer::key_source`](super::Issuer::key_source).
    #[expect(clippy::new_ret_no_self, reason = "what the one who calls it hands on is a key source")]
    pub fn new(source: impl JwksSource + Send + Sync + 'static) -> Arc<dyn KeySource> {
        Arc::new(Self(Arc::new(source)))
    }
}

impl KeySource for JwksClientRs {
    fn fetch(&self) -> BoxFuture<'_, Result<FetchedKeys, KeySourceError>> {
        Box::pin(async move {
            let keys = self.0.fetch_keys().await.map_err(KeySourceError::unreachable)?;
            Ok(FetchedKeys { jwks: text(keys).into(), max_age: None })
        })
    }
}

/// Back into what our parser reads, which then checks sizes, curves and algorithms as of any set.
fn text(set: JsonWebKeySet) -> String {
    let keys: Vec<Value> = set.keys().iter().map(jwk).collect();
    json!({ "keys": keys }).to_string()
}

fn jwk(key: &JsonWebKey) -> Value {
    let mut jwk = match key {
        JsonWebKey::Rsa(key) => {
            let usage = key.r#use().map(|usage| match usage {
                // The type cannot be named from outside its crate.
                usage if format!("{usage:?}") == "Sig" => "sig",
                _ => "enc",
            });
            json!({ "kty": "RSA", "n": key.modulus(), "e": key.exponent(), "use": usage })
        }
        JsonWebKey::Ec(key) => json!({ "kty": "EC", "crv": key.curve(), "x": key.x(), "y": key.y() }),
        JsonWebKey::Okp(key) => json!({ "kty": "OKP", "crv": key.curve(), "x": key.x() }),
    };
    if let Value::Object(members) = &mut jwk {
        members.insert("kid".into(), key.key_id().into());
        members.insert("alg".into(), key.alg().into());
        members.retain(|_, value| !value.is_null());
    }
    jwk
}

impl fmt::Debug for JwksClientRs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwksClientRs")
    }
}

#[cfg(test)]
#[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
mod tests {
    use std::{future::Future, pin::Pin};

    use jwks_client_rs::JwksClientError;

    use super::*;
    use crate::{
        auth::{
            accepted::Checked,
            jwt::{Algorithm, Issuer, JwtVerifier},
        },
        testing::TestIssuer,
    };

    /// Answers with a text, as `WebSource` would that has fetched it.
    struct Text(String);

    impl JwksSource for Text {
        fn fetch_keys<'a, 'f>(
            &'a self,
        ) -> Pin<Box<dyn Future<Output = Result<JsonWebKeySet, JwksClientError>> + Send + 'f>>
        where
            'a: 'f,
            Self: 'f,
        {
            // It has no error that could be made outside; an empty set will do for one.
            let set = serde_json::from_str(&self.0).unwrap_or_else(|_| JsonWebKeySet::from(Vec::new()));
            Box::pin(async move { Ok(set) })
        }
    }

    async fn verifier(issuer: &TestIssuer, text: String) -> (JwtVerifier, Result<(), KeySourceError>) {
        let source = JwksClientRs::new(Text(text));
        let verifier = Issuer::new(issuer.url()).audience("https://api.test").key_source(source).build().unwrap();
        let warm = verifier.warm_up().await;
        (verifier, warm)
    }

    fn accepts(verifier: &JwtVerifier, token: &str) -> bool {
        let now = crate::time::Clock::now(&crate::time::SystemClock::new()).wall;
        matches!(verifier.verify(token, now), Checked::Ready(Ok(_)))
    }

    #[tokio::test]
    async fn keys_of_each_kind_come_through() {
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
            let issuer = TestIssuer::with_algorithm("https://issuer.test", algorithm);
            let (verifier, warm) = verifier(&issuer, issuer.jwks().to_string()).await;
            warm.unwrap();
            assert!(accepts(&verifier, &issuer.token("a").sign()), "{algorithm}");
            assert!(!accepts(&verifier, &issuer.token("a").tampered().sign()), "{algorithm}");
        }
    }

    #[tokio::test]
    async fn a_key_for_encryption_verifies_nothing() {
        let issuer = TestIssuer::with_algorithm("https://issuer.test", Algorithm::Rs256);
        let mut jwks = issuer.jwks();
        jwks["keys"][0]["use"] = "enc".into();
        let (_, warm) = verifier(&issuer, jwks.to_string()).await;
        assert!(matches!(warm, Err(KeySourceError::NoUsableKey)));
    }

    /// If this fails, its parser has learned, and the documentation above can be shorter.
    #[tokio::test]
    async fn one_foreign_key_fails_its_whole_set() {
        let issuer = TestIssuer::new("https://issuer.test");
        let mut jwks = issuer.jwks();
        jwks["keys"]
            .as_array_mut()
            .unwrap()
            .push(json!({"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AAAA"}));
        assert!(serde_json::from_str::<JsonWebKeySet>(&jwks.to_string()).is_err());
        let (_, warm) = verifier(&issuer, jwks.to_string()).await;
        assert!(warm.is_err());
    }
}
