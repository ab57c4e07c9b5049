use std::{fmt, time::Duration};

use bytes::Bytes;

use crate::store::{BoxFuture, SharedError};

/// What a [`KeySource`] returned.
#[derive(Clone, Debug, Default)]
pub struct FetchedKeys {
    /// The JSON text of a JWK set (RFC 7517 §5), at most 1 MiB.
    pub jwks: Bytes,
    /// How long it may be used without asking again; `None` if the source does not say. Taken
    /// between a minute and a day.
    pub max_age: Option<Duration>,
}

/// Where an issuer's keys come from: [`Issuer::jwks_url`](super::Issuer::jwks_url), or a source of your own.
///
/// The cache in front of it asks at most once at a time, ahead of time, and never for a request
/// whose key is known; a source need not cache, limit or retry.
///
/// ```
/// use std::sync::Arc;
/// use portcullis::{
///     auth::jwt::{FetchedKeys, Issuer, KeySource, KeySourceError},
///     store::BoxFuture,
/// };
///
/// /// Keys that another process leaves in a file.
/// #[derive(Debug)]
/// struct KeyFile(&'static str);
///
/// impl KeySource for KeyFile {
///     fn fetch(&self) -> BoxFuture<'_, Result<FetchedKeys, KeySourceError>> {
///         Box::pin(async move {
///             let jwks = std::fs::read(self.0).map_err(KeySourceError::unreachable)?;
///             Ok(FetchedKeys { jwks: jwks.into(), max_age: None })
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let source = Arc::new(KeyFile("/nowhere/jwks.json"));
/// let verifier = Issuer::new("https://id.example.com").audience("orders").key_source(source).build().unwrap();
/// assert!(matches!(verifier.warm_up().await, Err(KeySourceError::Unreachable(_))));
/// # }
/// ```
pub trait KeySource: fmt::Debug + Send + Sync + 'static {
    /// Fetches the key set now. Given up after 10 s.
    ///
    /// # Errors
    /// [`KeySourceError`]; the keys that were fetched before stay in use.
    fn fetch(&self) -> BoxFuture<'_, Result<FetchedKeys, KeySourceError>>;
}

/// The keys could not be fetched.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeySourceError {
    /// No connection, or it broke.
    #[error("the key source cannot be reached")]
    Unreachable(#[source] SharedError),
    /// No answer in time.
    #[error("the key source did not answer in time")]
    TimedOut,
    /// An answer other than 200. Redirects are not followed: the URL is the trust.
    #[error("the key source answered with status {0}")]
    Status(u16),
    /// More than 1 MiB.
    #[error("the key source answered with more than 1 MiB")]
    TooLarge,
    /// Not a JWK set, or one with more than 100 keys.
    #[error("the key source did not answer with a JWK set of at most 100 keys")]
    Malformed,
    /// The issuer's metadata cannot be used to find its keys.
    #[error("the issuer's metadata cannot be used: {0}")]
    Metadata(&'static str),
    /// No key in the set can be used: as good as no answer.
    #[error("no key of the set can be used")]
    NoUsableKey,
    /// The verifier was shut down, its runtime ended, or the source panicked, before there were keys.
    #[error("the fetching of keys has been stopped")]
    Stopped,
}

impl KeySourceError {
    /// No connection, or it broke.
    pub fn unreachable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unreachable(std::sync::Arc::from(source.into()))
    }
}

/// How it stands with an issuer's keys: for health endpoints and metrics.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct KeySetHealth {
    /// How many keys are in use.
    pub keys: usize,
    /// How many keys of the last set cannot be used (other algorithms, too short, for encryption).
    pub skipped: usize,
    /// How long ago the keys were fetched; `None` for static keys, or if they never were.
    pub age: Option<Duration>,
    /// Why the last fetch failed; `None` if it did not.
    pub last_error: Option<KeySourceError>,
    /// How often the source was asked.
    pub fetches: u64,
}
