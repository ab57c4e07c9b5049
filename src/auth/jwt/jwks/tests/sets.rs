//! What may stand in a set, and what then becomes of tokens.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::{auth::jwt::FetchedKeys, store::BoxFuture};

/// Serves what it is given.
#[derive(Debug)]
struct Sets {
    set: Mutex<Value>,
    calls: AtomicU64,
}

impl Sets {
    fn of(keys: &[Value]) -> Arc<Self> {
        Arc::new(Self { set: Mutex::new(json!({ "keys": keys })), calls: AtomicU64::new(0) })
    }

    fn now_has(&self, keys: &[Value]) {
        *lock(&self.set) = json!({ "keys": keys });
    }
}

impl KeySource for Sets {
    fn fetch(&self) -> BoxFuture<'_, Result<FetchedKeys, KeySourceError>> {
        self.calls.fetch_add(1, Relaxed);
        let jwks = Bytes::from(lock(&self.set).to_string());
        Box::pin(async move { Ok(FetchedKeys { jwks, max_age: None }) })
    }
}

/// The one key that an issuer publishes.
fn key_of(issuer: &TestIssuer) -> Value {
    issuer.jwks()["keys"][0].clone()
}

fn without_kid(mut key: Value) -> Value {
    key.as_object_mut().unwrap().remove("kid");
    key
}

#[tokio::test]
async fn one_bad_key_never_breaks_the_set() {
    let issuer = issuer();
    let private = {
        let mut key = key_of(&TestIssuer::new(URL));
        key["d"] = "AAAA".into();
        key
    };
    let bad = [
        json!({"kty": "oct", "kid": "a", "k": "AAAA"}),
        json!({"kty": "AKP", "alg": "ML-DSA-65", "kid": "b", "pub": "AAAA"}),
        json!({"kty": "EC", "crv": "P-521", "kid": "c", "x": "AAAA", "y": "AAAA"}),
        json!({"kty": "EC", "crv": "P-256", "kid": "d", "x": "AAAA", "y": "AAAA"}),
        json!({"kty": "RSA", "use": "enc", "kid": "e", "n": "AAAA", "e": "AQAB"}),
        json!({"kty": "RSA", "kid": "f", "n": "AAAA", "e": "AQAB"}),
        json!({"kty": "OKP", "crv": "X25519", "kid": "g", "x": "AAAA"}),
        json!({"kty": 1}),
        json!({}),
        json!(null),
        json!("key"),
        json!([]),
        private,
    ];
    for bad in &bad {
        let source = Sets::of(&[bad.clone(), key_of(&issuer), bad.clone()]);
        let verifier = from_source(&source, &ManualClock::at(NOW));
        assert_eq!(verdict(&verifier, &issuer.token("a").sign()).await, Ok(()), "beside {bad}");
        let health = verifier.key_set_health();
        assert_eq!((health.keys, health.skipped, health.usable), (1, 2, true), "{bad}");
        assert_eq!(health.skipped_because.len(), 1, "{health:?}");
        assert_eq!(health.skipped_because[0].1, 2);
    }
}

#[tokio::test]
async fn two_keys_with_one_kid_verify_nothing_and_break_no_other() {
    let (one, two, other) = (issuer(), issuer(), issuer());
    let mut twin = key_of(&two);
    twin["kid"] = one.current_kid().into();
    let verifier = from_source(&Sets::of(&[key_of(&one), twin, key_of(&other)]), &ManualClock::at(NOW));
    verifier.warm_up().await.unwrap();
    assert_eq!(verdict(&verifier, &other.token("a").sign()).await, Ok(()));
    for issuer in [&one, &two] {
        let token = issuer.token("a").kid(&one.current_kid()).sign();
        assert_eq!(at_once(&verifier, &token), Some(Err(RejectionKind::InvalidToken)), "which of them is meant?");
    }
    let health = verifier.key_set_health();
    assert_eq!(health.skipped_because, [("two keys have the same kid and algorithm: neither is used", 1)]);
}

