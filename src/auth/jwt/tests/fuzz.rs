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
    fn random_claim_values_never_panic(name in "iss|sub|aud|exp|nbf|iat|jti|scope|scp|roles|tenant_id|email|cnf|act|acr|amr|sid|auth_time|client_id|typ", value in json()) {
        let issuer = shared();
        match verdict(&issuer.verifier(), &issuer.token("a").claim(&name, value).sign()) {
            Ok(principal) => prop_assert!(!principal.subject().is_empty()),
            Err(kind) => prop_assert!(is_401(kind)),
        }
    }
}

proptest! {
    /// Whatever names are configured and wherever they lead, a token is judged, and what is found is
    /// what serde_json finds there.
    #[test]
    fn random_paths_find_what_lies_there(path in "(a|b|c)([./](a|b|c)){0,3}|/[a-c~/01]{0,6}", claims in json()) {
        let issuer = shared();
        let pointer = if path.starts_with('/') { path.clone() } else { format!("/{}", path.replace('.', "/")) };
        let path = if path.starts_with('/') { path } else { path.replace('/', ".") };
        let built = issuer.issuer().claim_names(ClaimNames::default().roles([path])).build();
        let Ok(verifier) = built else { return Ok(()) };
        let token = issuer.token("x").claim("a", claims.clone()).sign();
        let all = serde_json::json!({ "a": claims });
        // A pointer into an array is none into an object.
        let through_array = pointer.match_indices('/').skip(1).any(|(at, _)| {
            all.pointer(&pointer[..at]).is_some_and(serde_json::Value::is_array)
        });
        let found = all.pointer(&pointer).filter(|_| !through_array);
        let expected: Option<Vec<String>> = match found {
            None | Some(serde_json::Value::Null) => Some(Vec::new()),
            Some(serde_json::Value::String(one)) => Some(vec![one.clone()]),
            Some(serde_json::Value::Array(all)) => all.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
            Some(_) => None,
        };
        let expected = expected.map(|all| all.into_iter().filter(|one| !one.is_empty()).collect::<Vec<_>>());
        let found = verdict(&verifier, &token).map(|caller| caller.roles().map(str::to_owned).collect::<Vec<_>>());
        prop_assert_eq!(found.ok(), expected);
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
            prop::collection::btree_map("[a-c]|[a-z]{0,3}", inner, 0..4)
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
