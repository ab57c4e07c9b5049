use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    body::{Body, Bytes},
};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::BodyExt as _;
use tower::{ServiceBuilder, ServiceExt as _};

use super::*;
use crate::{
    authz::{Requirement, ScopeLayer},
    gate::{Entry, Gate, GateLayer},
    identity::{Principal, PrincipalParts, Scopes},
    rejection::Rejection,
    request::{Place, RequestContext},
    store::StoreError,
};

mod authorized;
mod batches;
mod decisions;
mod guard;
mod lists;
mod writes;

/// Stands where `AuthLayer` stands: the header `x-caller` is `subject;tenant;issuer;scopes`.
struct FakeAuth;

impl Gate<Body> for FakeAuth {
    const NAME: &'static str = "auth";
    const PLACE: Place = Place::Auth;
    type Pass = ();

    fn enter(self: &Arc<Self>, request: &mut Request<Body>, context: &Arc<RequestContext>) -> Entry<Body, ()> {
        context.set_challenges(&Arc::from([HeaderValue::from_static("Bearer realm=\"orders\"")]));
        if let Some(caller) = request.headers().get("x-caller") {
            let mut parts = caller.to_str().unwrap().split(';');
            let mut part = || Some(parts.next().unwrap()).filter(|part| !part.is_empty()).map(str::to_owned);
            let (subject, tenant, issuer, scopes) = (part(), part(), part(), part());
            context.set_principal(Principal::new(PrincipalParts {
                subject: subject.unwrap_or_default().into(),
                tenant: tenant.map(Into::into),
                issuer: issuer.map(Into::into),
                scopes: Scopes::from_own_data(scopes.unwrap_or_default().split_whitespace()).unwrap(),
                ..PrincipalParts::default()
            }));
        }
        Entry::Pass(())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    id: u64,
    owner: String,
    issuer: Option<String>,
    shop: Option<String>,
    /// What the policy says: `veto`, `grant`, `unknown`.
    policy: &'static str,
}

/// An order of a shop.
impl Resource for Order {
    type Id = u64;
    const KIND: &'static str = "orders";
    const TENANCY: Tenancy = Tenancy::Separate;

    fn owner(&self) -> &str {
        &self.owner
    }

    fn owner_issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    fn tenant(&self) -> Option<&str> {
        self.shop.as_deref()
    }

    fn override_scopes(action: &str) -> &'static [&'static str] {
        match action {
            "read" => &["read:orders", "admin:orders"],
            // Neither may ever override anything.
            "refund" => &["read:*", "write:orders:own", ""],
            _ => &["admin:orders"],
        }
    }

    fn cross_tenant_scopes(_: &str) -> &'static [&'static str] {
        &["admin:platform"]
    }

    fn is_at(&self, path: &PathValues<'_>) -> bool {
        path.get("user").is_none_or(|user| user == self.owner)
    }

    fn opinion(&self, asker: &Asker<'_>) -> Opinion {
        match self.policy {
            "veto" => Opinion::Veto,
            "grant" => Opinion::Grant,
            "grant reading" if asker.action() == "read" => Opinion::Grant,
            "unknown" => Opinion::Indeterminate(StoreError::TimedOut),
            _ => Opinion::Abstain,
        }
    }
}

/// The same orders in a service without tenants, which does not hide what there is.
#[derive(Clone, Debug)]
pub(super) struct Open(Order);

impl Resource for Open {
    type Id = String;
    const KIND: &'static str = "open_orders";
    const PARAMETER: &'static str = "key";
    const TENANCY: Tenancy = Tenancy::Shared;
    const EXISTENCE: Existence = Existence::Revealed;

    fn owner(&self) -> &str {
        &self.0.owner
    }

    fn override_scopes(_: &str) -> &'static [&'static str] {
        &["admin:orders"]
    }

    fn opinion(&self, asker: &Asker<'_>) -> Opinion {
        self.0.opinion(asker)
    }
}

