//! Limits on GraphQL queries: how deep, how long, how often, and how much.
//!
//! One GraphQL request can ask for what a million REST requests ask for: fields nested without end, a
//! thousand log-ins under a thousand aliases, lists of lists. No limit on requests sees that.
//! [`GraphQlLimitLayer`] reads the request before a GraphQL server does, refuses what asks for too much, and
//! leaves what the rest costs, so that a rate limit can charge it. It needs no schema.
//!
//! ```
//! use axum::{Router, body::Body, routing::post};
//! use http::{Request, StatusCode};
//! use portcullis::graphql::GraphQlLimitLayer;
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let limits = GraphQlLimitLayer::builder().max_depth(4).build()?;
//! let app = Router::new()
//!     .route("/graphql", post(|body: String| async move { body }))
//!     .layer(ServiceBuilder::new().layer(limits));
//!
//! let ask = |query: &str| {
//!     Request::post("/graphql")
//!         .header("content-type", "application/json")
//!         .body(Body::from(serde_json::json!({ "query": query }).to_string()))
//! };
//! let fine = app.clone().oneshot(ask("{ user { orders { id } } }")?).await?;
//! assert_eq!(fine.status(), StatusCode::OK);
//!
//! // The fragment hides three more levels.
//! let deep = ask("{ user { friends { ...F } } } fragment F on User { friends { friends { id } } }")?;
//! assert_eq!(app.oneshot(deep).await?.status(), StatusCode::UNPROCESSABLE_ENTITY);
//! # Ok(()) }
//! ```
//!
//! # Limits
//! | what | by default | of |
//! |---|---|---|
//! | depth: nested fields, through fragments | 15 | each operation |
//! | aliases | 30 | the request |
//! | root fields | 30 | the request |
//! | directives | 50 | the request |
//! | tokens | 10,000 | the request |
//! | operations in a list | 10 | the request |
//! | cost, by [`QueryCosts`] | 10,000 | the request |
//! | introspection (`__schema`, `__type`) | refused | |
//! | GET | refused | |
//!
//! A batch is no way around them: what its operations have is added up. What stands in a fragment counts
//! wherever the fragment is spread. A fragment that spreads itself, one that is not there, and two of one
//! name are refused. Brackets and braces that add no depth are bounded, too: parsers recurse into them.
//!
//! # What it reads
//! A POST of `application/json` (`query`, `operationName`, `variables`; or a list of those) or
//! `application/graphql` (the document alone), in UTF-8 and not compressed. Other media types are 415, also
//! those that a page of another origin can send without a preflight. The body is handed on as it came. A
//! parameter or variable that is there twice is refused, since two parsers may take different ones.
//!
//! # Cost as a rate
//! What the request costs is left in the [`RequestContext`](crate::request::RequestContext) as
//! [`computed_cost`](crate::request::RequestContext::computed_cost). A rule of a `RateLimitLayer` that stands
//! inside charges it with `Cost::computed`; the layer that counts requests stays outside:
//!
//! ```
//! use axum::{Router, body::Body, routing::post};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     backend::memory::MemoryStore,
//!     graphql::{GraphQlLimitLayer, QueryCosts},
//!     rate_limit::{Cost, Key, Rate, RateLimitLayer, Rule},
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let points = Rule::new("points", Key::client(), Rate::per_minute(1_000)).cost(Cost::computed(1_000));
//! let app = Router::new().route("/graphql", post(|| async { "{}" })).layer(
//!     ServiceBuilder::new()
//!         .layer(GraphQlLimitLayer::builder().max_cost(1_000).costs(QueryCosts::new().weight("search", 20)).build()?)
//!         .layer(RateLimitLayer::builder(MemoryStore::new()).rule(points).build()?),
//! );
//! // A search for 30: the field and its one child, thirty times.
//! let ask = || {
//!     Request::post("/graphql")
//!         .header("content-type", "application/graphql")
//!         .body(Body::from("{ search(first: 30) { id } }"))
//! };
//! let response = app.clone().oneshot(ask()?).await?;
//! assert_eq!(response.headers()["x-ratelimit-remaining"], "370");
//! assert_eq!(app.oneshot(ask()?).await?.status(), StatusCode::TOO_MANY_REQUESTS);
//! # Ok(()) }
//! ```
//!
//! # Persisted queries
//! A request that names a document instead of sending it cannot be judged here, and is refused. With
//! [`allow_persisted_queries`](GraphQlLimitLayerBuilder::allow_persisted_queries) it passes and costs 1:
//! right where the build of your own clients stores the documents and nobody else can. *Automatic* persisted
//! queries, which any client stores by sending them once, are judged then, with the variables of that time;
//! later ones may ask for longer lists.
//!
//! # What it does not see
//! Messages of a WebSocket (the upgrade is a GET, and refused), and files as `multipart/form-data`: give
//! those routes of their own, with limits of the server behind. Types: `node` costs the same wherever it
//! stands. Numbers inside of input objects (`page: {first: 100}`).
//!
//! # Where it stands
//! On the route of the GraphQL server, or a router with nothing else; inside authentication and the limit on
//! requests, outside the limit on cost.
//!
//! # How it refuses
//! The statuses are those of GraphQL over HTTP:
//!
//! | what | kind | status |
//! |---|---|---|
//! | no JSON, no UTF-8, no GraphQL document (the member `offset` says where) | `invalid_request` | 400 |
//! | another method, a mutation by GET | `method_not_allowed` | 405 |
//! | a body that does not arrive, or is too large | `request_timeout`, `payload_too_large` | 408, 413 |
//! | another media type | `unsupported_media_type` | 415 |
//! | no GraphQL request; fragments that mean nothing; introspection | `unprocessable_content` | 422 |
//! | too much of something (the members `exceeded` and `limit` say of what) | `query_too_complex` | 422 |
//!
//! With [`graphql_errors`](GraphQlLimitLayerBuilder::graphql_errors) the body is that of a GraphQL server, in
//! the media type that the client accepts.
//!
//! # Cost of the layer
//! One pass over the document, without a tree, without recursion and with two lists: of fragments and of
//! where they are spread. Each fragment is summed up once. A document that uses a variable before it gives
//! it a default is read twice.

mod asked;
mod builder;
mod costs;
mod document;
mod fault;
mod judge;
mod layer;
mod lexer;
mod lints;
mod measure;
mod media;
mod variables;

pub use self::{
    builder::GraphQlLimitLayerBuilder,
    costs::QueryCosts,
    layer::{GraphQlLimitGate, GraphQlLimitLayer},
};

#[cfg(test)]
mod tests;
