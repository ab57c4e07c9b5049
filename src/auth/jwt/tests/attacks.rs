//! The attacks of the literature, each against every algorithm it could fit: none is accepted, none
//! panics, and none is anything but a 401.

use serde_json::{Value, json};

use super::*;

#[track_caller]
fn is_refused(verifier: &JwtVerifier, token: &str, why: &str) {
    let kind = verdict(verifier, token).map(|_| ()).expect_err(why);
    assert_eq!(kind.status(), http::StatusCode::UNAUTHORIZED, "{why}");
}

/// The token with another signature.
fn resigned(token: &str, signature: &[u8]) -> String {
    let (signed, _) = token.rsplit_once('.').unwrap();
    format!("{signed}.{}", super::keys::encode(signature))
}

#[test]
fn no_spelling_of_none_is_accepted_rfc8725_3_2() {
    for algorithm in every_algorithm() {
        let issuer = shared_issuer(algorithm);
        let verifier = issuer.verifier();
        for name in ["none", "None", "NONE", "nOnE", "none\u{0}", " none", "", "n\u{43e}ne", "null", "NoNe"] {
            is_refused(&verifier, &issuer.token("a").unsigned().algorithm(name).sign(), name);
            is_refused(&verifier, &issuer.token("a").unsigned().algorithm(name).without_header("kid").sign(), name);
            is_refused(&verifier, &resigned(&issuer.token("a").algorithm(name).sign(), b"x"), name);
        }
        for value in [json!(null), json!(0), json!(false), json!(["none"]), json!({})] {
            is_refused(&verifier, &issuer.token("a").unsigned().header("alg", value).sign(), "alg of another type");
        }
        is_refused(&verifier, &issuer.token("a").unsigned().without_header("alg").sign(), "no alg");
        let stripped = issuer.token("a").sign();
        is_refused(&verifier, &stripped[..=stripped.rfind('.').unwrap()], "no signature");
    }
}

/// Every header against every key: only the key's own algorithm verifies.
#[test]
fn no_algorithm_passes_for_another_rfc8725_3_1() {
    for algorithm in every_algorithm() {
        let issuer = shared_issuer(algorithm);
        let verifier = issuer.verifier();
        for other in Algorithm::ALL.iter().filter(|other| **other != algorithm) {
            is_refused(&verifier, &issuer.token("a").algorithm(other.as_str()).sign(), other.as_str());
            let kidless = issuer.token("a").algorithm(other.as_str()).without_header("kid");
            is_refused(&verifier, &kidless.sign(), other.as_str());
        }
        if algorithm.least_secret().is_none() {
            is_refused(&verifier, &issuer.token("a").hs256_with_the_public_key().sign(), "HS256 by the public key");
        }
    }
}

#[test]
fn the_sender_brings_no_key_rfc8725_3_10() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let ours = shared_issuer(algorithm);
        // RSA keys that come with the crate are two in all.
        let public = |issuer: &TestIssuer| ["n", "x"].map(|name| issuer.jwks()["keys"][0][name].clone());
        let mut others = std::iter::repeat_with(|| issuer_with(algorithm));
        let theirs = others.find(|other| public(other) != public(ours)).unwrap();
        let jwk = theirs.jwks()["keys"][0].clone();
        let verifier = ours.verifier();
        for (name, value) in [
            ("jwk", jwk.clone()),
            ("jku", json!("https://evil.test/jwks")),
            ("x5u", json!("https://evil.test/cert")),
            ("x5c", json!(["MIIB"])),
            ("x5t", json!("AAAA")),
        ] {
            let token = ours.token("admin").signed_by(&theirs).header(name, value.clone());
            is_refused(&verifier, &token.clone().sign(), name);
            is_refused(&verifier, &token.clone().without_header("kid").sign(), name);
            is_refused(&verifier, &token.kid(&theirs.current_kid()).sign(), name);
            // And to a token that is good they do nothing.
            assert!(verdict(&verifier, &ours.token("a").header(name, value).sign()).is_ok());
        }
    }
}

