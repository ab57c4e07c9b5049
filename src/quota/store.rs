use std::{fmt, sync::Arc};

use super::{Period, QuotaSubject};
use crate::{
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// Units to be taken from somebody's allowance in one period, or to be given back to it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Charge {
    /// Whose allowance.
    pub subject: QuotaSubject,
    /// Which month's. Part of the key: a charge is never moved to another month.
    pub period: Period,
    /// How many units; at least 1.
    pub cost: u64,
    /// How many units the plan allows in the period; `None` is without limit.
    pub limit: Option<u64>,
    /// When the request arrived (wall clock).
    pub now: Timestamp,
}

impl Charge {
    /// A charge, for the tests of a store.
    pub fn new(subject: QuotaSubject, cost: u64, limit: Option<u64>, now: Timestamp) -> Self {
        Self { subject, period: Period::month_of(now), cost, limit, now }
    }

    /// Usage after this charge if `used` units were used before it; `None` if the limit does not
    /// allow it. This is the whole rule, and it does not overflow.
    pub fn after(&self, used: u64) -> Option<u64> {
        match self.limit {
            Some(limit) => used.checked_add(self.cost).filter(|after| *after <= limit),
            None => Some(used.saturating_add(self.cost)),
        }
    }
}

/// What became of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// The units were taken.
    Reserved {
        /// Units used in the period, these included.
        used: u64,
    },
    /// The limit does not allow it; nothing was taken.
    Exceeded {
        /// Units used in the period.
        used: u64,
    },
}

/// Where usage is kept. Implement this for a backend of yours; [`MemoryStore`] is one process's.
///
/// [`MemoryStore`]: crate::backend::memory::MemoryStore
///
/// A charge must be decided and taken in one atomic step ([`Charge::after`] is the decision), or
/// concurrent requests exceed the allowance. The key is the subject and the period; entries may be
/// dropped when the period has ended. Usage never becomes negative.
///
/// The layer calls the `try_` methods first, so that a store which can answer at once costs no boxed
/// future. The other two may be run as tasks of their own, so that a client who goes away can
/// neither lose a charge nor undo half of one.
///
/// # A store of your own
/// ```
/// use std::{collections::HashMap, future::ready, sync::{Mutex, PoisonError}};
/// use portcullis::{
///     quota::{Charge, QuotaStore, QuotaSubject, Reservation},
///     request::Network,
///     store::{BoxFuture, StoreError},
///     time::Timestamp,
/// };
///
/// #[derive(Debug, Default)]
/// struct Ledger { used: Mutex<HashMap<(String, u32), u64>> }
///
/// fn key(charge: &Charge) -> (String, u32) {
///     (charge.subject.to_key(), charge.period.id())
/// }
///
/// impl QuotaStore for Ledger {
///     fn reserve<'a>(&'a self, charge: &'a Charge) -> BoxFuture<'a, Result<Reservation, StoreError>> {
///         let mut all = self.used.lock().unwrap_or_else(PoisonError::into_inner);
///         let used = all.entry(key(charge)).or_insert(0);
///         let reservation = match charge.after(*used) {
///             Some(after) => {
///                 *used = after;
///                 Reservation::Reserved { used: after }
///             }
///             None => Reservation::Exceeded { used: *used },
///         };
///         Box::pin(ready(Ok(reservation)))
///     }
///
///     fn give_back<'a>(&'a self, charge: &'a Charge) -> BoxFuture<'a, Result<u64, StoreError>> {
///         let mut all = self.used.lock().unwrap_or_else(PoisonError::into_inner);
///         let used = all.entry(key(charge)).or_insert(0);
///         *used = used.saturating_sub(charge.cost);
///         Box::pin(ready(Ok(*used)))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), StoreError> {
/// let ledger = Ledger::default();
/// let anonymous = QuotaSubject::network(Network::Unknown);
/// let charge = Charge::new(anonymous, 2, Some(3), Timestamp::from_secs(1_700_000_000));
/// assert_eq!(ledger.reserve(&charge).await?, Reservation::Reserved { used: 2 });
/// assert_eq!(ledger.reserve(&charge).await?, Reservation::Exceeded { used: 2 });
/// assert_eq!(ledger.give_back(&charge).await?, 0);
/// # Ok(()) }
/// ```
pub trait QuotaStore: fmt::Debug + Send + Sync + 'static {
    /// [`reserve`](Self::reserve) for stores that can answer at once. Must not block.
    fn try_reserve(&self, charge: &Charge) -> Option<Result<Reservation, StoreError>> {
        let _ = charge;
        None
    }

    /// Takes the units if the limit allows it.
    ///
    /// # Errors
    /// The backend could not decide. The client then gets 503, and nothing counts as taken.
    fn reserve<'a>(&'a self, charge: &'a Charge) -> BoxFuture<'a, Result<Reservation, StoreError>>;

    /// [`give_back`](Self::give_back) for stores that can answer at once. Must neither block nor
    /// panic: it is called while a panic of the handler unwinds.
    fn try_give_back(&self, charge: &Charge) -> Option<Result<u64, StoreError>> {
        let _ = charge;
        None
    }

    /// Gives back the units of a charge that was reserved, to the period that it was reserved in,
    /// which may have ended. Called once at most for each. Returns the usage that is left.
    ///
    /// # Errors
    /// The backend could not do it. The units then stay used.
    fn give_back<'a>(&'a self, charge: &'a Charge) -> BoxFuture<'a, Result<u64, StoreError>>;
}

/// For one store behind several layers.
impl<S: QuotaStore + ?Sized> QuotaStore for Arc<S> {
    fn try_reserve(&self, charge: &Charge) -> Option<Result<Reservation, StoreError>> {
        (**self).try_reserve(charge)
    }

    fn reserve<'a>(&'a self, charge: &'a Charge) -> BoxFuture<'a, Result<Reservation, StoreError>> {
        (**self).reserve(charge)
    }

    fn try_give_back(&self, charge: &Charge) -> Option<Result<u64, StoreError>> {
        (**self).try_give_back(charge)
    }

    fn give_back<'a>(&'a self, charge: &'a Charge) -> BoxFuture<'a, Result<u64, StoreError>> {
        (**self).give_back(charge)
    }
}
