//! Which tokens need which proof, wherever they come from.

use super::*;
use crate::auth::api_key::{ApiKey, ApiKeyFormat, ApiKeyRecord, KeyHasher};
use crate::store::{BoxFuture, SeenKey, SeenStore, Sighting, StoreError};

fn dpop() -> Dpop {
    Dpop::new("https://api.test", MemoryStore::new())
}

fn key() -> TestDpopKey {
    TestDpopKey::generate().at(NOW)
}

async fn bearer(scene: &Scene) -> Answer {
    scene.send(request("/orders", &[("authorization", &format!("Bearer {TOKEN}"))])).await
}

#[track_caller]
fn invalid_token(answer: &Answer, source: &str) {
    let rejection = answer.rejection.as_ref().unwrap();
    assert_eq!((answer.status.as_u16(), rejection.kind()), (401, RejectionKind::InvalidToken));
    assert!(rejection.source().unwrap().to_string().contains(source), "{rejection:?}");
}

#[tokio::test]
async fn a_bound_token_is_no_bearer_token_rfc9449_7_2() {
    let scene = Scene::new();
    let answer = bearer(&scene).await;
    invalid_token(&answer, "was sent as a bearer token");
    assert!(answer.challenges()[0].starts_with("Bearer realm=\"api\", error=\"invalid_token\""));
    assert!(answer.challenges()[1].starts_with("DPoP realm=\"api\", algs=\""));
    // A proof beside it does not help: the scheme says what is meant.
    let proof = scene.proof().sign();
    let sent = [("authorization", format!("Bearer {TOKEN}")), ("dpop", proof)];
    let headers: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (*name, value.as_str())).collect();
    invalid_token(&scene.send(request("/orders", &headers)).await, "was sent as a bearer token");
    assert_eq!(scene.layer.verdicts().rejected(RejectionKind::InvalidToken), 2);
}

/// Without anything that could check it, a bound token is refused all the same.
#[tokio::test]
async fn a_layer_without_proofs_refuses_bound_tokens_rfc7800_3() {
    let key = key();
    let scene = Scene::of(key.clone(), Some(bound_to(&key)), |auth| auth);
    let answer = bearer(&scene).await;
    invalid_token(&answer, "was sent as a bearer token");
    assert_eq!(answer.challenges().len(), 1);
    let proof = scene.proof().sign();
    let answer = scene.send(request("/orders", &[("authorization", &format!("DPoP {TOKEN}")), ("dpop", &proof)])).await;
    assert_eq!(answer.rejection.unwrap().kind(), RejectionKind::MissingCredentials);
}

#[tokio::test]
async fn an_unbound_token_is_not_for_the_dpop_scheme_rfc9449_7_1() {
    let scene = Scene::of(key(), None, |auth| auth.dpop(dpop()));
    bearer(&scene).await.passes();
    scene.check(scene.proof()).await.refused(RejectionKind::InvalidToken, "not bound to a DPoP key");
    assert_eq!(scene.layer.verdicts().rejected(RejectionKind::InvalidToken), 1);
}

#[tokio::test]
async fn an_unknown_binding_is_refused_rfc7800_3() {
    for confirmation in [
        Confirmation { other: true, ..Confirmation::default() },
        Confirmation::default(),
        Confirmation { other: true, ..bound_to(&key()) },
    ] {
        let scene = Scene::of(key(), Some(confirmation), |auth| auth.dpop(dpop()));
        invalid_token(&bearer(&scene).await, "cannot be checked here");
    }
}

#[tokio::test]
async fn where_only_bound_tokens_count_others_are_refused_rfc9700_2_2_1() {
    let scene = Scene::of(key(), None, |auth| auth.dpop(dpop()).only_bound_tokens());
    invalid_token(&bearer(&scene).await, "bound to nothing");
    let key = key();
    let scene = Scene::of(key.clone(), Some(bound_to(&key)), |auth| auth.dpop(dpop()).only_bound_tokens());
    scene.check(scene.proof()).await.passes();
}

/// A key is no token: nothing could bind it, under whichever name it is sent.
#[tokio::test]
async fn where_only_bound_tokens_count_api_keys_do_too() {
    let (store, format) = (MemoryStore::new(), ApiKeyFormat::new("acme", "test").unwrap());
    let issued = ApiKey::issue(&format, &KeyHasher::ephemeral(), ApiKeyRecord::builder("usr_key")).unwrap();
    store.insert_api_key(issued.record).unwrap();
    let secret = String::from_utf8(issued.secret.expose().to_vec()).unwrap();
    let scene = Scene::of(key(), None, |auth| auth.api_keys(store).dpop(dpop()).only_bound_tokens());
    scene.send(request("/orders", &[("x-api-key", &secret)])).await.passes();
    scene.send(request("/orders", &[("authorization", &format!("Bearer {secret}"))])).await.passes();
    invalid_token(&scene.send(request("/orders", &[("authorization", &format!("DPoP {secret}"))])).await, "not bound");
}

