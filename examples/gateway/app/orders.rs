//! The orders API: what is being protected.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use portcullis::{
    audit::Audit,
    identity::Principal,
    rejection::{Rejection, RejectionKind},
    request::DataAccess,
};
use serde::{Deserialize, Serialize};

/// Orders by id, in memory.
#[derive(Clone, Default)]
pub(crate) struct Orders(Arc<Mutex<BTreeMap<u64, Order>>>);

#[derive(Clone, Serialize)]
pub(crate) struct Order {
    id: String,
    item: String,
    quantity: u64,
    #[serde(skip)]
    owner: String,
}

#[derive(Deserialize)]
pub(crate) struct NewOrder {
    item: String,
    quantity: u64,
}

/// A client may not fill the memory of a demo.
const MAX_ORDERS: usize = 10_000;

impl Orders {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<u64, Order>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn is_admin(principal: &Principal) -> bool {
    principal.scopes().satisfies("admin:orders")
}

pub(crate) async fn list(State(orders): State<Orders>, principal: Principal, audit: Audit) -> Json<Vec<Order>> {
    let own = |order: &&Order| is_admin(&principal) || order.owner == principal.subject();
    let found: Vec<Order> = orders.with(|orders| orders.values().filter(own).cloned().collect());
    audit.accessed(DataAccess::Read, found.len() as u64);
    Json(found)
}

pub(crate) async fn create(
    State(orders): State<Orders>,
    principal: Principal,
    audit: Audit,
    order: Result<Json<NewOrder>, JsonRejection>,
) -> Result<Response, Rejection> {
    let Json(new) = order.map_err(|error| Rejection::from_extractor(error.status(), &error))?;
    if new.quantity == 0 {
        return Err(Rejection::new(RejectionKind::UnprocessableContent).with_detail("quantity must be 1 or more."));
    }
    let order = orders.with(|orders| {
        let number = orders.last_key_value().map_or(1, |(last, _)| last.saturating_add(1));
        if orders.len() == MAX_ORDERS {
            orders.pop_first();
        }
        let owner = principal.subject().to_owned();
        let order = Order { id: format!("ord_{number}"), item: new.item, quantity: new.quantity, owner };
        orders.insert(number, order.clone());
        order
    });
    audit.action("order.create");
    audit.resource("order", &order.id);
    let location = [(header::LOCATION, format!("/api/orders/{}", order.id))];
    Ok((StatusCode::CREATED, location, Json(order)).into_response())
}

/// 404 also when the order is somebody else's: whether it exists is not the caller's business.
pub(crate) async fn read(
    State(orders): State<Orders>,
    principal: Principal,
    audit: Audit,
    Path(id): Path<String>,
) -> Result<Json<Order>, Rejection> {
    audit.resource("order", &id);
    let found = number(&id).and_then(|number| orders.with(|orders| orders.get(&number).cloned()));
    found
        .filter(|order| is_admin(&principal) || order.owner == principal.subject())
        .map(Json)
        .ok_or(Rejection::new(RejectionKind::NotFound))
}

/// Behind `admin:orders`, so every order may go.
pub(crate) async fn delete(
    State(orders): State<Orders>,
    audit: Audit,
    Path(id): Path<String>,
) -> Result<StatusCode, Rejection> {
    audit.action("order.delete");
    audit.resource("order", &id);
    let gone = number(&id).and_then(|number| orders.with(|orders| orders.remove(&number)));
    gone.map(|_| StatusCode::NO_CONTENT).ok_or(Rejection::new(RejectionKind::NotFound))
}

fn number(id: &str) -> Option<u64> {
    id.strip_prefix("ord_")?.parse().ok()
}
