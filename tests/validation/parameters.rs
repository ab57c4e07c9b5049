//! Parameters in paths, queries, headers and cookies.

use axum::Router;
use http::Method;
use portcullis::validate::{Parameter, Rule, Rules};
use proptest::prelude::*;
use serde_json::json;

use super::ask::{ask, request, ruled, status, with_rules};

fn listing() -> Router {
    let rule = Rule::json()
        .parameter(Parameter::path("id", json!({ "type": "integer", "minimum": 1 })))
        .parameter(Parameter::query("limit", json!({ "type": "integer", "maximum": 100 })))
        .parameter(Parameter::query("open", json!({ "type": "boolean" })))
        .parameter(Parameter::query(
            "state",
            json!({ "type": "array", "items": { "enum": ["a", "b,c"] }, "maxItems": 2 }),
        ))
        .parameter(
            Parameter::query("ids", json!({ "type": "array", "items": { "type": "integer" } })).comma_separated(),
        )
        .parameter(Parameter::query("flag", json!({ "type": "boolean" })).allow_empty())
        .parameter(Parameter::header("X-Tenant", json!({ "type": "string", "pattern": "^[a-z]+$" })).required())
        .parameter(Parameter::header("x-many", json!({ "type": "array", "items": { "type": "number" } })))
        .parameter(Parameter::cookie("theme", json!({ "enum": ["dark", "light"] })));
    // The router calls it `id`, too; another name is tried below.
    with_rules(Rules::new().route(Method::GET, "/orders/{id}", rule))
}

async fn refused(app: &Router, path: &str, headers: &[(&str, &str)]) -> Option<(String, String)> {
    let answer = ask(app, request("GET", path, headers, "")).await;
    if answer.status == 200 {
        return None;
    }
    let problem = answer.json();
    assert_eq!(answer.status, 422, "{path}: {problem}");
    let text = |name: &str| problem["errors"][0][name].as_str().unwrap().to_owned();
    Some((text("pointer"), text("keyword")))
}

#[tokio::test]
async fn text_is_taken_for_what_the_schema_names() {
    let app = listing();
    let tenant = ("x-tenant", "acme");
    for path in [
        "/orders/7",
        "/orders/7?limit=100&open=true&open2=x",
        "/orders/7?state=a&state=b%2Cc",
        "/orders/7?ids=1,2,3&flag&flag=",
        "/orders/7?%6Cimit=5",
        "/orders/7?flag=true",
    ] {
        assert_eq!(refused(&app, path, &[tenant]).await, None, "{path}");
    }
    for (path, pointer, keyword) in [
        ("/orders/0", "/path/id", "minimum"),
        ("/orders/x", "/path/id", "type"),
        ("/orders/7.5", "/path/id", "type"),
        ("/orders/%2B7", "/path/id", "type"),
        ("/orders/7?limit=101", "/query/limit", "maximum"),
        ("/orders/7?limit=", "/query/limit", "type"),
        ("/orders/7?limit=1&limit=2", "/query/limit", "type"),
        ("/orders/7?limit=1&%6cimit=2", "/query/limit", "type"),
        ("/orders/7?open=1", "/query/open", "type"),
        ("/orders/7?state=d", "/query/state/0", "enum"),
        ("/orders/7?state=b,c&state=a&state=a", "/query/state", "maxItems"),
        ("/orders/7?ids=1,x", "/query/ids/1", "type"),
        ("/orders/7?ids=1%2C2", "/query/ids/0", "type"),
        ("/orders/7?flag=x", "/query/flag", "type"),
    ] {
        assert_eq!(refused(&app, path, &[tenant]).await, Some((pointer.into(), keyword.into())), "{path}");
    }
}

#[tokio::test]
async fn headers_and_cookies_are_parameters_too() {
    let app = listing();
    let tenant = ("x-tenant", "acme");
    let found = async |headers: &[(&str, &str)]| refused(&app, "/orders/7", headers).await.map(|(pointer, _)| pointer);
    assert_eq!(found(&[]).await.as_deref(), Some("/header/X-Tenant"));
    assert_eq!(found(&[("x-tenant", "ACME")]).await.as_deref(), Some("/header/X-Tenant"));
    assert_eq!(found(&[tenant, tenant]).await.as_deref(), Some("/header/X-Tenant"));
    assert_eq!(found(&[tenant, ("x-many", "1, 2.5"), ("x-many", "3")]).await, None);
    assert_eq!(found(&[tenant, ("x-many", "1, b")]).await.as_deref(), Some("/header/x-many/1"));
    assert_eq!(found(&[tenant, ("cookie", "a=b; theme=dark")]).await, None);
    assert_eq!(found(&[tenant, ("cookie", "a=b; theme=pink")]).await.as_deref(), Some("/cookie/theme"));
}

#[tokio::test]
async fn what_cannot_be_read_is_400_and_what_is_not_known_can_be_refused() {
    let app = ruled(Rule::json().parameter(Parameter::query("a", json!({ "type": "string" }))).only_listed_query());
    for (path, expected) in [
        ("/orders?a=x", 200),
        ("/orders?a=caf%C3%A9+y", 200),
        ("/orders?a=%ff", 400),
        ("/orders?a=%", 400),
        ("/orders?b=1", 422),
        ("/orders?a=1&zz_secret", 422),
    ] {
        let answer = ask(&app, request("GET", path, &[], "")).await;
        assert_eq!(answer.status, expected, "{path}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("zz_secret"));
    }
}

#[tokio::test]
async fn the_rule_finds_its_route_however_that_names_its_parameters() {
    let rule = Rule::json().parameter(Parameter::path("order_id", json!({ "type": "integer" })));
    let rest = Rule::json().parameter(Parameter::path("path", json!({ "pattern": "^a/" })));
    let rules = Rules::new().route(Method::GET, "/orders/{order_id}", rule).route(Method::GET, "/files/{*path}", rest);
    let app = with_rules(rules);
    for (path, expected) in [("/orders/7", 200), ("/orders/x", 422), ("/files/a/b", 200), ("/files/b/a", 422)] {
        assert_eq!(status(&app, request("GET", path, &[], "")).await, expected, "{path}");
        assert_eq!(status(&app, request("HEAD", path, &[], "")).await, expected, "HEAD {path}");
        assert_eq!(status(&app, request("DELETE", path, &[], "")).await, 200, "no rule of its own: {path}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What gets through is a number to whoever reads the same text.
    #[test]
    fn what_gets_through_is_a_number(text in "[0-9a-z+.%-]{1,6}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let rule = Rule::json().parameter(Parameter::query("n", json!({ "type": "integer" })));
        let answer = runtime.block_on(ask(&ruled(rule), request("GET", &format!("/orders?n={text}"), &[], "")));
        prop_assert!(!answer.status.is_server_error());
        if answer.status == 200 {
            let form: Vec<(String, f64)> = serde_urlencoded(&text);
            prop_assert_eq!(form.len(), 1);
        }
    }
}

/// What axum's `Query` reads it as.
fn serde_urlencoded(text: &str) -> Vec<(String, f64)> {
    let uri: http::Uri = format!("/?n={text}").parse().unwrap();
    axum::extract::Query::<Vec<(String, f64)>>::try_from_uri(&uri).unwrap().0
}
