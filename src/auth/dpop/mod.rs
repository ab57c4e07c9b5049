//! Proof of possession: tokens that only the holder of a key can use (RFC 9449, `DPoP`).
//!
//! A bearer token works for whoever has it, a thief included. A token with `cnf.jkt` is bound to a
//! key of the client: each request carries, beside the token, a *proof* that is signed with this
//! key, for this method and URL, for this token, once. A token that leaks, from a log or a
//! compromised service that it was sent to, is then of no use to who finds it.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     auth::{AuthLayer, dpop::{Dpop, DpopNonces}},
//!     backend::memory::MemoryStore,
//! };
//! # #[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
//! use portcullis::testing::{TestDpopKey, TestIssuer};
//! use serde_json::json;
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = TestIssuer::new("https://id.example.com").audience("orders");
//! let auth = AuthLayer::builder()
//!     .jwt(issuer.verifier())
//!     .dpop(Dpop::new("https://api.example.com", MemoryStore::new()))
//!     .build()?;
//! let app = Router::new()
//!     .route("/orders", get(|| async { "orders" }))
//!     .layer(ServiceBuilder::new().layer(auth));
//!
//! // The client's key; the issuer binds the token to it.
//! let key = TestDpopKey::generate();
//! let token = issuer.token("usr_1").claim("cnf", json!({ "jkt": key.thumbprint() })).sign();
//! let proof = key.proof("GET", "https://api.example.com/orders", &token).sign();
//!
//! let with = |scheme: &str, proof: &str| {
//!     Request::get("/orders").header("authorization", format!("{scheme} {token}")).header("dpop", proof)
//!         .body(Body::empty())
//! };
//! assert_eq!(app.clone().oneshot(with("DPoP", &proof)?).await?.status(), StatusCode::OK);
//! // A proof works once, and a bound token never as a bearer token.
//! assert_eq!(app.clone().oneshot(with("DPoP", &proof)?).await?.status(), StatusCode::UNAUTHORIZED);
//! assert_eq!(app.oneshot(with("Bearer", &proof)?).await?.status(), StatusCode::UNAUTHORIZED);
//! # Ok(()) }
//! # #[cfg(not(any(feature = "aws-lc", feature = "rust-crypto")))] fn main() {}
//! ```
//!
//! # What is checked
//! The token first, as if it were a bearer token. Then, of the proof (RFC 9449 §4.3):
//! 1. there is exactly one `DPoP` header;
//! 2. it is one JWT of at most 8 KiB, in strict base64url, JSON objects with distinct members, without `crit`;
//! 3. it has `jti`, `htm`, `htu`, `iat` and `ath`, each of its type;
//! 4. `typ` is `dpop+jwt`;
//! 5. `alg` is asymmetric, and accepted;
//! 6. the signature verifies with the `jwk` of the header (RSA of 2048 bits or more, a point of the curve);
//! 7. the `jwk` is no private and no shared key;
//! 8. `htm` is the method;
//! 9. `htu` is the URL under which the client knows the resource, without query and fragment, compared after the
//!    normalisation of RFC 3986 §6.2.2 and §6.2.3;
//! 10. `nonce` is one of this service, if it hands out [nonces](DpopNonces);
//! 11. `iat` lies at most [60 s](Dpop::max_age) back and 5 s ahead; with nonces, the nonce's date counts instead;
//! 12. `ath` is the hash of the token, and the key is the one that the token is bound to.
//!
//! At last the pair of key and `jti` is remembered for as long as the proof could be used again, and a
//! minute more, for clocks differ (§11.1), by a [`SeenStore`](crate::store::SeenStore): only what holds otherwise is remembered, so
//! that nobody without a token can fill the store.
//!
//! # Which URL
//! The one that the client sees. Behind a proxy the service sees another one: it is told the public
//! one with [`Dpop::new`]. The path is that of the request before routers took prefixes away.
//!
//! # In the stack
//! Part of [`AuthLayer`](crate::auth::AuthLayer): it works for JWTs and for
//! opaque tokens alike.
//!
//! # How it fails
//! | what was sent | kind | status | on the line `DPoP realm="…", algs="…"` |
//! |---|---|---|---|
//! | a bound token as `Bearer` | `invalid_token` | 401 | the error stands on the line of `Bearer` |
//! | a token under `DPoP` that is not bound to a key | `invalid_token` | 401 | `error="invalid_token"` |
//! | no proof, or one that does not hold, or again | `invalid_dpop_proof` | 401 | `error="invalid_dpop_proof"` |
//! | a proof without a nonce, or with an old one | `use_dpop_nonce` | 401 | `error="use_dpop_nonce"`, and `DPoP-Nonce` |
//! | anything, while the store is down or full | `backend_unavailable` | 503 | not sent |
//!
//! Where nonces are in use every refusal of a proof carries `DPoP-Nonce`, and so does the response
//! to a proof whose nonce ends soon. Responses with a nonce are `no-store`.
//!
//! # Cost
//! One parsed key, one verified signature, two hashes and one look-up in the store for each request
//! with a proof; nothing for one without. Only a store that must be awaited costs a box.

mod builder;
mod check;
mod fault;
mod htu;
mod jwk;
mod nonce;
mod proof;
#[cfg(all(test, any(feature = "aws-lc", feature = "rust-crypto")))]
mod tests;

pub(in crate::auth) use self::check::DpopVerifier;
#[cfg(all(feature = "testing", any(feature = "aws-lc", feature = "rust-crypto")))]
pub(crate) use self::jwk::thumbprint;
pub use self::{builder::Dpop, nonce::DpopNonces};
