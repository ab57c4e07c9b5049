//! jsonwebtoken's own verification, through its static provider, as the second opinion.

use jsonwebtoken::{Algorithm as Foreign, DecodingKey, crypto::CryptoProvider};

use super::*;

fn providers() -> Vec<&'static CryptoProvider> {
    vec![
        #[cfg(feature = "aws-lc")]
        &jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER,
        #[cfg(feature = "rust-crypto")]
        &jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER,
    ]
}

/// `ES512` is not among them: jsonwebtoken does not have it.
const PUBLIC: [Algorithm; 9] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
];

fn foreign_key(issuer: &TestIssuer) -> (Foreign, DecodingKey) {
    let key = &issuer.jwks()["keys"][0];
    let part = |name: &str| key[name].as_str().unwrap();
    let algorithm: Foreign = part("alg").parse().unwrap();
    let key = match part("kty") {
        "RSA" => DecodingKey::from_rsa_components(part("n"), part("e")),
        "EC" => DecodingKey::from_ec_components(part("x"), part("y")),
        _ => DecodingKey::from_ed_components(part("x")),
    };
    (algorithm, key.unwrap())
}

/// Every byte of the signature flipped in turn, and some other signatures.
#[test]
fn signatures_are_judged_as_jsonwebtoken_judges_them() {
    for issuer in PUBLIC.map(shared_issuer) {
        let (algorithm, key) = foreign_key(issuer);
        let verifier = issuer.verifier();
        let token = issuer.token("a").sign();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = super::super::token::decode(signature).unwrap();
        let mut candidates = vec![signature.clone(), Vec::new(), vec![0; 64], vec![0xff; 64], signature[1..].to_vec()];
        candidates.push(vec![0; signature.len()]);
        candidates.push([&signature[..], &[0]].concat());
        candidates.push([&[0], &signature[..]].concat());
        candidates.extend((0..signature.len()).step_by(23).map(|at| {
            let mut flipped = signature.clone();
            flipped[at] ^= 1;
            flipped
        }));
        for candidate in candidates {
            let ours = verdict(&verifier, &format!("{signed}.{}", super::keys::encode(&candidate))).is_ok();
            for provider in providers() {
                let theirs = (provider.verifier_factory)(&algorithm, &key).unwrap();
                let theirs = theirs.verify(signed.as_bytes(), &candidate).is_ok();
                assert_eq!(ours, theirs, "{algorithm:?} {candidate:?}");
            }
        }
    }
}

/// Both providers compiled in, in one process: neither is the process-global one, so nothing panics.
#[cfg(all(feature = "aws-lc", feature = "rust-crypto"))]
#[test]
fn both_providers_together_agree() {
    use super::verifier::BuiltIn;

    #[derive(Debug)]
    struct Other;
    impl VerifierFactory for Other {
        fn verifier(
            &self,
            algorithm: Algorithm,
            key: &PublicKey<'_>,
        ) -> Result<Arc<dyn SignatureVerifier>, UnusableKey> {
            super::super::rust_crypto::verifier(algorithm, key)
        }
    }
    for issuer in PUBLIC.map(shared_issuer) {
        for factory in [Arc::new(BuiltIn) as Arc<dyn VerifierFactory>, Arc::new(Other)] {
            let verifier = issuer.issuer().verifiers(factory).build().unwrap();
            assert!(verdict(&verifier, &issuer.token("a").sign()).is_ok());
            refuses(&verifier, issuer.token("a").tampered(), RejectionKind::InvalidSignature);
        }
    }
}

/// RFC 7515 appendix A: tokens that neither we nor jsonwebtoken made. Their claims are expired and
/// have no audience, so the signatures are what is compared.
#[test]
fn signatures_of_the_rfc_verify_rfc7515_a() {
    let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let rs256 = serde_json::json!({"kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"});
    let es256 = serde_json::json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
    let vectors = [
        (
            rs256,
            "eyJhbGciOiJSUzI1NiJ9",
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        (
            es256,
            "eyJhbGciOiJFUzI1NiJ9",
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
    ];
    for (jwk, header, signature) in vectors {
        let key = super::super::key::from_jwk(&jwk, &super::super::verifier::BuiltIn).unwrap();
        let signature = super::super::token::decode(signature).unwrap();
        assert!(key.verify(format!("{header}.{payload}").as_bytes(), &signature, NOW), "{header}");
        assert!(!key.verify(format!("{header}.{payload}A").as_bytes(), &signature, NOW), "{header}");
    }
}

/// The same for Ed25519, P-521 and HMAC: RFC 8037 A.4, RFC 7515 A.4 and A.1.
#[test]
fn more_signatures_of_the_rfcs_verify_rfc8037_a_4_rfc7515_a() {
    let jwt = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let secret = SecretSet::new(Secret::new(super::super::token::decode(secret).unwrap()));
    let shared = super::super::key::Key {
        kid: None,
        algorithm: Algorithm::Hs256,
        material: super::super::key::Material::Shared(secret),
    };
    let of_jwk = |jwk: serde_json::Value| super::super::key::from_jwk(&jwk, &super::super::verifier::BuiltIn);
    let ed25519 =
        of_jwk(serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}));
    let mut vectors = vec![
        (shared, jwt, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        (
            ed25519.unwrap(),
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ];
    if cfg!(feature = "aws-lc") {
        let p521 = of_jwk(serde_json::json!({
            "kty": "EC", "crv": "P-521",
            "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
            "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
        }));
        vectors.push((
            p521.unwrap(),
            "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
            "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
        ));
    }
    for (key, signed, signature) in vectors {
        let signature = super::super::token::decode(signature).unwrap();
        assert!(key.verify(signed.as_bytes(), &signature, NOW), "{}", key.algorithm);
        assert!(!key.verify(format!("{signed}A").as_bytes(), &signature, NOW), "{}", key.algorithm);
    }
}
