use serde_json::{Value, json};

use super::*;

#[test]
fn every_algorithm_is_accepted() {
    for algorithm in every_algorithm() {
        let issuer = shared_issuer(algorithm);
        let principal = verdict(&issuer.verifier(), &issuer.token("usr_1").sign());
        assert_eq!(principal.unwrap().subject(), "usr_1", "{issuer:?}");
        refuses(&issuer.verifier(), issuer.token("usr_1").tampered(), RejectionKind::InvalidSignature);
    }
}

#[test]
fn ed25519_by_its_rfc9864_name() {
    let issuer = issuer_with(Algorithm::EdDsa);
    assert!(verdict(&issuer.verifier(), &issuer.token("a").algorithm("Ed25519").sign()).is_ok());
}

#[test]
fn the_principal_is_filled_from_the_seeds_token() {
    let issuer = issuer();
    let token = issuer
        .token("usr_123456")
        .scopes(["read:orders", "write:orders"])
        .roles(["customer", "api_consumer"])
        .tenant("tenant_xyz")
        .plan("pro")
        .claim("email", "a@example.com")
        .claim("jti", "jti_abc123def")
        .claim("department", json!({"name": "legal"}))
        .sign();
    let principal = verdict(&issuer.verifier(), &token).unwrap();
    assert_eq!(principal.subject(), "usr_123456");
    assert_eq!(principal.issuer(), Some(URL));
    assert_eq!(principal.scopes().exact().collect::<Vec<_>>(), ["read:orders", "write:orders"]);
    assert_eq!(principal.roles().collect::<Vec<_>>(), ["customer", "api_consumer"]);
    assert_eq!(principal.tenant(), Some("tenant_xyz"));
    assert_eq!(principal.plan(), Some("pro"));
    assert_eq!(principal.client(), Some("test-client"));
    assert_eq!(principal.email(), Some("a@example.com"));
    assert_eq!(principal.credential_id(), Some("jti_abc123def"));
    assert_eq!(principal.method(), crate::identity::AuthMethod::Jwt);
    assert_eq!(principal.expires_at(), Some(Timestamp::from_secs(NOW.as_secs() + 900)));
    let claims: Value = principal.claims().unwrap();
    assert_eq!(claims["department"]["name"], "legal");
    assert_eq!(principal.fingerprint().unwrap().len(), 16);
    assert!(!token.contains(principal.fingerprint().unwrap()));
}

#[test]
fn one_token_has_one_fingerprint() {
    let issuer = issuer_with(Algorithm::EdDsa);
    let verifier = issuer.verifier();
    let fingerprint = |token: &str| verdict(&verifier, token).unwrap().fingerprint().unwrap().to_owned();
    let (one, other) = (issuer.token("a").sign(), issuer.token("a").sign());
    assert_eq!(fingerprint(&one), fingerprint(&one));
    assert_ne!(fingerprint(&one), fingerprint(&other), "they differ in jti");
}

#[test]
fn scopes_come_as_a_string_or_an_array() {
    let issuer = issuer();
    let verifier = issuer.verifier();
    let scopes = |name: &str, value: Value| -> Vec<String> {
        let token = issuer.token("a").claim(name, value).sign();
        verdict(&verifier, &token).unwrap().scopes().iter().collect()
    };
    assert_eq!(scopes("scope", json!("b a")), ["a", "b"]);
    assert_eq!(scopes("scp", json!("a b")), ["a", "b"]);
    assert_eq!(scopes("scp", json!(["a", "b"])), ["a", "b"]);
    assert_eq!(scopes("scope", json!("")), [""; 0]);
    assert_eq!(scopes("scope", json!([])), [""; 0]);
    assert_eq!(scopes("scope", json!(null)), [""; 0]);
    // What the issuer calls `*` is a letter to us.
    let token = issuer.token("a").scopes(["read:*"]).sign();
    assert!(!verdict(&verifier, &token).unwrap().scopes().satisfies("read:orders"));
}

