//! [`RateLimitStore`] in tables: for a few processes that have a database and no Redis.
//!
//! A row for each bucket, found by a hash of its identity. First it is only read: a request that is
//! refused, as most are of a caller under limit, costs one statement and holds no lock. One that passes
//! is then written by a statement (PostgreSQL) or a transaction (SQLite) that finds everything as it was
//! read, or writes nothing; then it begins anew. No lock is ever held from one round trip to the next.
//!
//! Nothing sweeps: a request that makes a new row looks at two others, wherever chance leads it, and
//! removes those that have expired. So there are never many more rows than callers who owe something.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::{Pool, SqlStore};
use crate::{
    rate_limit::{
        Batch, BatchSteps, Jitter, RateLimitStore, Reads, State, Turns, Verdicts, Write, read_state, write_state,
    },
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

/// A bucket's row. A hash, because identities are as long as callers like, and name them.
type Id = [u8; 32];

/// What the clones of a store have in common.
#[derive(Debug, Default)]
pub(super) struct Rates {
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "SQLite has one writer"))]
    turns: Turns<Id>,
    reads: Reads<Vec<Id>, Arc<Found>>,
    #[cfg(feature = "sqlite")]
    writer: tokio::sync::Mutex<()>,
    jitter: Jitter,
}

impl Rates {
    /// Where to look for what has expired: anywhere.
    fn anywhere(&self) -> Vec<u8> {
        [self.jitter.draw().to_be_bytes(), self.jitter.draw().to_be_bytes()].concat()
    }
}

fn ids(batch: &Batch<'_>) -> Vec<Id> {
    batch.charges().map(|charge| Sha256::digest(charge.identity()).into()).collect()
}

/// What a row holds; nothing is no state.
fn state(bytes: &[u8]) -> Result<Option<State>, sqlx::Error> {
    if bytes.is_empty() {
        return Ok(None);
    }
    read_state(bytes).map(Some).ok_or_else(|| sqlx::Error::Decode(Box::new(UnknownLayout)))
}

/// What was read of a batch's rows, and when by the clock that counts.
#[derive(Debug)]
struct Found {
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "SQLite has no clock of its own"))]
    now: Timestamp,
    rows: Vec<Held>,
}

/// A row as it was read.
#[derive(Debug, Default)]
struct Held {
    /// `None`: there is no row.
    bytes: Option<Vec<u8>>,
    state: Option<State>,
}

impl Held {
    fn of(bytes: Option<Vec<u8>>) -> Result<Self, sqlx::Error> {
        let state = bytes.as_deref().map(state).transpose()?.flatten();
        Ok(Self { bytes, state })
    }
}

impl Found {
    fn state(&self, index: usize) -> Option<&State> {
        self.rows.get(index)?.state.as_ref()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a rate state of an unknown layout")]
struct UnknownLayout;

/// A row to be written: which, what, and until when.
struct Row {
    index: usize,
    state: Vec<u8>,
    expires_at: Timestamp,
}

/// What the steps change; a cleared state is an empty one.
fn rows(batch: &Batch<'_>, steps: &BatchSteps, now: Timestamp) -> Vec<Row> {
    let row = |(index, charge): (usize, &crate::rate_limit::Charge<'_>)| match steps.write(index) {
        Write::Keep => None,
        Write::Clear => Some(Row { index, state: Vec::new(), expires_at: now }),
        Write::Set(state) => {
            let mut bytes = Vec::with_capacity(40);
            write_state(state, &mut bytes);
            let expires_at = now.saturating_add(charge.algorithm().expires_after(state, now));
            Some(Row { index, state: bytes, expires_at })
        }
    };
    batch.charges().enumerate().filter_map(row).collect()
}

/// PostgreSQL steps with its server's clock, SQLite with [`Batch::now`]. What is charged by a call that
/// was given up (the caller went away, time ran out) may have been charged, as a whole, or not.
impl RateLimitStore for SqlStore {
    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(async move {
            let (ids, rates) = (ids(batch), Arc::clone(&self.rates));
            match &self.pool {
                #[cfg(feature = "sqlite")]
                Pool::Sqlite(pool) => self.run(sqlite::apply(pool, &rates, batch, &ids)).await,
                #[cfg(feature = "postgres")]
                Pool::Postgres(pool) => self.run(postgres::apply(pool, &rates, batch, &ids)).await,
            }
        })
    }
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests;
