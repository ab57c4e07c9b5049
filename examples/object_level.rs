//! Objects and properties: an orders API for customers, support and administrators of two shops.
//!
//! `cargo run --example object_level` prints a key for each of them, and `curl` lines to try.
//!
//! What there is to see: no handler compares an owner. What it may have stands in its signature, and
//! one that forgets it answers 500, to everybody: `tests/object_level.rs` takes the check out of each
//! handler in turn, and the one test that merely calls every route fails each time.

use std::{
    collections::BTreeMap,
    error::Error,
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    extract::State,
    routing::{MethodRouter, delete, get, patch, post},
};
use http::{Method, StatusCode};
use portcullis::{
    auth::{
        AuthLayer,
        api_key::{ApiKey, ApiKeyFormat, ApiKeyRecord, KeyHasher},
    },
    authz::{
        Requirement, ScopeLayer,
        fields::{Visible, Writable, field_scopes},
        object::{
            Access, Authorized, Create, Delete, Filter, ListScope, Load, Permissions, Read, Resource, Tenancy, Write,
            WriteGuardLayer,
        },
    },
    backend::memory::MemoryStore,
    rejection::Rejection,
    stack::Stack,
    store::StoreError,
};
use serde::{Deserialize, Serialize};

/// An order: its customer's, within a shop.
#[derive(Clone, Serialize)]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) item: String,
    pub(crate) quantity: u64,
    pub(crate) customer: String,
    /// In per cent. Nothing for customers' eyes.
    pub(crate) margin: u8,
    #[serde(skip)]
    pub(crate) shop: String,
}

/// What a client may send. The discount is for who may grant one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderForm {
    pub(crate) item: Option<String>,
    pub(crate) quantity: Option<u64>,
    pub(crate) discount: Option<u8>,
}

field_scopes! {
    Order { margin => "read:margins" }
    OrderForm { discount => "write:discounts" }
}

impl Resource for Order {
    type Id = u64;
    const KIND: &'static str = "orders";
    const TENANCY: Tenancy = Tenancy::Separate;

    fn owner(&self) -> &str {
        &self.customer
    }

    fn tenant(&self) -> Option<&str> {
        Some(&self.shop)
    }

    /// Who may do it with everybody's orders, of its own shop.
    fn override_scopes(action: &str) -> &'static [&'static str] {
        match action {
            "read" => &["read:orders", "admin:orders"],
            _ => &["admin:orders"],
        }
    }
}

/// The orders, in memory.
#[derive(Clone, Default)]
pub(crate) struct Orders(Arc<Mutex<BTreeMap<u64, Order>>>);

