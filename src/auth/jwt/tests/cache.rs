//! Tokens that are remembered.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;

use crate::{
    auth::{
        accepted::Checked,
        jwt::{
            Algorithm, FetchedKeys, Issuer, JwtVerifier, KeySource, KeySourceError, PublicKey, SignatureVerifier,
            TokenCache, UnusableKey, VerifierFactory,
            cache::VerifiedTokens,
            key::{Key, Material},
            verifier::BuiltIn,
        },
    },
    identity::{Confirmation, Principal, PrincipalParts},
    rejection::RejectionKind,
    store::BoxFuture,
    testing::TestIssuer,
    time::{ManualClock, Timestamp},
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const URL: &str = "https://issuer.test";
const AUDIENCE: &str = "https://api.test";

/// Counts the signatures that are verified.
#[derive(Debug, Default)]
struct Counting(Arc<AtomicU64>);

#[derive(Debug)]
struct Counted(Arc<dyn SignatureVerifier>, Arc<AtomicU64>);

impl SignatureVerifier for Counted {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.1.fetch_add(1, Relaxed);
        self.0.verify(message, signature)
    }
}

impl VerifierFactory for Counting {
    fn verifier(&self, algorithm: Algorithm, key: &PublicKey<'_>) -> Result<Arc<dyn SignatureVerifier>, UnusableKey> {
        Ok(Arc::new(Counted(BuiltIn.verifier(algorithm, key)?, Arc::clone(&self.0))))
    }
}

/// The keys of an issuer, as they are when asked.
#[derive(Debug)]
struct Published(TestIssuer, AtomicU64);

impl KeySource for Published {
    fn fetch(&self) -> BoxFuture<'_, Result<FetchedKeys, KeySourceError>> {
        self.1.fetch_add(1, Relaxed);
        let jwks = Bytes::from(self.0.jwks().to_string());
        Box::pin(async move { Ok(FetchedKeys { jwks, max_age: None }) })
    }
}

struct Setting {
    issuer: TestIssuer,
    clock: ManualClock,
    signatures: Arc<AtomicU64>,
    source: Arc<Published>,
}

impl Setting {
    fn new() -> Self {
        let clock = ManualClock::at(NOW);
        let issuer = TestIssuer::new(URL).clock(clock.clone());
        let source = Arc::new(Published(issuer.clone(), AtomicU64::new(0)));
        Self { issuer, clock, signatures: Arc::default(), source }
    }

    async fn verifier(&self, settings: impl FnOnce(Issuer) -> Issuer) -> JwtVerifier {
        let issuer = Issuer::new(URL).audience(AUDIENCE).key_source(self.source.clone()).clock(self.clock.clone());
        let factory = Arc::new(Counting(Arc::clone(&self.signatures)));
        let verifier = settings(issuer.verifiers(factory)).build().unwrap();
        verifier.warm_up().await.unwrap();
        verifier
    }

    fn signatures(&self) -> u64 {
        self.signatures.load(Relaxed)
    }
}

fn at(verifier: &JwtVerifier, token: &str, now: Timestamp) -> Result<(), RejectionKind> {
    match verifier.verify(token, now) {
        Checked::Ready(result) => result.map(|_| ()).map_err(|rejection| rejection.kind()),
        Checked::Wait(_) => panic!("the keys are there"),
    }
}

fn after(seconds: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_secs(seconds))
}

#[tokio::test]
async fn a_token_seen_again_costs_no_signature() {
    let setting = Setting::new();
    let verifier = setting.verifier(|issuer| issuer).await;
    let token = setting.issuer.token("usr_1").sign();
    for _ in 0..100 {
        assert_eq!(at(&verifier, &token, NOW), Ok(()));
    }
    assert_eq!((setting.signatures(), verifier.cached_tokens()), (1, 1));
    let without = setting.verifier(Issuer::without_token_cache).await;
    for _ in 0..10 {
        assert_eq!(at(&without, &token, NOW), Ok(()));
    }
    assert_eq!((setting.signatures(), without.cached_tokens()), (11, 0));
}

