//! Servers that send what no client should take, and clocks that jump.

use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{promises::Hole, *};
use crate::{auth::jwt::FetchedKeys, store::BoxFuture};

/// A server that answers every request with `head`, then with `piece` again and again.
async fn raw(head: &'static str, piece: Vec<u8>, pause: Duration) -> (String, JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(head.as_bytes()).await;
            while stream.write_all(&piece).await.is_ok() {
                tokio::time::sleep(pause).await;
            }
        }
    });
    (url, task)
}

async fn first_error(url: &str) -> KeySourceError {
    at_url(url, &ManualClock::at(NOW)).warm_up().await.unwrap_err()
}

#[tokio::test]
async fn a_body_without_end_is_given_up_at_one_mib() {
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000)).into_bytes();
    let (url, task) = raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk, Duration::ZERO).await;
    assert!(matches!(first_error(&url).await, KeySourceError::TooLarge));
    task.abort();
    let (url, task) = raw("HTTP/1.1 200 OK\r\n\r\n", vec![b' '; 0x1_0000], Duration::ZERO).await;
    assert!(matches!(first_error(&url).await, KeySourceError::TooLarge));
    task.abort();
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 1048577\r\n\r\n";
    let (url, task) = raw(announced, b" ".to_vec(), Duration::from_secs(1)).await;
    assert!(matches!(first_error(&url).await, KeySourceError::TooLarge));
    task.abort();
}

/// Each byte comes in time; the whole does not.
#[tokio::test]
async fn a_body_in_drops_is_given_up_and_nobody_waits_for_it() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    let (url, task) = raw(head, b" ".to_vec(), Duration::from_millis(100)).await;
    let verifier = at_url(&url, &ManualClock::at(NOW));
    let token = issuer().token("a").sign();
    let waited = tokio::time::timeout(Duration::from_secs(4), verdict(&verifier, &token)).await;
    assert_eq!(waited.expect("a request waits two seconds"), Err(RejectionKind::BackendUnavailable));
    let fetched = tokio::time::timeout(Duration::from_secs(7), verifier.warm_up()).await;
    assert!(matches!(fetched.expect("a fetch takes five seconds"), Err(KeySourceError::TimedOut)));
    task.abort();
}

/// Nothing is decompressed, so nothing can be blown up: 1 MiB on the wire is all there is.
#[tokio::test]
async fn answers_that_are_compressed_partial_or_not_modified_are_no_keys() {
    let garbage = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0];
    for (head, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 8\r\n\r\n", "did not answer with a JWK set"),
        ("HTTP/1.1 304 Not Modified\r\n\r\n", "status 304"),
        ("HTTP/1.1 206 Partial Content\r\ncontent-length: 8\r\n\r\n", "status 206"),
        ("HTTP/1.1 204 No Content\r\n\r\n", "status 204"),
        ("SSH-2.0-OpenSSH_9.6\r\n", "cannot be reached"),
    ] {
        let (url, task) = raw(head, garbage.clone(), Duration::from_secs(60)).await;
        let error = first_error(&url).await.to_string();
        assert!(error.contains(expected), "{error} for {head:?}");
        task.abort();
    }
}

/// Two servers behind one name that do not agree on the keys.
#[derive(Debug)]
struct Alternating {
    issuers: [TestIssuer; 2],
    calls: AtomicU64,
}

impl KeySource for Alternating {
    fn fetch(&self) -> BoxFuture<'_, Result<FetchedKeys, KeySourceError>> {
        let call = self.calls.fetch_add(1, Relaxed);
        let issuer = &self.issuers[usize::from(call % 2 == 1)];
        let jwks = Bytes::from(issuer.jwks().to_string());
        Box::pin(async move { Ok(FetchedKeys { jwks, max_age: Some(Duration::ZERO) }) })
    }
}

#[tokio::test]
async fn sets_that_alternate_cost_no_more_than_the_budget() {
    let source = Arc::new(Alternating { issuers: [issuer(), issuer()], calls: AtomicU64::new(0) });
    let verifier = from_source(&source, &ManualClock::at(NOW));
    verifier.warm_up().await.unwrap();
    let tokens: Vec<String> = source.issuers.iter().map(|issuer| issuer.token("a").sign()).collect();
    for _ in 0..50 {
        for token in &tokens {
            let verdict = verdict(&verifier, token).await;
            assert!(matches!(verdict, Ok(()) | Err(RejectionKind::InvalidToken)), "{verdict:?}");
        }
    }
    assert_eq!(source.calls.load(Relaxed), 3, "the first, and the two that senders may cause");
}

