//! Rules from an `OpenAPI` 3.1 document.

use axum::Router;
use portcullis::validate::{OpenApi, Rules};
use serde_json::{Value, json};

use super::ask::{app, ask, layer, request};

/// Everything that is understood.
fn shop() -> Value {
    json!({
        "openapi": "3.1.1",
        "info": { "title": "Shop", "version": "1" },
        "servers": [{ "url": "https://api.example.com" }],
        "x-owner": "us",
        "paths": {
            "/orders": {
                "summary": "Orders",
                "parameters": [{ "$ref": "#/components/parameters/Tenant" }],
                "get": {
                    "parameters": [
                        { "name": "limit", "in": "query", "schema": { "type": "integer", "maximum": 100, "default": 20 } },
                        { "name": "ids", "in": "query", "explode": false, "schema": { "type": "array", "items": { "type": "integer" } } },
                        { "name": "Authorization", "in": "header", "schema": { "type": "integer" } }
                    ],
                    "responses": { "200": { "description": "ok" } }
                },
                "post": {
                    "requestBody": { "$ref": "#/components/requestBodies/Order" },
                    "responses": {}
                },
                "put": {
                    "requestBody": { "content": {
                        "image/png": { "schema": { "type": "string", "format": "binary" } },
                        "application/octet-stream": {},
                        "application/json; charset=utf-8": { "schema": { "type": "array", "items": { "$ref": "#/components/schemas/Line" }, "maxItems": 2 } }
                    } }
                }
            },
            "/orders/{order}": { "$ref": "#/components/pathItems/Order" }
        },
        "components": {
            "parameters": { "Tenant": { "name": "x-tenant", "in": "header", "required": true, "schema": { "type": "string", "maxLength": 5 } } },
            "pathItems": { "Order": { "delete": {
                "parameters": [
                    { "name": "order", "in": "path", "required": true, "schema": { "$ref": "#/components/schemas/Number" } },
                ],
                "responses": {}
            } } },
            "requestBodies": { "Order": { "required": true, "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Order" } } } } },
            "schemas": {
                "Number": { "type": "integer", "format": "int32", "minimum": 1 },
                "Line": { "type": "object", "properties": { "pieces": { "$ref": "#/components/schemas/Number" } }, "required": ["pieces"], "additionalProperties": false },
                "Order": {
                    "type": "object",
                    "properties": { "lines": { "type": "array", "items": { "$ref": "#/components/schemas/Line" } }, "parent": { "$ref": "#/components/schemas/Order" } },
                    "required": ["lines"],
                    "additionalProperties": false
                },
                "Unused": { "type": "object", "properties": { "x": { "type": "string" } } }
            }
        }
    })
}

fn served(document: &Value) -> Router {
    app(layer().rules(Rules::from_openapi(document).unwrap()).refuse_unlisted())
}

