//! Who is kept out for a while: [`BlockList`], a handle that layers, playbooks and detectors share.
//!
//! A deny list says who never comes in, and is edited by people. A block is made by a program, or by
//! somebody at night: it has an end and a reason, and the next one ends by itself. An
//! [`IpFilterLayer`](crate::ip_filter::IpFilterLayer) refuses who is blocked; whatever finds out that
//! somebody should be (a handler, a counter of failed logins, the answer to an attack) holds a clone of
//! the handle.
//!
//! ```
//! use std::{net::SocketAddr, time::Duration};
//! use axum::{Router, body::Body, extract::ConnectInfo, routing::get};
//! use http::{Request, StatusCode};
//! use portcullis::{
//!     backend::memory::MemoryStore,
//!     blocks::BlockList,
//!     ip_filter::IpFilterLayer,
//!     request::{ClientIp, TrustedProxies},
//!     stack::Stack,
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let blocks = BlockList::new(MemoryStore::new());
//! let filter = IpFilterLayer::builder().blocks(&blocks).build()?;
//!
//! // A trap: no honest client asks for it.
//! let trap = get(move |client: ClientIp| async move {
//!     let _ = blocks.block(client, Duration::from_secs(3_600), "asked for /wp-login.php").await;
//!     StatusCode::NOT_FOUND
//! });
//! let app = Router::new().route("/", get(|| async {})).route("/wp-login.php", trap).layer(ServiceBuilder::new().layer(filter));
//!
//! let ask = async |path: &str, ip: [u8; 4]| {
//!     let mut request = Request::get(path).body(Body::empty()).unwrap();
//!     request.extensions_mut().insert(ConnectInfo(SocketAddr::from((ip, 4711))));
//!     app.clone().oneshot(request).await.unwrap()
//! };
//! assert_eq!(ask("/wp-login.php", [198, 51, 100, 7]).await.status(), StatusCode::NOT_FOUND);
//! let refused = ask("/", [198, 51, 100, 7]).await;
//! assert_eq!((refused.status(), &refused.headers()["retry-after"]), (StatusCode::FORBIDDEN, &"3600".parse()?));
//! assert_eq!(ask("/", [203, 0, 113, 9]).await.status(), StatusCode::OK);
//! # Ok(()) }
//! ```
//!
//! # Whom it blocks
//! [`BlockList::block`] takes a [`ClientIp`](crate::request::ClientIp), not a text out of a header: with
//! a field that anybody can write, an attacker has his victims blocked. It blocks the address only if
//! it is the client's own. Where the walk through the proxies ended at a proxy of yours, it refuses, and
//! so it does for loopback, for the networks of [`BlockListBuilder::trusted_proxies`] and for those that
//! [`BlockListBuilder::protect`] names. IPv6 is blocked by /64, which is what a client holds at least; a
//! 6to4 address is let in only if the IPv4 address inside is not blocked.
//!
//! # Where they are kept
//! Behind the port [`BlockStore`]: in memory for one process, on Redis for several. The list asks a
//! store in memory directly. Of any other it keeps a copy, which is brought up to date by a request that
//! comes more than a second ([`BlockListBuilder::refresh_every`]) after the last time; that request does
//! not wait for it. So a block that another process made holds here about a second later. Only the first
//! request, and one that comes after a pause of [ten seconds](BlockList::LONGEST_PAUSE), waits.
//!
//! If the store does not answer, the last known blocks go on holding until they end, and an event says
//! so. A list that has never been loaded knows nothing: what then happens is said by the layer that
//! asks (`IpFilterLayer` answers 503, unless it is told otherwise). At most 100,000 are held; one more
//! takes the place of the one that would end first.

mod block;
mod builder;
mod list;
mod pull;
mod store;
mod table;
#[cfg(test)]
mod tests;

pub use self::{
    block::{Block, BlockError},
    builder::BlockListBuilder,
    list::BlockList,
    store::{BlockChanges, BlockCursor, BlockStore},
};
pub(crate) use self::{list::Known, table::BlockTable};
