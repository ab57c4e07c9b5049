//! Rates and quotas, and by whose address they go.

use http::Request;

use crate::desk::{Desk, JSON, bearer, peer, with};

const GOOD: &str = r#"{"username":"demo","password":"demo"}"#;
const WRONG: &str = r#"{"username":"demo","password":"guess"}"#;

#[tokio::test]
async fn the_sixth_log_in() {
    let desk = Desk::new().await;
    let log_in = |body: &'static str| desk.send(with(Request::post("/auth/login"), &[JSON]), body);
    assert_eq!(log_in(GOOD).await.status, 200);
    for body in [WRONG, "", "{", "null"] {
        let answer = log_in(body).await;
        assert_eq!(answer.refusal(), (401, "missing_credentials"));
        assert!(!answer.challenges().is_empty(), "RFC 9110 §15.5.2 wants a challenge");
    }
    // Right or wrong, the sixth is too many.
    let sixth = log_in(GOOD).await;
    assert_eq!(sixth.refusal(), (429, "rate_limit_exceeded"));
    let wait: u64 = sixth.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(sixth.body["retry_after"], wait);
    assert_eq!((sixth.header("x-ratelimit-limit"), sixth.header("x-ratelimit-remaining")), ("5", "0"));
    assert!(sixth.header("x-ratelimit-reset").parse::<u64>().unwrap() > 1_700_000_000, "epoch seconds");
    // The limit is that route's and that address's.
    assert_eq!(desk.get("/health").await.status, 200);
    let neighbour = Request::post("/auth/login").extension(peer([192, 0, 2, 2]));
    assert_eq!(desk.send(neighbour, GOOD).await.status, 200);
    desk.finish(0).await;
}

#[tokio::test]
async fn no_proxy_is_trusted() {
    let desk = Desk::new().await;
    let claims = [
        ("x-forwarded-for", "203.0.113.1"),
        ("x-forwarded-for", "junk, , \u{e9}, 999.1.1.1"),
        ("forwarded", "for=203.0.113.2;proto=https"),
        ("forwarded", "for=\"[2001:db8::1\";;="),
        ("x-real-ip", "203.0.113.3"),
    ];
    // Loopback is no proxy either.
    let log_in = || with(Request::post("/auth/login").extension(peer([127, 0, 0, 1])), &[JSON]);
    for claim in claims {
        let answer = desk.send(with(log_in(), &[claim, ("x-forwarded-proto", "https")]), GOOD).await;
        assert_eq!(answer.status, 200, "{claim:?}");
        assert_eq!(desk.record(&answer).await["client"]["ip"], "127.0.0.1");
    }
    let twice = [("x-forwarded-for", "203.0.113.4"), ("x-forwarded-for", "203.0.113.5")];
    let answer = desk.send(with(log_in(), &twice), GOOD).await;
    assert_eq!(answer.refusal(), (429, "rate_limit_exceeded"));
    desk.finish(0).await;
}

/// Else whoever sends a new junk key each time has a new limit each time.
#[tokio::test]
async fn an_unverified_key_selects_no_bucket() {
    let desk = Desk::new().await;
    for number in 0..5 {
        let key = ("x-api-key", &*format!("junk{number}"));
        assert_eq!(desk.send(with(Request::post("/auth/login"), &[key, JSON]), GOOD).await.status, 200);
    }
    let other = with(Request::post("/auth/login"), &[("x-api-key", "another"), JSON]);
    assert_eq!(desk.send(other, GOOD).await.status, 429);
    desk.finish(0).await;
}

#[tokio::test]
async fn clients_have_a_hundred_a_minute_and_more() {
    let desk = Desk::new().await;
    for _ in 0..100 {
        assert_eq!(desk.get_with("/api/orders", desk.bearer("TOKEN_READ")).await.status, 200);
    }
    desk.finish(0).await;
}

#[tokio::test]
async fn the_sixth_of_the_month() {
    let desk = Desk::new().await;
    for used in 1..=5 {
        let answer = desk.get_with("/quota/demo", desk.api_key()).await;
        assert_eq!(answer.body, serde_json::json!({ "plan": "free", "used": used, "limit": 5 }));
        assert_eq!((answer.header("x-quota-limit"), answer.header("x-quota-used")), ("5", &*used.to_string()));
    }
    let sixth = desk.get_with("/quota/demo", desk.api_key()).await;
    assert_eq!(sixth.refusal(), (402, "quota_exceeded"));
    assert_eq!((&sixth.body["plan"], &sixth.body["current_usage"]), (&"free".into(), &5.into()));
    assert_eq!((&sixth.body["quota"], sixth.header("x-quota-remaining")), (&5.into(), "0"));
    let reset = sixth.body["reset_at"].as_str().unwrap();
    assert!(reset.contains("-01T00:00:00") && reset.ends_with('Z'), "{reset}");
    assert_eq!(sixth.body["upgrade_url"], "https://app.example.com/upgrade");
    assert!(!format!("{} {:?}", sixth.body, sixth.headers).contains(desk.value("API_KEY")));
    let quota = &desk.record(&sixth).await["quota"];
    assert_eq!((&quota["used"], &quota["limit"]), (&5.into(), &5.into()));
    // Another caller has an allowance of its own, and what needs none is not metered.
    assert_eq!(desk.get_with("/quota/demo", desk.bearer("TOKEN_READ")).await.status, 200);
    assert_eq!(desk.get_with("/api/orders", desk.api_key()).await.status, 200);
    desk.finish(0).await;
}

#[tokio::test]
async fn a_refused_call_costs_no_quota() {
    let desk = Desk::new().await;
    for _ in 0..6 {
        let expired = desk.issuer.token("usr_quota").expired().sign();
        assert_eq!(desk.get_with("/quota/demo", bearer(&expired)).await.status, 401);
    }
    let token = desk.issuer.token("usr_quota").plan("free").sign();
    assert_eq!(desk.get_with("/quota/demo", bearer(&token)).await.body["used"], 1);
    desk.finish(0).await;
}
