use serde_json::{Value, json};

use super::{
    key_set::{KeySet, Unnamed},
    verifier::BuiltIn,
    *,
};

fn jwk_of(issuer: &TestIssuer, name: &str, value: Value) -> Value {
    let mut jwk = issuer.jwks()["keys"][0].clone();
    match value {
        Value::Null => jwk.as_object_mut().unwrap().remove(name),
        value => jwk.as_object_mut().unwrap().insert(name.into(), value),
    };
    jwk
}

fn unusable(jwk: &Value) -> &'static str {
    key::from_jwk(jwk, &BuiltIn).expect_err("the key must be refused").0
}

fn verifier_of(jwks: &Value) -> JwtVerifier {
    let keys = StaticKeys::new().jwks(jwks.to_string());
    Issuer::new(URL).audience(AUDIENCE).keys(keys).build().unwrap()
}

#[test]
fn keys_for_other_uses_are_not_used_rfc7517_4_2() {
    let issuer = issuer();
    assert_eq!(unusable(&jwk_of(&issuer, "use", json!("enc"))), "use is not sig");
    assert_eq!(unusable(&jwk_of(&issuer, "use", json!("SIG"))), "use is not sig");
    assert_eq!(unusable(&jwk_of(&issuer, "key_ops", json!(["encrypt"]))), "key_ops lacks verify");
    assert_eq!(unusable(&jwk_of(&issuer, "key_ops", json!([]))), "key_ops lacks verify");
    assert!(key::from_jwk(&jwk_of(&issuer, "key_ops", json!(["sign", "verify"])), &BuiltIn).is_ok());
    assert!(key::from_jwk(&jwk_of(&issuer, "use", Value::Null), &BuiltIn).is_ok());
    unusable(&jwk_of(&issuer, "d", json!("AQ")));
}

#[test]
fn alg_must_suit_the_key_rfc8725_3_1() {
    for (issuer, others) in [
        (&issuer(), ["RS256", "ES384", "HS256", "none"]),
        (rsa_issuer(), ["ES256", "EdDSA", "ES512", "HS256"]),
        (&issuer_with(Algorithm::EdDsa), ["ES256", "RS256", "Ed448", ""]),
    ] {
        for other in others {
            unusable(&jwk_of(issuer, "alg", json!(other)));
        }
        // Entra ID leaves it out: the type of key decides.
        let jwk = jwk_of(issuer, "alg", Value::Null);
        let verifier = verifier_of(&json!({ "keys": [jwk] }));
        assert!(verdict(&verifier, &issuer.token("a").sign()).is_ok());
        refuses(&verifier, issuer.token("a").hs256_with_the_public_key(), RejectionKind::UnsupportedAlgorithm);
    }
}

#[test]
fn rsa_keys_have_a_minimum_size_rfc7518_3_3() {
    let rsa = |bits: usize, last: u8| {
        let mut n = vec![0xff; bits / 8];
        *n.last_mut().unwrap() = last;
        json!({"kty": "RSA", "n": encode(&n), "e": "AQAB"})
    };
    for bits in [512, 1024, 2040, 8200] {
        assert!(unusable(&rsa(bits, 0xff)).contains("2048"), "{bits}");
    }
    unusable(&rsa(2048, 0xfe));
    for e in ["", "AQ", "AA", "Ag", "AQAA", "____________"] {
        let issuer = rsa_issuer();
        unusable(&jwk_of(issuer, "e", json!(e)));
    }
    // Leading zeros do not make a short key long.
    let mut padded = vec![0; 128];
    padded.extend(vec![0xff; 128]);
    unusable(&json!({"kty": "RSA", "n": encode(&padded), "e": "AQAB"}));
}

#[test]
fn curves_and_points_are_checked_rfc8725_3_4() {
    let issuer = issuer();
    // jsonwebtoken takes a P-256 point labelled P-384.
    for curve in ["P-384", "P-521"] {
        assert!(unusable(&jwk_of(&issuer, "crv", json!(curve))).contains("length"));
    }
    for curve in ["secp256k1", "Ed25519", "p-256", "BP-256"] {
        assert_eq!(unusable(&jwk_of(&issuer, "crv", json!(curve))), "the curve is not supported");
    }
    let off_the_curve = encode(&[1; 32]);
    unusable(&jwk_of(&issuer, "x", json!(off_the_curve)));
    unusable(&jwk_of(&issuer, "y", Value::Null));
    unusable(&jwk_of(&issuer, "x", json!(encode(&[1; 31]))));
    unusable(&jwk_of(&issuer, "x", json!(encode(&[1; 33]))));
    unusable(&jwk_of(&issuer, "x", json!("!")));
    unusable(&jwk_of(&issuer, "x", json!(1)));
    let edwards = issuer_with(Algorithm::EdDsa);
    for curve in ["Ed448", "X25519", "P-256"] {
        unusable(&jwk_of(&edwards, "crv", json!(curve)));
    }
}

