//! Rate limits while a real Redis server is slow, paused, killed, or not heard.

#![allow(clippy::disallowed_methods, reason = "what is promised is a time")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode};
use portcullis::{
    backend::{memory::MemoryStore, redis::RedisStore},
    rate_limit::{
        Batch, Charge, ChargeKey, Key, KeyPart, OnStoreLoss, Op, Rate, RateLimitLayer, RateLimitStore, Rule,
        TokenBucket, Verdicts,
    },
    rejection::RejectionKind,
    store::StoreError,
    time::Timestamp,
};
use portcullis_interop::{proxy::Proxy, redis::Redis};
use tower::{ServiceBuilder, ServiceExt as _};

const DAY: Duration = Duration::from_secs(86_400);

/// What a request waits at most. Longer than the default, for a machine on which much else runs.
const BUDGET: Duration = Duration::from_millis(100);
/// How long there is load.
const A_WHILE: Duration = Duration::from_secs(2);

fn take<'a>(limit: &'a TokenBucket) -> Batch<'a> {
    let mut batch = Batch::new(Timestamp::EPOCH);
    let key = ChargeKey::new("a").with(KeyPart::Bytes(b"alice")).unwrap();
    batch.push(Charge::new(key, limit, Op::Take(1))).unwrap();
    batch
}

async fn remaining(store: &RedisStore, limit: &TokenBucket) -> u64 {
    let mut batch = Batch::new(Timestamp::EPOCH);
    let key = ChargeKey::new("a").with(KeyPart::Bytes(b"alice")).unwrap();
    batch.push(Charge::new(key, limit, Op::Take(0))).unwrap();
    store.apply(&batch).await.unwrap().get(0).unwrap().remaining
}

/// An answer that is lost may have charged. Whoever does not hear it is told that, and nothing is sent a
/// second time.
#[tokio::test(flavor = "multi_thread")]
async fn a_charge_whose_answer_is_lost_is_made_once_and_reported_as_unknown() {
    let redis = Redis::start();
    let proxy = Proxy::to(redis.port());
    let (direct, limit) = (store(&redis.url()), TokenBucket::new(Rate::per(1_000, DAY)).unwrap());
    let through = store(&proxy.url());
    assert!(through.apply(&take(&limit)).await.unwrap().allowed());
    proxy.swallow();
    redis.forget_commands();
    for _ in 0..3 {
        let answer: Result<Verdicts, _> = through.apply(&take(&limit)).await;
        assert!(matches!(answer, Err(StoreError::TimedOut)), "{answer:?}");
    }
    assert!(proxy.swallowed() > 0);
    assert_eq!((redis.runs_of("evalsha"), redis.runs_of("hset")), (3, 3));
    assert_eq!(remaining(&direct, &limit).await, 996);
}

/// A connection that breaks under a request in flight.
#[tokio::test(flavor = "multi_thread")]
async fn a_charge_over_a_connection_that_breaks_is_not_repeated() {
    let redis = Redis::start();
    let (store, limit) = (store(&redis.url()), TokenBucket::new(Rate::per(1_000, DAY)).unwrap());
    assert!(store.apply(&take(&limit)).await.unwrap().allowed());
    for _ in 0..20 {
        redis.command("CLIENT KILL TYPE normal");
        // It may notice before or after it has sent.
        drop(store.apply(&take(&limit)).await);
    }
    let left = remaining(&store, &limit).await;
    assert!((979..=999).contains(&left), "{left}");
}

fn store(url: &str) -> RedisStore {
    RedisStore::builder(url).time_budget(Duration::from_millis(500)).build().unwrap()
}

/// An application of one rule for every policy.
fn app(store: &RedisStore, rule: Rule) -> (Router, RateLimitLayer) {
    app_of(store, [rule])
}

