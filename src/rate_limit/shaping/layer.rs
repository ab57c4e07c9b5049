use std::{fmt, sync::Arc};

use http::Request;

use super::{ShapingLayerBuilder, deadline::RequestDeadline, room::WaitingRoom, turn::Turn};
use crate::{
    gate::{Entry, Gate, GateLayer, VerdictCounts, Waited, layer_of_gate},
    rate_limit::{
        Batch, Charge, Decision, HashedRule, Key, LeakyQueue, Op, Rate, RateLimitStore, Verdicts, checks::Unplaced,
    },
    rejection::{Rejection, RejectionKind},
    request::{Place, RequestContext},
    store::StoreError,
    time::Timestamp,
};

/// Lets requests through at an even rate: those that come too fast wait for their turn. See the
/// [module](super).
///
/// Clones share queue, waiting room and counters.
#[derive(Clone, Debug)]
pub struct ShapingLayer {
    gate: GateLayer<ShapingGate>,
}

impl ShapingLayer {
    /// Starts building: a queue for each key, which goes on at this rate. The name is shown to clients
    /// that are refused, and is part of the queues' identity in the store: printable ASCII, up to 64
    /// characters.
    pub fn builder(
        store: impl RateLimitStore + 'static,
        name: impl Into<String>,
        key: Key,
        rate: Rate,
    ) -> ShapingLayerBuilder {
        ShapingLayerBuilder::new(Arc::new(store), name.into(), key, rate)
    }

    pub(super) fn of(gate: ShapingGate) -> Self {
        Self { gate: GateLayer::new(gate) }
    }

    /// How often the layer said what. Who waited and went ahead has passed.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }

    /// How many requests wait in this process, now.
    pub fn waiting(&self) -> usize {
        self.gate.gate().map_or(0, |gate| gate.room.waiting())
    }
}

layer_of_gate!(ShapingLayer => ShapingGate, |layer| layer.gate.clone());

/// The gate of [`ShapingLayer`].
pub struct ShapingGate {
    store: Arc<dyn RateLimitStore>,
    name: Box<str>,
    key: Key,
    queue: LeakyQueue,
    cost: u64,
    room: Arc<WaitingRoom>,
    unplaced: Unplaced,
}

impl ShapingGate {
    pub(super) fn new(
        store: Arc<dyn RateLimitStore>,
        name: Box<str>,
        key: Key,
        queue: LeakyQueue,
        cost: u64,
        seats: usize,
    ) -> Self {
        let unplaced = Unplaced::new(key.needs_principal());
        Self { store, name, key, queue, cost, room: WaitingRoom::new(seats), unplaced }
    }

    pub(super) fn room(&self) -> &Arc<WaitingRoom> {
        &self.room
    }

    pub(super) const fn cost(&self) -> u64 {
        self.cost
    }

    /// `None` where the key says nothing of the request.
    fn ask<'a>(&'a self, op: Op, now: Timestamp, context: &'a RequestContext) -> Option<Batch<'a>> {
        let key = self.key.of_request(HashedRule::from(&*self.name), context, &[])?;
        let mut batch = Batch::new(now);
        batch.push(Charge::new(key, &self.queue, op)).ok()?;
        Some(batch)
    }

    /// By a fresh reading of the clock: whether the turn has come depends on it.
    pub(super) fn give_back(self: &Arc<Self>, op: Op, context: &Arc<RequestContext>) {
        let now = context.clock().now().monotonic;
        let Some(batch) = self.ask(op, now, context) else { return };
        if self.store.try_now(&batch).is_some() {
            return;
        }
        // Without a runtime the place stays empty, as it does if the store fails.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (gate, context) = (Arc::clone(self), Arc::clone(context));
            runtime.spawn(async move {
                if let Some(batch) = gate.ask(op, now, &context) {
                    let _ = gate.store.apply(&batch).await;
                }
            });
        }
    }

    /// Whether it goes ahead, now or at its turn.
    fn conclude(
        self: &Arc<Self>,
        answer: &Result<Verdicts, StoreError>,
        context: &Arc<RequestContext>,
    ) -> Result<Option<Turn>, Rejection> {
        let verdicts = answer.as_ref().map_err(|error| Rejection::backend(error.clone()))?;
        let Some(decision) = verdicts.get(0) else {
            return Err(Rejection::backend(StoreError::corrupt("a verdict was expected")));
        };
        if !decision.allowed {
            return Err(self.refuse(decision));
        }
        if decision.delay().is_zero() {
            return Ok(None);
        }
        let turn = Turn::new(self, context, decision.delay(), decision.ticket());
        if turn.is_seated() {
            return Ok(Some(turn));
        }
        Err(Rejection::new(RejectionKind::Overloaded).with_retry_after(decision.delay()))
    }

    fn refuse(&self, decision: &Decision) -> Rejection {
        let rejection = if self.key.is_global() {
            Rejection::new(RejectionKind::Overloaded)
        } else {
            Rejection::new(RejectionKind::RateLimited)
                .with_detail("Too many requests are waiting, or the turn would come too late")
                .with_member("limit", decision.limit)
                .with_member("remaining", decision.remaining)
        };
        let rejection = rejection.with_member("violated-policies", vec![String::from(&*self.name)]);
        match decision.retry_after {
            Some(after) => rejection.with_retry_after(after),
            None => rejection,
        }
    }
}

impl<B: Send + 'static> Gate<B> for ShapingGate {
    const NAME: &'static str = "shaping";
    const PLACE: Place = Place::RateLimit;
    const EMITS: &'static [&'static str] = crate::gate::emitted::RATE_LIMIT;
    type Pass = ();

    fn enter(self: &Arc<Self>, request: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, ()> {
        self.unplaced.check(context, "shaping");
        let op = match request.extensions().get::<RequestDeadline>() {
            Some(deadline) => Op::take_within(self.cost, deadline.wait()),
            None => Op::Take(self.cost),
        };
        let now = context.present().monotonic;
        let Some(batch) = self.ask(op, now, context) else { return Entry::Pass(()) };
        if let Some(answer) = self.store.try_now(&batch) {
            return match self.conclude(&answer, context) {
                Ok(None) => Entry::Pass(()),
                Ok(Some(turn)) => Entry::wait(move |request| async move {
                    turn.come().await;
                    Waited::Pass(request, ())
                }),
                Err(rejection) => Entry::Reject(rejection),
            };
        }
        let (gate, context) = (Arc::clone(self), Arc::clone(context));
        Entry::wait(move |request| async move {
            let Some(batch) = gate.ask(op, now, &context) else { return Waited::Pass(request, ()) };
            let answer = gate.store.apply(&batch).await;
            match gate.conclude(&answer, &context) {
                Ok(turn) => {
                    if let Some(turn) = turn {
                        turn.come().await;
                    }
                    Waited::Pass(request, ())
                }
                Err(rejection) => Waited::Reject(rejection),
            }
        })
    }
}

impl fmt::Debug for ShapingGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShapingGate").field("name", &self.name).field("room", &self.room).finish_non_exhaustive()
    }
}