/// RFC 8705 §3: the certificate of the connection is the one that the token names.
#[tokio::test]
async fn a_token_of_a_certificate_needs_that_certificate_rfc8705_3() {
    let certificate = PeerCertificate::from_der(&b"a certificate"[..]);
    let confirmation = Confirmation { certificate: Some(*certificate.sha256()), ..Confirmation::default() };
    let scene = Scene::of(key(), Some(confirmation.clone()), |auth| auth);
    let ask = async |scene: &Scene, shown: Option<PeerCertificate>| {
        let mut request = request("/orders", &[("authorization", &format!("Bearer {TOKEN}"))]);
        if let Some(shown) = shown {
            request.extensions_mut().insert(shown);
        }
        scene.send(request).await
    };
    ask(&scene, Some(certificate.clone())).await.passes();
    invalid_token(&ask(&scene, None).await, "and there is none");
    invalid_token(&ask(&scene, Some(PeerCertificate::from_der(&b"another"[..]))).await, "another client certificate");
    // Bound to both: one of them is not enough.
    let key = key();
    let both = Confirmation { dpop: bound_to(&key).dpop, ..confirmation };
    let scene = Scene::of(key, Some(both), |auth| auth.dpop(dpop()));
    invalid_token(&ask(&scene, Some(certificate.clone())).await, "was sent as a bearer token");
    scene.check(scene.proof()).await.refused(RejectionKind::InvalidToken, "and there is none");
    let proof = scene.proof().sign();
    let mut request = request("/orders", &[("authorization", &format!("DPoP {TOKEN}")), ("dpop", &proof)]);
    request.extensions_mut().insert(certificate);
    scene.send(request).await.passes();
}

/// A store on another machine: it is awaited, and the proof is then judged once for each request.
#[derive(Debug)]
struct Far(MemoryStore, bool);

impl SeenStore for Far {
    fn see(&self, key: SeenKey, keep: Duration, now: Timestamp) -> BoxFuture<'_, Result<Sighting, StoreError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if self.1 { self.0.see(key, keep, now).await } else { Err(StoreError::TimedOut) }
        })
    }
}

#[tokio::test]
async fn a_store_that_must_be_awaited_is_awaited() {
    let scene = Scene::with(Dpop::new("https://api.test", Far(MemoryStore::new(), true)).nonces(DpopNonces::new()));
    for _ in 0..2 {
        let told = scene.check(scene.proof()).await;
        let nonce =
            told.refused(RejectionKind::UseDpopNonce, "nonce").headers["dpop-nonce"].to_str().unwrap().to_owned();
        let proof = scene.proof().nonce(nonce).sign();
        scene.with_proof(&proof).await.passes();
        scene.with_proof(&proof).await.proof_refused("used before");
    }
    let scene = Scene::with(Dpop::new("https://api.test", Far(MemoryStore::new(), false)));
    for _ in 0..2 {
        let answer = scene.check(scene.proof()).await;
        assert_eq!((answer.status.as_u16(), answer.challenges().len()), (503, 0));
        assert_eq!(answer.headers["retry-after"], "1");
    }
}

#[test]
fn every_mistake_of_a_configuration_is_named() {
    let fields = |dpop: Dpop| {
        let error = AuthLayer::builder().tokens(Tokens(None)).dpop(dpop).build().unwrap_err();
        error.issues().iter().map(|issue| issue.field.to_string()).collect::<Vec<_>>()
    };
    for origin in ["", "api.test", "ftp://api.test", "https://user@api.test", "https://api.test/?q", "https://a/#f"] {
        assert_eq!(fields(Dpop::new(origin, MemoryStore::new())), ["dpop.origin"], "{origin}");
    }
    assert_eq!(fields(dpop().max_age(Duration::from_secs(301))), ["dpop.max_age"]);
    assert_eq!(fields(dpop().max_age(Duration::ZERO).algorithms([])), ["dpop.max_age", "dpop.algorithms"]);
    assert_eq!(fields(dpop().algorithms([crate::auth::jwt::Algorithm::Hs256])), ["dpop.algorithms"]);
    let nonces = DpopNonces::with_secret(crate::secret::Secret::new("short"));
    assert_eq!(fields(dpop().nonces(nonces)), ["dpop.nonces.with_secret"]);
}
