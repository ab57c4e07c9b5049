//! Rate limits and quotas.

use std::time::Duration;

use axum::{Router, routing};
use http::{HeaderMap, HeaderName};
use portcullis::{
    backend::memory::MemoryStore,
    gate::RequestContextLayer,
    quota::{Plan, QuotaLayer},
    rate_limit::{
        Batch, Cost, Key, PlanResolver, PlanSubject, Rate, RateLimitHeaders, RateLimitLayer, RateLimitStore, Rule,
        Verdicts,
    },
    store::{BoxFuture, StoreError},
    testing::{principal, with_principal},
    time::{ManualClock, Timestamp},
};
use tower::ServiceBuilder;

use super::{Observed, ask, codes, get, greatest, status};

const RATES: &str = "Rate limits";
const QUOTAS: &str = "Quotas";

pub(super) async fn look(seen: &mut Observed) {
    rates(seen).await;
    rules(seen).await;
    quotas(seen).await;
    plans(seen).await;
}

/// Names in lower case, as they are looked up, and as the page writes them.
fn written(headers: &HeaderMap, family: &str, names: &[&str]) -> String {
    let found = headers.keys().filter(|name| name.as_str().contains(family)).count();
    let known: Vec<&str> = names.iter().copied().filter(|name| headers.contains_key(*name)).collect();
    assert_eq!(found, known.len(), "{headers:?}");
    codes(known)
}

async fn rates(seen: &mut Observed) {
    let rate = Rate::per_minute(10);
    seen.see(RATES, "burst", if rate.capacity() == 10 { "the units of one period" } else { "another" });
    let limits = RateLimitLayer::builder(MemoryStore::new()).rule(Rule::new("r", Key::ip(), rate)).build().unwrap();
    let app = Router::new().route("/", routing::get(|| async {})).layer(limits);
    let (_, headers, _) = ask(&app, get("/", &[])).await;
    let number = |name: &str| headers[name].to_str().unwrap().parse::<u64>().unwrap();
    seen.see(RATES, "cost of a request", (10 - number("x-ratelimit-remaining")).to_string());
    let names = ["RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"];
    seen.see(RATES, "header fields", format!("both: {}", written(&headers, "ratelimit", &names)));
    let epoch = number("x-ratelimit-reset") > 1_600_000_000;
    seen.see(RATES, "`X-RateLimit-Reset`", if epoch { "seconds since the epoch" } else { "seconds from now" });
    let unit = headers["ratelimit-policy"] == r#""r";q=10;w=60"#;
    seen.see(RATES, "unit in `RateLimit-Policy`", if unit { "requests, which are not named" } else { "another" });
    jitter(seen).await;
}

/// How long who is refused is told to wait for the next minute.
async fn jitter(seen: &mut Observed) {
    let waits = async |headers: RateLimitHeaders| {
        let builder = RateLimitLayer::builder(MemoryStore::new()).headers(headers);
        let limits = builder.rule(Rule::new("r", Key::ip(), Rate::per_minute(1))).build().unwrap();
        let app = Router::new().route("/", routing::get(|| async {})).layer(limits);
        ask(&app, get("/", &[])).await;
        let mut waits = Vec::new();
        for _ in 0..50 {
            let (_, headers, _) = ask(&app, get("/", &[])).await;
            waits.push(headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap());
        }
        waits
    };
    let truth = waits(RateLimitHeaders::both()).await.iter().all(|wait| (50..=60).contains(wait));
    seen.see(RATES, "`Retry-After`", if truth { "the truth, rounded up to a second" } else { "another" });
    let day = waits(RateLimitHeaders::both().retry_jitter(Duration::from_secs(86_400))).await;
    let hour = day.iter().all(|wait| *wait <= 3_660) && day.iter().any(|wait| *wait > 1_800);
    seen.see(RATES, "most jitter of `Retry-After`", if hour { "an hour" } else { "another" });
}

/// Answers nothing.
#[derive(Debug)]
struct Gone;

impl RateLimitStore for Gone {
    fn apply<'a>(&'a self, _: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(std::future::ready(Err(StoreError::TimedOut)))
    }
}

async fn rules(seen: &mut Observed) {
    let nothing = RateLimitLayer::builder(MemoryStore::new()).build();
    seen.see(RATES, "rules", if nothing.is_err() { "none" } else { "some" });
    let many = async |count: u64| {
        let builder = RateLimitLayer::builder(MemoryStore::new());
        let rule = |number: u64| Rule::new(format!("r{number}"), Key::ip(), Rate::per_minute(1));
        (0..count).fold(builder, |builder, number| builder.rule(rule(number))).build().is_ok()
    };
    seen.see(RATES, "most rules for one request", greatest(1..=20, many).await.to_string());
    let parts = async |count: u64| {
        let all = [Key::ip(), Key::endpoint(), Key::principal(), Key::tenant(), Key::api_key()];
        let key = all.into_iter().take(usize::try_from(count).unwrap()).reduce(Key::and).unwrap();
        RateLimitLayer::builder(MemoryStore::new()).rule(Rule::new("r", key, Rate::per_minute(1))).build().is_ok()
    };
    seen.see(RATES, "most parts of a key", greatest(1..=5, parts).await.to_string());
    let limits = RateLimitLayer::builder(Gone).rule(Rule::new("r", Key::ip(), Rate::per_minute(1))).build().unwrap();
    let app = Router::new().route("/", routing::get(|| async {})).layer(limits);
    seen.see(RATES, "when the store fails", status(&app, get("/", &[])).await.to_string());
    late(seen).await;
}