#[tokio::test]
async fn the_document_is_what_is_taken() {
    let app = served(&shop());
    let tenant = ("x-tenant", "acme");
    let json = ("content-type", "application/json");
    let png = ("content-type", "image/png");
    for (method, path, headers, body, expected) in [
        ("GET", "/orders", &[tenant][..], "", 200),
        ("HEAD", "/orders", &[tenant], "", 200),
        ("GET", "/orders", &[], "", 422),
        ("GET", "/orders?limit=100&ids=1,2", &[tenant], "", 200),
        ("GET", "/orders?limit=101", &[tenant], "", 422),
        ("GET", "/orders?ids=1,x", &[tenant], "", 422),
        ("GET", "/orders", &[tenant, ("authorization", "Bearer x")], "", 200),
        ("GET", "/orders", &[tenant, json], "{}", 400),
        ("POST", "/orders", &[tenant, json], r#"{"lines":[{"pieces":1}],"parent":{"lines":[]}}"#, 200),
        ("POST", "/orders", &[tenant, json], r#"{"lines":[{"pieces":0}]}"#, 422),
        ("POST", "/orders", &[tenant, json], r#"{"lines":[{"pieces":2147483648}]}"#, 422),
        ("POST", "/orders", &[tenant, json], r#"{"lines":[],"parent":{"lines":[{}]}}"#, 422),
        ("POST", "/orders", &[tenant], "", 400),
        ("POST", "/orders", &[tenant, png], "x", 415),
        ("PUT", "/orders", &[tenant], "", 200),
        ("PUT", "/orders", &[tenant, png], "x", 200),
        ("PUT", "/orders", &[tenant, ("content-type", "application/octet-stream")], "x", 200),
        ("PUT", "/orders", &[tenant, json], r#"[{"pieces":1}]"#, 200),
        ("PUT", "/orders", &[tenant, json], r#"[{"pieces":"1"}]"#, 422),
        ("DELETE", "/orders/7", &[], "", 200),
        ("DELETE", "/orders/x", &[], "", 422),
        ("GET", "/orders/7", &[], "", 405),
        ("PATCH", "/orders", &[tenant], "", 405),
        ("GET", "/files/a", &[], "", 404),
        ("GET", "/nowhere", &[], "", 404),
    ] {
        let answer = ask(&app, request(method, path, headers, body)).await;
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, expected, "{method} {path} {body}: {text}");
    }
    let answer = ask(&app, request("PATCH", "/orders", &[tenant], "")).await;
    assert_eq!(answer.header("allow"), "GET, HEAD, POST, PUT");
}

#[tokio::test]
async fn a_fault_is_told_with_its_place_in_the_document() {
    let app = served(&shop());
    let headers = [("x-tenant", "acme"), ("content-type", "application/json")];
    let places = async |method, path, headers: &[(&str, &str)], body: &'static str| {
        let answer = ask(&app, request(method, path, headers, body)).await.json();
        let error = &answer["errors"][0];
        (error["pointer"].as_str().unwrap().to_owned(), error["schema_pointer"].as_str().unwrap().to_owned())
    };
    let (pointer, schema) = places("POST", "/orders", &headers, r#"{"lines":[{"pieces":0}]}"#).await;
    assert_eq!((&*pointer, &*schema), ("/lines/0/pieces", "/components/schemas/Number/minimum"));
    let (pointer, schema) = places("PUT", "/orders", &headers, "[1,2,3]").await;
    let media = "/paths/~1orders/put/requestBody/content/application~1json; charset=utf-8/schema";
    assert!(schema == format!("{media}/maxItems") || pointer.starts_with('/'), "{pointer} {schema}");
    let (pointer, schema) = places("GET", "/orders?limit=101", &headers[..1], "").await;
    assert_eq!((&*pointer, &*schema), ("/query/limit", "/paths/~1orders/get/parameters/0/schema/maximum"));
}

fn mistakes(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut document = shop();
    change(&mut document);
    let error = Rules::from_openapi(&document).unwrap_err();
    error.issues().iter().map(|issue| issue.field.to_string()).collect()
}

type Change = fn(&mut Value);

#[test]
fn what_cannot_be_checked_is_a_mistake_with_its_place() {
    let get = "/paths/~1orders/get";
    let put = "/paths/~1orders/put";
    let cases: [(Change, String); 22] = [
        (|document| document["openapi"] = json!("3.0.3"), "/openapi".into()),
        (|document| document["jsonSchemaDialect"] = json!("https://example.com"), "/jsonSchemaDialect".into()),
        (|document| document["security2"] = json!([]), "/security2".into()),
        (|document| document["paths"]["orders"] = json!({}), "/paths/orders".into()),
        (|document| document["paths"]["/orders"]["servers"] = json!([]), "/paths/~1orders/servers".into()),
        (|document| document["paths"]["/orders"]["query"] = json!({}), "/paths/~1orders/query".into()),
        (|document| document["paths"]["/orders"]["get"]["servers"] = json!([]), format!("{get}/servers")),
        (|document| document["paths"]["/orders"]["get"]["parameters"] = json!({}), format!("{get}/parameters")),
        (
            |document| document["paths"]["/orders"]["get"]["parameters"][0]["style"] = json!("deepObject"),
            format!("{get}/parameters/0/style"),
        ),
        (
            |document| document["paths"]["/orders"]["get"]["parameters"][0]["content"] = json!({}),
            format!("{get}/parameters/0/content"),
        ),
        (
            |document| document["paths"]["/orders"]["get"]["parameters"][0]["in"] = json!("body"),
            format!("{get}/parameters/0"),
        ),
        (
            |document| document["paths"]["/orders"]["get"]["parameters"][0]["required"] = json!("yes"),
            format!("{get}/parameters/0/required"),
        ),
        (
            |document| document["paths"]["/orders"]["get"]["parameters"][0]["schema"]["format"] = json!("color"),
            format!("{get}/parameters/0/schema"),
        ),
        (
            |document| document["paths"]["/orders"]["get"]["parameters"][0]["schema"]["nullable"] = json!(true),
            format!("{get}/parameters/0/schema"),
        ),
        (
            |document| document["paths"]["/orders"]["put"]["requestBody"]["content"] = json!({}),
            format!("{put}/requestBody/content"),
        ),
        (
            |document| document["paths"]["/orders"]["put"]["requestBody"]["content"]["x"] = json!({}),
            format!("{put}/requestBody/content/x"),
        ),
        (
            |document| {
                document["paths"]["/orders"]["put"]["requestBody"]["content"]["multipart/form-data"] =
                    json!({ "schema": { "type": "object" } });
            },
            format!("{put}/requestBody/content/multipart~1form-data/schema"),
        ),
        (
            |document| document["components"]["requestBodies"]["Order"] = json!({ "$ref": "other.json" }),
            "/components/requestBodies/Order".into(),
        ),
        (
            |document| document["components"]["pathItems"]["Order"] = json!({ "$ref": "#/components/pathItems/Order" }),
            "/components/pathItems/Order".into(),
        ),
        (
            |document| {
                document["paths"]["/orders"]["post"]["requestBody"] = json!({ "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Nobody" } } } });
            },
            "/paths/~1orders/post/requestBody/content/application~1json/schema".into(),
        ),
        (
            |document| {
                document["paths"]["/orders"]["post"]["requestBody"] = json!({ "content": { "application/json": { "schema": { "type": "string", "pattern": "(?=a)" } } } });
            },
            "/paths/~1orders/post/requestBody/content/application~1json/schema".into(),
        ),
        (
            |document| document["paths"]["/orders"]["get"]["parameters"][0]["name"] = json!("ids"),
            "route[GET /orders].parameter[query ids]".into(),
        ),
    ];
    for (change, place) in cases {
        let place = if place.starts_with('/') { format!("openapi#{place}") } else { place };
        let found = mistakes(change);
        assert!(found.contains(&place), "{place}: {found:?}");
    }
}

#[test]
fn all_mistakes_come_at_once() {
    let found = mistakes(|document| {
        document["openapi"] = json!("2.0");
        document["paths"]["/orders"]["get"]["parameters"][0]["schema"]["type"] = json!("int");
        document["paths"]["/orders"]["put"]["requestBody"]["content"]["x"] = json!({});
    });
    assert_eq!(found.len(), 3, "{found:?}");
}

#[tokio::test]
async fn what_is_meant_to_be_left_unchecked_can_be() {
    let mut document = shop();
    document["paths"]["/orders"]["put"]["requestBody"]["content"]["multipart/form-data"] =
        json!({ "schema": { "type": "object" } });
    let rules = OpenApi::new(document).leave_unchecked("multipart/form-data").rules().unwrap();
    let app = app(layer().rules(rules));
    let headers = [("x-tenant", "acme"), ("content-type", "multipart/form-data; boundary=x")];
    assert_eq!(ask(&app, request("PUT", "/orders", &headers, "--x--")).await.status, 200);
}

#[test]
fn text_is_json_in_which_nothing_stands_twice() {
    assert_eq!(Rules::from_openapi_text(&shop().to_string()).unwrap().len(), 4);
    for text in ["openapi: 3.1.0", "{\"openapi\":\"3.1.0\",\"openapi\":\"3.1.0\"}", ""] {
        let error = Rules::from_openapi_text(text).unwrap_err();
        assert_eq!(error.issues()[0].field, "openapi", "{error}");
    }
    for document in
        [json!(null), json!([]), json!({}), json!({ "openapi": "3.1.0" }), json!({ "openapi": "3.1.0", "paths": 1 })]
    {
        assert!(Rules::from_openapi(&document).is_err(), "{document}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// A document with a part replaced by something else gives rules or mistakes, and no panic.
    #[test]
    fn no_document_is_a_panic(at in 0_usize..200, with in proptest::sample::select(vec!["null", "1", "true", "[]", "{}", "\"x\"", "[{}]", "{\"$ref\":\"#\"}", "{\"$ref\":\"#/paths\"}"])) {
        let mut document = shop();
        let mut left = at;
        replace(&mut document, &mut left, &serde_json::from_str(with).unwrap());
        if let Ok(rules) = Rules::from_openapi(&document) {
            proptest::prop_assert!(layer().rules(rules).build().is_ok());
        }
    }
}

fn replace(value: &mut Value, left: &mut usize, with: &Value) {
    if *left == 0 {
        *value = with.clone();
        *left = usize::MAX;
        return;
    }
    *left -= 1;
    match value {
        Value::Object(members) => members.values_mut().for_each(|value| replace(value, left, with)),
        Value::Array(items) => items.iter_mut().for_each(|value| replace(value, left, with)),
        _ => {}
    }
}
