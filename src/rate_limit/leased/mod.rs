//! Units bought ahead of use: a round trip for many requests.

mod drain;
mod exact;
mod hashed;
mod lease;
mod purchase;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed},
        },
    },
    time::Duration,
};

use dashmap::DashMap;

use self::{
    hashed::Hashed,
    lease::{Grant, Lease},
};
use super::{Batch, Charge, Decision, Op, RateLimitStore, Verdicts};
use crate::{
    store::{BoxFuture, StoreError},
    time::{Clock, SystemClock, Timestamp},
};

/// Most requests are answered by what is held here; one in a hundred asks the store.
const MOST: u64 = 100;
const NODES: u64 = 8;
const HOLD: Duration = Duration::from_secs(1);
/// Some 300 bytes each.
const LEASES: usize = 10_000;

/// A [`RateLimitStore`] before another one: buys units of a bucket in advance, and spends them here.
///
/// For keys that are too hot for a round trip with each request. A request that finds its units here is
/// answered at once ([`try_one`](RateLimitStore::try_one), [`try_now`](RateLimitStore::try_now)), like one on the
/// memory store.
///
/// ```
/// use std::time::Duration;
/// use portcullis::backend::memory::MemoryStore;
/// use portcullis::rate_limit::{Key, LeasedStore, Rate, RateLimitLayer, Rule};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // In production a store that several machines share.
/// let store = LeasedStore::new(MemoryStore::new()).nodes(4).exact("login");
/// let layer = RateLimitLayer::builder(store.clone())
///     .rule(Rule::new("capacity", Key::global(), Rate::per_second(50_000)))
///     .rule(Rule::new("login", Key::ip(), Rate::per_minute(5)))
///     .build()?;
/// // When the last request has been answered:
/// store.drain().await?;
/// # drop(layer); Ok(()) }
/// ```
///
/// # What it guarantees
/// * **It never lets more through than the store has granted.** A unit is spent only after the store
///   has taken it from the bucket, and once.
/// * A unit is spent at most [`hold`](Self::hold) after it was granted, and never after the bucket would
///   have been full again without it. So in any span of time no more pass than the limit allows in
///   that span and `hold` together: over a bucket of its own, a burst is at most what refills in `hold`
///   larger, and at most what each node holds.
/// * Units that are held are not there for other nodes, for at most `hold`; then they are given back,
///   with the next request for the key or by one of another key. How many they are goes by demand:
///   [`at_most`](Self::at_most) and a third of it for each node, or what it uses in three round trips
///   where that is more, up to sixteen times `at_most`. Near its cap a bucket is asked exactly: a node
///   buys until it has its share of half of what is left, and asks singly when that is no more than one.
/// * All or nothing, as everywhere: where one charge of a batch is refused, what the others had
///   been given is put back.
/// * A request that is refused was refused by the store.
///
/// The headers that clients see say what the store said last and what is held here.
///
/// # What is leased
/// Charges of [`Take`](Op::Take) by algorithms that [consent](super::Algorithm::leasable): token
/// buckets and fixed windows. Everything else, and the rules named by [`exact`](Self::exact), is asked of
/// the store each time: log-ins, one-time codes, payments. [`Op::Reset`] and [`Op::Give`] reach the
/// store; what other nodes hold, they keep.
///
/// # When it ends
/// [`drain`](Self::drain) gives everything back, and buys nothing any more. Where that is forgotten, the
/// last drop does so by a task, if there is a runtime, and nobody waits for it. After a crash what was
/// held is missing until the bucket has refilled: a limit that is too strict for a while.
///
/// Errors are the store's. While units are held, its outage is not noticed.
#[derive(Clone)]
pub struct LeasedStore {
    shared: Arc<Shared>,
}

/// A bucket under some parameters.
type LeaseKey = (u128, u64);

struct Shared {
    store: Arc<dyn RateLimitStore>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    leases: DashMap<LeaseKey, Arc<Lease>, Hashed>,
    /// When to look whether a lease is still used.
    visits: Mutex<VecDeque<(Timestamp, LeaseKey)>>,
    /// How far the requests' clock is ahead of ours, wrapping.
    offset: AtomicU64,
    /// How long a purchase takes, in microseconds, smoothed.
    trip: AtomicU64,
    drained: AtomicBool,
}

#[derive(Clone, Debug)]
struct Settings {
    most: u64,
    nodes: u64,
    hold: Duration,
    exact: Vec<Box<str>>,
}

impl Settings {
    /// How long a purchase should last.
    fn lasts(&self, trip: Duration) -> Duration {
        trip.saturating_mul(2).max(self.hold.checked_div(20).unwrap_or_default())
    }
}

impl LeasedStore {
    /// A store before another one.
    pub fn new(store: impl RateLimitStore) -> Self {
        let settings = Settings { most: MOST, nodes: NODES, hold: HOLD, exact: Vec::new() };
        Self::over(Arc::new(store), settings, Arc::new(SystemClock::new()))
    }

