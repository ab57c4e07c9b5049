use std::{fmt, sync::Arc, time::Duration};

use axum::response::Response;
use http::Request;
use http_body::Body as _;

use super::{
    ConcurrencyLimitLayerBuilder,
    headers::Stamp,
    held::{AllHeld, Held, UntilTheEnd},
    limit::{Choice, Compiled},
    store::{Admission, ConcurrencyStore, PermitAsk},
};
use crate::{
    gate::{Entry, Gate, GateLayer, Leave, VerdictCounts, Waited, layer_of_gate, watch_response},
    rate_limit::checks::Unplaced,
    rejection::{Rejection, RejectionKind},
    request::{Place, RequestContext},
    store::StoreError,
};

/// Limits how many requests are under way at once. See the [module](super).
///
/// Clones share limits, store and counters.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimitLayer {
    gate: GateLayer<ConcurrencyLimitGate>,
}

impl ConcurrencyLimitLayer {
    /// Starts building. Layers and processes that share a store share the permits of limits that have
    /// the same name.
    pub fn builder(store: impl ConcurrencyStore + 'static) -> ConcurrencyLimitLayerBuilder {
        ConcurrencyLimitLayerBuilder::new(Arc::new(store))
    }

    pub(super) fn of(gate: ConcurrencyLimitGate) -> Self {
        Self { gate: GateLayer::new(gate) }
    }

    /// How often the layer said what.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

layer_of_gate!(ConcurrencyLimitLayer => ConcurrencyLimitGate, |layer| layer.gate.clone());

/// The gate of [`ConcurrencyLimitLayer`].
pub struct ConcurrencyLimitGate {
    store: Arc<dyn ConcurrencyStore>,
    limits: Vec<Compiled>,
    lease: Duration,
    retry_after: Option<Duration>,
    unplaced: Unplaced,
}

/// What is remembered of a request that was let through: its permits. Dropped, it releases them.
#[derive(Debug)]
pub struct ConcurrencyLimitPass {
    held: AllHeld,
    stamp: Stamp,
}

impl ConcurrencyLimitPass {
    const fn new() -> Self {
        Self { held: AllHeld::new(), stamp: Stamp { policy: None, rate: None } }
    }
}

/// How far a request came without waiting.
enum Progress {
    Through,
    /// The store is to be asked for this limit's permit, and those after it.
    Awaits(usize),
}

impl ConcurrencyLimitGate {
    pub(super) fn new(
        store: Arc<dyn ConcurrencyStore>,
        limits: Vec<Compiled>,
        lease: Duration,
        retry_after: Option<Duration>,
    ) -> Self {
        let unplaced = Unplaced::new(limits.iter().any(Compiled::needs_principal));
        Self { store, limits, lease, retry_after, unplaced }
    }

    /// `None` where the limit does not apply.
    fn ask<'a>(&self, limit: &'a Compiled, context: &'a RequestContext) -> Option<(PermitAsk<'a>, &'a Choice)> {
        let choice = limit.pick(context)?;
        let key = limit.key.of_request(limit.rule(), context, &[])?;
        Some((PermitAsk::new(key, choice.most, self.lease), choice))
    }

    fn take(
        &self,
        limit: &Compiled,
        choice: &Choice,
        answer: Result<Admission, StoreError>,
        pass: &mut ConcurrencyLimitPass,
    ) -> Result<(), Rejection> {
        match answer.map_err(Rejection::backend)? {
            Admission::Granted { permit, in_use } => {
                // A layer has no more limits than there are places.
                let _ = pass.held.push(Held::new(&self.store, permit, self.lease));
                if !limit.global {
                    pass.stamp.add(&choice.policy, &limit.quoted, choice.most.saturating_sub(in_use));
                }
                Ok(())
            }
            Admission::Refused { .. } => Err(self.refuse(limit, choice)),
        }
    }

