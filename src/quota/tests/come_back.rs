//! Units that must come back: once, to their own month, whoever goes away when.

use super::*;

#[tokio::test]
async fn when_the_handler_panics_the_units_come_back_once() {
    for app in apps() {
        for _ in 0..3 {
            let call = tokio::spawn(app.router.clone().oneshot(request("/panic", &[])));
            assert!(call.await.unwrap_err().is_panic());
        }
        settle().await;
        assert_eq!(app.next_use(&[]).await, "1");
    }
}

#[tokio::test]
async fn when_the_client_goes_away_the_units_come_back_once() {
    for app in apps() {
        assert_eq!(app.next_use(&[]).await, "1");
        for _ in 0..3 {
            let mut call = Box::pin(app.router.clone().oneshot(request("/hang", &[])));
            for _ in 0..32 {
                assert!(futures_poll(&mut call).await.is_none());
                tokio::task::yield_now().await;
            }
            drop(call);
        }
        settle().await;
        assert_eq!(app.next_use(&[]).await, "2");
    }
}

/// Polls once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn when_the_client_goes_away_while_the_store_is_asked_nothing_stays_reserved() {
    let store = Remote::default();
    let app = app(builder(store.clone()).build().unwrap());
    let gate = Arc::new(Notify::new());
    *store.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let mut call = Box::pin(app.router.clone().oneshot(request("/", &[])));
    assert!(futures_poll(&mut call).await.is_none());
    settle().await;
    drop(call);
    *store.gate.lock().unwrap() = None;
    gate.notify_waiters();
    settle().await;
    // Reserved, and given back, although nobody waited for either.
    assert_eq!(store.done.load(SeqCst), 2);
    assert_eq!(app.next_use(&[]).await, "1");
}

#[tokio::test]
async fn when_the_client_goes_away_while_units_are_given_back_they_still_are() {
    let store = Remote::default();
    let quota = builder(store.clone()).build().unwrap();
    let slow = store.clone();
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    // The refusal comes after the reservation, and from then on the store is slow.
    let inner = tower::service_fn(move |_: Request<Body>| {
        *slow.gate.lock().unwrap() = Some(Arc::clone(&held));
        std::future::ready(Ok::<_, Infallible>(Rejection::new(RejectionKind::Forbidden)))
    });
    let mut call = Box::pin(quota.layer(inner).oneshot(request("/", &[])));
    for _ in 0..16 {
        assert!(futures_poll(&mut call).await.is_none());
        tokio::task::yield_now().await;
    }
    drop(call);
    *store.gate.lock().unwrap() = None;
    gate.notify_waiters();
    settle().await;
    assert_eq!(store.done.load(SeqCst), 2);
}

#[tokio::test]
async fn what_comes_back_after_the_month_rolled_belongs_to_the_old_month() {
    for app in apps() {
        app.clock.set_wall(Timestamp::from_micros(1_796_083_199_999_999));
        assert_eq!(app.next_use(&[]).await, "1");
        let mut hanging = Box::pin(app.router.clone().oneshot(request("/hang", &[])));
        for _ in 0..16 {
            assert!(futures_poll(&mut hanging).await.is_none());
            tokio::task::yield_now().await;
        }
        app.clock.advance(Duration::from_micros(1));
        let response = app.call("/", &[]).await;
        assert_eq!(header(&response, "x-quota-used"), "1");
        assert_eq!(header(&response, "x-quota-reset"), "1798761600");
        drop(hanging);
        settle().await;
        // The new month lost nothing; the old one got its unit back.
        assert_eq!(app.next_use(&[]).await, "2");
        app.clock.set_wall(Timestamp::from_micros(1_796_083_199_999_999));
        assert_eq!(app.next_use(&[]).await, "2");
    }
}

#[tokio::test]
async fn what_a_store_could_not_give_back_stays_used() {
    let store = Remote::default();
    let quota = builder(store.clone()).build().unwrap();
    let breaking = store.clone();
    let inner = tower::service_fn(move |_: Request<Body>| {
        breaking.failing.store(true, SeqCst);
        std::future::ready(Ok::<_, Infallible>(Rejection::new(RejectionKind::Forbidden)))
    });
    let response = quota.layer(inner).oneshot(request("/", &[])).await.unwrap();
    assert_eq!((response.status(), header(&response, "x-quota-used")), (StatusCode::FORBIDDEN, "1".into()));
}

#[tokio::test]
async fn without_a_runtime_a_waiting_store_still_works() {
    let store = Remote::default();
    let router = app(builder(store).build().unwrap()).router;
    let joined = std::thread::spawn(move || {
        // An executor that is not tokio's.
        let mut call = Box::pin(router.oneshot(request("/", &[])));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        for _ in 0..64 {
            if let std::task::Poll::Ready(response) = call.as_mut().poll(&mut cx) {
                return header(&response.unwrap(), "x-quota-used");
            }
        }
        String::new()
    });
    assert_eq!(joined.join().unwrap(), "1");
}

#[tokio::test]
async fn cut_off_after_any_poll_exactly_what_was_answered_is_used() {
    for path in ["/", "/forbidden", "/own", "/error", "/panic"] {
        for app in apps() {
            let router = app.router.clone().layer(tower_http::catch_panic::CatchPanicLayer::new());
            let caller = &[("subject", "a"), ("plan", "enterprise")];
            let mut answered = 0;
            for polls in 0..12 {
                let mut call = Box::pin(router.clone().oneshot(request(path, caller)));
                for _ in 0..polls {
                    if futures_poll(&mut call).await.is_some() {
                        answered += u64::from(matches!(path, "/" | "/error"));
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                drop(call);
                settle().await;
            }
            assert!(answered > 0 || !matches!(path, "/" | "/error"));
            assert_eq!(app.next_use(caller).await, (answered + 1).to_string(), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_races_nothing_comes_back_twice_and_nothing_stays() {
    for app in apps() {
        let caller = &[("subject", "a"), ("plan", "enterprise")];
        let paths = ["/", "/forbidden", "/hang", "/panic"];
        let calls: Vec<_> = (0..400_usize)
            .map(|number| {
                let call = tokio::spawn(app.router.clone().oneshot(request(paths[number % 4], caller)));
                if number % 4 == 2 {
                    call.abort();
                }
                call
            })
            .collect();
        for call in calls {
            let _ = call.await;
        }
        // Units come back in tasks of their own; what is shown by a refused call is what is left.
        let mut used = String::new();
        for _ in 0..10_000 {
            used = header(&app.call("/forbidden", caller).await, "x-quota-used");
            if used == "100" {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(used, "100");
    }
}
