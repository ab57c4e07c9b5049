//! What a real browser makes of the CORS headers: pages of an allowed and of a refused origin fetch
//! from an API on a third.
//!
//! `localhost` and 127.0.0.1 are two sites to a browser, and each port is another origin.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a check that cannot go on is to panic")]

#[path = "browser/site.rs"]
mod site;

use std::time::Duration;

use portcullis_interop::browser::{Browser, Fetched};
use serde_json::json;
use site::{Site, api, auth, issuer, policy};
use tower::ServiceBuilder;

const BLOCKED: &str = "has been blocked by CORS policy";
const NOT_ALLOWED: &str = "No 'Access-Control-Allow-Origin' header is present on the requested resource";

/// A problem document of this status, which the page could read to its end.
#[track_caller]
fn assert_readable(fetched: &Fetched, status: u64, error: &str) {
    assert_eq!(fetched.status(), Some(status), "{fetched:?}");
    assert_eq!(fetched.header("content-type"), Some("application/problem+json"), "{fetched:?}");
    let problem = fetched.json();
    assert_eq!((&problem["status"], &problem["error"]), (&json!(status), &json!(error)));
    // The id that the client reports to the owner.
    assert_eq!(fetched.header("x-request-id"), problem["request_id"].as_str(), "{fetched:?}");
    assert!(fetched.header("x-request-id").is_some());
}

