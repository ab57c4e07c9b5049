//! Each event once: repetitions, failures, and what happens when a handler does not end.

use super::*;
use crate::webhook::{Claimed, Fence, ReplayKey, Settlement};

#[tokio::test]
async fn a_completed_event_is_answered_without_the_handler() {
    let site = Site::new(Provider::github());
    assert!(!is_duplicate(&site.send(delivery("1", "x"), "x").await));
    for _ in 0..3 {
        let again = site.send(delivery("1", "x"), "x").await;
        assert!(is_duplicate(&again) && again.status() == 200);
    }
    assert!(!is_duplicate(&site.send(delivery("2", "x"), "x").await));
    assert_eq!(site.calls(), 2);
    let counts = site.layer.verdicts();
    assert_eq!((counts.passed, counts.answered), (2, 3));
}

#[tokio::test]
async fn what_is_no_success_is_released() {
    let site = Site::new(Provider::github());
    for (call, status) in [500, 503, 408, 409, 425, 429, 400, 404, 422].into_iter().enumerate() {
        site.status.store(status, SeqCst);
        let response = site.send(delivery("1", "x"), "x").await;
        assert_eq!((response.status().as_u16(), site.calls()), (status, call + 1));
    }
    site.status.store(204, SeqCst);
    assert!(!is_duplicate(&site.send(delivery("1", "x"), "x").await));
    assert!(is_duplicate(&site.send(delivery("1", "x"), "x").await));
    site.status.store(303, SeqCst);
    assert!(!is_duplicate(&site.send(delivery("2", "x"), "x").await));
    assert!(is_duplicate(&site.send(delivery("2", "x"), "x").await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_copies_at_once_one_runs() {
    let site = Arc::new(Site::new(Provider::github()));
    let copies: Vec<_> = (0..100)
        .map(|_| {
            let site = Arc::clone(&site);
            tokio::spawn(async move { site.send(delivery("1", "x"), "x").await })
        })
        .collect();
    let mut fresh = 0;
    for copy in copies {
        let response = copy.await.unwrap();
        match code(&response) {
            (200, _) if is_duplicate(&response) => {}
            (200, _) => fresh += 1,
            refused => assert_eq!(refused, (409, "event_in_flight")),
        }
    }
    assert_eq!((fresh, site.calls()), (1, 1));
    assert!(is_duplicate(&site.send(delivery("1", "x"), "x").await));
}

#[tokio::test]
async fn one_in_flight_is_409_until_its_handler_is_dropped() {
    let site = Arc::new(Site::new(Provider::github()));
    let hanging = tokio::spawn({
        let site = Arc::clone(&site);
        async move { site.send(delivery("1", "hang"), "hang").await }
    });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(site.calls(), 1);
    let response = site.send(delivery("1", "x"), "x").await;
    assert_eq!(code(&response), (409, "event_in_flight"));
    assert_eq!(response.headers()["retry-after"], "70", "the lease and what the body may take");
    // The client goes away: its event is free at once.
    hanging.abort();
    assert!(hanging.await.unwrap_err().is_cancelled());
    assert!(!is_duplicate(&site.send(delivery("1", "x"), "x").await));
    assert_eq!(site.calls(), 2);
}

#[tokio::test]
async fn a_panic_releases() {
    let site = Arc::new(Site::new(Provider::github()));
    let copy = Arc::clone(&site);
    let panicked = tokio::spawn(async move { copy.send(delivery("1", "panic"), "panic").await }).await;
    assert!(panicked.unwrap_err().is_panic());
    let again = site.send(delivery("1", "x"), "x").await;
    assert!(again.status() == 200 && !is_duplicate(&again));
}

#[tokio::test]
async fn after_the_lease_another_runs_and_the_first_cannot_overwrite() {
    let store = MemoryStore::new();
    let (key, now) = (ReplayKey::new("github", "/a", "1"), Timestamp::from_secs(NOW));
    // A process that died with the event in hand.
    let Claimed::Fresh(dead) = store.claim(key, Duration::from_secs(60), now).await.unwrap() else { panic!() };
    let site = Site::with(Provider::github(), store.clone(), |builder| builder);
    assert_eq!(site.send(delivery("1", "x"), "x").await.status(), 409);
    site.clock.advance(Duration::from_secs(60));
    assert!(!is_duplicate(&site.send(delivery("1", "x"), "x").await));
    assert!(!store.settle(key, dead, Settlement::Release, now).await.unwrap());
    assert!(is_duplicate(&site.send(delivery("1", "x"), "x").await));
}

#[tokio::test]
async fn a_completed_event_is_remembered_for_longer_than_the_provider_retries() {
    let day = 86_400;
    for (provider, days) in [(Provider::stripe(), 4), (Provider::github(), 1)] {
        let site = Site::new(provider.clone());
        let body = br#"{"id":"evt_1"}"#.as_slice();
        let send_at = |at| site.send(signed(&provider, "evt_1", at, body), body);
        assert!(!is_duplicate(&send_at(NOW).await));
        site.clock.advance(Duration::from_secs(days * day - 1));
        assert!(is_duplicate(&send_at(NOW + days * day - 1).await), "{}", provider.name());
        site.clock.advance(Duration::from_secs(1));
        assert!(!is_duplicate(&send_at(NOW + days * day).await));
    }
}

#[tokio::test]
async fn events_are_kept_apart_by_provider_and_endpoint() {
    let store = MemoryStore::new();
    let github = Site::with(Provider::github(), store.clone(), |builder| builder);
    let own = Site::with(Provider::x_webhook(), store.clone(), |builder| builder);
    assert!(!is_duplicate(&github.send(delivery("1", "x"), "x").await));
    assert!(!is_duplicate(&github.send_to("/b", delivery("1", "x"), "x").await), "another route");
    assert!(!is_duplicate(&own.send(signed(&Provider::x_webhook(), "1", NOW, b"x"), "x").await), "another provider");
    let named = Site::with(Provider::github(), store, |builder| builder.endpoint("/a"));
    assert!(is_duplicate(&named.send_to("/b", delivery("1", "x"), "x").await), "the same endpoint by name");
}

#[tokio::test]
async fn events_without_an_id_are_told_apart_by_their_bytes() {
    let site = Site::new(Provider::stripe());
    for body in ["{}", "[]", r#"{"id":null}"#, r#"{"id":"a","id":"b"}"#, "no json"] {
        let headers = signed(&Provider::stripe(), "", NOW, body.as_bytes());
        assert!(!is_duplicate(&site.send(headers.clone(), body).await), "{body}: no shared `undefined`");
        assert!(is_duplicate(&site.send(headers, body).await), "{body}");
    }
    let mut headers = delivery("1", "x");
    headers.remove("x-github-delivery");
    let site = Site::new(Provider::github());
    assert!(!is_duplicate(&site.send(headers.clone(), "x").await));
    assert!(is_duplicate(&site.send(headers, "x").await));
}

#[tokio::test]
async fn a_retry_that_is_signed_anew_is_the_same_event() {
    let site = Site::new(Provider::stripe());
    let body = r#"{"data":{"id":"ch_1"},"id":"evt_1"}"#;
    assert!(!is_duplicate(&site.send(signed(&Provider::stripe(), "", NOW, body.as_bytes()), body).await));
    assert!(is_duplicate(&site.send(signed(&Provider::stripe(), "", NOW + 5, body.as_bytes()), body).await));
}

#[tokio::test]
async fn by_signed_bytes_another_id_does_not_help() {
    let site =
        Site::with(Provider::github(), MemoryStore::new(), |builder| builder.replays_by(ReplayIdentity::SignedBytes));
    assert!(!is_duplicate(&site.send(delivery("1", "x"), "x").await));
    assert!(is_duplicate(&site.send(delivery("2", "x"), "x").await));
    assert!(!is_duplicate(&site.send(delivery("1", "y"), "y").await));
}

#[tokio::test]
async fn a_refused_event_is_not_claimed() {
    let site = Site::new(Provider::github());
    let forged = with(delivery("1", "x"), "x-hub-signature-256", &format!("sha256={}", "00".repeat(32)));
    assert_eq!(site.send(forged, "x").await.status(), 401);
    assert!(!is_duplicate(&site.send(delivery("1", "x"), "x").await));
}

#[tokio::test]
async fn a_full_store_fails_closed() {
    let store = MemoryStore::new().replay_capacity(2.try_into().unwrap());
    let site = Site::with(Provider::github(), store, |builder| builder);
    for id in ["1", "2"] {
        assert_eq!(site.send(delivery(id, "x"), "x").await.status(), 200);
    }
    let response = site.send(delivery("3", "x"), "x").await;
    assert_eq!(code(&response), (503, "backend_unavailable"));
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(site.calls(), 2);
    assert!(is_duplicate(&site.send(delivery("1", "x"), "x").await));
}

/// A store over a network: nothing is done at once, and it can be broken.
#[derive(Debug, Default)]
struct Remote {
    memory: MemoryStore,
    claims_fail: bool,
    settlements_fail: bool,
}

impl ReplayStore for Remote {
    fn claim(&self, key: ReplayKey, lease: Duration, now: Timestamp) -> BoxFuture<'_, Result<Claimed, StoreError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if self.claims_fail { Err(StoreError::TimedOut) } else { self.memory.claim(key, lease, now).await }
        })
    }

    fn settle(
        &self,
        key: ReplayKey,
        fence: Fence,
        settlement: Settlement,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if self.settlements_fail {
                return Err(StoreError::TimedOut);
            }
            self.memory.settle(key, fence, settlement, now).await
        })
    }
}

