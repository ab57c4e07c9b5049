use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{
    CasBackend, Version,
    commit::Committed,
    plan::{Plan, Target},
    record::Record,
};
use crate::{
    rate_limit::{
        Batch, RateLimitStore, State, Verdicts, Write,
        contention::{Jitter, Reads, Turn, Turns},
    },
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// Longer than two round trips within a region by two orders of magnitude; shorter than anybody waits.
const TIME_BUDGET: Duration = Duration::from_millis(500);

/// What NTP keeps clocks within, with room.
const CLOCK_SKEW: Duration = Duration::from_secs(1);

/// A [`RateLimitStore`] over any [`CasBackend`]: loads a caller's record, steps it, swaps it for the
/// new one, and begins anew if somebody else was faster.
///
/// # What it guarantees
/// * **No update is lost**, and nobody passes who would not have passed, were everybody served one
///   after the other.
/// * **All or nothing.** All limits on one caller (with the same key parts, endpoints aside) stand in
///   one record, which one swap writes. Limits with different keys (the caller's, his address's,
///   everybody's) stand in several; they are swapped one after the other, and taken back if a later
///   one has been changed by somebody else. A concurrent request may for that instant be refused
///   wrongly; none is ever let through wrongly. If the process dies in between, or the backend fails
///   as the first is taken back, what was charged stays charged.
/// * **A lost answer is looked into**: if `swap` fails, the record shows whether the write arrived.
///
/// # Time
/// A backend has no clock, so each process steps with its own ([`Batch::now`]: the wall clock at its
/// start, and monotonic since). A record remembers the latest time it was stepped with; a process whose
/// clock is behind that by up to [`clock_skew`](Self::clock_skew) steps with that time, too. So a
/// bucket's time is that of the fastest clock, and no more passes than by that clock may. Clocks that are
/// further apart give callers a refill too much each time they take turns: keep them synchronized, or use
/// a store that has one (Redis, PostgreSQL).
///
/// # Cost
/// A request that passes takes two round trips, `load` and `swap`; one that is refused, `load` alone, and
/// requests of one process that wait for it share it: a caller who goes on asking though he is refused
/// costs one `load` at a time. In one process those who write a record take turns, so that a hot key
/// costs each of them those trips, and no storm of retries. Between processes, who loses a swap waits a
/// random time (full jitter, 1 ms doubling to 4 ms) and begins anew, within the
/// [time budget](Self::time_budget). For keys hotter than that, put a [`LeasedStore`](crate::rate_limit::LeasedStore) before it.
///
/// Its errors are the backend's, [`StoreError::TimedOut`] when the budget is spent, and
/// [`StoreError::Corrupt`] for a record that it cannot read.
#[derive(Clone)]
pub struct CasStore(Arc<Inner>);

pub(super) struct Inner {
    pub(super) backend: Arc<dyn CasBackend>,
    budget: Duration,
    pub(super) skew: Duration,
    turns: Turns<String>,
    reads: Reads<String, Arc<Found>>,
    pub(super) jitter: Jitter,
}

/// A record as it was loaded.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) version: Option<Version>,
    pub(super) record: Record,
}

impl CasStore {
    /// A store over a backend.
    pub fn new(backend: impl CasBackend) -> Self {
        Self(Arc::new(Inner {
            backend: Arc::new(backend),
            budget: TIME_BUDGET,
            skew: CLOCK_SKEW,
            turns: Turns::default(),
            reads: Reads::default(),
            jitter: Jitter::default(),
        }))
    }

    /// How long a batch may take, all rounds, waits and turns included; then it is
    /// [`StoreError::TimedOut`]. Default: 500 ms.
    #[must_use]
    pub fn time_budget(self, budget: Duration) -> Self {
        Self(Arc::new(Inner { budget, ..self.0.renewed() }))
    }

    /// How far the clocks of the processes may be apart. Default: 1 s. Zero for a single process: each
    /// batch is then stepped with exactly its own time, also if that goes back.
    #[must_use]
    pub fn clock_skew(self, skew: Duration) -> Self {
        Self(Arc::new(Inner { skew, ..self.0.renewed() }))
    }
}

