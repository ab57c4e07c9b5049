//! What is known of a request: [`RequestContext`], made once, read by all.
//!
//! The outermost portcullis layer makes the context: one reading of the clock, the client's
//! address, the request id, the scheme, an empty [`Trail`]. It travels as one extension,
//! `Arc<RequestContext>`, and layers tell each other things only through it.
//!
//! With no configuration no proxy is trusted and the client is the TCP peer. To trust proxies, put
//! a [`RequestContextLayer`](crate::gate::RequestContextLayer) outermost (or use
//! [`Stack`](crate::stack::Stack), which does).
//!
//! # The client's address
//! What a client writes into `X-Forwarded-For` or `Forwarded` is what it likes; what a proxy of yours
//! writes to the right of it is true. So [`TrustedProxies`] says who your proxies are and which one
//! field they write, and the walk goes from the connection's peer to the left, for as long as it
//! meets trusted proxies. The first address that is none is the client. A hop that cannot be read ends
//! the walk, and so does one that hides its address: the client is then the last hop that could be
//! verified, for everything to the left may be an invention. [`Provenance`] says how it ended,
//! [`TrustedProxies::explain`] shows the walk.
//!
//! IPv4-mapped addresses and those of NAT64 (`64:ff9b::/96` before a global address) are the IPv4
//! addresses that they stand for. Zones are dropped from the peer's address, and unreadable in a
//! field. 6to4 addresses (`2002::/16`) stay IPv6, since anybody may run a relay that speaks for them;
//! an `IpFilterLayer` refuses them where it refuses the IPv4 address inside, and limits take a site's
//! /48 for one client.
//!
//! A walk through three hops allocates nothing; its length is bounded by 64 hops
//! and 8 KiB.

mod address;
mod api_version;
mod append_only;
mod arrival;
mod caller;
mod cidr;
mod cidr_index;
mod cidr_table;
mod client_ip;
mod context;
mod extract;
mod forwarded;
mod limits;
mod lints;
mod notes;
mod obligation;
mod path_param;
mod peer;
mod place;
mod proxies;
mod request_id;
mod scheme;
mod trail;
mod webhook;

pub(crate) use self::{
    address::behind_6to4, cidr_table::CidrTable, notes::MAX_NOTES, path_param::path_param, peer::CertificateFacts,
    trail::TrailName, webhook::VerifiedWebhookParts,
};
pub use self::{
    api_version::{ApiVersion, NotAVersion},
    cidr::{Cidr, CidrError},
    client_ip::{ClientIp, Network, Provenance},
    context::{ContextSettings, RequestContext},
    forwarded::{ForwardingHeader, HopVerdict, Walk, WalkedHop},
    limits::{QuotaStatus, RateLimitStatus},
    notes::{DataAccess, Notes},
    peer::{PeerCertificate, TlsPeer, UnixPeer},
    place::Place,
    proxies::{TrustedProxies, TrustedProxiesBuilder},
    request_id::RequestId,
    scheme::Scheme,
    trail::{Outcome, Trail, Verdict},
    webhook::VerifiedWebhook,
};
