//! The tier table (workflow document, line 638) and the endpoint table (line 669), replayed.

use super::*;

const PLANS: &[(&str, u64, u64)] =
    &[("free", 20, 10), ("builder", 100, 60), ("pro", 1_000, 600), ("enterprise", 10_000, 6_000)];

/// Method, template, a path of it, capacity, period in seconds.
const ENDPOINTS: &[(&str, &str, &str, u64, u64)] = &[
    ("POST", "/auth/forgot-password", "/auth/forgot-password", 3, 300),
    ("GET", "/users/{id}", "/users/42", 100, 60),
    ("GET", "/orders", "/orders", 100, 60),
    ("POST", "/orders", "/orders", 20, 60),
    ("PUT", "/users/{id}", "/users/42", 10, 60),
    ("POST", "/search", "/search", 10, 60),
    ("POST", "/reports", "/reports", 5, 300),
    ("DELETE", "/users/{id}", "/users/42", 1, 60),
    ("POST", "/refunds", "/refunds", 5, 300),
];

fn tiers() -> App {
    let login = |n| Rate::per_minute(n);
    let mut rule = Rule::new("clients", Key::client(), Rate::per_minute(10).burst(20))
        .endpoint(Method::POST, "/auth/login", login(5))
        .plan_endpoint("free", Method::POST, "/auth/login", login(5))
        .plan_endpoint("builder", Method::POST, "/auth/login", login(10));
    for (plan, burst, minute) in PLANS {
        rule = rule.plan(*plan, Rate::per_minute(*minute).burst(*burst));
    }
    for (method, path, _, capacity, period) in ENDPOINTS {
        rule = rule.endpoint(method.parse().unwrap(), path, Rate::per(*capacity, Duration::from_secs(*period)));
    }
    App::of(rule)
}

#[tokio::test]
async fn each_plan_has_its_burst_and_its_pace() {
    let app = tiers();
    for (plan, burst, minute) in PLANS {
        let caller = format!("key,k-{plan},u,{plan}");
        let send = || app.burst(&Method::GET, "/", Some(&caller), "203.0.113.7");
        assert_eq!(send().await, usize::try_from(*burst).unwrap(), "{plan}");
        app.wait(6);
        // Bursts are spent: six seconds give a tenth of the minute's rate.
        assert_eq!(send().await, usize::try_from(*minute / 10).unwrap(), "{plan}");
    }
}

#[tokio::test]
async fn each_endpoint_has_its_own_limit_whatever_the_plan() {
    let app = tiers();
    for (method, _, path, capacity, period) in ENDPOINTS {
        let method: Method = method.parse().unwrap();
        for plan in ["free", "enterprise", "unheard-of"] {
            let caller = format!("key,k-{plan},u,{plan}");
            let send = || app.burst(&method, path, Some(&caller), "203.0.113.7");
            assert_eq!(send().await, usize::try_from(*capacity).unwrap(), "{method} {path} {plan}");
            let refused = app.send(request(method.clone(), path, Some(&caller), "203.0.113.7")).await;
            assert_eq!(header(&refused, "retry-after"), period.div_ceil(*capacity).to_string(), "{method} {path}");
            assert!(header(&refused, "ratelimit").contains("clients "), "{}", header(&refused, "ratelimit"));
        }
    }
    // What was spent at the endpoints was not spent elsewhere.
    assert_eq!(app.burst(&Method::GET, "/", Some("key,k-free,u,free"), "203.0.113.7").await, 20);
}

#[tokio::test]
async fn plan_and_endpoint_together_come_first() {
    let app = tiers();
    for (plan, logins) in [("free", 5), ("builder", 10), ("pro", 5)] {
        let caller = format!("key,k-{plan},u,{plan}");
        assert_eq!(app.burst(&Method::POST, "/auth/login", Some(&caller), "203.0.113.7").await, logins, "{plan}");
    }
}

#[tokio::test]
async fn an_endpoint_of_another_plan_hides_no_limit() {
    let get = Method::GET;
    let app = App::of(
        Rule::new("clients", Key::client(), Rate::per_minute(100))
            .plan_endpoint("pro", get.clone(), "/users/{id}", Rate::per_minute(50))
            .endpoint(get.clone(), "/users/{id}", Rate::per_minute(9))
            .endpoint(get.clone(), "/users/7", Rate::per_minute(3)),
    );
    assert_eq!(app.burst(&get, "/users/7", None, "203.0.113.7").await, 3, "the one that says most");
    assert_eq!(app.burst(&get, "/users/8", None, "203.0.113.7").await, 9);
    assert_eq!(app.burst(&get, "/users/8", Some("jwt,t,u,pro"), "203.0.113.7").await, 50);
    let hidden = App::of(
        Rule::new("clients", Key::client(), Rate::per_minute(100))
            .plan_endpoint("pro", get.clone(), "/users/{id}", Rate::per_minute(50))
            .endpoint(get.clone(), "/users/7", Rate::per_minute(3)),
    );
    assert_eq!(hidden.burst(&get, "/users/7", None, "203.0.113.7").await, 3);
}

#[tokio::test]
async fn a_plan_may_be_without_limit() {
    let rule = Rule::new("clients", Key::client(), Rate::per_minute(1)).plan("internal", Limit::unlimited());
    let app = App::of(rule);
    for _ in 0..50 {
        assert_eq!(app.status(request(Method::GET, "/", Some("key,k,u,internal"), "203.0.113.7")).await, 200);
    }
}

/// Best practices, line 48: per user, per address, per key, and for all.
#[tokio::test]
async fn the_four_limits_of_the_best_practices_stand_side_by_side() {
    let app = App::new([layer([
        Rule::new("user", Key::principal(), Rate::per_minute(100)),
        Rule::new("address", Key::ip(), Rate::per_minute(1_000)),
        Rule::new("key", Key::api_key(), Rate::per_hour(10_000)),
        Rule::new("all", Key::global(), Rate::per_minute(1_000_000)),
    ])]);
    assert_eq!(app.burst(&Method::GET, "/", Some("key,k1,u1"), "203.0.113.7").await, 100);
    assert_eq!(app.burst(&Method::GET, "/", Some("key,k2,u2"), "203.0.113.7").await, 100);
    assert_eq!(app.burst(&Method::GET, "/", None, "203.0.113.7").await, 800);
}