    fn enter_now(&self, context: &RequestContext, pass: &mut ConcurrencyLimitPass) -> Result<Progress, Rejection> {
        for (index, limit) in self.limits.iter().enumerate() {
            let Some((ask, choice)) = self.ask(limit, context) else { continue };
            match self.store.acquire_now(&ask) {
                Some(answer) => self.take(limit, choice, answer, pass)?,
                None => return Ok(Progress::Awaits(index)),
            }
        }
        Ok(Progress::Through)
    }

    async fn enter_later(
        self: Arc<Self>,
        context: Arc<RequestContext>,
        mut pass: ConcurrencyLimitPass,
        from: usize,
    ) -> Result<ConcurrencyLimitPass, Rejection> {
        for limit in self.limits.iter().skip(from) {
            let Some((ask, choice)) = self.ask(limit, &context) else { continue };
            let answer = match self.store.acquire_now(&ask) {
                Some(answer) => answer,
                None => self.store.acquire(&ask).await,
            };
            self.take(limit, choice, answer, &mut pass)?;
        }
        Ok(pass)
    }

    /// What all callers do together is nobody's business: that answer is 503, without a number.
    fn refuse(&self, limit: &Compiled, choice: &Choice) -> Rejection {
        let rejection = if limit.global {
            Rejection::new(RejectionKind::Overloaded)
        } else {
            let mut stamp = Stamp::default();
            stamp.add(&choice.policy, &limit.quoted, 0);
            let rejection = Rejection::new(RejectionKind::RateLimited)
                .with_detail(format!("More than {} requests at once", choice.most))
                .with_member("limit", choice.most)
                .with_member("remaining", 0);
            stamp.fields().fold(rejection, |rejection, (name, value)| rejection.with_header(name, value))
        };
        let rejection = rejection.with_member("violated-policies", vec![String::from(&*limit.name)]);
        match self.retry_after {
            Some(after) => rejection.with_retry_after(after),
            None => rejection,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the store of permits panicked, or the runtime is shutting down")]
struct NotAsked;

impl<B: Send + 'static> Gate<B> for ConcurrencyLimitGate {
    const NAME: &'static str = "concurrency_limit";
    const PLACE: Place = Place::RateLimit;
    const RESPONSE_FIELDS: usize = 2;
    const EMITS: &'static [&'static str] = crate::gate::emitted::CONCURRENCY;
    type Pass = ConcurrencyLimitPass;

    fn enter(self: &Arc<Self>, _: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, ConcurrencyLimitPass> {
        self.unplaced.check(context, "concurrency_limit");
        let mut pass = ConcurrencyLimitPass::new();
        match self.enter_now(context, &mut pass) {
            Ok(Progress::Through) => Entry::Pass(pass),
            Ok(Progress::Awaits(from)) => {
                let (gate, context) = (Arc::clone(self), Arc::clone(context));
                Entry::wait(move |request| async move {
                    // A task of its own: a client who goes away while the store is asked would else leave
                    // a permit behind that nobody knows of.
                    let asked = tokio::spawn(gate.enter_later(context, pass, from)).await;
                    let result = asked.unwrap_or_else(|_| Err(Rejection::backend(StoreError::unavailable(NotAsked))));
                    Waited::settle(request, result)
                })
            }
            Err(rejection) => Entry::Reject(rejection),
        }
    }

    fn leave(
        self: &Arc<Self>,
        ConcurrencyLimitPass { held, stamp }: ConcurrencyLimitPass,
        response: &mut Response,
        _: &Arc<RequestContext>,
    ) -> Leave {
        stamp.write(response.headers_mut());
        if held.len() == 0 || response.body().is_end_stream() {
            return Leave::Done;
        }
        watch_response(response, UntilTheEnd(held));
        Leave::Done
    }
}

impl fmt::Debug for ConcurrencyLimitGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimitGate").field("limits", &self.limits.len()).finish_non_exhaustive()
    }
}
