//! What attackers send: never accepted, never a panic, never a 5xx.

use proptest::prelude::*;
use serde_json::json;

use super::*;

async fn is_refused(scene: &Scene, proof: &[u8]) -> Result<(), TestCaseError> {
    let Ok(value) = http::HeaderValue::from_bytes(proof) else { return Ok(()) };
    let mut request = request("/orders", &[("authorization", &format!("DPoP {TOKEN}"))]);
    request.headers_mut().insert("dpop", value);
    let answer = scene.send(request).await;
    prop_assert_eq!(answer.status.as_u16(), 401);
    prop_assert_eq!(answer.rejection.unwrap().kind(), RejectionKind::InvalidDpopProof);
    Ok(())
}

fn run(test: impl Future<Output = Result<(), TestCaseError>>) -> Result<(), TestCaseError> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), parts in prop::collection::vec("[A-Za-z0-9_=-]{0,60}", 0..5)) {
        let scene = Scene::new();
        run(async {
            is_refused(&scene, &bytes).await?;
            is_refused(&scene, parts.join(".").as_bytes()).await
        })?;
    }

    #[test]
    fn headers_and_claims_of_any_json_are_refused(header in ".{0,80}", claims in ".{0,80}", name in "[a-z]{1,4}", value in any::<i64>()) {
        let scene = Scene::new();
        let encode = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
        run(async {
            is_refused(&scene, format!("{}.{}.AAAA", encode(&header), encode(&claims)).as_bytes()).await?;
            // A private key does not lie in a proof by accident.
            let mut jwk = scene.key.jwk();
            jwk["d"] = json!(value);
            jwk[name] = json!(value);
            is_refused(&scene, scene.proof().header("jwk", jwk).sign().as_bytes()).await
        })?;
    }

    #[test]
    fn a_changed_byte_is_refused(at in any::<prop::sample::Index>(), with in "[A-Za-z0-9_-]") {
        let scene = Scene::new();
        let good = scene.proof().sign();
        let mut bytes = good.clone().into_bytes();
        *at.get_mut(&mut bytes) = with.as_bytes()[0];
        if bytes != good.as_bytes() {
            run(is_refused(&scene, &bytes))?;
        }
    }
}

#[tokio::test]
async fn duplicates_and_depth_are_refused() {
    let scene = Scene::new();
    let jwk = scene.key.jwk().to_string();
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let twice = jwk.replacen('{', "{\"kty\":\"EC\",", 1);
    let headers = [
        format!("{{\"typ\":\"dpop+jwt\",\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{jwk}}}"),
        format!("{{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"alg\":\"none\",\"jwk\":{jwk}}}"),
        format!("{{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{twice}}}"),
        format!("{{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{deep}}}"),
        format!("{{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{{\"kty\":{deep}}}}}"),
        format!("{{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{jwk},\"x\":{deep}}}"),
    ];
    for header in headers {
        let proof = format!("{}.e30.AAAA", Base64UrlUnpadded::encode_string(header.as_bytes()));
        scene.with_proof(&proof).await.proof_refused("");
    }
}

/// Signatures that hold under broken implementations (CVE-2022-21449 and its like).
#[tokio::test]
async fn psychic_signatures_are_refused() {
    let scene = Scene::new();
    let proof = scene.proof().sign();
    let (signed, _) = proof.rsplit_once('.').unwrap();
    for signature in [[0_u8; 64], [0xFF; 64]] {
        let signature = Base64UrlUnpadded::encode_string(&signature);
        scene.with_proof(&format!("{signed}.{signature}")).await.proof_refused("(check 6)");
    }
}
