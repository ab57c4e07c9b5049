use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::{
    authz::object::Permissions,
    gate::{Entry, Gate, GateLayer},
    identity::{Principal, PrincipalParts, Scopes},
    request::{Place, RequestContext},
};

/// Stands where `AuthLayer` stands: the header `x-scopes` are the caller's.
struct FakeAuth;

impl Gate<Body> for FakeAuth {
    const NAME: &'static str = "auth";
    const PLACE: Place = Place::Auth;
    type Pass = ();

    fn enter(self: &Arc<Self>, request: &mut Request<Body>, context: &Arc<RequestContext>) -> Entry<Body, ()> {
        if let Some(scopes) = request.headers().get("x-scopes") {
            context.set_principal(Principal::new(PrincipalParts {
                subject: "usr_1".into(),
                scopes: Scopes::from_own_data(scopes.to_str().unwrap().split_whitespace()).unwrap(),
                ..PrincipalParts::default()
            }));
        }
        Entry::Pass(())
    }
}

#[derive(Clone, Serialize)]
struct Order {
    id: u64,
    total: f32,
    margin: f64,
    #[serde(rename = "internalNote")]
    note: Option<String>,
    customer: Customer,
    lines: Vec<Line>,
    #[serde(flatten)]
    more: Value,
}

#[derive(Clone, Serialize)]
struct Customer {
    name: String,
    email: String,
}

#[derive(Clone, Serialize)]
struct Line {
    pieces: u32,
    cost: f64,
}

field_scopes! {
    Order {
        margin => "read:margins",
        note as "internalNote" => "read:notes",
        customer => Customer,
        lines => Line,
        "/risk/*/score" => "read:risk",
        "/secret" => "read:secrets",
    }
    Customer { email => "read:customers" }
    Line { cost => "read:costs", }
}

fn order() -> Order {
    Order {
        id: 1,
        total: 0.1,
        margin: 0.4,
        note: Some("late \"again\"".into()),
        customer: Customer { name: "Ann".into(), email: "ann@example.com".into() },
        lines: vec![Line { pieces: 2, cost: 1.5 }, Line { pieces: 1, cost: 0.5 }],
        more: json!({"secret": [1], "risk": {"eu": {"score": 9, "seen": true}}}),
    }
}

const OPEN: &str =
    r#"{"id":1,"total":0.1,"customer":{"name":"Ann"},"lines":[{"pieces":2},{"pieces":1}],"risk":{"eu":{"seen":true}}}"#;

