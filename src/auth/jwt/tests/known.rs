//! A header that is known saves time, and changes no verdict.

use proptest::prelude::*;

use super::{
    super::{
        claim_names::{ClaimNames, PlainNames},
        claims::Claims,
        token,
    },
    *,
};

fn shared() -> &'static TestIssuer {
    static ISSUER: std::sync::OnceLock<TestIssuer> = std::sync::OnceLock::new();
    ISSUER.get_or_init(issuer)
}

fn good() -> &'static str {
    static TOKEN: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    TOKEN.get_or_init(|| shared().token("usr_1").scopes(["read:orders", "a:b"]).roles(["x", "y"]).sign())
}

/// Verifiers that have verified a token, with a memory of tokens and without one.
fn warm() -> [JwtVerifier; 2] {
    let verifiers = [shared().verifier(), shared().issuer().without_token_cache().build().unwrap()];
    for verifier in &verifiers {
        verdict(verifier, good()).unwrap();
    }
    verifiers
}

/// Who it is, or why nobody.
fn told(verifier: &JwtVerifier, token: &str) -> Result<Vec<String>, (RejectionKind, Option<String>)> {
    at_once(verifier, token, NOW)
        .map(|caller| shown(&caller))
        .map_err(|rejection| (rejection.kind(), rejection.source().map(ToString::to_string)))
}

fn shown(caller: &Principal) -> Vec<String> {
    let texts = [Some(caller.subject()), caller.issuer(), caller.tenant(), caller.plan(), caller.client()];
    let more = [caller.credential_id(), caller.session(), caller.acr(), caller.email(), caller.fingerprint()];
    let times = format!("{:?} {:?} {:?}", caller.issued_at(), caller.expires_at(), caller.auth_time());
    let one = texts.into_iter().chain(more).map(|text| text.unwrap_or("none").to_owned()).chain([times]);
    let lists = caller.roles().chain(caller.amr()).map(str::to_owned).collect::<Vec<_>>();
    one.chain(lists).chain(caller.scopes().iter()).collect()
}

#[track_caller]
fn same(token: &str) {
    let fresh = shared().verifier();
    for verifier in warm() {
        for _ in 0..2 {
            assert_eq!(told(&verifier, token), told(&fresh, token), "{token}");
        }
        if let Some(Checked::Ready(result)) = verifier.recognise(token.as_bytes(), NOW) {
            assert_eq!(result.is_ok(), told(&fresh, token).is_ok(), "{token}");
        }
    }
}

#[test]
fn what_is_good_is_recognised_by_its_bytes() {
    for verifier in warm() {
        let other = shared().token("usr_2").sign();
        for token in [good(), &other] {
            assert!(matches!(verifier.recognise(token.as_bytes(), NOW), Some(Checked::Ready(Ok(_)))));
        }
        let cold = shared().verifier();
        assert!(cold.recognise(good().as_bytes(), NOW).is_none(), "no header is known yet");
    }
}

#[test]
fn every_kind_of_token_is_judged_as_by_who_knows_no_header() {
    let token = || shared().token("usr_1");
    let other = issuer();
    for token in [
        token(),
        token().tampered(),
        token().expired(),
        token().unsigned(),
        token().audience("https://another.test"),
        token().signed_by(&other),
        token().hs256_with_the_public_key(),
        token().algorithm("none"),
        token().kid("another"),
        token().typ("dpop+jwt"),
        token().without("exp"),
        token().without("sub"),
        token().without_header("kid"),
        token().claim("iss", "https://evil.test"),
        token().claim("nbf", 1_800_000_000),
        token().claim("exp", -1),
        token().claim("exp", 1_700_000_900.5),
        token().claim("exp", "1700000900"),
        token().claim("events", serde_json::json!({})),
        token().claim("at_hash", "x"),
        token().claim("typ", "ID"),
        token().claim("act", serde_json::json!({ "sub": "usr_9" })),
        token().claim("act", "usr_9"),
        token().claim("cnf", serde_json::json!({ "jkt": "x" })),
        token().claim("email", "a@b.c"),
        token().claim("email", true),
        token().claim("roles", serde_json::json!([1])),
        token().claim("tenant_id", serde_json::Value::Null),
        token().claim("amr", serde_json::json!(["pwd", "otp"])),
        token().claim("scope", "a:b  c:d"),
        token().claim("scp", serde_json::json!(["c:d", "a:b"])),
        token().claim("name", "with \"quotes\" and \u{e9}"),
    ] {
        same(&token.sign());
    }
}

