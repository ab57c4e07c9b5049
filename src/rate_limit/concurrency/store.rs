use std::{fmt, sync::Arc, time::Duration};

use crate::{
    rate_limit::ChargeKey,
    store::{BoxFuture, StoreError},
};

/// What a store is asked: whether one more of this key may go ahead.
#[derive(Clone, Copy, Debug)]
pub struct PermitAsk<'a> {
    key: ChargeKey<'a>,
    limit: u64,
    lease: Duration,
}

impl<'a> PermitAsk<'a> {
    /// One more of `key`, of which `limit` may go ahead at once. A store that other processes use, too,
    /// takes the permit back after `lease` if nobody has said that it is still in use.
    pub const fn new(key: ChargeKey<'a>, limit: u64, lease: Duration) -> Self {
        Self { key, limit, lease }
    }

    /// Whose permits.
    pub const fn key(&self) -> &ChargeKey<'a> {
        &self.key
    }

    /// How many of them at once.
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// For how long a permit holds without a sign of life.
    pub const fn lease(&self) -> Duration {
        self.lease
    }
}

/// That a request may go ahead, until it is [released](ConcurrencyStore::release). The two numbers are
/// the store's own.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Permit {
    key: u128,
    serial: u64,
    is_leased: bool,
}

impl Permit {
    /// A permit that holds until it is released.
    pub const fn new(key: u128, serial: u64) -> Self {
        Self { key, serial, is_leased: false }
    }

    /// A permit that ends with its lease unless there are [signs of life](ConcurrencyStore::heartbeat).
    pub const fn leased(key: u128, serial: u64) -> Self {
        Self { key, serial, is_leased: true }
    }

    /// Whose it is.
    pub const fn key(&self) -> u128 {
        self.key
    }

    /// Which of them.
    pub const fn serial(&self) -> u64 {
        self.serial
    }

    /// Whether it needs signs of life.
    pub const fn is_leased(&self) -> bool {
        self.is_leased
    }

    /// For the signs of life: it is released once all the same.
    pub(super) const fn shadow(&self) -> Self {
        Self { ..*self }
    }
}

/// What a store answers to a [`PermitAsk`].
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may go ahead.
    Granted {
        /// To be released.
        permit: Permit,
        /// How many are ahead now, with this one.
        in_use: u64,
    },
    /// As many as may are ahead already.
    Refused {
        /// How many.
        in_use: u64,
    },
}

/// Counts who is ahead.
///
/// What must hold: of any number who ask at once, no more are granted than the limit says, counted with
/// those that were granted before and have not been released; and a released permit is free for the
/// next one. A store that cannot answer returns an error: the layer then answers 503, never "refused".
///
/// # A store of your own
/// ```
/// use std::{collections::HashMap, sync::{Mutex, PoisonError}, time::Duration};
/// use portcullis::{
///     rate_limit::concurrency::{Admission, ConcurrencyStore, Permit, PermitAsk},
///     store::{BoxFuture, StoreError},
/// };
///
/// #[derive(Debug, Default)]
/// struct Counts(Mutex<HashMap<u128, u64>>);
///
/// impl ConcurrencyStore for Counts {
///     fn acquire<'a>(&'a self, ask: &'a PermitAsk<'a>) -> BoxFuture<'a, Result<Admission, StoreError>> {
///         Box::pin(async move {
///             let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
///             let count = counts.entry(ask.key().identity_hash()).or_default();
///             if *count >= ask.limit() {
///                 return Ok(Admission::Refused { in_use: *count });
///             }
///             *count += 1;
///             let permit = Permit::new(ask.key().identity_hash(), 0);
///             Ok(Admission::Granted { permit, in_use: *count })
///         })
///     }
///
///     fn release(&self, permit: Permit) -> Option<BoxFuture<'static, Result<(), StoreError>>> {
///         let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
///         if let Some(count) = counts.get_mut(&permit.key()) {
///             *count -= 1;
///         }
///         None
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use portcullis::rate_limit::ChargeKey;
///
/// let (store, ask) = (Counts::default(), PermitAsk::new(ChargeKey::new("exports"), 1, Duration::from_secs(60)));
/// let Ok(Admission::Granted { permit, .. }) = store.acquire(&ask).await else { panic!() };
/// assert_eq!(store.acquire(&ask).await.unwrap(), Admission::Refused { in_use: 1 });
/// assert!(store.release(permit).is_none());
/// assert!(matches!(store.acquire(&ask).await, Ok(Admission::Granted { .. })));
/// # }
/// ```
pub trait ConcurrencyStore: fmt::Debug + Send + Sync + 'static {
    /// The answer, if it is known at once. `None` if [`acquire`](Self::acquire) is to be asked; nothing
    /// has been granted then. Must not block.
    fn acquire_now(&self, ask: &PermitAsk<'_>) -> Option<Result<Admission, StoreError>> {
        let _ = ask;
        None
    }

    /// The answer, when it is there. It is awaited in a task of its own, to the end: a client who goes
    /// away leaves no permit behind.
    fn acquire<'a>(&'a self, ask: &'a PermitAsk<'a>) -> BoxFuture<'a, Result<Admission, StoreError>>;

    /// Ends a permit; called in a `Drop`, so it must not block. `None` if it is done; else the future
    /// is spawned.
    fn release(&self, permit: Permit) -> Option<BoxFuture<'static, Result<(), StoreError>>>;

    /// Says that a leased permit is still in use, and will be for another lease. Asked three times in
    /// each lease. A store that has lost the permit grants it again: it *is* in use.
    fn heartbeat<'a>(&'a self, permit: &'a Permit, lease: Duration) -> BoxFuture<'a, Result<(), StoreError>> {
        let _ = (permit, lease);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl<S: ConcurrencyStore + ?Sized> ConcurrencyStore for Arc<S> {
    fn acquire_now(&self, ask: &PermitAsk<'_>) -> Option<Result<Admission, StoreError>> {
        (**self).acquire_now(ask)
    }

    fn acquire<'a>(&'a self, ask: &'a PermitAsk<'a>) -> BoxFuture<'a, Result<Admission, StoreError>> {
        (**self).acquire(ask)
    }

    fn release(&self, permit: Permit) -> Option<BoxFuture<'static, Result<(), StoreError>>> {
        (**self).release(permit)
    }

    fn heartbeat<'a>(&'a self, permit: &'a Permit, lease: Duration) -> BoxFuture<'a, Result<(), StoreError>> {
        (**self).heartbeat(permit, lease)
    }
}
