use axum::{
    Json, Router,
    body::Body,
    routing::{get, post},
};
use http::{Request, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    identity::Grant,
    rejection::{Rejection, RejectionKind},
    testing::{anonymous, principal, with_principal},
};

/// Line 395 of the workflow document. Its IBAN is none, and its amount is text, as it must be.
fn document() -> Value {
    json!([
        {
            "type": "order_access",
            "actions": ["read", "write"],
            "locations": ["https://api.example.com/orders"],
            "datatypes": ["order", "shipment"],
            "identifier": "order_123456"
        },
        {
            "type": "payment_initiation",
            "actions": ["create"],
            "instructedAmount": { "currency": "USD", "amount": "150.00" },
            "creditorAccount": { "iban": "DE1234567890" }
        }
    ])
}

fn order() -> RarRequirement {
    RarRequirement::of_type("order_access")
        .actions(["read"])
        .locations(["https://api.example.com/orders"])
        .datatypes(["order"])
        .identifier("order_123456")
}

async fn ask(app: Router, request: Request<Body>) -> (StatusCode, String, Option<Rejection>) {
    let (parts, body) = app.oneshot(request).await.unwrap().into_parts();
    let challenge = parts.headers.get("www-authenticate").map(|line| line.to_str().unwrap().to_owned());
    let body = axum::body::to_bytes(body, 1 << 16).await.unwrap();
    let rejection = parts.extensions.get::<Rejection>().cloned();
    (parts.status, format!("{} {}", challenge.unwrap_or_default(), String::from_utf8_lossy(&body)), rejection)
}

async fn status(details: Value, requirement: RarRequirement) -> StatusCode {
    let caller = principal("usr_1").claim("authorization_details", details).build();
    let app = Router::new()
        .route("/orders/{id}", get(|grant: Grant| async move { grant.details().collect::<String>() }))
        .layer(ServiceBuilder::new().layer(with_principal(caller)).layer(RarLayer::new(requirement).unwrap()));
    ask(app, Request::get("/orders/order_123456").body(Body::empty()).unwrap()).await.0
}

#[tokio::test]
async fn section_2_rfc9396_the_details_of_the_document_grant_what_they_say() {
    assert_eq!(status(document(), order()).await, 200);
    assert_eq!(status(document(), order().actions(["write", "read"])).await, 200);
    assert_eq!(status(document(), order().identifier_from_path("id")).await, 200);
    for (what, more) in [
        ("another action", order().actions(["read", "delete"])),
        ("another place", order().locations(["https://api.example.com/orders/"])),
        ("other data", order().datatypes(["invoice"])),
        ("another order", order().identifier("order_123457")),
        ("a parameter that the route has not", order().identifier_from_path("other")),
        ("another type", RarRequirement::of_type("invoice_access").actions(["read"])),
        ("a member that is not there", order().privileges(["admin"])),
    ] {
        assert_eq!(status(document(), more).await, 403, "{what}");
    }
}

/// What narrows a grant, and is not understood, must not be ignored.
#[tokio::test]
async fn a_member_that_nobody_speaks_of_grants_nothing_rfc9396_2() {
    let wanted = || RarRequirement::of_type("t").actions(["read"]);
    let detail = |more: Value| {
        let mut detail = json!({"type": "t", "actions": ["read"]});
        detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([detail])
    };
    assert_eq!(status(detail(json!({})), wanted()).await, 200);
    for narrowing in [
        json!({"identifier": "7"}),
        json!({"locations": ["https://elsewhere.example"]}),
        json!({"maxUses": 1}),
        json!({"purpose": "audit"}),
    ] {
        assert_eq!(status(detail(narrowing), wanted()).await, 403);
    }
    assert_eq!(status(detail(json!({"note": "for the accountant"})), wanted().ignoring(["note"])).await, 200);
}

#[tokio::test]
async fn what_is_asked_for_must_stand_in_one_detail_and_be_a_list_rfc9396_2_2() {
    let wanted = || RarRequirement::of_type("t").actions(["read"]).datatypes(["order"]);
    for details in [
        json!([{"type": "t", "actions": ["read"]}, {"type": "t", "datatypes": ["order"]}]),
        json!([{"type": "t", "datatypes": ["order"]}]),
        json!([{"type": "t", "actions": "read", "datatypes": ["order"]}]),
        json!([{"type": "t", "actions": ["read", 7], "datatypes": ["order"]}]),
        json!([{"type": "t", "actions": ["Read"], "datatypes": ["order"]}]),
        json!([{"type": "T", "actions": ["read"], "datatypes": ["order"]}]),
        json!({"type": "t", "actions": ["read"], "datatypes": ["order"]}),
        json!([{"type": "t", "actions": ["read"], "datatypes": ["order"]}, {"actions": []}]),
        json!([]),
        json!(null),
    ] {
        assert_eq!(status(details.clone(), wanted()).await, 403, "{details}");
    }
    let other_first = json!([{"type": "u"}, {"type": "t", "actions": ["write", "read"], "datatypes": ["order"]}]);
    assert_eq!(status(other_first, wanted()).await, 200);
}

/// `POST /pay` with the amount and the account in the body.
fn bank(details: Value) -> Router {
    async fn pay(rar: Rar, Json(body): Json<Value>) -> Result<String, Rejection> {
        let amount = Amount::from_json(&body["amount"]).ok_or(RejectionKind::UnprocessableContent)?;
        let grant = rar.permits(
            &RarRequirement::of_type("payment_initiation")
                .actions(["create"])
                .amount("instructedAmount", amount)
                .equals("creditorAccount", body["to"].clone()),
        )?;
        Ok(grant.details().collect())
    }
    let caller = principal("usr_1").claim("authorization_details", details).build();
    Router::new().route("/pay", post(pay)).layer(with_principal(caller))
}

