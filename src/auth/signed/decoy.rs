//! What a signature is compared with if there is no such key, so that the time does not tell.

use std::sync::OnceLock;

use super::SigningKey;
use crate::secret::Secret;

/// A key with a secret that nobody knows.
pub(super) fn secret() -> Option<&'static SigningKey> {
    static DECOY: OnceLock<Option<SigningKey>> = OnceLock::new();
    DECOY
        .get_or_init(|| {
            let mut secret = vec![0; 32];
            // Without randomness it is a known secret, of a key that is never accepted.
            let _ = getrandom::fill(&mut secret);
            SigningKey::secret("decoy", "nobody", Secret::new(secret)).build().ok()
        })
        .as_ref()
}

/// Does what a verification would have done, by the algorithm that the request names, or that its
/// signature's length tells.
#[cfg(feature = "http-signatures")]
pub(super) fn verify(named: Option<&str>, message: &[u8], signature: &[u8], now: crate::time::Timestamp) {
    let key = match (named, signature.len()) {
        (Some("ed25519"), _) | (None, 64) => public(0),
        (Some("ecdsa-p256-sha256"), _) => public(1),
        (Some("ecdsa-p384-sha384"), _) | (None, 96) => public(2),
        (Some("rsa-pss-sha512"), _) => public(3),
        (Some("rsa-v1_5-sha256"), _) | (None, 256..) => public(4),
        _ => secret(),
    };
    if let Some(key) = key {
        std::hint::black_box(key.verify(message, signature, now));
    }
}

/// Public keys from the appendices of RFC 8037 and RFC 9421, and one of nobody's.
#[cfg(feature = "http-signatures")]
fn public(index: usize) -> Option<&'static SigningKey> {
    static KEYS: OnceLock<Vec<Option<SigningKey>>> = OnceLock::new();
    let rsa = |alg: &str| {
        format!(
            r#"{{"kty":"RSA","alg":"{alg}","e":"AQAB","n":"r4tmm3r20Wd_PbqvP1s2-QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct-Lh1GH45x28Rw3Ry53mm-oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL-Wokqltd11nqqzi-bJ9cvSKADYdUAAN5WUtzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d-nb4bnNkQVklLQ3fVAvJm-xdDOp9LCNCN48V2pnDOkFV6-U9nV5oyc6XI2w"}}"#
        )
    };
    let keys = KEYS.get_or_init(|| {
        let jwks = [
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#.to_owned(),
            r#"{"kty":"EC","crv":"P-256","x":"qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA","y":"Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0"}"#.to_owned(),
            r#"{"kty":"EC","crv":"P-384","x":"Q7YzM6CTSJjf9gi5HIWpYCRekvOGW1KACPvHiMlgTNEDj6toVWn2qOlg-1f9oKAa","y":"3_BzibnqriED__JMW5EtiOWuoP_ud2eurfIjpE0FPc9QbYXGewh-jDf78Ujejw78"}"#.to_owned(),
            rsa("PS512"),
            rsa("RS256"),
        ];
        jwks.into_iter().map(|jwk| SigningKey::jwk("decoy", "nobody", jwk).build().ok()).collect()
    });
    keys.get(index).and_then(Option::as_ref)
}

#[cfg(all(test, feature = "http-signatures", feature = "aws-lc"))]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_decoy_for_every_algorithm() {
        assert!(secret().is_some() && (0..5).all(|index| public(index).is_some()));
    }
}
