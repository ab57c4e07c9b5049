//! Any algorithm in two round trips: the states are read, stepped here, and written if they are still
//! the same.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::LazyLock,
    time::Duration,
};

use redis::Value;

use super::{Answer, Asked, Found, View, malformed, words};
use crate::{
    backend::redis::{RedisStore, script::Script},
    rate_limit::{Batch, BatchSteps, Verdicts, Write},
    store::StoreError,
    time::{Timestamp, micros_ceil},
};

static LOAD: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("time.lua"), include_str!("load.lua"))));
static SWAP: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("time.lua"), include_str!("swap.lua"))));

/// How often a batch is tried while other processes are quicker: at once, for one of them has made its
/// way each time, and later after a pause.
const ATTEMPTS: u32 = 32;
const AT_ONCE: u32 = 8;
const LONGEST_PAUSE: Duration = Duration::from_millis(4);

impl RedisStore {
    /// All states are compared in one script and written in the same one: all or nothing. Within this
    /// process only one batch at a time changes a key, so that it competes with other processes only.
    pub(super) async fn compare_and_swap(
        &self,
        batch: &Batch<'_>,
        asked: &[Asked<'_>],
    ) -> Result<Verdicts, StoreError> {
        let _turns = self.rates.turns(asked).await;
        let mut view = self.load(batch, asked).await?;
        for attempt in 1..=ATTEMPTS {
            let mut steps = batch.step(view.now, |index| view.state(index));
            let Some(writes) = writes(batch, &mut steps, view.now) else { return Ok(steps.verdicts) };
            let verdicts = steps.verdicts;
            let Some(found) = self.swap(asked, &view, &writes).await? else { return Ok(verdicts) };
            if attempt >= AT_ONCE {
                tokio::time::sleep(pause()).await;
                view = self.load(batch, asked).await?;
            } else {
                view = View::of(found, batch, self.rates.clock)?;
            }
        }
        Err(StoreError::unavailable(Contended))
    }

    async fn load(&self, batch: &Batch<'_>, asked: &[Asked<'_>]) -> Result<View, StoreError> {
        let mut loading = LOAD.prepare_invoke();
        let mut key = String::new();
        for asked in asked {
            loading.key(asked.address.key(&self.prefix, &mut key)).arg(&asked.address.field()[..]);
        }
        View::of(self.find(&loading).await?, batch, self.rates.clock)
    }

    /// `None` if it has been written, else what is there instead.
    async fn swap(&self, asked: &[Asked<'_>], view: &View, writes: &[New]) -> Result<Option<Found>, StoreError> {
        let mut swapping = SWAP.prepare_invoke();
        let mut key = String::new();
        for ((asked, new), held) in asked.iter().zip(writes).zip(view.texts()) {
            swapping.key(asked.address.key(&self.prefix, &mut key)).arg(&asked.address.field()[..]).arg(held);
            match new {
                New::Keep => swapping.arg("").arg(-1),
                New::Clear => swapping.arg("").arg(0),
                New::Set(text, millis) => swapping.arg(text).arg(*millis),
            };
        }
        swapping.arg(self.rates.slack().as_millis());
        let run = async { self.link.run::<Value>(&swapping).await };
        match self.link.answer(run).await? {
            Value::BulkString(text) if text == b"written" => Ok(None),
            answer => Answer::read(answer)?.batches(asked.len()).next().ok_or_else(malformed).map(Some),
        }
    }
}

enum New {
    Keep,
    Clear,
    Set(String, u64),
}

/// What is to be written; `None` if nothing is.
fn writes(batch: &Batch<'_>, steps: &mut BatchSteps, now: Timestamp) -> Option<Vec<New>> {
    let mut any = false;
    let writes = batch.charges().enumerate().map(|(index, charge)| {
        let write = steps.take_write(index);
        any |= write != Write::Keep;
        match write {
            Write::Keep => New::Keep,
            Write::Clear => New::Clear,
            Write::Set(state) => {
                let living = micros_ceil(charge.algorithm().expires_after(&state, now)).min(super::super::LONGEST);
                New::Set(words::write(&state), living.div_ceil(1_000))
            }
        }
    });
    let writes = writes.collect();
    any.then_some(writes)
}

/// Anything up to the longest: who was late together is not late together again.
fn pause() -> Duration {
    let chance = RandomState::new().hash_one(()).checked_rem(micros_ceil(LONGEST_PAUSE));
    Duration::from_micros(chance.unwrap_or(0))
}

#[derive(Debug, thiserror::Error)]
#[error("other processes changed the rate limit at each of 32 attempts")]
struct Contended;
