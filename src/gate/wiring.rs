//! Orders of layers that are dangerous, found at run time from the places a request passes.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use crate::request::{Place, RequestContext};

use Place::{
    ApiVersion, Audit, Auth, Context, Cors, GraphQl, IpFilter, Problem, Quota, RateLimit, RequireHttps, Scope,
    SecurityHeaders, Validation, Webhook,
};

/// `outer` belongs outside each of `inner`; if it does not, `consequence`.
struct Rule {
    outer: Place,
    inner: &'static [Place],
    consequence: &'static str,
    cure: &'static str,
}

const fn rule(outer: Place, inner: &'static [Place], consequence: &'static str, cure: &'static str) -> Rule {
    Rule { outer, inner, consequence, cure }
}

/// What may refuse a request.
const REFUSING: &[Place] =
    &[IpFilter, RequireHttps, ApiVersion, Auth, RateLimit, Scope, GraphQl, Quota, Validation, Webhook];
const REFUSING_OR_CORS: &[Place] =
    &[Cors, IpFilter, RequireHttps, ApiVersion, Auth, RateLimit, Scope, GraphQl, Quota, Validation, Webhook];

const CORS: &str = "preflights are refused, and an allowed origin's page cannot read the refusals";
const CORS_CURE: &str = "put CorsSecurityLayer outside (before) it, in the same ServiceBuilder";
const AUDIT: &str = "what the outer layer refuses leaves no audit record";
const AUDIT_CURE: &str = "put AuditLayer outermost";
const HEADERS: &str = "the outer layer's refusals lack the security headers";
const HEADERS_CURE: &str = "put SecurityHeadersLayer outside, next to AuditLayer";
const CONTEXT: &str = "its clock and trusted proxies come too late to be used";
const CONTEXT_CURE: &str = "put RequestContextLayer outermost";

const RULES: [Rule; 11] = [
    rule(Cors, REFUSING, CORS, CORS_CURE),
    rule(Audit, REFUSING_OR_CORS, AUDIT, AUDIT_CURE),
    rule(
        Audit,
        &[Problem],
        "a body that the outer layer replaces is on record as one that the client did not want",
        AUDIT_CURE,
    ),
    rule(SecurityHeaders, REFUSING_OR_CORS, HEADERS, HEADERS_CURE),
    rule(
        Context,
        &[
            Audit,
            SecurityHeaders,
            Cors,
            IpFilter,
            RequireHttps,
            ApiVersion,
            Auth,
            RateLimit,
            Scope,
            GraphQl,
            Quota,
            Validation,
            Webhook,
        ],
        CONTEXT,
        CONTEXT_CURE,
    ),
    rule(Auth, &[Scope], "every call is refused with 500 misconfigured", "put AuthLayer outside ScopeLayer"),
    rule(
        Problem,
        &[Quota],
        "bare errors of the handler count as refusals, and cost no quota",
        "put ProblemLayer outside QuotaLayer",
    ),
    rule(
        Auth,
        &[Quota],
        "no caller has a plan yet: all are metered by the default plan, by address",
        "put AuthLayer outside QuotaLayer",
    ),
    rule(
        Auth,
        &[Validation, GraphQl],
        "anybody's body is read and parsed, and limits by plan never apply",
        "put AuthLayer outside what reads bodies",
    ),
    rule(
        IpFilter,
        &[RateLimit, Auth, Quota],
        "addresses that are blocked still cost limits, signature checks and stores",
        "put IpFilterLayer outside them, inside CorsSecurityLayer",
    ),
    rule(
        RequireHttps,
        &[Auth],
        "a credential that came over plain text is used before it is refused",
        "put RequireHttpsLayer outside AuthLayer",
    ),
];

const _: () = assert!(Place::Anywhere as usize == INNER.len(), "a place for each row");