impl Inner {
    /// The same settings; nobody is at work in it yet.
    fn renewed(&self) -> Self {
        Self {
            backend: Arc::clone(&self.backend),
            budget: self.budget,
            skew: self.skew,
            turns: Turns::default(),
            reads: Reads::default(),
            jitter: Jitter::default(),
        }
    }

    async fn apply(self: &Arc<Self>, batch: &Batch<'_>) -> Result<Verdicts, StoreError> {
        let plan = Plan::of(batch);
        let mut turn: Option<Turn<'_, String>> = None;
        let mut round = 0;
        loop {
            let found = self.load_all(&plan.targets).await?;
            let now = self.time(batch.now(), &found);
            let steps = batch.step(now, |charge| state(&plan, &found, charge));
            if (0..batch.len()).all(|charge| *steps.write(charge) == Write::Keep) {
                return Ok(steps.verdicts);
            }
            if turn.is_none() {
                let taken = self.turns.take(plan.targets.iter().map(|target| target.key.clone())).await;
                let stale = taken.waited;
                turn = Some(taken);
                if stale {
                    continue;
                }
            }
            if Committed::new(self, batch, &plan, now).commit(&found, &steps).await? {
                return Ok(steps.verdicts);
            }
            tokio::time::sleep(self.jitter.pause(round)).await;
            round = round.saturating_add(1);
        }
    }

    /// Side by side: limits with different keys cost one round trip, too.
    async fn load_all(self: &Arc<Self>, targets: &[Target]) -> Result<Vec<Arc<Found>>, StoreError> {
        if let [only] = targets {
            return Ok(vec![self.load(&only.key).await?]);
        }
        let mut loads = JoinSet::new();
        for (index, target) in targets.iter().enumerate() {
            let (store, key) = (Arc::clone(self), target.key.clone());
            loads.spawn(async move { store.load(&key).await.map(|found| (index, found)) });
        }
        let mut all = vec![Arc::default(); targets.len()];
        while let Some(loaded) = loads.join_next().await {
            let (index, found) = loaded.map_err(StoreError::unavailable)??;
            if let Some(place) = all.get_mut(index) {
                *place = found;
            }
        }
        Ok(all)
    }

    async fn load(&self, key: &str) -> Result<Arc<Found>, StoreError> {
        let read = async { load(&*self.backend, key).await.map(Arc::new) };
        self.reads.share(key.to_owned(), read).await
    }

    /// Never behind what the records were stepped with, within what clocks may differ by.
    fn time(&self, now: Timestamp, found: &[Arc<Found>]) -> Timestamp {
        let latest = found.iter().map(|found| found.record.at).max().unwrap_or(now);
        now.max(latest.min(now.saturating_add(self.skew)))
    }

    /// Writes a record, and says whether it is there now.
    pub(super) async fn swap(
        &self,
        key: &str,
        was: Option<&Version>,
        record: &Record,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let ttl = record.ttl(now, self.skew);
        match self.backend.swap(key, was, Bytes::from(record.encode()), ttl).await {
            Ok(done) => Ok(done),
            Err(error) => match load(&*self.backend, key).await {
                Ok(found) if found.record.nonce == record.nonce => Ok(true),
                _ => Err(error),
            },
        }
    }
}

pub(super) async fn load(backend: &dyn CasBackend, key: &str) -> Result<Found, StoreError> {
    let Some((version, bytes)) = backend.load(key).await? else { return Ok(Found::default()) };
    let record = Record::decode(&bytes).map_err(StoreError::corrupt)?;
    Ok(Found { version: Some(version), record })
}

fn state<'s>(plan: &Plan, found: &'s [Arc<Found>], charge: usize) -> Option<&'s State> {
    let (target, tag) = plan.place(charge)?;
    found.get(*target)?.record.state(tag)
}

impl RateLimitStore for CasStore {
    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(async move {
            let done = tokio::time::timeout(self.0.budget, self.0.apply(batch)).await;
            done.unwrap_or(Err(StoreError::TimedOut))
        })
    }
}

impl fmt::Debug for CasStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CasStore").field("backend", &self.0.backend).finish_non_exhaustive()
    }
}
