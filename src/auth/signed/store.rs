//! The port in which the keys of signed requests lie: [`SigningKeyStore`].

use std::{fmt, sync::Arc};

use super::SigningKey;
use crate::{
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// Where the keys of signed requests lie.
///
/// # A store of your own
/// Keep the records that [`find`](Self::find) hands out, as this one does: with a record go the keys
/// that were derived from its secret for the day.
///
/// ```
/// use std::{collections::HashMap, sync::Arc};
/// use axum::{Router, routing::get};
/// use http::{Request, StatusCode};
/// use portcullis::{
///     auth::{AuthLayer, signed::{SigV4, SigningKey, SigningKeyStore}},
///     secret::Secret,
///     store::{BoxFuture, StoreError},
///     testing::SigV4Signer,
///     time::Timestamp,
/// };
/// use tower::ServiceExt;
///
/// #[derive(Debug)]
/// struct Table(HashMap<String, Arc<SigningKey>>);
///
/// impl SigningKeyStore for Table {
///     fn find<'a>(
///         &'a self,
///         id: &'a str,
///         _: Timestamp,
///     ) -> BoxFuture<'a, Result<Option<Arc<SigningKey>>, StoreError>> {
///         // A database would be asked here: SELECT … WHERE id = $1.
///         Box::pin(async move { Ok(self.0.get(id).cloned()) })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
/// let key = SigningKey::secret("AKIDEXAMPLE", "svc_billing", secret.clone()).build()?;
/// let table = Table([(key.id().to_owned(), Arc::new(key))].into());
///
/// let auth = AuthLayer::builder().authenticator(SigV4::builder(table, "eu-1", "orders").build()?).build()?;
/// let app = Router::new().route("/", get(|| async { "hello" })).layer(auth);
///
/// let request = Request::get("/").header("host", "api.example.com").body("")?;
/// let signed = SigV4Signer::new("AKIDEXAMPLE", secret, "eu-1", "orders").sign(request);
/// assert_eq!(app.oneshot(signed).await?.status(), StatusCode::OK);
/// # Ok(()) }
/// ```
pub trait SigningKeyStore: fmt::Debug + Send + Sync + 'static {
    /// The key with this id, whether or not it is expired or revoked; `None` if there is none.
    ///
    /// `id` is 1 to 256 visible ASCII characters and chosen by whoever calls: compare it exactly (no
    /// case-insensitive collation), and do not keep unknown ids without a bound. `now` is the
    /// request's wall time, for stores that cache. The request waits, three seconds at most; then,
    /// and after an error, the answer is 503.
    ///
    /// # Errors
    /// [`StoreError`], if nobody knows.
    fn find<'a>(&'a self, id: &'a str, now: Timestamp) -> BoxFuture<'a, Result<Option<Arc<SigningKey>>, StoreError>>;

    /// The same without waiting, where the store can: `None` means "ask [`find`](Self::find)".
    fn find_now(&self, id: &str, now: Timestamp) -> Option<Result<Option<Arc<SigningKey>>, StoreError>> {
        let _ = (id, now);
        None
    }
}

impl<S: SigningKeyStore + ?Sized> SigningKeyStore for Arc<S> {
    fn find<'a>(&'a self, id: &'a str, now: Timestamp) -> BoxFuture<'a, Result<Option<Arc<SigningKey>>, StoreError>> {
        (**self).find(id, now)
    }

    fn find_now(&self, id: &str, now: Timestamp) -> Option<Result<Option<Arc<SigningKey>>, StoreError>> {
        (**self).find_now(id, now)
    }
}