/// ory/oathkeeper PR 968: an entry whose life was renewed by its use kept a token alive for ever.
#[tokio::test]
async fn use_does_not_renew_a_memory() {
    let setting = Setting::new();
    let verifier = setting.verifier(|issuer| issuer).await;
    let token = setting.issuer.token("usr_1").sign();
    for second in 0..60 {
        assert_eq!(at(&verifier, &token, after(second)), Ok(()));
    }
    assert_eq!(setting.signatures(), 1);
    assert_eq!(at(&verifier, &token, after(60)), Ok(()));
    assert_eq!(setting.signatures(), 2, "a minute after it was verified, whatever happened meanwhile");
    let short = setting.verifier(|issuer| issuer.token_cache(TokenCache::new().ttl(Duration::from_secs(5)))).await;
    for (second, signatures) in [(0, 3), (4, 3), (5, 4), (9, 4), (10, 5)] {
        assert_eq!(at(&short, &token, after(second)), Ok(()));
        assert_eq!(setting.signatures(), signatures, "after {second} s");
    }
}

#[tokio::test]
async fn exp_ends_a_token_that_is_remembered() {
    let setting = Setting::new();
    let verifier = setting.verifier(|issuer| issuer.leeway(Duration::from_secs(5))).await;
    let token = setting.issuer.token("usr_1").expires_in(Duration::from_secs(10)).sign();
    for second in [0, 9, 14] {
        assert_eq!(at(&verifier, &token, after(second)), Ok(()));
    }
    assert_eq!(setting.signatures(), 1);
    assert_eq!(at(&verifier, &token, after(15)), Err(RejectionKind::TokenExpired));
}

#[tokio::test]
async fn a_clock_that_is_set_back_finds_nothing_remembered() {
    let setting = Setting::new();
    let verifier = setting.verifier(|issuer| issuer).await;
    let token = setting.issuer.token("usr_1").not_before_in(Duration::from_secs(20)).sign();
    assert_eq!(at(&verifier, &token, after(20)), Ok(()));
    assert_eq!(
        at(&verifier, &token, NOW.saturating_sub(Duration::from_secs(20))),
        Err(RejectionKind::TokenNotYetValid)
    );
}

/// dadrus/heimdall 3445: what one rule had accepted, another one took from the shared cache.
#[tokio::test]
async fn what_one_verifier_remembers_another_does_not_know() {
    let setting = Setting::new();
    let lax = setting.verifier(|issuer| issuer.audience("other")).await;
    let strict = setting.verifier(|issuer| issuer).await;
    let token = setting.issuer.token("usr_1").audience("other").sign();
    assert_eq!(at(&lax, &token, NOW), Ok(()));
    assert_eq!(at(&strict, &token, NOW), Err(RejectionKind::InvalidToken));
}

async fn refreshed(setting: &Setting, verifier: &JwtVerifier) {
    let (fetches, loads) = (setting.source.1.load(Relaxed), verifier.key_set_health().changes);
    setting.clock.advance(Duration::from_secs(480));
    while setting.source.1.load(Relaxed) == fetches || verifier.key_set_age() != Some(Duration::ZERO) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(verifier.key_set_health().changes >= loads);
}

