//! What is promised to callers with a known key, whatever others send and whatever the source does.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize},
    time::Instant,
};

use axum::{Router, routing::get};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use super::*;
use crate::{auth::jwt::FetchedKeys, store::BoxFuture};

/// A test may look at the clock: it measures.
#[allow(clippy::disallowed_methods, reason = "what is promised is a time")]
fn stop_watch() -> Instant {
    Instant::now()
}

/// A server that was warmed up, and its verifier.
struct Setting {
    issuer: TestIssuer,
    clock: ManualClock,
    verifier: JwtVerifier,
    server: crate::testing::TestServer,
}

impl Setting {
    async fn new() -> Self {
        let issuer = issuer();
        let server = issuer.serve().await.unwrap();
        let clock = ManualClock::at(NOW);
        let builder = Issuer::new(URL).audience(AUDIENCE).jwks_url(server.jwks_url()).clock(clock.clone());
        // Without the cache: what is measured is the look at the keys.
        let verifier = builder.without_token_cache().build().unwrap();
        verifier.warm_up().await.unwrap();
        Self { issuer, clock, verifier, server }
    }

    /// 10,000 tokens with these headers in five seconds, from twenty senders at once; meanwhile a
    /// valid caller on a thread of its own. The 99th of a hundred of its calls, in nanoseconds.
    async fn p99_during(&self, header: fn(u64) -> String, refused: RejectionKind) -> u128 {
        let sent = Arc::new(AtomicU64::new(0));
        let good = self.issuer.token("a").sign();
        let senders: Vec<_> = (0..20)
            .map(|_| {
                let (verifier, clock, sent) = (self.verifier.clone(), self.clock.clone(), Arc::clone(&sent));
                // One signature does for all: nobody looks at it before there is a key.
                let rest = good.split_once('.').unwrap().1.to_owned();
                tokio::spawn(async move {
                    for _ in 0..500 {
                        let number = sent.fetch_add(1, Relaxed);
                        let header = Base64UrlUnpadded::encode_string(header(number).as_bytes());
                        assert_eq!(verdict(&verifier, &format!("{header}.{rest}")).await, Err(refused));
                        if number % 100 == 99 {
                            clock.advance(Duration::from_millis(50));
                        }
                    }
                })
            })
            .collect();
        let (verifier, counted) = (self.verifier.clone(), Arc::clone(&sent));
        let caller = tokio::task::spawn_blocking(move || {
            let mut times = Vec::new();
            while counted.load(Relaxed) < 10_000 {
                let started = stop_watch();
                assert_eq!(at_once(&verifier, &good), Some(Ok(())));
                times.push(started.elapsed().as_nanos());
            }
            times.sort_unstable();
            let times_above = times.len().div_ceil(100);
            // The 99th of a hundred.
            times.into_iter().rev().nth(times_above).unwrap()
        });
        for sender in senders {
            sender.await.unwrap();
        }
        caller.await.unwrap()
    }
}

/// The valid caller neither waits nor fails. What it is compared with is the same flood of tokens
/// that are refused without a look at the keys, so that only what the keys add is measured.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_random_kids_costs_two_fetches_and_delays_nobody() {
    let random = |number: u64| format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{number:x}-0123456789"}}"#);
    let foreign = |number: u64| format!(r#"{{"alg":"ES999","typ":"at+jwt","kid":"{number:x}-0123456789"}}"#);
    // A machine with other work to do may make one of the two longer: that does not happen thrice.
    for attempt in 1.. {
        let setting = Setting::new().await;
        let calm = setting.p99_during(foreign, RejectionKind::UnsupportedAlgorithm).await;
        assert_eq!(setting.server.requests(), 1);
        let stormy = setting.p99_during(random, RejectionKind::InvalidToken).await;
        assert!(setting.server.requests() - 1 <= 2, "{} fetches", setting.server.requests() - 1);
        let health = setting.verifier.key_set_health();
        assert!(health.fetches_denied + health.turned_away > 9_900, "{health:?}");
        if stormy < calm * 2 {
            break;
        }
        assert!(attempt < 3, "{stormy} ns in the storm, {calm} ns beside it");
    }
}