#[tokio::test]
async fn a_wall_clock_that_jumps_costs_a_fetch_and_no_verdict() {
    let issuer = issuer();
    let source = Arc::new(Alternating { issuers: [issuer.clone(), issuer.clone()], calls: AtomicU64::new(0) });
    let clock = ManualClock::at(NOW);
    let verifier = from_source(&source, &clock);
    verifier.warm_up().await.unwrap();
    let token = issuer.token("a").expires_in(Duration::from_secs(400_000)).sign();
    for wall in
        [NOW.saturating_add(Duration::from_secs(300_000)), NOW, NOW.saturating_add(Duration::from_secs(200_000))]
    {
        clock.set_wall(wall);
        assert!(verify_at(&verifier, &token, wall).await.is_ok());
        assert!(verifier.key_set_age().is_some());
    }
    assert!(source.calls.load(Relaxed) <= 3);
}

/// Keys of a source that falls silent at once, and a token that is good for long, also before `NOW`.
async fn silenced(clock: &ManualClock) -> (JwtVerifier, String) {
    let issuer = TestIssuer::new(URL).clock(ManualClock::at(NOW.saturating_sub(Duration::from_secs(100_000))));
    let source = Arc::new(Hole { issuer: issuer.clone(), black: AtomicBool::new(false), calls: AtomicU64::new(0) });
    let verifier = from_source(&source, clock);
    verifier.warm_up().await.unwrap();
    source.black.store(true, Relaxed);
    (verifier, issuer.token("a").expires_in(Duration::from_secs(900_000)).sign())
}

const DAY: Duration = Duration::from_secs(24 * 3_600);
const BACK: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_wall_clock_that_is_set_back_gives_old_keys_no_longer_life() {
    let clock = ManualClock::at(NOW);
    let (verifier, token) = silenced(&clock).await;
    // A day passes, and each hour of it is taken back.
    for _ in 0..24 {
        clock.advance(BACK);
        assert!(verify_at(&verifier, &token, clock.now().wall).await.is_ok(), "an outage is not yet a denial");
        clock.set_wall(NOW.saturating_sub(BACK));
        assert!(verify_at(&verifier, &token, clock.now().wall).await.is_ok());
    }
    let health = verifier.key_set_health();
    assert_eq!((health.usable, health.age), (true, Some(DAY)));
    clock.advance(Duration::from_secs(1));
    let health = verifier.key_set_health();
    assert_eq!((health.usable, health.age), (false, Some(DAY + Duration::from_secs(1))));
    // Although the token is remembered.
    assert_eq!(
        verify_at(&verifier, &token, clock.now().wall).await.unwrap_err().kind(),
        RejectionKind::BackendUnavailable
    );
}

/// The same if nobody asks how it stands with the keys, and a fetch hangs meanwhile.
#[tokio::test]
async fn the_age_of_keys_is_looked_at_each_second() {
    let clock = ManualClock::at(NOW);
    let (verifier, token) = silenced(&clock).await;
    clock.advance(DAY + Duration::from_secs(1));
    clock.set_wall(NOW);
    let refused = async {
        loop {
            match verify_at(&verifier, &token, NOW).await {
                Ok(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(rejection) => return rejection.kind(),
            }
        }
    };
    let refused = tokio::time::timeout(Duration::from_secs(5), refused).await;
    assert_eq!(refused.expect("old keys are used"), RejectionKind::BackendUnavailable);
}

#[tokio::test]
async fn after_a_shutdown_the_age_of_keys_is_looked_at_by_each_request() {
    let clock = ManualClock::at(NOW);
    let (verifier, token) = silenced(&clock).await;
    verifier.shutdown().await;
    clock.advance(DAY);
    clock.set_wall(NOW);
    assert_eq!(at_once(&verifier, &token), Some(Ok(())));
    clock.advance(Duration::from_secs(1));
    clock.set_wall(NOW);
    assert_eq!(verdict(&verifier, &token).await, Err(RejectionKind::BackendUnavailable));
}

/// A request that is polled where there is no runtime: the fetch runs on its own.
#[test]
fn a_request_outside_the_runtime_does_not_panic() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let issuer = issuer();
    let source = Arc::new(Alternating { issuers: [issuer.clone(), issuer.clone()], calls: AtomicU64::new(0) });
    let verifier = runtime.block_on(async {
        let verifier = from_source(&source, &ManualClock::at(NOW));
        verifier.warm_up().await.unwrap();
        verifier
    });
    issuer.rotate();
    let token = issuer.token("a").sign();
    let Checked::Wait(mut waiting) = verifier.verify(&token, NOW) else { panic!("the key is new") };
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    while waiting.as_mut().poll(&mut context).is_pending() {
        std::thread::yield_now();
    }
    // What is left when the runtime has gone: the keys that are there.
    drop(runtime);
    assert_eq!(at_once(&verifier, &token), Some(Ok(())));
    let Checked::Wait(mut waiting) = verifier.verify(&issuer.token("a").kid("unknown").sign(), NOW) else { panic!() };
    let polled = waiting.as_mut().poll(&mut context);
    assert!(matches!(polled, std::task::Poll::Ready(Err(error)) if error.kind() == RejectionKind::BackendUnavailable));
    drop((verifier, waiting));
    assert_eq!(Arc::strong_count(&source), 1);
}
