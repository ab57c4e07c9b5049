use std::sync::Arc;

use sqlx::{PgPool, Row as _};

use super::{Found, Held, Id, Rates, rows};
use crate::{
    backend::sql::text::{micros, timestamp},
    rate_limit::{Batch, BatchSteps, Turn, Verdicts, Write},
    time::Timestamp,
};

/// For how long a row is left alone that was made and not yet written, in microseconds.
const NEW: i64 = 60_000_000;

const LOAD: &str = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT, held.state
    FROM unnest($1::BYTEA[]) WITH ORDINALITY AS want (id, place)
    LEFT JOIN portcullis_rates AS held ON held.id = want.id ORDER BY want.place";
/// Makes the rows that are missing, so that they can be locked, and removes up to two others that have
/// expired. It waits for nobody's lock but that of who makes the same row.
const MAKE: &str = "WITH swept AS (DELETE FROM portcullis_rates
        WHERE id IN (SELECT id FROM portcullis_rates WHERE id >= $2 ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED)
        AND expires_at <= $3 AND id <> ALL ($1))
    INSERT INTO portcullis_rates (id, state, expires_at)
    SELECT want.id, ''::BYTEA, $4 FROM unnest($1::BYTEA[]) AS want (id) ORDER BY want.id
    ON CONFLICT (id) DO NOTHING";
/// All rows are locked, in order, so that no two wait for each other; then all are written if all are
/// what was read, else none. (Rows that are waited for are seen as they are after the wait.)
const SWAP: &str = "WITH want AS (SELECT * FROM unnest($1::BYTEA[], $2::BYTEA[], $3::BYTEA[], $4::BIGINT[])
        AS want (id, was, state, expires_at)),
    held AS MATERIALIZED (SELECT id, state FROM portcullis_rates WHERE id = ANY ($1) ORDER BY id FOR UPDATE),
    same AS MATERIALIZED (SELECT COUNT(*) AS rows FROM held JOIN want ON want.id = held.id AND want.was = held.state)
    UPDATE portcullis_rates AS rate SET state = want.state, expires_at = want.expires_at
    FROM want, same WHERE rate.id = want.id AND same.rows = cardinality($1)";

pub(super) async fn apply(
    pool: &PgPool,
    rates: &Rates,
    batch: &Batch<'_>,
    ids: &[Id],
) -> Result<Verdicts, sqlx::Error> {
    let mut turn: Option<Turn<'_, Id>> = None;
    let mut round = 0;
    loop {
        let found = rates.reads.share(ids.to_vec(), load(pool, ids)).await?;
        let steps = batch.step(found.now, |index| found.state(index));
        if (0..batch.len()).all(|index| *steps.write(index) == Write::Keep) {
            return Ok(steps.verdicts);
        }
        if turn.is_none() {
            let taken = rates.turns.take(ids.iter().copied()).await;
            let stale = taken.waited;
            turn = Some(taken);
            if stale {
                continue;
            }
        }
        match swap(pool, rates, batch, ids, &found, &steps).await {
            Ok(true) => return Ok(steps.verdicts),
            Ok(false) => {}
            Err(error) if is_conflict(&error) => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(rates.jitter.pause(round)).await;
        round = round.saturating_add(1);
    }
}

/// The rows, and the server's time.
async fn load(pool: &PgPool, ids: &[Id]) -> Result<Arc<Found>, sqlx::Error> {
    let wanted: Vec<&[u8]> = ids.iter().map(<[u8; 32]>::as_slice).collect();
    let mut found = Found { now: Timestamp::EPOCH, rows: Vec::with_capacity(ids.len()) };
    for row in sqlx::query(LOAD).bind(wanted).fetch_all(pool).await? {
        found.now = found.now.max(timestamp(row.try_get(0)?));
        found.rows.push(Held::of(row.try_get(1)?)?);
    }
    Ok(Arc::new(found))
}

async fn swap(
    pool: &PgPool,
    rates: &Rates,
    batch: &Batch<'_>,
    ids: &[Id],
    found: &Found,
    steps: &BatchSteps,
) -> Result<bool, sqlx::Error> {
    let now = found.now;
    let (mut wanted, mut missing) = (Vec::new(), Vec::new());
    let (mut was, mut states, mut expiries) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows(batch, steps, now) {
        let (Some(id), Some(held)) = (ids.get(row.index), found.rows.get(row.index)) else { continue };
        if held.bytes.is_none() {
            missing.push(id.as_slice());
        }
        wanted.push(id.as_slice());
        was.push(held.bytes.as_deref().unwrap_or_default());
        states.push(row.state);
        expiries.push(micros(row.expires_at));
    }
    if !missing.is_empty() {
        let make = sqlx::query(MAKE).bind(missing).bind(rates.anywhere()).bind(micros(now));
        make.bind(micros(now).saturating_add(NEW)).execute(pool).await?;
    }
    let rows = u64::try_from(wanted.len()).unwrap_or(u64::MAX);
    let swapped = sqlx::query(SWAP).bind(wanted).bind(was).bind(states).bind(expiries).execute(pool).await?;
    Ok(swapped.rows_affected() == rows)
}

/// Serialization failure and deadlock: where the database's default isolation is stricter than ours.
fn is_conflict(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| matches!(&*code, "40001" | "40P01"))
}