#[tokio::test]
async fn a_token_without_kid_needs_the_only_key_that_fits() {
    let (one, two) = (issuer(), issuer());
    let source = Sets::of(&[key_of(&one)]);
    let verifier = from_source(&source, &ManualClock::at(NOW));
    verifier.warm_up().await.unwrap();
    let nameless = |issuer: &TestIssuer| issuer.token("a").without_header("kid").sign();
    assert_eq!(at_once(&verifier, &nameless(&one)), Some(Ok(())));
    source.now_has(&[key_of(&one), key_of(&two)]);
    // Has the two keys fetched.
    assert_eq!(verdict(&verifier, &two.token("a").sign()).await, Ok(()));
    for issuer in [&one, &two] {
        assert_eq!(at_once(&verifier, &nameless(issuer)), Some(Err(RejectionKind::InvalidToken)), "to try is to guess");
    }
}

#[tokio::test]
async fn a_token_without_kid_follows_a_rotation_within_the_budget() {
    let (one, two) = (issuer(), issuer());
    let clock = ManualClock::at(NOW);
    let source = Sets::of(&[without_kid(key_of(&one))]);
    let verifier = from_source(&source, &clock);
    verifier.warm_up().await.unwrap();
    let nameless = |issuer: &TestIssuer| issuer.token("a").without_header("kid").sign();
    assert_eq!(verdict(&verifier, &nameless(&one)).await, Ok(()));
    source.now_has(&[without_kid(key_of(&two))]);
    // Not the next request, but this one.
    assert_eq!(verdict(&verifier, &nameless(&two)).await, Ok(()));
    assert_eq!(source.calls.load(Relaxed), 2);
    // The old key is gone, also for what was remembered.
    assert_eq!(verdict(&verifier, &nameless(&one)).await, Err(RejectionKind::InvalidSignature));
    assert_eq!(source.calls.load(Relaxed), 3);
    // Whoever forges without a kid gets no more fetches than whoever invents kids.
    for _ in 0..50 {
        let forged = issuer().token("a").without_header("kid").sign();
        assert_eq!(verdict(&verifier, &forged).await, Err(RejectionKind::InvalidSignature));
    }
    assert_eq!(source.calls.load(Relaxed), 3);
    assert_eq!(verifier.key_set_health().fetches_denied, 50);
}

#[tokio::test]
async fn a_key_that_is_asked_for_before_it_is_published_works_thirty_seconds_after() {
    let (one, two) = (issuer(), issuer());
    let clock = ManualClock::at(NOW);
    let source = Sets::of(&[key_of(&one)]);
    let verifier = from_source(&source, &clock);
    verifier.warm_up().await.unwrap();
    let token = two.token("a").sign();
    assert_eq!(verdict(&verifier, &token).await, Err(RejectionKind::InvalidToken));
    clock.advance(Duration::from_secs(1));
    source.now_has(&[key_of(&one), key_of(&two)]);
    clock.advance(Duration::from_secs(28));
    assert_eq!(at_once(&verifier, &token), Some(Err(RejectionKind::InvalidToken)), "remembered as nobody's");
    assert_eq!(source.calls.load(Relaxed), 2);
    clock.advance(Duration::from_secs(1));
    assert_eq!(verdict(&verifier, &token).await, Ok(()));
}

