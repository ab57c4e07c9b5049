//! Orders of layers that are dangerous, found at run time from the places a request passes.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::request::{Place, RequestContext};

/// `outer` belongs outside `inner`; if it does not, `consequence`.
struct Rule {
    outer: Place,
    inner: Place,
    consequence: &'static str,
    cure: &'static str,
}

const fn rule(outer: Place, inner: Place, consequence: &'static str, cure: &'static str) -> Rule {
    Rule { outer, inner, consequence, cure }
}

const CORS: &str = "preflights are refused, and an allowed origin's page cannot read the refusals";
const CORS_CURE: &str = "put CorsSecurityLayer outside (before) it, in the same ServiceBuilder";
const AUDIT: &str = "what the outer layer refuses leaves no audit record";
const AUDIT_CURE: &str = "put AuditLayer outermost";
const HEADERS: &str = "the outer layer's refusals lack the security headers";
const HEADERS_CURE: &str = "put SecurityHeadersLayer outside, next to AuditLayer";
const CONTEXT: &str = "its clock and trusted proxies come too late to be used";
const CONTEXT_CURE: &str = "put RequestContextLayer outermost";

const RULES: &[Rule] = &[
    rule(Place::Cors, Place::Auth, CORS, CORS_CURE),
    rule(Place::Cors, Place::RateLimit, CORS, CORS_CURE),
    rule(Place::Cors, Place::Scope, CORS, CORS_CURE),
    rule(Place::Cors, Place::Quota, CORS, CORS_CURE),
    rule(Place::Cors, Place::Webhook, CORS, CORS_CURE),
    rule(Place::Audit, Place::Cors, AUDIT, AUDIT_CURE),
    rule(Place::Audit, Place::Auth, AUDIT, AUDIT_CURE),
    rule(Place::Audit, Place::RateLimit, AUDIT, AUDIT_CURE),
    rule(Place::Audit, Place::Scope, AUDIT, AUDIT_CURE),
    rule(Place::Audit, Place::Quota, AUDIT, AUDIT_CURE),
    rule(Place::Audit, Place::Webhook, AUDIT, AUDIT_CURE),
    rule(
        Place::Audit,
        Place::Problem,
        "a body that the outer layer replaces is on record as one that the client did not want",
        AUDIT_CURE,
    ),
    rule(Place::SecurityHeaders, Place::Cors, HEADERS, HEADERS_CURE),
    rule(Place::SecurityHeaders, Place::Auth, HEADERS, HEADERS_CURE),
    rule(Place::SecurityHeaders, Place::RateLimit, HEADERS, HEADERS_CURE),
    rule(Place::SecurityHeaders, Place::Scope, HEADERS, HEADERS_CURE),
    rule(Place::SecurityHeaders, Place::Quota, HEADERS, HEADERS_CURE),
    rule(Place::SecurityHeaders, Place::Webhook, HEADERS, HEADERS_CURE),
    rule(Place::Context, Place::Audit, CONTEXT, CONTEXT_CURE),
    rule(Place::Context, Place::SecurityHeaders, CONTEXT, CONTEXT_CURE),
    rule(Place::Context, Place::Cors, CONTEXT, CONTEXT_CURE),
    rule(Place::Context, Place::Auth, CONTEXT, CONTEXT_CURE),
    rule(Place::Context, Place::RateLimit, CONTEXT, CONTEXT_CURE),
    rule(Place::Context, Place::Scope, CONTEXT, CONTEXT_CURE),
    rule(Place::Context, Place::Quota, CONTEXT, CONTEXT_CURE),
    rule(Place::Context, Place::Webhook, CONTEXT, CONTEXT_CURE),
    rule(Place::Auth, Place::Scope, "every call is refused with 500 misconfigured", "put AuthLayer outside ScopeLayer"),
    rule(
        Place::Problem,
        Place::Quota,
        "bare errors of the handler count as refusals, and cost no quota",
        "put ProblemLayer outside QuotaLayer",
    ),
    rule(
        Place::Auth,
        Place::Quota,
        "no caller has a plan yet: all are metered by the default plan, by address",
        "put AuthLayer outside QuotaLayer",
    ),
];

const _: () = assert!(RULES.len() < 64, "one bit each in REPORTED");

static REPORTED: AtomicU64 = AtomicU64::new(0);
const LATE_CONTEXT: u64 = 1 << 63;

/// A gate that has no place stands outside the context's layer, and has already made a context.
pub(super) fn enter_with_foreign_settings(context: &RequestContext) {
    if context.marks() == 0 && REPORTED.fetch_or(LATE_CONTEXT, Relaxed) & LATE_CONTEXT == 0 {
        tracing::warn!(
            target: "portcullis",
            layer = "context",
            consequence = CONTEXT,
            cure = CONTEXT_CURE,
            "dangerous order of layers"
        );
    }
}

/// Marks `place` as entered, and warns, once for each rule and process, if it was entered too late.
pub(super) fn enter(context: &RequestContext, place: Place, name: &'static str) {
    let before = context.mark(place.bit());
    // The common case: nothing that belongs inside has been passed already.
    if before < place.bit() || place == Place::Anywhere {
        return;
    }
    for (index, rule) in RULES.iter().enumerate() {
        // A second layer of the same place was right the first time.
        if rule.outer != place || before & rule.inner.bit() == 0 || before & place.bit() != 0 {
            continue;
        }
        let bit = 1_u64.checked_shl(u32::try_from(index).unwrap_or(0)).unwrap_or(0);
        if REPORTED.fetch_or(bit, Relaxed) & bit == 0 {
            tracing::warn!(
                target: "portcullis",
                layer = name,
                stands_inside = ?rule.inner,
                consequence = rule.consequence,
                cure = rule.cure,
                "dangerous order of layers"
            );
        }
    }
}
