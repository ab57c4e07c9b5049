//! The authorization matrix: who may do what, written down once, enforced and tested.
//!
//! Every security review begins with a table of roles and resources, and ends with the question
//! whether the service does what the table says. [`AuthMatrix`] reads that table, makes the
//! [`RoleMap`] and the rows of a [`ScopeLayer`] from it, and (feature `testing`) asks the service
//! every cell of it: each caller at each route, allowed or not, and besides an anonymous caller and
//! one without any role.
//!
//! ```
//! use axum::{Router, routing::{get, post}};
//! use http::Method;
//! use portcullis::{authz::AuthMatrix, testing::PrincipalLayer};
//! use tower::ServiceBuilder;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let matrix = AuthMatrix::builder()
//!     .endpoint("Orders", "Read", Method::GET, "/orders/{id}", "read:orders")
//!     .endpoint("Orders", "Create", Method::POST, "/orders", "create:orders")
//!     .endpoint("Refunds", "Create", Method::POST, "/refunds", "create:refunds")
//!     .table("
//!         | Resource | Customer     | Support | API Consumer |
//!         |----------|--------------|---------|--------------|
//!         | Orders   | Read, Create | Read    | Read, Create |
//!         | Refunds  | -            | Create  | -            |
//!     ")
//!     .build()?;
//!
//! // Enforced …
//! let scopes = matrix.scope_table().public(Method::GET, "/health").build()?;
//! let app = |auth: PrincipalLayer| {
//!     Router::new()
//!         .route("/orders/{id}", get(|| async { "an order" }))
//!         .route("/orders", post(|| async { "ordered" }))
//!         .route("/refunds", post(|| async { "refunded" }))
//!         .route("/health", get(|| async { "well" }))
//!         .layer(ServiceBuilder::new().layer(auth).layer(scopes.clone()))
//! };
//! // … and tested: 3 routes × (3 callers, an anonymous one, one without a role).
//! let report = matrix.check(app).await;
//! report.assert_ok();
//! assert_eq!(report.checked(), 15);
//! # Ok(()) }
//! ```
//!
//! # The table
//! Markdown or CSV. The first cell of the first row is any word, the others are the callers; the
//! first cell of each other row is a resource; a cell lists verbs, or `-`. Each verb of a resource
//! must be an [`endpoint`](AuthMatrixBuilder::endpoint), so that nothing is allowed that is nowhere.
//! A caller is the role of that name in lower case with `_` for blanks (`API Consumer` →
//! `api_consumer`), unless [`caller`](AuthMatrixBuilder::caller) says otherwise.
//!
//! # A matrix that contradicts itself
//! `read:orders` satisfies `read:orders:own`. If a table lets support read all orders and not their
//! own, no scopes can do both, and `build` says which cells disagree. Give the narrower resource a
//! scope of its own (`read:profile` beside `read:profiles`), or correct the cell.
//!
//! # Expectations beyond the table
//! [`expect`](AuthMatrixBuilder::expect), or a table with the header `caller, method, path, expected`,
//! adds single checks: for callers with other scopes, for routes of other layers, for the 404 of an
//! object that is somebody else's.

mod build;
mod parse;

use http::Method;

pub use self::build::AuthMatrixBuilder;
#[cfg(feature = "testing")]
pub(crate) use self::build::filled;
use super::{Requirement, RoleMap, ScopeLayer, ScopeTableBuilder};
use crate::config_error::ConfigError;

/// Who may do what. See the [module](self).
#[derive(Clone, Debug)]
pub struct AuthMatrix {
    endpoints: Vec<Endpoint>,
    roles: RoleMap,
    checks: Vec<MatrixCheck>,
}

/// One verb of one resource: a route and its scope.
#[derive(Clone, Debug)]
struct Endpoint {
    resource: String,
    verb: String,
    method: Method,
    path: String,
    scope: String,
}

/// One of the callers of a matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatrixCaller {
    known: bool,
    scopes: Vec<String>,
    roles: Vec<String>,
}

impl MatrixCaller {
    /// Somebody with these roles.
    pub fn roles(roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { known: true, scopes: Vec::new(), roles: roles.into_iter().map(Into::into).collect() }
    }

    /// Somebody with these scopes, as an API key or a token has them.
    pub fn scopes(scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { known: true, scopes: scopes.into_iter().map(Into::into).collect(), roles: Vec::new() }
    }

    /// Nobody: a request without a credential.
    pub fn anonymous() -> Self {
        Self { known: false, scopes: Vec::new(), roles: Vec::new() }
    }

    /// The roles.
    pub fn held_roles(&self) -> &[String] {
        &self.roles
    }

    /// The scopes.
    pub fn held_scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Whether there is no credential at all.
    pub fn is_anonymous(&self) -> bool {
        !self.known
    }
}

/// What a check expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// The handler answers, with whatever it answers: not 401, 403, 404, 405, nor a 5xx.
    Allowed,
    /// 403, or 401 for an anonymous caller.
    Denied,
    /// Exactly this status.
    Status(u16),
}

/// One question to the service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MatrixCheck {
    /// The caller's name.
    pub name: String,
    /// The caller.
    pub caller: MatrixCaller,
    /// The method.
    pub method: Method,
    /// The path, its parameters filled in.
    pub path: String,
    /// What is expected.
    pub expected: Expected,
}

impl AuthMatrix {
    /// A builder without anything.
    pub fn builder() -> AuthMatrixBuilder {
        AuthMatrixBuilder::default()
    }

    /// What the callers of the table may do, as roles.
    pub fn roles(&self) -> &RoleMap {
        &self.roles
    }

    /// A table with a row for each endpoint, and the roles. Public routes, and those that are not in
    /// the matrix, are to be added.
    pub fn scope_table(&self) -> ScopeTableBuilder {
        self.endpoints.iter().fold(ScopeLayer::table().roles(self.roles.clone()), |table, endpoint| {
            table.route(endpoint.method.clone(), &endpoint.path, Requirement::all([&endpoint.scope]))
        })
    }

    /// The table as it is.
    ///
    /// # Errors
    /// If a path is none.
    pub fn scope_layer(&self) -> Result<ScopeLayer, ConfigError> {
        self.scope_table().build()
    }

    /// Every question that the matrix asks.
    pub fn checks(&self) -> &[MatrixCheck] {
        &self.checks
    }
}

#[cfg(test)]
mod tests;