/// The fetch failed for the page, and the browser wrote why.
async fn assert_blocked(browser: &Browser, fetched: &Fetched, from: &str, to: &str, why: &str) {
    assert_eq!(fetched.error(), Some("TypeError: Failed to fetch"), "{fetched:?}");
    let console = browser.console(BLOCKED).await;
    let line = console.iter().find(|line| line.contains(BLOCKED)).unwrap();
    let wanted = format!("Access to fetch at '{to}' from origin '{from}' {BLOCKED}: ");
    assert!(line.contains(&wanted) && line.contains(why), "{line}\n  wanted {wanted}{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_an_allowed_origin_reads_what_is_meant_for_it() {
    let (page, issuer) = (Site::page().await, issuer());
    let origin = page.origin("localhost");
    let api = Site::serve(api(&policy(std::slice::from_ref(&origin)).build().unwrap(), &issuer)).await;
    let browser = Browser::start().await;
    browser.open(&origin).await;

    // Simple requests: they are sent without asking first.
    let read = browser.fetch(&api.url("/open"), json!({})).await;
    assert_eq!((read.status(), read.body()), (Some(200), "orders"));
    assert_eq!((read.header("x-orders"), read.header("x-internal")), (Some("3"), None), "exposed, and not");
    let options = json!({ "method": "POST", "body": "text", "headers": { "content-type": "text/plain" } });
    assert_eq!(browser.fetch(&api.url("/open"), options).await.body(), "text");
    assert_eq!(api.counts("/open"), (0, 2));

    // Others are asked for.
    let token = format!("Bearer {}", issuer.token("usr_1").sign());
    let headers = json!({ "authorization": token, "content-type": "application/json" });
    let options = json!({ "method": "PUT", "headers": headers, "body": r#"{"item":"book"}"# });
    let put = browser.fetch(&api.url("/orders"), options).await;
    assert_eq!((put.status(), put.json()), (Some(200), json!({ "item": "book" })), "{put:?}");
    assert_eq!(api.counts("/orders"), (1, 1));

    // An OPTIONS request that is no preflight reaches its handler, after a preflight of its own.
    let own = browser.fetch(&api.url("/open"), json!({ "method": "OPTIONS" })).await;
    assert_eq!((own.status(), own.body()), (Some(200), "GET, POST and PUT, says the handler"));
    assert_eq!(api.counts("/open"), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_an_allowed_origin_reads_every_refusal() {
    let (page, issuer) = (Site::page().await, issuer());
    let origin = page.origin("localhost");
    let api = Site::serve(api(&policy(std::slice::from_ref(&origin)).build().unwrap(), &issuer)).await;
    let browser = Browser::start().await;
    browser.open(&origin).await;

    let unknown = browser.fetch(&api.url("/orders"), json!({})).await;
    assert_readable(&unknown, 401, "missing_credentials");
    assert!(unknown.header("www-authenticate").unwrap().starts_with("Bearer"), "{unknown:?}");
    let options = json!({ "headers": { "authorization": "Bearer a.b.c" } });
    assert_readable(&browser.fetch(&api.url("/orders"), options).await, 401, "invalid_token");
    assert_eq!(api.counts("/orders"), (1, 2), "the preflight was not asked for a credential");

    assert_readable(&browser.fetch(&api.url("/nowhere"), json!({})).await, 404, "not_found");
    let options = json!({ "method": "PUT" });
    assert_readable(&browser.fetch(&api.url("/me"), options).await, 405, "method_not_allowed");
    assert_readable(&browser.fetch(&api.url("/panic"), json!({})).await, 500, "internal_error");

    let long = json!({ "method": "POST", "body": "a".repeat(300_000) });
    assert_readable(&browser.fetch(&api.url("/open"), long).await, 413, "payload_too_large");

    let url = api.url("/limited");
    for left in ["1", "0"] {
        let one = browser.fetch(&url, json!({})).await;
        assert_eq!((one.status(), one.header("x-ratelimit-remaining")), (Some(200), Some(left)), "{one:?}");
    }
    let refused = browser.fetch(&url, json!({})).await;
    assert_readable(&refused, 429, "rate_limit_exceeded");
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3_600).contains(&seconds), "{refused:?}");
    assert!(refused.header("ratelimit").unwrap().contains("few"), "{refused:?}");
    assert!(refused.header("ratelimit-policy").unwrap().contains("few"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_refused_origin_reads_nothing() {
    let (allowed, stranger, issuer) = (Site::page().await, Site::page().await, issuer());
    let api = Site::serve(api(&policy(&[allowed.origin("localhost")]).build().unwrap(), &issuer)).await;
    let browser = Browser::start().await;
    let (open, orders) = (api.url("/open"), api.url("/orders"));
    // Another site, and another port of the same site: both are other origins.
    for (visit, origin) in (1..).zip([stranger.origin("127.0.0.1"), stranger.origin("localhost")]) {
        browser.open(&origin).await;
        // Nobody keeps a browser from sending a simple request: CORS is no access control.
        let simple = browser.fetch(&open, json!({})).await;
        assert_blocked(&browser, &simple, &origin, &open, NOT_ALLOWED).await;
        assert_eq!(api.counts("/open"), (0, visit));

        let options = json!({ "method": "PUT", "headers": { "authorization": "Bearer a" } });
        let preflighted = browser.fetch(&orders, options).await;
        let why = format!("Response to preflight request doesn't pass access control check: {NOT_ALLOWED}");
        assert_blocked(&browser, &preflighted, &origin, &orders, &why).await;
        assert_eq!(api.counts("/orders"), (visit, 0), "after its preflight nothing was sent");
    }
    // What the policy does not allow is refused to the allowed origin, too.
    browser.open(&allowed.origin("localhost")).await;
    for options in [json!({ "method": "DELETE" }), json!({ "headers": { "x-other": "1" } })] {
        let refused = browser.fetch(&open, options).await;
        let why = "Response to preflight request doesn't pass access control check";
        assert_blocked(&browser, &refused, &allowed.origin("localhost"), &open, why).await;
    }
}

/// While somebody looks for the mistake, the policy may say what it is, and the browser prints it.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_explains_itself_is_understood_by_the_browser() {
    let (page, issuer) = (Site::page().await, issuer());
    let origin = page.origin("localhost");
    // Of any port, as developers' pages are.
    let policy = policy(&["http://localhost:*".to_owned()]).explain_failures().build().unwrap();
    let api = Site::serve(api(&policy, &issuer)).await;
    let browser = Browser::start().await;
    browser.open(&origin).await;
    let url = api.url("/open");
    assert_eq!(browser.fetch(&url, json!({})).await.status(), Some(200), "the port does not matter");

    let method = browser.fetch(&url, json!({ "method": "DELETE" })).await;
    let why = "Method DELETE is not allowed by Access-Control-Allow-Methods in preflight response";
    assert_blocked(&browser, &method, &origin, &url, why).await;
    let header = browser.fetch(&url, json!({ "headers": { "x-other": "1" } })).await;
    let why = "Request header field x-other is not allowed by Access-Control-Allow-Headers in preflight response";
    assert_blocked(&browser, &header, &origin, &url, why).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_go_where_the_policy_lets_them() {
    let (page, stranger, issuer) = (Site::page().await, Site::page().await, issuer());
    let origin = page.origin("localhost");
    let with = policy(std::slice::from_ref(&origin)).allow_credentials().build().unwrap();
    let (with, without) = (
        Site::serve(api(&with, &issuer)).await,
        Site::serve(api(&policy(std::slice::from_ref(&origin)).build().unwrap(), &issuer)).await,
    );
    let browser = Browser::start().await;
    browser.open(&origin).await;
    let include = |method: &str| json!({ "method": method, "credentials": "include" });

    assert_eq!(browser.fetch(&with.url("/login"), include("POST")).await.body(), "in");
    assert_eq!(browser.fetch(&with.url("/me"), include("GET")).await.body(), "session=of-usr-1");
    // Nothing is sent unless the script asks for it.
    assert_eq!(browser.fetch(&with.url("/me"), json!({})).await.body(), "nobody");

    // The same cookie is sent to the other port, and that response must not be read.
    let refused = browser.fetch(&without.url("/me"), include("GET")).await;
    let why = "The value of the 'Access-Control-Allow-Credentials' header in the response is '' which must be 'true'";
    assert_blocked(&browser, &refused, &origin, &without.url("/me"), why).await;
    assert_eq!(without.asked("/me")[0].cookie(), Some("session=of-usr-1"));

    // A refused origin of another site neither sends the cookie (SameSite) nor reads the answer.
    let elsewhere = stranger.origin("127.0.0.1");
    browser.open(&elsewhere).await;
    let stolen = browser.fetch(&with.url("/me"), include("GET")).await;
    assert_blocked(&browser, &stolen, &elsewhere, &with.url("/me"), NOT_ALLOWED).await;
    assert_eq!(with.asked("/me").last().unwrap().cookie(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_keeps_the_answer_to_a_preflight_as_long_as_it_is_told() {
    let (page, issuer) = (Site::page().await, issuer());
    let origin = page.origin("localhost");
    let kept = Site::serve(api(&policy(std::slice::from_ref(&origin)).build().unwrap(), &issuer)).await;
    let forgotten = policy(std::slice::from_ref(&origin)).max_age(Duration::ZERO).build().unwrap();
    let forgotten = Site::serve(api(&forgotten, &issuer)).await;
    let browser = Browser::start().await;
    browser.open(&origin).await;
    for _ in 0..3 {
        for api in [&kept, &forgotten] {
            let put = json!({ "method": "PUT", "headers": { "content-type": "application/json" }, "body": "{}" });
            assert_eq!(browser.fetch(&api.url("/open"), put).await.status(), Some(200));
        }
    }
    assert_eq!(kept.counts("/open"), (1, 3));
    assert_eq!(forgotten.counts("/open"), (3, 3));
}

/// Without `Vary: Origin` the second page would be given the first one's response, and could not read it.
#[tokio::test(flavor = "multi_thread")]
async fn a_cached_response_is_not_given_to_another_origin() {
    let (first, second, issuer) = (Site::page().await, Site::page().await, issuer());
    let origins = [first.origin("localhost"), second.origin("localhost")];
    let api = Site::serve(api(&policy(&origins).build().unwrap(), &issuer)).await;
    let browser = Browser::start().await;
    for (round, origin) in origins.iter().enumerate() {
        browser.open(origin).await;
        for _ in 0..2 {
            assert_eq!(browser.fetch(&api.url("/cached"), json!({})).await.body(), "cached", "round {round}");
        }
        // Once for each origin: within one, the cache is used.
        assert_eq!(api.counts("/cached"), (0, round + 1));
    }
}

/// What the order is for: the same layers, the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_is_made_outside_of_cors_cannot_be_read() {
    let (page, issuer) = (Site::page().await, issuer());
    let origin = page.origin("localhost");
    let cors = policy(std::slice::from_ref(&origin)).build().unwrap();
    let inner = axum::Router::new().route("/orders", axum::routing::get(|| async { "orders" }));
    let reversed = Site::serve(inner.layer(ServiceBuilder::new().layer(auth(&issuer)).layer(cors))).await;
    let browser = Browser::start().await;
    browser.open(&origin).await;
    let (url, token) = (reversed.url("/orders"), format!("Bearer {}", issuer.token("usr_1").sign()));
    let unreadable = browser.fetch(&url, json!({})).await;
    assert_blocked(&browser, &unreadable, &origin, &url, NOT_ALLOWED).await;
    // And with a good token it gets worse: the preflight carries none.
    let refused = browser.fetch(&url, json!({ "headers": { "authorization": token } })).await;
    assert_blocked(&browser, &refused, &origin, &url, "Response to preflight request doesn't pass").await;
    assert_eq!(reversed.counts("/orders"), (1, 1));
}
