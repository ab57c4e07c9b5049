//! What each profile demands, how long tokens may live, and what they are bound to.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;

const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
const X5T: &str = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0";

fn with_profile(profile: Profile) -> (TestIssuer, JwtVerifier) {
    let issuer = issuer();
    let verifier = issuer.issuer().profile(profile).build().unwrap();
    (issuer, verifier)
}

/// As the layer has it where bindings are checked behind the verifier.
fn checked(issuer: &TestIssuer, profile: Profile) -> JwtVerifier {
    issuer.issuer().profile(profile).build().unwrap()
}

#[test]
fn every_required_claim_is_required_rfc9068_2_2() {
    let (issuer, verifier) = with_profile(Profile::Rfc9068);
    assert!(verdict(&verifier, &issuer.token("a").sign()).is_ok());
    for claim in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
        refuses(&verifier, issuer.token("a").without(claim), RejectionKind::InvalidToken);
        refuses(&verifier, issuer.token("a").claim(claim, Value::Null), RejectionKind::InvalidToken);
        refuses(&verifier, issuer.token("a").claim(claim, json!({})), RejectionKind::InvalidToken);
    }
    // `azp` names the client to us, but is not what the profile demands.
    refuses(&verifier, issuer.token("a").without("client_id").claim("azp", "b"), RejectionKind::InvalidToken);
    refuses(&verifier, issuer.token("a").claim("client_id", ""), RejectionKind::InvalidToken);
}

#[test]
fn only_at_jwt_is_a_type_rfc9068_4() {
    let (issuer, verifier) = with_profile(Profile::Rfc9068);
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+JWT"] {
        assert!(verdict(&verifier, &issuer.token("a").typ(typ).sign()).is_ok(), "{typ}");
    }
    for typ in ["JWT", "jwt", "id+jwt", "dpop+jwt", "logout+jwt", "text/at+jwt", "at+jwt;x=1", ""] {
        refuses(&verifier, issuer.token("a").typ(typ), RejectionKind::InvalidToken);
    }
    refuses(&verifier, issuer.token("a").without_header("typ"), RejectionKind::InvalidToken);
}

#[test]
fn issuer_audience_signature_and_time_are_checked_rfc9068_4() {
    let (issuer, verifier) = with_profile(Profile::Rfc9068);
    refuses(&verifier, issuer.token("a").claim("iss", "https://issuer.test/"), RejectionKind::InvalidToken);
    refuses(&verifier, issuer.token("a").audience("https://other.test"), RejectionKind::InvalidToken);
    refuses(&verifier, issuer.token("a").unsigned(), RejectionKind::UnsupportedAlgorithm);
    refuses(&verifier, issuer.token("a").tampered(), RejectionKind::InvalidSignature);
    refuses(&verifier, issuer.token("a").expired(), RejectionKind::TokenExpired);
}

#[test]
fn roles_groups_and_entitlements_are_read_where_they_are_named_rfc9068_2_2_3_1() {
    let issuer = issuer();
    for name in ["roles", "groups", "entitlements"] {
        let names = ClaimNames::default().roles([name]);
        let verifier = issuer.issuer().profile(Profile::Rfc9068).claim_names(names).build().unwrap();
        let token = issuer.token("a").claim(name, json!(["x", "y"])).sign();
        assert_eq!(verdict(&verifier, &token).unwrap().roles().collect::<Vec<_>>(), ["x", "y"]);
    }
}

#[test]
fn only_bound_tokens_are_accepted_fapi2_5_3_3() {
    let issuer = issuer();
    let verifier = checked(&issuer, Profile::Fapi2);
    for cnf in [json!({"jkt": JKT}), json!({"x5t#S256": X5T}), json!({"jkt": JKT, "x5t#S256": X5T})] {
        assert!(verdict(&verifier, &issuer.token("a").claim("cnf", cnf.clone()).sign()).is_ok(), "{cnf}");
    }
    refuses(&verifier, issuer.token("a"), RejectionKind::InvalidToken);
    for cnf in [json!({}), json!({"kid": "x"}), json!({"jkt": "short"}), json!(null), json!("x"), json!([JKT])] {
        refuses(&verifier, issuer.token("a").claim("cnf", cnf), RejectionKind::InvalidToken);
    }
    let bound = || issuer.token("a").claim("cnf", json!({"jkt": JKT}));
    for claim in ["client_id", "iat", "jti"] {
        refuses(&verifier, bound().without(claim), RejectionKind::InvalidToken);
    }
    refuses(&verifier, bound().typ("JWT"), RejectionKind::InvalidToken);
}