impl Orders {
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<u64, Order>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Load<Order> for Orders {
    async fn load(&self, id: &u64, _tenant: Option<&str>) -> Result<Option<Order>, StoreError> {
        Ok(self.with(|orders| orders.get(id).cloned()))
    }
}

pub(crate) async fn list(
    State(orders): State<Orders>,
    scope: ListScope<Order, Read>,
    permissions: Permissions,
) -> Visible<Vec<Order>> {
    let filter: Filter<'_> = scope.filter();
    let found = orders.with(|orders| orders.values().filter(|order| filter.admits(*order)).cloned().collect());
    permissions.show(found)
}

pub(crate) async fn read(order: Authorized<Order, Read>, permissions: Permissions) -> Visible<Order> {
    permissions.show(order.into_inner())
}

/// There is no object yet to be loaded: what is checked is the one that is about to be.
pub(crate) async fn create(
    State(orders): State<Orders>,
    access: Access<Order, Create>,
    permissions: Permissions,
    form: Writable<OrderForm>,
) -> Result<(StatusCode, Visible<Order>), Rejection> {
    let caller = permissions.principal();
    let new = Order {
        id: orders.with(|orders| orders.last_key_value().map_or(1, |(last, _)| last.saturating_add(1))),
        item: form.item.clone().unwrap_or_else(|| "tea".into()),
        quantity: form.quantity.unwrap_or(1),
        customer: caller.subject().into(),
        margin: 40_u8.saturating_sub(form.discount.unwrap_or(0)),
        shop: caller.tenant().unwrap_or_default().into(),
    };
    let order = access.admit(new)?.into_inner();
    orders.with(|orders| orders.insert(order.id, order.clone()));
    Ok((StatusCode::CREATED, permissions.show(order)))
}

/// Behind `WriteGuardLayer`: without `order` it would not even get to see the form.
pub(crate) async fn change(
    State(orders): State<Orders>,
    order: Authorized<Order, Write>,
    permissions: Permissions,
    form: Writable<OrderForm>,
) -> Visible<Order> {
    let mut order = order.into_inner();
    let form = form.into_inner();
    order.item = form.item.unwrap_or(order.item);
    order.quantity = form.quantity.unwrap_or(order.quantity);
    order.margin = order.margin.saturating_sub(form.discount.unwrap_or(0));
    orders.with(|orders| orders.insert(order.id, order.clone()));
    permissions.show(order)
}

pub(crate) async fn remove(State(orders): State<Orders>, order: Authorized<Order, Delete>) -> StatusCode {
    orders.with(|orders| orders.remove(&order.id));
    StatusCode::NO_CONTENT
}

/// One method router for each handler, so that a test can exchange a single one.
pub(crate) struct Handlers {
    pub(crate) list: MethodRouter<Orders>,
    pub(crate) create: MethodRouter<Orders>,
    pub(crate) read: MethodRouter<Orders>,
    pub(crate) change: MethodRouter<Orders>,
    pub(crate) remove: MethodRouter<Orders>,
}

impl Handlers {
    pub(crate) fn new() -> Self {
        Self { list: get(list), create: post(create), read: get(read), change: patch(change), remove: delete(remove) }
    }
}

/// The application: the handlers, behind a table in which every route owes the check.
pub(crate) fn app(handlers: Handlers, orders: Orders, keys: MemoryStore) -> Result<Router, Box<dyn Error>> {
    let needs = |scope: &'static str| Requirement::all([scope]).object_level();
    let scopes = ScopeLayer::table()
        .route(Method::GET, "/orders", needs("read:orders"))
        .route(Method::POST, "/orders", needs("write:orders"))
        .route(Method::GET, "/orders/{id}", needs("read:orders"))
        .route(Method::PATCH, "/orders/{id}", needs("write:orders"))
        .route(Method::DELETE, "/orders/{id}", needs("write:orders"))
        .build()?;
    let auth = AuthLayer::builder().api_keys(keys).realm("orders").build()?;
    Ok(Router::new()
        .route("/orders", handlers.list.merge(handlers.create))
        .route(
            "/orders/{id}",
            handlers.read.merge(handlers.change.layer(WriteGuardLayer::new())).merge(handlers.remove),
        )
        .with_state(orders)
        .layer(Stack::new().auth(&auth).scope(&scopes)))
}

/// Name, shop, and what each may do.
pub(crate) const PEOPLE: [(&str, &str, &[&str]); 5] = [
    ("ann", "north", &["read:orders:own", "write:orders:own"]),
    ("bob", "north", &["read:orders:own", "write:orders:own"]),
    ("cleo", "south", &["read:orders:own", "write:orders:own"]),
    ("support", "north", &["read:orders"]),
    ("admin", "north", &["read:*", "write:*", "admin:*"]),
];

/// Two shops with an order of each customer, and a key for everybody.
pub(crate) fn demo() -> Result<(Orders, MemoryStore, Vec<(&'static str, String)>), Box<dyn Error>> {
    let (orders, keys, mut secrets) = (Orders::default(), MemoryStore::new(), Vec::new());
    let format = ApiKeyFormat::new("demo", "live")?;
    for (name, shop, scopes) in PEOPLE {
        let key = ApiKey::issue(
            &format,
            &KeyHasher::ephemeral(),
            ApiKeyRecord::builder(name).tenant(shop).scopes(scopes.iter().copied()),
        )?;
        keys.insert_api_key(key.record)?;
        secrets.push((name, String::from_utf8_lossy(key.secret.expose()).into_owned()));
    }
    for (id, (name, shop, _)) in (1..).zip(PEOPLE).take(3) {
        let (item, customer, shop) = ("tea".to_owned(), name.to_owned(), shop.to_owned());
        orders.with(|orders| orders.insert(id, Order { id, item, quantity: 2, customer, margin: 40, shop }));
    }
    Ok((orders, keys, secrets))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (orders, keys, secrets) = demo()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    let url = format!("http://{}/orders", listener.local_addr()?);
    let mut out = std::io::stdout();
    for (name, secret) in &secrets {
        writeln!(out, "{}={secret}", name.to_uppercase())?;
    }
    writeln!(
        out,
        "# Ann's own order, without its margin; Bob's, which is not there; and everybody's, for support:\n\
         curl -i {url}/1 -H \"x-api-key: $ANN\"\n\
         curl -i {url}/2 -H \"x-api-key: $ANN\"\n\
         curl -i {url} -H \"x-api-key: $SUPPORT\"\n\
         # A discount is not Ann's to grant:\n\
         curl -i -X PATCH {url}/1 -H \"x-api-key: $ANN\" -H 'content-type: application/json' -d '{{\"discount\":30}}'"
    )?;
    axum::serve(listener, app(Handlers::new(), orders, keys)?).await?;
    Ok(())
}
