//! SQLite. PostgreSQL runs the same laws in `tests/interop`.

use std::time::Duration;

use sqlx::sqlite::SqlitePoolOptions;

use super::*;
use crate::rate_limit::{Charge, ChargeKey, KeyPart, Op, Rate, TokenBucket};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

async fn in_memory() -> SqlStore {
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
    let store = SqlStore::sqlite(pool).statement_limit(Duration::from_secs(30));
    store.migrate().await.unwrap();
    store
}

fn batch<'a>(now: Timestamp, caller: &'a [u8], bucket: &'a TokenBucket, op: Op) -> Batch<'a> {
    let mut batch = Batch::new(now);
    batch.push(Charge::new(ChargeKey::new("rule").with(KeyPart::Bytes(caller)).unwrap(), bucket, op)).unwrap();
    batch
}

#[cfg(feature = "conformance")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_laws_of_rates_hold() {
    use crate::conformance::rates::{self, RateClock::Callers};

    let store = Arc::new(in_memory().await);
    rates::golden_traces_are_kept(&store, Callers).await;
    rates::a_batch_is_answered_in_its_order(&store, Callers).await;
    rates::a_refused_batch_charges_nothing(&store, Callers).await;
    rates::a_forced_charge_is_owed(&store, Callers).await;
    rates::states_of_many_words_are_kept(&store, Callers).await;
    rates::keys_are_apart(&store, Callers).await;
    rates::rules_are_apart(&store, Callers).await;
    rates::algorithms_are_apart(&store, Callers).await;
    rates::the_clock_is_the_one_that_was_said(&store, Callers).await;
    rates::batches_that_meet_are_charged_alike(&store, Callers).await;
    // All of them, in a file and from several processes, in `tests/interop`: a call that is dropped may
    // take its connection along, and with it a database that lies in memory.
    rates::random_traces_are_those_of_the_pure_step(&store, Callers, 100).await;
}

/// No sweeper, and yet there are not many more rows than callers who owe something.
#[tokio::test]
async fn what_has_expired_goes() {
    let store = in_memory().await;
    let bucket = TokenBucket::new(Rate::per_second(1)).unwrap();
    let Pool::Sqlite(pool) = &store.pool else { panic!("it is SQLite") };
    let mut most = 0;
    for number in 0..3_000_u32 {
        let now = NOW.saturating_add(Duration::from_millis(10) * number);
        let caller = number.to_be_bytes();
        assert!(store.apply(&batch(now, &caller, &bucket, Op::Take(1))).await.unwrap().allowed());
        if number % 100 == 0 {
            let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM portcullis_rates").fetch_one(pool).await.unwrap();
            most = most.max(rows);
        }
    }
    // A hundred owe something at any time.
    assert!(most < 400, "{most} rows");
}

#[tokio::test]
async fn a_state_that_makes_no_sense_is_corrupt() {
    let store = in_memory().await;
    let bucket = TokenBucket::new(Rate::per_second(1)).unwrap();
    let take = batch(NOW, b"a", &bucket, Op::Take(1));
    store.apply(&take).await.unwrap();
    let Pool::Sqlite(pool) = &store.pool else { panic!("it is SQLite") };
    for state in [&[9_u8][..], &[1], &[1, 2, 3]] {
        sqlx::query("UPDATE portcullis_rates SET state = $1").bind(state).execute(pool).await.unwrap();
        assert!(matches!(store.apply(&take).await, Err(StoreError::Corrupt(_))), "{state:?}");
    }
    sqlx::query("UPDATE portcullis_rates SET state = x''").execute(pool).await.unwrap();
    assert!(store.apply(&take).await.unwrap().allowed(), "nothing is no state");
}

#[tokio::test]
async fn without_the_table_it_is_an_outage() {
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
    let bucket = TokenBucket::new(Rate::per_second(1)).unwrap();
    let answer = SqlStore::sqlite(pool).apply(&batch(NOW, b"a", &bucket, Op::Take(1))).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
}
