use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::store::{BoxFuture, StoreError};

/// Which of the values that a key has had: what [`CasBackend::load`] hands out, and
/// [`CasBackend::swap`] compares.
///
/// A number (a revision, a generation, a column of yours) or a text (an `ETag`). It means nothing to
/// anybody but the backend that made it; no two values that one key has had may share one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Version(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Number(u64),
    Text(Box<str>),
}

impl Version {
    /// The number, if it was made of one.
    pub const fn number(&self) -> Option<u64> {
        match self.0 {
            Repr::Number(number) => Some(number),
            Repr::Text(_) => None,
        }
    }

    /// The text, if it was made of one.
    pub const fn text(&self) -> Option<&str> {
        match &self.0 {
            Repr::Text(text) => Some(text),
            Repr::Number(_) => None,
        }
    }
}

impl From<u64> for Version {
    fn from(number: u64) -> Self {
        Self(Repr::Number(number))
    }
}

impl From<&str> for Version {
    fn from(text: &str) -> Self {
        Self(Repr::Text(text.into()))
    }
}

impl From<String> for Version {
    fn from(text: String) -> Self {
        Self(Repr::Text(text.into()))
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Number(number) => number.fmt(f),
            Repr::Text(text) => text.fmt(f),
        }
    }
}

/// A place for values that can be replaced only by somebody who knows the one that is there: all that
/// [`CasStore`](super::CasStore) needs of a database to run every algorithm on it.
///
/// Two methods. Keys are 64 letters of `0-9a-f`, so they fit wherever keys are kept; values are some
/// tens of bytes for each limit of a caller. What must hold:
///
/// * **`swap` is atomic**: of two calls with the same `was`, at most one answers `true`.
/// * **`swap` is durable enough**: what `load` answers after it is that value, or a later one, on
///   every machine. A replica that lags does not do: callers would be let through twice.
/// * `ttl` is when the value may be forgotten, in whole seconds, at least one. It may be kept longer.
///   Forgetting it earlier frees the caller of what he owes.
/// * A failure is an error, never `false`: `false` says that somebody else was faster.
///
/// If an answer of `swap` is lost on the way, return the error; the store looks whether the value
/// arrived.
///
/// # A backend of your own
/// A map behind a lock, complete. `examples/custom_store.rs` keeps them in files.
/// ```
/// use std::{collections::HashMap, sync::{Mutex, PoisonError}, time::Duration};
/// use bytes::Bytes;
/// use portcullis::rate_limit::{CasBackend, CasStore, Version};
/// use portcullis::store::{BoxFuture, StoreError};
///
/// #[derive(Debug, Default)]
/// struct Map(Mutex<HashMap<String, (u64, Bytes)>>);
///
/// impl CasBackend for Map {
///     fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<(Version, Bytes)>, StoreError>> {
///         Box::pin(async move {
///             let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
///             Ok(map.get(key).map(|(version, value)| ((*version).into(), value.clone())))
///         })
///     }
///
///     fn swap<'a>(
///         &'a self,
///         key: &'a str,
///         was: Option<&'a Version>,
///         value: Bytes,
///         _ttl: Duration,
///     ) -> BoxFuture<'a, Result<bool, StoreError>> {
///         Box::pin(async move {
///             let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
///             let is = map.get(key).map(|(version, _)| *version);
///             if is != was.and_then(Version::number) {
///                 return Ok(false);
///             }
///             map.insert(key.to_owned(), (is.unwrap_or(0) + 1, value));
///             Ok(true)
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use portcullis::rate_limit::{Key, Rate, RateLimitLayer, Rule};
///
/// let layer = RateLimitLayer::builder(CasStore::new(Map::default()))
///     .rule(Rule::new("clients", Key::client(), Rate::per_minute(600)))
///     .build()?;
/// # drop(layer); Ok(()) }
/// ```
pub trait CasBackend: fmt::Debug + Send + Sync + 'static {
    /// The value and its version, or `None` if there is none (any more).
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<(Version, Bytes)>, StoreError>>;

    /// Replaces the value if its version is still `was` (`None`: if there is none), and says whether.
    fn swap<'a>(
        &'a self,
        key: &'a str,
        was: Option<&'a Version>,
        value: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;
}

impl<B: CasBackend + ?Sized> CasBackend for Arc<B> {
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<(Version, Bytes)>, StoreError>> {
        (**self).load(key)
    }

    fn swap<'a>(
        &'a self,
        key: &'a str,
        was: Option<&'a Version>,
        value: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        (**self).swap(key, was, value, ttl)
    }
}