fn foreign_keys() -> Vec<Value> {
    vec![
        json!({"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AAAA"}),
        json!({"kty": "oct", "kid": "o", "k": "AAAA"}),
        json!({"kty": "EC", "crv": "P-521", "kid": "p521", "x": "AAAA", "y": "AAAA"}),
        json!({"kty": "RSA", "kid": "enc", "use": "enc", "n": "AAAA", "e": "AQAB"}),
        json!({"kty": "RSA", "kid": "short", "n": "AAAA", "e": "AQAB"}),
        json!({"kid": "no kty"}),
        json!({"kty": 1}),
        json!("text"),
        json!(null),
        json!([]),
    ]
}

#[test]
fn foreign_keys_do_not_break_the_set_rfc7517_5() {
    let issuer = issuer();
    let mut keys = foreign_keys();
    keys.push(jwk_of(&super::issuer(), "kid", Value::Null));
    keys.push(issuer.jwks()["keys"][0].clone());
    let set = KeySet::from_jwks(json!({ "keys": keys, "x": 1 }).to_string().as_bytes(), &BuiltIn).unwrap();
    assert_eq!((set.keys().len(), set.skipped().len()), (2, 10));
    assert!(verdict(&verifier_of(&json!({ "keys": keys })), &issuer.token("a").sign()).is_ok());
}

#[test]
fn what_is_no_set_is_refused() {
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":null}"#, "<html>", r#"{"keys":[]"#] {
        assert!(KeySet::from_jwks(text.as_bytes(), &BuiltIn).is_err(), "{text}");
    }
    let many = json!({ "keys": vec![json!({}); 101] }).to_string();
    assert!(KeySet::from_jwks(many.as_bytes(), &BuiltIn).is_err());
}

#[test]
fn kidless_tokens_need_exactly_one_fitting_key() {
    let (one, two) = (issuer(), issuer());
    let edwards = issuer_with(Algorithm::EdDsa);
    let key = |issuer: &TestIssuer| issuer.jwks()["keys"][0].clone();
    let kidless = one.token("a").without_header("kid").sign();
    let single = verifier_of(&json!({ "keys": [key(&edwards), key(&one)] }));
    assert!(verdict(&single, &kidless).is_ok());
    let double = verifier_of(&json!({ "keys": [key(&two), key(&one)] }));
    assert_eq!(verdict(&double, &kidless).unwrap_err(), RejectionKind::InvalidToken);
}

#[test]
fn a_kid_is_never_passed_over() {
    let issuer = issuer();
    refuses(&issuer.verifier(), issuer.token("a").kid("other"), RejectionKind::InvalidToken);
    refuses(&issuer.verifier(), issuer.token("a").kid("../../etc/passwd"), RejectionKind::InvalidToken);
    refuses(&issuer.verifier(), issuer.token("a").kid(""), RejectionKind::InvalidToken);
    refuses(&issuer.verifier(), issuer.token("a").kid(&"k".repeat(300)), RejectionKind::InvalidToken);
}

#[test]
fn two_keys_of_one_kid_and_algorithm_fit_none() {
    let (one, two) = (issuer(), issuer());
    let keys = json!({ "keys": [jwk_of(&one, "kid", json!("k")), jwk_of(&two, "kid", json!("k"))] });
    let set = KeySet::from_jwks(keys.to_string().as_bytes(), &BuiltIn).unwrap();
    assert!(matches!(set.select(Some("k"), Algorithm::Es256), Err(fault::Fault::AmbiguousKey)));
    // Of two algorithms they are told apart.
    let edwards = issuer_with(Algorithm::EdDsa);
    let keys = json!({ "keys": [jwk_of(&one, "kid", json!("k")), jwk_of(&edwards, "kid", json!("k"))] });
    let verifier = verifier_of(&keys);
    for issuer in [&one, &edwards] {
        assert!(verdict(&verifier, &issuer.token("a").kid("k").sign()).is_ok());
    }
}

#[test]
fn selection_finds_each_of_many() {
    let keys: Vec<key::Key> = (0..100)
        .map(|i| key::Key {
            kid: Some(format!("k{i}").into()),
            algorithm: Algorithm::Hs256,
            material: key::Material::Shared(SecretSet::new(Secret::new(vec![1; 32]))),
        })
        .collect();
    let set = KeySet::new(keys, Unnamed::FitsUnnamed);
    for i in 0..100 {
        let kid = format!("k{i}");
        assert_eq!(set.select(Some(&kid), Algorithm::Hs256).unwrap().kid.as_deref(), Some(&*kid));
    }
    assert!(matches!(set.select(Some("k100"), Algorithm::Hs256), Err(fault::Fault::UnknownKey)));
    assert!(matches!(set.select(Some("k1"), Algorithm::Rs256), Err(fault::Fault::KeyAlgorithm)));
}

pub(super) fn encode(bytes: &[u8]) -> String {
    use base64ct::Encoding as _;
    base64ct::Base64UrlUnpadded::encode_string(bytes)
}
