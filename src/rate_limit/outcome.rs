//! What a store's answer means for a request.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::{
    Decision, RateLimitHeaders,
    compiled::CompiledLimit,
    headers::{Stamp, is_tighter},
};
use crate::{
    rejection::{Rejection, RejectionKind},
    request::{RateLimitStatus, RequestContext},
    time::Timestamp,
};

/// The limits that were asked, each with its decision.
pub(super) struct Outcome<I> {
    pub(super) asked: I,
    pub(super) wall: Timestamp,
    /// Decided by this process alone, because the store was lost.
    pub(super) degraded: bool,
}

impl<'a, I: Iterator<Item = Asked<'a>> + Clone> Outcome<I> {
    /// What the response is to say, or the refusal.
    pub(super) fn conclude(
        self,
        allowed: bool,
        headers: RateLimitHeaders,
        context: &RequestContext,
    ) -> Result<Option<Stamp>, Rejection> {
        if !allowed {
            return Err(self.refuse(headers, context));
        }
        let tightest = tightest(self.own());
        if let Some((limit, decision)) = tightest {
            context.add_rate_limit(self.status(limit, decision));
        }
        Ok(Stamp::of(headers, self.own(), tightest, self.wall))
    }

    /// What all callers do together is nobody's business: it says how much load is missing.
    fn own(&self) -> impl Iterator<Item = Asked<'a>> + Clone + use<'a, I> {
        self.asked.clone().filter(|(limit, _)| !limit.global)
    }

    // Apart, so that what passes pays for none of it.
    #[cold]
    #[inline(never)]
    fn refuse(self, headers: RateLimitHeaders, context: &RequestContext) -> Rejection {
        let refused = || self.own().filter(|(_, decision)| !decision.allowed);
        let tightest = worst(refused()).or_else(|| tightest(self.own()));
        let status = tightest.map(|(limit, decision)| self.status(limit, decision));
        let stamp = Stamp::of(headers, self.own(), tightest, self.wall);
        let rejection = match (worst(refused()), &status) {
            (Some((limit, decision)), Some(status)) => limited(limit, decision, status),
            _ => Rejection::new(RejectionKind::Overloaded),
        };
        if let Some(status) = status {
            context.add_rate_limit(status);
        }
        let rejection = self.explain(rejection, |truth| headers.retry_after(truth, context.request_id()));
        let fields = stamp.into_iter().flat_map(|stamp| stamp.fields(headers));
        fields.fold(rejection, |rejection, (name, value)| rejection.with_header(name, value))
    }

    /// What the response is to say, now that more is known.
    pub(super) fn stamp(self, headers: RateLimitHeaders) -> Option<Stamp> {
        Stamp::of(headers, self.own(), tightest(self.own()), self.wall)
    }

    fn status(&self, limit: &CompiledLimit, decision: &Decision) -> RateLimitStatus {
        let reset_at = self.wall.saturating_add(decision.full_after);
        let policy = Arc::clone(&limit.policy);
        let status = RateLimitStatus::new(policy, decision.limit, decision.remaining, decision.next_after, reset_at);
        if self.degraded { status.degraded() } else { status }
    }

    /// Which limits refused, and when all of them will let it pass.
    fn explain(&self, rejection: Rejection, told: impl FnOnce(Duration) -> Duration) -> Rejection {
        let refused = || self.asked.clone().filter(|(_, decision)| !decision.allowed);
        let violated: Vec<Value> = refused().map(|(limit, _)| (*limit.policy).into()).collect();
        let rejection = rejection.with_member("violated-policies", violated);
        // One that will never pass: no time to name.
        if refused().any(|(_, decision)| decision.is_never()) {
            return rejection;
        }
        match refused().filter_map(|(_, decision)| decision.retry_after).max() {
            Some(truth) => rejection.with_retry_after(told(truth)),
            None => rejection,
        }
    }
}

fn limited(limit: &CompiledLimit, decision: &Decision, status: &RateLimitStatus) -> Rejection {
    Rejection::new(RejectionKind::RateLimited)
        .with_detail(limit.detail.to_string())
        .with_member("limit", decision.limit)
        .with_member("remaining", decision.remaining)
        .with_member("reset_at", status.reset_at.to_rfc3339())
}

pub(super) type Asked<'a> = (&'a Arc<CompiledLimit>, &'a Decision);

/// The smallest share left.
fn tightest<'a>(asked: impl Iterator<Item = Asked<'a>>) -> Option<Asked<'a>> {
    let share = |(_, decision): &Asked<'_>| (decision.remaining, decision.limit);
    asked.reduce(|held, other| if is_tighter(share(&other), share(&held)) { other } else { held })
}

/// The longest wait.
fn worst<'a>(refused: impl Iterator<Item = Asked<'a>>) -> Option<Asked<'a>> {
    refused.max_by_key(|(_, decision)| (decision.is_never(), decision.retry_after))
}
