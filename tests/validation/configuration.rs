//! Mistakes, findings, and routes without a rule.

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, routing::get};
use http::Method;
use portcullis::{
    lint::Severity,
    validate::{Parameter, Rule, Rules, Schema},
};
use serde_json::json;
use tower::Layer as _;

use super::ask::{Answer, app, ask, echo, layer, request, status, with_rules};

#[test]
fn all_mistakes_come_at_once() {
    let rules = Rules::new()
        .route(Method::POST, "orders", Rule::json().max_body(0))
        .route(Method::POST, "/a/{id}", Rule::json().accept_json("text/plain").accept_json("application/json"))
        .route(Method::POST, "/a/{other}", Rule::opaque("png").plan_max_body("pro", 0))
        .route(Method::PUT, "/b", Rule::bodyless().accept_json("+json"))
        .route(Method::PUT, "/b", Rule::json().content_encodings(["gzip"]).max_depth(128))
        .route(Method::PUT, "/c/:id", Rule::json().body_deadline(Duration::ZERO))
        .route(Method::PUT, "/d/{id}.json", Rule::json().schema(Schema::text("{")))
        .route(Method::GET, "/e", Rule::json().schema(json!({ "type": "object2" })))
        .route(Method::GET, "/f", Rule::json().schema(json!({ "pattern": "(?!x)" })))
        .route(Method::GET, "/g", Rule::json().schema(json!({ "format": "colour" })))
        .route(Method::GET, "/h", Rule::json().schema(json!({ "$ref": "https://example.com/x.json" })))
        .route(Method::GET, "/i", Rule::opaque("a/b").schema(json!(true)))
        .route(Method::GET, "/j", Rule::json().parameter(Parameter::path("id", json!(true))))
        .route(Method::GET, "/k", Rule::json().parameter(Parameter::header("a b", json!(true))))
        .route(Method::GET, "/l", Rule::json().parameter(Parameter::query("a", json!({ "type": "object" }))))
        .route(Method::GET, "/m", Rule::json().schema(json!({ "type": "string", "nullable": true })));
    let error = layer()
        .rules(rules)
        .minimum_rate(0)
        .max_depth(0)
        .max_values(0)
        .filter_timeout(Duration::ZERO)
        .max_body(0)
        .plan_max_body("a", 1)
        .plan_max_body("a", 2)
        .build()
        .unwrap_err();
    let fields: Vec<&str> = error.issues().iter().map(|issue| &*issue.field).collect();
    for wanted in [
        "minimum_rate",
        "max_depth",
        "max_values",
        "filter_timeout",
        "max_body",
        "plan_max_body[\"a\"]",
        "route[POST orders]",
        "route[POST orders].max_body",
        "route[POST /a/{id}].accept[\"text/plain\"]",
        "route[POST /a/{id}].accept[\"application/json\"]",
        "route[POST /a/{other}]",
        "route[POST /a/{other}].accept[\"png\"]",
        "route[POST /a/{other}].plan_max_body[\"pro\"]",
        "route[PUT /b].",
        "route[PUT /b]",
        "route[PUT /b].content_encodings",
        "route[PUT /b].max_depth",
        "route[PUT /c/:id]",
        "route[PUT /c/:id].body_deadline",
        "route[PUT /d/{id}.json]",
        "route[PUT /d/{id}.json].accept[\"application/json\"].schema",
        "route[GET /e].accept[\"application/json\"].schema",
        "route[GET /f].accept[\"application/json\"].schema",
        "route[GET /g].accept[\"application/json\"].schema",
        "route[GET /h].accept[\"application/json\"].schema",
        "route[GET /i].schema",
        "route[GET /j].parameter[path id]",
        "route[GET /k].parameter[header a b]",
        "route[GET /l].parameter[query a]",
        "route[GET /m].accept[\"application/json\"].schema",
    ] {
        assert!(fields.contains(&wanted), "{wanted} is not among\n{fields:#?}");
    }
    assert!(layer().refuse_unlisted().build().is_err());
}

