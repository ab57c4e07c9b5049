//! The lines' shapes: version 1. Fields may be added; none changes its name or meaning.

use std::{fmt, net::IpAddr};

use serde::{Serialize, Serializer, ser::SerializeSeq as _};

use super::{
    geo::Geo,
    record::{Record, Subject},
    redact::{self, Author},
    sink::AuditLevel,
};
use crate::{
    identity::Principal,
    lint::Issue,
    request::{
        ClientIp, Notes, Provenance, QuotaStatus, RateLimitStatus, RequestContext, RequestId, Scheme, VerifiedWebhook,
    },
    time::Timestamp,
};

const VERSION: u8 = 1;
const MAX_TEXT: usize = 256;
const MAX_SCOPES: usize = 128;
const MAX_METHOD: usize = 32;

/// What a credential or a provider says: ids that may be long, but also whatever the issuer of it
/// put there.
fn searched(text: &str) -> String {
    redact::text(text, Author::Application, MAX_TEXT)
}

/// A client may invent methods of any length.
fn method(method: &str) -> &str {
    if method.len() > MAX_METHOD { "[long]" } else { method }
}

#[derive(Serialize)]
pub(super) struct RequestLine<'a> {
    v: u8,
    kind: &'static str,
    pub(super) service: Option<&'a str>,
    pub(super) stream: &'a str,
    pub(super) seq: u64,
    timestamp: String,
    request_id: Text<RequestId>,
    level: &'static str,
    outcome: &'static str,
    method: &'a str,
    scheme: Option<&'static str>,
    route: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    status: Option<u16>,
    duration_ms: u64,
    duration_us: u64,
    request_bytes: u64,
    response_bytes: u64,
    client: ClientPart<'a>,
    user: Option<UserPart<'a>>,
    auth: Option<AuthPart<'a>>,
    verdicts: Verdicts<'a>,
    rate_limit: Option<RateLimitPart<'a>>,
    quota: Option<QuotaPart>,
    webhook: Option<WebhookPart<'a>>,
    error: Option<ErrorPart<'a>>,
    action: Option<String>,
    resources: Vec<ResourcePart>,
    data_access: Vec<AccessPart>,
}

impl<'a> RequestLine<'a> {
    /// The number, stream and service are the scribe's to set.
    pub(super) fn new(record: &'a Record, level: AuditLevel, geo: Option<&'a Geo>) -> Self {
        let context = &*record.context;
        let Notes { action, resources, accesses, .. } = context.notes();
        let principal = context.principal();
        Self {
            v: VERSION,
            kind: "request",
            service: None,
            stream: "",
            seq: 0,
            timestamp: context.now().wall.to_rfc3339(),
            request_id: Text(context.request_id()),
            level: level.as_str(),
            outcome: record.ending.as_str(),
            method: method(context.method().as_str()),
            scheme: scheme(context.scheme()),
            route: context.route(),
            path: &record.asked.path,
            query: record.asked.query.as_deref(),
            status: record.status.map(|status| status.as_u16()),
            duration_ms: record.duration_us / 1_000,
            duration_us: record.duration_us,
            request_bytes: record.request_bytes,
            response_bytes: record.response_bytes,
            client: ClientPart::new(context.client_ip(), record.asked.user_agent.as_deref(), geo),
            user: principal.map(|principal| UserPart::new(principal, record)),
            auth: principal.map(AuthPart::new),
            verdicts: Verdicts(context),
            rate_limit: context.rate_limit().map(RateLimitPart::new),
            quota: context.quota().map(QuotaPart::new),
            webhook: context.webhook().map(WebhookPart::new),
            error: record.rejection.as_ref().map(ErrorPart::of),
            action,
            resources: resources.into_iter().map(|(kind, id)| ResourcePart { kind, id }).collect(),
            data_access: accesses
                .into_iter()
                .map(|(access, records)| AccessPart { access: access.as_str(), records })
                .collect(),
        }
    }
}

/// A value as the text that it shows.
struct Text<T>(T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Tells that records are missing here, and how many.
#[derive(Serialize)]
pub(super) struct GapLine<'a> {
    v: u8,
    kind: &'static str,
    service: Option<&'a str>,
    stream: &'a str,
    seq: u64,
    level: &'static str,
    lost: u64,
}

impl<'a> GapLine<'a> {
    pub(super) fn new(service: Option<&'a str>, stream: &'a str, seq: u64, lost: u64) -> Self {
        Self { v: VERSION, kind: "gap", service, stream, seq, level: AuditLevel::Error.as_str(), lost }
    }
}

/// Tells what the owner of a layer has allowed, and why.
#[derive(Serialize)]
pub(super) struct WaiverLine<'a> {
    v: u8,
    kind: &'static str,
    pub(super) service: Option<&'a str>,
    pub(super) stream: &'a str,
    pub(super) seq: u64,
    timestamp: String,
    level: &'static str,
    layer: &'a str,
    code: &'a str,
    severity: &'static str,
    field: &'a str,
    message: &'a str,
    value: Option<&'a str>,
    spec: &'a str,
    reason: &'a str,
}

