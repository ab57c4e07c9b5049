//! Who may come in by address: allow and deny lists, and who is blocked for a while.
//!
//! An address proves nothing about who calls, but it is known before anything else is, so it is the
//! cheapest refusal there is: partners' networks on an admin API, the networks that an attack comes
//! from, single addresses that misbehave. [`IpFilterLayer`] decides by the one address that all layers
//! go by ([`ClientIp`](crate::request::ClientIp)), which clients cannot choose (CWE-348, CWE-290), and in
//! one form: `::ffff:192.0.2.1` is `192.0.2.1`.
//!
//! ```
//! use std::{net::SocketAddr, time::Duration};
//! use axum::{Router, body::Body, extract::ConnectInfo, routing::get};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     backend::memory::MemoryStore,
//!     blocks::BlockList,
//!     ip_filter::IpFilterLayer,
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let blocks = BlockList::new(MemoryStore::new());
//! let edge = IpFilterLayer::builder().deny(["198.51.100.0/24", "2001:db8:bad::/48"]).blocks(&blocks).build()?;
//! let admin = IpFilterLayer::builder().allow(["203.0.113.0/24"]).only_paths(["/admin"]).build()?;
//! let app = Router::new()
//!     .route("/", get(|| async { "hello" }))
//!     .route("/admin", get(|| async { "levers" }))
//!     .layer(ServiceBuilder::new().layer(edge).layer(admin));
//!
//! let ask = async |path: &str, ip: [u8; 4]| {
//!     let mut request = Request::get(path).body(Body::empty()).unwrap();
//!     request.extensions_mut().insert(ConnectInfo(SocketAddr::from((ip, 4711))));
//!     app.clone().oneshot(request).await.unwrap().status()
//! };
//! assert_eq!(ask("/", [192, 0, 2, 1]).await, StatusCode::OK);
//! assert_eq!(ask("/", [198, 51, 100, 7]).await, StatusCode::FORBIDDEN);
//! assert_eq!(ask("/admin", [192, 0, 2, 1]).await, StatusCode::FORBIDDEN);
//! assert_eq!(ask("/admin", [203, 0, 113, 9]).await, StatusCode::OK);
//!
//! // An attack, and the playbook's answer to it.
//! blocks.block_network("192.0.2.0/28".parse()?, Duration::from_secs(900), "flood, ticket 4711").await?;
//! assert_eq!(ask("/", [192, 0, 2, 1]).await, StatusCode::FORBIDDEN);
//! # Ok(()) }
//! ```
//!
//! # Which entry decides
//! Of all entries that an address is in, the one with the longest prefix; of two that are the same
//! network, the one on the deny list. An address on neither list is refused if there is an allow list
//! ([`IpLists::pass_unlisted`] lets it in), and passes if there is none. A 6to4 address is also refused
//! if the IPv4 address inside is denied. Who the lists let in is then looked for among the
//! [blocks](crate::blocks). A client without an address is refused if there is an allow list, and passes
//! otherwise; both can be set.
//!
//! A filter is only as good as the address: behind a proxy that is not among the trusted ones every
//! client has the proxy's. See [`TrustedProxies`](crate::request::TrustedProxies).
//!
//! # In the context
//! Reads the client's address and the wall clock's time. Leaves nothing; a dry run leaves a verdict of
//! `ip_filter.dry_run` in the trail.
//!
//! # In the stack
//! Inside `CorsSecurityLayer` and `ProblemLayer`, so that a page can read the refusal; outside everything
//! that costs more, which is everything else. Any number of them, on routers or single routes.
//!
//! # How it fails
//! | what happens | kind | status |
//! |---|---|---|
//! | denied, or on no list where there is an allow list | `address_refused` | 403 |
//! | blocked for a while | `address_refused`, with `Retry-After` | 403 |
//! | blocks have never been loaded, and their store does not answer | `backend_unavailable` | 503 |
//!
//! The client is not told which entry it was; the log is. A store that fails later changes nothing: the
//! last known blocks go on holding until they end.
//!
//! # Cost
//! A look-up takes a few steps through a trie that is made with the lists, for ten thousand networks
//! as for one (`scripts/icount` holds it to three times of one), and allocates nothing; blocks take one look-up
//! in a map for each length of prefix that was blocked. Lists of 100,000 entries are compiled in some
//! hundredths of a second and take some megabytes.

mod builder;
mod handle;
mod layer;
mod lints;
mod lists;
mod scope;
#[cfg(test)]
mod tests;

pub use self::{
    builder::IpFilterLayerBuilder,
    handle::IpFilterHandle,
    layer::{IpFilterGate, IpFilterLayer},
    lists::{IpLists, Judgement},
};
