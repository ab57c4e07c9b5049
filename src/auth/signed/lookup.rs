//! Finds the key that a request names, in bounded time.

use std::{sync::Arc, time::Duration};

use super::{SigningKey, SigningKeyStore};
use crate::{
    rejection::Rejection,
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// A store that takes longer than this holds up more than it protects.
const PATIENCE: Duration = Duration::from_secs(3);

/// The key with this id, if there is one.
pub(super) async fn find(
    store: &dyn SigningKeyStore,
    id: &str,
    now: Timestamp,
) -> Result<Option<Arc<SigningKey>>, Rejection> {
    let found = match store.find_now(id, now) {
        Some(found) => found,
        None => in_time(store.find(id, now)).await,
    };
    // A store that compares carelessly must not make one key of another.
    found.map(|found| found.filter(|key| key.id() == id)).map_err(Rejection::backend)
}

/// What a store says, or that it did not say anything in time.
pub(super) async fn in_time<T>(answer: BoxFuture<'_, Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or(Err(StoreError::TimedOut))
}