    fn over(store: Arc<dyn RateLimitStore>, settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                settings,
                clock,
                leases: DashMap::with_hasher(Hashed),
                visits: Mutex::default(),
                offset: AtomicU64::new(0),
                trip: AtomicU64::new(0),
                drained: AtomicBool::new(false),
            }),
        }
    }

    fn with(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.shared.settings.clone();
        change(&mut settings);
        Self::over(Arc::clone(&self.shared.store), settings, Arc::clone(&self.shared.clock))
    }

    /// The most units that this node buys of a bucket at a time. How many it buys goes by demand: as many as
    /// are used in two round trips or a twentieth of `hold`, whichever is longer. More are ordered when a
    /// third is left, or as many as are used in three round trips: several purchases are then under way.
    /// Default: 100.
    #[must_use]
    pub fn at_most(self, units: u64) -> Self {
        self.with(|settings| settings.most = units)
    }

    /// How many nodes share the store, about. More make each the more careful near the cap; fewer than
    /// there are, and some are refused while others still hold units. Default: 8.
    #[must_use]
    pub fn nodes(self, nodes: u32) -> Self {
        self.with(|settings| settings.nodes = nodes.max(1).into())
    }

    /// How long a unit is held unused. Default: 1 s.
    #[must_use]
    pub fn hold(self, hold: Duration) -> Self {
        self.with(|settings| settings.hold = hold)
    }

    /// The rule of that name is never leased: the store is asked with each request.
    #[must_use]
    pub fn exact(self, rule: impl Into<Box<str>>) -> Self {
        self.with(|settings| settings.exact.push(rule.into()))
    }

    /// The clock that leases end by; for tests, the one that requests are given. Default: the machine's.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        Self::over(Arc::clone(&self.shared.store), self.shared.settings.clone(), Arc::new(clock))
    }

    /// Gives back what is held, and asks the store with each request from now on. Waits for purchases
    /// under way, 5 s at most: what they bring later is given back then. Answers how many units were given back
    /// now.
    ///
    /// # Errors
    /// The store's first; the others have been tried.
    pub async fn drain(&self) -> Result<u64, StoreError> {
        self.shared.drain().await
    }
}

impl Shared {
    /// The lease of a charge, if it has one, and how many units the charge asks for.
    fn lease(&self, charge: &Charge<'_>) -> Option<(Arc<Lease>, u64)> {
        let units = Self::units(charge)?;
        let lease = Arc::clone(&*self.leases.get(&Self::key(charge))?);
        Some((lease, units))
    }

    fn key(charge: &Charge<'_>) -> LeaseKey {
        (charge.identity_hash(), charge.algorithm().id().parameters())
    }

    const fn units(charge: &Charge<'_>) -> Option<u64> {
        match charge.op() {
            Op::Take(units) if units > 0 => Some(units),
            _ => None,
        }
    }

    fn is_drained(&self) -> bool {
        self.drained.load(Acquire)
    }

    fn trip(&self) -> Duration {
        Duration::from_micros(self.trip.load(Relaxed))
    }

    /// The answer, if everything is here.
    fn here(self: &Arc<Self>, batch: &Batch<'_>) -> Option<Verdicts> {
        let now = batch.now();
        if let Some(charge) = batch.only() {
            let decision = self.here_alone(charge, now)?;
            let mut verdicts = Verdicts::new();
            // Eight places, none of them taken.
            let _ = verdicts.push(decision);
            return Some(verdicts);
        }
        let mut taken = Taken::default();
        for charge in batch.charges() {
            let (lease, units) = self.lease(charge)?;
            let grant = {
                let mut book = lease.book();
                if book.can_ever(units) { book.take(units, false, now) } else { None }
            }?;
            taken.0.push((lease, grant));
        }
        let mut verdicts = Verdicts::new();
        for (lease, grant) in &taken.0 {
            let mut book = lease.book();
            book.ask(grant.units);
            // As many decisions as charges.
            let _ = verdicts.push(book.decision(now));
            if book.runs_low() {
                drop(book);
                self.order(lease, now);
            }
        }
        taken.spend();
        Some(verdicts)
    }

    /// The same of a batch of one: nothing has to be put back, so nothing is set aside, and the book is opened
    /// once.
    fn here_alone(self: &Arc<Self>, charge: &Charge<'_>, now: Timestamp) -> Option<Decision> {
        let units = Self::units(charge)?;
        let lease = self.leases.get(&Self::key(charge))?;
        let mut book = lease.book();
        if !book.can_ever(units) {
            return None;
        }
        book.take(units, false, now)?;
        book.ask(units);
        let decision = book.decision(now);
        if book.runs_low() {
            drop(book);
            self.order(&lease, now);
        }
        Some(decision)
    }

    fn visits(&self) -> std::sync::MutexGuard<'_, VecDeque<(Timestamp, LeaseKey)>> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was taken out for a request; dropped unspent (it was refused, or the caller went away), it is put
/// back.
#[derive(Debug, Default)]
struct Taken(Vec<(Arc<Lease>, Grant)>);

impl Taken {
    fn spend(mut self) {
        self.0.clear();
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        for (lease, grant) in self.0.drain(..).rev() {
            lease.book().put_back(grant);
        }
    }
}

impl RateLimitStore for LeasedStore {
    fn try_now(&self, batch: &Batch<'_>) -> Option<Result<Verdicts, StoreError>> {
        self.shared.here(batch).map(Ok)
    }

    fn try_one(&self, charge: &Charge<'_>, now: Timestamp) -> Option<Result<Decision, StoreError>> {
        self.shared.here_alone(charge, now).map(Ok)
    }

    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(async move {
            if let Some(verdicts) = self.shared.here(batch) {
                return Ok(verdicts);
            }
            if self.shared.buy(batch).await
                && let Some(verdicts) = self.shared.here(batch)
            {
                return Ok(verdicts);
            }
            self.shared.ask(batch).await
        })
    }
}

impl fmt::Debug for LeasedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeasedStore")
            .field("store", &self.shared.store)
            .field("settings", &self.shared.settings)
            .field("leases", &self.shared.leases.len())
            .finish_non_exhaustive()
    }
}
