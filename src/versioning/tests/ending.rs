//! How versions end, and who is still there.

use std::time::Duration;

use super::*;
use crate::{lint::Report, testing};

/// Deprecated in January, browned out on the first of September, gone at the end of the year.
fn old() -> SupportedVersion {
    SupportedVersion::new(ONE)
        .deprecated(UtcDate::new(2025, 1, 1))
        .sunset(UtcDate::new(2025, 12, 31).end_of_day())
        .brown_out(UtcDate::new(2025, 9, 1).at(10, 0, 0), UtcDate::new(2025, 9, 1).at(12, 0, 0))
        .deprecation_link("https://developer.example.com/v1-to-v2?lang=en#why")
        .successor_link("/v2")
}

fn ending() -> ApiVersionLayerBuilder {
    ApiVersionLayer::builder([old(), SupportedVersion::new(TWO)]).clock(clock())
}

/// Seed: FAQ 13 announces `Sunset: Sat, 31 Dec 2025 23:59:59 GMT`, which is a Wednesday, with neither
/// `Deprecation` nor `Vary`. The weekday is computed: there is nowhere to write it.
#[tokio::test]
async fn seed_bug_12_a_wrong_weekday_cannot_be_written() {
    let layer = ending().sources([VersionSource::header()]).build().unwrap();
    let (status, headers, _) = send(&app(&layer, clock()), "/orders", &[("x-api-version", "v1")]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["sunset"], "Wed, 31 Dec 2025 23:59:59 GMT");
    assert_eq!(headers["deprecation"], "@1735689600");
    assert_eq!(headers["vary"], "x-api-version");
}

#[tokio::test]
async fn the_end_is_announced_and_then_comes_by_itself() {
    let clock = clock();
    let layer = ending().build().unwrap();
    let app = app(&layer, clock.clone());
    let links =
        "<https://developer.example.com/v1-to-v2?lang=en#why>; rel=\"deprecation\", </v2>; rel=\"successor-version\"";
    let last = UtcDate::new(2025, 12, 31).end_of_day().timestamp().unwrap();
    for (now, status) in [
        (day(2025, 7, 1), 200),
        (last.saturating_sub(Duration::from_micros(1)), 200),
        (last, 410),
        (day(2030, 1, 1), 410),
    ] {
        clock.set_wall(now);
        let (found, headers, body) = send(&app, "/v1/orders", &[]).await;
        assert_eq!(found.as_u16(), status, "{now}");
        assert_eq!(headers["link"], links);
        assert_eq!(headers["sunset"], "Wed, 31 Dec 2025 23:59:59 GMT");
        assert_eq!(headers["deprecation"], "@1735689600");
        assert_eq!(headers.contains_key("x-api-version"), status == 200);
        if status == 410 {
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!((&body["error"], &body["version"]), (&"gone".into(), &"v1".into()));
            assert!(!headers.contains_key("retry-after"));
        }
        assert_eq!(send(&app, "/v2/orders", &[]).await.0, StatusCode::OK);
    }
    // A version that has ended is none that there is to choose from.
    let body: Value = serde_json::from_str(&send(&app, "/v3/orders", &[]).await.2).unwrap();
    assert_eq!(body["supported"], serde_json::json!(["v2"]));
}

#[tokio::test]
async fn a_brown_out_is_an_end_for_a_while() {
    let clock = clock();
    let layer = ending().build().unwrap();
    let app = app(&layer, clock.clone());
    let at = |hour, minute, second| UtcDate::new(2025, 9, 1).at(hour, minute, second).timestamp().unwrap();
    for (now, status, retry) in [
        (at(9, 59, 59), 200, None),
        (at(10, 0, 0), 410, Some("7200")),
        (at(11, 59, 59), 410, Some("1")),
        (at(12, 0, 0), 200, None),
    ] {
        clock.set_wall(now);
        let (found, headers, _) = send(&app, "/v1/orders", &[]).await;
        assert_eq!(found.as_u16(), status);
        assert_eq!(headers.get("retry-after").map(|value| value.to_str().unwrap()), retry);
    }
}

