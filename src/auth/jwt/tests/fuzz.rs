use proptest::prelude::*;

use super::*;

fn is_401(kind: RejectionKind) -> bool {
    kind.status() == http::StatusCode::UNAUTHORIZED
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_text_is_a_401(text in "\\PC{0,200}|[A-Za-z0-9_.-]{0,200}") {
        let verifier = shared().verifier();
        prop_assert!(is_401(verdict(&verifier, &text).unwrap_err()));
    }

    #[test]
    fn random_header_and_claims_well_signed_are_a_401(header in "\\{\"alg\":\"ES256\"[\"a-z:,{}\\[\\]0-9]{0,40}\\}", claims in "\\{[\"a-z:,{}\\[\\]0-9]{0,60}\\}") {
        let issuer = shared();
        prop_assert!(is_401(verdict(&issuer.verifier(), &issuer.sign_text(&header, &claims)).unwrap_err()));
    }

    #[test]
    fn a_changed_token_is_a_401(at in 0_usize..1_000, to in "[A-Za-z0-9_.=-]", insert in any::<bool>()) {
        let (issuer, token) = (shared(), good());
        let at = at.checked_rem(token.len()).unwrap_or(0);
        let mut changed = token.to_owned();
        changed.replace_range(at..if insert { at } else { at.saturating_add(1) }, &to);
        prop_assume!(changed != token);
        prop_assert!(is_401(verdict(&issuer.verifier(), &changed).unwrap_err()));
    }

    #[test]
    fn a_cut_token_is_a_401(at in 0_usize..1_000) {
        let token = good();
        prop_assert!(is_401(verdict(&shared().verifier(), &token[..at.checked_rem(token.len()).unwrap_or(0)]).unwrap_err()));
    }

    #[test]
    fn random_claim_values_never_panic(name in "iss|sub|aud|exp|nbf|iat|jti|scope|scp|roles|tenant_id|email|cnf", value in json()) {
        let issuer = shared();
        match verdict(&issuer.verifier(), &issuer.token("a").claim(&name, value).sign()) {
            Ok(principal) => prop_assert!(!principal.subject().is_empty()),
            Err(kind) => prop_assert!(is_401(kind)),
        }
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "\\PC{0,20}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("[a-z]{0,3}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn shared() -> &'static TestIssuer {
    static ISSUER: std::sync::OnceLock<TestIssuer> = std::sync::OnceLock::new();
    ISSUER.get_or_init(issuer)
}

fn good() -> &'static str {
    static TOKEN: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    TOKEN.get_or_init(|| shared().token("usr_1").scopes(["read:orders"]).sign())
}
