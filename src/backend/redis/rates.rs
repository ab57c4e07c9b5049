//! [`RateLimitStore`] on Redis.
//!
//! A batch is one script: it reads the server's clock and all states, lets the algorithm's own program
//! decide on each, and writes all or nothing. What it answers is the time and the states it found; the
//! decisions, with their remaining units and waits, are computed from those by the algorithm's `step`
//! here, which must come to the script's own conclusion.
//!
//! An algorithm without a program, or with numbers that its program cannot represent, is stepped here,
//! and its states are compared and swapped: see [`cas`].

mod ask;
mod cas;
mod keys;
mod shapes;
mod spread;
mod view;
mod words;

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

use self::{
    ask::{Ask, Asked},
    shapes::Shapes,
    view::View,
};
use super::RedisStore;
use crate::{
    rate_limit::{Batch, RateLimitStore, Verdicts},
    store::{BoxFuture, StoreError},
};

/// State of one port.
#[derive(Debug)]
pub(super) struct Rates {
    shapes: Shapes,
    turns: Box<[Arc<Mutex<()>>]>,
    clock: Clock,
}

/// Whose time counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Clock {
    #[default]
    Servers,
    /// The batch's: for tests that replay a trace.
    #[cfg_attr(not(feature = "conformance"), expect(dead_code, reason = "chosen with that feature only"))]
    Callers,
}

impl Rates {
    /// Of so many keys that are compared and swapped, one at a time in this process.
    const TURNS: usize = 64;

    pub(super) fn new(clock: Clock) -> Self {
        let turns = std::iter::repeat_with(Arc::default).take(Self::TURNS).collect();
        Self { shapes: Shapes::default(), turns, clock }
    }

    /// What the scripts take for the time: a negative one asks the server.
    fn time_argument(&self, batch: &Batch<'_>) -> i64 {
        match self.clock {
            Clock::Servers => -1,
            Clock::Callers => i64::try_from(batch.now().as_micros()).unwrap_or(i64::MAX),
        }
    }

    /// Whether Lua can calculate with it.
    fn can_tell_time_of(&self, batch: &Batch<'_>) -> bool {
        self.clock == Clock::Servers || batch.now().as_micros() < 1 << 52
    }

    /// The turns of the keys, in ascending order, so that no two callers wait for each other.
    async fn turns(&self, asked: &[Asked<'_>]) -> Vec<OwnedMutexGuard<()>> {
        let mut places: Vec<usize> = asked.iter().map(|asked| asked.key.turn(Self::TURNS)).collect();
        places.sort_unstable();
        places.dedup();
        let mut held = Vec::with_capacity(places.len());
        for turn in places.into_iter().filter_map(|place| self.turns.get(place)) {
            held.push(Arc::clone(turn).lock_owned().await);
        }
        held
    }
}

/// One round trip, atomic, on the server's clock; [`Batch::now`] is not looked at.
///
/// **An answer that does not come** may have charged: who is told [`StoreError::TimedOut`], or drops the
/// future, does not know. Nothing is sent a second time because of that, so no request is charged twice.
///
/// **In a cluster** the buckets of one subject (the first part of the key) lie on one node, and are one
/// script. Charges of different subjects, an address and all callers together, are one script for each
/// subject, all at once; if one refuses or fails, what the others took is given back. For that instant a
/// concurrent request may be refused wrongly, none is admitted wrongly. If a node is lost between the
/// two steps, what was taken there stays taken. What is given back lands in the window of that moment.
impl RateLimitStore for RedisStore {
    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(async move {
            let asked: Vec<Asked<'_>> = batch.charges().map(|charge| Asked::of(&self.prefix, charge)).collect();
            if asked.is_empty() {
                return Ok(Verdicts::new());
            }
            if self.link.is_cluster() && !keys::share_a_node(&asked) {
                return self.apply_spread(batch, &asked).await;
            }
            self.apply_together(batch, &asked).await
        })
    }
}

impl RedisStore {
    /// Charges whose keys lie on one server.
    async fn apply_together(&self, batch: &Batch<'_>, asked: &[Asked<'_>]) -> Result<Verdicts, StoreError> {
        let Some(ask) = Ask::new(&self.rates, batch, asked) else { return self.compare_and_swap(batch, asked).await };
        match self.link.answer(self.link.run(&ask.take())).await? {
            // The numbers it found are too great for it.
            redis::Value::Int(0) => self.compare_and_swap(batch, asked).await,
            answer => View::read_for(answer, batch, self.rates.clock)?.verdicts(batch),
        }
    }
}
