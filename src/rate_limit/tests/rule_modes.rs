//! Shadow rules, blocks, plans that are asked for, lost stores.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use http::HeaderName;

use super::*;
use crate::{
    backend::memory::MemoryStore,
    store::{BoxFuture, StoreError},
};

const FROM: &str = "203.0.113.7";

fn builder() -> RateLimitLayerBuilder {
    RateLimitLayer::builder(MemoryStore::new())
}

/// In memory, until it is told to fail. It answers late if it is told so.
#[derive(Clone, Debug, Default)]
struct Shaky(Arc<ShakyState>);

#[derive(Debug, Default)]
struct ShakyState {
    inner: MemoryStore,
    down: AtomicUsize,
    late: AtomicUsize,
}

impl Shaky {
    fn down(&self, down: bool) {
        self.0.down.store(down.into(), SeqCst);
    }

    fn answer(&self, batch: &Batch<'_>) -> Result<Verdicts, StoreError> {
        if self.0.down.load(SeqCst) == 1 { Err(StoreError::TimedOut) } else { self.0.inner.try_now(batch).unwrap() }
    }
}

impl RateLimitStore for Shaky {
    fn try_now(&self, batch: &Batch<'_>) -> Option<Result<Verdicts, StoreError>> {
        (self.0.late.load(SeqCst) == 0).then(|| self.answer(batch))
    }

    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.answer(batch)
        })
    }
}

fn local() -> OnStoreLoss {
    OnStoreLoss::Local { share: 4 }
}

#[tokio::test]
async fn a_lost_store_is_what_each_rule_says() {
    for late in [0, 1] {
        let store = Shaky::default();
        store.0.late.store(late, SeqCst);
        let rule = |name: &str, path: &str, loss| {
            Rule::new(name, Key::ip(), Rate::per_minute(10)).on(Method::GET, path).on_store_loss(loss)
        };
        let layer = RateLimitLayer::builder(store.clone())
            .rule(rule("login", "/auth/login", OnStoreLoss::Closed))
            .rule(rule("reads", "/orders", OnStoreLoss::Open))
            .rule(rule("rest", "/search", local()))
            .rule(rule("both", "/reports", local()))
            .rule(rule("both-open", "/reports", OnStoreLoss::Open))
            .rule(rule("mixed", "/refunds", local()))
            .rule(rule("mixed-closed", "/refunds", OnStoreLoss::Closed))
            .local_fallback(MemoryStore::new())
            .build()
            .unwrap();
        let app = App::new([layer.clone()]);
        let burst = |path: &'static str| {
            let app = &app;
            async move { app.burst(&Method::GET, path, None, FROM).await }
        };
        for _ in 0..5 {
            assert_eq!(app.get("/orders").await.status(), 200);
        }
        store.down(true);
        let refused = app.get("/auth/login").await;
        assert_eq!(
            (refused.status().as_u16(), json(refused).await["error"].clone()),
            (503, "backend_unavailable".into())
        );
        let open = app.get("/orders").await;
        assert!(open.status() == 200 && !open.headers().contains_key("ratelimit"));
        // Ten a minute by four processes, rounded up.
        assert_eq!(burst("/search").await, 3);
        let limited = app.get("/search").await;
        assert_eq!((limited.status().as_u16(), header(&limited, "retry-after")), (429, "20"));
        assert_eq!(burst("/reports").await, 3);
        assert_eq!(app.get("/refunds").await.status(), 503, "the strictest is heard");
        assert!(layer.handle().degraded() >= 9);
        // Without a restart, and knowing what was charged before.
        store.down(false);
        assert_eq!((burst("/orders").await, burst("/search").await), (5, 10));
    }
}

#[tokio::test]
async fn what_was_decided_alone_is_told() {
    let store = Shaky::default();
    store.down(true);
    let rule = Rule::new("r", Key::ip(), Rate::per_minute(10)).on_store_loss(local()).fixed_window();
    let layer = RateLimitLayer::builder(store).rule(rule).local_fallback(MemoryStore::new()).build().unwrap();
    let router = Router::new()
        .route(
            "/",
            routing::get(|request: Request<Body>| async move {
                let context = RequestContext::of(&request).unwrap();
                let trail: Vec<_> = context.trail().iter().map(|verdict| verdict.layer).collect();
                format!("{} {} {trail:?}", context.rate_limit().unwrap().degraded, context.rate_limit().unwrap().limit)
            }),
        )
        .layer(layer);
    let response = router.oneshot(request(Method::GET, "/", None, FROM)).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, r#"true 3 ["rate_limit.degraded", "rate_limit"]"#);
}