async fn pay(app: Router, currency: &str, amount: &str, iban: &str) -> (StatusCode, String) {
    let body = json!({"amount": {"currency": currency, "amount": amount}, "to": {"iban": iban}}).to_string();
    let request = Request::post("/pay").header("content-type", "application/json").body(Body::from(body)).unwrap();
    let (status, text, _) = ask(app, request).await;
    (status, text)
}

#[tokio::test]
async fn an_amount_is_a_limit_in_one_currency_for_one_account_rfc9396_2() {
    for (currency, amount, iban, expected) in [
        ("USD", "150.00", "DE1234567890", 200),
        ("USD", "150", "DE1234567890", 200),
        ("USD", "0.01", "DE1234567890", 200),
        ("USD", "150.000000001", "DE1234567890", 403),
        ("USD", "1000", "DE1234567890", 403),
        ("EUR", "1", "DE1234567890", 403),
        ("USD", "150.00", "DE1234567891", 403),
        ("USD", "-1", "DE1234567890", 422),
        ("USD", "1e2", "DE1234567890", 422),
        ("usd", "1", "DE1234567890", 422),
    ] {
        let (status, text) = pay(bank(document()), currency, amount, iban).await;
        assert_eq!(status, expected, "{currency} {amount} {iban}");
        assert!(!text.contains(iban), "the answer repeats nothing: {text}");
    }
    // Granted as a number, which may have been rounded.
    let number = json!([{"type": "payment_initiation", "actions": ["create"],
        "instructedAmount": {"currency": "USD", "amount": 150}, "creditorAccount": {"iban": "DE1"}}]);
    assert_eq!(pay(bank(number), "USD", "1", "DE1").await.0, 403);
}

#[tokio::test]
async fn the_refusal_says_what_to_ask_for_and_repeats_nothing() {
    let caller = principal("usr_1").build();
    let layer = RarLayer::new(order().identifier_from_path("id")).unwrap();
    let app = Router::new()
        .route("/orders/{id}", get(|| async {}))
        .layer(ServiceBuilder::new().layer(with_principal(caller)).layer(layer.clone()));
    let (status, text, rejection) = ask(app, Request::get("/orders/secret-order").body(Body::empty()).unwrap()).await;
    assert_eq!(status, 403);
    assert!(text.starts_with("Bearer error=\"insufficient_scope\""), "{text}");
    assert!(!text.contains("secret-order"), "{text}");
    let hint = rejection.unwrap().member("required_authorization_details").cloned().unwrap();
    assert_eq!(hint["type"], "order_access");
    assert_eq!(hint["actions"], json!(["read"]));
    assert_eq!(layer.verdicts().rejected(RejectionKind::InsufficientScope), 1);
}

#[tokio::test]
async fn nobody_and_no_auth_layer_are_told_apart() {
    let layer = || RarLayer::new(RarRequirement::of_type("t")).unwrap();
    let app = || Router::new().route("/", get(|_: Option<axum::Extension<()>>| async {}));
    let get = || Request::get("/").body(Body::empty()).unwrap();
    let nobody = app().layer(ServiceBuilder::new().layer(anonymous()).layer(layer()));
    assert_eq!(ask(nobody, get()).await.0, 401);
    assert_eq!(ask(app().layer(layer()), get()).await.0, 500);
}

#[tokio::test]
async fn a_requirement_that_asks_for_nothing_is_a_mistake() {
    async fn handler(rar: Rar) -> Result<String, Rejection> {
        rar.permits(&RarRequirement::of_type("t").identifier_from_path("id")).map(|_| String::new())
    }
    let wrong = RarRequirement::of_type("")
        .actions([""; 0])
        .equals("datatypes", json!(["x"]))
        .equals("note", 1)
        .ignoring(["note", "type"]);
    let error = RarLayer::new(wrong).unwrap_err();
    let fields: Vec<_> = error.issues().iter().map(|issue| issue.field.as_ref()).collect();
    assert_eq!(fields, ["of_type", "actions", "datatypes", "ignoring", "ignoring"]);
    // In a handler it is a 500, and so is a value that only a layer could read.
    let caller = principal("usr_1").claim("authorization_details", json!([{"type": "t", "identifier": "7"}])).build();
    let app = Router::new().route("/{id}", get(handler)).layer(with_principal(caller));
    assert_eq!(ask(app, Request::get("/7").body(Body::empty()).unwrap()).await.0, 500);
}

#[test]
fn debug_hides_values() {
    let text = format!("{:?}", RarRequirement::of_type("t").equals("creditorAccount", json!({"iban": "DE0212030"})));
    assert!(text.contains("creditorAccount") && !text.contains("DE0212030"));
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("type|actions|[a-c]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever a token says: a clear answer, and an allowance only for what is spelled out.
    #[test]
    fn any_claim_is_an_answer(details in json_value()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let granted = runtime.block_on(status(details.clone(), RarRequirement::of_type("pay").actions(["create"])));
        let exact = json!({"type": "pay", "actions": ["create"]});
        if granted == 200 {
            prop_assert!(details.as_array().is_some_and(|details| details.contains(&exact)));
        } else {
            prop_assert_eq!(granted, 403);
        }
    }
}
