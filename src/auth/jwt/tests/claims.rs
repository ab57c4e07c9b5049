use std::time::Duration;

use serde_json::{Value, json};

use super::*;

fn with(claim: &str, value: Value) -> (JwtVerifier, TestToken) {
    let issuer = issuer();
    (issuer.verifier(), issuer.token("a").claim(claim, value))
}

#[test]
fn required_claims_are_required_rfc9068_4() {
    let issuer = issuer();
    for claim in ["iss", "sub", "aud", "exp"] {
        refuses(&issuer.verifier(), issuer.token("a").without(claim), RejectionKind::InvalidToken);
    }
    for claim in ["iat", "jti", "client_id"] {
        assert!(verdict(&issuer.verifier(), &issuer.token("a").without(claim).sign()).is_ok(), "{claim}");
    }
}

/// Each of these is what jsonwebtoken 11.1 accepts with an audience and an issuer set.
#[test]
fn aud_of_another_type_is_refused_rfc7519_4_1_3() {
    for value in
        [json!(null), json!(1), json!({}), json!([1]), json!([AUDIENCE, 1]), json!([]), json!(""), json!([null])]
    {
        let (verifier, token) = with("aud", value);
        refuses(&verifier, token, RejectionKind::InvalidToken);
    }
}

#[test]
fn aud_must_name_us_rfc8725_3_9() {
    for value in
        [json!("https://api.test/"), json!("https://API.test"), json!(["x", "y"]), json!("https://api.test https://b")]
    {
        let (verifier, token) = with("aud", value);
        refuses(&verifier, token, RejectionKind::InvalidToken);
    }
    for value in [json!(["x", AUDIENCE]), json!([AUDIENCE]), json!(AUDIENCE)] {
        let (verifier, token) = with("aud", value);
        assert!(verdict(&verifier, &token.sign()).is_ok());
    }
    let issuer = issuer();
    let two = issuer.issuer().audience("second").build().unwrap();
    assert!(verdict(&two, &issuer.token("a").audience("second").sign()).is_ok());
    assert!(verdict(&two, &issuer.token("a").sign()).is_ok());
}

#[test]
fn iss_must_be_the_issuer_itself_rfc8725_3_8() {
    for value in [
        json!(null),
        json!(7),
        json!([URL]),
        json!(["https://evil.test", URL]),
        json!({"iss": URL}),
        json!(""),
        json!("https://issuer.test/"),
        json!("HTTPS://issuer.test"),
    ] {
        let (verifier, token) = with("iss", value);
        refuses(&verifier, token, RejectionKind::InvalidToken);
    }
}

#[test]
fn sub_is_a_string_rfc7519_4_1_2() {
    for value in [json!(null), json!(7), json!(""), json!(["a"]), json!({})] {
        let (verifier, token) = with("sub", value);
        refuses(&verifier, token, RejectionKind::InvalidToken);
    }
}

#[test]
fn exp_is_over_at_exp_plus_leeway_rfc7519_4_1_4() {
    let issuer = issuer();
    let verifier = issuer.verifier();
    let token = issuer.token("a").expires_in(Duration::from_secs(10)).sign();
    let at = |micros: u64| at_once(&verifier, &token, Timestamp::from_micros(NOW.as_micros() + micros));
    assert!(at(39_999_999).is_ok());
    assert_eq!(at(40_000_000).unwrap_err().kind(), RejectionKind::TokenExpired);
    refuses(&verifier, issuer.token("a").expired(), RejectionKind::TokenExpired);
    // jsonwebtoken's 60 s of leeway would let this through.
    let late = issuer.token("a").claim("exp", NOW.as_secs() - 59);
    refuses(&verifier, late, RejectionKind::TokenExpired);
    let none = issuer.issuer().leeway(Duration::ZERO).build().unwrap();
    refuses(&none, issuer.token("a").claim("exp", NOW.as_secs()), RejectionKind::TokenExpired);
    assert!(verdict(&none, &issuer.token("a").claim("exp", NOW.as_secs() + 1).sign()).is_ok());
}

#[test]
fn nbf_and_iat_in_the_future_rfc7519_4_1_5() {
    let issuer = issuer();
    let verifier = issuer.verifier();
    for claim in ["nbf", "iat"] {
        assert!(verdict(&verifier, &issuer.token("a").claim(claim, NOW.as_secs() + 30).sign()).is_ok());
        refuses(&verifier, issuer.token("a").claim(claim, NOW.as_secs() + 31), RejectionKind::TokenNotYetValid);
    }
    refuses(&verifier, issuer.token("a").not_before_in(Duration::from_secs(60)), RejectionKind::TokenNotYetValid);
    // What is both expired and not yet valid is not to be waited for.
    let both = issuer.token("a").expired().not_before_in(Duration::from_secs(60));
    refuses(&verifier, both, RejectionKind::TokenExpired);
}

