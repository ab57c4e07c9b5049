//! The tables, and how they came to be: one row for each step that a database has taken.

use super::Pool;

/// One step. A step that has been released is never changed; a change is another step.
struct Migration {
    component: &'static str,
    version: i64,
    #[cfg(feature = "sqlite")]
    sqlite: &'static [&'static str],
    #[cfg(feature = "postgres")]
    postgres: &'static [&'static str],
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        component: "api_keys",
        version: 1,
        #[cfg(feature = "sqlite")]
        sqlite: API_KEYS_SQLITE,
        #[cfg(feature = "postgres")]
        postgres: API_KEYS_POSTGRES,
    },
    Migration {
        component: "rates",
        version: 1,
        #[cfg(feature = "sqlite")]
        sqlite: RATES_SQLITE,
        #[cfg(feature = "postgres")]
        postgres: RATES_POSTGRES,
    },
];

const STEPS: &str = "CREATE TABLE IF NOT EXISTS portcullis_migrations (
    component TEXT NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (component, version))";
const TAKEN: &str = "SELECT COUNT(*) FROM portcullis_migrations WHERE component = $1 AND version = $2";
const TAKE: &str = "INSERT INTO portcullis_migrations (component, version) VALUES ($1, $2)";

#[cfg(feature = "sqlite")]
const API_KEYS_SQLITE: &[&str] = &[
    "CREATE TABLE portcullis_api_keys (
    id TEXT NOT NULL PRIMARY KEY, environment TEXT NOT NULL, digest TEXT NOT NULL,
    owner TEXT NOT NULL, tenant TEXT, plan TEXT,
    scopes TEXT NOT NULL, roles TEXT NOT NULL, networks TEXT NOT NULL,
    created_at INTEGER, not_before INTEGER, expires_at INTEGER,
    rotated_from TEXT, superseded_by TEXT, superseded_at INTEGER,
    revoked_at INTEGER, revocation_reason TEXT, last_used_at INTEGER) STRICT",
    "CREATE INDEX portcullis_api_keys_owner ON portcullis_api_keys (owner, id)",
];

/// Ids are compared as bytes, whatever the database's collation is.
#[cfg(feature = "postgres")]
const API_KEYS_POSTGRES: &[&str] = &[
    "CREATE TABLE portcullis_api_keys (
    id TEXT COLLATE \"C\" NOT NULL PRIMARY KEY, environment TEXT NOT NULL, digest TEXT NOT NULL,
    owner TEXT COLLATE \"C\" NOT NULL, tenant TEXT, plan TEXT,
    scopes TEXT NOT NULL, roles TEXT NOT NULL, networks TEXT NOT NULL,
    created_at BIGINT, not_before BIGINT, expires_at BIGINT,
    rotated_from TEXT, superseded_by TEXT, superseded_at BIGINT,
    revoked_at BIGINT, revocation_reason TEXT, last_used_at BIGINT)",
    "CREATE INDEX portcullis_api_keys_owner ON portcullis_api_keys (owner, id)",
];

#[cfg(feature = "sqlite")]
const RATES_SQLITE: &[&str] = &["CREATE TABLE portcullis_rates (
    id BLOB NOT NULL PRIMARY KEY, state BLOB NOT NULL, expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID"];

/// Not logged: after a crash of the server all buckets are full, which is soon so anyway, and no request
/// waits for the disk. No index but the key, and room in each page, so that a state is replaced in place.
#[cfg(feature = "postgres")]
const RATES_POSTGRES: &[&str] = &["CREATE UNLOGGED TABLE portcullis_rates (
    id BYTEA NOT NULL PRIMARY KEY, state BYTEA NOT NULL, expires_at BIGINT NOT NULL) WITH (fillfactor = 70)"];

/// Any number, so that two processes that migrate do so one after the other.
#[cfg(feature = "postgres")]
const LOCK: &str = "SELECT pg_advisory_xact_lock(5071834426117342529)";

/// Takes the steps that are missing, inside a transaction that is given.
macro_rules! take_steps {
    ($transaction:ident, $dialect:ident) => {
        sqlx::query(STEPS).execute(&mut *$transaction).await?;
        for step in MIGRATIONS {
            let taken: i64 =
                sqlx::query_scalar(TAKEN).bind(step.component).bind(step.version).fetch_one(&mut *$transaction).await?;
            if taken > 0 {
                continue;
            }
            for statement in step.$dialect {
                sqlx::query(*statement).execute(&mut *$transaction).await?;
            }
            sqlx::query(TAKE).bind(step.component).bind(step.version).execute(&mut *$transaction).await?;
        }
    };
}

pub(super) async fn migrate(pool: &Pool) -> Result<(), sqlx::Error> {
    match pool {
        #[cfg(feature = "sqlite")]
        Pool::Sqlite(pool) => {
            // From the start for writing: a transaction that becomes one later may find the database locked.
            let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
            take_steps!(transaction, sqlite);
            transaction.commit().await
        }
        #[cfg(feature = "postgres")]
        Pool::Postgres(pool) => {
            let mut transaction = pool.begin().await?;
            sqlx::query(LOCK).execute(&mut *transaction).await?;
            take_steps!(transaction, postgres);
            transaction.commit().await
        }
    }
}
