use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::response::Response;
use http::Request;
use serde_json::Value;
use tower_layer::Layer;

use super::{
    Batch, Decision, RateLimitHeaders, RateLimitLayerBuilder, RateLimitStore, Verdicts,
    compiled::{CompiledLimit, CompiledRule},
    headers::{Stamp, is_tighter},
    inline::Inline,
};
use crate::{
    gate::{Entry, Gate, GateLayer, Gated, Leave, VerdictCounts, Waited},
    rejection::{Rejection, RejectionKind},
    request::{Place, RateLimitStatus, RequestContext},
    store::StoreError,
};

/// Limits how fast callers may call. See the [module](super).
///
/// Clones share rules, store and counters.
#[derive(Clone, Debug)]
pub struct RateLimitLayer {
    gate: GateLayer<RateLimitGate>,
}

impl RateLimitLayer {
    /// Starts building. Several layers, and several processes, may share a store: rules of the
    /// same name then share their buckets, so give rules that are not the same names of their own.
    pub fn builder(store: impl RateLimitStore + 'static) -> RateLimitLayerBuilder {
        RateLimitLayerBuilder::new(Arc::new(store))
    }

    pub(super) fn of(gate: RateLimitGate) -> Self {
        Self { gate: GateLayer::new(gate) }
    }

    /// How often the layer said what.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }

    pub(crate) fn gate_layer(&self) -> GateLayer<RateLimitGate> {
        self.gate.clone()
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = Gated<RateLimitGate, S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.gate_layer().layer(inner)
    }
}

/// The gate of [`RateLimitLayer`].
pub struct RateLimitGate {
    store: Arc<dyn RateLimitStore>,
    rules: Vec<CompiledRule>,
    headers: RateLimitHeaders,
    /// Whether it is still to be found out that no `AuthLayer` stands outside, where one must.
    unchecked: AtomicBool,
}

/// What is remembered of a request that was let through: the header fields of its response.
#[derive(Debug)]
pub struct RateLimitPass(Option<Stamp>);

/// Which limit of which rule holds for a request.
#[derive(Clone, Copy, Debug)]
struct Pick {
    rule: usize,
    choice: usize,
}

type Picks = Inline<Pick, { Batch::MAX }>;

impl RateLimitGate {
    pub(super) fn new(store: Arc<dyn RateLimitStore>, rules: Vec<CompiledRule>, headers: RateLimitHeaders) -> Self {
        let unchecked = AtomicBool::new(rules.iter().any(CompiledRule::needs_principal));
        Self { store, rules, headers, unchecked }
    }

    /// A rule that goes by who calls is silent where nobody found that out: that must not go unseen.
    fn check_place(&self, context: &RequestContext) {
        if self.unchecked.load(Relaxed)
            && context.marks() & Place::Auth.bit() == 0
            && context.principal().is_none()
            && self.unchecked.swap(false, Relaxed)
        {
            tracing::warn!(
                target: "portcullis",
                layer = "rate_limit",
                consequence = "its rules by API key, principal, credential, tenant or plan apply to nobody",
                cure = "put AuthLayer outside it, or give those rules to a second RateLimitLayer inside AuthLayer",
                "no AuthLayer stands outside a layer that goes by who calls; this is said once"
            );
        }
    }

    /// Finds the limits that hold for a request, and puts their charges into a batch.
    fn ask<'a>(&'a self, batch: &mut Batch<'a>, context: &'a RequestContext, path: &str) -> Result<Picks, Rejection> {
        let mut picks = Picks::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let Some(choice) = rule.pick(context, path) else { continue };
            if let Some(charge) = rule.charge(choice, context) {
                batch.push(charge).map_err(|_| too_many())?;
                picks.push(Pick { rule: index, choice }).map_err(|_| too_many())?;
            }
        }
        Ok(picks)
    }

    /// The same batch, once the request itself is out of reach.
    fn ask_again<'a>(&'a self, picks: &Picks, context: &'a RequestContext) -> Batch<'a> {
        let mut batch = Batch::new(context.now().monotonic);
        let charges = picks.iter().filter_map(|pick| self.rules.get(pick.rule)?.charge(pick.choice, context));
        for charge in charges {
            // It fitted before.
            let _ = batch.push(charge);
        }
        batch
    }

    fn conclude(
        &self,
        picks: &Picks,
        answer: &Result<Verdicts, StoreError>,
        context: &RequestContext,
    ) -> Result<RateLimitPass, Rejection> {
        let verdicts = answer.as_ref().map_err(|error| Rejection::backend(error.clone()))?;
        if verdicts.len() != picks.len() {
            // Never an open door: a store that forgets a charge has not decided on it.
            return Err(Rejection::backend(StoreError::corrupt("as many verdicts as charges were expected")));
        }
        let limits = picks.iter().filter_map(|pick| self.rules.get(pick.rule)?.limit(pick.choice));
        let outcome = Outcome { asked: limits.zip(verdicts.decisions()), wall: context.now().wall };
        outcome.conclude(verdicts.allowed(), self.headers, context)
    }
}

