//! What is known of a request: [`RequestContext`], made once, read by all.
//!
//! The outermost portcullis layer makes the context: one reading of the clock, the client's
//! address, the request id, the scheme, an empty [`Trail`]. It travels as one extension,
//! `Arc<RequestContext>`, and layers tell each other things only through it.
//!
//! With no configuration no proxy is trusted and the client is the TCP peer. To trust proxies, put
//! a [`RequestContextLayer`](crate::gate::RequestContextLayer) outermost (or use
//! [`Stack`](crate::stack::Stack), which does).

mod api_version;
mod append_only;
mod client_ip;
mod context;
mod extract;
mod forwarded;
mod limits;
mod notes;
mod obligation;
mod path_param;
mod peer;
mod place;
mod proxies;
mod request_id;
mod trail;
mod webhook;

pub use self::{
    api_version::{ApiVersion, NotAVersion},
    client_ip::{ClientIp, Network, Provenance},
    context::{ContextSettings, RequestContext, Scheme},
    limits::{QuotaStatus, RateLimitStatus},
    notes::{DataAccess, Notes},
    peer::{PeerCertificate, TlsPeer},
    place::Place,
    proxies::TrustedProxies,
    request_id::RequestId,
    trail::{Outcome, Trail, Verdict},
    webhook::VerifiedWebhook,
};
pub(crate) use self::{
    notes::MAX_NOTES, path_param::path_param, peer::CertificateFacts, trail::TrailName, webhook::VerifiedWebhookParts,
};
