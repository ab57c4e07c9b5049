//! The key in a proof's header, and its thumbprint (RFC 7638).

use serde_json::{Map, Value, value::RawValue};
use sha2::{Digest as _, Sha256};

use super::fault::ProofFault;
use crate::auth::jwt::{
    Algorithm, VerifierFactory,
    parts::{self, Distinct, Key},
};

/// The members of private and of shared keys (RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2).
const SECRETS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// The key, and by what tokens name it.
#[derive(Debug)]
pub(super) struct ProofKey {
    pub(super) key: Key,
    pub(super) thumbprint: [u8; 32],
}

/// The public key, for use with `algorithm` and no other.
pub(super) fn read(
    jwk: &RawValue,
    algorithm: Algorithm,
    factory: &dyn VerifierFactory,
) -> Result<ProofKey, ProofFault> {
    parts::object(jwk.get().as_bytes(), Distinct).map_err(|_| ProofFault::Key)?;
    let Ok(Value::Object(mut jwk)) = serde_json::from_str(jwk.get()) else { return Err(ProofFault::Key) };
    if SECRETS.iter().any(|name| jwk.contains_key(*name)) {
        return Err(ProofFault::PrivateKey);
    }
    let named = jwk.insert("alg".into(), algorithm.as_str().into());
    if named.is_some_and(|named| named.as_str().and_then(Algorithm::from_name) != Some(algorithm)) {
        return Err(ProofFault::Key);
    }
    // A name is of no use to who is given the key itself.
    jwk.remove("kid");
    let thumbprint = thumbprint(&jwk).ok_or(ProofFault::Key)?;
    let key = parts::from_jwk(&Value::Object(jwk), factory).map_err(|_| ProofFault::Key)?;
    if key.algorithm != algorithm {
        return Err(ProofFault::Key);
    }
    Ok(ProofKey { key, thumbprint })
}

/// SHA-256 of the required members in the order of their names, without white space (RFC 7638 §3).
/// `None` if one is missing, or holds what would need an escape (no key has such a member).
pub(crate) fn thumbprint(jwk: &Map<String, Value>) -> Option<[u8; 32]> {
    let names: &[&str] = match jwk.get("kty")?.as_str()? {
        "EC" => &["crv", "kty", "x", "y"],
        "RSA" => &["e", "kty", "n"],
        "OKP" => &["crv", "kty", "x"],
        _ => return None,
    };
    let mut digest = Sha256::new();
    for (index, name) in names.iter().enumerate() {
        let value = jwk.get(*name)?.as_str()?;
        if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return None;
        }
        for part in [if index == 0 { "{\"" } else { ",\"" }, name, "\":\"", value, "\""] {
            digest.update(part);
        }
    }
    digest.update("}");
    Some(digest.finalize().into())
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding as _};

    use super::*;

    fn of(jwk: &str) -> Option<String> {
        let Value::Object(jwk) = serde_json::from_str(jwk).unwrap() else { panic!("{jwk}") };
        thumbprint(&jwk).map(|thumbprint| Base64UrlUnpadded::encode_string(&thumbprint))
    }

    #[test]
    fn the_rsa_key_of_the_standard_rfc7638_3_1() {
        let jwk = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;
        assert_eq!(of(jwk).as_deref(), Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
    }

    #[test]
    fn the_ed25519_key_of_the_standard_rfc8037_a_3() {
        let jwk = r#"{"crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kty":"OKP"}"#;
        assert_eq!(of(jwk).as_deref(), Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    }

    #[test]
    fn the_p256_key_of_the_standard_rfc9449_6_1() {
        let jwk = r#"{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}"#;
        assert_eq!(of(jwk).as_deref(), Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"));
    }

    #[test]
    fn what_needs_an_escape_has_no_thumbprint() {
        for jwk in [
            r#"{"kty":"OKP","crv":"Ed25519","x":"a\"b"}"#,
            r#"{"kty":"OKP","crv":"Ed25519"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":1}"#,
            r#"{"kty":"oct","k":"AQ"}"#,
            "{}",
        ] {
            assert_eq!(of(jwk), None, "{jwk}");
        }
    }
}
