//! The port that tells a first sight from a repetition: [`SeenStore`].

use std::{fmt, sync::Arc, time::Duration};

use sha2::{Digest as _, Sha256};

use super::{BoxFuture, StoreError};
use crate::time::Timestamp;

/// Something that may be seen once: a digest of what it is and where it was seen. Of fixed size,
/// whatever a client sends, so it fits any store's key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeenKey([u8; 32]);

impl SeenKey {
    /// The key of one thing of a kind. Each part is preceded by its length, so that no two lists of
    /// parts share a key.
    ///
    /// ```
    /// use portcullis::store::SeenKey;
    ///
    /// assert_ne!(SeenKey::new("dpop", &[b"ab", b"c"]), SeenKey::new("dpop", &[b"a", b"bc"]));
    /// ```
    pub fn new(kind: &str, parts: &[&[u8]]) -> Self {
        let mut digest = Sha256::new();
        for part in std::iter::once(kind.as_bytes()).chain(parts.iter().copied()) {
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
impl fmt::Display for SeenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", base16ct::HexDisplay(&self.0))
    }
}

impl fmt::Debug for SeenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeenKey({self})")
    }
}

/// Whether something was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sighting {
    /// It was not, and is remembered from now on.
    First,
    /// It was: this is a repetition.
    Again,
}

/// Remembers what may be used once: the ids of proofs of possession, the nonces of signed requests.
///
/// To look and to write must be one atomic operation: of any number of callers who ask about one
/// key at once, on any number of machines, exactly one is told [`Sighting::First`]. `now` is
/// monotonic; a store shared by several machines uses its own server's clock. What is remembered is
/// forgotten after `keep` and not before: a store at its bound says [`StoreError::Full`] (the answer
/// is then 503), and does not forget something live to make room. The request waits for the answer:
/// give up with [`StoreError::TimedOut`].
///
/// # A store of your own
/// ```
/// use std::{collections::HashMap, sync::Mutex, time::Duration};
/// use portcullis::{
///     store::{BoxFuture, SeenKey, SeenStore, Sighting, StoreError},
///     time::Timestamp,
/// };
///
/// #[derive(Debug, Default)]
/// struct Table(Mutex<HashMap<SeenKey, Timestamp>>);
///
/// impl SeenStore for Table {
///     fn see(&self, key: SeenKey, keep: Duration, now: Timestamp) -> BoxFuture<'_, Result<Sighting, StoreError>> {
///         Box::pin(async move {
///             let mut seen = self.0.lock().unwrap();
///             if seen.get(&key).is_some_and(|until| now < *until) {
///                 return Ok(Sighting::Again);
///             }
///             if seen.len() >= 10_000 {
///                 seen.retain(|_, until| now < *until);
///                 if seen.len() >= 10_000 {
///                     return Err(StoreError::Full);
///                 }
///             }
///             seen.insert(key, now.saturating_add(keep));
///             Ok(Sighting::First)
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), StoreError> {
/// let (store, key) = (Table::default(), SeenKey::new("nonce", &[b"client-7", b"4711"]));
/// let (minute, now) = (Duration::from_secs(60), Timestamp::from_secs(1_000));
/// assert_eq!(store.see(key, minute, now).await?, Sighting::First);
/// assert_eq!(store.see(key, minute, now).await?, Sighting::Again);
/// assert_eq!(store.see(key, minute, now.saturating_add(minute)).await?, Sighting::First);
/// # Ok(()) }
/// ```
pub trait SeenStore: fmt::Debug + Send + Sync + 'static {
    /// Remembers `key` until `now + keep`, and says whether it was remembered already.
    ///
    /// # Errors
    /// [`StoreError`]; the request is answered 503, for nobody knows.
    fn see(&self, key: SeenKey, keep: Duration, now: Timestamp) -> BoxFuture<'_, Result<Sighting, StoreError>>;

    /// The same without awaiting, for stores in memory; `None`, for every key and at once, if this
    /// store must be awaited.
    fn see_now(&self, key: SeenKey, keep: Duration, now: Timestamp) -> Option<Result<Sighting, StoreError>> {
        let _ = (key, keep, now);
        None
    }
}

impl<S: SeenStore + ?Sized> SeenStore for Arc<S> {
    fn see(&self, key: SeenKey, keep: Duration, now: Timestamp) -> BoxFuture<'_, Result<Sighting, StoreError>> {
        (**self).see(key, keep, now)
    }

    fn see_now(&self, key: SeenKey, keep: Duration, now: Timestamp) -> Option<Result<Sighting, StoreError>> {
        (**self).see_now(key, keep, now)
    }
}