#[test]
fn forms_that_a_known_header_begins() {
    let (head, signature) = good().rsplit_once('.').unwrap();
    let (header, payload) = head.split_once('.').unwrap();
    for token in [
        header.to_owned(),
        format!("{header}."),
        format!("{header}.."),
        format!("{header}.{signature}"),
        format!("{header}..{signature}"),
        format!("{head}."),
        format!("{head}.{signature}."),
        format!("{head}.{signature}=="),
        format!("{head}{signature}"),
        format!("{head}..{signature}"),
        format!("{header}.{payload}.{payload}.{signature}"),
        format!("{header}.{}.{payload}.{signature}", &payload[..8]),
        format!("{head} .{signature}"),
        format!("{header}.{}.{signature}", "A".repeat(9_000)),
        format!(" {}", good()),
        format!("{}\u{e9}", good()),
    ] {
        same(&token);
    }
}

#[test]
fn another_kid_is_another_header() {
    let issuer = issuer();
    let verifier = issuer.issuer().without_token_cache().build().unwrap();
    let old = issuer.token("usr_1").sign();
    assert!(verdict(&verifier, &old).is_ok() && verifier.recognise(old.as_bytes(), NOW).is_some());
    issuer.rotate();
    let other = issuer.token("usr_1").sign();
    assert!(verifier.recognise(other.as_bytes(), NOW).is_none(), "its key is not the one that was found");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_changed_token_is_refused_all_the_same(at in 0_usize..1_000, to in "[A-Za-z0-9_.=-]", insert in any::<bool>()) {
        let at = at.checked_rem(good().len()).unwrap_or(0);
        let mut changed = good().to_owned();
        changed.replace_range(at..if insert { at } else { at.saturating_add(1) }, &to);
        prop_assume!(changed != good());
        for verifier in warm() {
            prop_assert!(verdict(&verifier, &changed).is_err());
            let recognised = verifier.recognise(changed.as_bytes(), NOW);
            prop_assert!(!matches!(recognised, Some(Checked::Ready(Ok(_)))));
        }
    }

    #[test]
    fn any_claims_under_a_known_header_are_judged_the_same(claims in claims()) {
        let header = String::from_utf8(token::decode(good().split('.').next().unwrap()).unwrap()).unwrap();
        let signed = shared().sign_text(&header, &claims);
        let [verifier, _] = warm();
        prop_assert_eq!(told(&verifier, &signed), told(&shared().verifier(), &signed), "{}", claims);
    }

    #[test]
    fn claims_are_the_same_whichever_parser_reads_them(claims in claims()) {
        let names = ClaimNames::default().roles(["roles", "realm_access.roles", "groups"]).plan(["plan", "groups"]);
        if let Some(scanned) = Claims::scan(&claims, &PlainNames::of(&names)) {
            let parsed = Claims::parse(claims.as_bytes(), &names);
            prop_assert!(parsed.is_ok(), "{}", claims);
            prop_assert_eq!(scanned, parsed.unwrap(), "{}", claims);
        }
    }
}

/// The text of claims: most of them an object, some of them right.
fn claims() -> impl Strategy<Value = String> {
    let name = "iss|sub|aud|exp|nbf|iat|jti|sid|acr|amr|auth_time|act|cnf|typ|token_use|client_id|azp|scope|scp|roles|\
                groups|realm_access|tenant_id|plan|email|at_hash|[a-c]{1,2}";
    let value = prop_oneof![
        "\"(https://issuer\\.test|https://api\\.test|ID|id|a:b|c:d e:f)\"",
        "\"[a-zA-Z \u{e9}]{0,9}\"",
        "\"[ -~]{0,5}\"",
        "1[67][0-9]{8}|[0-9]{1,20}|-1|1\\.5",
        "\\[(\"[a-z]{0,3}\"( ?, ?\"[a-z:]{0,3}\"){0,2})?\\]",
        "true|false|null|\\{\\}|\\{\"sub\":\"x\"\\}|\\[1\\]|\\{\"roles\":\\[\"r\"\\]\\}",
    ];
    let right = Just(
        "\"iss\":\"https://issuer.test\",\"aud\":\"https://api.test\",\"sub\":\"usr\",\"exp\":1700000900".to_owned(),
    );
    let member = (name, value).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    (proptest::option::weighted(0.7, right), proptest::collection::vec(member, 0..6))
        .prop_map(|(right, more)| format!("{{{}}}", right.into_iter().chain(more).collect::<Vec<_>>().join(", ")))
}
