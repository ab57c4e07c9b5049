//! Nonces of the server (RFC 9449 §8, §9).

use super::*;

fn scene() -> Scene {
    Scene::with(Dpop::new("https://api.test", MemoryStore::new()).nonces(DpopNonces::new()))
}

fn nonce(answer: &Answer) -> String {
    let mut lines = answer.headers.get_all("dpop-nonce").iter();
    let nonce = lines.next().unwrap().to_str().unwrap().to_owned();
    assert!(lines.next().is_none());
    assert_eq!(answer.headers["cache-control"], "no-store");
    nonce
}

#[tokio::test]
async fn a_client_is_told_the_nonce_and_then_the_next_one_rfc9449_9() {
    let scene = scene();
    let first = nonce(scene.check(scene.proof()).await.refused(RejectionKind::UseDpopNonce, "nonce"));
    let passed = scene.check(scene.proof().nonce(&first)).await;
    assert!(!passed.passes().headers.contains_key("dpop-nonce"));
    // In the next period the old one still works, and the response tells the new one.
    scene.clock.advance(Duration::from_secs(60));
    let passed = scene.check(scene.proof().nonce(&first)).await;
    let second = nonce(passed.passes());
    assert_ne!(first, second);
    scene.check(scene.proof().nonce(&second)).await.passes();
    scene.clock.advance(Duration::from_secs(60));
    scene.check(scene.proof().nonce(&first)).await.refused(RejectionKind::UseDpopNonce, "nonce");
}

#[tokio::test]
async fn with_a_nonce_the_clients_clock_plays_no_part_rfc9449_11_1() {
    let scene = scene();
    let nonce = nonce(&scene.check(scene.proof()).await);
    scene.check(scene.proof().nonce(&nonce).aged(Duration::from_secs(86_400))).await.passes();
    let proof = scene.proof().nonce(&nonce).claim("iat", 4_000_000_000_u64).sign();
    scene.with_proof(&proof).await.passes();
    // It is remembered for as long as the nonce is taken.
    scene.clock.advance(Duration::from_secs(119));
    scene.with_proof(&proof).await.proof_refused("used before");
    scene.clock.advance(Duration::from_secs(1));
    scene.with_proof(&proof).await.refused(RejectionKind::UseDpopNonce, "nonce");
}

#[tokio::test]
async fn every_refused_proof_is_told_the_nonce_rfc9449_8() {
    let scene = scene();
    nonce(scene.check(scene.proof().claim("htm", "PUT")).await.proof_refused("(check 8)"));
    nonce(scene.with_proof("garbage").await.proof_refused("(check 2)"));
}

#[tokio::test]
async fn a_handlers_cache_control_gives_way_rfc9449_8_2() {
    let key = TestDpopKey::generate().at(NOW);
    let clock = ManualClock::at(NOW);
    let dpop = Dpop::new("https://api.test", MemoryStore::new()).nonces(DpopNonces::new());
    let layer = AuthLayer::builder().tokens(Tokens(Some(bound_to(&key)))).dpop(dpop).build().unwrap();
    let context = RequestContextLayer::new().clock(clock.clone());
    let cached = || async { [("cache-control", "max-age=3600")] };
    let app =
        Router::new().route("/orders", get(cached)).layer(tower::ServiceBuilder::new().layer(context).layer(layer));
    let ask = async |proof: String| {
        let headers = [("authorization", format!("DPoP {TOKEN}")), ("dpop", proof)];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        app.clone().oneshot(request("/orders", &headers)).await.unwrap()
    };
    let told = ask(key.proof("GET", URL, TOKEN).sign()).await.headers()["dpop-nonce"].to_str().unwrap().to_owned();
    let passed = ask(key.proof("GET", URL, TOKEN).nonce(&told).sign()).await;
    assert_eq!(passed.headers()["cache-control"], "max-age=3600");
    clock.advance(Duration::from_secs(60));
    let passed = ask(key.proof("GET", URL, TOKEN).nonce(&told).sign()).await;
    let lines: Vec<&str> =
        passed.headers().get_all("cache-control").iter().map(|line| line.to_str().unwrap()).collect();
    assert_eq!((passed.status().as_u16(), lines), (200, vec!["no-store"]));
}
