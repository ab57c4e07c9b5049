//! For the tests of applications: callers, tokens and an issuer, without an identity provider.
//!
//! * [`principal`] makes a caller, and [`with_principal`] puts it where `AuthLayer` would: a
//!   protected handler is tested without tokens.
//! * [`with_webhook`] does the same for a handler that takes a verified webhook.
//! * [`enforce_obligations`] makes every test fail that meets a handler which forgot to check whose
//!   object it hands out, and [`authorized`] makes the proof that one was checked.
//! * [`assert_indistinguishable`] compares the answers for somebody else's object and for none.
//! * [`unmatched_fields`] finds properties of a response type that were meant to be hidden and are not.
//! * `AuthMatrix::check` and `AuthInventory::check` ask a service what it lets whom do, and make an
//!   [`AuthReport`] of what is not as the matrix, or the table of routes, says.
//! * [`check_edge`] sends a router what browsers, attackers and lost clients send, and makes an
//!   [`EdgeReport`] of what its stack of layers does not stand up to.
//! * [`ManualClock`] moves only when told to.
//! * [`SigV4Signer`] signs requests as AWS's clients do, `MessageSigner` (feature
//!   `http-signatures`) as RFC 9421 says.
//! * [`TestIssuer`] signs real tokens with keys of its own, for the tests that include `AuthLayer`:
//!   good ones, and every kind of bad one; [`TestDpopKey`] makes proofs of possession. (Both need the feature `aws-lc` or `rust-crypto`.)
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use portcullis::{identity::Principal, testing::{principal, with_principal}};
//! use tower::ServiceExt;
//!
//! async fn me(caller: Principal) -> String {
//!     caller.subject().to_owned()
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let caller = principal("usr_1").scopes(["read:orders"]).build();
//! let app = Router::new().route("/me", get(me)).layer(with_principal(caller));
//! let response = app.oneshot(Request::get("/me").body(Body::empty()).unwrap()).await.unwrap();
//! assert_eq!(response.status(), StatusCode::OK);
//! # }
//! ```
//!
//! Nothing here belongs into a running service: leave the feature `testing` to dev-dependencies.

mod authz;
#[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
mod dpop;
mod edge;
#[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
mod issuer;
#[cfg(feature = "http-signatures")]
mod message;
mod objects;
mod principal;
#[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
mod server;
#[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
mod signing_key;
mod sigv4;
#[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
mod token;
mod webhook;

pub use self::authz::{AuthMismatch, AuthReport};
pub use self::edge::{EdgeCheck, EdgeReport, check_edge};
#[cfg(feature = "http-signatures")]
pub use self::message::MessageSigner;
pub use self::objects::{assert_indistinguishable, authorized, enforce_obligations, unmatched_fields};
pub use self::principal::{PrincipalBuilder, PrincipalGate, PrincipalLayer, anonymous, principal, with_principal};
pub use self::sigv4::SigV4Signer;
pub use self::webhook::{TestWebhookGate, WebhookLayer, with_webhook};
#[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
pub use self::{
    dpop::{TestDpopKey, TestDpopProof},
    issuer::TestIssuer,
    server::TestServer,
    token::TestToken,
};
pub use crate::time::ManualClock;