/// A source that takes what is asked for and never answers, when told so.
#[derive(Debug)]
pub(super) struct Hole {
    pub(super) issuer: TestIssuer,
    pub(super) black: AtomicBool,
    pub(super) calls: AtomicU64,
}

impl KeySource for Hole {
    fn fetch(&self) -> BoxFuture<'_, Result<FetchedKeys, KeySourceError>> {
        self.calls.fetch_add(1, Relaxed);
        let black = self.black.load(Relaxed);
        let jwks = Bytes::from(self.issuer.jwks().to_string());
        Box::pin(async move {
            if black {
                std::future::pending::<()>().await;
            }
            Ok(FetchedKeys { jwks, max_age: Some(Duration::from_secs(60)) })
        })
    }
}

#[tokio::test]
async fn sixty_seconds_without_the_source_fail_no_known_key_and_one_request_waits() {
    let issuer = issuer();
    let clock = ManualClock::at(NOW);
    let source = Arc::new(Hole { issuer: issuer.clone(), black: AtomicBool::new(false), calls: AtomicU64::new(0) });
    let verifier = from_source(&source, &clock);
    verifier.warm_up().await.unwrap();
    let good = issuer.token("a").sign();
    source.black.store(true, Relaxed);

    let started = stop_watch();
    let unknown = |number: u64| issuer.token("a").kid(&format!("unknown-{number}")).sign();
    assert_eq!(verdict(&verifier, &unknown(0)).await, Err(RejectionKind::BackendUnavailable));
    let first = started.elapsed();
    assert!((Duration::from_millis(1_900)..Duration::from_secs(3)).contains(&first), "{first:?}");
    // From now on nobody waits: not for this fetch, not for those that are tried later.
    for second in 0..60 {
        let now = NOW.saturating_add(Duration::from_secs(second));
        assert!(verify_at(&verifier, &good, now).await.is_ok(), "a known key, after {second} s");
        let started = stop_watch();
        assert_eq!(verdict(&verifier, &unknown(second)).await, Err(RejectionKind::BackendUnavailable));
        assert!(started.elapsed() < Duration::from_millis(100), "{:?} after {second} s", started.elapsed());
        clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    assert!(source.calls.load(Relaxed) <= 3, "the first, that of the unknown kid, and a scheduled one");
}

/// The provider takes another key every few milliseconds, and the callers follow at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_under_load_fails_nobody() {
    let issuer = issuer();
    let server = issuer.serve().await.unwrap();
    let clock = ManualClock::at(NOW);
    let verifier = at_url(&server.jwks_url(), &clock);
    verifier.warm_up().await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (verifier, issuer, stop) = (verifier.clone(), issuer.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut calls = 0;
                while !stop.load(Relaxed) {
                    let token = issuer.token("a").sign();
                    assert_eq!(verdict(&verifier, &token).await, Ok(()));
                    calls += 1;
                    tokio::task::yield_now().await;
                }
                calls
            })
        })
        .collect();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(30)).await;
        issuer.rotate();
        // Half a minute between two rotations is what the budget allows for.
        clock.advance(Duration::from_secs(30));
    }
    tokio::time::sleep(Duration::from_millis(30)).await;
    stop.store(true, Relaxed);
    for caller in callers {
        assert!(caller.await.unwrap() > 0);
    }
    assert_eq!(verifier.key_set_health().keys, 11);
}

