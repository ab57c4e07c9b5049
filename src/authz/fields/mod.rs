//! Properties: of an object that a caller may have, which ones it sees and which it may set.
//!
//! The object is the caller's to read, and the margin on it is not: that is broken object property
//! level authorization (OWASP API3:2023), and its other half is mass assignment, where a client sets
//! what it was never meant to send. A type says once which of its properties need a scope;
//! [`Visible`] drops on the way out what the caller lacks the scope for, [`Writable`] refuses it on
//! the way in.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use http_body_util::BodyExt;
//! use portcullis::{
//!     authz::{fields::{Visible, Writable, field_scopes}, object::Permissions},
//!     testing::{principal, with_principal},
//! };
//! use serde::{Deserialize, Serialize};
//! use tower::ServiceExt;
//!
//! #[derive(Serialize)]
//! struct Order { item: &'static str, margin: f64, lines: Vec<Line> }
//!
//! #[derive(Serialize)]
//! struct Line { pieces: u32, cost: f64 }
//!
//! #[derive(Deserialize)]
//! struct Change { item: Option<String>, discount: Option<f64> }
//!
//! field_scopes! {
//!     Order { margin => "read:margins", lines => Line }
//!     Line { cost => "read:costs" }
//!     Change { discount => "write:discounts" }
//! }
//!
//! async fn read(permissions: Permissions) -> Visible<Order> {
//!     permissions.show(Order { item: "tea", margin: 0.4, lines: vec![Line { pieces: 2, cost: 1.5 }] })
//! }
//!
//! async fn change(change: Writable<Change>) -> String {
//!     format!("{:?} {:?}", change.item, change.discount)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let caller = principal("usr_1").scopes(["read:costs"]).build();
//! let app = Router::new().route("/order", get(read).patch(change)).layer(with_principal(caller));
//!
//! let response = app.clone().oneshot(Request::get("/order").body(Body::empty())?).await?;
//! let seen = response.into_body().collect().await?.to_bytes();
//! assert_eq!(seen, r#"{"item":"tea","lines":[{"pieces":2,"cost":1.5}]}"#);
//!
//! let change = |body: &'static str| {
//!     Request::patch("/order").header("content-type", "application/json").body(Body::from(body))
//! };
//! let response = app.clone().oneshot(change(r#"{"item":"coffee"}"#)?).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//! let response = app.oneshot(change(r#"{"item":"coffee","discount":0.9}"#)?).await?;
//! assert_eq!(response.status(), StatusCode::FORBIDDEN);
//! # Ok(()) }
//! ```
//!
//! # Fails closed, with one gap to know of
//! A scope that the caller is not known to have is one that it lacks: without a `ScopeLayer` with a
//! role map outside, roles show nothing, and [`Visible::to_everybody`] shows what is open to all.
//!
//! The gap: a row whose path leads nowhere hides nothing. [`field_scopes!`] lets
//! the compiler look whether the field exists; against `#[serde(rename)]` it is blind, so one test per
//! type with `portcullis::testing::unmatched_fields` belongs beside each.
//!
//! Where a struct is meant, [`Writable`] takes no array, which serde would read without a name.
//!
//! # In the context
//! Reads the principal, and what the layers outside know of its roles. Leaves nothing.
//!
//! # How it fails
//! | case | kind | status |
//! |---|---|---|
//! | a property in the body needs a scope that the caller lacks | `forbidden`, with `fields` | 403 |
//! | the body is no JSON, of another type, too large, or not a `T` (an array is no struct) | as `axum::Json` | 400, 415, 413, 422 |
//! | a value cannot be written as JSON | `internal_error` | 500 |
//! | anonymous caller behind optional authentication | `missing_credentials` | 401 |
//! | no `AuthLayer` outside | `misconfigured` | 500 |
//!
//! # Cost
//! A caller who may see everything pays for looking up the scopes, and for `serde_json`. For others the
//! text is copied once more, member by member; no tree of values is built, so numbers keep their
//! digits and members their order.

mod field;
mod json;
mod macros;
mod named;
mod visible;
mod writable;

#[cfg(feature = "testing")]
pub(crate) use self::visible::unmatched;
pub use self::{
    field::{Field, FieldScopes},
    macros::field_scopes,
    visible::Visible,
    writable::Writable,
};

#[cfg(test)]
mod tests;
