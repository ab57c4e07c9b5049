use bytes::Bytes;

use super::*;
use crate::{auth::jwt::FetchedKeys, store::BoxFuture};

/// What a source does at one call.
#[derive(Clone, Copy, Debug)]
enum Act {
    Answer,
    Fail,
    Hang,
    Panic,
}

/// Does what it is told, and counts.
#[derive(Debug)]
struct Scripted {
    issuer: TestIssuer,
    act: Mutex<Act>,
    calls: AtomicU64,
}

impl Scripted {
    fn new(issuer: &TestIssuer, act: Act) -> Arc<Self> {
        Arc::new(Self { issuer: issuer.clone(), act: Mutex::new(act), calls: AtomicU64::new(0) })
    }

    fn now_does(&self, act: Act) {
        *lock(&self.act) = act;
    }

    fn calls(&self) -> u64 {
        self.calls.load(Relaxed)
    }
}

impl KeySource for Scripted {
    fn fetch(&self) -> BoxFuture<'_, Result<FetchedKeys, KeySourceError>> {
        self.calls.fetch_add(1, Relaxed);
        let act = *lock(&self.act);
        Box::pin(async move {
            // Others get to run meanwhile, as over a network.
            tokio::time::sleep(Duration::from_millis(20)).await;
            match act {
                Act::Answer => Ok(FetchedKeys { jwks: Bytes::from(self.issuer.jwks().to_string()), max_age: None }),
                Act::Fail => Err(KeySourceError::Status(500)),
                Act::Hang => std::future::pending().await,
                Act::Panic => panic!("a source that panics"),
            }
        })
    }
}

#[tokio::test]
async fn a_source_that_hangs_delays_no_known_key() {
    let issuer = issuer();
    let source = Scripted::new(&issuer, Act::Answer);
    let verifier = from_source(&source, &ManualClock::at(NOW));
    verifier.warm_up().await.unwrap();
    source.now_does(Act::Hang);
    let stuck = {
        let (verifier, token) = (verifier.clone(), issuer.token("a").kid("unknown").sign());
        tokio::spawn(async move { verdict(&verifier, &token).await })
    };
    while source.calls() < 2 {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        assert_eq!(at_once(&verifier, &issuer.token("a").sign()), Some(Ok(())));
    }
    // Who waits, waits two seconds, and nobody knows whether the token was good.
    assert_eq!(stuck.await.unwrap(), Err(RejectionKind::BackendUnavailable));
    assert_eq!(source.calls(), 2);
}

#[tokio::test]
async fn a_cancelled_request_cancels_no_fetch() {
    let issuer = issuer();
    let source = Scripted::new(&issuer, Act::Answer);
    let verifier = from_source(&source, &ManualClock::at(NOW));
    verifier.warm_up().await.unwrap();
    issuer.rotate();
    let token = issuer.token("a").sign();
    let impatient = tokio::time::timeout(Duration::from_millis(1), verdict(&verifier, &token)).await;
    assert!(impatient.is_err(), "the client went away");
    while verifier.key_set_health().keys < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(at_once(&verifier, &token), Some(Ok(())));
    assert_eq!(source.calls(), 2);
}

#[tokio::test]
async fn an_outage_touches_no_known_key_and_is_no_denial() {
    let issuer = issuer();
    let clock = ManualClock::at(NOW);
    let source = Scripted::new(&issuer, Act::Answer);
    let verifier = from_source(&source, &clock);
    verifier.warm_up().await.unwrap();
    source.now_does(Act::Fail);
    let unknown = issuer.token("a").kid("new").sign();
    assert_eq!(verdict(&verifier, &unknown).await, Err(RejectionKind::BackendUnavailable));
    assert_eq!(at_once(&verifier, &issuer.token("a").sign()), Some(Ok(())));
    assert!(matches!(verifier.key_set_health().last_error, Some(KeySourceError::Status(500))));
    // The back-off holds: many more cost nothing.
    let calls = source.calls();
    for i in 0..100 {
        let token = issuer.token("a").kid(&i.to_string()).sign();
        assert_eq!(verdict(&verifier, &token).await, Err(RejectionKind::BackendUnavailable));
    }
    assert_eq!(source.calls(), calls);
    // It ends by itself.
    source.now_does(Act::Answer);
    clock.advance(Duration::from_secs(61));
    while verifier.key_set_health().last_error.is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(verdict(&verifier, &issuer.token("a").sign()).await, Ok(()));
}

#[tokio::test]
async fn keys_older_than_a_day_are_not_used() {
    let issuer = issuer();
    let clock = ManualClock::at(NOW);
    let source = Scripted::new(&issuer, Act::Answer);
    let verifier = from_source(&source, &clock);
    verifier.warm_up().await.unwrap();
    source.now_does(Act::Fail);
    let token = issuer.token("a").expires_in(Duration::from_secs(200_000)).sign();
    let day = Duration::from_secs(24 * 3_600);
    clock.advance(day);
    assert!(verify_at(&verifier, &token, NOW.saturating_add(day)).await.is_ok());
    clock.advance(Duration::from_secs(1));
    let later = NOW.saturating_add(day).saturating_add(Duration::from_secs(1));
    let kind = verify_at(&verifier, &token, later).await.unwrap_err().kind();
    assert_eq!(kind, RejectionKind::BackendUnavailable);
    assert_eq!(verifier.key_set_age(), Some(day + Duration::from_secs(1)));
}

#[tokio::test]
async fn a_source_that_panics_has_failed() {
    let issuer = issuer();
    let clock = ManualClock::at(NOW);
    let source = Scripted::new(&issuer, Act::Panic);
    let verifier = from_source(&source, &clock);
    assert!(matches!(verifier.warm_up().await, Err(KeySourceError::Stopped)));
    assert_eq!(verdict(&verifier, &issuer.token("a").sign()).await, Err(RejectionKind::BackendUnavailable));
    source.now_does(Act::Answer);
    clock.advance(Duration::from_secs(61));
    assert_eq!(verdict(&verifier, &issuer.token("a").sign()).await, Ok(()));
}

#[tokio::test]
async fn scheduled_fetches_do_not_starve() {
    let issuer = issuer();
    let clock = ManualClock::at(NOW);
    let source = Scripted::new(&issuer, Act::Answer);
    let verifier = from_source(&source, &clock);
    verifier.warm_up().await.unwrap();
    for i in 0..20 {
        let _ = verdict(&verifier, &issuer.token("a").kid(&i.to_string()).sign()).await;
    }
    assert_eq!(source.calls(), 3, "the senders' budget is spent");
    clock.advance(Duration::from_secs(480));
    while source.calls() < 4 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_last_clone_and_shutdown_end_the_fetching() {
    let issuer = issuer();
    let source = Scripted::new(&issuer, Act::Answer);
    let verifier = from_source(&source, &ManualClock::at(NOW));
    verifier.warm_up().await.unwrap();
    let clone = verifier.clone();
    drop(verifier);
    assert!(Arc::strong_count(&source) > 1);
    clone.shutdown().await;
    assert_eq!(verdict(&clone, &issuer.token("a").sign()).await, Ok(()), "the keys stay");
    drop(clone);
    while Arc::strong_count(&source) > 1 {
        tokio::task::yield_now().await;
    }
}