fn app_of(store: &RedisStore, rules: impl IntoIterator<Item = Rule>) -> (Router, RateLimitLayer) {
    let builder = RateLimitLayer::builder(store.clone()).store_budget(BUDGET).local_fallback(MemoryStore::new());
    let layer = rules.into_iter().fold(builder, |builder, rule| builder.rule(rule)).build().unwrap();
    let app = Router::new().route("/", get(|| async { "here" })).layer(ServiceBuilder::new().layer(layer.clone()));
    (app, layer)
}

async fn status(app: &Router) -> (StatusCode, Duration) {
    let asked = Instant::now();
    let response = app.clone().oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    (response.status(), asked.elapsed())
}

async fn warm(app: &Router) {
    for _ in 0..200 {
        if status(app).await.0 == StatusCode::OK {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not answer");
}

fn rule(policy: &str) -> Rule {
    Rule::new(policy, Key::ip(), Rate::per(1_000_000, DAY))
}

/// What several clients at once are told for a while, and the 99th percentile of how long it took.
async fn load(app: &Router, clients: usize) -> (Vec<StatusCode>, Duration) {
    let begun = Instant::now();
    let running: Vec<_> = (0..clients)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move {
                let mut all = Vec::new();
                while begun.elapsed() < A_WHILE {
                    all.push(status(&app).await);
                }
                all
            })
        })
        .collect();
    let mut all = Vec::new();
    for client in running {
        all.extend(client.await.unwrap());
    }
    all.sort_by_key(|(_, took)| *took);
    let p99 = all[all.len() * 99 / 100].1;
    (all.into_iter().map(|(status, _)| status).collect(), p99)
}

fn share_of(told: &[StatusCode], status: StatusCode) -> f64 {
    told.iter().filter(|other| **other == status).count() as f64 / told.len() as f64
}

