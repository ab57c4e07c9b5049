//! Signed requests: the caller proves with each request that it holds a key, and what it sent.
//!
//! A bearer token that leaks is good for whoever finds it; a signed request is good for itself alone,
//! and for minutes. Nothing secret travels, and neither method, target, header fields nor body can be
//! changed on the way. Three forms:
//!
//! * [`SigV4`]: AWS Signature Version 4 exactly, in `Authorization` and (on request) in the query;
//! * [`SigV4::generic`]: the same under names of your own ([`SignatureForm`]);
//! * `HttpSignatures` (feature `http-signatures`): HTTP Message Signatures (RFC 9421) with
//!   `Content-Digest` (RFC 9530): as the credential, or, with
//!   `AuthLayerBuilder::require_signature`, as a proof beside another one.
//!
//! All are an [`Authenticator`](super::Authenticator) of [`AuthLayer`](super::AuthLayer), and take
//! their keys from a [`SigningKeyStore`].
//!
//! ```
//! use axum::{Router, body::Body, routing::post};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     auth::{AuthLayer, signed::{SigV4, SigningKey}},
//!     backend::memory::MemoryStore,
//!     identity::Principal,
//!     secret::Secret,
//!     testing::SigV4Signer,
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
//! let keys = MemoryStore::new();
//! let key = SigningKey::secret("AKIDEXAMPLE", "svc_billing", secret.clone());
//! keys.insert_signing_key(key.scopes(["write:orders"]).build()?)?;
//!
//! let signed = SigV4::builder(keys, "eu-1", "orders").build()?;
//! let auth = AuthLayer::builder().authenticator(signed).build()?;
//! let app = Router::new()
//!     .route("/orders", post(|caller: Principal, body: String| async move { format!("{}: {body}", caller.subject()) }))
//!     .layer(ServiceBuilder::new().layer(auth));
//!
//! let request = Request::post("/orders").header("host", "api.example.com").body("{}")?;
//! let request = SigV4Signer::new("AKIDEXAMPLE", secret, "eu-1", "orders").sign(request);
//! let response = app.clone().oneshot(request).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//!
//! let unsigned = Request::post("/orders").header("host", "api.example.com").body(Body::from("{}"))?;
//! assert_eq!(app.oneshot(unsigned).await?.status(), StatusCode::UNAUTHORIZED);
//! # Ok(()) }
//! ```
//!
//! And in the form of RFC 9421:
//!
//! ```
//! # #[cfg(all(feature = "http-signatures", any(feature = "aws-lc", feature = "rust-crypto")))]
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, routing::post};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     auth::{AuthLayer, jwt::Algorithm, signed::{HttpSignatures, SigningKey}},
//!     backend::memory::MemoryStore,
//!     testing::MessageSigner,
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! // The client's: the service knows only the public half.
//! let client = MessageSigner::generate("billing-2026", Algorithm::EdDsa);
//!
//! let store = MemoryStore::new();
//! store.insert_signing_key(SigningKey::jwk("billing-2026", "svc_billing", client.jwk()).build()?)?;
//! let signed = HttpSignatures::builder(store.clone()).nonces(store).build()?;
//! let auth = AuthLayer::builder().authenticator(signed).build()?;
//! let app = Router::new().route("/orders", post(|| async { "ordered" })).layer(ServiceBuilder::new().layer(auth));
//!
//! let request = || Request::post("/orders").header("host", "api.example.com").body("{}");
//! let signed = client.clone().nonce("9d2f").sign(request()?);
//! assert_eq!(app.clone().oneshot(signed).await?.status(), StatusCode::OK);
//! let replayed = client.nonce("9d2f").sign(request()?);
//! assert_eq!(app.oneshot(replayed).await?.status(), StatusCode::UNAUTHORIZED);
//! # Ok(()) }
//! # #[cfg(not(all(feature = "http-signatures", any(feature = "aws-lc", feature = "rust-crypto"))))] fn main() {}
//! ```
//!
//! # What is checked of AWS Signature Version 4
//! In this order, and the body is waited for only after the first four:
//!
//! 1. **Form.** `Credential`, `SignedHeaders` and `Signature` once each; names of fields in lower case
//!    and sorted; 64 hexadecimal digits. The fields of the signature stand there once. Signatures of
//!    streams (`STREAMING-…`) are refused: nothing would be known of the body before its end.
//! 2. **Scope.** Region, service and terminator are those of the service; the day is that of the time.
//! 3. **Time.** `x-amz-date` (or `Date`, which must then be signed) within five minutes; a presigned
//!    URL until it ends, seven days at most.
//! 4. **Coverage.** `host`, every `x-amz-*` field (a session token among them: signed, and otherwise
//!    opaque), and what [`require_signed`](SigV4Builder::require_signed) names. `Host` and the
//!    `:authority` of HTTP/2 are one thing; if both are there and differ, it is a 400.
//! 5. **Signature**, over the canonical request as AWS defines it: the path resolved and encoded twice
//!    (or, with [`s3_paths`](SigV4Builder::s3_paths), once and unresolved); the query decoded, encoded
//!    and sorted by its encoded bytes, a `+` being the space that it is for whoever reads the query.
//! 6. **Key**: not revoked, not expired, and for this service.
//! 7. **Body**: its SHA-256 is what was signed, whatever `x-amz-content-sha256` says.
//!
//! Since AWS resolves paths before they are signed, `/a/../b` and `/b` have one signature; the router
//! sees what was sent. So a path that is not resolved is a 400, unless
//! [somebody in front resolves it](SigV4Builder::dangerously_allow_unresolved_paths). (Botocore and the AWS
//! SDKs differ on a path that ends in `/.` or `/..`: here it ends in a slash, RFC 3986 §5.2.4.) And
//! since the parameters of a query are sorted, their order is not signed, not even of those with one
//! name: take none that comes twice. botocore signs a bare `+` in a query as a plus sign; have it
//! send `%20` or `%2B`.
//!
//! # What is checked of RFC 9421
//! `Signature-Input` and `Signature` are dictionaries in which nothing stands twice: no label, no
//! parameter, no covered component. One signature counts: the only one, or that with the
//! [`label`](HttpSignaturesBuilder::label) or [`tag`](HttpSignaturesBuilder::tag). It must have `keyid`
//! and `created` (within five minutes), must not have `expires`d, and must cover `@method`; `@target-uri`,
//! or `@authority` and `@request-target`, or `@authority`, `@path` and (where there is one) `@query`;
//! `content-digest`, where there is a body; as a proof, the field with the credential. The key decides
//! the algorithm, and an `alg` may only say the same. Of a `Content-Digest`, `sha-256` and `sha-512` are
//! compared with the body, both if both are there; other algorithms count for nothing. Components may
//! have `;sf` (of fields that are known to be structured), `;key`, `;bs` and `;name`; `;req` and `;tr`
//! are refused. With [`nonces`](HttpSignaturesBuilder::nonces) each request counts once.
//!
//! # What the seeds' form leaves open
//! The form in the seeds of this crate is that of AWS with gaps, none of which is repeated here: its
//! header has no `SignedHeaders`, so nobody could know what was signed, and joins `Credential` and
//! `Signature` with a slash; the time is signed but not sent; neither URI nor query is brought into one
//! form; the key's derivation, the scope and the encoding of the signature are not defined; no window
//! is checked, no field must be signed, and nobody compares the body with its hash.
//!
//! # In the context
//! Reads the wall clock's time (the nonce store: the monotonic one). Leaves the key's owner as
//! [`Principal`](crate::identity::Principal), with the method `signed_request` and the key's id as
//! credential id. The body is read whole, held in memory, and handed on unchanged, trailers included
//! (they are not signed).
//!
//! # In the stack
//! Where [`AuthLayer`](super::AuthLayer) stands. Layers that change what is signed (decompression, a
//! normalized path) belong inside.
//!
//! # How it fails
//! | | kind | status |
//! |---|---|---|
//! | unreadable, repeated or missing parts; streams | `malformed_signature` | 400 |
//! | two credentials | `invalid_request` | 400 |
//! | wrong signature, unknown key, key not in force, too little covered, another body, a nonce again | `invalid_signature` | 401 |
//! | too old, too new, expired | `timestamp_out_of_window` | 401 |
//! | body too large, or too slow | `payload_too_large`, `request_timeout` | 413, 408 |
//! | the store cannot answer within 3 s | `backend_unavailable` | 503 |
//!
//! Each 401 offers the scheme (`AWS4-HMAC-SHA256 realm="…"`, `Signature realm="…"`), for RFC 9421 with
//! `Accept-Signature`. No answer repeats what was sent. An unknown key costs what a wrong signature
//! costs, so that ids cannot be told apart by the time (for RFC 9421: about, if the request does not
//! name its algorithm).
//!
//! # Cost
//! The digest of the body, one of the canonical request and one HMAC; the four HMACs of the key's
//! derivation once a day for each key, kept with its record and gone with it or with its secret. A
//! box for the wait for the body. Signatures with public keys cost what those of tokens cost.

mod algorithm;
mod body;
mod decoy;
pub(crate) mod derived;
mod form;
mod key;
mod limits;
mod lookup;
#[cfg(feature = "http-signatures")]
pub(crate) mod message;
mod refused;
pub(crate) mod sigv4;
mod store;
pub(crate) mod target;
#[cfg(all(test, feature = "testing"))]
mod tests;

#[cfg(feature = "http-signatures")]
pub use self::message::{HttpSignatures, HttpSignaturesBuilder};
pub use self::{
    algorithm::SignatureAlgorithm,
    form::SignatureForm,
    key::{SigningKey, SigningKeyBuilder},
    sigv4::{SigV4, SigV4Builder},
    store::SigningKeyStore,
};
