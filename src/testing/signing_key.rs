#![expect(clippy::expect_used, reason = "only tests come here, and a wrong test should say where")]

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{Algorithm as Foreign, EncodingKey, crypto::CryptoProvider, jwk::EllipticCurve};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

use crate::{auth::jwt::Algorithm, secret::Secret};

/// PKCS #8 (RFC 5958) around a bare private scalar (RFC 5915) and a bare seed (RFC 8410).
const P256_PREFIX: &[u8] = b"\x30\x41\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x04\x27\x30\x25\x02\x01\x01\x04\x20";
const P384_PREFIX: &[u8] = b"\x30\x4e\x02\x01\x00\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x04\x37\x30\x35\x02\x01\x01\x04\x30";
const ED25519_PREFIX: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

macro_rules! hmac_with {
    ($hash:ty, $secret:expr, $message:expr) => {{
        let mut mac = Hmac::<$hash>::new_from_slice($secret).expect("any length will do");
        mac.update($message);
        mac.finalize().into_bytes().to_vec()
    }};
}

/// A private key, and what is published of it.
#[derive(Clone)]
pub(super) struct SigningKey {
    pub(super) kid: String,
    pub(super) algorithm: Algorithm,
    /// `None` for a shared secret.
    pub(super) jwk: Option<Value>,
    private: Private,
}

#[derive(Clone)]
enum Private {
    Pair(Foreign, EncodingKey),
    #[cfg(feature = "aws-lc")]
    P521(std::sync::Arc<aws_lc_rs::signature::EcdsaKeyPair>),
    Shared(Secret),
}

/// The provider that is compiled in; never the process-global one.
fn provider() -> &'static CryptoProvider {
    #[cfg(feature = "aws-lc")]
    {
        &jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER
    }
    #[cfg(not(feature = "aws-lc"))]
    {
        &jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER
    }
}

