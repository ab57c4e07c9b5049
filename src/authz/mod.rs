//! Authorization: what the caller may do.
//!
//! | question | answered by | a no is |
//! |---|---|---|
//! | may this credential read orders? | [`ScopeLayer`], with a [catalogue] of scopes | 403 |
//! | is this one of the administrators? | [`RoleLayer`] and [`RoleMap`] | 403 |
//! | was the user here in person, and lately? | [`step_up`] | 401 |
//! | did the user agree to this one payment? | [`rar`] | 403 |
//! | is it office hours, is it the caller's department? | [`policy`] | 403 |
//! | has every route an answer to all this? | [`SecuredRouter`], [`AuthInventory`] | |
//! | does the service do what the table of roles says? | [`matrix`] | |
//!
//! `docs/authorization.md` tells how they work together. This page is about scopes and roles.
//!
//! [`ScopeLayer`] compares what a route requires with the scopes of the caller, and with those that
//! its roles stand for, and leaves a [`Grant`](crate::identity::Grant). It protects against broken
//! function-level authorization (OWASP API5:2023), and answers as RFC 6750 §3.1 says. Scopes are
//! `action:resource[:qualifier]`; [`Scopes`](crate::identity::Scopes) has the table of what
//! satisfies what.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Method, Request, StatusCode};
//! use portcullis::{
//!     auth::{AuthLayer, api_key::{ApiKey, ApiKeyFormat, ApiKeyRecord, KeyHasher}},
//!     authz::{Requirement, RoleMap, ScopeLayer},
//!     backend::memory::MemoryStore,
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let key = ApiKey::issue(&ApiKeyFormat::new("acme", "live")?, &KeyHasher::ephemeral(), ApiKeyRecord::builder("usr_42").roles(["support"]))?;
//! # let store = MemoryStore::new();
//! # store.insert_api_key(key.record)?;
//! # let auth = AuthLayer::builder().api_keys(store).optional().build()?;
//! let roles = RoleMap::builder()
//!     .role("support", ["read:orders", "write:tickets"])
//!     .role("admin", ["read:*", "write:*"])
//!     .build()?;
//! let scopes = ScopeLayer::table()
//!     .route(Method::GET, "/orders/{id}", Requirement::all(["read:orders"]))
//!     .route(Method::PUT, "/orders/{id}", Requirement::any(["write:orders", "admin:orders"]))
//!     .public(Method::GET, "/health")
//!     .roles(roles)
//!     .build()?;
//! let app = Router::new()
//!     .route("/orders/{id}", get(|| async { "an order" }).put(|| async { "changed" }))
//!     .route("/health", get(|| async { "well" }))
//!     .layer(ServiceBuilder::new().layer(auth).layer(scopes));
//!
//! // The caller has the role `support`.
//! for (method, path, status) in [("GET", "/orders/7", 200), ("PUT", "/orders/7", 403), ("GET", "/health", 200)] {
//!     let request = Request::builder().method(method).uri(path).header("x-api-key", key.secret.expose());
//!     assert_eq!(app.clone().oneshot(request.body(Body::empty())?).await?.status(), status);
//! }
//! // Without a caller only the public route answers.
//! let request = Request::get("/orders/7").body(Body::empty())?;
//! assert_eq!(app.oneshot(request).await?.status(), StatusCode::UNAUTHORIZED);
//! # Ok(()) }
//! ```
//!
//! # One route, or a table
//! [`ScopeLayer::all`] and [`ScopeLayer::any`] stand on a route: `get(handler).layer(scope)`. A
//! [table](ScopeLayer::table) stands on a router and names every route once, by method and path
//! template. A route without a row is refused (403, and the log names the missing row), so that a
//! new route is closed until somebody says who may call it. `HEAD` follows `GET`.
//!
//! [`SecuredRouter`] makes the router and the table in one. Either way [`AuthInventory`] lists the
//! routes, and what each requires.
//!
//! A table goes by what axum's router matched: add it with `Router::layer` to the router that holds
//! the routes. A request that matched none is a 404, also where the router has a fallback.
//!
//! # More than scopes
//! A [`Requirement`] can ask for roles and a strong authentication as well: one row of a table says
//! all of it. Scopes are looked at first, then roles, then the authentication: who may not at all is
//! not asked to authenticate again.
//!
//! # Scopes are not enough
//! A scope says that a caller may read orders, not that it may read this one. Whether the object is
//! the caller's own is the handler's to check (OWASP API1:2023): with [`object`], which also notices
//! where the check was forgotten. Which properties of an object a caller may see and set
//! (API3:2023) is what [`fields`] is for.
//!
//! # In the context
//! Reads the principal, the route and the challenges of `AuthLayer`. Leaves a grant; handlers that
//! take it as an extractor fail closed where the layer is missing. A public row leaves none.
//!
//! # In the stack
//! Inside `AuthLayer`. Outside `QuotaLayer`: a forbidden call costs no quota.
//!
//! # How it fails
//! | case | kind | status |
//! |---|---|---|
//! | a role is missing | `forbidden`; the log names the roles | 403 |
//! | the authentication is too weak or too old | `insufficient_user_authentication` | 401 |
//! | a scope is missing | `insufficient_scope`, with `required_scopes` and `missing_scopes`, and the challenge `error="insufficient_scope", scope="…"` | 403 |
//! | the table has no row | `forbidden` | 403 |
//! | no route matched | `not_found` | 404 |
//! | anonymous caller behind optional authentication | `missing_credentials` | 401 |
//! | no `AuthLayer` outside | `misconfigured` | 500 |
//!
//! # Cost
//! A binary search for each required scope, and one for each role of a caller who lacks it; for a
//! table also one hash of the path. How many scopes the caller has hardly matters. With a role map,
//! one look at what is current. Letting a call through allocates nothing.

/// Runs the programs of the page.
#[cfg(doctest)]
#[doc = include_str!("../../docs/authorization.md")]
struct Page;

pub mod catalogue;
pub mod fields;
mod head;
mod inventory;
mod layer;
pub mod matrix;
pub mod object;
pub mod policy;
pub mod rar;
mod refusal;
mod requirement;
mod role_layer;
mod roles;
mod routes;
pub mod step_up;
mod table;

#[cfg(feature = "testing")]
pub(crate) use self::matrix::filled;
pub use self::{
    catalogue::{ScopeCatalogue, ScopeCatalogueBuilder, ScopeEntry, ScopeRisk},
    head::path_param,
    inventory::{AuthInventory, InventoryRow},
    layer::{ScopeGate, ScopeLayer, ScopeLayerBuilder, ScopePass},
    matrix::{AuthMatrix, AuthMatrixBuilder, Expected, MatrixCaller, MatrixCheck},
    policy::{Policy, PolicyGate, PolicyLayer, PolicySet},
    rar::{Rar, RarGate, RarLayer, RarRequirement},
    requirement::Requirement,
    role_layer::{RoleGate, RoleLayer, RoleLayerBuilder},
    roles::{RoleHandle, RoleMap, RoleMapBuilder},
    routes::{SecuredRouter, SecuredRoutes},
    step_up::{StepUp, StepUpGate, StepUpLayer},
    table::ScopeTableBuilder,
};

#[cfg(test)]
mod tests;
