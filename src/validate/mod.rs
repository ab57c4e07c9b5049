//! Requests of the right shape only: their path, their size, their media type, their JSON.
//!
//! [`RequestValidationLayer`] refuses what no handler should have to think about: paths that two
//! programs read in two ways, bodies that are too large, never end or are of another type, JSON that
//! means two things, and, with the feature `json-schema`, bodies and parameters that are not as their
//! schema says. OWASP API4:2023 (unrestricted resource consumption) and API3:2023 (mass assignment);
//! RFC 9110, RFC 8259, RFC 7493, JSON Schema 2020-12, `OpenAPI` 3.1.
//!
//! ```
//! use axum::{Router, body::Body, routing::post};
//! use http::{Method, Request, StatusCode};
//! use portcullis::validate::{RequestValidationLayer, Rule, ValidatedJson};
//! use serde::Deserialize;
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! #[derive(Deserialize)]
//! struct Order { pieces: u32 }
//!
//! async fn order(ValidatedJson(order): ValidatedJson<Order>) -> String {
//!     format!("{} ordered", order.pieces)
//! }
//!
//! # #[cfg(feature = "json-schema")]
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let schema = serde_json::json!({
//!     "type": "object",
//!     "properties": { "pieces": { "type": "integer", "minimum": 1, "maximum": 100 } },
//!     "required": ["pieces"],
//!     "additionalProperties": false
//! });
//! let validation = RequestValidationLayer::builder()
//!     .max_body(1024 * 1024)
//!     .plan_max_body("enterprise", 50 * 1024 * 1024)
//!     .route(Method::POST, "/orders", Rule::json().schema(schema).max_body(64 * 1024))
//!     .build()?;
//! let app = Router::new().route("/orders", post(order)).layer(ServiceBuilder::new().layer(validation));
//!
//! let send = |kind: &str, body: &'static str| {
//!     app.clone().oneshot(Request::post("/orders").header("content-type", kind).body(Body::from(body)).unwrap())
//! };
//! assert_eq!(send("application/json", r#"{"pieces":3}"#).await?.status(), StatusCode::OK);
//! assert_eq!(send("text/plain", r#"{"pieces":3}"#).await?.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
//! assert_eq!(send("application/json", r#"{"pieces":3"#).await?.status(), StatusCode::BAD_REQUEST);
//! let wrong = send("application/json", r#"{"pieces":0}"#).await?;
//! assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
//! let problem = axum::body::to_bytes(wrong.into_body(), 4096).await?;
//! let problem: serde_json::Value = serde_json::from_slice(&problem)?;
//! assert_eq!(problem["errors"][0], serde_json::json!({
//!     "pointer": "/pieces",
//!     "schema_pointer": "/properties/pieces/minimum",
//!     "keyword": "minimum",
//!     "detail": "must be at least 1"
//! }));
//! # Ok(()) }
//! # #[cfg(not(feature = "json-schema"))] fn main() {}
//! ```
//!
//! # What it checks, in this order
//!
//! | what | kind | status |
//! |---|---|---|
//! | the path has a dot segment (in whatever encoding), an encoded slash, a backslash, a control character, a stray percent sign, or is no UTF-8 | `InvalidRequest` | 400 |
//! | the query has more than 100 parameters | `InvalidRequest` | 400 |
//! | the route has no rule, and [such are refused](RequestValidationLayerBuilder::refuse_unlisted) | `NotFound`, `MethodNotAllowed` | 404, 405 |
//! | `Content-Length` is no number, repeated, or beside `Transfer-Encoding`; `Content-Type` is repeated | `InvalidRequest` | 400 |
//! | a body where the method or the route has none, or none where there must be one | `InvalidRequest` | 400 |
//! | the media type is another, malformed, missing, or says another charset than UTF-8 of JSON | `UnsupportedMediaType`, with `Accept` and `Accept-Post` or `Accept-Patch` | 415 |
//! | a `Content-Encoding` | `UnsupportedMediaType`, with `Accept-Encoding` | 415 |
//! | the announced length is too large | `PayloadTooLarge` | 413 |
//! | a parameter is not as its schema says | `UnprocessableContent`, with `errors` | 422 |
//! | a [filter](RequestFilter) that needs no body refuses, or cannot tell | `Forbidden`, `BackendUnavailable` | 403, 503 |
//! | more bytes come than allowed, announced or not | `PayloadTooLarge` | 413 |
//! | the body is not there after 30 s, or five seconds bring fewer than 1,200 bytes | `RequestTimeout` | 408 |
//! | it is not JSON, a member stands twice, or it is nested too deeply | `InvalidRequest`, with `offset` | 400 |
//! | it is not as its schema says | `UnprocessableContent`, with `errors` | 422 |
//! | a filter that reads the body refuses, or cannot tell | `Forbidden`, `BackendUnavailable` | 403, 503 |
//!
//! Everything before the reading is decided before a byte is read, so that a client that asks first
//! (`Expect: 100-continue`) need not send the body. The rest of a refused body is read and thrown away
//! within bounds, so that the client sees the refusal and not a reset connection.
//!
//! `errors` holds at most 20 findings, of a body beyond 16 kB the first: where (a JSON pointer; for
//! parameters `/query/limit`, `/path/id`, `/header/x-tenant`), which place of the schema, which keyword,
//! and what the schema asks for. No value that was sent is ever repeated, in an answer or in a log; a
//! pointer does repeat the names of members. The status can be [400](SchemaStatus).
//!
//! # What it reads and leaves
//! It reads the head, the matched route, the caller's plan, and the body. The handler gets the body
//! unchanged, byte by byte and with its trailers, in one piece, and the parsed document beside it as
//! [`ValidatedJson`] or [`ParsedJson`], so that it need not parse again. Rules are found by method and
//! matched path: per route, from a registry ([`Rules`]), or from an
#![cfg_attr(feature = "json-schema", doc = "`OpenAPI` 3.1 document ([`OpenApi`]).")]
#![cfg_attr(not(feature = "json-schema"), doc = "`OpenAPI` 3.1 document (feature `json-schema`).")]
//!
//! # Where it stands
//! Inside `QuotaLayer` and so inside everything that refuses for less: reading and checking a body is
//! the dearest there is. Inside `AuthLayer`, without which nobody has a plan. On the router that holds
//! the routes, by `Router::layer`, never around it: outside of routing no route is known and no rule
//! applies, which is noticed when a request is answered and reported once as a `tracing` event. Inside
//! decompression, and outside `WebhookVerifyLayer`'s routes, which bound and verify bodies themselves.
//!
//! A `Stack` has bounds of its own, 1 MiB and 30 s, and the smaller ones count: raise its `body_limit`
//! to the largest that a rule allows. axum's own 2 MB for extractors is raised for bodies that this
//! layer has let through.
//!
//! # What stays the handler's
//! A shape is no meaning. SQL, HTML, shell commands, file names, URLs that the service then fetches:
//! what is harmless in a text depends on where the text goes, so it is made harmless there, with bound
//! parameters, escaping templates, argument lists and allow lists, and not by refusing quotation marks
//! at the door. There is no list of dangerous words here; whoever must have one puts it behind
//! [`RequestFilter`]. Whether the caller may set a member is
//! [`Writable`](crate::authz::fields)'s, whether it may have the object
//! [`authz::object`](crate::authz::object)'s.
//!
//! # Cost
//! A request without a body: one pass over the path, and a lookup in a table. A small body that is
//! there already is read, parsed and checked in place, without a box or a task; one that still has to
//! come costs two boxes and tokio's timer. Parsing is one pass, in which repeated members are found;
//! documents of more than 256 kB are judged on tokio's blocking threads. Memory: the body as it came,
//! and the document, which may take sixteen times as much and is bounded by
//! [`max_values`](RequestValidationLayerBuilder::max_values).

mod body;
mod builder;
mod extract;
mod filter;
mod finding;
mod head;
mod json;
mod layer;
mod limits;
mod lints;
mod media;
mod path;
mod percent;
mod rule;
mod rules;

#[cfg(not(feature = "json-schema"))]
mod absent;
#[cfg(feature = "json-schema")]
mod openapi;
#[cfg(feature = "json-schema")]
mod schema;

#[cfg(not(feature = "json-schema"))]
use self::absent as schemas;
#[cfg(feature = "json-schema")]
use self::schema as schemas;

pub use self::{
    builder::RequestValidationLayerBuilder,
    extract::{ParsedJson, ValidatedJson},
    filter::{FilterVerdict, Inspected, RequestFilter},
    finding::SchemaStatus,
    layer::{RequestValidationLayer, ValidationGate},
    rule::Rule,
    rules::Rules,
};
#[cfg(feature = "json-schema")]
pub use self::{
    openapi::OpenApi,
    schema::{Parameter, Schema},
};
