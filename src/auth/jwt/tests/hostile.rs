//! Claims as an attacker writes them, who got an issuer to sign what he likes: raw text, because no
//! serialiser would write it.

use super::*;

fn verdict_on(claims: &str) -> Result<Principal, RejectionKind> {
    let issuer = issuer();
    let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{}"}}"#, issuer.current_kid());
    let verifier = issuer.issuer().max_lifetime(std::time::Duration::MAX).build().unwrap();
    verdict(&verifier, &issuer.sign_text(&header, claims))
}

/// Good claims, and these.
fn with(members: &str) -> Result<Principal, RejectionKind> {
    verdict_on(&format!(r#"{{"iss":"{URL}","sub":"usr_1","aud":"{AUDIENCE}",{members}}}"#))
}

#[test]
fn every_spelling_of_a_date_is_read_or_refused_rfc7519_2() {
    const EXPIRED: Result<(), RejectionKind> = Err(RejectionKind::TokenExpired);
    const INVALID: Result<(), RejectionKind> = Err(RejectionKind::InvalidToken);
    let digits = "9".repeat(400);
    for (expires, expected) in [
        ("1700000001", Ok(())),
        (" 1700000001\n", Ok(())),
        ("17e8", Ok(())),
        ("1.7E+9", Ok(())),
        ("17000000000000e-4", Ok(())),
        ("1699999970.5", Ok(())),
        ("1699999970", EXPIRED),
        ("1.69999997e9", EXPIRED),
        ("18446744073709551615", Ok(())),
        ("18446744073709551616", Ok(())),
        ("1e308", Ok(())),
        ("0", EXPIRED),
        ("-0", EXPIRED),
        ("-1", EXPIRED),
        ("-1700000001", EXPIRED),
        ("-1e308", EXPIRED),
        ("1e-400", EXPIRED),
        ("1e309", INVALID),
        ("-1e309", INVALID),
        (digits.as_str(), INVALID),
        ("01700000001", INVALID),
        ("+1700000001", INVALID),
        ("0x6553f101", INVALID),
        ("1_700_000_001", INVALID),
        ("NaN", INVALID),
        ("Infinity", INVALID),
        ("1700000001.", INVALID),
        ("\"1700000001\"", INVALID),
        ("[1700000001]", INVALID),
        ("{\"$date\":1700000001}", INVALID),
        ("true", INVALID),
        ("null", INVALID),
    ] {
        assert_eq!(with(&format!(r#""exp":{expires}"#)).map(drop), expected, "{expires}");
    }
}

#[test]
fn dates_of_issue_are_read_in_the_same_way() {
    for name in ["nbf", "iat"] {
        for (from, expected) in [
            ("1700000030", Ok(())),
            ("17000000305e-1", Err(RejectionKind::TokenNotYetValid)),
            ("-1e308", Ok(())),
            ("1e308", Err(RejectionKind::TokenNotYetValid)),
            ("1e309", Err(RejectionKind::InvalidToken)),
            ("null", Err(RejectionKind::InvalidToken)),
        ] {
            let members = format!(r#""exp":1700000900,"{name}":{from}"#);
            assert_eq!(with(&members).map(drop), expected, "{name}: {from}");
        }
    }
}

#[test]
fn no_second_member_hides_behind_escapes_or_depth_rfc7519_4() {
    let escaped = "\\u0073\\u0075\\u0062";
    for members in [
        format!(r#""exp":1700000900,"{escaped}":"admin""#),
        r#""exp":1700000900,"\u0065xp":99999999999"#.to_owned(),
        r#""exp":1700000900,"x":{"a":1,"\u0061":2}"#.to_owned(),
        r#""exp":1700000900,"roles":[{"a":1,"a":1}]"#.to_owned(),
        r#""exp":1700000900,"sub":"usr_1""#.to_owned(),
        r#""exp":1700000900,"x":"\ud800""#.to_owned(),
        r#""exp":1700000900} {"a":1"#.to_owned(),
        format!(r#""exp":1700000900,"x":{}{}"#, "[".repeat(2_000), "]".repeat(2_000)),
        format!(r#""exp":1700000900,"x":{}1{}"#, "{\"a\":".repeat(130), "}".repeat(130)),
    ] {
        assert_eq!(with(&members).map(drop), Err(RejectionKind::InvalidToken), "{members:.60}");
    }
    // Another case is another name, and means nothing.
    let principal = with(r#""exp":1700000900,"SUB":"admin","Sub":"root","ſub":"x""#).unwrap();
    assert_eq!(principal.subject(), "usr_1");
    assert!(with(&format!(r#""exp":1700000900,"x":{}{}"#, "[".repeat(100), "]".repeat(100))).is_ok());
}

#[test]
fn a_token_of_eight_kib_is_read_and_one_letter_more_is_not() {
    let issuer = issuer();
    let verifier = issuer.verifier();
    let padded = |pad: usize| issuer.token("usr_1").claim("pad", "x".repeat(pad)).sign();
    let lengths: Vec<String> =
        (5_500..6_000).map(padded).filter(|token| (8_190..8_196).contains(&token.len())).collect();
    let longest = lengths.iter().rfind(|token| token.len() <= 8_192).unwrap();
    let longer = lengths.iter().find(|token| token.len() > 8_192).unwrap();
    assert!(longest.len() >= 8_191 && longer.len() <= 8_194);
    assert!(verdict(&verifier, longest).is_ok());
    assert_eq!(verdict(&verifier, longer).map(drop), Err(RejectionKind::InvalidToken));
}

/// Distinct members are found by comparison: what the longest token can hold must stay cheap.
#[test]
fn many_members_cost_little() {
    let objects = format!("[{}]", ["{\"a\":1,\"b\":2,\"c\":3}"; 240].join(","));
    assert!(with(&format!(r#""exp":1700000900,"x":{objects}"#)).is_ok());
    let members: Vec<String> = (0..129).map(|i| format!("\"{i}\":0")).collect();
    let wide = with(&format!(r#""exp":1700000900,{}"#, members.join(",")));
    assert_eq!(wide.map(drop), Err(RejectionKind::InvalidToken));
}