#[test]
fn only_three_algorithms_are_accepted_fapi2_5_4_1() {
    for algorithm in every_algorithm() {
        let issuer = shared_issuer(algorithm);
        let good = matches!(algorithm, Algorithm::Ps256 | Algorithm::Es256 | Algorithm::EdDsa);
        let token = issuer.token("a").claim("cnf", json!({"jkt": JKT}));
        let verdict = verdict(&checked(issuer, Profile::Fapi2), &token.sign());
        assert_eq!(verdict.is_ok(), good, "{algorithm}");
        let named = issuer.issuer().profile(Profile::Fapi2).algorithms([algorithm]).build();
        assert_eq!(named.is_ok(), good, "{algorithm}");
    }
}

#[test]
fn dates_slightly_in_the_future_are_accepted_fapi2_5_3_2_1() {
    let issuer = issuer();
    let build = |secs| issuer.issuer().profile(Profile::Fapi2).leeway(Duration::from_secs(secs));
    assert!(build(9).build().is_err() && build(61).build().is_err());
    for leeway in [10, 60] {
        let verifier = build(leeway).build().unwrap();
        for claim in ["iat", "nbf"] {
            let token = |ahead| issuer.token("a").claim("cnf", json!({"jkt": JKT})).claim(claim, NOW.as_secs() + ahead);
            assert!(verdict(&verifier, &token(10).sign()).is_ok());
            refuses(&verifier, token(61), RejectionKind::TokenNotYetValid);
        }
    }
}

#[test]
fn a_profile_has_its_own_types() {
    for profile in [Profile::Rfc9068, Profile::Fapi2] {
        let error = issuer().issuer().profile(profile).types(["JWT"]).build().unwrap_err();
        assert_eq!(error.issues()[0].field, "types");
    }
}

#[test]
fn tokens_live_a_quarter_of_an_hour_rfc9700_2_2_2() {
    let issuer = issuer();
    let verifier = issuer.verifier();
    let lives = |secs: u64| issuer.token("a").expires_in(Duration::from_secs(secs));
    assert!(verdict(&verifier, &lives(900).sign()).is_ok());
    refuses(&verifier, lives(901), RejectionKind::InvalidToken);
    // What is left of it does not count, but what it was issued with.
    refuses(&verifier, lives(60).claim("iat", NOW.as_secs() - 841), RejectionKind::InvalidToken);
    assert_eq!(refused(&verifier, &lives(901).sign()).1, "exp lies further from iat than max_lifetime");
    let longer = issuer.issuer().max_lifetime(Duration::from_secs(901)).build().unwrap();
    assert!(verdict(&longer, &lives(901).sign()).is_ok());
    // Over is over, however long it was.
    refuses(&verifier, issuer.token("a").expired(), RejectionKind::TokenExpired);
}

#[test]
fn without_iat_the_rest_of_a_life_is_judged() {
    let issuer = issuer();
    let verifier = issuer.verifier();
    let lives = |secs: u64| issuer.token("a").expires_in(Duration::from_secs(secs)).without("iat");
    assert!(verdict(&verifier, &lives(930).sign()).is_ok(), "the issuer's clock may be 30 s ahead");
    refuses(&verifier, lives(931), RejectionKind::InvalidToken);
    refuses(&verifier, issuer.token("a").without("iat").claim("exp", 1e300), RejectionKind::InvalidToken);
    let field = issuer.issuer().max_lifetime(Duration::ZERO).build().unwrap_err();
    assert_eq!(field.issues()[0].field, "max_lifetime");
}

