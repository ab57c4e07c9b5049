use super::*;
use crate::rate_limit::headers::{policy_item, quote};

#[test]
fn names_are_rfc_9651_strings() {
    assert_eq!(quote("login"), r#""login""#);
    assert_eq!(quote(r#"a"b\c"#), r#""a\"b\\c""#);
}

#[test]
fn policies_are_those_of_the_draft() {
    let window = Some(Duration::from_secs(60));
    assert_eq!(policy_item("\"burst\"", 100, window), r#""burst";q=100;w=60"#);
    assert_eq!(policy_item("\"a\"", u64::MAX, None), r#""a";q=999999999999999"#);
    assert_eq!(policy_item("\"a\"", 1, Some(Duration::from_nanos(1))), r#""a";q=1;w=1"#);
}

#[tokio::test]
async fn allowed_and_refused_responses_say_where_the_caller_stands() {
    let app = App::of(Rule::new("free", Key::ip(), Rate::per_minute(10).burst(2)));
    let response = app.get("/").await;
    assert_eq!(header(&response, "ratelimit-policy"), r#""free";q=2;w=12"#);
    assert_eq!(header(&response, "ratelimit"), r#""free";r=1;t=6"#);
    assert_eq!(header(&response, "x-ratelimit-limit"), "2");
    assert_eq!(header(&response, "x-ratelimit-remaining"), "1");
    assert_eq!(header(&response, "x-ratelimit-reset"), "1700000046");
    assert_eq!(header(&response, "retry-after"), "");
    app.get("/").await;
    app.clock.advance(Duration::from_millis(1_900));
    let response = app.get("/").await;
    assert_eq!(response.status(), 429);
    assert_eq!(header(&response, "ratelimit-policy"), r#""free";q=2;w=12"#);
    // Rounded up: whoever waits so long is not refused again.
    assert_eq!(header(&response, "ratelimit"), r#""free";r=0;t=5"#);
    assert_eq!(header(&response, "retry-after"), "5");
    assert_eq!(header(&response, "x-ratelimit-remaining"), "0");
    assert_eq!(header(&response, "x-ratelimit-reset"), "1700000052");
}

#[tokio::test]
async fn the_reset_follows_the_wall_clock_and_the_rate_does_not() {
    let app = App::of(Rule::new("free", Key::ip(), Rate::per_minute(1)));
    app.get("/").await;
    app.clock.set_wall(Timestamp::from_secs(5_000));
    let response = app.get("/").await;
    assert_eq!((response.status().as_u16(), header(&response, "x-ratelimit-reset")), (429, "5060"));
}

#[tokio::test]
async fn dialects_are_switched() {
    for (headers, ietf, legacy) in [
        (RateLimitHeaders::Both, true, true),
        (RateLimitHeaders::Ietf, true, false),
        (RateLimitHeaders::Legacy, false, true),
        (RateLimitHeaders::Off, false, false),
    ] {
        let layer = RateLimitLayer::builder(crate::backend::memory::MemoryStore::new())
            .rule(Rule::new("one", Key::ip(), Rate::per_minute(1)))
            .headers(headers)
            .build()
            .unwrap();
        let app = App::new([layer]);
        for status in [200, 429] {
            let response = app.get("/").await;
            assert_eq!(response.status(), status);
            assert_eq!(response.headers().contains_key("ratelimit"), ietf, "{headers:?}");
            assert_eq!(response.headers().contains_key("ratelimit-policy"), ietf, "{headers:?}");
            assert_eq!(response.headers().contains_key("x-ratelimit-limit"), legacy, "{headers:?}");
            assert_eq!(response.headers().contains_key("retry-after"), status == 429);
        }
    }
}

#[tokio::test]
async fn several_rules_are_one_list_and_the_tightest_is_the_legacy_one() {
    let app = App::new([layer([
        Rule::new("minute", Key::ip(), Rate::per_minute(60)),
        Rule::new("hour", Key::ip(), Rate::per_hour(10)),
    ])]);
    let response = app.get("/").await;
    assert_eq!(header(&response, "ratelimit-policy"), r#""minute";q=60;w=60, "hour";q=10;w=3600"#);
    assert_eq!(header(&response, "ratelimit"), r#""minute";r=59;t=1, "hour";r=9;t=360"#);
    assert_eq!(header(&response, "x-ratelimit-limit"), "10");
}

#[tokio::test]
async fn nested_layers_join_their_lists_in_both_orders() {
    for (outer, inner) in [(3, 100), (100, 3)] {
        let rule = |name: &str, burst| layer([Rule::new(name, Key::ip(), Rate::per_minute(60).burst(burst))]);
        let app = App::new([rule("outer", outer), rule("inner", inner)]);
        let response = app.get("/").await;
        let expected = format!(r#""outer";r={};t=1, "inner";r={};t=1"#, outer - 1, inner - 1);
        assert_eq!(header(&response, "ratelimit"), expected);
        assert_eq!(response.headers().get_all("ratelimit-policy").iter().count(), 1);
        assert_eq!(header(&response, "x-ratelimit-limit"), "3");
        app.get("/").await;
        app.get("/").await;
        let refused = app.get("/").await;
        assert_eq!(refused.status(), 429);
        assert_eq!(header(&refused, "x-ratelimit-limit"), "3");
        assert_eq!(header(&refused, "x-ratelimit-remaining"), "0");
        assert_eq!(header(&refused, "ratelimit").contains("inner"), inner == 3, "{}", header(&refused, "ratelimit"));
    }
}
