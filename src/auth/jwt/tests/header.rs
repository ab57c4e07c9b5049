use super::*;

#[test]
fn unsecured_tokens_are_refused_rfc8725_3_2() {
    let issuer = issuer();
    let verifier = issuer.verifier();
    refuses(&verifier, issuer.token("a").unsigned(), RejectionKind::UnsupportedAlgorithm);
    for name in ["None", "NONE", "nOnE", "none ", "", "RS256 ", "rs256"] {
        let kind = if name.is_empty() { RejectionKind::InvalidToken } else { RejectionKind::UnsupportedAlgorithm };
        refuses(&verifier, issuer.token("a").unsigned().algorithm(name), kind);
        refuses(&verifier, issuer.token("a").algorithm(name), kind);
    }
    // An empty signature under a real algorithm is a wrong one.
    let token = issuer.token("a").sign();
    let stripped = &token[..=token.rfind('.').unwrap()];
    assert_eq!(refused(&verifier, stripped).0, RejectionKind::InvalidSignature);
}

#[test]
fn the_key_decides_the_algorithm_rfc8725_3_1() {
    for issuer in [&issuer(), rsa_issuer(), &issuer_with(Algorithm::EdDsa)] {
        let verifier = issuer.verifier();
        refuses(&verifier, issuer.token("a").hs256_with_the_public_key(), RejectionKind::UnsupportedAlgorithm);
        let own = issuer.verifier().key_set_health().keys;
        assert_eq!(own, 1);
        for name in ["HS256", "RS256", "ES256", "EdDSA", "PS256", "RS384", "RS512", "ES384", "ES512", "ES256K", "Ed448"]
        {
            let token = issuer.token("a");
            if format!("{token:?}").contains(&format!("\"alg\": String(\"{name}\")")) {
                continue;
            }
            refuses(&verifier, token.algorithm(name), RejectionKind::UnsupportedAlgorithm);
        }
    }
}

#[test]
fn algorithms_can_be_restricted_further() {
    let issuer = issuer();
    let verifier = issuer.issuer().algorithms([Algorithm::Es256]).build().unwrap();
    assert!(verdict(&verifier, &issuer.token("a").sign()).is_ok());
    refuses(&verifier, issuer.token("a").algorithm("RS256"), RejectionKind::UnsupportedAlgorithm);
}

#[test]
fn crit_is_refused_although_the_signature_is_good_rfc7515_4_1_11() {
    let issuer = issuer();
    let verifier = issuer.verifier();
    for crit in [serde_json::json!(["exp"]), serde_json::json!([]), serde_json::json!(["x"]), serde_json::json!(null)] {
        refuses(&verifier, issuer.token("a").header("crit", crit), RejectionKind::InvalidToken);
    }
    let b64 = issuer.token("a").header("crit", serde_json::json!(["b64"])).header("b64", false);
    refuses(&verifier, b64, RejectionKind::InvalidToken);
}

#[test]
fn duplicate_header_members_are_refused_rfc7515_4() {
    let issuer = issuer();
    let kid = issuer.current_kid();
    let claims = format!(r#"{{"iss":"{URL}","sub":"a","aud":"{AUDIENCE}","exp":1700000600}}"#);
    let good = issuer.sign_text(&format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#), &claims);
    assert!(verdict(&issuer.verifier(), &good).is_ok());
    for header in [
        format!(r#"{{"alg":"none","alg":"ES256","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"ES256","kid":"x","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"ES256","kid":"{kid}","x":1,"x":1}}"#),
        format!(r#"{{"alg":"ES256","kid":"{kid}"}}{{}}"#),
    ] {
        assert_eq!(refused(&issuer.verifier(), &issuer.sign_text(&header, &claims)).0, RejectionKind::InvalidToken);
    }
}

#[test]
fn types_of_other_jwts_are_refused_rfc8725_3_11_rfc9068_4() {
    let issuer = issuer();
    let verifier = issuer.verifier();
    for typ in ["at+jwt", "application/at+jwt", "JWT", "AT+JWT"] {
        assert!(verdict(&verifier, &issuer.token("a").typ(typ).sign()).is_ok(), "{typ}");
    }
    assert!(verdict(&verifier, &issuer.token("a").without_header("typ").sign()).is_ok());
    for typ in ["dpop+jwt", "logout+jwt", "secevent+jwt", "JOSE", "at+jwt2"] {
        refuses(&verifier, issuer.token("a").typ(typ), RejectionKind::InvalidToken);
    }
    let strict = issuer.issuer().types(["at+jwt"]).build().unwrap();
    assert!(verdict(&strict, &issuer.token("a").typ("application/at+jwt").sign()).is_ok());
    refuses(&strict, issuer.token("a").typ("JWT"), RejectionKind::InvalidToken);
    refuses(&strict, issuer.token("a").without_header("typ"), RejectionKind::InvalidToken);
}

#[test]
fn keys_that_the_sender_brings_are_ignored_rfc8725_3_10() {
    let issuer = issuer();
    let evil = super::issuer();
    let jwk = evil.jwks()["keys"][0].clone();
    let token = issuer.token("a").header("jwk", jwk).header("jku", "https://evil.test/jwks").signed_by(&evil);
    refuses(&issuer.verifier(), token, RejectionKind::InvalidSignature);
}

#[test]
fn base64url_is_strict_in_every_part_rfc7515_2() {
    let issuer = issuer();
    let verifier = issuer.verifier();
    let token = issuer.token("a").sign();
    let parts: Vec<&str> = token.split('.').collect();
    for index in 0..3 {
        for change in ["=", "==", " ", "\n", "+", "\u{e9}"] {
            let mut changed: Vec<String> = parts.iter().map(ToString::to_string).collect();
            changed[index].push_str(change);
            let (kind, _) = refused(&verifier, &changed.join("."));
            assert!(
                matches!(kind, RejectionKind::InvalidToken | RejectionKind::InvalidSignature),
                "{change:?} {kind:?}"
            );
        }
    }
    // 64 bytes leave four unused bits in the last letter: fifteen other spellings of one signature.
    let (head, last) = token.split_at(token.len() - 1);
    let spellings = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let accepted = spellings.chars().filter(|letter| verdict(&verifier, &format!("{head}{letter}")).is_ok()).count();
    assert_eq!(accepted, 1, "only {last}");
}

#[test]
fn three_parts_no_more_no_less_rfc7519_7_2() {
    let issuer = issuer();
    let verifier = issuer.verifier();
    let token = issuer.token("a").sign();
    for text in
        ["", ".", "..", "...", "a", "Bearer x.y.z", &format!("{token}."), &format!("{token}.x"), &format!(".{token}")]
    {
        assert_eq!(refused(&verifier, text).0, RejectionKind::InvalidToken, "{text}");
    }
    let long = format!("{token}{}", "A".repeat(9_000));
    assert_eq!(refused(&verifier, &long).1, "the token is longer than 8 KiB");
}

#[test]
fn signatures_that_are_wrong() {
    let issuer = issuer();
    let verifier = issuer.verifier();
    refuses(&verifier, issuer.token("a").tampered(), RejectionKind::InvalidSignature);
    refuses(&verifier, issuer.token("a").signed_by(&super::issuer()), RejectionKind::InvalidSignature);
    refuses(&verifier, issuer.token("a").expired().tampered(), RejectionKind::InvalidSignature);
    // CVE-2022-21449: r = s = 0.
    let token = issuer.token("a").sign();
    let zero = format!("{}.{}", &token[..token.rfind('.').unwrap()], "A".repeat(86));
    assert_eq!(refused(&verifier, &zero).0, RejectionKind::InvalidSignature);
}
