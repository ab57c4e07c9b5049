//! What a request turns out to have cost.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use axum::response::Response;
use http::Method;
use http_body::Body as _;
use tokio::runtime::Handle;

use super::{
    Batch, Decision, Op, Rate, RateLimitHeaders, RateLimitStore, RateLimitUsage, StatusClass, Verdicts, cost::Source,
    headers::Stamp, outcome::Outcome, owned::OwnedCharge, picks::Pick, ruleset::RuleSet,
};
use crate::{
    gate::{BodyEnd, Watch, watch_response},
    request::RequestContext,
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// Charges whose real cost is not known yet.
///
/// Dropped without having been settled (the handler panicked, the client went away), the estimates
/// stand, unless the handler has said what it used.
pub(super) struct Settling(Option<Box<Open>>);

struct Open {
    store: Arc<dyn RateLimitStore>,
    rules: Arc<RuleSet>,
    context: Arc<RequestContext>,
    charged: Vec<Charged>,
    /// When that was.
    at: Timestamp,
    local: bool,
    usage: Option<RateLimitUsage>,
    headers: RateLimitHeaders,
}

struct Charged {
    pick: Pick,
    decision: Decision,
    /// Kept where the rule settles. The context tells it on entry alone: further in the caller and the route
    /// are found out, and then it tells another.
    bucket: Option<OwnedCharge>,
}

/// What is known at last.
#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    class: Option<StatusClass>,
    bytes: Option<u64>,
}

impl Settling {
    #[expect(clippy::too_many_arguments, reason = "it is made in one place, of what lies there in pieces")]
    pub(super) fn new(
        store: Arc<dyn RateLimitStore>,
        rules: Arc<RuleSet>,
        context: Arc<RequestContext>,
        (charged, at): (Vec<(Pick, Decision)>, Timestamp),
        texts: &[Box<[u8]>],
        local: bool,
        usage: Option<RateLimitUsage>,
        headers: RateLimitHeaders,
    ) -> Self {
        let keep = |(pick, decision)| {
            let rule = rules.rule(&pick).filter(|rule| rule.settles);
            let bucket = rule.and_then(|rule| rule.owned(&pick, local, &context, texts));
            Charged { pick, decision, bucket }
        };
        let charged = charged.into_iter().map(keep).collect();
        Self(Some(Box::new(Open { store, rules, context, charged, at, local, usage, headers })))
    }

    /// The response is there. If its body is to be waited for, it is watched, and there is nothing to
    /// say yet (`None`); else what the response is to say, at once or when the store has answered.
    pub(super) fn leave(
        mut self,
        response: &mut Response,
    ) -> Option<Result<Option<Stamp>, BoxFuture<'static, Option<Stamp>>>> {
        let open = self.0.take()?;
        let class = StatusClass::of(response.status());
        let is_head = *open.context.method() == Method::HEAD;
        let exact = if is_head { Some(0) } else { response.body().size_hint().exact() };
        if open.waits_for_body(class) && exact.is_none() {
            let watch = BodyWatch { settling: Self(Some(open)), class, bytes: 0 };
            watch_response(response, watch);
            return None;
        }
        let facts = Facts { class: Some(class), bytes: exact };
        let now = open.context.clock().now().monotonic;
        match open.settle_now(facts, now)? {
            Some(verdicts) => Some(Ok(open.stamp(facts, now, &verdicts))),
            None => Some(Err(Box::pin(unstoppable(async move {
                let answer = open.store.apply(&open.batch(facts, now)).await;
                report(&answer);
                answer.ok().and_then(|verdicts| open.stamp(facts, now, &verdicts))
            })))),
        }
    }

    /// Settles without anybody waiting for it.
    fn settle(&mut self, facts: Facts) {
        let Some(open) = self.0.take() else { return };
        let now = open.context.clock().now().monotonic;
        let Some(None) = open.settle_now(facts, now) else { return };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { report(&open.store.apply(&open.batch(facts, now)).await) });
        } else {
            tracing::warn!(target: "portcullis", "a cost was not settled: there is no runtime to do it in");
        }
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        let said = self.0.as_ref().and_then(|open| open.usage.as_ref()?.said());
        if said.is_some() {
            self.settle(Facts::default());
        }
    }
}

impl Open {
    /// Whether what it costs depends on what the body is, or on what is said before its end.
    fn waits_for_body(&self, class: StatusClass) -> bool {
        self.charged.iter().any(|Charged { pick, .. }| {
            self.rules.rule(pick).is_some_and(|rule| {
                let late = |source: &Source| matches!(source, Source::Bytes { .. } | Source::Reported);
                rule.status_cost(class).is_none() && rule.price(pick).is_some_and(|price| late(&price.source))
            })
        })
    }