#[test]
fn dates_are_numbers_and_may_have_fractions_rfc7519_2() {
    for claim in ["exp", "nbf", "iat"] {
        for value in [json!("1800000000"), json!(null), json!(true), json!([1_800_000_000]), json!({})] {
            let (verifier, token) = with(claim, value);
            refuses(&verifier, token, RejectionKind::InvalidToken);
        }
    }
    let issuer = issuer();
    let verifier = issuer.issuer().max_lifetime(Duration::MAX).build().unwrap();
    assert!(verdict(&verifier, &issuer.token("a").claim("exp", 1_700_000_000.5).sign()).is_ok());
    let claims = |exp: &str| format!(r#"{{"iss":"{URL}","sub":"a","aud":"{AUDIENCE}","exp":{exp}}}"#);
    let header = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, issuer.current_kid());
    let signed = |exp: &str| verdict(&verifier, &issuer.sign_text(&header, &claims(exp))).map(|_| ());
    for exp in ["1.8e9", "1800000000.0", "99999999999999999999999999", "1e300"] {
        assert_eq!(signed(exp), Ok(()), "{exp}");
    }
    for exp in ["-1", "0", "-1e300", "0.0", "1e-300"] {
        assert_eq!(signed(exp), Err(RejectionKind::TokenExpired), "{exp}");
    }
    for exp in ["1e999999", "Infinity", "NaN", "0x7fffffff", "01", "+1800000000", "1_800_000_000"] {
        assert_eq!(signed(exp), Err(RejectionKind::InvalidToken), "{exp}");
    }
    let just = |exp: &str, micros: u64| {
        at_once(&verifier, &issuer.sign_text(&header, &claims(exp)), Timestamp::from_micros(NOW.as_micros() + micros))
    };
    assert!(just("1700000000.5", 30_499_999).is_ok() && just("1700000000.5", 30_500_000).is_err());
}

#[test]
fn who_comes_before_when() {
    let issuer = issuer();
    let verifier = issuer.verifier();
    refuses(&verifier, issuer.token("a").expired().audience("x"), RejectionKind::InvalidToken);
    refuses(&verifier, issuer.token("a").expired().claim("iss", "x"), RejectionKind::InvalidToken);
}

#[test]
fn duplicate_claims_are_refused_rfc7519_4() {
    let issuer = issuer();
    let header = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, issuer.current_kid());
    let base = format!(r#""iss":"{URL}","sub":"a","aud":"{AUDIENCE}","exp":1700000600"#);
    assert!(verdict(&issuer.verifier(), &issuer.sign_text(&header, &format!("{{{base}}}"))).is_ok());
    for more in [
        r#","sub":"admin""#,
        r#","s\u0075b":"admin""#,
        r#","x":1,"x":1"#,
        r#","scope":"a","scope":"b""#,
        r#","realm_access":{"roles":[],"roles":["admin"]}"#,
        r#","sub":null"#,
        ",",
        r#","x""#,
    ] {
        let token = issuer.sign_text(&header, &format!("{{{base}{more}}}"));
        assert_eq!(refused(&issuer.verifier(), &token).0, RejectionKind::InvalidToken, "{more}");
    }
    for claims in ["", "[]", "null", "1", "\"x\"", "{}", &format!("{{{base}}}x"), &format!("\u{feff}{{{base}}}")] {
        assert_eq!(
            refused(&issuer.verifier(), &issuer.sign_text(&header, claims)).0,
            RejectionKind::InvalidToken,
            "{claims}"
        );
    }
}

#[test]
fn claims_of_a_wrong_type_are_not_guessed_at() {
    for (claim, value) in [
        ("scope", json!(7)),
        ("scope", json!({"a": 1})),
        ("scope", json!(["a", 1])),
        ("scope", json!("a  b")),
        ("scope", json!("a\tb")),
        ("scope", json!("a \"b")),
        ("scp", json!(["a b"])),
        ("roles", json!(true)),
        ("roles", json!([["a"]])),
        ("tenant_id", json!(42)),
        ("tenant_id", json!(["a"])),
        ("subscription_tier", json!({})),
        ("client_id", json!(1)),
        ("email", json!([])),
        ("jti", json!(1)),
        ("jti", json!("")),
    ] {
        let (verifier, token) = with(claim, value);
        refuses(&verifier, token, RejectionKind::InvalidToken);
    }
    let many: Vec<String> = (0..300).map(|i| format!("s:{i}")).collect();
    let (verifier, token) = with("scope", json!(many.join(" ")));
    refuses(&verifier, token, RejectionKind::InvalidToken);
}

#[test]
fn other_kinds_of_jwt_are_no_access_tokens_rfc8725_3_12() {
    for (claim, value) in [
        ("at_hash", json!("x")),
        ("c_hash", json!("x")),
        ("events", json!({"http://schemas.openid.net/event/backchannel-logout": {}})),
    ] {
        let (verifier, token) = with(claim, value);
        refuses(&verifier, token.without_header("typ"), RejectionKind::InvalidToken);
    }
}

/// The verifier says what a token is bound to; the layer around it sees to the proof.
#[tokio::test]
async fn bound_tokens_are_not_taken_from_a_bearer_rfc9449_7_2() {
    use tower::ServiceExt as _;
    let issuer = issuer();
    let trusting = issuer.issuer().dangerously_accept_bound_tokens().build().unwrap();
    for cnf in [json!({"jkt": "x"}), json!({"x5t#S256": "x"}), json!({"kid": "x"}), json!({}), json!(null), json!("x")]
    {
        let token = issuer.token("a").claim("cnf", cnf.clone()).sign();
        for (verifier, status) in [(issuer.verifier(), 401), (trusting.clone(), 200)] {
            let layer = crate::auth::AuthLayer::builder().jwt(verifier).build().unwrap();
            let context = crate::gate::RequestContextLayer::new().clock(crate::time::ManualClock::at(NOW));
            let layers = tower::ServiceBuilder::new().layer(context).layer(layer);
            let app = axum::Router::new().route("/", axum::routing::get(|| async {})).layer(layers);
            let request = http::Request::get("/").header("authorization", format!("Bearer {token}"));
            let response = app.oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
            assert_eq!(response.status().as_u16(), status, "{cnf}");
        }
    }
}
