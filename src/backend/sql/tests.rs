//! `SQLite`, in memory and in a file. `PostgreSQL` runs the same laws in `tests/interop`.

use std::{path::PathBuf, sync::Arc, time::Duration};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

use super::SqlStore;
use crate::{
    auth::api_key::{
        ApiKey, ApiKeyChange, ApiKeyFormat, ApiKeyRecord, ApiKeyRegistry, ApiKeyStore, Changed, KeyHasher,
    },
    store::StoreError,
    time::Timestamp,
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

async fn in_memory() -> SqlStore {
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
    let store = SqlStore::sqlite(pool);
    store.migrate().await.unwrap();
    store
}

/// A database file that goes with the value.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("portcullis-{name}-{}.db", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self(path)
    }

    async fn pool(&self) -> SqlitePool {
        let options = SqliteConnectOptions::new().filename(&self.0).create_if_missing(true);
        SqlitePoolOptions::new().max_connections(4).connect_with(options).await.unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn key() -> ApiKey {
    let format = ApiKeyFormat::new("acme", "test").unwrap();
    ApiKey::issue(&format, &KeyHasher::ephemeral(), ApiKeyRecord::builder("usr_1")).unwrap()
}

#[cfg(feature = "conformance")]
#[tokio::test]
async fn the_laws_of_api_keys_hold_in_memory() {
    crate::conformance::api_keys::all(&in_memory().await).await;
}

#[cfg(feature = "conformance")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_laws_of_api_keys_hold_in_a_file_with_and_without_a_cache() {
    let file = File::new("laws");
    let store = SqlStore::sqlite(file.pool().await).statement_limit(Duration::from_secs(30));
    store.migrate().await.unwrap();
    crate::conformance::api_keys::all(&store).await;
    crate::conformance::api_keys::all(&store.clone().cache_api_keys(Duration::from_secs(60))).await;
}

#[tokio::test]
async fn records_outlive_the_process() {
    let file = File::new("outlive");
    let record = key().record;
    {
        let store = SqlStore::sqlite(file.pool().await);
        store.migrate().await.unwrap();
        assert!(store.insert(record.clone()).await.unwrap());
    }
    let store = SqlStore::sqlite(file.pool().await);
    // As often as one likes.
    store.migrate().await.unwrap();
    store.migrate().await.unwrap();
    let found = store.find(record.id(), NOW).await.unwrap().unwrap();
    assert_eq!((found.owner(), found.digest()), ("usr_1", record.digest()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_number_of_processes_may_migrate_at_once() {
    let file = File::new("migrate");
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let path = File(file.0.clone());
            tokio::spawn(async move {
                let migrated = SqlStore::sqlite(path.pool().await).migrate().await;
                std::mem::forget(path);
                migrated
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
}

/// Another handle stands for another process: what it revokes holds at once, and with a cache after
/// the time that was chosen.
#[tokio::test]
async fn a_revocation_elsewhere_holds_at_once_or_after_the_time_of_the_cache() {
    let store = in_memory().await;
    let cached = store.clone().cache_api_keys(Duration::from_secs(5));
    let record = key().record;
    assert!(store.insert(record.clone()).await.unwrap());
    let id = record.id();
    assert!(cached.find_now(id, NOW).is_none());
    cached.find(id, NOW).await.unwrap().unwrap();
    assert!(cached.find_now(id, NOW).unwrap().unwrap().unwrap().revoked_at().is_none());

    let revoke = ApiKeyChange::Revoke { at: NOW, reason: "test".into() };
    assert_eq!(store.change(id, &revoke).await.unwrap(), Changed::Applied);
    assert!(store.find(id, NOW).await.unwrap().unwrap().revoked_at().is_some());
    let later = |secs| NOW.saturating_add(Duration::from_secs(secs));
    assert!(cached.find_now(id, later(4)).unwrap().unwrap().unwrap().revoked_at().is_none());
    assert!(cached.find_now(id, later(5)).is_none());
    assert!(cached.find(id, later(5)).await.unwrap().unwrap().revoked_at().is_some());

    // Through the store that caches, and its clones, at once.
    let other = key().record;
    assert!(cached.insert(other.clone()).await.unwrap());
    cached.find(other.id(), NOW).await.unwrap().unwrap();
    cached.clone().change(other.id(), &revoke).await.unwrap();
    assert!(cached.find_now(other.id(), NOW).is_none());
}

/// What was read before a change must not be kept after it.
#[tokio::test]
async fn a_change_while_a_record_is_read_leaves_nothing_stale() {
    let cache = super::ApiKeyCache::new(Duration::from_secs(60));
    let record = Arc::new(key().record);
    let before = cache.changes();
    cache.forget(record.id());
    cache.put(&record, before, NOW);
    assert!(cache.get(record.id(), NOW).is_none());
    cache.put(&record, cache.changes(), NOW);
    assert!(cache.get(record.id(), NOW).is_some());
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_corrupt() {
    let store = in_memory().await;
    let record = key().record;
    store.insert(record.clone()).await.unwrap();
    let super::Pool::Sqlite(pool) = &store.pool else { panic!("it is SQLite") };
    for (column, value) in [("digest", "md5$x"), ("scopes", "{"), ("environment", ""), ("networks", "[\"x\"]")] {
        let broken = sqlx::AssertSqlSafe(format!("UPDATE portcullis_api_keys SET {column} = $1"));
        sqlx::query(broken).bind(value).execute(pool).await.unwrap();
        let found = store.find(record.id(), NOW).await;
        assert!(matches!(found, Err(StoreError::Corrupt(_))), "{column}: {found:?}");
    }
}

#[tokio::test]
async fn a_busy_database_is_an_outage_within_the_limit() {
    let store = in_memory().await.statement_limit(Duration::from_millis(50));
    let super::Pool::Sqlite(pool) = &store.pool else { panic!("it is SQLite") };
    let _only = pool.acquire().await.unwrap();
    assert!(matches!(store.find("0123456789Ab", NOW).await, Err(StoreError::TimedOut)));
}

#[tokio::test]
async fn without_tables_it_is_an_outage() {
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
    let store = SqlStore::sqlite(pool);
    assert!(matches!(store.find("0123456789Ab", NOW).await, Err(StoreError::Unavailable(_))));
    assert_eq!(format!("{store:?}"), "SqlStore { dialect: \"sqlite\", limit: 1s, .. }");
}
