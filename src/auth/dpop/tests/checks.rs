//! The checks of RFC 9449 §4.3, each by its number.

use serde_json::{Value, json};

use super::*;
use crate::auth::jwt::Algorithm;

#[tokio::test]
async fn a_proof_that_holds_lets_the_token_in() {
    let scene = Scene::new();
    scene.check(scene.proof()).await.passes();
    // The scheme is case-insensitive (RFC 9110 §11.1), and a client may send a HEAD or POST.
    let proof = scene.key.proof("POST", URL, TOKEN).sign();
    let mut post = request("/orders?page=2", &[("authorization", &format!("dpop {TOKEN}")), ("dpop", &proof)]);
    *post.method_mut() = http::Method::POST;
    scene.send(post).await.passes();
}

#[tokio::test]
async fn there_is_exactly_one_header_rfc9449_4_3_1() {
    let scene = Scene::new();
    let authorization = format!("DPoP {TOKEN}");
    scene.send(request("/orders", &[("authorization", &authorization)])).await.proof_refused("(check 1)");
    let (first, second) = (scene.proof().sign(), scene.proof().sign());
    let both = [("authorization", authorization.as_str()), ("dpop", &first), ("dpop", &second)];
    scene.send(request("/orders", &both)).await.proof_refused("(check 1)");
    // Two proofs that a proxy made one line of are no JWT.
    scene.with_proof(&format!("{first}, {second}")).await.proof_refused("(check 2)");
}

#[tokio::test]
async fn it_is_one_well_formed_jwt_rfc9449_4_3_2() {
    let scene = Scene::new();
    let good = scene.proof().sign();
    for proof in [
        "",
        "a",
        "..",
        "a.b.c",
        &good[..good.len() - 1],
        &format!("{good}="),
        &format!("{good}.x"),
        &good.replacen('.', "..", 1),
        &format!("{good} {good}"),
        &"a".repeat(9_000),
    ] {
        scene.with_proof(proof).await.proof_refused("");
    }
    scene.check(scene.proof().header("crit", json!(["b64"])).header("b64", false)).await.proof_refused("(check 2)");
    scene.check(scene.proof().header("crit", json!([]))).await.proof_refused("(check 2)");
}

#[tokio::test]
async fn the_claims_are_there_and_of_their_types_rfc9449_4_3_3() {
    let scene = Scene::new();
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        scene.check(scene.proof().without(name)).await.proof_refused(&format!("{name} (check 3)"));
        for wrong in [
            json!(null),
            json!(true),
            json!({}),
            json!([]),
            json!(""),
            json!("x").as_str().map_or(json!(0), |_| json!(["x"])),
        ] {
            scene.check(scene.proof().claim(name, wrong)).await.proof_refused(&format!("{name} (check 3)"));
        }
    }
    scene.check(scene.proof().claim("iat", "1800000000")).await.proof_refused("iat (check 3)");
    scene.check(scene.proof().claim("iat", 1_800_000_000.5)).await.passes();
}

#[tokio::test]
async fn the_type_is_dpop_jwt_rfc9449_4_3_4() {
    let scene = Scene::new();
    for typ in [json!("JWT"), json!("at+jwt"), json!("dpop"), json!(""), json!(null), json!(["dpop+jwt"])] {
        scene.check(scene.proof().header("typ", typ)).await.proof_refused("(check 4)");
    }
    scene.check(scene.proof().without_header("typ")).await.proof_refused("(check 4)");
    scene.check(scene.proof().header("typ", "application/DPoP+jwt")).await.passes();
}

#[tokio::test]
async fn the_algorithm_is_asymmetric_and_accepted_rfc9449_4_3_5() {
    let scene = Scene::new();
    for algorithm in ["none", "None", "HS256", "HS512", "RSA-OAEP", "es256", "", "ES256K"] {
        scene.check(scene.proof().header("alg", algorithm)).await.proof_refused("(check 5)");
    }
    scene.check(scene.proof().without_header("alg")).await.proof_refused("(check 5)");
    let only = Dpop::new("https://api.test", MemoryStore::new()).algorithms([Algorithm::EdDsa]);
    let key = TestDpopKey::generate().at(NOW);
    let scene = Scene::of(key.clone(), Some(bound_to(&key)), |auth| auth.dpop(only));
    let answer = scene.check(scene.proof()).await;
    assert_eq!(answer.status, 401);
    assert!(answer.challenges()[1].ends_with(", algs=\"EdDSA\""));
}