#[test]
fn what_else_a_token_says_is_in_the_principal() {
    let issuer = issuer();
    let token = issuer
        .token("a")
        .claim("sid", "session-1")
        .claim("acr", "urn:mace:incommon:iap:silver")
        .claim("amr", json!(["pwd", "otp"]))
        .claim("auth_time", NOW.as_secs() - 60)
        .claim("act", json!({"sub": "helpdesk", "act": {"sub": "earlier"}}))
        .claim("cnf", json!({"jkt": JKT, "x5t#S256": X5T}));
    let principal = verdict(&checked(&issuer, Profile::Lenient), &token.sign()).unwrap();
    assert_eq!(principal.session(), Some("session-1"));
    assert_eq!(principal.acr(), Some("urn:mace:incommon:iap:silver"));
    assert_eq!(principal.amr().collect::<Vec<_>>(), ["pwd", "otp"]);
    assert_eq!(principal.auth_time(), Some(Timestamp::from_secs(NOW.as_secs() - 60)));
    assert_eq!(principal.issued_at(), Some(NOW));
    assert_eq!(principal.actor(), Some("helpdesk"));
    let bound = principal.confirmation().unwrap();
    assert_eq!(bound.dpop.map(|digest| super::keys::encode(&digest)).as_deref(), Some(JKT));
    assert_eq!(bound.certificate.map(|digest| super::keys::encode(&digest)).as_deref(), Some(X5T));
    assert!(!bound.other);
    for (claim, value) in [
        ("sid", json!(1)),
        ("acr", json!(["a"])),
        ("amr", json!([1])),
        ("auth_time", json!("1700000000")),
        ("act", json!("helpdesk")),
        ("act", json!({"sub": 1})),
        ("act", json!([{"sub": "a"}])),
    ] {
        refuses(&issuer.verifier(), issuer.token("a").claim(claim, value), RejectionKind::InvalidToken);
    }
}

#[test]
fn a_binding_that_nobody_knows_is_one_that_nobody_proves_rfc7800_3_1() {
    let issuer = issuer();
    let checked = checked(&issuer, Profile::Lenient);
    for (cnf, dpop, certificate) in [
        (json!({"jkt": JKT, "x": 1}), true, false),
        (json!({"x5t#S256": X5T, "jkt": "AQ"}), false, true),
        (json!({"x5t#S256": format!("{X5T}A")}), false, false),
        (json!({"jwk": {"kty": "EC"}}), false, false),
        (json!({"jkt": [JKT]}), false, false),
        (json!({}), false, false),
        (json!(null), false, false),
        (json!(true), false, false),
    ] {
        let token = issuer.token("a").claim("cnf", cnf.clone());
        let bound = verdict(&checked, &token.sign()).unwrap().confirmation().cloned().unwrap();
        assert_eq!((bound.dpop.is_some(), bound.certificate.is_some()), (dpop, certificate), "{cnf}");
        assert!(bound.other, "{cnf}");
    }
}

#[test]
fn other_tokens_are_told_by_how_their_issuers_mark_them_rfc8725_3_12() {
    let issuer = issuer();
    for (claim, value) in
        [("typ", "ID"), ("typ", "Refresh"), ("typ", "Offline"), ("typ", "Logout"), ("token_use", "id")]
    {
        refuses(&issuer.verifier(), issuer.token("a").claim(claim, value), RejectionKind::InvalidToken);
    }
    for (claim, value) in [("typ", "Bearer"), ("token_use", "access"), ("nonce", "n")] {
        assert!(verdict(&issuer.verifier(), &issuer.token("a").claim(claim, value).sign()).is_ok(), "{claim}");
    }
}

fn roles_by(path: &str, claim: &str, value: Value) -> Result<Vec<String>, RejectionKind> {
    let issuer = issuer();
    let verifier = issuer.issuer().claim_names(ClaimNames::default().roles([path])).build().unwrap();
    let principal = verdict(&verifier, &issuer.token("a").claim(claim, value).sign())?;
    Ok(principal.roles().map(str::to_owned).collect())
}

#[test]
fn claims_are_found_wherever_they_lie() {
    let roles = json!({"roles": ["a", "b"]});
    for (path, claim, value) in [
        ("realm_access.roles", "realm_access", roles.clone()),
        ("/realm_access/roles", "realm_access", roles.clone()),
        ("resource_access.orders.roles", "resource_access", json!({"x": {"roles": ["c"]}, "orders": roles.clone()})),
        ("/resource_access/my.client/roles", "resource_access", json!({"my.client": roles.clone()})),
        ("/a~1b/c~0d", "a/b", json!({"c~d": ["a", "b"]})),
        ("/acme.roles", "acme.roles", json!(["a", "b"])),
        ("https://acme.example/roles", "https://acme.example/roles", json!(["a", "b"])),
    ] {
        assert_eq!(roles_by(path, claim, value).unwrap(), ["a", "b"], "{path}");
    }
    for (path, claim, value) in [
        ("realm_access.roles", "realm_access", json!({})),
        ("realm_access.roles", "realm_access", json!("roles")),
        ("realm_access.roles", "realm_access", json!(null)),
        ("realm_access.roles", "realm_access", json!({"x": {"roles": ["a"]}})),
        ("realm_access.roles", "realm_access.roles", json!(["a"])),
        ("realm_access.roles", "roles", json!(["a"])),
        ("/acme.roles", "acme", roles),
    ] {
        assert_eq!(roles_by(path, claim, value).unwrap(), [""; 0], "{path}");
    }
    let wrong = roles_by("realm_access.roles", "realm_access", json!({"roles": 7}));
    assert_eq!(wrong, Err(RejectionKind::InvalidToken));
}