#[test]
fn to_count_alone_needs_a_store_and_a_rate() {
    let rule = |limit: Limit| Rule::new("r", Key::ip(), limit).on_store_loss(local());
    assert!(
        builder().rule(rule(Rate::per_minute(1).into())).build().unwrap_err().to_string().contains("local_fallback")
    );
    let custom: Arc<dyn Algorithm> = Arc::new(TokenBucket::new(Rate::per_minute(1)).unwrap());
    assert!(builder().rule(rule(custom.into())).local_fallback(MemoryStore::new()).build().is_err());
    let none = Rule::new("r", Key::ip(), Rate::per_minute(1)).on_store_loss(OnStoreLoss::Local { share: 0 });
    assert!(builder().rule(none).local_fallback(MemoryStore::new()).build().is_err());
}

#[tokio::test]
async fn a_shadow_rule_counts_and_never_refuses() {
    for late in [0, 1] {
        let store = Shaky::default();
        store.0.late.store(late, SeqCst);
        let layer = RateLimitLayer::builder(store.clone())
            .rule(Rule::new("real", Key::ip(), Rate::per_minute(6)))
            .rule(Rule::new("new", Key::ip(), Rate::per_minute(2)).shadow())
            .shadow_header(HeaderName::from_static("x-would-limit"))
            .build()
            .unwrap();
        let app = App::new([layer.clone()]);
        for index in 0..6 {
            let response = app.get("/").await;
            assert_eq!(
                (response.status().as_u16(), header(&response, "ratelimit-policy")),
                (200, r#""real";q=6;w=60"#)
            );
            assert_eq!(header(&response, "x-would-limit"), if index < 2 { "" } else { r#""new""# });
        }
        assert_eq!(app.get("/").await.status(), 429);
        let handle = layer.handle();
        let counts = |asked, refused, unknown| vec![Shadowed { rule: "new".into(), asked, refused, unknown }];
        assert_eq!(handle.shadowed(), counts(6, 4, 0), "what a real rule refused is not asked");
        // It goes on counting under the same name.
        let again = [
            Rule::new("other", Key::ip(), Rate::per_minute(9)),
            Rule::new("new", Key::ip(), Rate::per_minute(2)).shadow(),
        ];
        handle.reload(again).unwrap();
        assert_eq!(app.get("/").await.status(), 200);
        assert_eq!(handle.shadowed(), counts(7, 5, 0));
    }
}

#[tokio::test]
async fn a_shadow_rule_whose_store_is_lost_lets_pass() {
    let store = Shaky::default();
    store.down(true);
    let layer = RateLimitLayer::builder(store).rule(Rule::new("new", Key::ip(), Rate::per_minute(1)).shadow()).build();
    let layer = layer.unwrap();
    let app = App::new([layer.clone()]);
    assert_eq!(app.burst(&Method::GET, "/", None, FROM).await, 20_000);
    assert_eq!(layer.handle().shadowed()[0].unknown, 20_000);
}

#[tokio::test]
async fn who_was_refused_is_blocked() {
    let rule = Rule::new("login", Key::ip(), Rate::per_minute(5)).block_for(Duration::from_secs(900));
    let app = App::new([layer([rule, Rule::new("other", Key::ip(), Rate::per_minute(100))])]);
    assert_eq!(app.burst(&Method::GET, "/", None, FROM).await, 5);
    app.wait(60);
    // The bucket would be full again.
    let refused = app.get("/").await;
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (429, "840"));
    assert_eq!(app.burst(&Method::GET, "/", None, "203.0.113.8").await, 5, "others are not");
    app.wait(839);
    assert_eq!(app.get("/").await.status(), 429, "to try again makes it neither longer nor shorter");
    app.wait(1);
    assert_eq!(app.burst(&Method::GET, "/", None, FROM).await, 5);
}

/// Knows the plan of the subject `pro`, when it is up; counts how often it is asked.
#[derive(Clone, Debug, Default)]
struct Contracts(Arc<(AtomicUsize, Mutex<bool>)>);

impl PlanResolver for Contracts {
    fn find<'a>(
        &'a self,
        caller: PlanSubject<'a>,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Arc<str>>, StoreError>> {
        Box::pin(async move {
            self.0.0.fetch_add(1, SeqCst);
            tokio::task::yield_now().await;
            if *self.0.1.lock().unwrap() {
                return Err(StoreError::TimedOut);
            }
            Ok((caller.subject == "pro" || caller.api_key == Some("k-pro")).then(|| "pro".into()))
        })
    }
}

fn by_plan() -> Rule {
    Rule::new("clients", Key::client(), Rate::per_minute(2)).plan("pro", Rate::per_minute(7)).plan_endpoint(
        "pro",
        Method::GET,
        "/search",
        Rate::per_minute(3),
    )
}

#[tokio::test]
async fn a_plan_that_the_credential_lacks_is_asked_for_once() {
    let contracts = Contracts::default();
    let app = App::new([builder().rule(by_plan()).plan_resolver(contracts.clone()).build().unwrap()]);
    let asked = || contracts.0.0.load(SeqCst);
    let burst = |path: &'static str, caller: Option<&'static str>| app.burst(&Method::GET, path, caller, FROM);
    assert_eq!(burst("/", None).await, 2);
    assert_eq!(burst("/", Some("jwt,t1,u1,pro")).await, 7);
    assert_eq!(asked(), 0, "nobody verified, or a credential that says so");
    assert_eq!((burst("/", Some("jwt,t2,pro")).await, asked()), (7, 1));
    assert_eq!((burst("/search", Some("jwt,t2,pro")).await, asked()), (3, 1));
    assert_eq!((burst("/", Some("key,k-pro,owner")).await, asked()), (7, 2));
    assert_eq!((burst("/", Some("key,k-other,owner")).await, asked()), (2, 3), "another key of the same owner");
    assert_eq!((burst("/", Some("jwt,t3,none")).await, asked()), (2, 4), "that there is none is remembered, too");
    app.wait(61);
    assert_eq!((burst("/", Some("jwt,t2,pro")).await, asked()), (7, 5));
}

#[tokio::test]
async fn many_who_wait_for_one_plan_ask_once() {
    let contracts = Contracts::default();
    let app = App::new([builder().rule(by_plan()).plan_resolver(contracts.clone()).build().unwrap()]);
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let router = app.router.clone();
            tokio::spawn(async move {
                let request = request(Method::GET, "/", Some("jwt,t,pro"), FROM);
                router.oneshot(request).await.unwrap().status().as_u16()
            })
        })
        .collect();
    let mut passed = 0;
    for task in tasks {
        passed += usize::from(task.await.unwrap() == 200);
    }
    assert_eq!((passed, contracts.0.0.load(SeqCst)), (7, 1));
}

