use std::{sync::Arc, time::Duration};

use super::{layer::ShapingGate, room::Seat};
use crate::{rate_limit::Op, request::RequestContext};

/// A request that waits for its turn. If it goes away before, the place is given back.
pub(super) struct Turn {
    gate: Arc<ShapingGate>,
    context: Arc<RequestContext>,
    delay: Duration,
    ticket: u64,
    has_come: bool,
    /// Absent: the room is full, and nobody waits.
    seat: Option<Seat>,
}

impl Turn {
    pub(super) fn new(gate: &Arc<ShapingGate>, context: &Arc<RequestContext>, delay: Duration, ticket: u64) -> Self {
        let seat = gate.room().enter();
        Self { gate: Arc::clone(gate), context: Arc::clone(context), delay, ticket, has_come: false, seat }
    }

    pub(super) fn is_seated(&self) -> bool {
        self.seat.is_some()
    }

    /// Waits. The timer of the runtime counts, not the context's clock, which is read once for each
    /// request.
    pub(super) async fn come(mut self) {
        tokio::time::sleep(self.delay).await;
        self.has_come = true;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.has_come {
            let leave = Op::leave(self.gate.cost(), self.ticket);
            self.gate.give_back(leave, &self.context);
        }
    }
}
