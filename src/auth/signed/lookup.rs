//! Finds the key that a request names, in bounded time.

use std::{sync::Arc, time::Duration};

use super::{SigningKey, SigningKeyStore};
use crate::{rejection::Rejection, store::StoreError, time::Timestamp};

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
        None => tokio::time::timeout(PATIENCE, store.find(id, now)).await.unwrap_or(Err(StoreError::TimedOut)),
    };
    // A store that compares carelessly must not make one key of another.
    found.map(|found| found.filter(|key| key.id() == id)).map_err(Rejection::backend)
}