#[tokio::test]
async fn a_token_ends_with_the_key_that_signed_it() {
    let setting = Setting::new();
    let verifier = setting.verifier(|issuer| issuer).await;
    let old = setting.issuer.token("usr_1").sign();
    assert_eq!(at(&verifier, &old, NOW), Ok(()));
    setting.issuer.rotate();
    refreshed(&setting, &verifier).await;
    let new = setting.issuer.token("usr_1").sign();
    assert_eq!(at(&verifier, &new, after(480)), Ok(()));
    // Both are published: the set is another one, the key is the same.
    let now = after(481);
    assert_eq!(at(&verifier, &setting.issuer.token("usr_2").sign(), now), Ok(()));
    setting.issuer.retire_old_keys();
    let remembered = setting.issuer.token("usr_3").sign();
    assert_eq!(at(&verifier, &remembered, now), Ok(()));
    let before = setting.signatures();
    refreshed(&setting, &verifier).await;
    assert_eq!(at(&verifier, &remembered, now), Ok(()), "of the key that stayed");
    assert_eq!(setting.signatures(), before);
    match verifier.verify(&old, NOW) {
        Checked::Ready(Ok(_)) => panic!("of the key that is gone"),
        Checked::Ready(Err(rejection)) => assert_eq!(rejection.kind(), RejectionKind::InvalidToken),
        Checked::Wait(result) => assert_eq!(result.await.unwrap_err().kind(), RejectionKind::InvalidToken),
    }
}

#[tokio::test]
async fn a_refresh_that_brings_the_same_keys_forgets_nothing() {
    let setting = Setting::new();
    let verifier = setting.verifier(|issuer| issuer).await;
    let token = setting.issuer.token("usr_1").sign();
    assert_eq!(at(&verifier, &token, NOW), Ok(()));
    refreshed(&setting, &verifier).await;
    assert_eq!(at(&verifier, &token, after(1)), Ok(()));
    assert_eq!((setting.signatures(), verifier.key_set_health().changes), (1, 1));
}

/// Whatever lets such a token in, and whoever checks the proof.
#[test]
fn what_must_be_proven_each_time_is_never_remembered() {
    #[derive(Debug)]
    struct Any;

    impl SignatureVerifier for Any {
        fn verify(&self, _: &[u8], _: &[u8]) -> bool {
            true
        }
    }

    let key = Key { kid: None, algorithm: Algorithm::Es256, material: Material::Public(Arc::new(Any)) };
    let token = format!("eyJ0.eyJ0.{}", "A".repeat(86));
    let bindings = [
        Confirmation { dpop: Some([7; 32]), ..Confirmation::default() },
        Confirmation { certificate: Some([7; 32]), ..Confirmation::default() },
        Confirmation { other: true, ..Confirmation::default() },
    ];
    for (confirmation, remembered) in bindings.map(|bound| (Some(bound), 0)).into_iter().chain([(None, 1)]) {
        let verified = VerifiedTokens::new(TokenCache::new(), Duration::ZERO);
        let parts = PrincipalParts {
            subject: "usr_1".into(),
            expires_at: Some(after(900)),
            confirmation: confirmation.clone(),
            ..PrincipalParts::default()
        };
        let digest = verified.digest(token.as_bytes(), 86, &key).unwrap();
        verified.remember(digest, token.len(), &Principal::new(parts), &key, None, NOW);
        assert_eq!(verified.len(), remembered, "{confirmation:?}");
        assert_eq!(verified.find(&digest, None, NOW).is_some(), remembered == 1);
    }
}

/// What the layer in front has checked, it has checked of one request.
#[tokio::test]
async fn bound_tokens_are_not_remembered_by_who_takes_them_unproven() {
    let setting = Setting::new();
    let verifier = setting.verifier(Issuer::dangerously_accept_bound_tokens).await;
    let token = setting.issuer.token("usr_1").claim("cnf", serde_json::json!({ "kid": "x" })).sign();
    for _ in 0..2 {
        assert_eq!(at(&verifier, &token, NOW), Ok(()));
    }
    assert_eq!((setting.signatures(), verifier.cached_tokens()), (2, 0));
}

#[tokio::test]
async fn refusals_and_garbage_are_not_remembered() {
    let setting = Setting::new();
    let verifier = setting.verifier(|issuer| issuer).await;
    let token = || setting.issuer.token("usr_1");
    for bad in [token().tampered(), token().expired(), token().audience("x"), token().unsigned()] {
        let bad = bad.sign();
        for _ in 0..2 {
            assert!(at(&verifier, &bad, NOW).is_err());
        }
    }
    assert!(at(&verifier, "eyJ.eyJ.x", NOW).is_err() && at(&verifier, "", NOW).is_err());
    assert_eq!(verifier.cached_tokens(), 0);
}