#[test]
fn one_claim_can_be_and_hold_what_is_wanted() {
    let issuer = issuer();
    let names = ClaimNames::default().tenant(["org", "org.id"]).plan(["org.plan"]).roles(["org.roles", "org.id"]);
    let verifier = issuer.issuer().claim_names(names).build().unwrap();
    let token = |org: Value| issuer.token("a").claim("org", org).sign();
    let held = verdict(&verifier, &token(json!("acme"))).unwrap();
    assert_eq!((held.tenant(), held.plan()), (Some("acme"), None));
    // `org` itself is no string here, and it comes first.
    let nested = verdict(&verifier, &token(json!({"id": "acme", "plan": "pro"})));
    assert_eq!(nested.map(drop), Err(RejectionKind::InvalidToken));
    let names = ClaimNames::default().tenant(["org.id"]).plan(["org.plan"]).roles(["org.roles", "org.id"]);
    let verifier = issuer.issuer().claim_names(names).build().unwrap();
    let held = verdict(&verifier, &token(json!({"id": "acme", "plan": "pro"}))).unwrap();
    assert_eq!((held.tenant(), held.plan()), (Some("acme"), Some("pro")));
    assert_eq!(held.roles().collect::<Vec<_>>(), ["acme"]);
}

#[test]
fn paths_that_lead_nowhere_are_mistakes() {
    for name in ["a.", ".a", "a..b", "/", "//a", "", "sub.x", "/cnf/jkt", "act.sub"] {
        let error = issuer().issuer().claim_names(ClaimNames::default().roles([name])).build().unwrap_err();
        assert_eq!(error.issues()[0].field, "claim_names", "{name}");
    }
    let many = ClaimNames::default().roles((0..60).map(|i| format!("r{i}")));
    assert!(issuer().issuer().claim_names(many).build().is_err());
}

/// What has escapes in it is copied, everything else is a place in the claims: both read the same.
#[test]
fn escapes_change_nothing() {
    let issuer = issuer();
    let header = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, issuer.current_kid());
    let claims = format!(
        r#"{{"iss":"https:\/\/issuer.test","sub":"a\u00e9b","aud":"{AUDIENCE}","exp":1700000600,"tenant_id":"t\"1","roles":["x\ty","z"],"scope":"b\u003aa c"}}"#
    );
    let principal = verdict(&issuer.verifier(), &issuer.sign_text(&header, &claims)).unwrap();
    assert_eq!((principal.subject(), principal.issuer()), ("a\u{e9}b", Some(URL)));
    assert_eq!(principal.tenant(), Some("t\"1"));
    assert_eq!(principal.roles().collect::<Vec<_>>(), ["x\ty", "z"]);
    assert!(principal.scopes().satisfies("b:a"));
}

#[test]
fn a_jwk_without_alg_is_used_with_one_algorithm_rfc8725_3_1() {
    let rsa = shared_issuer(Algorithm::Ps256);
    let mut jwks = rsa.jwks();
    jwks["keys"][0].as_object_mut().unwrap().remove("alg");
    let build = |algorithms: Option<&[Algorithm]>| {
        let issuer = Issuer::new(URL).audience(AUDIENCE).keys(StaticKeys::new().jwks(jwks.to_string()));
        match algorithms {
            Some(algorithms) => issuer.algorithms(algorithms.iter().copied()),
            None => issuer,
        }
        .build()
        .unwrap()
    };
    let ps256 = rsa.token("a").sign();
    assert_eq!(verdict(&build(None), &ps256).unwrap_err(), RejectionKind::UnsupportedAlgorithm);
    assert!(verdict(&build(Some(&[Algorithm::Ps256])), &ps256).is_ok());
}
