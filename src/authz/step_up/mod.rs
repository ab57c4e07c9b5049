//! Step-up authentication (RFC 9470): some calls need a stronger, or a fresher, proof of who calls.
//!
//! A token that was good enough to read orders need not be good enough to refund one. [`StepUpLayer`]
//! looks at how (`acr`, `amr`) and when (`auth_time`) the user was authenticated, and answers 401 with
//! a challenge that tells the client what to ask the issuer for. The client comes back with another
//! token; nothing here keeps state.
//!
//! ```
//! use std::time::Duration;
//! use axum::{Router, body::Body, routing::post};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     authz::{StepUp, StepUpLayer},
//!     testing::{principal, with_principal},
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let step_up = StepUpLayer::new(
//!     StepUp::new().acr_values(["urn:example:gold"]).max_age(Duration::from_secs(300)),
//! )?;
//! // `with_principal` stands for an AuthLayer: a caller who has signed in with a password only.
//! let caller = principal("usr_1").acr("urn:example:silver").build();
//! let app = Router::new()
//!     .route("/refunds", post(|| async { "refunded" }).layer(step_up))
//!     .layer(ServiceBuilder::new().layer(with_principal(caller)));
//!
//! let response = app.oneshot(Request::post("/refunds").body(Body::empty())?).await?;
//! assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
//! let challenge = response.headers()["www-authenticate"].to_str()?;
//! assert!(challenge.contains("error=\"insufficient_user_authentication\""));
//! assert!(challenge.contains("acr_values=\"urn:example:gold\", max_age=\"300\""));
//! # Ok(()) }
//! ```
//!
//! In a table, a row says the same with [`Requirement::step_up`](super::Requirement::step_up).
//!
//! # In the context
//! Reads the principal, its challenges and the wall clock. Leaves nothing: that somebody was
//! authenticated strongly allows nothing yet, so a handler that takes a
//! [`Grant`](crate::identity::Grant) needs another layer as well.
//!
//! # In the stack
//! Inside `AuthLayer`; inside `ScopeLayer`, so that nobody is asked to authenticate again for what
//! they may not do anyway.
//!
//! # How it fails
//! | case | kind | status |
//! |---|---|---|
//! | `acr`, `amr` or `auth_time` is not enough, or missing | `insufficient_user_authentication`, with `acr_values` and `max_age` | 401 |
//! | anonymous caller | `missing_credentials` | 401 |
//! | no `AuthLayer` outside | `misconfigured` | 500 |
//!
//! An `auth_time` more than 60 s in the future counts as missing. API keys and client certificates
//! have neither `acr` nor `auth_time`: nobody was there to be authenticated.
//!
//! # Cost
//! A few comparisons of strings. Letting a call through allocates nothing.

mod layer;
mod requirement;

pub(super) use self::requirement::StepUpCheck;
pub use self::{
    layer::{StepUpGate, StepUpLayer},
    requirement::StepUp,
};

#[cfg(test)]
mod tests;
