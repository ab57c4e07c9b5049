use std::sync::Arc;

use sqlx::{ColumnIndex, Decode, Row, Type};

use super::{
    Pool, SqlStore,
    cache::ApiKeyCache,
    on_pool,
    text::{list, micros, timestamp},
};
use crate::{
    auth::api_key::{ApiKeyChange, ApiKeyRecord, ApiKeyRegistry, ApiKeyStore, ApiKeyUse, Changed},
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

/// Uses that are written with one statement.
const USES: usize = 10_000;

const INSERT: &str = "INSERT INTO portcullis_api_keys (id, environment, digest, owner, tenant, plan,
    scopes, roles, networks, created_at, not_before, expires_at, rotated_from,
    superseded_by, superseded_at, revoked_at, revocation_reason, last_used_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
    ON CONFLICT (id) DO NOTHING";
const FIND: &str = "SELECT id, environment, digest, owner, tenant, plan, scopes, roles, networks,
    created_at, not_before, expires_at, rotated_from, superseded_by, superseded_at,
    revoked_at, revocation_reason, last_used_at FROM portcullis_api_keys WHERE id = $1";
const LIST: &str = "SELECT id, environment, digest, owner, tenant, plan, scopes, roles, networks,
    created_at, not_before, expires_at, rotated_from, superseded_by, superseded_at,
    revoked_at, revocation_reason, last_used_at FROM portcullis_api_keys
    WHERE owner = $1 AND id > $2 ORDER BY id LIMIT $3";
const REVOKE: &str = "UPDATE portcullis_api_keys SET revoked_at = $2, revocation_reason = $3
    WHERE id = $1 AND revoked_at IS NULL";
const SUPERSEDE: &str = "UPDATE portcullis_api_keys SET superseded_by = $2, superseded_at = $3,
    expires_at = CASE WHEN expires_at IS NULL OR expires_at > $4 THEN $4 ELSE expires_at END
    WHERE id = $1 AND revoked_at IS NULL AND superseded_by IS NULL
    AND (expires_at IS NULL OR expires_at > $3)";
const REHASH: &str = "UPDATE portcullis_api_keys SET digest = $3 WHERE id = $1 AND digest = $2";
const EXISTS: &str = "SELECT COUNT(*) FROM portcullis_api_keys WHERE id = $1";
#[cfg(feature = "sqlite")]
const USED_SQLITE: &str = "UPDATE portcullis_api_keys SET last_used_at = used.at FROM
    (SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS at FROM json_each($1)) AS used
    WHERE portcullis_api_keys.id = used.id AND (last_used_at IS NULL OR last_used_at < used.at)";
#[cfg(feature = "postgres")]
const USED_POSTGRES: &str = "UPDATE portcullis_api_keys SET last_used_at = used.at FROM
    (SELECT value ->> 0 AS id, (value ->> 1)::BIGINT AS at FROM jsonb_array_elements($1::JSONB)) AS used
    WHERE portcullis_api_keys.id = used.id AND (last_used_at IS NULL OR last_used_at < used.at)";

impl ApiKeyStore for SqlStore {
    fn find<'a>(&'a self, id: &'a str, now: Timestamp) -> BoxFuture<'a, Result<Option<Arc<ApiKeyRecord>>, StoreError>> {
        Box::pin(async move {
            let before = self.api_keys.as_ref().map(ApiKeyCache::changes);
            let row = on_pool!(self, pool => self.run(async {
                let row = sqlx::query(FIND).bind(id).fetch_optional(pool).await?;
                row.as_ref().map(Stored::read).transpose()
            }).await)?;
            let Some(row) = row else { return Ok(None) };
            let record = Arc::new(row.record()?);
            if let (Some(cache), Some(before)) = (&self.api_keys, before) {
                cache.put(&record, before, now);
            }
            Ok(Some(record))
        })
    }

    fn find_now(&self, id: &str, now: Timestamp) -> Option<Result<Option<Arc<ApiKeyRecord>>, StoreError>> {
        self.api_keys.as_ref()?.get(id, now).map(|record| Ok(Some(record)))
    }
}

impl ApiKeyRegistry for SqlStore {
    fn insert(&self, record: ApiKeyRecord) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            let superseded = record.superseded();
            let inserted = on_pool!(self, pool => self.run(async {
                let done = sqlx::query(INSERT)
                    .bind(record.id())
                    .bind(record.environment())
                    .bind(record.digest().to_string())
                    .bind(record.owner())
                    .bind(record.tenant())
                    .bind(record.plan())
                    .bind(list(record.scopes().iter()))
                    .bind(list(record.roles().map(str::to_owned)))
                    .bind(list(record.allowed_networks()))
                    .bind(record.created_at().map(micros))
                    .bind(record.not_before().map(micros))
                    .bind(record.expires_at().map(micros))
                    .bind(record.rotated_from())
                    .bind(superseded.map(|by| by.by()))
                    .bind(superseded.map(|by| micros(by.at())))
                    .bind(record.revoked_at().map(micros))
                    .bind(record.revocation_reason())
                    .bind(record.last_used_at().map(micros))
                    .execute(pool)
                    .await?;
                Ok(done.rows_affected())
            }).await)?;
            Ok(inserted > 0)
        })
    }

    fn change<'a>(&'a self, id: &'a str, change: &'a ApiKeyChange) -> BoxFuture<'a, Result<Changed, StoreError>> {
        Box::pin(async move {
            let changed = self.apply(id, change).await;
            // Also after an error: nobody knows whether it was made.
            if let Some(cache) = &self.api_keys {
                cache.forget(id);
            }
            if changed? > 0 {
                return Ok(Changed::Applied);
            }
            let exists: i64 = on_pool!(self, pool => self.run(async {
                sqlx::query_scalar(EXISTS).bind(id).fetch_one(pool).await
            }).await)?;
            Ok(if exists > 0 { Changed::NotApplicable } else { Changed::Unknown })
        })
    }

    fn list<'a>(
        &'a self,
        owner: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Arc<ApiKeyRecord>>, StoreError>> {
        Box::pin(async move {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = on_pool!(self, pool => self.run(async {
                let rows = sqlx::query(LIST).bind(owner).bind(after.unwrap_or_default()).bind(limit);
                rows.fetch_all(pool).await?.iter().map(Stored::read).collect::<Result<Vec<_>, _>>()
            }).await)?;
            rows.into_iter().map(|row| row.record().map(Arc::new)).collect()
        })
    }

    fn record_uses<'a>(&'a self, uses: &'a [ApiKeyUse]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            for part in uses.chunks(USES) {
                let rows: Vec<_> = part.iter().map(|used| serde_json::json!([used.id(), micros(used.at())])).collect();
                let rows = serde_json::Value::from(rows).to_string();
                match &self.pool {
                    #[cfg(feature = "sqlite")]
                    Pool::Sqlite(pool) => {
                        self.run(async { sqlx::query(USED_SQLITE).bind(rows).execute(pool).await }).await?;
                    }
                    #[cfg(feature = "postgres")]
                    Pool::Postgres(pool) => {
                        self.run(async { sqlx::query(USED_POSTGRES).bind(rows).execute(pool).await }).await?;
                    }
                }
            }
            Ok(())
        })
    }
}

