use std::sync::Arc;

use sqlx::{Row as _, SqlitePool, sqlite::SqliteConnection};

use super::{Found, Held, Id, Rates, rows};
use crate::{
    backend::sql::text::micros,
    rate_limit::{Batch, Verdicts, Write},
    time::Timestamp,
};

/// As many places as a batch has; those that are left are NULL, which no id is.
const LOAD: &str = "SELECT id, state FROM portcullis_rates WHERE id IN ($1, $2, $3, $4, $5, $6, $7, $8)";
const STORE: &str = "INSERT INTO portcullis_rates (id, state, expires_at) VALUES ($1, $2, $3)
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, expires_at = excluded.expires_at";
const SWEEP: &str = "DELETE FROM portcullis_rates WHERE expires_at <= $2 AND id IN
    (SELECT id FROM portcullis_rates WHERE id >= $1 ORDER BY id LIMIT 2)";

const _: () = assert!(Batch::MAX == 8, "as many as there are places in `LOAD`");

pub(super) async fn apply(
    pool: &SqlitePool,
    rates: &Rates,
    batch: &Batch<'_>,
    ids: &[Id],
) -> Result<Verdicts, sqlx::Error> {
    let now = batch.now();
    let read = async { load(&mut *pool.acquire().await?, ids, now).await };
    let seen = rates.reads.share(ids.to_vec(), read).await?;
    let steps = batch.step(now, |index| seen.state(index));
    if (0..batch.len()).all(|index| *steps.write(index) == Write::Keep) {
        return Ok(steps.verdicts);
    }
    // SQLite lets one write at a time, and has the others sleep and try again: better they wait here.
    let _writer = rates.writer.lock().await;
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let held = load(&mut transaction, ids, now).await?;
    let steps = batch.step(now, |index| held.state(index));
    for row in rows(batch, &steps, now) {
        let Some(id) = ids.get(row.index) else { continue };
        let store = sqlx::query(STORE).bind(id.as_slice()).bind(row.state).bind(micros(row.expires_at));
        store.execute(&mut *transaction).await?;
        if held.rows.get(row.index).is_none_or(|row| row.bytes.is_none()) {
            sqlx::query(SWEEP).bind(rates.anywhere()).bind(micros(now)).execute(&mut *transaction).await?;
        }
    }
    transaction.commit().await?;
    Ok(steps.verdicts)
}

async fn load(connection: &mut SqliteConnection, ids: &[Id], now: Timestamp) -> Result<Arc<Found>, sqlx::Error> {
    let mut query = sqlx::query(LOAD);
    for place in 0..Batch::MAX {
        query = query.bind(ids.get(place).map(<[u8; 32]>::as_slice));
    }
    let mut rows: Vec<Held> = ids.iter().map(|_| Held::default()).collect();
    for row in query.fetch_all(connection).await? {
        let (id, bytes): (&[u8], Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        if let Some(place) = ids.iter().position(|held| held == id).and_then(|index| rows.get_mut(index)) {
            *place = Held::of(Some(bytes))?;
        }
    }
    Ok(Arc::new(Found { now, rows }))
}
