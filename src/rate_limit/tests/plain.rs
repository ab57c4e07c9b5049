//! Rules of which nothing is to be looked for take a shorter way: it says what the longer one says.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

const COST: HeaderName = HeaderName::from_static("x-cost");
const TENANT: HeaderName = HeaderName::from_static("x-tenant");

/// The same rules three times: as they are, with an exemption of nobody, so that everything is looked for, and
/// with a rule besides that only counts, so that no decision is the only one.
fn ways(rules: &[Rule], headers: RateLimitHeaders) -> [App; 3] {
    let exempts_nobody = || Exemption::when(|_| false);
    let counts = || Rule::new("counts", Key::global(), Rate::per_second(1_000_000)).shadow();
    let builder = || {
        let store = crate::backend::memory::MemoryStore::new();
        RateLimitLayer::builder(store).headers(headers).rules(rules.iter().cloned())
    };
    let is_plain = |exempt: &[Exemption]| ruleset::RuleSet::compile(rules, exempt).unwrap().is_plain();
    assert!(is_plain(&[]) && !is_plain(&[exempts_nobody()]));
    let long = || builder().exempt(exempts_nobody());
    [builder(), long(), long().rule(counts())].map(|builder| App::new([builder.build().unwrap()]))
}

/// Everything that the layer says, but for the request's id.
async fn said(response: Response) -> (u16, BTreeMap<String, Vec<HeaderValue>>, Value) {
    let status = response.status().as_u16();
    let mut fields = BTreeMap::<String, Vec<HeaderValue>>::new();
    for (name, value) in response.headers().iter().filter(|(name, _)| name.as_str() != "x-request-id") {
        fields.entry(name.to_string()).or_default().push(value.clone());
    }
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let mut body = serde_json::from_slice(&bytes).unwrap_or_default();
    if let Value::Object(members) = &mut body {
        members.retain(|name, _| !matches!(name.as_str(), "request_id" | "instance"));
    }
    (status, fields, body)
}

fn rules() -> Vec<Rule> {
    let rate = || Rate::per_minute(4).burst(3);
    vec![
        Rule::new("client", Key::client(), rate()),
        Rule::new("address", Key::ip(), Rate::per_minute(5)).sliding_counter(),
        Rule::new("window", Key::ip(), Rate::per_minute(5)).fixed_window().cost(2),
        Rule::new("all", Key::global(), rate()),
        Rule::new("key", Key::api_key(), rate()),
        Rule::new("both", Key::ip().and(Key::endpoint()), rate()).unit(QuotaUnit::ContentBytes),
        Rule::new("tenant", Key::dangerously_header(TENANT), rate()),
        Rule::new("priced", Key::ip(), rate()).cost(Cost::header(COST, 1, 3)),
        Rule::new("blocks", Key::principal(), rate()).block_for(Duration::from_secs(90)),
        Rule::new("gives back", Key::ip(), rate()).cost(2).cost_on(StatusClass::Success, 1),
        Rule::new("free", Key::ip(), Limit::unlimited()),
        Rule::new("silent", Key::ip(), rate()).shadow(),
    ]
}

/// Which fields a request has, and how long after the last one it comes.
#[derive(Clone, Debug)]
struct Asked {
    path: &'static str,
    caller: Option<&'static str>,
    tenant: &'static [&'static [u8]],
    cost: &'static [&'static [u8]],
    after: u64,
}

impl Asked {
    fn request(&self) -> Request<Body> {
        let mut request = request(Method::GET, self.path, self.caller, "203.0.113.7");
        for (name, values) in [(&TENANT, self.tenant), (&COST, self.cost)] {
            for value in values {
                request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
            }
        }
        request
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    let path = prop::sample::select(vec!["/", "/orders"]);
    let caller = prop::sample::select(vec![None, Some("key,k1,usr_1"), Some("jwt,t1,usr_1")]);
    let tenant = prop::sample::select(vec![
        &[] as &[&[u8]],
        &[b"a"],
        &[b"a"],
        &[b"a", b"b"],
        &[b""],
        &[b"\xff"],
        &[&[b'l'; 5_000]],
    ]);
    let cost = prop::sample::select(vec![
        &[] as &[&[u8]],
        &[b"1"],
        &[b"2"],
        &[b"x"],
        &[b"1", b"1"],
        &[b""],
        &[b"99999999999999999999"],
    ]);
    let after = prop::sample::select(vec![0, 0, 0, 1, 20]);
    (path, caller, tenant, cost, after).prop_map(|(path, caller, tenant, cost, after)| Asked {
        path,
        caller,
        tenant,
        cost,
        after,
    })
}

fn headers() -> impl Strategy<Value = RateLimitHeaders> {
    let old = RateLimitHeaders::off().legacy_reset(LegacyReset::Seconds).legacy_policy();
    prop::sample::select(vec![
        RateLimitHeaders::both(),
        RateLimitHeaders::off(),
        old.dialect(HeaderDialect::Draft06),
        old.dialect(HeaderDialect::Draft07),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_short_way_says_what_the_long_one_says(
        rules in prop::sample::subsequence(rules(), 1..=3),
        headers in headers(),
        requests in prop::collection::vec(asked(), 1..16),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ways = ways(&rules, headers);
        for asked in &requests {
            let [short, long, among_others] = ways.each_ref().map(|app| {
                app.wait(asked.after);
                runtime.block_on(async { said(app.send(asked.request()).await).await })
            });
            prop_assert_eq!(&short, &long, "{:?}", asked);
            prop_assert_eq!(&short, &among_others, "{:?}", asked);
        }
    }
}

/// Each by itself, until it refuses: else what is compared might be nothing.
#[tokio::test]
async fn each_rule_says_something_on_both_ways() {
    let mut told = Vec::new();
    for rule in rules() {
        let name = rule.name.clone();
        let ways = ways(&[rule], RateLimitHeaders::both());
        let ask = Asked { path: "/", caller: Some("key,k1,usr_1"), tenant: &[b"a"], cost: &[b"2"], after: 0 };
        for _ in 0..6 {
            let mut all = Vec::new();
            for app in &ways {
                all.push(said(app.send(ask.request()).await).await);
            }
            assert!(all.iter().all(|said| *said == all[0]), "{name}: {all:?}");
            told.push((name.clone(), all[0].0));
        }
    }
    let refused = |name: &str| told.iter().any(|(rule, status)| rule == name && *status != 200);
    for rule in rules() {
        let never = matches!(rule.name.as_str(), "free" | "silent");
        assert_eq!(refused(&rule.name), !never, "{}", rule.name);
    }
}
