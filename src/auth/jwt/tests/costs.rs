//! What a token costs beside its signature.

use std::hint::black_box;

use allocation_counter::measure;
use serde_json::json;

use super::*;

fn allocations(verifier: &JwtVerifier, token: &str) -> u64 {
    let look = || drop(black_box(verifier.verify(black_box(token), NOW)));
    look();
    measure(look).count_total
}

/// The seeds' payload: eleven claims, two scopes, two roles.
fn seeds_token(issuer: &TestIssuer) -> TestToken {
    issuer
        .token("usr_123456")
        .without("client_id")
        .claim("nbf", NOW.as_secs())
        .claim("jti", "jti_abc123def")
        .claim("scope", "read:orders write:orders")
        .claim("roles", json!(["customer", "api_consumer"]))
        .tenant("tenant_xyz")
        .plan("pro")
}

#[test]
fn the_seeds_token_costs_few_allocations() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let issuer = shared_issuer(algorithm);
        let token = seeds_token(issuer).sign();
        let verifier = issuer.verifier();
        assert!(verdict(&verifier, &token).is_ok());
        // The claims, the principal, its scopes, its roles (read and kept), its fingerprint.
        let own = 6;
        let found = allocations(&verifier, &token);
        println!("{algorithm}: {found}");
        if cfg!(feature = "aws-lc") {
            assert!(found <= own, "{algorithm}: {found}");
        }
    }
}

#[test]
fn garbage_costs_no_allocation_and_no_cryptography() {
    #[derive(Debug)]
    struct Counting;
    impl SignatureVerifier for Counting {
        fn verify(&self, _: &[u8], _: &[u8]) -> bool {
            panic!("garbage reached the cryptography")
        }
    }
    let keys = StaticKeys::new().verifier("k", Algorithm::Es256, Arc::new(Counting));
    let verifier = Issuer::new(URL).audience(AUDIENCE).keys(keys).build().unwrap();
    let header = |text: &str| format!("{}.e30.AAAA", super::keys::encode(text.as_bytes()));
    for token in [
        String::new(),
        "a".repeat(8_000),
        "a.b".to_owned(),
        "a.b.c.d".to_owned(),
        "!.b.c".to_owned(),
        "AAA=.b.c".to_owned(),
        "A".repeat(9_000),
        header(r#"{"alg":"none"}"#),
        header(r#"{"alg":"ES256K","kid":"k"}"#),
        header(r#"{"alg":"HS256","kid":"k"}"#),
        header(r#"{"alg":"ES256","kid":"x"}"#),
        header(r#"{"alg":"ES256","kid":"k","typ":"logout+jwt"}"#),
        header(r#"{"alg":"ES256","kid":"k","crit":["x"]}"#),
        header(r#"{"kid":"k"}"#),
        header(r#"{"alg":1}"#),
    ] {
        assert!(verdict(&verifier, &token).is_err());
        assert_eq!(allocations(&verifier, &token), 0, "{token:.60}");
    }
    // A parser says why it fails, in a box.
    for text in [r#"{"alg":"ES256""#, r#"{"alg":"ES256","alg":"ES256"}"#, "\u{1}", "[]"] {
        assert!(allocations(&verifier, &header(text)) <= 6, "{text}: {}", allocations(&verifier, &header(text)));
    }
}

/// Who has many keys pays no more: a counting verifier, no clock.
#[test]
fn a_thousand_keys_are_searched_as_quickly_as_one() {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    #[derive(Debug, Default)]
    struct Counted(AtomicU64);
    impl SignatureVerifier for Counted {
        fn verify(&self, _: &[u8], _: &[u8]) -> bool {
            self.0.fetch_add(1, Relaxed);
            false
        }
    }
    let counted = Arc::new(Counted::default());
    let keys = (0..1_000).fold(StaticKeys::new(), |keys, i| {
        keys.verifier(format!("key-{i:04}"), Algorithm::Hs256, Arc::<Counted>::clone(&counted))
    });
    let verifier = Issuer::new(URL).audience(AUDIENCE).keys(keys).build().unwrap();
    let signature = super::keys::encode(&[0; 32]);
    let header = super::keys::encode(br#"{"alg":"HS256","kid":"key-0567"}"#);
    assert!(verdict(&verifier, &format!("{header}.e30.{signature}")).is_err());
    assert_eq!(counted.0.load(Relaxed), 1, "exactly one key is tried");
}