/// Sends copies until the event is no longer in flight.
async fn settled(site: &Site, id: &str) {
    for _ in 0..100 {
        if site.send(delivery(id, "x"), "x").await.status() != 409 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("still in flight");
}

#[tokio::test]
async fn a_store_that_must_be_awaited_settles_too() {
    let site = Arc::new(Site::with(Provider::github(), Remote::default(), |builder| builder));
    assert!(!is_duplicate(&site.send(delivery("1", "x"), "x").await));
    assert!(is_duplicate(&site.send(delivery("1", "x"), "x").await));
    let copy = Arc::clone(&site);
    let panicked = tokio::spawn(async move { copy.send(delivery("2", "panic"), "panic").await }).await;
    assert!(panicked.unwrap_err().is_panic());
    // The release runs in a task of its own.
    settled(&site, "2").await;
    assert_eq!(site.calls(), 3);
}

#[tokio::test]
async fn a_completion_goes_on_when_the_client_goes_away() {
    let site = Arc::new(Site::with(Provider::github(), Remote::default(), |builder| builder));
    let mut sending = Box::pin({
        let site = Arc::clone(&site);
        async move { site.send(delivery("1", "x"), "x").await }
    });
    // Polled by hand until the handler has ended and the store is being told.
    for _ in 0..4 {
        assert!(poll_once(&mut sending).await.is_pending());
        tokio::task::yield_now().await;
        if site.calls() == 1 && poll_once(&mut sending).await.is_pending() {
            break;
        }
    }
    assert_eq!(site.calls(), 1);
    drop(sending);
    settled(&site, "1").await;
    assert!(is_duplicate(&site.send(delivery("1", "x"), "x").await));
    assert_eq!(site.calls(), 1);
}

async fn poll_once<F: Future + Unpin>(future: &mut F) -> std::task::Poll<()> {
    std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).map(drop))).await
}