async fn lost_by(how: impl Fn(&mut Redis), back: impl Fn(&mut Redis)) {
    let mut redis = Redis::start();
    let store = store(&redis.url());
    let (closed, _) = app(&store, rule("closed"));
    warm(&closed).await;
    let running = {
        let app = closed.clone();
        tokio::spawn(async move { load(&app, 16).await })
    };
    tokio::time::sleep(A_WHILE / 2).await;
    how(&mut redis);
    let (during, p99) = running.await.unwrap();
    assert!(during.iter().all(|status| [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(status)));
    assert!(p99 <= BUDGET, "{p99:?}");
    let (lost, p99) = load(&closed, 16).await;
    assert!(lost.iter().all(|status| *status == StatusCode::SERVICE_UNAVAILABLE), "closed is 503, never 429");
    assert!(p99 <= BUDGET, "{p99:?}");
    back(&mut redis);
    // Without a restart of ours.
    warm(&closed).await;
    let (again, _) = load(&closed, 16).await;
    assert!(share_of(&again, StatusCode::OK) > 0.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_it_is_503_within_the_budget_until_it_is_back() {
    lost_by(Redis::kill, Redis::restart).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_under_load_it_is_503_within_the_budget_until_it_goes_on() {
    lost_by(|redis| redis.pause(), |redis| redis.resume()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_network_is_a_loss_beyond_the_budget_and_none_within_it() {
    let redis = Redis::start();
    let proxy = Proxy::to(redis.port());
    let store = store(&proxy.url());
    let (closed, _) = app(&store, rule("closed"));
    warm(&closed).await;
    proxy.delay(Duration::from_millis(10));
    let (within, _) = load(&closed, 1).await;
    assert!(share_of(&within, StatusCode::OK) > 0.9);
    proxy.delay(Duration::from_millis(400));
    // What is on its way has arrived.
    load(&closed, 1).await;
    let (beyond, p99) = load(&closed, 4).await;
    assert!(beyond.iter().all(|status| *status == StatusCode::SERVICE_UNAVAILABLE));
    assert!(p99 <= BUDGET, "{p99:?}");
    proxy.delay(Duration::ZERO);
    warm(&closed).await;
}

/// Nothing piles up behind a server that does not answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_costs_no_memory() {
    let redis = Redis::start();
    let store = store(&redis.url());
    let (closed, layer) = app(&store, rule("closed"));
    warm(&closed).await;
    redis.pause();
    hammer(&closed).await;
    let before = resident();
    let asked = hammer(&closed).await;
    let grown = resident().saturating_sub(before);
    redis.resume();
    assert!(grown < 16 << 20 && asked > 1_000, "{grown} bytes more after {asked} requests");
    let lost = layer.verdicts().rejected(RejectionKind::BackendUnavailable);
    assert!(lost >= asked, "{lost}");
    warm(&closed).await;
}

/// As [`load`], but remembers nothing of it.
async fn hammer(app: &Router) -> u64 {
    let begun = Instant::now();
    let clients = (0..16).map(|_| {
        let app = app.clone();
        tokio::spawn(async move {
            let mut asked = 0;
            while begun.elapsed() < A_WHILE {
                status(&app).await;
                asked += 1;
            }
            asked
        })
    });
    let mut asked = 0;
    for client in clients.collect::<Vec<_>>() {
        asked += client.await.unwrap();
    }
    asked
}

fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

/// A client that gives up before the server answers changes nothing for the others.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_go_away_are_no_outage() {
    let redis = Redis::start();
    let (store, limit) = (Arc::new(store(&redis.url())), TokenBucket::new(Rate::per(1_000_000, DAY)).unwrap());
    assert!(store.apply(&take(&limit)).await.unwrap().allowed());
    for _ in 0..1_000 {
        let batch = take(&limit);
        let mut asking = store.apply(&batch);
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(asking.as_mut().poll(context).is_ready()));
        assert!(!polled.await || redis.port() > 0);
    }
    assert!(store.apply(&take(&limit)).await.unwrap().allowed());
}

/// Killed under load: what each rule says is what happens, and within the budget.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_rule_lets_pass_and_a_local_one_its_share() {
    let mut redis = Redis::start();
    let store = store(&redis.url());
    let (open, _) = app(&store, rule("open").on_store_loss(OnStoreLoss::Open));
    let local = Rule::new("local", Key::ip(), Rate::per(4_000, DAY)).on_store_loss(OnStoreLoss::Local { share: 4 });
    let (local, _) = app(&store, local);
    let (mixed, _) = {
        let rules = [rule("open").on_store_loss(OnStoreLoss::Open), rule("closed")];
        app_of(&store, rules)
    };
    for app in [&open, &local, &mixed] {
        warm(app).await;
    }
    let running = {
        let open = open.clone();
        tokio::spawn(async move { load(&open, 16).await })
    };
    tokio::time::sleep(A_WHILE / 2).await;
    redis.kill();
    let (during, p99) = running.await.unwrap();
    assert!(during.iter().all(|status| *status == StatusCode::OK), "open is 200, before and after");
    assert!(p99 <= BUDGET, "{p99:?}");

    let (shared, p99) = load(&local, 16).await;
    let count = |status| shared.iter().filter(|told| **told == status).count();
    let (passed, refused) = (count(StatusCode::OK), count(StatusCode::TOO_MANY_REQUESTS));
    assert_eq!((passed, passed + refused), (1_000, shared.len()), "a quarter of the limit, and 429 beyond");
    assert!(p99 <= BUDGET, "{p99:?}");

    let (both, _) = load(&mixed, 4).await;
    assert!(both.iter().all(|status| *status == StatusCode::SERVICE_UNAVAILABLE), "one closed rule closes");

    redis.restart();
    for app in [&open, &local, &mixed] {
        warm(app).await;
    }
    // The server is empty, and counts again: its own limit, not the share.
    let mut passed = 0;
    while status(&local).await.0 == StatusCode::OK {
        passed += 1;
        assert!(passed < 4_100);
    }
    assert!(passed > 3_900, "{passed}");
}
