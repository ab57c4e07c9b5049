//! The example of object-level authorization: its contract, and what becomes of it if the check is
//! taken out of one of its handlers.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml allows them in tests, but takes helpers of tests for none"
)]

#[allow(dead_code, reason = "the test calls the application without its main")]
#[path = "../examples/object_level.rs"]
mod example;

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    routing::{delete, get, patch, post},
};
use example::{Handlers, Order, OrderForm, Orders, app, demo};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use portcullis::testing::{assert_indistinguishable, enforce_obligations, unmatched_fields};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// The application, and who calls it.
struct Desk {
    app: Router,
    orders: Orders,
    secrets: Vec<(&'static str, String)>,
}

impl Desk {
    fn new(handlers: Handlers) -> Self {
        let (orders, keys, secrets) = demo().unwrap();
        // The one line that makes every test of the application look for forgotten checks.
        let app = app(handlers, orders.clone(), keys).unwrap().layer(enforce_obligations());
        Self { app, orders, secrets }
    }

    fn request(&self, name: &str, method: &str, path: &str, body: Option<&Value>) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some((_, secret)) = self.secrets.iter().find(|(held, _)| *held == name) {
            request = request.header("x-api-key", secret);
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        request.body(body).unwrap()
    }

    async fn call(&self, name: &str, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let response = self.app.clone().oneshot(self.request(name, method, path, body)).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn status(&self, name: &str, method: &str, path: &str) -> u16 {
        let body = matches!(method, "POST" | "PATCH").then(|| json!({"quantity": 3}));
        self.call(name, method, path, body.as_ref()).await.0
    }

    /// Calls every route as everybody. It asserts nothing at all.
    async fn call_everything(&self) {
        for name in ["nobody", "ann", "bob", "cleo", "support", "admin"] {
            for (method, path) in [
                ("GET", "/orders"),
                ("POST", "/orders"),
                ("GET", "/orders/1"),
                ("PATCH", "/orders/1"),
                ("DELETE", "/orders/1"),
            ] {
                self.status(name, method, path).await;
            }
        }
    }
}

#[tokio::test]
async fn every_route_can_be_called_by_everybody() {
    Desk::new(Handlers::new()).call_everything().await;
}

// The five handlers again, as they are written where nobody thinks of it: the seeds' vulnerable code.

async fn list(State(orders): State<Orders>) -> Json<Vec<Order>> {
    Json(orders.with(|orders| orders.values().cloned().collect()))
}

async fn create(State(orders): State<Orders>, Json(form): Json<OrderForm>) -> StatusCode {
    orders.with(|orders| {
        let first = orders[&1].clone();
        orders.insert(99, Order { quantity: form.quantity.unwrap_or(1), ..first });
    });
    StatusCode::CREATED
}

async fn read(State(orders): State<Orders>, Path(id): Path<u64>) -> Result<Json<Order>, StatusCode> {
    orders.with(|orders| orders.get(&id).cloned()).map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn change(
    State(orders): State<Orders>,
    Path(id): Path<u64>,
    Json(form): Json<OrderForm>,
) -> Result<Json<Order>, StatusCode> {
    orders.with(|orders| {
        let order = orders.get_mut(&id).ok_or(StatusCode::NOT_FOUND)?;
        order.quantity = form.quantity.unwrap_or(order.quantity);
        Ok(Json(order.clone()))
    })
}

async fn remove(State(orders): State<Orders>, Path(id): Path<u64>) -> StatusCode {
    match orders.with(|orders| orders.remove(&id)) {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}

fn without_its_check() -> [(&'static str, Handlers); 5] {
    [
        ("GET /orders ", Handlers { list: get(list), ..Handlers::new() }),
        ("POST /orders ", Handlers { create: post(create), ..Handlers::new() }),
        ("GET /orders/{id} ", Handlers { read: get(read), ..Handlers::new() }),
        ("PATCH /orders/{id} ", Handlers { change: patch(change), ..Handlers::new() }),
        ("DELETE /orders/{id} ", Handlers { remove: delete(remove), ..Handlers::new() }),
    ]
}

/// The very test above, with the check taken out of one handler at a time: it fails, though it
/// asserts nothing, and says which route it was.
#[tokio::test]
async fn the_test_that_asserts_nothing_fails_if_a_check_is_removed() {
    for (route, handlers) in without_its_check() {
        let desk = Desk::new(handlers);
        let test = tokio::spawn(async move { desk.call_everything().await });
        let panic = test.await.expect_err(route).into_panic();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains(route) && message.contains("a check of the object"), "{message}");
    }
}

/// And in production nobody gets to see anything: neither the answer, nor what was to be changed.
#[tokio::test]
async fn a_handler_without_its_check_answers_500_to_everybody() {
    for (route, handlers) in without_its_check() {
        let (orders, keys, secrets) = demo().unwrap();
        let app = app(handlers, orders.clone(), keys).unwrap();
        let desk = Desk { app, orders, secrets };
        let (method, path) = route.trim().split_once(' ').unwrap();
        let path = path.replace("{id}", "1");
        for name in ["ann", "bob", "cleo", "admin"] {
            let body = matches!(method, "POST" | "PATCH").then(|| json!({"quantity": 3}));
            let (status, answer) = desk.call(name, method, &path, body.as_ref()).await;
            // Once it is deleted, it is missing: the guard comes after the deed, which no body held back.
            let gone = method == "DELETE" && name != "ann";
            assert_eq!(status, if gone { 404 } else { 500 }, "{name} {route}");
            if !gone {
                assert_eq!(answer["error"], "authorization_not_checked", "{name} {route}");
            }
            assert!(!answer.to_string().contains("tea"), "{answer}");
        }
        if method == "PATCH" {
            assert_eq!(desk.orders.with(|orders| orders[&1].quantity), 2, "the write guard kept the body back");
        }
    }
}

#[tokio::test]
async fn somebody_elses_order_is_as_good_as_none() {
    let desk = Desk::new(Handlers::new());
    let change = json!({"quantity": 3});
    for (method, body) in [("GET", None), ("PATCH", Some(&change)), ("DELETE", None)] {
        for path in ["/orders/2", "/orders/3", "/orders/x"] {
            let ask = |path| desk.request("ann", method, path, body);
            assert_indistinguishable(&desk.app, ask(path), ask("/orders/999")).await;
        }
    }
}

/// Order 1 is Ann's, 2 is Bob's, 3 is Cleo's in the other shop.
#[tokio::test]
async fn who_may_have_which_order() {
    for (name, method, statuses) in [
        ("ann", "GET", [200, 404, 404, 404]),
        ("bob", "GET", [404, 200, 404, 404]),
        ("cleo", "GET", [404, 404, 200, 404]),
        ("support", "GET", [200, 200, 404, 404]),
        ("admin", "GET", [200, 200, 404, 404]),
        ("ann", "PATCH", [200, 404, 404, 404]),
        ("cleo", "PATCH", [404, 404, 200, 404]),
        ("support", "PATCH", [403, 403, 403, 403]),
        ("admin", "PATCH", [200, 200, 404, 404]),
        ("ann", "DELETE", [204, 404, 404, 404]),
        ("support", "DELETE", [403, 403, 403, 403]),
        ("admin", "DELETE", [204, 204, 404, 404]),
        ("nobody", "GET", [401, 401, 401, 401]),
    ] {
        let desk = Desk::new(Handlers::new());
        for (path, status) in ["/orders/1", "/orders/2", "/orders/3", "/orders/x"].into_iter().zip(statuses) {
            assert_eq!(desk.status(name, method, path).await, status, "{name} {method} {path}");
        }
    }
}

#[tokio::test]
async fn lists_and_properties_are_what_the_scopes_allow() {
    let desk = Desk::new(Handlers::new());
    for (name, ids, margins) in [
        ("ann", vec![1], false),
        ("bob", vec![2], false),
        ("cleo", vec![3], false),
        ("support", vec![1, 2], false),
        ("admin", vec![1, 2], true),
    ] {
        let (status, list) = desk.call(name, "GET", "/orders", None).await;
        let listed: Vec<u64> = list.as_array().unwrap().iter().map(|order| order["id"].as_u64().unwrap()).collect();
        assert_eq!((status, listed), (200, ids), "{name}");
        for order in list.as_array().unwrap() {
            assert_eq!(order.get("margin").is_some(), margins, "{name}");
            assert_eq!(order.get("shop"), None);
        }
    }
    let discount = json!({"discount": 30});
    assert_eq!(desk.call("ann", "PATCH", "/orders/1", Some(&discount)).await.0, 403);
    assert_eq!(desk.call("ann", "POST", "/orders", Some(&discount)).await.0, 403);
    assert_eq!(desk.call("admin", "PATCH", "/orders/1", Some(&discount)).await.1["margin"], 10);
    let (status, order) = desk.call("bob", "POST", "/orders", Some(&json!({"item": "coffee"}))).await;
    assert_eq!((status, &order["customer"], order.get("margin")), (201, &json!("bob"), None));
    assert_eq!(desk.status("ann", "GET", "/orders/4").await, 404);
    assert_eq!(desk.status("bob", "GET", "/orders/4").await, 200);
}

/// For each response type one line like this.
#[tokio::test]
async fn every_hidden_property_exists() {
    let order = demo().unwrap().0.with(|orders| orders[&1].clone());
    assert_eq!(unmatched_fields::<Order>(&order), [""; 0]);
}