impl<'a> WaiverLine<'a> {
    /// The number, stream and service are the scribe's to set.
    pub(super) fn new(layer: &'a str, issue: &'a Issue, at: Timestamp) -> Self {
        Self {
            v: VERSION,
            kind: "waiver",
            service: None,
            stream: "",
            seq: 0,
            timestamp: at.to_rfc3339(),
            level: AuditLevel::Warn.as_str(),
            layer,
            code: issue.code,
            severity: issue.severity.as_str(),
            field: &issue.field,
            message: &issue.message,
            value: issue.value.as_deref(),
            spec: issue.spec,
            reason: issue.allowed.as_deref().unwrap_or_default(),
        }
    }
}

#[derive(Serialize)]
struct ClientPart<'a> {
    ip: Option<Text<IpAddr>>,
    ip_source: &'static str,
    user_agent: Option<&'a str>,
    geo: Option<GeoPart<'a>>,
}

impl<'a> ClientPart<'a> {
    fn new(client: ClientIp, user_agent: Option<&'a str>, geo: Option<&'a Geo>) -> Self {
        let ip_source = match client.provenance() {
            Provenance::Peer => "peer",
            Provenance::Header { .. } => "forwarded",
            Provenance::AllTrusted => "all_trusted",
            Provenance::Malformed => "malformed",
            Provenance::Unknown => "unknown",
        };
        let geo = geo.map(|geo| GeoPart { country: &geo.country, city: geo.city.as_deref() });
        Self { ip: client.ip().map(Text), ip_source, user_agent, geo }
    }
}

#[derive(Serialize)]
struct GeoPart<'a> {
    country: &'a str,
    city: Option<&'a str>,
}

#[derive(Serialize)]
struct UserPart<'a> {
    id: &'a str,
    email: Option<&'a str>,
    tenant: Option<String>,
    plan: Option<String>,
}

impl<'a> UserPart<'a> {
    fn new(principal: &'a Principal, record: &'a Record) -> Self {
        Self {
            id: match &record.subject {
                Subject::Nobody => "",
                Subject::AsVerified => principal.subject(),
                Subject::Masked(subject) => subject,
            },
            email: record.email.as_deref(),
            tenant: principal.tenant().map(searched),
            plan: principal.plan().map(searched),
        }
    }
}

#[derive(Serialize)]
struct AuthPart<'a> {
    method: &'static str,
    issuer: Option<&'a str>,
    client_id: Option<String>,
    token_id: Option<String>,
    key_fingerprint: Option<&'a str>,
    scopes: Vec<String>,
}

impl<'a> AuthPart<'a> {
    fn new(principal: &'a Principal) -> Self {
        Self {
            method: principal.method().as_str(),
            issuer: principal.issuer(),
            client_id: principal.client().map(searched),
            token_id: principal.credential_id().map(searched),
            key_fingerprint: principal.fingerprint(),
            scopes: principal.scopes().iter().take(MAX_SCOPES).map(|scope| searched(&scope)).collect(),
        }
    }
}

/// The trail, in its order.
struct Verdicts<'a>(&'a RequestContext);

#[derive(Serialize)]
struct VerdictPart {
    layer: &'static str,
    verdict: &'static str,
}

impl Serialize for Verdicts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let trail = self.0.trail();
        let mut list = serializer.serialize_seq(None)?;
        for verdict in trail.iter() {
            list.serialize_element(&VerdictPart { layer: verdict.layer, verdict: verdict.outcome.as_str() })?;
        }
        if trail.overflowed() > 0 {
            list.serialize_element(&VerdictPart { layer: "…", verdict: "more" })?;
        }
        list.end()
    }
}

#[derive(Serialize)]
struct RateLimitPart<'a> {
    policy: &'a str,
    limit: u64,
    remaining: u64,
    reset_at: String,
}

impl<'a> RateLimitPart<'a> {
    fn new(status: &'a RateLimitStatus) -> Self {
        let RateLimitStatus { policy, limit, remaining, reset_at, .. } = status;
        Self { policy, limit: *limit, remaining: *remaining, reset_at: reset_at.to_rfc3339() }
    }
}

#[derive(Serialize)]
struct QuotaPart {
    plan: String,
    used: u64,
    limit: Option<u64>,
    percent: Option<u64>,
    reset_at: String,
}

impl QuotaPart {
    fn new(status: QuotaStatus) -> Self {
        let percent = status.percent();
        let QuotaStatus { plan, used, limit, reset_at } = status;
        Self { plan: plan.to_string(), used, limit, percent, reset_at: reset_at.to_rfc3339() }
    }
}

#[derive(Serialize)]
struct WebhookPart<'a> {
    provider: &'a str,
    event_id: String,
    event_type: Option<String>,
    signed_at: Option<String>,
}

impl<'a> WebhookPart<'a> {
    fn new(webhook: &'a VerifiedWebhook) -> Self {
        Self {
            provider: webhook.provider(),
            event_id: searched(webhook.event_id()),
            event_type: webhook.event_type().map(searched),
            signed_at: webhook.timestamp().map(Timestamp::to_rfc3339),
        }
    }
}

#[derive(Serialize)]
pub(super) struct ErrorPart<'a> {
    pub(super) code: &'static str,
    pub(super) message: &'a str,
    pub(super) severity: &'static str,
    pub(super) security_event: Option<&'static str>,
}

#[derive(Serialize)]
struct ResourcePart {
    kind: String,
    id: String,
}

#[derive(Serialize)]
struct AccessPart {
    access: &'static str,
    records: u64,
}

fn scheme(scheme: Scheme) -> Option<&'static str> {
    match scheme {
        Scheme::Http => Some("http"),
        Scheme::Https => Some("https"),
        Scheme::Unknown => None,
    }
}