#[tokio::test]
async fn links_of_a_handler_stay_beside_ours() {
    let layer = ending().build().unwrap();
    let app = Router::new()
        .route("/v1/orders", get(|| async { ([("link", "</v1/orders?page=2>; rel=\"next\"")], "page") }))
        .layer(ServiceBuilder::new().layer(RequestContextLayer::new().clock(clock())).layer(layer));
    let (_, headers, _) = send(&app, "/v1/orders", &[]).await;
    assert_eq!(headers.get_all("link").iter().count(), 2);
}

#[tokio::test]
async fn who_still_calls_is_known_by_client_subject_or_network() {
    let layer = ending().build().unwrap();
    let with = |caller: Option<crate::identity::Principal>| {
        let router = app(&layer, clock());
        match caller {
            None => router,
            // Auth stands inside: only on the way out is it known who called.
            Some(caller) => Router::new()
                .route("/v1/orders", get(|| async { "old" }))
                .layer(testing::with_principal(caller))
                .layer(ServiceBuilder::new().layer(RequestContextLayer::new().clock(clock())).layer(layer.clone())),
        }
    };
    let client = testing::principal("usr_1").client("app_7").build();
    let subject = testing::principal("usr_2").build();
    for (caller, times) in [(Some(client), 3), (Some(subject), 2), (None, 1)] {
        for _ in 0..times {
            assert_eq!(send(&with(caller.clone()), "/v1/orders", &[]).await.0, StatusCode::OK);
        }
    }
    send(&with(None), "/v2/orders", &[]).await;
    let usage = layer.usage();
    assert_eq!(usage.calls().collect::<Vec<_>>(), [(ONE, 6), (TWO, 1)]);
    let callers = usage.callers(ONE);
    let shown: Vec<_> = callers.iter().map(|caller| (caller.who.to_string(), caller.calls)).collect();
    let wanted = [("client app_7", 3), ("subject usr_2", 2), ("an unknown address", 1)];
    assert_eq!(shown, wanted.map(|(name, calls)| (name.to_owned(), calls)));
    assert!(callers.iter().all(|caller| caller.last == day(2025, 7, 1)));
    assert!(usage.callers(TWO).is_empty() && usage.callers(NINE).is_empty());
}

#[tokio::test]
async fn who_calls_is_counted_however_the_call_ends() {
    let clock = clock();
    let layer = ending().build().unwrap();
    let calm = app(&layer, clock.clone());
    clock.set_wall(day(2026, 1, 1));
    assert_eq!(send(&calm, "/v1/orders", &[]).await.0, StatusCode::GONE);
    clock.set_wall(day(2025, 7, 1));
    let broken = Router::new().route("/v1/orders", get(breaks)).layer(at_present(&layer));
    assert!(tokio::spawn(broken.oneshot(ask("/v1/orders", &[]))).await.unwrap_err().is_panic());
    let slow = Router::new().route("/v1/orders", get(std::future::pending::<()>)).layer(at_present(&layer));
    let mut waiting = Box::pin(slow.oneshot(ask("/v1/orders", &[])));
    assert!(futures_poll(waiting.as_mut()).is_none());
    drop(waiting);
    assert_eq!(layer.usage().callers(ONE)[0].calls, 3);
}

/// The layer, on the first of July.
fn at_present(layer: &ApiVersionLayer) -> tower::layer::util::Stack<ApiVersionLayer, RequestContextLayer> {
    tower::layer::util::Stack::new(layer.clone(), RequestContextLayer::new().clock(clock()))
}

/// Polls once.
fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test]
async fn strangers_from_many_addresses_fill_no_memory_and_push_no_client_out() {
    let layer = ending().callers(2).build().unwrap();
    let app = app(&layer, clock());
    for last in 0..5_u8 {
        let mut request = ask("/v1/orders", &[]);
        let peer = std::net::SocketAddr::from(([192, 0, 2, last], 4711));
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        app.clone().oneshot(request).await.unwrap();
    }
    let router = Router::new()
        .route("/v1/orders", get(|| async { "old" }))
        .layer(testing::with_principal(testing::principal("usr_1").build()))
        .layer(at_present(&layer));
    send(&router, "/v1/orders", &[]).await;
    let shown: Vec<_> =
        layer.usage().callers(ONE).iter().map(|caller| (caller.who.to_string(), caller.calls)).collect();
    let wanted = [("others", 3), ("subject usr_1", 1), ("192.0.2.0", 1), ("192.0.2.1", 1)];
    assert_eq!(shown, wanted.map(|(name, calls)| (name.to_owned(), calls)));
}

