//! The port in which revocations are kept: [`RevocationStore`].

use std::{fmt, sync::Arc};

use super::{Revocation, RevocationQuery};
use crate::{
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// Remembers what has been revoked.
///
/// Once [`revoke`](Self::revoke) has returned, every [`is_revoked`](Self::is_revoked) that begins
/// later, on every machine that shares the store, must see it, until the revocation's `until`.
/// `now` is wall time; compare `until` with it, and not with a clock of the store's own (which may
/// serve to clear away what has long expired). The suite `portcullis::conformance::revocations` holds a
/// store to these laws.
///
/// # A store of your own
/// ```
/// use std::{collections::HashMap, sync::Mutex};
/// use portcullis::{
///     auth::revocation::{Revocation, RevocationKey, RevocationQuery, RevocationStore},
///     store::{BoxFuture, StoreError},
///     time::Timestamp,
/// };
///
/// #[derive(Debug, Default)]
/// struct Table(Mutex<HashMap<RevocationKey, Revocation>>);
///
/// impl RevocationStore for Table {
///     fn is_revoked<'a>(
///         &'a self,
///         query: RevocationQuery<'a>,
///         now: Timestamp,
///     ) -> BoxFuture<'a, Result<bool, StoreError>> {
///         Box::pin(async move {
///             let rows = self.0.lock().unwrap();
///             // SELECT issued_before FROM revocations WHERE key IN (…) AND until > now
///             let mut living = query.keys().filter_map(|key| rows.get(&key)).filter(|row| now < row.until);
///             Ok(living.any(|row| query.is_hit_by(row.issued_before)))
///         })
///     }
///
///     fn revoke(&self, revocation: Revocation, now: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
///         Box::pin(async move {
///             let mut rows = self.0.lock().unwrap();
///             if rows.len() >= 1_000 {
///                 rows.retain(|_, row| now < row.until);
///                 if rows.len() >= 1_000 {
///                     // A living revocation is never forgotten to make room.
///                     return Err(StoreError::Full);
///                 }
///             }
///             // INSERT … ON CONFLICT DO UPDATE, with the greater of each column.
///             let row = rows.entry(revocation.key).or_insert(revocation);
///             *row = row.and(revocation);
///             Ok(())
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), StoreError> {
/// let (store, at) = (Table::default(), Timestamp::from_secs);
/// store.revoke(Revocation::token("https://id.example.com", "jti-1", at(900)), at(0)).await?;
/// let token = RevocationQuery::key(RevocationKey::token("https://id.example.com", "jti-1"), Some(at(0)));
/// assert!(store.is_revoked(token, at(1)).await?);
/// assert!(!store.is_revoked(token, at(900)).await?);
///
/// // Everything that was issued to somebody before ten o'clock, so to speak.
/// store.revoke(Revocation::subject("https://id.example.com", "usr_1", at(10), at(900)), at(10)).await?;
/// let of_usr_1 = |issued_at| {
///     RevocationQuery::key(RevocationKey::subject("https://id.example.com", "usr_1"), Some(issued_at))
/// };
/// assert!(store.is_revoked(of_usr_1(at(9)), at(11)).await?);
/// assert!(!store.is_revoked(of_usr_1(at(10)), at(11)).await?);
/// # Ok(()) }
/// ```
pub trait RevocationStore: fmt::Debug + Send + Sync + 'static {
    /// Whether an entry that still lives at `now` is held for one of the
    /// [keys](RevocationQuery::keys) of the query and [concerns it](RevocationQuery::is_hit_by).
    ///
    /// # Errors
    /// [`StoreError`]; the layer answers 503, for nobody knows. The request waits two seconds at
    /// most: give up earlier with [`StoreError::TimedOut`].
    fn is_revoked<'a>(&'a self, query: RevocationQuery<'a>, now: Timestamp) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Keeps a revocation. A key that is held already gets the later of both
    /// [bounds](Revocation::and), in one step.
    ///
    /// # Errors
    /// [`StoreError`]: then it is not kept, and whoever revokes must try again. A store at its bound
    /// says [`StoreError::Full`], and does not forget a living revocation to make room.
    fn revoke(&self, revocation: Revocation, now: Timestamp) -> BoxFuture<'_, Result<(), StoreError>>;

    /// [`is_revoked`](Self::is_revoked) without waiting, where the store can: `None` means "ask
    /// that". Saves a store in memory the box.
    fn is_revoked_now(&self, query: RevocationQuery<'_>, now: Timestamp) -> Option<Result<bool, StoreError>> {
        let _ = (query, now);
        None
    }
}

impl<S: RevocationStore + ?Sized> RevocationStore for Arc<S> {
    fn is_revoked<'a>(&'a self, query: RevocationQuery<'a>, now: Timestamp) -> BoxFuture<'a, Result<bool, StoreError>> {
        (**self).is_revoked(query, now)
    }

    fn revoke(&self, revocation: Revocation, now: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        (**self).revoke(revocation, now)
    }

    fn is_revoked_now(&self, query: RevocationQuery<'_>, now: Timestamp) -> Option<Result<bool, StoreError>> {
        (**self).is_revoked_now(query, now)
    }
}