/// A byte more or less, and it is another token.
#[tokio::test]
async fn only_the_very_token_is_recognised() {
    let setting = Setting::new();
    let verifier = setting.verifier(|issuer| issuer).await;
    let token = setting.issuer.token("usr_1").sign();
    assert_eq!(at(&verifier, &token, NOW), Ok(()));
    for index in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        let Ok(other) = String::from_utf8(bytes) else { continue };
        match verifier.verify(&other, NOW) {
            Checked::Ready(result) => assert!(result.is_err(), "byte {index}"),
            Checked::Wait(result) => assert!(result.await.is_err(), "byte {index}"),
        }
    }
    for other in [format!("{token}="), format!("{token}A"), format!(" {token}"), token[..token.len() - 1].to_owned()] {
        assert!(at(&verifier, &other, NOW).is_err());
    }
}

#[tokio::test]
async fn a_shared_secret_is_asked_each_time() {
    let clock = ManualClock::at(NOW);
    let issuer = TestIssuer::with_algorithm(URL, Algorithm::Hs256).clock(clock);
    let verifier = issuer.verifier();
    let token = issuer.token("usr_1").sign();
    assert_eq!(at(&verifier, &token, NOW), Ok(()));
    assert_eq!(verifier.cached_tokens(), 0);
    issuer.rotate();
    issuer.retire_old_keys();
    assert_eq!(at(&verifier, &token, NOW), Err(RejectionKind::InvalidSignature), "the secret was withdrawn");
}

/// Whoever can obtain many tokens fills no memory.
#[tokio::test]
async fn the_bound_holds_under_a_spray_of_good_tokens() {
    let setting = Setting::new();
    let capacity = NonZeroUsize::new(64).unwrap();
    let verifier = setting.verifier(|issuer| issuer.token_cache(TokenCache::new().capacity(capacity))).await;
    let token = setting.issuer.token("usr_1");
    for number in 0..500 {
        assert_eq!(at(&verifier, &token.clone().claim("n", number).sign(), NOW), Ok(()));
        assert!(verifier.cached_tokens() <= 64);
    }
    // Large ones take more room: each of these that of five.
    let verifier = setting.verifier(|issuer| issuer.token_cache(TokenCache::new().capacity(capacity))).await;
    for number in 0..100 {
        let large = token.clone().claim("pad", "x".repeat(3_000)).claim("n", number).sign();
        assert_eq!(at(&verifier, &large, NOW), Ok(()));
    }
    assert!((1..=64 / 5).contains(&verifier.cached_tokens()), "{}", verifier.cached_tokens());
}

#[test]
fn settings_that_make_no_sense_are_mistakes() {
    for ttl in [Duration::ZERO, Duration::from_secs(601)] {
        let issuer = TestIssuer::new(URL).issuer().token_cache(TokenCache::new().ttl(ttl));
        assert_eq!(issuer.build().unwrap_err().issues()[0].field, "token_cache");
    }
}

/// Many threads, one verifier: a hit is a hit, and every answer is the truth.
#[tokio::test]
async fn many_threads_share_what_is_remembered() {
    let setting = Setting::new();
    let verifier = setting.verifier(|issuer| issuer).await;
    let tokens: Vec<String> = (0..20).map(|n| setting.issuer.token(&format!("usr_{n}")).sign()).collect();
    let wrong = Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..50 {
                    for (number, token) in tokens.iter().enumerate() {
                        match verifier.verify(token, after(round)) {
                            Checked::Ready(Ok(accepted)) if accepted.principal.subject() == format!("usr_{number}") => {
                            }
                            _ => *wrong.lock().unwrap() += 1,
                        }
                    }
                }
            });
        }
    });
    assert_eq!(*wrong.lock().unwrap(), 0);
    assert!(setting.signatures() <= 20 * 4, "{}", setting.signatures());
}
