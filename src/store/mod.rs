//! What all ports share: the error of a backend, and the future that a port returns.
//!
//! A port is an object-safe trait that a feature owns (`RateLimitStore`, `QuotaStore`,
//! `ApiKeyStore`, `ReplayStore` …). A backend that cannot answer says so with [`StoreError`]; the
//! layer then answers 503 (or what the rule states), never "denied": an outage is not a verdict.
//! The one port that stands here itself, because several features need it, is [`SeenStore`]: what
//! may be used once.

mod outage;
mod seen;

use std::{future::Future, pin::Pin, sync::Arc};

#[cfg(feature = "redis")]
pub(crate) use self::outage::Attempt;
pub(crate) use self::outage::Outage;
pub use self::seen::{SeenKey, SeenStore, Sighting};

/// A boxed future, as the methods of the ports return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Any error, shared, so that what holds it can be cloned.
pub type SharedError = Arc<dyn std::error::Error + Send + Sync>;

/// A backend could not answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The backend cannot be reached, or refused the operation.
    #[error("the store is unavailable")]
    Unavailable(#[source] SharedError),
    /// The backend did not answer within its budget.
    #[error("the store did not answer in time")]
    TimedOut,
    /// The backend is at its bound and will not take another entry.
    #[error("the store is full")]
    Full,
    /// What the backend returned makes no sense.
    #[error("the store returned corrupt data")]
    Corrupt(#[source] SharedError),
}

impl StoreError {
    /// The backend cannot be reached, or refused the operation.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(Arc::from(source.into()))
    }

    /// What the backend returned makes no sense.
    pub fn corrupt(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Corrupt(Arc::from(source.into()))
    }
}
