use std::sync::Mutex;

use super::*;
use crate::{
    rejection::{LegacyJson, RejectionKind},
    store::{BoxFuture, StoreError},
};

#[tokio::test]
async fn five_logins_a_minute_then_429_with_everything_a_client_needs() {
    let app = App::of(Rule::new("login", Key::ip(), Rate::per_minute(5)).on(Method::POST, "/auth/login"));
    let post = || app.send(request(Method::POST, "/auth/login", None, "203.0.113.7"));
    for _ in 0..5 {
        assert_eq!(post().await.status(), 200);
    }
    let response = post().await;
    assert_eq!(header(&response, "retry-after"), "12");
    assert_eq!(header(&response, "content-type"), "application/problem+json");
    assert_eq!(header(&response, "cache-control"), "no-store");
    let body = json(response).await;
    assert_eq!(body["status"], 429);
    assert_eq!(body["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    assert_eq!(body["error"], "rate_limit_exceeded");
    assert_eq!(body["detail"], "Rate limit of 5 requests per minute exceeded");
    assert_eq!((&body["retry_after"], &body["limit"], &body["remaining"]), (&12.into(), &5.into(), &0.into()));
    assert_eq!(body["reset_at"], "2023-11-14T22:15:00.000000Z");
    assert_eq!(body["violated-policies"], serde_json::json!(["login"]));
    assert!(body["request_id"].as_str().unwrap().starts_with("req_"));
    // Elsewhere, and from elsewhere, nothing is limited.
    assert_eq!(app.get("/orders").await.status(), 200);
    assert_eq!(app.status(request(Method::POST, "/auth/login", None, "203.0.113.8")).await, 200);
    app.wait(11);
    assert_eq!(post().await.status(), 429);
    app.wait(1);
    assert_eq!((post().await.status(), post().await.status()), (200.try_into().unwrap(), 429.try_into().unwrap()));
}

/// The workflow document, line 626.
#[tokio::test]
async fn the_legacy_body_is_the_documents() {
    let app = App::of(Rule::new("free", Key::ip(), Rate::per_minute(1)));
    app.get("/").await;
    let body = json(LegacyJson::Workflow.restyle(app.get("/").await)).await;
    let mut members: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    members.retain(|member| member != "violated-policies");
    members.sort();
    assert_eq!(members, ["error", "limit", "message", "remaining", "reset_at", "retry_after"]);
}

#[tokio::test]
async fn a_limit_on_all_callers_is_503_and_keeps_its_figures() {
    let app = App::of(Rule::new("capacity", Key::global(), Rate::per_second(2)));
    let first = app.get("/").await;
    assert!(!first.headers().contains_key("ratelimit") && !first.headers().contains_key("x-ratelimit-limit"));
    // Whoever they are.
    assert_eq!(app.status(request(Method::GET, "/orders", Some("key,k1,u1"), "203.0.113.9")).await, 200);
    let response = app.get("/").await;
    assert_eq!((response.status().as_u16(), header(&response, "retry-after")), (503, "1"));
    let body = json(response).await;
    assert_eq!(body["error"], "service_unavailable");
    assert_eq!(body["type"], "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity");
    assert_eq!(body["violated-policies"], serde_json::json!(["capacity"]));
    assert!(body.get("limit").is_none());
}

#[tokio::test]
async fn a_refused_request_charges_nothing() {
    let rules = [
        Rule::new("wide", Key::ip(), Rate::per_minute(60).burst(10)),
        Rule::new("narrow", Key::ip(), Rate::per_minute(60).burst(2)).on(Method::POST, "/orders"),
    ];
    let app = App::new([layer(rules)]);
    let post = || app.send(request(Method::POST, "/orders", None, "203.0.113.7"));
    for _ in 0..2 {
        assert_eq!(post().await.status(), 200);
    }
    for _ in 0..20 {
        let refused = post().await;
        assert_eq!(refused.status(), 429);
        assert_eq!(header(&refused, "ratelimit"), r#""wide";r=8;t=1, "narrow";r=0;t=1"#);
        assert_eq!(header(&refused, "x-ratelimit-limit"), "2");
    }
    assert_eq!(app.burst(&Method::GET, "/", None, "203.0.113.7").await, 8);
}

#[tokio::test]
async fn the_longest_wait_is_the_one_to_wait() {
    let rules = [
        Rule::new("short", Key::ip(), Rate::per_second(1)),
        Rule::new("long", Key::ip(), Rate::per_minute(1)),
        Rule::new("all", Key::global(), Rate::per_hour(1)),
    ];
    let app = App::new([layer(rules)]);
    app.get("/").await;
    let response = app.get("/").await;
    assert_eq!((response.status().as_u16(), header(&response, "retry-after")), (429, "3600"));
    assert_eq!(header(&response, "x-ratelimit-reset"), "1700000100");
    let body = json(response).await;
    assert_eq!(body["violated-policies"], serde_json::json!(["short", "long", "all"]));
    assert_eq!(body["detail"], "Rate limit of 1 request per minute exceeded");
}

#[tokio::test]
async fn only_what_was_verified_selects_a_bucket() {
    let app = App::of(Rule::new("clients", Key::client(), Rate::per_minute(2)));
    for (index, status) in [200, 200, 429, 429].into_iter().enumerate() {
        let mut anonymous = request(Method::GET, "/", None, "203.0.113.7");
        anonymous.headers_mut().insert("x-api-key", format!("key-{index}").parse().unwrap());
        anonymous.headers_mut().insert("x-forwarded-for", format!("198.51.100.{index}").parse().unwrap());
        anonymous.headers_mut().insert("authorization", format!("Bearer {index}").parse().unwrap());
        assert_eq!(app.status(anonymous).await, status);
    }
}

#[tokio::test]
async fn clients_are_keys_then_principals_then_addresses() {
    let app = App::of(Rule::new("clients", Key::client(), Rate::per_minute(1)));
    let status = |caller, ip| app.status(request(Method::GET, "/", caller, ip));
    assert_eq!(status(None, "2001:db8::1").await, 200);
    assert_eq!(status(None, "2001:db8::2:1").await, 429, "one /64 is one client");
    assert_eq!(status(None, "2001:db8:0:1::1").await, 200);
    assert_eq!(status(Some("key,k1,u1"), "2001:db8::1").await, 200);
    assert_eq!(status(Some("key,k1,u1"), "203.0.113.7").await, 429, "a key keeps its bucket wherever it is used");
    assert_eq!(status(Some("key,k2,u1"), "203.0.113.7").await, 200);
    assert_eq!(status(Some("jwt,t1,u1"), "203.0.113.7").await, 200);
    assert_eq!(status(Some("jwt,t2,u1"), "203.0.113.7").await, 429, "a fresh token is no fresh bucket");
    assert_eq!(status(Some("jwt,t2,u2"), "203.0.113.7").await, 200);
}

#[tokio::test]
async fn keys_that_a_request_lacks_do_not_limit_it() {
    for (key, limited) in
        [(Key::api_key(), "key,k1,u1"), (Key::principal(), "jwt,t1,u1"), (Key::tenant(), "jwt,t1,u1,pro,acme")]
    {
        let app = App::of(Rule::new("r", key.clone(), Rate::per_minute(1)));
        assert_eq!(app.burst(&Method::GET, "/", Some(limited), "203.0.113.7").await, 1, "{key:?}");
        for _ in 0..3 {
            let response = app.get("/").await;
            assert_eq!(response.status(), 200, "{key:?}");
            assert!(!response.headers().contains_key("ratelimit"));
        }
    }
    let app = App::of(Rule::new("r", Key::credential(), Rate::per_minute(1)));
    assert_eq!(app.burst(&Method::GET, "/", Some("jwt,t1,u1"), "203.0.113.7").await, 1);
    assert_eq!(app.burst(&Method::GET, "/", Some("jwt,t2,u1"), "203.0.113.7").await, 1);
}

#[tokio::test]
async fn keys_combine() {
    let app = App::of(Rule::new("r", Key::ip().and(Key::endpoint()), Rate::per_minute(1)));
    let status = |method, path, ip| app.status(request(method, path, None, ip));
    assert_eq!(status(Method::GET, "/users/1", "203.0.113.7").await, 200);
    assert_eq!(status(Method::GET, "/users/2", "203.0.113.7").await, 429, "the route counts, not the path");
    assert_eq!(status(Method::HEAD, "/users/2", "203.0.113.7").await, 429, "HEAD is GET");
    assert_eq!(status(Method::PUT, "/users/2", "203.0.113.7").await, 200);
    assert_eq!(status(Method::GET, "/users/2", "203.0.113.8").await, 200);
    assert_eq!(status(Method::GET, "/orders", "203.0.113.7").await, 200);
}

#[tokio::test]
async fn an_invented_method_is_no_fresh_bucket() {
    let app = App::of(Rule::new("r", Key::ip().and(Key::endpoint()), Rate::per_minute(1)));
    let ask = |method: &str| app.status(request(method.parse().unwrap(), "/orders", None, "203.0.113.7"));
    assert_eq!(ask("M1").await, 200);
    for number in 2..20 {
        assert_eq!(ask(&format!("M{number}")).await, 429);
    }
}

#[tokio::test]
async fn a_rule_by_who_calls_outside_auth_is_told_of_once() {
    for (rule, told) in [
        (Rule::new("r", Key::ip().and(Key::api_key()), Rate::per_minute(1)), 1),
        (Rule::new("r", Key::client(), Rate::per_minute(9)).plan("pro", Rate::per_minute(1)), 1),
        (Rule::new("r", Key::client(), Rate::per_minute(9)), 0),
    ] {
        let log = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&log);
        let subscriber = tracing_subscriber::fmt().with_writer(move || Log(Arc::clone(&writer))).finish();
        let guard = tracing::subscriber::set_default(subscriber);
        let app = App::of(rule);
        for _ in 0..3 {
            app.get("/").await;
        }
        drop(guard);
        let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
        assert_eq!(log.matches("no AuthLayer stands outside").count(), told, "{log}");
    }
}

struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_rule_holds_for_its_endpoint_wherever_the_layer_stands() {
    let layer = layer([Rule::new("r", Key::ip(), Rate::per_minute(1)).on(Method::GET, "/users/{id}")]);
    // Around the router, where no route has been matched yet.
    let router = Router::new().route("/users/{user}", routing::any(|| async { "ok" })).fallback(|| async { "none" });
    let service = ServiceBuilder::new().layer(layer).service(router);
    let mut statuses = Vec::new();
    for path in ["/users/1", "/users/2", "/users/2/x", "/users"] {
        let response = service.clone().oneshot(request(Method::GET, path, None, "203.0.113.7")).await.unwrap();
        statuses.push(response.status().as_u16());
    }
    assert_eq!(statuses, [200, 429, 200, 200]);
}

#[tokio::test]
async fn a_change_of_plan_is_no_fresh_bucket() {
    let rule = Rule::new("clients", Key::client(), Rate::per_minute(10).burst(20))
        .plan("pro", Rate::per_minute(600).burst(1_000));
    let app = App::of(rule);
    assert_eq!(app.burst(&Method::GET, "/", Some("key,k1,u1,free"), "203.0.113.7").await, 20);
    assert_eq!(app.burst(&Method::GET, "/", Some("key,k1,u1,pro"), "203.0.113.7").await, 0);
    app.wait(1);
    assert_eq!(app.burst(&Method::GET, "/", Some("key,k1,u1,pro"), "203.0.113.7").await, 10);
}

#[tokio::test]
async fn the_status_is_left_for_those_inside() {
    let layer = layer([
        Rule::new("wide", Key::ip(), Rate::per_minute(60).burst(10)),
        Rule::new("narrow", Key::ip(), Rate::per_minute(60).burst(3)),
        Rule::new("all", Key::global(), Rate::per_minute(60).burst(2)),
    ]);
    let router = Router::new()
        .route(
            "/",
            routing::any(|request: Request<Body>| async move {
                let context = RequestContext::of(&request).unwrap();
                let status = context.rate_limit().unwrap();
                format!("{} {} {} {:?}", status.policy, status.remaining, status.limit, status.next_after)
            }),
        )
        .layer(layer);
    let response = router.oneshot(request(Method::GET, "/", None, "203.0.113.7")).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "narrow 2 3 1s");
}

#[tokio::test]
async fn costs_and_windows_are_kept() {
    let app = App::of(Rule::new("r", Key::ip(), Rate::per_minute(10)).cost(4).fixed_window());
    assert_eq!(app.burst(&Method::GET, "/", None, "203.0.113.7").await, 2);
    let refused = app.get("/").await;
    // START is 0 s into its minute; two units are left, which do not suffice.
    assert_eq!((header(&refused, "ratelimit"), header(&refused, "retry-after")), (r#""r";r=2;t=60"#, "60"));
    app.wait(60);
    assert_eq!(app.get("/").await.status(), 200);
}

/// Answers late, with as many verdicts as it is told.
#[derive(Debug)]
struct Remote {
    inner: crate::backend::memory::MemoryStore,
    fails: bool,
    forgets: bool,
}

impl RateLimitStore for Remote {
    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            match (self.fails, self.forgets) {
                (true, _) => Err(StoreError::TimedOut),
                (_, true) => Ok(Verdicts::new()),
                _ => self.inner.try_now(batch).unwrap(),
            }
        })
    }
}