#[tokio::test]
async fn each_asymmetric_algorithm_works_rfc9449_4_3_5() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let key = TestDpopKey::with_algorithm(algorithm).at(NOW);
        let dpop = Dpop::new("https://api.test", MemoryStore::new());
        let scene = Scene::of(key.clone(), Some(bound_to(&key)), |auth| auth.dpop(dpop));
        scene.check(scene.proof()).await.passes();
    }
}

#[tokio::test]
async fn the_signature_is_that_of_the_jwk_rfc9449_4_3_6() {
    let scene = Scene::new();
    let other = TestDpopKey::generate();
    scene.check(scene.proof().signed_by(&other)).await.proof_refused("(check 6)");
    scene.check(scene.proof().without_header("jwk")).await.proof_refused("(check 6)");
    for jwk in [
        json!("x"),
        json!(null),
        json!({}),
        json!({"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}),
        json!({"kty": "oct"}),
        json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
    ] {
        scene.check(scene.proof().header("jwk", jwk)).await.proof_refused("(check 6)");
    }
    // A key that names another algorithm, or another use, than that of the proof.
    for (name, value) in [("alg", json!("ES384")), ("use", json!("enc")), ("key_ops", json!(["sign"]))] {
        let mut jwk = scene.key.jwk();
        jwk[name] = value;
        scene.check(scene.proof().header("jwk", jwk)).await.proof_refused("(check 6)");
    }
    // Every byte of the signature counts.
    let proof = scene.proof().sign();
    let (signed, signature) = proof.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    scene.with_proof(&format!("{signed}.{flipped}{}", &signature[1..])).await.proof_refused("(check 6)");
    scene.with_proof(&format!("{signed}.")).await.proof_refused("(check 6)");
}

#[tokio::test]
async fn the_jwk_is_not_private_rfc9449_4_3_7() {
    let scene = Scene::new();
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
        for value in [json!("AQ"), json!(null), json!([])] {
            let mut jwk = scene.key.jwk();
            jwk[name] = value;
            scene.check(scene.proof().header("jwk", jwk)).await.proof_refused("(check 7)");
        }
    }
}

#[tokio::test]
async fn the_method_is_that_of_the_request_rfc9449_4_3_8() {
    let scene = Scene::new();
    for method in ["POST", "get", "HEAD", "GET ", "*"] {
        scene.check(scene.proof().claim("htm", method)).await.proof_refused("(check 8)");
    }
}

#[tokio::test]
async fn the_nonce_is_ours_rfc9449_4_3_10() {
    let dpop = Dpop::new("https://api.test", MemoryStore::new()).nonces(DpopNonces::new());
    let scene = Scene::with(dpop);
    let answer = scene.check(scene.proof()).await;
    answer.refused(RejectionKind::UseDpopNonce, "(check 10)");
    let nonce = answer.headers["dpop-nonce"].to_str().unwrap();
    scene.check(scene.proof().nonce("invented")).await.refused(RejectionKind::UseDpopNonce, "(check 10)");
    scene.check(scene.proof().nonce(nonce)).await.passes();
    // Where nobody handed out a nonce, none is asked for, and one that is there is not looked at.
    let scene = Scene::new();
    scene.check(scene.proof().nonce("whatever")).await.passes();
}

#[tokio::test]
async fn the_date_lies_in_the_window_rfc9449_4_3_11() {
    let scene = Scene::new();
    let at = |offset: i64| scene.proof().claim("iat", 1_800_000_000 + offset);
    for offset in [-59, 0, 5] {
        scene.check(at(offset)).await.passes();
    }
    for offset in [-60, -3_600, 6, 3_600, -1_800_000_000, i64::MAX - 1_800_000_000] {
        scene.check(at(offset)).await.proof_refused("(check 11)");
    }
    for wild in [json!(-1), json!(1e300), json!(-1e300)] {
        scene.check(scene.proof().claim("iat", wild)).await.proof_refused("(check 11)");
    }
    let dpop = Dpop::new("https://api.test", MemoryStore::new()).max_age(Duration::from_secs(300));
    let scene = Scene::with(dpop);
    scene.check(scene.proof().aged(Duration::from_secs(299))).await.passes();
    scene.check(scene.proof().aged(Duration::from_secs(300))).await.proof_refused("(check 11)");
}

#[tokio::test]
async fn the_token_is_the_one_that_was_hashed_rfc9449_4_3_12() {
    let scene = Scene::new();
    for token in ["another.token", "", "bound.to.a-ke"] {
        scene.check(scene.key.proof("GET", URL, token)).await.proof_refused("(check 12)");
    }
    scene.check(scene.proof().claim("ath", "x")).await.proof_refused("(check 12)");
    let plain = Value::from(TOKEN);
    scene.check(scene.proof().claim("ath", plain)).await.proof_refused("(check 12)");
}

/// By the clock that was set back, or by that of another instance, it is as good as new.
#[tokio::test]
async fn a_proof_is_remembered_for_longer_than_clocks_differ_rfc9449_11_1() {
    for nonces in [false, true] {
        let dpop = Dpop::new("https://api.test", MemoryStore::new());
        let secret = crate::secret::Secret::new([7; 32]);
        let nonce = DpopNonces::with_secret(secret.clone());
        let known = DpopNonces::with_secret(secret).build().unwrap().current(NOW);
        let scene = Scene::with(if nonces { dpop.nonces(nonce) } else { dpop });
        let proof = scene.proof().claim("nonce", known).sign();
        scene.clock.set_wall(NOW.saturating_add(Duration::from_secs(59)));
        scene.with_proof(&proof).await.passes();
        // The nonce lasts for two minutes, the date of a proof for one.
        scene.clock.advance(Duration::from_secs(if nonces { 62 } else { 2 }));
        scene.clock.set_wall(NOW.saturating_add(Duration::from_secs(31)));
        assert_eq!(scene.with_proof(&proof).await.status, StatusCode::UNAUTHORIZED, "nonces: {nonces}");
    }
}

#[tokio::test]
async fn the_key_is_the_one_that_the_token_is_bound_to_rfc9449_4_3_12() {
    let scene = Scene::new();
    let thief = TestDpopKey::generate().at(NOW);
    scene.check(thief.proof("GET", URL, TOKEN)).await.proof_refused("(check 12)");
}

#[tokio::test]
async fn a_proof_works_once_rfc9449_11_1() {
    let scene = Scene::new();
    let proof = scene.proof().sign();
    scene.with_proof(&proof).await.passes();
    scene.with_proof(&proof).await.proof_refused("used before");
    // Another proof with the same jti is the same, whatever else it says.
    scene.check(scene.proof().claim("jti", "once")).await.passes();
    scene.check(scene.proof().claim("jti", "once").claim("more", 1)).await.proof_refused("used before");
    // Until the end of the window, and then it is too old.
    scene.clock.advance(Duration::from_secs(59));
    scene.with_proof(&proof).await.proof_refused("used before");
    scene.clock.advance(Duration::from_secs(1));
    scene.with_proof(&proof).await.proof_refused("(check 11)");
}

/// A proof that does not hold must not use up the `jti` of one that does, nor any room.
#[tokio::test]
async fn what_does_not_hold_is_not_remembered_rfc9449_11_1() {
    let store = MemoryStore::new().seen_capacity(std::num::NonZeroUsize::MIN);
    let scene = Scene::with(Dpop::new("https://api.test", store));
    for _ in 0..3 {
        scene.check(scene.proof().claim("jti", "once").claim("htm", "PUT")).await.proof_refused("(check 8)");
    }
    scene.check(scene.proof().claim("jti", "once")).await.passes();
    let full = scene.check(scene.proof()).await;
    assert_eq!((full.status.as_u16(), full.challenges().len()), (503, 0));
}

/// The example of the standard, with its key, token, proof and date.
#[tokio::test]
async fn the_example_of_the_standard_holds_rfc9449_7_1() {
    const PROOF: &str = concat!(
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0Rs",
        "cEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2",
        "In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm9",
        "0ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVF",
        "FbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
    );
    let mut jkt = [0; 32];
    Base64UrlUnpadded::decode("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", &mut jkt).unwrap();
    let confirmation = Confirmation { dpop: Some(jkt), ..Confirmation::default() };
    let dpop = Dpop::new("https://resource.example.org", MemoryStore::new());
    let layer = AuthLayer::builder().tokens(Tokens(Some(confirmation))).dpop(dpop).build().unwrap();
    let app = |secs| {
        let context = RequestContextLayer::new().clock(ManualClock::at(Timestamp::from_secs(secs)));
        let stack = tower::ServiceBuilder::new().layer(context).layer(layer.clone());
        Router::new().route("/protectedresource", get(|| async {})).layer(stack)
    };
    let headers = [("authorization", "DPoP Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"), ("dpop", PROOF)];
    let late = app(1_562_262_618 + 60).oneshot(request("/protectedresource", &headers)).await.unwrap();
    assert_eq!(late.status(), 401);
    let response = app(1_562_262_618).oneshot(request("/protectedresource", &headers)).await.unwrap();
    assert_eq!(response.status(), 200, "{:?}", response.extensions().get::<Rejection>());
}