#[test]
fn every_crit_is_refused_rfc7515_4_1_11() {
    let issuer = issuer();
    for crit in [json!(["exp"]), json!(["b64"]), json!([]), json!(["alg"]), json!("exp"), json!(null), json!([1])] {
        let token = issuer.token("a").header("crit", crit.clone()).header("b64", false).header("exp", 1);
        is_refused(&issuer.verifier(), &token.sign(), &crit.to_string());
    }
}

/// CVE-2022-21449 and its kin: r or s is zero, the order of the group, or beyond it (Wycheproof's
/// "special case" signatures).
#[test]
fn psychic_signatures_are_refused() {
    let orders: [(Algorithm, &str); 2] = [
        (Algorithm::Es256, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
        (
            Algorithm::Es384,
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
        ),
    ];
    for (algorithm, order) in orders {
        let order = base16ct::lower::decode_vec(order).unwrap();
        let issuer = shared_issuer(algorithm);
        let verifier = issuer.verifier();
        let token = issuer.token("a").sign();
        let size = order.len();
        let (zero, mut one) = (vec![0; size], vec![0; size]);
        one[size - 1] = 1;
        let mut beyond = order.clone();
        beyond[size - 1] = beyond[size - 1].wrapping_add(1);
        let mut below = order.clone();
        below[size - 1] = below[size - 1].wrapping_sub(1);
        let values = [zero, one, order.clone(), beyond, below, vec![0xff; size]];
        for r in &values {
            for s in &values {
                is_refused(&verifier, &resigned(&token, &[&r[..], s].concat()), "psychic");
            }
        }
        // As DER, as another length, and doubled.
        for signature in [
            vec![0x30, 6, 2, 1, 0, 2, 1, 0],
            vec![0x30, 6, 2, 1, 1, 2, 1, 1],
            vec![],
            vec![0; size],
            vec![0; 2 * size - 1],
            vec![0; 2 * size + 1],
            vec![0; 4 * size],
        ] {
            is_refused(&verifier, &resigned(&token, &signature), "another form");
        }
        // RFC 7518 §3.4 has exactly one encoding: that of a good signature, and no other.
        let good = super::super::token::decode(token.rsplit_once('.').unwrap().1).unwrap();
        for pad in [[&[0], &good[..]].concat(), [&good[..], &[0]].concat(), good[1..].to_vec()] {
            is_refused(&verifier, &resigned(&token, &pad), "padded");
        }
    }
}

/// Signatures of small numbers, of the modulus and beyond, and those of another hash or padding.
#[test]
fn rsa_signatures_of_no_key_are_refused() {
    for algorithm in [Algorithm::Rs256, Algorithm::Rs512, Algorithm::Ps256, Algorithm::Ps512] {
        let issuer = shared_issuer(algorithm);
        let verifier = issuer.verifier();
        let token = issuer.token("a").sign();
        let modulus = issuer.jwks()["keys"][0]["n"].as_str().map(super::super::token::decode).unwrap().unwrap();
        let size = modulus.len();
        let number = |last: u8| {
            let mut number = vec![0; size];
            number[size - 1] = last;
            number
        };
        let mut below = modulus.clone();
        below[size - 1] -= 1;
        let good = super::super::token::decode(token.rsplit_once('.').unwrap().1).unwrap();
        // The same number beyond the modulus has another encoding, which must not verify (RFC 8017 §5.2.2).
        let longer = [&[0], &good[..]].concat();
        for signature in [
            number(0),
            number(1),
            number(2),
            modulus.clone(),
            below,
            vec![0xff; size],
            longer,
            good[..size - 1].to_vec(),
            vec![0; 1_024],
            vec![1],
        ] {
            is_refused(&verifier, &resigned(&token, &signature), "no signature of the key");
        }
    }
}

#[test]
fn rsa_keys_with_odd_exponents_rfc8017_3_1() {
    let jwk = |e: &[u8]| {
        let mut jwk = rsa_issuer().jwks()["keys"][0].clone();
        jwk["e"] = json!(super::keys::encode(e));
        super::super::key::from_jwk(&jwk, &super::super::verifier::BuiltIn)
    };
    // 1 signs everything; even numbers and zero are no exponents; beyond 33 bits is a time bomb.
    for e in [&[0][..], &[1], &[0, 1], &[2], &[1, 0, 0], &[3, 0, 0, 0, 1], &[0xff; 8], &[]] {
        assert!(jwk(e).is_err(), "{e:?}");
    }
    assert!(jwk(&[1, 0, 1]).is_ok());
    // 3 is a valid exponent; the token of another key does not verify with it.
    if let Ok(key) = jwk(&[3]) {
        let token = rsa_issuer().token("a").sign();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        assert!(!key.verify(signed.as_bytes(), &super::super::token::decode(signature).unwrap(), NOW));
        assert!(!key.verify(signed.as_bytes(), &[0; 256], NOW));
    }
}

/// Points that lie on no curve, or on the wrong one (RFC 8725 §3.4).
#[test]
fn points_that_are_no_keys_rfc8725_3_4() {
    let key = |crv: &str, x: &[u8], y: Option<&[u8]>| {
        let mut jwk = json!({"kty": if y.is_some() { "EC" } else { "OKP" }, "crv": crv, "x": super::keys::encode(x)});
        if let Some(y) = y {
            jwk["y"] = Value::from(super::keys::encode(y));
        }
        super::super::key::from_jwk(&jwk, &super::super::verifier::BuiltIn)
    };
    for (curve, size) in [("P-256", 32), ("P-384", 48), ("P-521", 66)] {
        for byte in [0, 1, 0xff] {
            assert!(key(curve, &vec![byte; size], Some(&vec![byte; size])).is_err(), "{curve} {byte}");
        }
        assert!(key(curve, &vec![1; size + 1], Some(&vec![1; size])).is_err());
        assert!(key(curve, &vec![1; size - 1], Some(&vec![1; size])).is_err());
    }
    for x in [&[2_u8; 31][..], &[2; 33], &[]] {
        assert!(key("Ed25519", x, None).is_err());
    }
}

#[test]
fn kids_are_names_and_nothing_else_rfc8725_3_10() {
    let issuer = issuer();
    for kid in [
        "../../../../dev/null",
        "/dev/null",
        "' OR '1'='1",
        "| /usr/bin/id",
        "https://evil.test/key",
        "\u{0}",
        "${jndi:ldap://evil.test}",
        "<script>",
    ] {
        is_refused(&issuer.verifier(), &issuer.token("a").kid(kid).sign(), kid);
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let issuer = issuer();
    let verifier = issuer.verifier();
    let claims = format!(r#"{{"iss":"{URL}","sub":"a","aud":"{AUDIENCE}","exp":1700000600}}"#);
    for header in [
        format!(r#"{{"alg":"ES256","x":{}{}}}"#, "[".repeat(2_000), "]".repeat(2_000)),
        format!(r#"{{"alg":"ES256","x":{}1{}}}"#, "{\"a\":".repeat(200), "}".repeat(200)),
        format!(r#"{{"alg":"ES256","x":1e{}}}"#, "9".repeat(500)),
        format!(
            r#"{{"alg":"ES256",{}"z":1}}"#,
            [0; 130].iter().enumerate().fold(String::new(), |all, (i, _)| all + &format!("\"{i}\":1,"))
        ),
        format!(r#"{{"alg":"{}"}}"#, "A".repeat(3_000)),
    ] {
        is_refused(&verifier, &issuer.sign_text(&header, &claims), &header[..30]);
    }
    // A long header that is a good one is read.
    let chain = format!(r#"{{"alg":"ES256","kid":"{}","x5c":["{}"]}}"#, issuer.current_kid(), "M".repeat(3_000));
    assert!(verdict(&verifier, &issuer.sign_text(&chain, &claims)).is_ok());
}

#[test]
fn encrypted_and_nested_tokens_are_no_access_tokens_rfc8725_3_11() {
    let issuer = issuer();
    let token = issuer.token("a").sign();
    is_refused(&issuer.verifier(), &format!("{token}.AAAA.AAAA"), "a JWE has five parts");
    let nested =
        issuer.sign_text(&format!(r#"{{"alg":"ES256","kid":"{}","cty":"JWT"}}"#, issuer.current_kid()), &token);
    is_refused(&issuer.verifier(), &nested, "a token in a token");
}
