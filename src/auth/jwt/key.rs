//! One JSON Web Key (RFC 7517, RFC 7518 §6, RFC 8037 §2) as a verifier, or why it is none.

use std::sync::Arc;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::Deserialize;
use serde_json::Value;

use super::{Algorithm, PublicKey, SignatureVerifier, UnusableKey, VerifierFactory, header::MAX_KID};
use crate::{secret::SecretSet, time::Timestamp};

/// RFC 7518 §3.3 sets the lower bound; the upper one bounds the time of a verification.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A key, and the one algorithm that it is used with (RFC 8725 §3.1).
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) kid: Option<Box<str>>,
    pub(crate) algorithm: Algorithm,
    pub(crate) material: Material,
}

#[derive(Clone, Debug)]
pub(crate) enum Material {
    Public(Arc<dyn SignatureVerifier>),
    Shared(SecretSet),
}

impl Key {
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8], now: Timestamp) -> bool {
        match &self.material {
            Material::Public(verifier) => verifier.verify(message, signature),
            Material::Shared(secrets) => super::hmac_keys::verify(self.algorithm, secrets, message, signature, now),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<serde::de::IgnoredAny>,
}

/// The key of a JWK.
pub(crate) fn from_jwk(jwk: &Value, factory: &dyn VerifierFactory) -> Result<Key, UnusableKey> {
    let jwk = Jwk::deserialize(jwk).map_err(|_| UnusableKey("not a JWK: kty is missing, or a member is no string"))?;
    if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return Err(UnusableKey("use is not sig"));
    }
    if jwk.key_ops.as_ref().is_some_and(|operations| !operations.iter().any(|operation| operation == "verify")) {
        return Err(UnusableKey("key_ops lacks verify"));
    }
    if jwk.d.is_some() {
        return Err(UnusableKey("it is a private key, which must not be published"));
    }
    let kid = jwk.kid.clone().map(String::into_boxed_str);
    if kid.as_ref().is_some_and(|kid| kid.is_empty() || kid.len() > MAX_KID) {
        return Err(UnusableKey("kid is empty or longer than 256 bytes"));
    }
    let named = jwk.alg.as_deref();
    match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => {
            let (modulus, exponent) = (number(jwk.n.as_deref())?, number(jwk.e.as_deref())?);
            rsa(kid, named, &modulus, &exponent, factory)
        }
        ("EC", Some("P-256")) => {
            let point = point::<32, 65>(jwk.x.as_deref(), jwk.y.as_deref())?;
            public(kid, named, &PublicKey::P256 { point: &point }, factory)
        }
        ("EC", Some("P-384")) => {
            let point = point::<48, 97>(jwk.x.as_deref(), jwk.y.as_deref())?;
            public(kid, named, &PublicKey::P384 { point: &point }, factory)
        }
        ("EC", Some("P-521")) => {
            let point = point::<66, 133>(jwk.x.as_deref(), jwk.y.as_deref())?;
            public(kid, named, &PublicKey::P521 { point: &point }, factory)
        }
        ("OKP", Some("Ed25519")) => {
            let key = coordinate::<32>(jwk.x.as_deref())?;
            public(kid, named, &PublicKey::Ed25519 { key: &key }, factory)
        }
        ("EC" | "OKP", _) => Err(UnusableKey("the curve is not supported")),
        ("oct", _) => Err(UnusableKey("a shared secret does not belong in a key set: use StaticKeys::secret")),
        _ => Err(UnusableKey("the key type is not supported")),
    }
}

/// An RSA key of its numbers, big-endian.
pub(crate) fn rsa(
    kid: Option<Box<str>>,
    named: Option<&str>,
    modulus: &[u8],
    exponent: &[u8],
    factory: &dyn VerifierFactory,
) -> Result<Key, UnusableKey> {
    let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
    if !RSA_BITS.contains(&bits(modulus)) {
        return Err(UnusableKey("an RSA modulus has 2048 to 8192 bits (RFC 7518, 3.3)"));
    }
    let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
    // 33 bits is what the common libraries take; it bounds the time of a verification.
    if !odd(modulus) || !odd(exponent) || exponent == [1] || bits(exponent) > 33 {
        return Err(UnusableKey("the RSA modulus or exponent is not one of a real key"));
    }
    public(kid, named, &PublicKey::Rsa { modulus, exponent }, factory)
}

/// `alg`, if there, must be one for the type of key (RFC 8725 §3.1).
pub(crate) fn public(
    kid: Option<Box<str>>,
    named: Option<&str>,
    key: &PublicKey<'_>,
    factory: &dyn VerifierFactory,
) -> Result<Key, UnusableKey> {
    let algorithm = match named {
        Some(named) => Algorithm::from_name(named),
        None => factory.algorithm(key),
    };
    let algorithm = algorithm.filter(|algorithm| key.algorithms().contains(algorithm));
    let algorithm = algorithm.ok_or(UnusableKey::ALGORITHM)?;
    Ok(Key { kid, algorithm, material: Material::Public(factory.verifier(algorithm, key)?) })
}

/// A point of a curve whose coordinates have `N` bytes, in SEC 1 uncompressed form of `M` bytes.
pub(crate) fn point<const N: usize, const M: usize>(x: Option<&str>, y: Option<&str>) -> Result<[u8; M], UnusableKey> {
    let (x, y) = (coordinate::<N>(x)?, coordinate::<N>(y)?);
    let mut point = [4; M];
    for (to, from) in point.iter_mut().skip(1).zip(x.iter().chain(&y)) {
        *to = *from;
    }
    Ok(point)
}

/// A number or coordinate in base64url; `None` if it is not that.
pub(crate) fn number(text: Option<&str>) -> Result<Vec<u8>, UnusableKey> {
    let text = text.ok_or(UnusableKey("a number of the key is missing"))?;
    Base64UrlUnpadded::decode_vec(text).map_err(|_| UnusableKey("a number of the key is not base64url"))
}

/// Exactly as long as the curve says, leading zeros included (RFC 7518 §6.2.1.2): a point labelled as
/// one of another curve does not get through.
pub(crate) fn coordinate<const N: usize>(text: Option<&str>) -> Result<[u8; N], UnusableKey> {
    number(text)?.try_into().map_err(|_| UnusableKey("a coordinate does not have the curve's length"))
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn bits(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |first| first.leading_zeros() as usize);
    number.len().saturating_mul(8).saturating_sub(unused)
}