#[tokio::test]
async fn a_plan_that_cannot_be_found_out_is_what_was_chosen() {
    let rule = |loss| by_plan().on_store_loss(loss);
    for (rule, policy, status) in [
        (rule(OnStoreLoss::Closed), OnPlanLoss::AsStoreLoss, 503),
        (rule(OnStoreLoss::Open), OnPlanLoss::AsStoreLoss, 200),
        (rule(OnStoreLoss::Closed), OnPlanLoss::DefaultPlan, 429),
        (rule(local()), OnPlanLoss::AsStoreLoss, 429),
    ] {
        let contracts = Contracts::default();
        *contracts.0.1.lock().unwrap() = true;
        let builder = builder().rule(rule).plan_resolver(contracts.clone()).on_plan_loss(policy);
        let app = App::new([builder.local_fallback(MemoryStore::new()).build().unwrap()]);
        let ask = || app.status(request(Method::GET, "/", Some("jwt,t,pro"), FROM));
        let (_, _, third) = (ask().await, ask().await, ask().await);
        assert_eq!(third, status, "{policy:?}");
        assert_eq!(app.status(request(Method::GET, "/", Some("jwt,t1,u,pro"), FROM)).await, 200, "it has a plan");
        // A failure is not remembered.
        *contracts.0.1.lock().unwrap() = false;
        assert_eq!(ask().await, 200);
    }
}

#[tokio::test]
async fn a_change_of_plan_takes_along_what_was_chosen() {
    for (how, left) in
        [(Inherit::AsIs, 25), (Inherit::Reset, 100), (Inherit::Proportional, 25), (Inherit::Additive, 85)]
    {
        let rule = Rule::new("clients", Key::client(), Rate::per_minute(20)).plan("pro", Rate::per_minute(100));
        let app = App::of(rule.on_plan_change(how));
        for _ in 0..15 {
            app.status(request(Method::GET, "/", Some("key,k,u,free"), FROM)).await;
        }
        assert_eq!(app.burst(&Method::GET, "/", Some("key,k,u,pro"), FROM).await, left, "{how:?}");
    }
}

#[tokio::test]
async fn a_rule_counts_as_it_is_told() {
    let rule = || Rule::new("r", Key::ip(), Rate::per_minute(6)).block_for(Duration::from_secs(30));
    for rule in [rule().leaky_bucket(), rule().fixed_window(), rule().sliding_log(), rule().sliding_counter()] {
        let app = App::of(rule);
        assert_eq!(app.burst(&Method::GET, "/", None, FROM).await, 6);
        app.wait(29);
        assert_eq!(app.get("/").await.status(), 429);
    }
}
