//! One record of every request: [`AuditLayer`].
//!
//! Protects against not knowing: who did what, what was refused and why, and how much of the record
//! is missing (OWASP API10:2019, ASVS 5.0 V16, NIST SP 800-92). A request leaves **exactly one**
//! record, written at the end of the response's body, however it ends: answered, refused by any
//! layer, hung up by the client, panicked. The record holds every layer's verdict, in order.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::Request;
//! use portcullis::audit::{Audit, AuditLayer, MemorySink};
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! // In production: `JsonLines::file("/var/log/orders/audit.jsonl")?`
//! let sink = MemorySink::new();
//! let audit = AuditLayer::builder(sink.clone()).service("orders").query_values(["page"]).build().unwrap();
//! let handle = audit.handle();
//!
//! async fn order(audit: Audit) -> &'static str {
//!     audit.action("order.read").resource("order", "7");
//!     "an order"
//! }
//! let app = Router::new().route("/orders/{id}", get(order)).layer(ServiceBuilder::new().layer(audit));
//!
//! let request = Request::get("/orders/7?page=2&token=s3cret").body(Body::empty()).unwrap();
//! let response = app.oneshot(request).await.unwrap();
//! axum::body::to_bytes(response.into_body(), 1_024).await.unwrap();
//!
//! assert_eq!(handle.shutdown().await.written, 1);
//! let record = &sink.records()[0];
//! assert_eq!(record["route"], "/orders/{id}");
//! assert_eq!(record["query"], "page=2&token=***");
//! assert_eq!((&record["status"], &record["response_bytes"]), (&200.into(), &8.into()));
//! assert_eq!(record["action"], "order.read");
//! # }
//! ```
//!
//! # The record
//! One JSON object a line. Names and meanings are stable: `v` is 1; later versions of the crate may
//! add fields. What is unknown is `null`.
//!
//! | field | meaning |
//! |---|---|
//! | `v`, `kind` | 1; `request`, `gap` or `waiver` |
//! | `service` | [`AuditLayerBuilder::service`] |
//! | `stream`, `seq` | random name of this process's layer, and the line's number in it, from 0 without holes unless a sink failed |
//! | `timestamp` | arrival, RFC 3339 in UTC with microseconds |
//! | `request_id` | the id of the record too; the response's `X-Request-ID` |
//! | `level` | `INFO`, `WARN` (4xx, or aborted), `ERROR` (5xx, panic, failed, gap) |
//! | `outcome` | `completed`, `aborted` (the client hung up), `failed` (the body, or the service itself, ended with an error), `panic` |
//! | `method`, `scheme`, `route`, `path`, `query` | `route` is the template; path and query are redacted |
//! | `status` | `null` if there was no response |
//! | `duration_ms`, `duration_us` | from the arrival to the end of the body, by the monotonic clock |
//! | `request_bytes` | bytes of the request's body that were read, however framed |
//! | `response_bytes` | bytes of the response's body that were handed to the server |
//! | `client` | `ip`, `ip_source` (`peer`, `forwarded` …), `user_agent`, `geo` {`country`, `city`} |
//! | `user` | `id`, `email` (masked), `tenant`, `plan` |
//! | `auth` | `method`, `issuer`, `client_id`, `token_id`, `key_fingerprint`, `scopes` |
//! | `verdicts` | `layer` and `verdict` (`passed`, `answered`, or the rejection's code), in order |
//! | `rate_limit` | the tightest: `policy`, `limit`, `remaining`, `reset_at` |
//! | `quota` | `plan`, `used`, `limit`, `percent` (`null` without limit), `reset_at` |
//! | `webhook` | `provider`, `event_id`, `event_type`, `signed_at` |
//! | `error` | of a rejection: `code`, `message`, `severity`, `security_event`; never its source |
//! | `action`, `resources`, `data_access` | what the handler noted with [`Audit`] |
//!
//! A gap line has `v`, `kind`, `service`, `stream`, `seq`, `level` and `lost`: that many requests
//! have no record here. A waiver line tells that the owner of a layer has allowed a
//! [finding](crate::lint) about its configuration: `layer`, `code`, `severity`, `field`, `message`, `value`, `spec`
//! and `reason`, with the `timestamp` of the first request for which it was allowed. It is written once for each layer
//! and process, whichever way the layers are stacked.
//!
//! # What is never written
//! Headers (beside the user agent), bodies, claims, the source of an error. Of the query only the
//! names, and the values that [`AuditLayerBuilder::query_values`] names. Path segments, user agent,
//! notes, and the ids, names and scopes that a credential or webhook carries are searched, also
//! percent-encoded, for JWTs, API keys, e-mail addresses and card numbers (Luhn); what the client
//! chose, for long tokens, too. `[jwt]`, `[key]`, `[email]`, `[pan]`, `[token]` stand in their place.
//! What the client chose is searched before the queue. Control characters, line separators and bidi marks are
//! escaped, lengths are capped: no client can forge a line.
//!
//! # Where it stands, what it reads
//! Outermost, inside [`RequestContextLayer`](crate::gate::RequestContextLayer) only; what is outside
//! of it leaves no record. A layer that stands twice in a request's way (in a router and in one that
//! it is nested in) writes one record: the outer one. Put `CatchPanicLayer` inside: then the record
//! shows the 500 that the client got; caught outside, the outcome is `panic`, without a status. It reads everything in the [`RequestContext`](crate::request::RequestContext) and
//! leaves nothing. It lets every request through; a handler that takes [`Audit`] without it gets
//! 500 `misconfigured`.
//!
//! # When the sink is slow, full or gone
//! No request ever waits: records go through a bounded queue (8,192 by default) to one writer task,
//! spawned on the runtime of the first request. What does not fit, and what the sink fails to
//! write, is counted ([`AuditHandle::counts`]) and becomes a gap line, where it is missing, as soon as
//! there is room. [`AuditHandle::shutdown`] delivers everything accepted. `completed` means that the
//! server was handed the last byte, not that the client has read it.
//!
//! # Cost
//! Nothing is serialised in the request. It allocates the redacted path, the query and the user
//! agent where there are any, the user's id and masked address where there is a caller, one box
//! around a response body that is not empty, and two more where a request has a body; everything
//! else is shared with the context. The clock is read once more, at the end.

mod builder;
mod extract;
mod geo;
mod handle;
mod json;
mod layer;
mod lines;
mod queue;
mod record;
mod redact;
mod sink;
mod sinks;
mod ticket;
mod writer;

#[cfg(any(test, feature = "testing"))]
pub use self::sinks::MemorySink;
pub use self::{
    builder::AuditLayerBuilder,
    extract::Audit,
    geo::{Geo, GeoIp},
    handle::AuditHandle,
    layer::{AuditGate, AuditLayer, AuditPass},
    queue::AuditCounts,
    sink::{AuditBatch, AuditLevel, AuditLine, AuditSink},
    sinks::{JsonLines, TracingSink},
};

#[cfg(test)]
mod tests;
