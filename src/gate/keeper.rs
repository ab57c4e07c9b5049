use std::sync::{Arc, OnceLock};

use axum::response::Response;

use super::{Gate, counters::VerdictCounters, visit::report};
use crate::{
    rejection::{Rejection, render},
    request::{Outcome, RequestContext, TrailName},
};

/// A gate, and how often it said what.
pub(super) struct Keeper<G> {
    pub(super) gate: Arc<G>,
    /// What trails call the gate, once it is known.
    name: OnceLock<TrailName>,
    pub(super) counters: VerdictCounters,
}

impl<G> Keeper<G> {
    pub(super) fn new(gate: G) -> Self {
        Self { gate: Arc::new(gate), name: OnceLock::new(), counters: VerdictCounters::new() }
    }

    /// Counts a verdict, and records it.
    pub(super) fn record<B>(&self, outcome: Outcome, context: &RequestContext)
    where
        G: Gate<B>,
    {
        self.counters.count(outcome);
        context.trail().record(*self.name.get_or_init(|| TrailName::of(G::NAME)), outcome);
    }

    pub(super) fn answer<B>(&self, response: Response, context: &RequestContext) -> Response
    where
        G: Gate<B>,
    {
        self.record::<B>(Outcome::Answered, context);
        response
    }

    pub(super) fn refuse<B>(&self, rejection: Rejection, context: &RequestContext) -> Response
    where
        G: Gate<B>,
    {
        self.record::<B>(Outcome::Rejected(rejection.kind()), context);
        report(G::NAME, &rejection, context);
        render(rejection, Some(context.stamp()))
    }
}