    /// Tells the store: `None` if there is nothing to tell, or it could not be told, and `Some(None)` if
    /// the store does not answer at once.
    #[expect(clippy::option_option, reason = "there is something to tell, and it was told")]
    fn settle_now(&self, facts: Facts, now: Timestamp) -> Option<Option<Verdicts>> {
        let batch = self.batch(facts, now);
        if batch.is_empty() {
            return None;
        }
        let Some(answer) = self.store.try_now(&batch) else { return Some(None) };
        report(&answer);
        answer.ok().map(Some)
    }

    fn batch(&self, facts: Facts, now: Timestamp) -> Batch<'_> {
        let mut batch = Batch::new(now);
        for (_, bucket, op) in self.due(facts, now) {
            // As many places as there were charges.
            let _ = batch.push(bucket.charge(op));
        }
        batch
    }

    /// The differences.
    fn due(&self, facts: Facts, now: Timestamp) -> impl Iterator<Item = (&Pick, &OwnedCharge, Op)> {
        let age = now.since(self.at);
        self.charged.iter().filter_map(move |Charged { pick, decision, bucket }| {
            Some((pick, bucket.as_ref()?, self.difference(pick, decision, facts, age)?))
        })
    }

    fn difference(&self, pick: &Pick, decision: &Decision, facts: Facts, age: Duration) -> Option<Op> {
        let rule = self.rules.rule(pick)?;
        let actual = match facts.class.and_then(|class| rule.status_cost(class)) {
            Some(units) => units,
            None => match rule.price(pick)?.source {
                Source::Reported => self.usage.as_ref()?.said()?,
                Source::Bytes { per_unit } => facts.bytes?.div_ceil(per_unit.max(1)).max(1),
                Source::Fixed | Source::Header { .. } | Source::Computed { .. } => return None,
            },
        };
        let (actual, held) = (actual.min(Rate::MOST), pick.units);
        // Afterwards the estimate is refilled, or its window is over: what were given back then would be
        // another period's.
        let in_time = age < decision.full_after;
        if actual < held {
            return in_time.then(|| Op::Give(held.saturating_sub(actual)));
        }
        let windowed = || self.rules.limit(pick).is_some_and(|limit| limit.algorithm.is_windowed());
        (actual > held && (in_time || !windowed())).then(|| Op::Force(actual.saturating_sub(held)))
    }

    /// What the response is to say, now that it is settled.
    fn stamp(&self, facts: Facts, now: Timestamp, verdicts: &Verdicts) -> Option<Stamp> {
        let mut settled: Vec<_> = self.charged.iter().map(|charged| (charged.pick, charged.decision)).collect();
        for ((pick, ..), told) in self.due(facts, now).zip(verdicts.decisions()) {
            for (_, decision) in settled.iter_mut().filter(|(held, _)| held.rule == pick.rule) {
                *decision = *told;
            }
        }
        let asked: Vec<_> = settled.iter().filter_map(|(pick, told)| Some((self.rules.limit(pick)?, told))).collect();
        // What it tells of counts from now.
        let wall = self.context.clock().now().wall;
        let outcome = Outcome { asked: asked.iter().copied(), wall, degraded: self.local };
        outcome.stamp(self.headers)
    }
}

/// Counts the bytes of a response that pass, and settles at their end.
struct BodyWatch {
    settling: Settling,
    class: StatusClass,
    bytes: u64,
}

impl Watch for BodyWatch {
    fn pass(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    fn end(mut self, _: BodyEnd) {
        let facts = Facts { class: Some(self.class), bytes: Some(self.bytes) };
        self.settling.settle(facts);
    }
}

fn report(answer: &Result<Verdicts, StoreError>) {
    if let Err(error) = answer {
        tracing::warn!(target: "portcullis", error = error as &dyn std::error::Error, "a cost was not settled");
    }
}

/// Runs as a task, so that it is not abandoned half-way if nobody waits any more.
async fn unstoppable<T: Send + 'static>(future: impl Future<Output = Option<T>> + Send + 'static) -> Option<T> {
    match Handle::try_current() {
        Ok(runtime) => runtime.spawn(future).await.ok().flatten(),
        Err(_) => future.await,
    }
}

impl fmt::Debug for Settling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Settling").field(&self.0.as_ref().map(|open| open.charged.len())).finish()
    }
}