#[tokio::test]
async fn at_most_sixty_four_wait_for_what_may_not_exist() {
    let issuer = issuer();
    let source = Arc::new(Hole { issuer: issuer.clone(), black: AtomicBool::new(false), calls: AtomicU64::new(0) });
    let verifier = from_source(&source, &ManualClock::at(NOW));
    verifier.warm_up().await.unwrap();
    source.black.store(true, Relaxed);
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..100 {
        let (verifier, token) = (verifier.clone(), issuer.token("a").kid(&format!("x{number}")).sign());
        requests.spawn(async move { verdict(&verifier, &token).await });
    }
    let mut turned_away = 0;
    while let Some(verdict) = requests.join_next().await {
        match verdict.unwrap() {
            Err(RejectionKind::InvalidToken) => turned_away += 1,
            verdict => assert_eq!(verdict, Err(RejectionKind::BackendUnavailable)),
        }
    }
    assert_eq!((turned_away, verifier.key_set_health().turned_away), (36, 36));
    assert_eq!(source.calls.load(Relaxed), 2);
}

/// A server that says 304 to whom it knows.
#[tokio::test]
async fn an_unchanged_set_is_not_sent_again_rfc9110_13_1_2() {
    let issuer = issuer();
    let (full, unchanged) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (Arc::clone(&full), Arc::clone(&unchanged));
    let served = issuer.clone();
    let answer = move |headers: HeaderMap| {
        let body = served.jwks().to_string();
        let tag = format!("\"{}\"", body.len());
        let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
        let counter = if known { &counts.1 } else { &counts.0 };
        counter.fetch_add(1, Relaxed);
        let status = if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        let headers = [(header::ETAG, tag), (header::CACHE_CONTROL, "max-age=60".to_owned())];
        async move { (status, headers, if known { String::new() } else { body }) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let app: Router = Router::new().route("/jwks", get(answer));
    let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });

    let clock = ManualClock::at(NOW);
    let verifier = at_url(&url, &clock);
    verifier.warm_up().await.unwrap();
    for round in 1..=2_u64 {
        clock.advance(Duration::from_secs(48));
        while verifier.key_set_health().fetches <= round || verifier.key_set_age() != Some(Duration::ZERO) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert_eq!((full.load(Relaxed), unchanged.load(Relaxed)), (1, 2));
    let health = verifier.key_set_health();
    assert!(health.last_error.is_none() && health.usable && health.changes == 1, "{health:?}");
    assert_eq!(verdict(&verifier, &issuer.token("a").sign()).await, Ok(()));
    issuer.rotate();
    assert_eq!(verdict(&verifier, &issuer.token("a").sign()).await, Ok(()));
    assert_eq!((full.load(Relaxed), verifier.key_set_health().changes), (2, 2));
    task.abort();
}

#[tokio::test]
async fn how_long_old_keys_are_used_can_be_chosen() {
    let issuer = issuer();
    let clock = ManualClock::at(NOW);
    let source = Arc::new(Hole { issuer: issuer.clone(), black: AtomicBool::new(false), calls: AtomicU64::new(0) });
    let hour = Duration::from_secs(3_600);
    let builder = Issuer::new(URL).audience(AUDIENCE).key_source(source.clone()).clock(clock.clone());
    let verifier = builder.max_key_age(hour).build().unwrap();
    verifier.warm_up().await.unwrap();
    source.black.store(true, Relaxed);
    let token = issuer.clock(ManualClock::at(NOW.saturating_add(hour))).token("a").sign();
    clock.advance(hour);
    assert!(verify_at(&verifier, &token, NOW.saturating_add(hour)).await.is_ok());
    assert!(verifier.key_set_health().usable);
    clock.advance(Duration::from_secs(1));
    let later = NOW.saturating_add(hour).saturating_add(Duration::from_secs(1));
    // Although the token is remembered.
    let kind = verify_at(&verifier, &token, later).await.unwrap_err().kind();
    assert_eq!(kind, RejectionKind::BackendUnavailable);
    assert!(!verifier.key_set_health().usable);
    for age in [Duration::ZERO, Duration::from_secs(59), Duration::from_secs(8 * 86_400)] {
        let error = Issuer::new(URL).audience(AUDIENCE).key_source(source.clone()).max_key_age(age).build();
        assert_eq!(error.unwrap_err().issues()[0].field, "max_key_age");
    }
}