#[test]
fn findings_are_told_and_the_grave_ones_fail() {
    let open = json!({
        "type": "object",
        "properties": { "note": { "type": "string" }, "id": { "type": "integer", "readOnly": true } }
    });
    let builder = layer()
        .route(Method::POST, "/orders", Rule::json().schema(open))
        .route(Method::PUT, "/orders", Rule::json())
        .dangerously_allow_encoded_slashes();
    let layer_ = builder.clone().build().unwrap();
    let mut codes: Vec<&str> = layer_.report().issues().iter().map(|issue| issue.code).collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        [
            "encoded-slashes-allowed",
            "json-without-schema",
            "schema-open-object",
            "schema-read-only-member",
            "schema-unbounded",
            "unlisted-routes-pass"
        ]
    );
    let large = builder.max_body(200 * 1024 * 1024);
    let found = large.lint();
    assert_eq!(found.with_code("body-limit-unbounded").next().unwrap().severity, Severity::High);
    assert!(large.clone().build().unwrap_err().to_string().contains("body-limit-unbounded"));
    let allowed = large.allow_lint("body-limit-unbounded", "films").build().unwrap();
    assert_eq!(allowed.report().with_code("body-limit-unbounded").next().unwrap().allowed.as_deref(), Some("films"));
}

#[test]
fn a_closed_schema_and_a_branch_are_not_found_fault_with() {
    let closed = json!({
        "type": "object",
        "allOf": [{ "properties": { "a": { "type": "integer" } } }, { "$ref": "#/$defs/more" }],
        "$defs": { "more": { "properties": { "b": { "type": "string", "maxLength": 5 } } } },
        "unevaluatedProperties": false
    });
    let report = layer().default_rule(Rule::json().schema(closed)).build().unwrap().report().clone();
    assert!(report.is_empty(), "{report}");
    assert!(layer().build().unwrap().report().is_empty());
}

#[tokio::test]
async fn routes_without_a_rule_can_be_refused() {
    let rules =
        Rules::new().route(Method::GET, "/orders", Rule::bodyless()).route(Method::PUT, "/orders", Rule::json());
    let app = app(layer().rules(rules).refuse_unlisted());
    let ask_for = async |method, path| -> Answer { ask(&app, request(method, path, &[], "")).await };
    assert_eq!(ask_for("GET", "/orders").await.status, 200);
    let other = ask_for("DELETE", "/orders").await;
    assert_eq!((other.status.as_u16(), other.header("allow")), (405, "GET, HEAD, PUT"));
    assert_eq!(ask_for("GET", "/orders/7").await.status, 404);
    assert_eq!(ask_for("GET", "/nowhere").await.status, 404);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Around the router no route is known, and so no rule applies.
#[tokio::test]
async fn a_layer_around_the_router_is_noticed() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let validation = layer().route(Method::GET, "/orders/{id}", Rule::bodyless()).build().unwrap();
    let right = echo().layer(validation.clone());
    assert_eq!(status(&right, request("GET", "/orders/7", &[], "")).await, 200);
    assert_eq!(status(&right, request("GET", "/nowhere", &[], "")).await, 404);
    let text = || String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(!text().contains("route is not known"), "{}", text());
    let around = Router::new().fallback_service(validation.layer(echo()));
    for _ in 0..2 {
        assert_eq!(status(&around, request("GET", "/orders/7", &[], "")).await, 200);
    }
    assert_eq!(text().matches("route is not known").count(), 1, "{}", text());
}

#[tokio::test]
async fn a_registry_can_be_nested() {
    let orders = Rules::new().route(Method::GET, "/", Rule::bodyless()).route(Method::GET, "/{id}", Rule::bodyless());
    let rules = Rules::new().nest("/v1/orders", orders);
    assert_eq!(rules.len(), 2);
    let inner = Router::new().route("/", get(|| async {})).route("/{id}", get(|| async {}));
    let app = Router::new().nest("/v1/orders", inner).layer(layer().rules(rules).refuse_unlisted().build().unwrap());
    for path in ["/v1/orders", "/v1/orders/7"] {
        assert_eq!(status(&app, request("GET", path, &[], "")).await, 200, "{path}");
    }
    let head = with_rules(Rules::new().route(Method::GET, "/orders", Rule::bodyless()));
    assert_eq!(status(&head, request("HEAD", "/orders", &[], "")).await, 200);
}
