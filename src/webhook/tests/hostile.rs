//! What an attacker sends, and when a client goes away.

use std::{future::Future, pin::pin, task::Poll};

use super::*;
use crate::webhook::{Claimed, Fence, ReplayKey, Settlement};

/// A store over a slow network: it waits before and after it has done what it was told.
#[derive(Debug, Default)]
struct Slow(MemoryStore);

async fn network() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

impl ReplayStore for Slow {
    fn claim(&self, key: ReplayKey, lease: Duration, now: Timestamp) -> BoxFuture<'_, Result<Claimed, StoreError>> {
        Box::pin(async move {
            network().await;
            let claimed = self.0.claim(key, lease, now).await;
            network().await;
            claimed
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
            network().await;
            let settled = self.0.settle(key, fence, settlement, now).await;
            network().await;
            settled
        })
    }
}

/// Polls at most `times`, and drops what has not ended by then. Whether it has.
async fn cut_off(times: usize, request: impl Future) -> bool {
    let mut request = pin!(request);
    for _ in 0..times {
        let polled = std::future::poll_fn(|cx| Poll::Ready(request.as_mut().poll(cx).is_ready())).await;
        if polled {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

#[tokio::test]
async fn at_whatever_point_the_client_goes_away_the_event_is_not_stuck() {
    for times in 0.. {
        let site = Site::with(Provider::github(), Slow::default(), |builder| builder);
        let ended = cut_off(times, site.send(delivery("1", "x"), "x")).await;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        let again = site.send(delivery("1", "x"), "x").await;
        assert_eq!(again.status(), 200, "after {times} polls the event is claimed by nobody");
        assert!(!ended || is_duplicate(&again));
        if ended {
            assert!(times > 10, "nothing was cut off");
            return;
        }
    }
}

/// Answers nothing, or nothing after the claim.
#[derive(Debug)]
struct Hanging {
    claims: bool,
    memory: MemoryStore,
}

impl ReplayStore for Hanging {
    fn claim(&self, key: ReplayKey, lease: Duration, now: Timestamp) -> BoxFuture<'_, Result<Claimed, StoreError>> {
        if self.claims { Box::pin(std::future::pending()) } else { self.memory.claim(key, lease, now) }
    }

    fn settle(&self, _: ReplayKey, _: Fence, _: Settlement, _: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_store_that_hangs_holds_no_request_for_ever() {
    let site =
        |claims| Site::with(Provider::github(), Hanging { claims, memory: MemoryStore::new() }, |builder| builder);
    let (deaf, mute) = (site(true), site(false));
    let both = async { tokio::join!(deaf.send(delivery("1", "x"), "x"), mute.send(delivery("1", "x"), "x")) };
    let (refused, answered) = tokio::time::timeout(Duration::from_secs(10), both).await.expect("a request hangs");
    assert_eq!((code(&refused), deaf.calls()), ((503, RejectionKind::BackendUnavailable.code()), 0));
    assert_eq!((answered.status().as_u16(), mute.calls()), (200, 1), "the handler's success stands");
}

#[tokio::test]
async fn bodies_that_say_their_id_twice_or_strangely_are_told_apart_by_their_bytes() {
    let deep = format!(r#"{{"x":{}{},"id":"evt_deep"}}"#, "[".repeat(200_000), "]".repeat(200_000));
    let site = Site::new(Provider::stripe());
    let bodies = [
        r#"{"id":"evt_1","id":"evt_2"}"#,
        r#"{"id":"evt_1","\u0069d":"evt_3"}"#,
        r#"{"id":["evt_1"]}"#,
        r#"{"id":null}"#,
        r#"{"id":17}"#,
        r#"{"data":{"id":"evt_1"}}"#,
        r#"{"id":"evt_1"} {"id":"evt_1"}"#,
        r#"{"id":"\ud800"}"#,
        "\u{feff}{}",
        &deep,
    ];
    for (index, body) in bodies.iter().enumerate() {
        let headers = signed(&Provider::stripe(), "", NOW, body.as_bytes());
        let body = (*body).to_owned();
        assert!(!is_duplicate(&site.send(headers.clone(), body.clone()).await), "{index}");
        assert!(is_duplicate(&site.send(headers, body).await), "{index}");
        assert_eq!(site.calls(), index + 1);
    }
    // None of them has claimed the name of a genuine event.
    let genuine = r#"{"id":"evt_1"}"#;
    let headers = signed(&Provider::stripe(), "", NOW, genuine.as_bytes());
    assert!(!is_duplicate(&site.send(headers, genuine).await));
}

#[tokio::test]
async fn signature_lists_that_are_stuffed_are_refused_unread() {
    let site = Site::new(Provider::stripe());
    let body = r#"{"id":"evt_1"}"#;
    let good = signed(&Provider::stripe(), "", NOW, body.as_bytes())["stripe-signature"].to_str().unwrap().to_owned();
    let wrong = format!(",v1={}", "0".repeat(64));
    for value in [
        format!("t={NOW},{good}"),
        format!("{good},t={NOW}"),
        format!("{good},t=0"),
        format!("{good}{}", wrong.repeat(16)),
        format!("{good}{}", ",a=b".repeat(2_000)),
        format!("{good},"),
        good.replace(',', ", "),
        good.replace("v1=", "V1="),
        good.replace("v1=", "v1=+"),
    ] {
        let response = site.send(with(HeaderMap::new(), "stripe-signature", &value), body).await;
        assert_eq!(code(&response), (400, "malformed_signature"), "{value:.80}");
    }
    assert_eq!(site.calls(), 0);
    // The genuine one is found among as many others as are allowed, wherever it stands.
    let value = format!("{good}{}", wrong.repeat(15));
    assert_eq!(site.send(with(HeaderMap::new(), "stripe-signature", &value), body).await.status(), 200);
}

#[tokio::test]
async fn forged_events_leave_nothing_in_the_store() {
    let store = MemoryStore::new().replay_capacity(std::num::NonZeroUsize::MIN);
    let site = Site::with(Provider::github(), store, |builder| builder);
    for id in 0..1_000 {
        let headers = with(delivery(&id.to_string(), "x"), "x-github-delivery", "another");
        assert_eq!(site.send(headers, "forged").await.status(), 401);
    }
    assert_eq!(site.send(delivery("1", "x"), "x").await.status(), 200);
}