async fn ask(app: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn reading() -> Router {
    Router::new()
        .route("/one", get(|permissions: Permissions| async move { permissions.show(order()) }))
        .route("/many", get(|permissions: Permissions| async move { permissions.show(vec![order(), order()]) }))
        .route("/maybe", get(|permissions: Permissions| async move { permissions.show(Some(Box::new(order()))) }))
        .route("/everybody", get(|| async { Visible::to_everybody(order()) }))
        .layer(GateLayer::new(FakeAuth))
}

async fn seen(path: &str, scopes: &str) -> String {
    let request = Request::get(path).header("x-scopes", scopes).body(Body::empty()).unwrap();
    let (status, body) = ask(&reading(), request).await;
    assert_eq!(status, 200);
    body
}

#[tokio::test]
async fn each_property_needs_its_own_scope() {
    let all = serde_json::to_string(&order()).unwrap();
    assert_eq!(seen("/one", "read:*").await, all, "byte for byte as axum::Json would write it");
    assert_eq!(seen("/one", "").await, OPEN);
    assert_eq!(seen("/one", "write:margins read:margins:own READ:MARGINS read:marginsx").await, OPEN);
    for (scope, gone) in [
        ("read:margins", r#""margin":0.4,"#),
        ("read:notes", r#""internalNote":"late \"again\"","#),
        ("read:customers", r#","email":"ann@example.com""#),
    ] {
        let with = seen("/one", scope).await;
        assert_ne!(with, OPEN);
        assert_eq!(with.replace(gone, ""), OPEN, "{scope}");
    }
    assert_eq!(seen("/one", "read:costs").await.replace(r#","cost":1.5"#, "").replace(r#","cost":0.5"#, ""), OPEN);
    assert!(seen("/one", "read:risk").await.contains(r#""risk":{"eu":{"score":9,"seen":true}}"#));
    assert!(seen("/one", "read:secrets").await.contains(r#""secret":[1]"#));
}

#[tokio::test]
async fn what_holds_for_one_holds_for_all_that_contain_it() {
    assert_eq!(seen("/many", "").await, format!("[{OPEN},{OPEN}]"));
    assert_eq!(seen("/maybe", "").await, OPEN);
    assert_eq!(seen("/everybody", "read:*").await, OPEN);
    let (status, body) = ask(&reading(), Request::get("/everybody").body(Body::empty()).unwrap()).await;
    assert_eq!((status.as_u16(), body.as_str()), (200, OPEN));
    // Nobody is not somebody without scopes.
    assert_eq!(ask(&reading(), Request::get("/one").body(Body::empty()).unwrap()).await.0, 401);
    let alone = Router::new().route("/one", get(|permissions: Permissions| async move { permissions.show(order()) }));
    assert_eq!(ask(&alone, Request::get("/one").body(Body::empty()).unwrap()).await.0, 500);
}

#[tokio::test]
async fn what_cannot_be_written_is_a_500_without_a_part_of_it() {
    struct Odd;
    impl Serialize for Odd {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("the margin is 0.4"))
        }
    }
    impl FieldScopes for Odd {
        const FIELDS: &'static [Field] = Line::FIELDS;
    }
    let deep = (0..200).fold(json!({"secret": 1}), |inner, _| json!({"x": inner}));
    let deep = move |permissions: Permissions| async move { permissions.show(Order { more: deep, ..order() }) };
    let app = Router::new()
        .route("/odd", get(|permissions: Permissions| async move { permissions.show(Odd) }))
        .route("/deep", get(deep))
        .layer(GateLayer::new(FakeAuth));
    for path in ["/odd", "/deep"] {
        let (status, body) = ask(&app, Request::get(path).header("x-scopes", "").body(Body::empty()).unwrap()).await;
        assert_eq!(status, 500, "{path}");
        assert!(!body.contains("margin") && !body.contains("Ann"), "{body}");
    }
}

#[derive(Debug, Deserialize)]
struct Change {
    item: Option<String>,
    #[serde(alias = "rebate")]
    discount: Option<f64>,
    lines: Option<Vec<LineChange>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineChange {
    pieces: u32,
    cost: Option<f64>,
}

field_scopes! {
    Change { discount => "write:discounts", discount as "rebate" => "write:discounts", lines => LineChange }
    LineChange { cost => "write:costs" }
}

fn writing() -> Router {
    async fn change(change: Writable<Change>) -> String {
        let lines = change.lines.iter().flatten().map(|line| (line.pieces, line.cost)).collect::<Vec<_>>();
        format!("{:?} {:?} {lines:?}", change.item, change.discount)
    }
    Router::new().route("/", post(change).layer(DefaultBodyLimit::max(10_000))).layer(GateLayer::new(FakeAuth))
}

async fn write(scopes: &str, body: &str) -> (u16, Value) {
    let request =
        Request::post("/").header("content-type", "application/json; charset=utf-8").header("x-scopes", scopes);
    let (status, body) = ask(&writing(), request.body(Body::from(body.to_owned())).unwrap()).await;
    (status.as_u16(), serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

#[tokio::test]
async fn a_property_that_the_caller_may_not_set_is_refused() {
    for (scopes, body, status, fields) in [
        ("", r#"{"item":"tea"}"#, 200, json!(null)),
        ("", r#"{"item":"tea","lines":[{"pieces":2}]}"#, 200, json!(null)),
        ("", r#"{"discount":0.9}"#, 403, json!(["/discount"])),
        ("", r#"{"discount":null}"#, 403, json!(["/discount"])),
        ("", r#"{"rebate":0.9}"#, 403, json!(["/rebate"])),
        ("", r#"{"\u0064iscount":0.9}"#, 403, json!(["/discount"])),
        ("", r#"{"lines":[{"pieces":1},{"pieces":1,"cost":0}]}"#, 403, json!(["/lines/cost"])),
        ("", r#"{"lines":[{"pieces":1,"cost":0}],"discount":1}"#, 403, json!(["/discount", "/lines/cost"])),
        ("write:discounts", r#"{"discount":0.9}"#, 200, json!(null)),
        ("write:discounts", r#"{"rebate":0.9}"#, 200, json!(null)),
        ("write:discounts", r#"{"discount":0.9,"lines":[{"pieces":1,"cost":0}]}"#, 403, json!(["/lines/cost"])),
        ("write:costs", r#"{"lines":[{"pieces":1,"cost":0}]}"#, 200, json!(null)),
        // serde takes an array for a struct, too: its items are the fields in their order, without names.
        ("", r#"["tea",0.9,null]"#, 422, json!(null)),
        ("", r#"{"lines":[[1,0.0]]}"#, 422, json!(null)),
        ("", r#"{"lines":[{"pieces":1},[1,0.0]]}"#, 422, json!(null)),
        ("write:discounts write:costs", r#"["tea",0.9,null]"#, 422, json!(null)),
        // What is elsewhere is something else.
        ("", r#"{"cost":1,"x":{"discount":1}}"#, 200, json!(null)),
    ] {
        let (said, answer) = write(scopes, body).await;
        assert_eq!((said, &answer["fields"]), (status, &fields), "{scopes} {body}");
    }
    let (_, answer) = write("", r#"{"discount":0.123456}"#).await;
    assert!(answer["error"] == "forbidden" && !answer.to_string().contains("0.123456"), "{answer}");
    assert_eq!(write("write:discounts", r#"{"rebate":0.5}"#).await.1, json!("None Some(0.5) []"));
}

#[tokio::test]
async fn bad_bodies_are_what_they_are_to_axum() {
    let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(2_000), "]".repeat(2_000));
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("{} {}", 400),
        (r#"{"discount":}"#, 400),
        ("null", 422),
        ("[]", 422),
        (r#"{"item":1}"#, 422),
        (r#"{"item":"a","item":"b"}"#, 422),
        (r#"{"discount":0.9,"discount":null}"#, 422),
        (r#"{"lines":[{"pieces":1,"price":1}]}"#, 422),
        // serde skips it, however deep; to look into it is another matter.
        (deep.as_str(), 400),
        (&format!(r#"{{"item":"{}"}}"#, "x".repeat(10_000)), 413),
    ] {
        assert_eq!(write("", body).await.0, status, "{}", body.get(..40).unwrap_or(body));
    }
    let plain = Request::post("/").header("x-scopes", "").body(Body::from("{}")).unwrap();
    assert_eq!(ask(&writing(), plain).await.0, 415);
    let nobody = Request::post("/").header("content-type", "application/json").body(Body::from("{}")).unwrap();
    assert_eq!(ask(&writing(), nobody).await.0, 401);
    let broken = Request::post("/").header("content-type", "application/json").header("x-scopes", "");
    let broken = broken.body(Body::from(b"{\"x\xff\":1,\"item\":\"a\"}".to_vec())).unwrap();
    assert_eq!(ask(&writing(), broken).await.0, 400);
}

proptest::proptest! {
    #[test]
    fn garbage_is_a_4xx(bytes in proptest::collection::vec(proptest::sample::select(b"{}[]\":,discount item\\u0064 0.9e\xff".to_vec()), 0..60)) {
        let request = Request::post("/").header("content-type", "application/json").header("x-scopes", "");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (status, body) = runtime.block_on(ask(&writing(), request.body(Body::from(bytes)).unwrap()));
        proptest::prop_assert!(status.is_client_error() || body.starts_with("None None") || body.starts_with("Some"), "{} {}", status, body);
        proptest::prop_assert!(!body.contains("Some(0.9)"));
    }
}

#[test]
fn a_row_that_leads_nowhere_is_found() {
    let sample = serde_json::to_vec(&order()).unwrap();
    assert_eq!(super::visible::unmatched::<Order>(&sample), Some(vec![]));
    assert_eq!(super::visible::unmatched::<Change>(&sample), Some(vec!["/discount".into(), "/rebate".into()]));
    assert_eq!(super::visible::unmatched::<[Order]>(b"[]").map(|rows| rows.len()), Some(6));
    assert_eq!(super::visible::unmatched::<Order>(b"["), None);
}
