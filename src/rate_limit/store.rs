use std::{fmt, sync::Arc};

use super::{Batch, Charge, Decision, Verdicts};
use crate::{
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// Where the state of limits lives.
///
/// A store keeps one [`State`](super::State) for each identity ([`Charge::identity`](super::Charge::identity)
/// writes it as bytes, [`Charge::identity_hash`](super::Charge::identity_hash) is it in this process), and runs the charges of a
/// batch on them **atomically and all-or-nothing**: [`Batch::step`] computes it, the store makes
/// sure that nobody writes in between. What must hold:
///
/// * No update is lost: of any number of concurrent charges, exactly as many pass as would one
///   after the other.
/// * If one charge of a batch is refused, none is charged; what the steps write is written even so.
/// * A state may be dropped once [`Algorithm::expires_after`](super::Algorithm::expires_after) has
///   passed. To drop one earlier frees whoever owes it: drop the smallest debt.
/// * A store that cannot answer returns an error. The layer then answers 503, never "refused".
///
/// # A store of your own
/// A map behind a lock, complete. (It grows with the keys; [`MemoryStore`] does not.)
/// ```
/// use std::{collections::HashMap, sync::{Mutex, PoisonError}};
/// use portcullis::rate_limit::{Batch, RateLimitStore, State, Verdicts, Write};
/// use portcullis::store::{BoxFuture, StoreError};
///
/// #[derive(Debug, Default)]
/// struct MapStore(Mutex<HashMap<Vec<u8>, State>>);
///
/// impl RateLimitStore for MapStore {
///     fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
///         Box::pin(async move {
///             let keys: Vec<_> = batch.charges().map(|charge| charge.identity()).collect();
///             let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
///             let steps = batch.step(batch.now(), |index| states.get(&keys[index]));
///             for (index, key) in keys.into_iter().enumerate() {
///                 match steps.write(index) {
///                     Write::Keep => {}
///                     Write::Set(state) => { states.insert(key, state.clone()); }
///                     Write::Clear => { states.remove(&key); }
///                 }
///             }
///             Ok(steps.verdicts)
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use portcullis::rate_limit::{Charge, ChargeKey, Op, Rate, TokenBucket};
/// use portcullis::time::Timestamp;
///
/// let bucket = TokenBucket::new(Rate::per_minute(2)).unwrap();
/// let mut batch = Batch::new(Timestamp::from_secs(1_000));
/// batch.push(Charge::new(ChargeKey::new("everybody"), &bucket, Op::Take(1))).unwrap();
/// let store = MapStore::default();
/// assert!(store.apply(&batch).await.unwrap().allowed());
/// assert!(store.apply(&batch).await.unwrap().allowed());
/// assert!(!store.apply(&batch).await.unwrap().allowed());
/// # }
/// ```
///
/// [`MemoryStore`]: crate::backend::memory::MemoryStore
pub trait RateLimitStore: fmt::Debug + Send + Sync + 'static {
    /// The answer, if it is known at once: then nothing is awaited and nothing boxed. `None` if
    /// [`apply`](Self::apply) is to be asked; nothing has been charged then. Must not block.
    fn try_now(&self, batch: &Batch<'_>) -> Option<Result<Verdicts, StoreError>> {
        let _ = batch;
        None
    }

    /// The answer to a batch of this charge alone, asked at `now`, as most batches are: for a store that
    /// answers at once and has the room for seven more decisions to save. `None` if
    /// [`try_now`](Self::try_now) is to be asked; nothing has been charged then. Must not block.
    fn try_one(&self, charge: &Charge<'_>, now: Timestamp) -> Option<Result<Decision, StoreError>> {
        let _ = (charge, now);
        None
    }

    /// The answer, when it is there.
    ///
    /// The layer waits for it no longer than its
    /// [`store_budget`](super::RateLimitLayerBuilder::store_budget), asks one at a time while the store is
    /// down, and remembers refusals for a moment: a store need not do any of this.
    ///
    /// If the future is dropped before it is ready, it is the store's to say whether the batch has
    /// been charged; it must not have been charged in part.
    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>>;
}

impl<S: RateLimitStore + ?Sized> RateLimitStore for Arc<S> {
    fn try_now(&self, batch: &Batch<'_>) -> Option<Result<Verdicts, StoreError>> {
        (**self).try_now(batch)
    }

    fn try_one(&self, charge: &Charge<'_>, now: Timestamp) -> Option<Result<Decision, StoreError>> {
        (**self).try_one(charge, now)
    }

    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        (**self).apply(batch)
    }
}