fn too_many() -> Rejection {
    Rejection::misconfigured("more than eight rate limits hold at one place")
}

/// The limits that were asked, each with its decision.
struct Outcome<I> {
    asked: I,
    wall: crate::time::Timestamp,
}

impl<'a, I: Iterator<Item = (&'a CompiledLimit, &'a Decision)> + Clone> Outcome<I> {
    fn conclude(
        self,
        allowed: bool,
        headers: RateLimitHeaders,
        context: &RequestContext,
    ) -> Result<RateLimitPass, Rejection> {
        // What all callers do together is nobody's business: it says how much load is missing.
        let own = || self.asked.clone().filter(|(limit, _)| !limit.global);
        let refused = || own().filter(|(_, decision)| !decision.allowed);
        let tightest = if allowed { tightest(own()) } else { worst(refused()).or_else(|| tightest(own())) };
        let status = tightest.map(|(limit, decision)| self.status(limit, decision));
        let stamp = Stamp::of(headers, own(), status.as_ref());
        if allowed {
            if let Some(status) = status {
                context.add_rate_limit(status);
            }
            return Ok(RateLimitPass(Some(stamp)));
        }
        let rejection = match (worst(refused()), &status) {
            (Some((limit, decision)), Some(status)) => limited(limit, decision, status),
            _ => Rejection::new(RejectionKind::Overloaded),
        };
        if let Some(status) = status {
            context.add_rate_limit(status);
        }
        let rejection = self.explain(rejection, |truth| headers.retry_after(truth, context.request_id()));
        Err(stamp.fields().fold(rejection, |rejection, (name, value)| rejection.with_header(name, value)))
    }

    fn status(&self, limit: &CompiledLimit, decision: &Decision) -> RateLimitStatus {
        let reset_at = self.wall.saturating_add(decision.full_after);
        RateLimitStatus::new(
            Arc::clone(&limit.policy),
            decision.limit,
            decision.remaining,
            decision.next_after,
            reset_at,
        )
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

type Asked<'a> = (&'a CompiledLimit, &'a Decision);

/// The smallest share left.
fn tightest<'a>(asked: impl Iterator<Item = Asked<'a>>) -> Option<Asked<'a>> {
    let share = |(_, decision): &Asked<'_>| (decision.remaining, decision.limit);
    asked.reduce(|held, other| if is_tighter(share(&other), share(&held)) { other } else { held })
}

/// The longest wait.
fn worst<'a>(refused: impl Iterator<Item = Asked<'a>>) -> Option<Asked<'a>> {
    refused.max_by_key(|(_, decision)| (decision.is_never(), decision.retry_after))
}

impl<B: Send + 'static> Gate<B> for RateLimitGate {
    const NAME: &'static str = "rate_limit";
    const PLACE: Place = Place::RateLimit;
    const RESPONSE_FIELDS: usize = 5;
    type Pass = RateLimitPass;

    fn enter(self: &Arc<Self>, request: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, RateLimitPass> {
        self.check_place(context);
        let mut batch = Batch::new(context.now().monotonic);
        let picks = match self.ask(&mut batch, context, request.uri().path()) {
            Ok(_) if batch.is_empty() => return Entry::Pass(RateLimitPass(None)),
            Ok(picks) => picks,
            Err(rejection) => return Entry::Reject(rejection),
        };
        // By reference: an answer has room for eight decisions.
        if let Some(answer) = &self.store.try_now(&batch) {
            return self.conclude(&picks, answer, context).into();
        }
        let (gate, context) = (Arc::clone(self), Arc::clone(context));
        Entry::wait(move |request| async move {
            let answer = gate.store.apply(&gate.ask_again(&picks, &context)).await;
            Waited::settle(request, gate.conclude(&picks, &answer, &context))
        })
    }

    fn leave(self: &Arc<Self>, pass: RateLimitPass, response: &mut Response, _: &Arc<RequestContext>) -> Leave {
        if let Some(stamp) = pass.0 {
            stamp.write(response.headers_mut());
        }
        Leave::Done
    }
}

impl fmt::Debug for RateLimitGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitGate").field("rules", &self.rules.len()).finish_non_exhaustive()
    }
}