/// The router's state.
#[derive(Clone, Default)]
pub(super) struct Orders {
    rows: Arc<BTreeMap<u64, Order>>,
    loads: Arc<AtomicU64>,
    down: bool,
}

impl Load<Order> for Orders {
    async fn load(&self, id: &u64, tenant: Option<&str>) -> Result<Option<Order>, StoreError> {
        self.loads.fetch_add(1, Relaxed);
        tokio::task::yield_now().await;
        if self.down {
            return Err(StoreError::unavailable("connection to 10.1.2.3 refused"));
        }
        // Only every second row is looked up by its tenant: both kinds of loaders are right.
        let in_tenant =
            |order: &&Order| id.is_multiple_of(2) || tenant.is_none_or(|tenant| order.shop.as_deref() == Some(tenant));
        Ok(self.rows.get(id).filter(in_tenant).cloned())
    }
}

impl Load<Open> for Orders {
    async fn load(&self, id: &String, tenant: Option<&str>) -> Result<Option<Open>, StoreError> {
        assert_eq!(tenant, None, "there are no tenants");
        self.loads.fetch_add(1, Relaxed);
        Ok(id
            .strip_prefix("ord_")
            .and_then(|id| id.parse().ok())
            .and_then(|id: u64| self.rows.get(&id).cloned())
            .map(Open))
    }
}

pub(super) fn orders() -> Orders {
    let order = |id, owner: &str, shop: Option<&str>, policy| Order {
        id,
        owner: owner.into(),
        issuer: None,
        shop: shop.map(Into::into),
        policy,
    };
    let rows = [
        order(1, "ann", Some("north"), ""),
        order(2, "ann", Some("north"), ""),
        order(3, "bob", Some("north"), ""),
        order(4, "bob", Some("north"), ""),
        order(5, "ann", Some("south"), ""),
        order(6, "ann", Some("south"), ""),
        // Rows with something missing.
        order(7, "", Some("north"), ""),
        order(8, "ann", None, ""),
        order(10, "ann", Some(""), ""),
        order(12, "ann", Some("north"), "veto"),
        order(14, "bob", Some("north"), "grant"),
        order(16, "ann", Some("north"), "unknown"),
        order(18, "bob", Some("north"), "grant reading"),
        order(20, "cleo", Some("south"), "grant"),
        Order { issuer: Some("https://a.example".into()), ..order(22, "ann", Some("north"), "") },
    ];
    Orders { rows: Arc::new(rows.into_iter().map(|order| (order.id, order)).collect()), ..Orders::default() }
}

pub(super) fn object_level() -> ScopeLayer {
    ScopeLayer::builder(Requirement::authenticated().object_level()).build().unwrap()
}

/// Every route of `routes` owes a check.
pub(super) fn guarded(routes: Router<Orders>, orders: &Orders) -> Router {
    behind(routes, orders, object_level())
}

pub(super) fn behind(routes: Router<Orders>, orders: &Orders, scope: ScopeLayer) -> Router {
    let gates = ServiceBuilder::new().layer(GateLayer::new(FakeAuth)).layer(scope);
    routes.with_state(orders.clone()).layer(gates)
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) rejection: Option<Rejection>,
}

impl Answer {
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn code(&self) -> &'static str {
        self.rejection.as_ref().map_or("", |rejection| rejection.kind().code())
    }

    pub(super) fn source(&self) -> String {
        self.rejection.as_ref().and_then(Rejection::source).map(ToString::to_string).unwrap_or_default()
    }
}

pub(super) async fn send(app: &Router, method: &str, path: &str, caller: &str, body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    if caller != "nobody" {
        request = request.header("x-caller", caller);
    }
    let body = if body.is_empty() { Body::empty() } else { Body::from(body.to_owned()) };
    let response = app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let rejection = parts.extensions.get::<Rejection>().cloned();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body, rejection }
}

pub(super) async fn fetch(app: &Router, path: &str, caller: &str) -> Answer {
    send(app, "GET", path, caller, "").await
}
