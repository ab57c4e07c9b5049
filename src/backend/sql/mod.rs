//! State in SQLite or PostgreSQL: what must never be lost, and what several processes share.
//!
//! ```
//! use portcullis::{
//!     auth::{AuthLayer, api_key::{ApiKeyFormat, ApiKeyRecord, ApiKeys, KeyHasher}},
//!     backend::sql::SqlStore,
//!     secret::Secret,
//! };
//!
//! # #[cfg(feature = "sqlite")]
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let from_configuration = Secret::new(vec![7_u8; 32]);
//! // One connection, because each of a database in memory is another database; with a file, the
//! // pool that the application has.
//! let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
//! let store = SqlStore::sqlite(pool);
//! store.migrate().await?;
//!
//! let keys = ApiKeys::new(store, ApiKeyFormat::new("acme", "live")?, KeyHasher::hmac(from_configuration)?);
//! let key = keys.issue(ApiKeyRecord::builder("usr_42").scopes(["read:orders"])).await?;
//! assert_eq!(keys.list("usr_42").await?.len(), 1);
//! let auth = AuthLayer::builder().api_keys(&keys).build()?;
//! # drop((key, auth));
//! # Ok(()) }
//! # #[cfg(not(feature = "sqlite"))] fn main() {}
//! ```
//!
//! # Ports
//! | port | table |
//! |---|---|
//! | [`ApiKeyStore`](crate::auth::api_key::ApiKeyStore), [`ApiKeyRegistry`](crate::auth::api_key::ApiKeyRegistry) | `portcullis_api_keys` |
//! | [`RateLimitStore`](crate::rate_limit::RateLimitStore) | `portcullis_rates` |
//!
//! Rates are for a few processes that have a database and no Redis: a request that is refused costs
//! one statement, one that passes two (and a third where the caller is new). All limits of a batch are
//! charged together or none is, whatever their keys are. PostgreSQL steps with its server's clock, and
//! its table is not logged: after a crash or a failover all buckets are full. SQLite steps with the
//! process's clock, and lets one process at a time write. For keys that are hotter, put a
//! [`LeasedStore`](crate::rate_limit::LeasedStore) before it.
//!
//! # How it fails
//! A statement that takes longer than [its limit](SqlStore::statement_limit), the wait for a
//! connection included, is [`StoreError::TimedOut`]; a database that cannot be reached, or refuses, is
//! [`StoreError::Unavailable`]; a row that makes no sense is [`StoreError::Corrupt`]. All three are 503 to
//! a client, and never a denial.
//!
//! # Cost
//! One statement for each method of the ports of API keys; with PostgreSQL that is a round trip. API keys are asked for
//! with every request, so that a revocation anywhere holds at once everywhere;
//! [`cache_api_keys`](SqlStore::cache_api_keys) trades a bounded time of that for the round trip.
//!
//! The features `sqlite` and `postgres` need rustc 1.94, because sqlx 0.9 does.

mod api_keys;
mod cache;
mod rates;
mod schema;
mod text;

use std::{fmt, future::Future, sync::Arc, time::Duration};

use self::{cache::ApiKeyCache, rates::Rates};
use crate::store::StoreError;

const STATEMENT_LIMIT: Duration = Duration::from_secs(1);

/// Runs the same body on whichever pool there is.
macro_rules! on_pool {
    ($store:expr, $pool:ident => $body:expr) => {
        match &$store.pool {
            #[cfg(feature = "sqlite")]
            $crate::backend::sql::Pool::Sqlite($pool) => $body,
            #[cfg(feature = "postgres")]
            $crate::backend::sql::Pool::Postgres($pool) => $body,
        }
    };
}
use on_pool;

/// Ports on SQLite or PostgreSQL, over a pool that the application made. Clones share the pool.
///
/// Call [`migrate`](Self::migrate) once at the start.
#[derive(Clone)]
pub struct SqlStore {
    pool: Pool,
    limit: Duration,
    api_keys: Option<ApiKeyCache>,
    rates: Arc<Rates>,
}

#[derive(Clone)]
enum Pool {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::SqlitePool),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgPool),
}

impl SqlStore {
    /// A store in SQLite 3.38 or later (the one that sqlx brings is). For a file, journal mode WAL lets
    /// requests read while something is written.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(pool: sqlx::SqlitePool) -> Self {
        Self::over(Pool::Sqlite(pool))
    }

    /// A store in PostgreSQL 12 or later. Tables are made in, and found by, the connection's
    /// `search_path`.
    #[cfg(feature = "postgres")]
    pub fn postgres(pool: sqlx::PgPool) -> Self {
        Self::over(Pool::Postgres(pool))
    }

    fn over(pool: Pool) -> Self {
        Self { pool, limit: STATEMENT_LIMIT, api_keys: None, rates: Arc::default() }
    }

    /// How long a method may take, the wait for a connection included; then it is
    /// [`StoreError::TimedOut`]. Default: 1 s.
    #[must_use]
    pub fn statement_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Keeps the records of up to 10,000 API keys for `ttl` after they were read. What is changed
    /// through this store or a clone of it is seen at once; what another process changes, a revocation
    /// too, only after `ttl`. Default: nothing is kept, and every request asks the database.
    #[must_use]
    pub fn cache_api_keys(mut self, ttl: Duration) -> Self {
        self.api_keys = Some(ApiKeyCache::new(ttl));
        self
    }

    /// Makes the tables, or brings those of an older version up to date. Any number of processes may
    /// call it at once, and as often as they like. Needs the right to create tables; a service that
    /// has not got it is served by an administrator who ran this.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be reached or refuses; then nothing was changed.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        schema::migrate(&self.pool).await.map_err(store_error)
    }

    async fn run<T>(&self, statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
        match tokio::time::timeout(self.limit, statement).await {
            Ok(done) => done.map_err(store_error),
            Err(_) => Err(StoreError::TimedOut),
        }
    }
}

fn store_error(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::PoolTimedOut => StoreError::TimedOut,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            StoreError::corrupt(error)
        }
        error => StoreError::unavailable(error),
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dialect = match self.pool {
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(_) => "sqlite",
            #[cfg(feature = "postgres")]
            Pool::Postgres(_) => "postgres",
        };
        f.debug_struct("SqlStore").field("dialect", &dialect).field("limit", &self.limit).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests;
