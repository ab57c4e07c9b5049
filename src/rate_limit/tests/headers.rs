use super::*;
use crate::rate_limit::headers::{policy_item, quote};

const REQUESTS: QuotaUnit = QuotaUnit::Requests;

#[test]
fn names_are_rfc_9651_strings() {
    assert_eq!(quote("login"), r#""login""#);
    assert_eq!(quote(r#"a"b\c"#), r#""a\"b\\c""#);
}

#[test]
fn policies_are_those_of_the_draft() {
    let window = Some(Duration::from_secs(60));
    assert_eq!(policy_item("\"burst\"", 100, window, REQUESTS), r#""burst";q=100;w=60"#);
    assert_eq!(policy_item("\"a\"", u64::MAX, None, REQUESTS), r#""a";q=999999999999999"#);
    assert_eq!(policy_item("\"a\"", 1, Some(Duration::from_nanos(1)), REQUESTS), r#""a";q=1;w=1"#);
    let bytes = policy_item("\"up\"", 65_535, window, QuotaUnit::ContentBytes);
    assert_eq!(bytes, r#""up";q=65535;qu="content-bytes";w=60"#);
    let at_once = policy_item("\"jobs\"", 5, None, QuotaUnit::ConcurrentRequests);
    assert_eq!(at_once, r#""jobs";q=5;qu="concurrent-requests""#);
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
        (RateLimitHeaders::both(), true, true),
        (RateLimitHeaders::ietf(), true, false),
        (RateLimitHeaders::legacy(), false, true),
        (RateLimitHeaders::off(), false, false),
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

fn of(headers: RateLimitHeaders, rules: impl IntoIterator<Item = Rule>) -> RateLimitLayer {
    let builder = RateLimitLayer::builder(crate::backend::memory::MemoryStore::new()).headers(headers);
    rules.into_iter().fold(builder, RateLimitLayerBuilder::rule).build().unwrap()
}

/// All fields of rate limits, by name.
fn fields(response: &Response) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = response
        .headers()
        .iter()
        .filter(|(name, _)| name.as_str().contains("ratelimit"))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    fields.sort();
    fields
}

fn listed(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// One exchange in each dialect: 20 requests, 10 a minute, of which one has been sent.
#[tokio::test]
async fn each_dialect_has_its_own_fields() {
    let off = RateLimitHeaders::off();
    let cases: [(RateLimitHeaders, &[(&str, &str)]); 6] = [
        (
            off.dialect(HeaderDialect::Draft11),
            &[("ratelimit", r#""free";r=19;t=6"#), ("ratelimit-policy", r#""free";q=20;w=120"#)],
        ),
        (
            off.dialect(HeaderDialect::Draft07),
            &[("ratelimit", "limit=20, remaining=19, reset=6"), ("ratelimit-policy", "20;w=120")],
        ),
        (
            off.dialect(HeaderDialect::Draft06),
            &[
                ("ratelimit-limit", "20"),
                ("ratelimit-policy", "20;w=120"),
                ("ratelimit-remaining", "19"),
                ("ratelimit-reset", "6"),
            ],
        ),
        (
            off.legacy_reset(LegacyReset::Epoch),
            &[("x-ratelimit-limit", "20"), ("x-ratelimit-remaining", "19"), ("x-ratelimit-reset", "1700000046")],
        ),
        (
            off.legacy_reset(LegacyReset::Seconds).legacy_policy(),
            &[
                ("x-ratelimit-limit", "20"),
                ("x-ratelimit-policy", "20 requests per 120 seconds"),
                ("x-ratelimit-remaining", "19"),
                ("x-ratelimit-reset", "6"),
            ],
        ),
        (off, &[]),
    ];
    for (headers, expected) in cases {
        let app = App::new([of(headers, [Rule::new("free", Key::ip(), Rate::per_minute(10).burst(20))])]);
        assert_eq!(fields(&app.get("/").await), listed(expected), "{headers:?}");
        for _ in 0..19 {
            app.get("/").await;
        }
        // The refusal has the same fields.
        let refused = app.get("/").await;
        let names = |fields: Vec<(String, String)>| fields.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!((refused.status().as_u16(), names(fields(&refused))), (429, names(listed(expected))));
    }
}

#[tokio::test]
async fn what_the_seed_says_of_a_policy_is_said() {
    let headers = RateLimitHeaders::legacy().legacy_policy();
    let app = App::new([of(headers, [Rule::new("free", Key::ip(), Rate::per_minute(20))])]);
    assert_eq!(header(&app.get("/").await, "x-ratelimit-policy"), "20 requests per minute");
}

/// Lists are joined; of what holds one limit the tightest stays, whichever layer it is of.
#[tokio::test]
async fn nested_layers_agree_in_every_dialect() {
    for (outer, inner) in [(3, 100), (100, 3)] {
        for (dialect, policy, state) in [
            (HeaderDialect::Draft07, format!("{outer};w={outer}, {inner};w={inner}"), "limit=3, remaining=2, reset=1"),
            (HeaderDialect::Draft06, format!("{outer};w={outer}, {inner};w={inner}"), ""),
        ] {
            let headers = RateLimitHeaders::legacy().dialect(dialect).legacy_policy();
            let rule = |name: &str, burst| of(headers, [Rule::new(name, Key::ip(), Rate::per_minute(60).burst(burst))]);
            let app = App::new([rule("outer", outer), rule("inner", inner)]);
            let response = app.get("/").await;
            assert_eq!(header(&response, "ratelimit-policy"), policy, "{dialect:?}");
            assert_eq!(header(&response, "ratelimit"), state, "{dialect:?}");
            assert_eq!(header(&response, "x-ratelimit-limit"), "3");
            assert_eq!(header(&response, "x-ratelimit-policy"), "3 requests per 3 seconds");
            if dialect == HeaderDialect::Draft06 {
                let of = |name| header(&response, name);
                assert_eq!((of("ratelimit-limit"), of("ratelimit-remaining"), of("ratelimit-reset")), ("3", "2", "1"));
            }
        }
    }
}

#[tokio::test]
async fn a_unit_is_named_where_it_is_no_request() {
    let rule = Rule::new("upload", Key::ip(), Rate::per_minute(600)).unit(QuotaUnit::ContentBytes).cost(100);
    let app = App::of(rule);
    assert_eq!(header(&app.get("/").await, "ratelimit-policy"), r#""upload";q=600;qu="content-bytes";w=60"#);
}

/// Sixty callers who are refused at once are told to come back at many times, none of them too early, and the
/// same in the field and in the document.
#[tokio::test]
async fn waits_differ_and_are_never_shorter_than_the_truth() {
    let headers = RateLimitHeaders::both().retry_jitter(Duration::from_secs(30));
    let app = App::new([of(headers, [Rule::new("free", Key::ip(), Rate::per_minute(1))])]);
    app.get("/").await;
    let mut waits = std::collections::BTreeSet::new();
    for _ in 0..60 {
        let refused = app.get("/").await;
        let wait: u64 = header(&refused, "retry-after").parse().unwrap();
        assert!((60..=90).contains(&wait), "{wait}");
        assert_eq!(header(&refused, "ratelimit"), r#""free";r=0;t=60"#);
        assert_eq!(json(refused).await["retry_after"], wait);
        waits.insert(wait);
    }
    assert!(waits.len() > 10, "{waits:?}");
}

/// What a foreign parser of RFC 9651 makes of a list: names, and integers by parameter.
fn parsed(line: &str) -> Vec<(String, Vec<(String, String)>)> {
    let list: sfv::List = sfv::Parser::new(line).parse().unwrap_or_else(|error| panic!("{line}: {error}"));
    let item = |entry: &sfv::ListEntry| match entry {
        sfv::ListEntry::Item(item) => item.clone(),
        sfv::ListEntry::InnerList(_) => panic!("no item: {line}"),
    };
    list.iter()
        .map(item)
        .map(|item| {
            let bare = |bare: &sfv::BareItem| match bare {
                sfv::BareItem::String(text) => text.as_str().to_owned(),
                sfv::BareItem::Integer(number) => i64::from(*number).to_string(),
                other => panic!("{other:?} in {line}"),
            };
            let parameters = item.params.iter().map(|(key, value)| (key.as_str().to_owned(), bare(value))).collect();
            (bare(&item.bare_item), parameters)
        })
        .collect()
}

proptest::proptest! {
    /// Whatever a rule is called and allows, its fields are what RFC 9651 and the draft say, and are read back as
    /// what was meant.
    #[test]
    fn a_foreign_parser_reads_what_was_meant(
        names in proptest::collection::btree_set("[ -~]{1,12}", 1..4),
        limits in proptest::collection::vec((1_u64..=999_999_999_999_999, 1_u64..100_000), 3),
        used in 0_u64..3,
    ) {
        let rates: Vec<(String, Rate)> = names
            .into_iter()
            .zip(limits)
            .map(|(name, (units, secs))| (name, Rate::per(units, Duration::from_secs(secs))))
            .collect();
        let rules: Vec<Rule> =
            rates.iter().map(|(name, rate)| Rule::new(name, Key::ip(), *rate)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let app = App::new([of(RateLimitHeaders::both(), rules)]);
        let mut response = runtime.block_on(app.get("/"));
        for _ in 0..used {
            response = runtime.block_on(app.get("/"));
        }
        let policy = parsed(header(&response, "ratelimit-policy"));
        let state = parsed(header(&response, "ratelimit"));
        proptest::prop_assert_eq!(policy.len(), rates.len());
        for (((name, rate), (policy, policies)), (stated, states)) in rates.iter().zip(&policy).zip(&state) {
            proptest::prop_assert_eq!((name, name), (policy, stated));
            let window = ("w".to_owned(), rate.period().as_secs().to_string());
            proptest::prop_assert_eq!(policies, &vec![("q".to_owned(), rate.capacity().to_string()), window]);
            proptest::prop_assert_eq!(&states[0].0, "r");
            proptest::prop_assert!(states[0].1.parse::<u64>().unwrap() <= rate.capacity());
        }
        if response.status() == 429 {
            let wait: u64 = header(&response, "retry-after").parse().unwrap();
            let longest = state.iter().filter(|(_, states)| states[0].1 == "0");
            for until in longest.filter_map(|(_, states)| states.get(1)) {
                proptest::prop_assert!(wait >= until.1.parse().unwrap(), "Retry-After is before t");
            }
        }
    }
}
