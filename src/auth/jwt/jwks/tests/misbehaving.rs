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

#[tokio::test]
async fn after_a_shutdown_nothing_is_fetched_and_a_hanging_fetch_is_given_up() {
    let issuer = issuer();
    let clock = ManualClock::at(NOW);
    let source = Scripted::new(&issuer, Act::Answer);
    let verifier = from_source(&source, &clock);
    verifier.warm_up().await.unwrap();
    source.now_does(Act::Hang);
    let unknown = issuer.token("a").kid("unknown").sign();
    let waiting = tokio::spawn({
        let (verifier, unknown) = (verifier.clone(), unknown.clone());
        async move { verdict(&verifier, &unknown).await }
    });
    while source.calls() < 2 {
        tokio::task::yield_now().await;
    }
    let ended = tokio::time::timeout(Duration::from_millis(1_500), async {
        verifier.shutdown().await;
        waiting.await.unwrap()
    });
    let ended = ended.await.expect("the fetch or the request was waited for");
    assert_eq!(ended, Err(RejectionKind::BackendUnavailable));
    source.now_does(Act::Answer);
    clock.advance(Duration::from_secs(3_600));
    for _ in 0..2 {
        assert_eq!(verdict(&verifier, &unknown).await, Err(RejectionKind::BackendUnavailable));
    }
    assert_eq!(verdict(&verifier, &issuer.token("a").expires_in(Duration::from_secs(9_000)).sign()).await, Ok(()));
    assert_eq!(source.calls(), 2);
    verifier.shutdown().await;
}

#[tokio::test]
async fn the_last_clone_ends_a_fetch_that_hangs() {
    let issuer = issuer();
    let source = Scripted::new(&issuer, Act::Hang);
    let verifier = from_source(&source, &ManualClock::at(NOW));
    while source.calls() < 1 {
        tokio::task::yield_now().await;
    }
    drop(verifier);
    let ended = tokio::time::timeout(Duration::from_secs(2), async {
        while Arc::strong_count(&source) > 1 {
            tokio::task::yield_now().await;
        }
    });
    ended.await.expect("the fetch goes on for nobody");
}

/// A subscriber that asks for the health of the keys at every event, as one that feeds metrics may.
#[test]
fn whoever_hears_of_a_failure_may_ask_for_the_health() {
    use tracing_subscriber::{Layer, layer::SubscriberExt as _};

    struct Asks(Arc<Mutex<Option<JwtVerifier>>>, Arc<AtomicU64>);

    impl<S: tracing::Subscriber> Layer<S> for Asks {
        fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            let verifier = lock(&self.0).clone();
            if verifier.is_some_and(|verifier| verifier.key_set_health().last_error.is_some()) {
                self.1.fetch_add(1, Relaxed);
            }
        }
    }

    let (slot, heard) = (Arc::new(Mutex::new(None)), Arc::new(AtomicU64::new(0)));
    let subscriber = tracing_subscriber::registry().with(Asks(Arc::clone(&slot), Arc::clone(&heard)));
    let (done, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tracing::subscriber::with_default(subscriber, || {
            runtime.block_on(async {
                let source = Scripted::new(&issuer(), Act::Fail);
                let verifier = from_source(&source, &ManualClock::at(NOW));
                *lock(&slot) = Some(verifier.clone());
                assert!(verifier.warm_up().await.is_err());
            });
        });
        done.send(()).unwrap();
    });
    end.recv_timeout(Duration::from_secs(10)).expect("a lock was held while the event was written");
    assert_eq!(heard.load(Relaxed), 1);
}
