//! [`RateLimitStore`] on Redis.
//!
//! A batch is one run of a script, alone or with others: it reads the server's clock and all states, lets
//! the algorithm's own program decide on each, and writes all or nothing. What it answers is the time and
//! the states it found; the decisions, with their remaining units and waits, are computed from those by the
//! algorithm's `step` here, which must come to the script's own conclusion.
//!
//! An algorithm without a program, or with numbers that its program cannot represent, is stepped here,
//! and its states are compared and swapped: see [`cas`].

mod address;
mod answer;
mod ask;
mod cas;
mod coach;
mod shapes;
mod spread;
mod text;
mod view;
mod words;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::{Mutex, OwnedMutexGuard};

use self::{
    answer::{Answer, Found, malformed},
    ask::{Ask, Asked},
    coach::{Arrival, Crowd},
    shapes::{Haste, Line, Shapes},
    view::View,
};
use super::{RedisStore, script::Invocation};
use crate::{
    rate_limit::{Batch, Op, RateLimitStore, Verdicts},
    store::{BoxFuture, StoreError},
};

/// State of one port.
#[derive(Debug)]
pub(super) struct Rates {
    shapes: Shapes,
    turns: Box<[Arc<Mutex<()>>]>,
    clock: Clock,
    company: Company,
    crowd: Crowd,
    /// The server keeps some keys only, as it has said.
    is_partial: AtomicBool,
}

/// Whether a run of a script may decide on several batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Company {
    #[default]
    Others,
    None,
}

/// Whose time counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Clock {
    #[default]
    Servers,
    /// The batch's: for tests that replay a trace.
    Callers,
}

impl Rates {
    /// Of so many keys that are compared and swapped, one at a time in this process.
    const TURNS: usize = 64;

    pub(super) fn new(clock: Clock, company: Company) -> Self {
        let turns = std::iter::repeat_with(Arc::default).take(Self::TURNS).collect();
        let (shapes, crowd) = (Shapes::default(), Crowd::default());
        Self { shapes, turns, clock, company, crowd, is_partial: AtomicBool::new(false) }
    }

    /// Not by a clock of the batch's own.
    fn can_share(&self, line: &Line) -> bool {
        let may = line.is_shared && self.clock == Clock::Servers && self.company == Company::Others;
        may && !self.is_partial.load(Relaxed)
    }

    /// What the scripts take for the time, if not the server's.
    fn time_argument(&self, batch: &Batch<'_>) -> Option<u64> {
        (self.clock == Clock::Callers).then(|| batch.now().as_micros())
    }

    /// How much longer than they last states are kept.
    fn slack(&self) -> Duration {
        match self.clock {
            Clock::Servers => Duration::from_millis(1),
            // It may stand still while keys expire.
            Clock::Callers => Duration::from_secs(3_600),
        }
    }

    /// The script for these charges, with each operation replaced by `op`'s.
    fn line(&self, batch: &Batch<'_>, asked: &[Asked<'_>], haste: Haste, op: impl Fn(Op) -> Op) -> Option<Arc<Line>> {
        if self.can_tell_time_of(batch) { self.shapes.line(asked, haste, op) } else { None }
    }

    /// Whether Lua can calculate with it.
    fn can_tell_time_of(&self, batch: &Batch<'_>) -> bool {
        self.clock == Clock::Servers || batch.now().as_micros() < 1 << 52
    }

    /// The turns of the keys, in ascending order, so that no two callers wait for each other.
    async fn turns(&self, asked: &[Asked<'_>]) -> Vec<OwnedMutexGuard<()>> {
        let mut places: Vec<usize> = asked.iter().map(|asked| asked.address.turn(Self::TURNS)).collect();
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
        // What few calls need lies in boxes of its own: this one is moved as a whole.
        Box::pin(async move {
            let asked = Asked::all(batch);
            if asked.is_empty() {
                return Ok(Verdicts::new());
            }
            if self.link.is_cluster() && !share_a_node(&asked) {
                return Box::pin(self.apply_spread(batch, &asked)).await;
            }
            match self.ask(batch, &asked).await? {
                Some(found) => View::of(found, batch, self.rates.clock)?.verdicts(batch),
                None => Box::pin(self.compare_and_swap(batch, &asked)).await,
            }
        })
    }
}

impl RedisStore {
    /// Charges whose keys lie on one server.
    async fn apply_together(&self, batch: &Batch<'_>, asked: &[Asked<'_>]) -> Result<Verdicts, StoreError> {
        match self.ask(batch, asked).await? {
            Some(found) => View::of(found, batch, self.rates.clock)?.verdicts(batch),
            None => self.compare_and_swap(batch, asked).await,
        }
    }

    /// What a script found and decided; `None` if no script can.
    async fn ask(&self, batch: &Batch<'_>, asked: &[Asked<'_>]) -> Result<Option<Found>, StoreError> {
        for haste in [Haste::IfItCan, Haste::None] {
            let Some(line) = self.rates.line(batch, asked, haste, |op| op) else { return Ok(None) };
            let is_quick = line.is_quick();
            let found = self.send(line, batch, asked).await?;
            if !found.is_too_great() {
                return Ok(Some(found));
            }
            if !is_quick {
                break;
            }
        }
        Ok(None)
    }

    async fn send(&self, line: Arc<Line>, batch: &Batch<'_>, asked: &[Asked<'_>]) -> Result<Found, StoreError> {
        // In a cluster each key has a server of its own; one that does not answer is asked by one at a time.
        if self.rates.can_share(&line)
            && !self.link.is_cluster()
            && !self.link.is_down()
            && let Arrival::Found(found) = self.ride(&line, asked).await
        {
            return found;
        }
        let mut alone = self.alone_on(line, batch, asked, |op| op);
        Box::pin(async move { self.find(&alone.invocation()).await }).await
    }

    /// What a run finds that is about one batch.
    async fn find(&self, run: &Invocation<'_>) -> Result<Found, StoreError> {
        let answer = Answer::read(self.link.answer(self.link.run(run)).await?)?;
        let charges = usize::MAX;
        answer.batches(charges).next().ok_or_else(malformed)
    }
}

fn share_a_node(asked: &[Asked<'_>]) -> bool {
    asked.windows(2).all(|pair| matches!(pair, [a, b] if a.address.subject() == b.address.subject()))
}
