//! What limits would have made of a trace of requests: to choose one by trying it out.
//!
//! Nothing here asks a store or a clock. Time is the trace's own, and every decision is the one that the layer
//! would have made, because the same [`Algorithm::step`] makes it.
//!
//! ```
//! use std::time::Duration;
//! use portcullis::rate_limit::{Rate, Share, SimulatedLimit, TokenBucket, TraceRequest, recommend, simulate};
//!
//! // A page that sends ten requests at once, every twenty seconds, for an hour.
//! let trace: Vec<TraceRequest> =
//!     (0..1_800).map(|number| TraceRequest::at(Duration::from_secs(number / 10 * 20))).collect();
//!
//! let tight = SimulatedLimit::new("tight", TokenBucket::new(Rate::per_minute(30).burst(5))?);
//! let timeline = simulate(&[tight], &trace)?;
//! assert_eq!((timeline.admitted(), timeline.refused()), (900, 900));
//!
//! // What would let nearly all of it pass?
//! let proposals = recommend(&trace, Share::per_thousand(999));
//! let best = proposals.first().unwrap();
//! assert_eq!(best.rate, Rate::per_minute(30).burst(10));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod recommend;
mod timeline;

use std::{collections::HashMap, sync::Arc, time::Duration};

pub use self::{
    recommend::{Proposal, Share, recommend},
    timeline::{TimeSlice, Timeline, TraceOutcome},
};
use super::{Algorithm, Batch, BatchFull, Charge, ChargeKey, KeyPart, Op, Rule, State, Write};
use crate::{config_error::ConfigError, time::Timestamp};

/// When the time of a trace begins: a midnight in UTC, so that windows by the clock begin where one expects.
pub(super) const MIDNIGHT: Timestamp = Timestamp::from_secs(1_699_920_000);

/// One request of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceRequest {
    at: Duration,
    caller: u64,
    units: u64,
}

impl TraceRequest {
    /// A request so long after the trace began (at a midnight in UTC), by the only caller, of one unit.
    pub const fn at(after: Duration) -> Self {
        Self { at: after, caller: 0, units: 1 }
    }

    /// By another caller: any number that tells them apart.
    #[must_use]
    pub const fn by(mut self, caller: u64) -> Self {
        self.caller = caller;
        self
    }

    /// Of so many units.
    #[must_use]
    pub const fn units(mut self, units: u64) -> Self {
        self.units = units;
        self
    }

    /// How long after the trace began it came.
    pub const fn after(&self) -> Duration {
        self.at
    }
}

/// A limit that is tried out: every caller has a bucket of his own, unless it is [`shared`](Self::shared).
#[derive(Clone, Debug)]
pub struct SimulatedLimit {
    name: String,
    algorithm: Arc<dyn Algorithm>,
    shared: bool,
    cost: u64,
}

impl SimulatedLimit {
    /// A limit for each caller.
    pub fn new(name: impl Into<String>, algorithm: impl Algorithm) -> Self {
        Self::of(name, Arc::new(algorithm))
    }

    /// The same of an algorithm that is in use.
    pub fn of(name: impl Into<String>, algorithm: Arc<dyn Algorithm>) -> Self {
        Self { name: name.into(), algorithm, shared: false, cost: 1 }
    }

    /// What a rule allows to callers with this plan, or to those without one, away from its endpoints; with its
    /// cost, and shared by all if its key is [`Key::global`](super::Key::global). `None` where the rule does not
    /// limit them.
    ///
    /// # Errors
    /// If the rule's rate is none.
    pub fn of_rule(rule: &Rule, plan: Option<&str>) -> Result<Option<Self>, ConfigError> {
        let planned = rule.plans.iter().find(|(name, _)| Some(name.as_str()) == plan);
        let limit = planned.map_or(&rule.limit, |(_, limit)| limit);
        let algorithm = rule.algorithm_of(limit)?;
        let shared = rule.key.is_global();
        let cost = rule.cost.most();
        Ok(algorithm.map(|algorithm| Self { shared, cost, ..Self::of(rule.name.clone(), algorithm) }))
    }

    /// All callers share one bucket.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Runs a trace against limits that stand at one place: each request is charged to all of them, or to none. The
/// trace is taken in the order of its times.
///
/// A request that is delayed ([`LeakyQueue`](super::LeakyQueue)) counts as admitted, at the time of its turn.
///
/// # Errors
/// [`BatchFull`] if there are more than eight limits, which no layer takes either.
pub fn simulate(limits: &[SimulatedLimit], trace: &[TraceRequest]) -> Result<Timeline, BatchFull> {
    let mut sorted = trace.to_vec();
    sorted.sort_by_key(|request| request.at);
    let mut states: HashMap<(usize, u64), State> = HashMap::new();
    let outcomes = sorted.iter().map(|request| ask(limits, request, &mut states)).collect::<Result<_, _>>()?;
    Ok(Timeline::new(outcomes))
}

fn ask(
    limits: &[SimulatedLimit],
    request: &TraceRequest,
    states: &mut HashMap<(usize, u64), State>,
) -> Result<TraceOutcome, BatchFull> {
    let now = MIDNIGHT.saturating_add(request.at);
    let caller = request.caller.to_be_bytes();
    let owner = |limit: &SimulatedLimit| if limit.shared { 0 } else { request.caller };
    let mut batch = Batch::new(now);
    for limit in limits {
        let key = ChargeKey::new(limit.name.as_str());
        let key = if limit.shared { key } else { key.with(KeyPart::Bytes(&caller)).unwrap_or(key) };
        batch.push(Charge::new(key, &*limit.algorithm, Op::Take(request.units.saturating_mul(limit.cost))))?;
    }
    let mut steps = batch.step(now, |index| states.get(&(index, limits.get(index).map(owner)?)));
    for (index, limit) in limits.iter().enumerate() {
        match steps.take_write(index) {
            Write::Keep => {}
            Write::Set(state) => drop(states.insert((index, owner(limit)), state)),
            Write::Clear => drop(states.remove(&(index, owner(limit)))),
        }
    }
    Ok(TraceOutcome::of(request, &steps.verdicts))
}