impl SqlStore {
    /// How many rows were changed. The condition stands in the statement, so that of two changes at
    /// once that exclude each other one finds nothing to change.
    async fn apply(&self, id: &str, change: &ApiKeyChange) -> Result<u64, StoreError> {
        on_pool!(self, pool => self.run(async {
            let statement = match change {
                ApiKeyChange::Revoke { at, reason } => {
                    let reason: String = reason.chars().filter(|letter| *letter != '\0').take(200).collect();
                    sqlx::query(REVOKE).bind(id).bind(micros(*at)).bind(reason)
                }
                ApiKeyChange::Supersede { by, at, until } => {
                    sqlx::query(SUPERSEDE).bind(id).bind(by).bind(micros(*at)).bind(micros(*until))
                }
                ApiKeyChange::Rehash { from, to } => {
                    sqlx::query(REHASH).bind(id).bind(from.to_string()).bind(to.to_string())
                }
            };
            Ok(statement.execute(pool).await?.rows_affected())
        }).await)
    }
}

/// A row, before it is looked at.
struct Stored {
    id: String,
    environment: String,
    digest: String,
    owner: String,
    names: [Option<String>; 2],
    lists: [String; 3],
    begin: [Option<i64>; 3],
    rotated_from: Option<String>,
    superseded: (Option<String>, Option<i64>),
    revoked: (Option<i64>, Option<String>),
    last_used_at: Option<i64>,
}

impl Stored {
    /// In the order of the columns in [`FIND`] and [`LIST`].
    fn read<'r, R>(row: &'r R) -> Result<Self, sqlx::Error>
    where
        R: Row,
        usize: ColumnIndex<R>,
        String: Decode<'r, R::Database> + Type<R::Database>,
        Option<String>: Decode<'r, R::Database> + Type<R::Database>,
        Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
    {
        Ok(Self {
            id: row.try_get(0)?,
            environment: row.try_get(1)?,
            digest: row.try_get(2)?,
            owner: row.try_get(3)?,
            names: [row.try_get(4)?, row.try_get(5)?],
            lists: [row.try_get(6)?, row.try_get(7)?, row.try_get(8)?],
            begin: [row.try_get(9)?, row.try_get(10)?, row.try_get(11)?],
            rotated_from: row.try_get(12)?,
            superseded: (row.try_get(13)?, row.try_get(14)?),
            revoked: (row.try_get(15)?, row.try_get(16)?),
            last_used_at: row.try_get(17)?,
        })
    }

    fn record(self) -> Result<ApiKeyRecord, StoreError> {
        let digest = self.digest.parse().map_err(StoreError::corrupt)?;
        let [scopes, roles, networks] = self.lists.map(|list| serde_json::from_str::<Vec<String>>(&list));
        let mut record = ApiKeyRecord::builder(self.owner)
            .scopes(scopes.map_err(StoreError::corrupt)?)
            .roles(roles.map_err(StoreError::corrupt)?)
            .allowed_networks(networks.map_err(StoreError::corrupt)?);
        let [tenant, plan] = self.names;
        let [created_at, not_before, expires_at] = self.begin.map(|at| at.map(timestamp));
        if let Some(tenant) = tenant {
            record = record.tenant(tenant);
        }
        if let Some(plan) = plan {
            record = record.plan(plan);
        }
        if let Some(at) = created_at {
            record = record.created_at(at);
        }
        if let Some(at) = not_before {
            record = record.not_before(at);
        }
        if let Some(at) = expires_at {
            record = record.expires_at(at);
        }
        if let Some(at) = self.last_used_at {
            record = record.last_used_at(timestamp(at));
        }
        if let Some(id) = self.rotated_from {
            record = record.rotated_from(id);
        }
        if let (Some(by), Some(at)) = self.superseded {
            record = record.superseded(by, timestamp(at));
        }
        if let Some(at) = self.revoked.0 {
            record = record.revoked_at(timestamp(at));
        }
        if let Some(reason) = self.revoked.1 {
            record = record.revocation_reason(reason);
        }
        record.build(&self.id, &self.environment, digest).map_err(StoreError::corrupt)
    }
}
