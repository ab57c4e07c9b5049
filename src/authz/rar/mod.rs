//! Rich authorization requests (RFC 9396): tokens that allow one payment, or one order, and not all.
//!
//! A scope says `payments`; an authorization detail says: create one payment, of at most 150.00 EUR,
//! to this account. The issuer writes what the user has agreed to into the claim
//! `authorization_details`; this module compares it with what the call wants.
//!
//! ```
//! use axum::{Json, Router, body::Body, routing::{get, post}};
//! use http::Request;
//! use portcullis::{
//!     authz::rar::{Amount, Rar, RarLayer, RarRequirement},
//!     rejection::{Rejection, RejectionKind},
//!     testing::{principal, with_principal},
//! };
//! use serde_json::{Value, json};
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! async fn pay(rar: Rar, Json(payment): Json<Value>) -> Result<&'static str, Rejection> {
//!     let amount = Amount::from_json(&payment["amount"]).ok_or(RejectionKind::UnprocessableContent)?;
//!     rar.permits(
//!         &RarRequirement::of_type("payment_initiation")
//!             .actions(["create"])
//!             .amount("instructedAmount", amount)
//!             .equals("creditorAccount", payment["to"].clone()),
//!     )?;
//!     Ok("paid")
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // What the request's head says is compared by a layer.
//! let one_order = RarLayer::new(
//!     RarRequirement::of_type("order_access").actions(["read"]).identifier_from_path("id"),
//! )?;
//! let caller = principal("usr_1").claim("authorization_details", json!([
//!     { "type": "order_access", "actions": ["read", "write"], "identifier": "ord_7" },
//!     {
//!         "type": "payment_initiation",
//!         "actions": ["create"],
//!         "instructedAmount": { "currency": "EUR", "amount": "150.00" },
//!         "creditorAccount": { "iban": "DE02120300000000202051" },
//!     },
//! ]));
//! let app = Router::new()
//!     .route("/orders/{id}", get(|| async { "an order" }).layer(one_order))
//!     .route("/payments", post(pay))
//!     .layer(ServiceBuilder::new().layer(with_principal(caller.build())));
//!
//! for (path, status) in [("/orders/ord_7", 200), ("/orders/ord_8", 403)] {
//!     let response = app.clone().oneshot(Request::get(path).body(Body::empty())?).await?;
//!     assert_eq!(response.status(), status);
//! }
//! for (amount, status) in [("150", 200), ("150.01", 403)] {
//!     let payment = json!({
//!         "amount": { "currency": "EUR", "amount": amount },
//!         "to": { "iban": "DE02120300000000202051" },
//!     });
//!     let request = Request::post("/payments").header("content-type", "application/json");
//!     let response = app.clone().oneshot(request.body(Body::from(payment.to_string()))?).await?;
//!     assert_eq!(response.status(), status);
//! }
//! # Ok(()) }
//! ```
//!
//! # What grants, and what does not
//! | the detail | grants |
//! |---|---|
//! | of another type, or of a type that no requirement names | nothing |
//! | has each list (`actions`, `locations`, `datatypes`, `privileges`) with all that is wanted, and each other member as wanted | what is wanted |
//! | lacks a member that is asked for | nothing: no `actions` are not all actions |
//! | has a member that the requirement does not speak of | nothing, unless [`ignoring`](RarRequirement::ignoring) names it |
//! | half of it, and another detail the other half | nothing |
//! | has an amount in another currency, as a number, or with a member beside `currency` and `amount` | nothing |
//! | stands in a malformed claim (RFC 9396 §2), or beside a malformed detail | nothing |
//!
//! Lists are compared exactly, as are JSON values: an IBAN with blanks is another text. Bring what
//! the request says into the form in which your issuer writes it.
//!
//! # In the context
//! Reads the principal, whose claim is parsed at the first question and kept. Leaves a
//! [`Grant`](crate::identity::Grant) that names the [type](crate::identity::Grant::details).
//!
//! # In the stack
//! [`RarLayer`] stands on a route, inside `AuthLayer`; [`Rar`] in the handler.
//!
//! # How it fails
//! | case | kind | status |
//! |---|---|---|
//! | no detail covers the call | `insufficient_scope`, with `required_authorization_details` (what is configured, nothing of the request) | 403 |
//! | anonymous caller | `missing_credentials` | 401 |
//! | no `AuthLayer` outside, a wrong requirement in a handler | `misconfigured` | 500 |
//!
//! # Cost
//! The first question parses the claims, once for each principal (and, with a cache of verified
//! tokens, once for each token). Each question compares with each detail.

mod amount;
mod layer;
mod requirement;

pub use self::{
    amount::{Amount, AmountError},
    layer::{Rar, RarGate, RarLayer},
    requirement::RarRequirement,
};

#[cfg(test)]
mod tests;
