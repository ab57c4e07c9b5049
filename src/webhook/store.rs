//! The port in which events are claimed: [`ReplayStore`].

use std::{fmt, sync::Arc, time::Duration};

use sha2::{Digest as _, Sha256};

use crate::{
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// One event at one endpoint: a digest of provider, endpoint name and event id. Of fixed size,
/// whatever the provider sends, so it fits any store's key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplayKey([u8; 32]);

impl ReplayKey {
    /// The key of an event. Each part is preceded by its length, so that no two triples share a key.
    pub fn new(provider: &str, endpoint: &str, event_id: &str) -> Self {
        let mut digest = Sha256::new();
        for part in [provider, endpoint, event_id] {
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for ReplayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", base16ct::HexDisplay(&self.0))
    }
}

impl fmt::Debug for ReplayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplayKey({self})")
    }
}

/// Which claim this is. A key's fence grows with every claim, so that one who was overtaken (its
/// lease ran out, another claimed) cannot settle what is no longer its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(u64);

impl Fence {
    /// A fence, made by a store.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// What a store says to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is yours until the lease ends.
    Fresh(Fence),
    /// Somebody else has it; the lease ends then, at the latest.
    InFlight {
        /// How long the lease still runs.
        retry_after: Duration,
    },
    /// It is done.
    Completed,
}

/// How a claim ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Done: to be remembered for so long.
    Complete {
        /// For how long a repetition is to be recognised.
        ttl: Duration,
    },
    /// Not done: the next copy may claim it at once.
    Release,
}

/// Remembers which events were processed, and who is at work on one.
///
/// An event is *claimed* with a lease before the handler runs, *completed* when it has succeeded
/// and *released* when it has not. If the process dies, the lease ends and the next copy may claim
/// it. Each operation must be atomic: `claim` is one compare-and-set, never a look followed by a
/// write. `now` is monotonic; a store shared by several machines uses its own server's clock. The
/// request waits for each answer, three seconds at most: give up earlier with [`StoreError::TimedOut`].
///
/// # A store of your own
/// ```
/// use std::{collections::HashMap, sync::Mutex, time::Duration};
/// use portcullis::{
///     store::{BoxFuture, StoreError},
///     time::Timestamp,
///     webhook::{Claimed, Fence, ReplayKey, ReplayStore, Settlement},
/// };
///
/// #[derive(Debug, Default)]
/// struct Table(Mutex<State>);
///
/// #[derive(Debug, Default)]
/// struct State {
///     rows: HashMap<ReplayKey, Row>,
///     fences: u64,
/// }
///
/// #[derive(Debug)]
/// struct Row { fence: Fence, done: bool, until: Timestamp }
///
/// impl ReplayStore for Table {
///     fn claim(&self, key: ReplayKey, lease: Duration, now: Timestamp) -> BoxFuture<'_, Result<Claimed, StoreError>> {
///         Box::pin(async move {
///             let mut state = self.0.lock().unwrap();
///             if let Some(row) = state.rows.get(&key).filter(|row| now < row.until) {
///                 let retry_after = row.until.since(now);
///                 return Ok(if row.done { Claimed::Completed } else { Claimed::InFlight { retry_after } });
///             }
///             if state.rows.len() >= 1_000 {
///                 state.rows.retain(|_, row| now < row.until);
///                 if state.rows.len() >= 1_000 {
///                     return Err(StoreError::Full);
///                 }
///             }
///             state.fences += 1;
///             let fence = Fence::new(state.fences);
///             state.rows.insert(key, Row { fence, done: false, until: now.saturating_add(lease) });
///             Ok(Claimed::Fresh(fence))
///         })
///     }
///
///     fn settle(
///         &self,
///         key: ReplayKey,
///         fence: Fence,
///         settlement: Settlement,
///         now: Timestamp,
///     ) -> BoxFuture<'_, Result<bool, StoreError>> {
///         Box::pin(async move {
///             let mut state = self.0.lock().unwrap();
///             let Some(row) = state.rows.get_mut(&key).filter(|row| row.fence == fence && !row.done) else {
///                 return Ok(false);
///             };
///             match settlement {
///                 Settlement::Complete { ttl } => (row.done, row.until) = (true, now.saturating_add(ttl)),
///                 Settlement::Release => drop(state.rows.remove(&key)),
///             }
///             Ok(true)
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), StoreError> {
/// let (store, key) = (Table::default(), ReplayKey::new("stripe", "billing", "evt_1"));
/// let (lease, now) = (Duration::from_secs(60), Timestamp::from_secs(1_000));
/// let Claimed::Fresh(first) = store.claim(key, lease, now).await? else { panic!() };
/// assert_eq!(store.claim(key, lease, now).await?, Claimed::InFlight { retry_after: lease });
///
/// // The lease ran out, another one claims: the first can no longer complete or release it.
/// let later = now.saturating_add(lease);
/// let Claimed::Fresh(second) = store.claim(key, lease, later).await? else { panic!() };
/// assert!(!store.settle(key, first, Settlement::Release, later).await?);
/// let done = Settlement::Complete { ttl: Duration::from_secs(86_400) };
/// assert!(store.settle(key, second, done, later).await?);
/// assert_eq!(store.claim(key, lease, later).await?, Claimed::Completed);
/// # Ok(()) }
/// ```
pub trait ReplayStore: fmt::Debug + Send + Sync + 'static {
    /// Claims an event until `now + lease`, unless it is claimed or completed.
    ///
    /// # Errors
    /// [`StoreError`]; the layer answers 503 and the handler does not run. A store at its bound
    /// says [`StoreError::Full`], and does not forget a live entry to make room.
    fn claim(&self, key: ReplayKey, lease: Duration, now: Timestamp) -> BoxFuture<'_, Result<Claimed, StoreError>>;

    /// Ends the claim with that fence; `false` (and nothing is changed) if it has been overtaken,
    /// settled or forgotten.
    ///
    /// # Errors
    /// [`StoreError`]; the layer logs it, and the claim ends with its lease.
    fn settle(
        &self,
        key: ReplayKey,
        fence: Fence,
        settlement: Settlement,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// The same without awaiting, for stores in memory; `None` if this store must be awaited. Must
    /// neither block nor panic: it is called from `Drop`.
    fn settle_now(
        &self,
        key: ReplayKey,
        fence: Fence,
        settlement: Settlement,
        now: Timestamp,
    ) -> Option<Result<bool, StoreError>> {
        let _ = (key, fence, settlement, now);
        None
    }
}

impl<S: ReplayStore + ?Sized> ReplayStore for Arc<S> {
    fn claim(&self, key: ReplayKey, lease: Duration, now: Timestamp) -> BoxFuture<'_, Result<Claimed, StoreError>> {
        (**self).claim(key, lease, now)
    }

    fn settle(
        &self,
        key: ReplayKey,
        fence: Fence,
        settlement: Settlement,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        (**self).settle(key, fence, settlement, now)
    }

    fn settle_now(
        &self,
        key: ReplayKey,
        fence: Fence,
        settlement: Settlement,
        now: Timestamp,
    ) -> Option<Result<bool, StoreError>> {
        (**self).settle_now(key, fence, settlement, now)
    }
}
