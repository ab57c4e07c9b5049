use std::{fmt, sync::Arc};

use super::ApiKeyRecord;
use crate::{
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// Where the records of API keys lie.
///
/// The store only finds; the layer compares the digest (in constant time) and decides on
/// expiry and revocation. So a store that returns the wrong record lets nobody in.
///
/// # A store of your own
/// ```
/// use std::{collections::HashMap, sync::Arc};
/// use axum::{Router, body::Body, routing::get};
/// use http::{Request, StatusCode};
/// use portcullis::{
///     auth::{AuthLayer, api_key::{ApiKey, ApiKeyFormat, ApiKeyRecord, ApiKeyStore, ApiKeyVerifier, KeyHasher}},
///     store::{BoxFuture, StoreError},
///     time::Timestamp,
/// };
/// use tower::ServiceExt;
///
/// /// The row of a table, as a database driver returns it.
/// #[derive(Clone, Debug)]
/// struct Row { id: String, environment: String, digest: String, owner: String, scopes: Vec<String>, revoked_us: Option<u64> }
///
/// #[derive(Debug)]
/// struct Table(HashMap<String, Row>);
///
/// impl Table {
///     async fn select(&self, id: &str) -> Result<Option<Row>, std::io::Error> {
///         Ok(self.0.get(id).cloned())
///     }
/// }
///
/// impl ApiKeyStore for Table {
///     fn find<'a>(&'a self, id: &'a str, _: Timestamp) -> BoxFuture<'a, Result<Option<Arc<ApiKeyRecord>>, StoreError>> {
///         Box::pin(async move {
///             let Some(row) = self.select(id).await.map_err(StoreError::unavailable)? else { return Ok(None) };
///             let digest = row.digest.parse().map_err(StoreError::corrupt)?;
///             let mut record = ApiKeyRecord::builder(row.owner).scopes(row.scopes);
///             if let Some(at) = row.revoked_us {
///                 record = record.revoked_at(Timestamp::from_micros(at));
///             }
///             let record = record.build(&row.id, &row.environment, digest).map_err(StoreError::corrupt)?;
///             Ok(Some(Arc::new(record)))
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let from_configuration = portcullis::secret::Secret::new(vec![7_u8; 32]);
/// let hasher = KeyHasher::hmac(from_configuration)?;
/// let key = ApiKey::issue(&ApiKeyFormat::new("acme", "live")?, &hasher, ApiKeyRecord::builder("usr_42"))?;
/// let row = Row {
///     id: key.record.id().into(),
///     environment: key.record.environment().into(),
///     digest: key.record.digest().to_string(),
///     owner: key.record.owner().into(),
///     scopes: key.record.scopes().iter().collect(),
///     revoked_us: None,
/// };
/// let table = Table(HashMap::from([(row.id.clone(), row)]));
/// let auth = AuthLayer::builder().api_keys(ApiKeyVerifier::new(table, hasher)).build()?;
/// let app = Router::new().route("/", get(|| async { "in" })).layer(auth);
///
/// let request = Request::get("/").header("x-api-key", key.secret.expose()).body(Body::empty())?;
/// assert_eq!(app.oneshot(request).await?.status(), StatusCode::OK);
/// # Ok(()) }
/// ```
pub trait ApiKeyStore: fmt::Debug + Send + Sync {
    /// The record with this id, whether or not it is expired or revoked; `None` if there is none.
    ///
    /// `id` is twelve ASCII letters or digits and chosen by whoever calls: compare it exactly (no
    /// case-insensitive collation), and do not keep unknown ids without a bound. `now` is the
    /// request's wall time, for stores that cache. An error becomes a 503, and so does waiting for
    /// longer than the layer's [patience](super::ApiKeyVerifierBuilder::patience): give up before, with
    /// [`StoreError::TimedOut`].
    fn find<'a>(&'a self, id: &'a str, now: Timestamp) -> BoxFuture<'a, Result<Option<Arc<ApiKeyRecord>>, StoreError>>;

    /// The same without waiting, where the store can: `None` means "ask [`find`](Self::find)".
    /// A store in memory, or one that has the record cached, saves the layer a box this way.
    fn find_now(&self, id: &str, now: Timestamp) -> Option<Result<Option<Arc<ApiKeyRecord>>, StoreError>> {
        let _ = (id, now);
        None
    }
}

impl<S: ApiKeyStore + ?Sized> ApiKeyStore for Arc<S> {
    fn find<'a>(&'a self, id: &'a str, now: Timestamp) -> BoxFuture<'a, Result<Option<Arc<ApiKeyRecord>>, StoreError>> {
        (**self).find(id, now)
    }

    fn find_now(&self, id: &str, now: Timestamp) -> Option<Result<Option<Arc<ApiKeyRecord>>, StoreError>> {
        (**self).find_now(id, now)
    }
}
