//! Objects: of those of a kind, which ones a caller may have.
//!
//! A scope says that a caller may read orders, not that it may read *this* one. That gap is broken
//! object-level authorization (OWASP API1:2023), and it opens wherever somebody forgets one `if`.
//! Here the check stands in the handler's signature, and a route where it was forgotten answers with
//! an error, never with the object.
//!
//! ```
//! use std::collections::BTreeMap;
//! use axum::{Json, Router, body::Body, extract::{Path, State}, routing::get};
//! use http::{Method, Request};
//! use portcullis::{
//!     authz::{Requirement, ScopeLayer, object::{Authorized, Load, Read, Resource, Tenancy}},
//!     store::StoreError,
//!     testing::{principal, with_principal},
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! #[derive(Clone)]
//! struct Order { owner: String, item: String }
//!
//! impl Resource for Order {
//!     type Id = u64;
//!     const KIND: &'static str = "orders";
//!     const TENANCY: Tenancy = Tenancy::Shared;
//!
//!     fn owner(&self) -> &str { &self.owner }
//!     fn override_scopes(_action: &str) -> &'static [&'static str] { &["admin:orders"] }
//! }
//!
//! #[derive(Clone)]
//! struct Orders(BTreeMap<u64, Order>);
//!
//! impl Load<Order> for Orders {
//!     async fn load(&self, id: &u64, _tenant: Option<&str>) -> Result<Option<Order>, StoreError> {
//!         Ok(self.0.get(id).cloned())
//!     }
//! }
//!
//! async fn read(order: Authorized<Order, Read>) -> String {
//!     order.item.clone()
//! }
//!
//! /// Forgets to ask whose order it is.
//! async fn leak(State(orders): State<Orders>, Path(id): Path<u64>) -> String {
//!     orders.0[&id].item.clone()
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let orders = Orders(BTreeMap::from([
//!     (1, Order { owner: "usr_1".into(), item: "tea".into() }),
//!     (2, Order { owner: "usr_2".into(), item: "coffee".into() }),
//! ]));
//! let scopes = ScopeLayer::table()
//!     .route(Method::GET, "/orders/{id}", Requirement::all(["read:orders"]).object_level())
//!     .route(Method::GET, "/leak/{id}", Requirement::all(["read:orders"]).object_level())
//!     .build()?;
//! let caller = principal("usr_1").scopes(["read:orders"]).build();
//! let app = Router::new()
//!     .route("/orders/{id}", get(read))
//!     .route("/leak/{id}", get(leak))
//!     .with_state(orders)
//!     .layer(ServiceBuilder::new().layer(with_principal(caller)).layer(scopes));
//!
//! for (path, status) in [
//!     ("/orders/1", 200),
//!     ("/orders/2", 404), // somebody else's
//!     ("/orders/3", 404), // nobody's
//!     ("/leak/1", 500),   // not even one's own: nobody looked whose it is
//! ] {
//!     let response = app.clone().oneshot(Request::get(path).body(Body::empty())?).await?;
//!     assert_eq!(response.status(), status, "{path}");
//! }
//! # Ok(()) }
//! ```
//!
//! # What is checked, in this order
//! 1. **Tenant** ([`Resource::TENANCY`]). Another tenant's object does not exist.
//! 2. **Policy** ([`Resource::opinion`]). A veto refuses its owner, too; not knowing is 503.
//! 3. **Owner, or an overriding scope** ([`Resource::override_scopes`]), or a policy that grants.
//!
//! [`Authorized`] does it for the id in the path, [`Access`] for objects that were found otherwise,
//! alone or many, and [`ListScope`] says what a list is to be narrowed to.
//!
//! # The guard
//! A route *owes* the check if its [`Requirement`](super::Requirement) is
//!
//! | requirement | callers who owe it |
//! |---|---|
//! | `.object_level()` | all |
//! | `.own_allowed()` | those who have the scope only with `:own`: `read:orders:own` for `read:orders` |
//! | names a scope with `:own` | those who have no more than that |
//!
//! or if its table is [`object_level`](super::ScopeTableBuilder::object_level) and its path has a
//! parameter, or if it stands behind a [`WriteGuardLayer`]. Meeting it is what the three types above do when they
//! say yes, and [`ListScope::filter`] when it is taken; [`Obligation::discharge`] does it for a reason
//! of your own. If a handler answers with anything below 400 while the check is still owed, the
//! answer is dropped, unread and with all its headers, and the client gets 500
//! `authorization_not_checked`; the log names the route. A check that said no, and was ignored, owes
//! again. Responses are judged by their head: a stream has not begun, and an upgrade to a
//! `WebSocket` does not happen.
//!
//! In tests, put `portcullis::testing::enforce_obligations()` around the application: it makes every
//! test that gets such an answer fail, whatever the test asserts. `examples/object_level.rs` shows it.
//!
//! Say `.object_level()` where there are tenants: a caller with `read:orders` has all orders of its own
//! tenant, and it is the object that knows which one that is.
//!
//! The guard sees that a check was made, not that the object of the answer is the one that was
//! checked. Hand on `Authorized<R, A>` rather than `R`, and there is nothing to confuse. And it comes
//! after the deed: a write without a check has happened. Where that is too late,
//! [`WriteGuardLayer`] keeps the body back until the check was made.
//!
//! # In the context
//! Reads the principal, and what the layers outside know of its roles. Writes the obligation, and on
//! the trail `object` with `forbidden` or `not_found`: the audit record tells the two apart where
//! the client cannot. A run of them is somebody who tries ids.
//!
//! # How it fails
//! | case | kind | status |
//! |---|---|---|
//! | no such object; an id that cannot be read; somebody else's; another tenant's | `not_found` | 404 |
//! | somebody else's, with [`Existence::Revealed`] | `forbidden` | 403 |
//! | a list, for a caller without a tenant | `forbidden` | 403 |
//! | the store is down, a policy cannot know | `backend_unavailable` | 503 |
//! | the check was forgotten | `authorization_not_checked` | 500 |
//! | the route has no parameter of that name | `misconfigured` | 500 |
//! | anonymous caller behind optional authentication | `missing_credentials` | 401 |
//! | no `AuthLayer` outside | `misconfigured` | 500 |
//!
//! Missing and forbidden objects take the same path: loaded, compared, refused by the same function,
//! with a body and headers that differ in the request's id alone. What remains is the store's own
//! time for a row that is there and one that is not, and that a policy which cannot know says 503 of
//! existing objects only.
//!
//! # Cost
//! The obligation is one byte in the request's context; opening and judging it allocates nothing. An
//! id in the path costs axum's list of parameters, the check a comparison and a binary search for
//! each overriding scope.

mod access;
mod authorized;
mod decide;
mod guard;
mod list;
mod obligation;
mod permissions;
mod refusal;
mod resource;
mod width;
mod write_guard;

pub use self::{
    access::Access,
    authorized::Authorized,
    decide::{Asker, Opinion},
    list::{Filter, ListScope},
    obligation::Obligation,
    permissions::Permissions,
    resource::{Action, Create, Delete, Existence, Load, PathValues, Read, Resource, Tenancy, Write},
    write_guard::{WriteGuardGate, WriteGuardLayer},
};
pub(super) use self::{
    guard::judge,
    width::{Objects, Width},
};

/// Runs the programs of the page.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/object-level.md")]
struct Page;

#[cfg(test)]
mod tests;
