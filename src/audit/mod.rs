//! The record of every request.

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
    builder::AuditBuilder,
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
