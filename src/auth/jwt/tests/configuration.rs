use std::time::Duration;

use super::*;

fn fields(issuer: Issuer) -> Vec<String> {
    issuer.build().unwrap_err().issues().iter().map(|issue| issue.field.to_string()).collect()
}

fn secret() -> StaticKeys {
    StaticKeys::new().secret(Secret::new(vec![7; 32]))
}

#[test]
fn every_mistake_is_named_at_once() {
    let names = ClaimNames::default().tenant(["sub"]).plan(["", "events"]);
    let issuer = Issuer::new("").leeway(Duration::from_secs(61)).algorithms([]).types(["dpop+jwt"]).claim_names(names);
    let expected =
        ["issuer", "audience", "leeway", "algorithms", "claim_names", "claim_names", "claim_names", "types", "keys"];
    assert_eq!(fields(issuer), expected);
}

#[test]
fn one_origin_of_keys_neither_none_nor_two() {
    assert_eq!(fields(Issuer::new(URL).audience("a")), ["keys"]);
    assert_eq!(fields(Issuer::new(URL).audience("a").keys(secret()).keys(secret())), ["keys"]);
    assert!(Issuer::new(URL).audience("a").keys(secret()).leeway(Duration::from_secs(60)).build().is_ok());
}

#[test]
fn short_secrets_are_refused_rfc7518_3_2() {
    for length in [0, 1, 31] {
        let keys = StaticKeys::new().secret(Secret::new(vec![7; length]));
        assert_eq!(fields(Issuer::new(URL).audience("a").keys(keys)), ["keys[0]"]);
    }
    let mixed = SecretSet::new(Secret::new(vec![7; 32])).with_previous(Secret::new("short"), Timestamp::MAX);
    assert_eq!(fields(Issuer::new(URL).audience("a").keys(StaticKeys::new().secret(mixed))), ["keys[0]"]);
}

/// As long as the hash, for each of the three; and no other algorithm has a secret.
#[test]
fn secrets_are_as_long_as_the_hash_rfc8725_3_5() {
    for algorithm in Algorithm::ALL {
        let build = |length: usize| {
            let keys = StaticKeys::new().secret_for(*algorithm, Secret::new(vec![7; length]));
            Issuer::new(URL).audience("a").keys(keys).build()
        };
        match algorithm {
            Algorithm::Hs256 => assert!(build(31).is_err() && build(32).is_ok()),
            Algorithm::Hs384 => assert!(build(47).is_err() && build(48).is_ok()),
            Algorithm::Hs512 => assert!(build(63).is_err() && build(64).is_ok()),
            _ => assert!(build(64).unwrap_err().to_string().contains("uses no shared secret"), "{algorithm}"),
        }
    }
}

#[test]
fn unusable_static_keys_are_mistakes() {
    let build = |keys: StaticKeys| fields(Issuer::new(URL).audience("a").keys(keys));
    assert_eq!(build(StaticKeys::new()), ["keys"]);
    assert_eq!(build(StaticKeys::new().jwk("{")), ["keys[0]"]);
    assert_eq!(build(StaticKeys::new().jwk(r#"{"kty":"oct","k":"AAAA"}"#)), ["keys[0]"]);
    assert_eq!(build(StaticKeys::new().jwks(r#"{"keys":[]}"#)), ["keys[0]"]);
    assert_eq!(build(StaticKeys::new().jwks(r#"{"keys":[{"kty":"AKP"}]}"#)), ["keys[0]"]);
    assert_eq!(build(StaticKeys::new().rsa("a", "AQAB", "AQAB").ed25519("b", "AA").p256("c", "AA", "AA")).len(), 3);
    assert_eq!(build(secret().secret(Secret::new(vec![8; 32]))), ["keys"]);
    let error = Issuer::new(URL).audience("a").keys(StaticKeys::new().jwks(r#"{"keys":[{"kty":"AKP"}]}"#)).build();
    assert!(error.unwrap_err().to_string().contains("the key type is not supported"));
}

#[test]
fn an_algorithm_without_a_key_is_a_mistake() {
    let issuer = Issuer::new(URL).audience("a").keys(secret()).algorithms([Algorithm::Hs256, Algorithm::Rs256]);
    assert_eq!(fields(issuer), ["algorithms"]);
}

#[test]
fn components_make_the_same_keys_as_jwks() {
    let issuer = issuer();
    let key = &issuer.jwks()["keys"][0];
    let part = |name: &str| key[name].as_str().unwrap().to_owned();
    let keys = StaticKeys::new().p256(issuer.current_kid(), part("x"), part("y"));
    let verifier = Issuer::new(URL).audience(AUDIENCE).keys(keys).build().unwrap();
    assert!(verdict(&verifier, &issuer.token("a").sign()).is_ok());

    let rsa = rsa_issuer();
    let key = &rsa.jwks()["keys"][0];
    let part = |name: &str| key[name].as_str().unwrap().to_owned();
    let keys = StaticKeys::new().rsa(rsa.current_kid(), part("n"), part("e"));
    let verifier = Issuer::new(URL).audience(AUDIENCE).keys(keys).build().unwrap();
    assert!(verdict(&verifier, &rsa.token("a").sign()).is_ok());
}

#[test]
fn a_source_needs_a_runtime() {
    #[derive(Debug)]
    struct Never;
    impl KeySource for Never {
        fn fetch(&self) -> crate::store::BoxFuture<'_, Result<FetchedKeys, KeySourceError>> {
            Box::pin(std::future::pending())
        }
    }
    assert_eq!(fields(Issuer::new(URL).audience("a").key_source(Arc::new(Never))), ["jwks_url"]);
}

#[test]
fn debug_shows_no_secret() {
    let keys = StaticKeys::new().secret(Secret::new("hunter2hunter2hunter2hunter2hunter2"));
    let issuer = Issuer::new(URL).audience("a").keys(keys);
    assert!(!format!("{issuer:?} {:?}", issuer.clone().build().unwrap()).contains("hunter2"));
    #[cfg(feature = "jwks")]
    for url in ["https://user:hunter2@id.example.com/jwks", "https://id.example.com/jwks#hunter2", "hunter2"] {
        let issuer = Issuer::new(URL).audience("a").jwks_url(url);
        assert!(!format!("{issuer:?} {:?}", issuer.clone().build().unwrap_err()).contains("hunter2"));
    }
    // A private key, given by mistake.
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"hunter2"}"#;
    let issuer = Issuer::new(URL).audience("a").keys(StaticKeys::new().jwk(jwk).jwks(format!(r#"{{"keys":[{jwk}]}}"#)));
    assert!(!format!("{issuer:?} {:?}", issuer.clone().build().unwrap_err()).contains("hunter2"));
}

#[test]
fn an_own_factory_verifies_instead() {
    #[derive(Debug)]
    struct Yes;
    impl SignatureVerifier for Yes {
        fn verify(&self, _: &[u8], _: &[u8]) -> bool {
            true
        }
    }
    impl VerifierFactory for Yes {
        fn verifier(&self, _: Algorithm, _: &PublicKey<'_>) -> Result<Arc<dyn SignatureVerifier>, UnusableKey> {
            Ok(Arc::new(Yes))
        }
    }
    let issuer = issuer();
    let verifier = issuer.issuer().verifiers(Arc::new(Yes)).build().unwrap();
    assert!(verdict(&verifier, &issuer.token("a").tampered().sign()).is_ok());
}