impl SigningKey {
    pub(super) fn generate(algorithm: Algorithm) -> Self {
        let kid = format!("test-{}", base16ct::lower::encode_string(&random::<6>()));
        match algorithm {
            Algorithm::Es256 => Self::curve::<32>(kid, algorithm, ("P-256", Foreign::ES256), P256_PREFIX),
            Algorithm::Es384 => Self::curve::<48>(kid, algorithm, ("P-384", Foreign::ES384), P384_PREFIX),
            Algorithm::Es512 => Self::p521(kid),
            Algorithm::EdDsa => Self::ed25519(kid),
            Algorithm::Rs256 => Self::rsa(kid, algorithm, Foreign::RS256),
            Algorithm::Rs384 => Self::rsa(kid, algorithm, Foreign::RS384),
            Algorithm::Rs512 => Self::rsa(kid, algorithm, Foreign::RS512),
            Algorithm::Ps256 => Self::rsa(kid, algorithm, Foreign::PS256),
            Algorithm::Ps384 => Self::rsa(kid, algorithm, Foreign::PS384),
            Algorithm::Ps512 => Self::rsa(kid, algorithm, Foreign::PS512),
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
                let private = Private::Shared(Secret::new(random::<64>()));
                Self { kid, algorithm, jwk: None, private }
            }
        }
    }

    fn curve<const N: usize>(
        kid: String,
        algorithm: Algorithm,
        (curve, foreign): (&str, Foreign),
        prefix: &[u8],
    ) -> Self {
        // One scalar in four thousand million is too large for the curve; the next one is not.
        let (der, (_, x, y)) = std::iter::repeat_with(|| [prefix, &random::<N>()].concat())
            .find_map(|der| {
                let parts = (provider().key_utils.ec_pub_components_from_private_key)(&der, foreign).ok()?;
                Some((der, parts))
            })
            .expect("the iterator does not end");
        let jwk = json!({"kty": "EC", "crv": curve, "kid": kid, "use": "sig", "alg": algorithm.as_str(), "x": text(&x), "y": text(&y)});
        let private = Private::Pair(foreign, EncodingKey::from_ec_der(&der));
        Self { kid, algorithm, jwk: Some(jwk), private }
    }

    #[cfg(feature = "aws-lc")]
    fn p521(kid: String) -> Self {
        use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
        let pair = EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).expect("the machine has randomness");
        let point = pair.public_key().as_ref();
        let (x, y) = point.get(1..).and_then(|point| point.split_at_checked(66)).expect("04, x and y");
        let jwk =
            json!({"kty": "EC", "crv": "P-521", "kid": kid, "use": "sig", "alg": "ES512", "x": text(x), "y": text(y)});
        Self { kid, algorithm: Algorithm::Es512, jwk: Some(jwk), private: Private::P521(pair.into()) }
    }

    #[cfg(not(feature = "aws-lc"))]
    fn p521(_: String) -> Self {
        panic_without_aws_lc()
    }

    fn ed25519(kid: String) -> Self {
        let der = [ED25519_PREFIX, &random::<32>()].concat();
        let x = (provider().key_utils.ed_pub_components_from_private_key)(&der, &EllipticCurve::Ed25519)
            .expect("every seed is a key");
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "use": "sig", "alg": "EdDSA", "x": text(&x)});
        let private = Private::Pair(Foreign::EdDSA, EncodingKey::from_ed_der(&der));
        Self { kid, algorithm: Algorithm::EdDsa, jwk: Some(jwk), private }
    }

    fn rsa(kid: String, algorithm: Algorithm, foreign: Foreign) -> Self {
        let pkcs1 = rsa_pkcs1();
        let (n, e) = (provider().key_utils.rsa_pub_components_from_private_key)(&pkcs1).expect("an RSA key");
        let jwk =
            json!({"kty": "RSA", "kid": kid, "use": "sig", "alg": algorithm.as_str(), "n": text(&n), "e": text(&e)});
        let private = Private::Pair(foreign, EncodingKey::from_rsa_der(&pkcs1));
        Self { kid, algorithm, jwk: Some(jwk), private }
    }

    pub(super) fn secret(&self) -> Option<&Secret> {
        match &self.private {
            Private::Shared(secret) => Some(secret),
            #[cfg(feature = "aws-lc")]
            Private::P521(_) => None,
            Private::Pair(..) => None,
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.private {
            Private::Pair(algorithm, key) => {
                let signer = (provider().signer_factory)(algorithm, key).expect("the key is one for its algorithm");
                signer.try_sign(message).expect("signing works")
            }
            #[cfg(feature = "aws-lc")]
            Private::P521(pair) => {
                let random = aws_lc_rs::rand::SystemRandom::new();
                pair.sign(&random, message).expect("signing works").as_ref().to_vec()
            }
            Private::Shared(secret) => match self.algorithm {
                Algorithm::Hs384 => hmac_with!(Sha384, secret.expose(), message),
                Algorithm::Hs512 => hmac_with!(Sha512, secret.expose(), message),
                _ => hmac(secret.expose(), message),
            },
        }
    }
}

#[cfg(not(feature = "aws-lc"))]
fn panic_without_aws_lc() -> ! {
    unreachable!("ES512 needs the feature aws-lc")
}

pub(super) fn hmac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac_with!(Sha256, secret, message)
}

pub(super) fn text(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the machine has randomness");
    bytes
}

/// A fresh key, as PKCS #1.
#[cfg(feature = "aws-lc")]
fn rsa_pkcs1() -> Vec<u8> {
    use aws_lc_rs::{
        encoding::{AsDer as _, Pkcs8V1Der},
        rsa::{KeyPair, KeySize},
    };
    let pair = KeyPair::generate(KeySize::Rsa2048).expect("the machine has randomness");
    let der: Pkcs8V1Der<'_> = pair.as_der().expect("every key has an encoding");
    // PKCS #8 is PKCS #1 behind a prefix of fixed length for this size of key.
    der.as_ref().get(26..).expect("PKCS #8 is longer than its prefix").to_vec()
}

/// RustCrypto makes no keys here: one of two that come with the crate, and are therefore no secret.
#[cfg(not(feature = "aws-lc"))]
fn rsa_pkcs1() -> Vec<u8> {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    static SECOND: AtomicBool = AtomicBool::new(false);
    match SECOND.fetch_xor(true, Relaxed) {
        false => include_bytes!("published_rsa_1.der").to_vec(),
        true => include_bytes!("published_rsa_2.der").to_vec(),
    }
}