#[test]
fn of_two_names_the_first_counts() {
    let issuer = issuer();
    let verifier = issuer.verifier();
    for _ in 0..2 {
        let token = issuer.token("a").claim("scp", "second").claim("scope", "first").claim("azp", "other").sign();
        let principal = verdict(&verifier, &token).unwrap();
        assert!(principal.scopes().satisfies("first") && !principal.scopes().satisfies("second"));
        assert_eq!(principal.client(), Some("test-client"));
    }
    let token = issuer.token("a").without("client_id").claim("azp", "other").sign();
    assert_eq!(verdict(&verifier, &token).unwrap().client(), Some("other"));
}

#[test]
fn claim_names_can_be_chosen() {
    let issuer = issuer();
    let names = ClaimNames::default()
        .scope(["permissions"])
        .roles(["groups"])
        .tenant(["org"])
        .plan(["tier"])
        .client(["cid"])
        .email(["upn"]);
    let verifier = issuer.issuer().claim_names(names).build().unwrap();
    let token = issuer
        .token("a")
        .claim("permissions", json!(["x:y"]))
        .claim("groups", "staff")
        .claim("org", "o")
        .claim("tier", "gold")
        .claim("cid", "c")
        .claim("upn", "u@x")
        // Under their usual names they mean nothing, whatever their type.
        .claim("scope", 7)
        .claim("tenant_id", json!([]))
        .sign();
    let principal = verdict(&verifier, &token).unwrap();
    assert!(principal.scopes().satisfies("x:y"));
    assert_eq!(principal.roles().collect::<Vec<_>>(), ["staff"]);
    let fields = [principal.tenant(), principal.plan(), principal.client(), principal.email()];
    assert_eq!(fields, [Some("o"), Some("gold"), Some("c"), Some("u@x")]);
}

#[test]
fn both_secrets_verify_during_a_rotation() {
    let old = Secret::new(vec![1; 32]);
    let set = SecretSet::new(old.clone());
    let keys = StaticKeys::new().secret(set.clone());
    let verifier = Issuer::new(URL).audience(AUDIENCE).keys(keys).build().unwrap();
    let sign = |secret: &Secret| {
        let header = token_part(r#"{"alg":"HS256"}"#);
        let claims = token_part(&format!(r#"{{"iss":"{URL}","sub":"a","aud":"{AUDIENCE}","exp":1700000600}}"#));
        let signed = format!("{header}.{claims}");
        format!("{signed}.{}", base64(&hmac(secret.expose(), signed.as_bytes())))
    };
    let new = Secret::new(vec![2; 32]);
    assert_eq!(verdict(&verifier, &sign(&new)).unwrap_err(), RejectionKind::InvalidSignature);
    set.rotate(new.clone(), Timestamp::from_secs(NOW.as_secs() + 60));
    assert!(verdict(&verifier, &sign(&old)).is_ok() && verdict(&verifier, &sign(&new)).is_ok());
    let later = Timestamp::from_secs(NOW.as_secs() + 60);
    assert!(at_once(&verifier, &sign(&old), later).is_err() && at_once(&verifier, &sign(&new), later).is_ok());
    // A rotation to a secret that is too short leaves nothing to forge with.
    set.rotate(Secret::new(""), NOW);
    assert_eq!(verdict(&verifier, &sign(&Secret::new(""))).unwrap_err(), RejectionKind::InvalidSignature);
}

fn token_part(text: &str) -> String {
    base64(text.as_bytes())
}

fn base64(bytes: &[u8]) -> String {
    use base64ct::Encoding as _;
    base64ct::Base64UrlUnpadded::encode_string(bytes)
}

fn hmac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    use ::hmac::{KeyInit as _, Mac as _};
    let mut mac = ::hmac::Hmac::<sha2::Sha256>::new_from_slice(secret).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}