/// For each place, all that must not have been entered before.
const INNER: [u32; 15] = [
    inner_of(Context),
    inner_of(Audit),
    inner_of(SecurityHeaders),
    inner_of(Cors),
    inner_of(Problem),
    inner_of(IpFilter),
    inner_of(RequireHttps),
    inner_of(ApiVersion),
    inner_of(Auth),
    inner_of(RateLimit),
    inner_of(Scope),
    inner_of(GraphQl),
    inner_of(Quota),
    inner_of(Validation),
    inner_of(Webhook),
];

const fn inner_of(place: Place) -> u32 {
    let mut inner = 0;
    let mut rules: &[Rule] = &RULES;
    while let [rule, rest @ ..] = rules {
        if rule.outer as usize == place as usize {
            inner |= mask(rule.inner);
        }
        rules = rest;
    }
    inner
}

const fn mask(mut places: &[Place]) -> u32 {
    let mut mask = 0;
    while let [place, rest @ ..] = places {
        mask |= place.bit();
        places = rest;
    }
    mask
}

/// For each rule, the inner places that have been reported.
static REPORTED: [AtomicU32; RULES.len()] = [const { AtomicU32::new(0) }; RULES.len()];
static LATE_CONTEXT: AtomicBool = AtomicBool::new(false);

/// A gate that has no place stands outside the context's layer, and has already made a context.
pub(super) fn enter_with_foreign_settings(context: &RequestContext) {
    if context.marks() == 0 && !LATE_CONTEXT.swap(true, Relaxed) {
        tracing::warn!(
            target: "portcullis",
            layer = "context",
            consequence = CONTEXT,
            cure = CONTEXT_CURE,
            "dangerous order of layers"
        );
    }
}

/// Marks `place` as entered, and warns, once for each pair and process, if it was entered too late.
pub(super) fn enter(context: &RequestContext, place: Place, name: &'static str) {
    let before = context.mark(place.bit());
    let wrong = INNER.get(place as usize).map_or(0, |inner| before & inner);
    // The common case. And a second layer of the same place was right the first time.
    if wrong == 0 || before & place.bit() != 0 {
        return;
    }
    report(place, wrong, name);
}

#[cold]
fn report(outer: Place, wrong: u32, name: &'static str) {
    for (rule, reported) in RULES.iter().zip(&REPORTED).filter(|(rule, _)| rule.outer == outer) {
        for inner in rule.inner.iter().filter(|inner| wrong & inner.bit() != 0) {
            if reported.fetch_or(inner.bit(), Relaxed) & inner.bit() == 0 {
                tracing::warn!(
                    target: "portcullis",
                    layer = name,
                    stands_inside = ?inner,
                    consequence = rule.consequence,
                    cure = rule.cure,
                    "dangerous order of layers"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(before: u32, place: Place) -> u32 {
        if before & place.bit() == 0 { before & INNER[place as usize] } else { 0 }
    }

    #[test]
    fn the_order_of_a_stack_is_right_in_every_part() {
        let stack = [
            Context,
            Audit,
            SecurityHeaders,
            Cors,
            Problem,
            IpFilter,
            RequireHttps,
            RateLimit,
            ApiVersion,
            Auth,
            RateLimit,
            Scope,
            GraphQl,
            Quota,
            Validation,
            Webhook,
        ];
        for skipped in 0..stack.len() {
            let parts = stack.iter().enumerate().filter(|(index, _)| *index >= skipped).map(|(_, place)| *place);
            parts.fold(0, |before, place| {
                assert_eq!(wrong(before, place), 0, "{place:?}");
                before | place.bit()
            });
        }
    }

    #[test]
    fn each_rule_is_found_by_its_mask_and_contradicts_no_other() {
        for rule in &RULES {
            for inner in rule.inner {
                assert_eq!(wrong(inner.bit(), rule.outer), inner.bit(), "{:?} in {inner:?}", rule.outer);
                assert_eq!(wrong(rule.outer.bit(), *inner), 0, "{inner:?} in {:?}", rule.outer);
            }
        }
    }
}