/// Knows nobody's plan, and is never there.
#[derive(Debug)]
struct Away;

impl PlanResolver for Away {
    fn find<'a>(
        &'a self,
        _: PlanSubject<'a>,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<std::sync::Arc<str>>, StoreError>> {
        Box::pin(std::future::ready(Err(StoreError::TimedOut)))
    }
}

async fn late(seen: &mut Observed) {
    let one = || Rule::new("r", Key::ip(), Rate::per_minute(10));
    let app = |rule: Rule| {
        let limits = RateLimitLayer::builder(MemoryStore::new()).rule(rule).plan_resolver(Away).build().unwrap();
        let gates = ServiceBuilder::new().layer(with_principal(principal("usr_1").build())).layer(limits);
        Router::new().route("/", routing::get(|| async {})).layer(gates)
    };
    let (_, headers, _) = ask(&app(one().cost(Cost::reported())), get("/", &[])).await;
    let left: u64 = headers["x-ratelimit-remaining"].to_str().unwrap().parse().unwrap();
    seen.see(RATES, "what is charged until a cost is known", (10 - left).to_string());
    let lost = status(&app(one().plan("pro", Rate::per_minute(1))), get("/", &[])).await;
    seen.see(RATES, "when the resolver fails", if lost == 503 { "as when the store fails" } else { "another" });
    let tenant = HeaderName::from_static("x-tenant");
    let keyed = Rule::new("r", Key::dangerously_header(tenant), Rate::per_minute(1_000));
    let keyed = app(keyed);
    let longest = async |bytes: u64| {
        let value = "x".repeat(usize::try_from(bytes).unwrap());
        status(&keyed, get("/", &[("x-tenant", &value)])).await == 200
    };
    let longest = greatest(250..=260, longest).await;
    seen.see(RATES, "longest text that a key takes from a request", format!("{longest} bytes"));
}

async fn quotas(seen: &mut Observed) {
    let store = MemoryStore::new();
    let quota = || {
        let plans = QuotaLayer::builder(store.clone()).plan(Plan::new("free").monthly(2));
        plans.plan(Plan::new("pro").monthly(100)).default_plan("free").build().unwrap()
    };
    let now = Timestamp::from_secs(1_795_248_300);
    let caller = |name: &str| {
        let context = RequestContextLayer::new().clock(ManualClock::at(now));
        let caller = with_principal(principal(name).plan("unheard of").build());
        let gates = ServiceBuilder::new().layer(context).layer(caller).layer(quota());
        Router::new().route("/", routing::get(|| async {})).layer(gates)
    };
    let (_, headers, _) = ask(&caller("usr_1"), get("/", &[])).await;
    let limit = if headers["x-quota-limit"] == "2" { "the default plan" } else { "another" };
    seen.see(QUOTAS, "plan of a caller with an unknown plan", limit);
    seen.see(QUOTAS, "cost of a request", headers["x-quota-used"].to_str().unwrap());
    // 2026-12-01T00:00:00Z.
    let month = headers["x-quota-reset"] == "1796083200";
    seen.see(QUOTAS, "period", if month { "calendar month, UTC" } else { "another" });
    let names = ["X-Quota-Limit", "X-Quota-Remaining", "X-Quota-Reset", "X-Quota-Used"];
    seen.see(QUOTAS, "header fields", written(&headers, "quota", &names));
    let (_, other, _) = ask(&caller("usr_2"), get("/", &[])).await;
    let own = other["x-quota-used"] == headers["x-quota-used"];
    seen.see(QUOTAS, "whose allowance", if own { "each caller's own" } else { "shared" });
    ask(&caller("usr_1"), get("/", &[])).await;
    let (refused, _, body) = ask(&caller("usr_1"), get("/", &[])).await;
    assert_eq!(refused, 402);
    seen.see(QUOTAS, "`upgrade_url` in the 402", if body.contains("upgrade_url") { "some" } else { "none" });
}

async fn plans(seen: &mut Observed) {
    let without_default = QuotaLayer::builder(MemoryStore::new()).plan(Plan::new("free").monthly(1)).build();
    let without_plan = QuotaLayer::builder(MemoryStore::new()).build();
    seen.see(QUOTAS, "plans", if without_default.is_err() && without_plan.is_err() { "none" } else { "some" });
    let many = async |count: u64| {
        let builder = QuotaLayer::builder(MemoryStore::new()).default_plan("p0");
        let plan = |number: u64| Plan::new(format!("p{number}")).unlimited();
        (0..count).fold(builder, |builder, number| builder.plan(plan(number))).build().is_ok()
    };
    seen.see(QUOTAS, "most plans", greatest(1..=1_000, many).await.to_string());
}