/// Two random kids spend the budget just before; then others go on to invent them.
#[tokio::test]
async fn who_invents_kids_hides_a_new_key_for_thirty_seconds_and_no_longer() {
    let (one, two) = (issuer(), issuer());
    let clock = ManualClock::at(NOW);
    let source = Sets::of(&[key_of(&one)]);
    let verifier = from_source(&source, &clock);
    verifier.warm_up().await.unwrap();
    let token = two.token("a").sign();
    for round in 0..10 {
        let invented = (0..20).map(|number| one.token("a").kid(&format!("{round}-{number}")).sign());
        for invented in invented {
            let _ = verdict(&verifier, &invented).await;
        }
        assert_eq!(verdict(&verifier, &token).await, Err(RejectionKind::InvalidToken), "after {round} rounds");
        clock.advance(Duration::from_secs(30));
    }
    assert_eq!(source.calls.load(Relaxed), 12, "the first, two at once, and one in 30 s");
    let _ = verdict(&verifier, &one.token("a").kid("last").sign()).await;
    source.now_has(&[key_of(&one), key_of(&two)]);
    assert_eq!(verdict(&verifier, &token).await, Err(RejectionKind::InvalidToken));
    clock.advance(Duration::from_secs(30));
    let _ = verdict(&verifier, &one.token("a").kid("another").sign()).await;
    assert_eq!(verdict(&verifier, &token).await, Ok(()));
}

/// Its answers are a second old.
#[derive(Debug)]
struct Slow(Arc<Sets>, ManualClock);

impl KeySource for Slow {
    fn fetch(&self) -> BoxFuture<'_, Result<FetchedKeys, KeySourceError>> {
        let answer = self.0.fetch();
        Box::pin(async move {
            self.1.advance(Duration::from_secs(1));
            answer.await
        })
    }
}

#[tokio::test]
async fn what_is_unknown_is_so_from_when_the_source_was_asked() {
    let (one, two) = (issuer(), issuer());
    let clock = ManualClock::at(NOW);
    let source = Arc::new(Slow(Sets::of(&[key_of(&one)]), clock.clone()));
    let verifier = from_source(&source, &clock);
    verifier.warm_up().await.unwrap();
    let (token, asked) = (two.token("a").sign(), clock.now().monotonic);
    assert_eq!(verdict(&verifier, &token).await, Err(RejectionKind::InvalidToken));
    source.0.now_has(&[key_of(&one), key_of(&two)]);
    clock.advance(Duration::from_secs(29));
    assert_eq!(clock.now().monotonic, asked.saturating_add(Duration::from_secs(30)));
    assert_eq!(verdict(&verifier, &token).await, Ok(()));
}

#[tokio::test]
async fn a_token_with_kid_and_a_bad_signature_causes_no_fetch() {
    let one = issuer();
    let source = Sets::of(&[key_of(&one)]);
    let verifier = from_source(&source, &ManualClock::at(NOW));
    verifier.warm_up().await.unwrap();
    assert_eq!(at_once(&verifier, &one.token("a").tampered().sign()), Some(Err(RejectionKind::InvalidSignature)));
    assert_eq!(source.calls.load(Relaxed), 1);
}

#[tokio::test]
async fn a_layer_tells_how_it_stands_with_its_keys() {
    use crate::auth::AuthLayer;

    let one = issuer();
    let clock = ManualClock::at(NOW);
    let source = Sets::of(&[]);
    let layer = AuthLayer::builder().jwt(from_source(&source, &clock)).build().unwrap();
    assert!(matches!(layer.warm_up().await, Err(KeySourceError::NoUsableKey)));
    let health = layer.health();
    assert!(!health.is_usable());
    assert_eq!((health.issuers.len(), health.issuers[0].issuer.as_str()), (1, URL));
    let keys = &health.issuers[0].keys;
    assert_eq!((keys.fetches, keys.failures, keys.changes, keys.age), (1, 1, 0, None));
    source.now_has(&[key_of(&one)]);
    clock.advance(Duration::from_secs(61));
    while !layer.health().is_usable() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    layer.warm_up().await.unwrap();
    let health = layer.health();
    assert!(health.issuers[0].keys.last_error.is_none() && health.issuers[0].keys.changes == 1);
    // An outage is not yet a reason to take the service out of the rotation.
    source.now_has(&[]);
    clock.advance(Duration::from_secs(480));
    while layer.health().issuers[0].keys.failures < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(layer.health().is_usable());
}