#[tokio::test]
async fn a_store_that_answers_late_decides_alike() {
    let inner = crate::backend::memory::MemoryStore::new();
    let store = Arc::new(Remote { inner, fails: false, forgets: false });
    let rule =
        Rule::new("login", Key::client().and(Key::endpoint()), Rate::per_minute(2)).on(Method::POST, "/auth/login");
    let layer = RateLimitLayer::builder(store).rule(rule).build().unwrap();
    let app = App::new([layer.clone()]);
    assert_eq!(app.burst(&Method::POST, "/auth/login", Some("key,k,u"), "203.0.113.7").await, 2);
    assert_eq!(layer.verdicts().rejected(RejectionKind::RateLimited), 1);
    let response = app.send(request(Method::POST, "/auth/login", None, "203.0.113.7")).await;
    assert_eq!(header(&response, "ratelimit"), r#""login";r=1;t=30"#);
}

#[tokio::test]
async fn a_store_that_fails_is_503_and_never_a_denial_or_an_open_door() {
    for (fails, forgets) in [(true, false), (false, true)] {
        let store = Remote { inner: crate::backend::memory::MemoryStore::new(), fails, forgets };
        let rule = Rule::new("r", Key::ip(), Rate::per_minute(2));
        let app = App::new([RateLimitLayer::builder(store).rule(rule).build().unwrap()]);
        let response = app.get("/").await;
        assert_eq!(response.status(), 503);
        assert_eq!(json(response).await["error"], "backend_unavailable");
    }
}
