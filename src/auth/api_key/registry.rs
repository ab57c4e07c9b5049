use std::sync::Arc;

use super::{ApiKeyChange, ApiKeyRecord, ApiKeyStore, ApiKeyUse, Changed};
use crate::{
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// Where the records of API keys are written: what [`ApiKeys`](super::ApiKeys) manages keys with. A
/// store that is only read by this service needs [`ApiKeyStore`] alone.
///
/// The laws: what a method has done is seen by the next [`find`](ApiKeyStore::find) of this and every
/// other process that shares the store (or, if the store caches, within the time that its page
/// states); an [`ApiKeyChange`] applies as a whole or not at all, and of two at once that exclude each
/// other, one applies; records are never deleted by the crate. `portcullis::conformance::api_keys`
/// (feature `conformance`) holds a store to them.
///
/// # A registry of your own
/// ```
/// use std::{collections::BTreeMap, sync::{Arc, Mutex}};
/// use portcullis::{
///     auth::api_key::{
///         ApiKeyChange, ApiKeyFormat, ApiKeyRecord, ApiKeyRegistry, ApiKeyStore, ApiKeyUse, ApiKeys, Changed, KeyHasher,
///     },
///     store::{BoxFuture, StoreError},
///     time::Timestamp,
/// };
///
/// #[derive(Debug, Default)]
/// struct Table(Mutex<BTreeMap<String, Arc<ApiKeyRecord>>>);
///
/// impl ApiKeyStore for Table {
///     fn find<'a>(&'a self, id: &'a str, _: Timestamp) -> BoxFuture<'a, Result<Option<Arc<ApiKeyRecord>>, StoreError>> {
///         Box::pin(async move { Ok(self.0.lock().unwrap().get(id).cloned()) })
///     }
/// }
///
/// impl ApiKeyRegistry for Table {
///     fn insert(&self, record: ApiKeyRecord) -> BoxFuture<'_, Result<bool, StoreError>> {
///         Box::pin(async move {
///             let mut rows = self.0.lock().unwrap();
///             let is_new = !rows.contains_key(record.id());
///             if is_new {
///                 rows.insert(record.id().to_owned(), Arc::new(record));
///             }
///             Ok(is_new)
///         })
///     }
///
///     fn change<'a>(&'a self, id: &'a str, change: &'a ApiKeyChange) -> BoxFuture<'a, Result<Changed, StoreError>> {
///         Box::pin(async move {
///             // Read, change and write under one lock; with SQL, one UPDATE with a condition.
///             let mut rows = self.0.lock().unwrap();
///             let Some(row) = rows.get_mut(id) else { return Ok(Changed::Unknown) };
///             let Some(record) = row.changed(change) else { return Ok(Changed::NotApplicable) };
///             *row = Arc::new(record);
///             Ok(Changed::Applied)
///         })
///     }
///
///     fn list<'a>(
///         &'a self, owner: &'a str, after: Option<&'a str>, limit: usize,
///     ) -> BoxFuture<'a, Result<Vec<Arc<ApiKeyRecord>>, StoreError>> {
///         Box::pin(async move {
///             let rows = self.0.lock().unwrap();
///             let rest = rows.values().filter(|row| row.owner() == owner && after.is_none_or(|after| row.id() > after));
///             Ok(rest.take(limit).cloned().collect())
///         })
///     }
///
///     fn record_uses<'a>(&'a self, uses: &'a [ApiKeyUse]) -> BoxFuture<'a, Result<(), StoreError>> {
///         Box::pin(async move {
///             let mut rows = self.0.lock().unwrap();
///             for used in uses {
///                 if let Some(row) = rows.get_mut(used.id()) {
///                     *row = Arc::new(ApiKeyRecord::clone(row).used(used.at()));
///                 }
///             }
///             Ok(())
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = ApiKeys::new(Table::default(), ApiKeyFormat::new("acme", "live")?, KeyHasher::ephemeral());
/// let key = keys.issue(ApiKeyRecord::builder("usr_42")).await?;
/// assert!(keys.revoke(key.record.id(), "the owner asked for it").await?);
/// assert_eq!(keys.list("usr_42").await?[0].revocation_reason(), Some("the owner asked for it"));
/// # Ok(()) }
/// ```
pub trait ApiKeyRegistry: ApiKeyStore {
    /// Keeps a new record. `false`, and nothing is changed, if the id is taken.
    fn insert(&self, record: ApiKeyRecord) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Makes one change, if it applies.
    fn change<'a>(&'a self, id: &'a str, change: &'a ApiKeyChange) -> BoxFuture<'a, Result<Changed, StoreError>>;

    /// The records of an owner, in the order of their ids (as bytes), from the one behind `after` on,
    /// at most `limit` of them. Revoked and expired ones are among them.
    fn list<'a>(
        &'a self,
        owner: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Arc<ApiKeyRecord>>, StoreError>>;

    /// Writes when keys were last used, in one go. An earlier use never overwrites a later one;
    /// unknown ids are left out.
    fn record_uses<'a>(&'a self, uses: &'a [ApiKeyUse]) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// A registry as a store, for those who hold one behind a pointer.
#[derive(Clone, Debug)]
pub(super) struct Reading(pub(super) Arc<dyn ApiKeyRegistry>);

impl ApiKeyStore for Reading {
    fn find<'a>(&'a self, id: &'a str, now: Timestamp) -> BoxFuture<'a, Result<Option<Arc<ApiKeyRecord>>, StoreError>> {
        self.0.find(id, now)
    }

    fn find_now(&self, id: &str, now: Timestamp) -> Option<Result<Option<Arc<ApiKeyRecord>>, StoreError>> {
        self.0.find_now(id, now)
    }
}