#[tokio::test]
async fn without_a_store_no_event_is_handled() {
    let store = Remote { claims_fail: true, ..Remote::default() };
    let site = Site::with(Provider::github(), store, |builder| builder);
    assert_eq!(code(&site.send(delivery("1", "x"), "x").await), (503, RejectionKind::BackendUnavailable.code()));
    assert_eq!(site.calls(), 0);
    // A store that fails only afterwards does not turn a success into a failure: the lease ends it.
    let store = Remote { settlements_fail: true, ..Remote::default() };
    let site = Site::with(Provider::github(), store, |builder| builder);
    assert_eq!(site.send(delivery("1", "x"), "x").await.status(), 200);
    assert_eq!(site.send(delivery("1", "x"), "x").await.status(), 409);
}

#[tokio::test]
async fn an_unsigned_header_does_not_rename_an_event_whose_body_names_it() {
    let site = Site::new(Provider::x_webhook());
    let send = |id: &str, body: &'static str| site.send(signed(&Provider::x_webhook(), id, NOW, body.as_bytes()), body);
    assert!(!is_duplicate(&send("evt_1", r#"{"id":"evt_1"}"#).await));
    assert!(is_duplicate(&send("evt_2", r#"{"id":"evt_1"}"#).await), "captured, and sent under another id");
    assert!(!is_duplicate(&send("evt_1", r#"{"id":"evt_3"}"#).await));
    // Where the body names none, the header is all there is.
    assert!(!is_duplicate(&send("evt_4", "{}").await) && is_duplicate(&send("evt_4", "{}").await));
}
