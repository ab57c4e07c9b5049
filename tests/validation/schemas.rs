//! JSON Schema for bodies.

use axum::Router;
use portcullis::validate::{Rule, Schema, SchemaStatus};
use serde_json::{Value, json};

use super::ask::{app, ask, layer, post, request, ruled, status};

/// The seeds' customer.
fn customer() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[\\p{L}\\p{M}' -]+$" },
            "email": { "type": "string", "format": "email" },
            "age": { "type": "integer", "minimum": 0, "maximum": 150 },
            "tags": { "type": "array", "items": { "enum": ["new", "vip"] }, "maxItems": 3 }
        },
        "required": ["name", "email"],
        "additionalProperties": false
    })
}

fn customers() -> Router {
    ruled(Rule::json().schema(customer()))
}

async fn errors(app: &Router, body: Value) -> Vec<Value> {
    let answer = ask(app, post(body.to_string())).await;
    assert_eq!(answer.status, 422, "{body}");
    let problem = answer.json();
    assert_eq!(problem["error"], "unprocessable_content");
    problem["errors"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_is_as_the_schema_says_gets_through() {
    let app = customers();
    for name in ["Ann", "O'Brien", "José", "Zoë de la Cruz", "李"] {
        let body = json!({ "name": name, "email": "a@example.com", "age": 42, "tags": ["vip"] });
        assert_eq!(status(&app, post(body.to_string())).await, 200, "{name}");
    }
    // With a schema, there must be a body.
    assert_eq!(status(&app, request("POST", "/orders", &[], axum::body::Body::empty())).await, 400);
    // A rule for all routes does not mean the methods that have none.
    assert_eq!(status(&app, request("GET", "/orders", &[], axum::body::Body::empty())).await, 200);
    let lax = ruled(Rule::json().schema(customer()).optional_body());
    assert_eq!(status(&lax, request("POST", "/orders", &[], axum::body::Body::empty())).await, 200);
}

#[tokio::test]
async fn seed_bug_15_a_format_is_no_remark() {
    let found = errors(&customers(), json!({ "name": "Ann", "email": "not-an-email" })).await;
    assert_eq!(
        found,
        [json!({
            "pointer": "/email",
            "schema_pointer": "/properties/email/format",
            "keyword": "format",
            "detail": "must be of format email"
        })]
    );
}

#[tokio::test]
async fn seed_bug_6_every_fault_has_a_place_and_no_value() {
    let wrong = json!({
        "name": "zz_secret_1!", "email": "zz_secret_2", "age": -987_654, "tags": ["zz_secret_3", "vip", "new", "new"], "more": "zz_secret_4"
    });
    let found = errors(&customers(), wrong).await;
    let mut places: Vec<(&str, &str)> =
        found.iter().map(|one| (one["pointer"].as_str().unwrap(), one["keyword"].as_str().unwrap())).collect();
    places.sort_unstable();
    assert_eq!(
        places,
        [
            ("/age", "minimum"),
            ("/email", "format"),
            ("/more", "additionalProperties"),
            ("/name", "pattern"),
            ("/tags", "maxItems"),
            ("/tags/0", "enum")
        ]
    );
    let text = json!(found).to_string();
    assert!(!text.contains("zz_secret") && !text.contains("987"), "{text}");
}

/// The engine's own masked messages repeat these.
#[tokio::test]
async fn names_that_must_not_be_are_told_as_places_only() {
    let app = ruled(Rule::json().schema(json!({ "propertyNames": { "maxLength": 3 } })));
    let found = errors(&app, json!({ "zz_secret": 1 })).await;
    assert!(!json!(found).to_string().contains("zz_secret"), "{found:?}");
    let app = ruled(Rule::json().schema(json!({ "properties": { "a": true }, "unevaluatedProperties": false })));
    let found = errors(&app, json!({ "a": 1, "b/c~": 1 })).await;
    assert_eq!((&found[0]["pointer"], found.len()), (&json!("/b~1c~0"), 1));
    // Nobody makes the answer long.
    let name = "n".repeat(10_000);
    assert_eq!(errors(&app, json!({ name: 1 })).await[0]["pointer"], "");
}

#[tokio::test]
async fn twenty_faults_are_told_and_of_a_large_body_one() {
    let app = ruled(Rule::json().schema(json!({ "items": { "type": "string" } })));
    assert_eq!(errors(&app, json!(vec![1; 100])).await.len(), 20);
    assert_eq!(errors(&app, json!(vec![1; 100_000])).await.len(), 1);
}

#[tokio::test]
async fn alternatives_say_which_keyword() {
    let app = ruled(Rule::json().schema(json!({ "oneOf": [{ "type": "string" }, { "const": 1 }] })));
    let found = errors(&app, json!({ "zz": 1 })).await;
    assert_eq!((&found[0]["keyword"], &found[0]["pointer"]), (&json!("oneOf"), &json!("")));
}

#[tokio::test]
async fn the_status_can_be_400() {
    let lax = layer().schema_status(SchemaStatus::BadRequest).default_rule(Rule::json().schema(customer()));
    let answer = ask(&app(lax), post("{}")).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_request")));
    assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn each_media_type_can_have_its_own() {
    let rule = Rule::json()
        .schema(json!({ "type": "object", "maxProperties": 1 }))
        .schema_for("application/json-patch+json", json!({ "type": "array", "maxItems": 10 }));
    let app = ruled(rule);
    let send = async |kind, body: &'static str| {
        status(&app, request("PATCH", "/orders", &[("content-type", kind)], body)).await
    };
    assert_eq!(send("application/json", "{}").await, 200);
    assert_eq!(send("application/json", "[]").await, 422);
    assert_eq!(send("application/json-patch+json", "[]").await, 200);
    assert_eq!(send("application/json-patch+json", "{}").await, 422);
}

#[tokio::test]
async fn numbers_have_the_bounds_of_their_format() {
    let app = ruled(Rule::json().schema(json!({ "type": "integer", "format": "int32" })));
    for (number, expected) in
        [("2147483647", 200), ("2147483648", 422), ("-2147483649", 422), ("1.5", 422), ("1.0", 200)]
    {
        assert_eq!(status(&app, post(number)).await, expected, "{number}");
    }
    let app = ruled(Rule::json().schema(json!({ "type": "string", "format": "byte" })));
    assert_eq!((status(&app, post("\"YQ==\"")).await, status(&app, post("\"Y\"")).await), (200, 422));
}

#[tokio::test]
async fn older_drafts_name_themselves() {
    let draft7 = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "items": [{ "type": "string" }] });
    let app = ruled(Rule::json().schema(Schema::json(draft7)));
    assert_eq!((status(&app, post("[\"a\", 1]")).await, status(&app, post("[1]")).await), (200, 422));
}