#[test]
fn a_version_that_ends_before_it_is_deprecated_does_not_build() {
    let text = mistakes(
        ApiVersionLayer::builder([
            SupportedVersion::new(ONE).deprecated(UtcDate::new(2025, 2, 1)).sunset(UtcDate::new(2025, 1, 31)),
            SupportedVersion::new(TWO)
                .sunset(UtcDate::new(2025, 2, 30))
                .brown_out(UtcDate::new(2025, 1, 2), UtcDate::new(2025, 1, 1))
                .deprecation_link("javascript:alert(1)")
                .sunset_link("https://example.com/a>b"),
        ])
        .build(),
    );
    for part in [
        "versions[v1].sunset: it ends before it is deprecated",
        "versions[v2].sunset: the calendar has no such time",
        "versions[v2].brown_out: it ends before it begins",
        "versions[v2].brown_out: a brown-out announces a sunset",
        "versions[v2].link[deprecation]: no URI",
        "versions[v2].link[sunset]: no URI",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // On the same second it may.
    let same = UtcDate::new(2030, 1, 1);
    assert!(ApiVersionLayer::builder([SupportedVersion::new(ONE).deprecated(same).sunset(same)]).build().is_ok());
}

#[test]
fn links_that_could_break_the_field_are_refused() {
    for link in [
        "",
        "a",
        "//evil.example",
        "https://",
        "ftp://a.example/",
        "/a\"b",
        "/a b",
        "/a\r\nb",
        "/ä",
        "https://a.example/<b",
    ] {
        let built = ApiVersionLayer::builder([SupportedVersion::new(ONE).successor_link(link)]).build();
        assert!(built.is_err(), "{link:?}");
    }
    for link in ["/", "/v2", "https://developer.example.com", "http://localhost:3000/a?b=c#d"] {
        let built = ApiVersionLayer::builder([SupportedVersion::new(ONE).successor_link(link)]).build();
        assert!(built.is_ok(), "{link:?} {built:?}");
    }
}

fn codes(report: &Report) -> Vec<&'static str> {
    report.issues().iter().map(|issue| issue.code).collect()
}

#[test]
fn what_is_doubtful_is_told() {
    let soon = SupportedVersion::new(ONE).sunset(UtcDate::new(2025, 12, 27));
    let report = ApiVersionLayer::builder([soon.clone(), SupportedVersion::new(TWO)]).clock(clock()).lint();
    assert_eq!(codes(&report), ["sunset-soon", "sunset-without-deprecation", "ending-without-link"]);
    // 180 days from the first of July.
    let late =
        soon.clone().sunset(UtcDate::new(2025, 12, 28)).deprecated(UtcDate::new(2025, 1, 1)).successor_link("/v2");
    let report = ApiVersionLayer::builder([late, SupportedVersion::new(TWO)]).clock(clock()).lint();
    assert!(report.is_empty(), "{report}");
    let past = SupportedVersion::new(ONE).deprecated(UtcDate::new(2024, 1, 1)).sunset(UtcDate::new(2025, 7, 1));
    let report =
        ApiVersionLayer::builder([past.successor_link("/v2"), SupportedVersion::new(TWO)]).clock(clock()).lint();
    assert_eq!(codes(&report), ["version-retired"]);
    let deprecated = SupportedVersion::new(ONE).deprecated(UtcDate::new(2024, 1, 1)).successor_link("/v2");
    let builder = ApiVersionLayer::builder([deprecated]).clock(clock()).without_version(WithoutVersion::Serve(ONE));
    assert_eq!(
        codes(&builder.lint()),
        ["all-versions-end", "default-version-ends", "deprecated-without-sunset", "single-version"]
    );
    let built = builder.allow_lint("default-version-ends", "the old apps name none").build().unwrap();
    let allowed = built.report().with_code("default-version-ends").next().unwrap();
    assert_eq!(allowed.allowed.as_deref(), Some("the old apps name none"));
}

async fn breaks() {
    std::panic::panic_any("broken")
}
