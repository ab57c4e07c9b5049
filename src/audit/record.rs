//! What a record says, and how it is written. The field names are a promise: see the
//! [module](super).

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::BytesMut;
use http::StatusCode;

use super::{
    geo::{Geo, GeoIp},
    json::push_line,
    lines::{ErrorPart, GapLine, RequestLine, WaiverLine},
    sink::AuditLevel,
    ticket::Asked,
};
use crate::{
    lint::Issue,
    rejection::{Rejection, RejectionKind},
    request::RequestContext,
    time::Timestamp,
};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The response was handed on to its end.
    Completed,
    /// The client went away, before the response or within it.
    Aborted,
    /// The response's body ended with an error, or the inner service with one instead of a response.
    Failed,
    /// Something panicked, and nobody inside caught it.
    Panicked,
}

impl Ending {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Aborted => "aborted",
            Self::Failed => "failed",
            Self::Panicked => "panic",
        }
    }
}

/// One request, as it travels to the writer task: shared and small parts, nothing serialised.
pub(super) struct Record {
    pub(super) context: Arc<RequestContext>,
    pub(super) asked: Asked,
    pub(super) ending: Ending,
    pub(super) status: Option<StatusCode>,
    pub(super) rejection: Option<Rejection>,
    /// Masked.
    pub(super) email: Option<Box<str>>,
    pub(super) subject: Subject,
    pub(super) request_bytes: u64,
    pub(super) response_bytes: u64,
    pub(super) duration_us: u64,
    /// How many records were lost since the one before, and are not yet on record as a gap.
    pub(super) lost_before: u64,
}

/// Who called, as it may be written down.
pub(super) enum Subject {
    /// Nobody, as far as is known.
    Nobody,
    /// As the credential in the context says: there is nothing in it to be masked.
    AsVerified,
    Masked(Box<str>),
}

/// Writes lines, numbered in their order.
pub(super) struct Scribe {
    pub(super) service: Option<Arc<str>>,
    /// One name for each process and layer: numbers count within it.
    pub(super) stream: Box<str>,
    pub(super) geo: Option<Arc<dyn GeoIp>>,
    pub(super) next: u64,
}

impl Scribe {
    pub(super) fn request(&mut self, record: &Record, out: &mut BytesMut) -> Result<(), serde_json::Error> {
        let geo = self.locate(record);
        let mut line = RequestLine::new(record, self.level(record), geo.as_ref());
        line.seq = self.number();
        line.stream = &self.stream;
        line.service = self.service.as_deref();
        push_line(out, &line)
    }

    pub(super) fn waiver(
        &mut self,
        layer: &str,
        issue: &Issue,
        at: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), serde_json::Error> {
        let mut line = WaiverLine::new(layer, issue, at);
        line.seq = self.number();
        line.stream = &self.stream;
        line.service = self.service.as_deref();
        push_line(out, &line)
    }

    pub(super) fn gap(&mut self, lost: u64, out: &mut BytesMut) -> Result<(), serde_json::Error> {
        let seq = self.number();
        push_line(out, &GapLine::new(self.service.as_deref(), &self.stream, seq, lost))
    }

    /// By the status, as the seeds have it; without a status, by how the request ended.
    #[expect(clippy::unused_self, reason = "the place where a policy will stand")]
    pub(super) fn level(&self, record: &Record) -> AuditLevel {
        match (record.ending, record.status) {
            (Ending::Failed | Ending::Panicked, _) => AuditLevel::Error,
            (_, Some(status)) if status.is_server_error() => AuditLevel::Error,
            (_, Some(status)) if status.is_client_error() => AuditLevel::Warn,
            (Ending::Aborted, _) | (_, None) => AuditLevel::Warn,
            (Ending::Completed, Some(_)) => AuditLevel::Info,
        }
    }

    fn number(&mut self) -> u64 {
        let seq = self.next;
        self.next = seq.saturating_add(1);
        seq
    }

    fn locate(&self, record: &Record) -> Option<Geo> {
        let (geo, ip) = (self.geo.as_ref()?, record.context.client_ip().ip()?);
        catch_unwind(AssertUnwindSafe(|| geo.locate(ip))).ok().flatten()
    }
}

/// What a monitoring system files a refusal under. By the code first, then by the status: a
/// forged signature is not a forgotten password, though both are 401.
pub(super) fn security_event(kind: RejectionKind) -> Option<&'static str> {
    use RejectionKind as Kind;
    match kind {
        Kind::InvalidSignature | Kind::MalformedSignature | Kind::StaleTimestamp | Kind::UnsupportedAlgorithm => {
            Some("signature_validation_failure")
        }
        Kind::CredentialExposed => Some("credential_exposure"),
        Kind::HttpsRequired => Some("insecure_transport"),
        Kind::RateLimited => Some("rate_limit_exceeded"),
        Kind::QuotaExceeded => Some("quota_exceeded"),
        _ if kind.status() == StatusCode::UNAUTHORIZED => Some("authentication_failure"),
        _ if kind.status() == StatusCode::FORBIDDEN => Some("authorization_failure"),
        _ => None,
    }
}

impl<'a> ErrorPart<'a> {
    pub(super) fn of(rejection: &'a Rejection) -> Self {
        use crate::rejection::Severity;
        let kind = rejection.kind();
        let severity = match kind.severity() {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
        };
        Self { code: kind.code(), message: rejection.detail(), severity, security_event: security_event(kind) }
    }
}
