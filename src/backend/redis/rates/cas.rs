//! Any algorithm in two round trips: the states are read, stepped here, and written if they are still
//! the same.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::LazyLock,
    time::Duration,
};

use redis::{RedisResult, Value};

use super::{Asked, View, words};
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
        let mut view = View::read_for(self.link.answer(self.load(batch, asked)).await?, batch, self.rates.clock)?;
        for attempt in 1..=ATTEMPTS {
            let mut steps = batch.step(view.now, |index| view.state(index));
            let Some(writes) = writes(batch, &mut steps, view.now) else { return Ok(steps.verdicts) };
            let verdicts = steps.verdicts;
            let mut answer = self.link.answer(self.swap(batch, asked, &view, &writes)).await?;
            if answer == Value::Int(1) {
                return Ok(verdicts);
            }
            if attempt >= AT_ONCE {
                tokio::time::sleep(pause()).await;
                answer = self.link.answer(self.load(batch, asked)).await?;
            }
            view = View::read_for(answer, batch, self.rates.clock)?;
        }
        Err(StoreError::unavailable(Contended))
    }

    async fn load(&self, batch: &Batch<'_>, asked: &[Asked<'_>]) -> RedisResult<Value> {
        let mut loading = LOAD.prepare_invoke();
        loading.key(asked.iter().map(|asked| asked.key.as_str()).collect::<Vec<_>>());
        loading.arg(self.rates.time_argument(batch));
        self.link.run(&loading).await
    }

    async fn swap(&self, batch: &Batch<'_>, asked: &[Asked<'_>], view: &View, writes: &[New]) -> RedisResult<Value> {
        let mut swapping = SWAP.prepare_invoke();
        swapping.arg(self.rates.time_argument(batch));
        for (index, (asked, new)) in asked.iter().zip(writes).enumerate() {
            swapping.key(asked.key.as_str()).arg(view.text(index));
            match new {
                New::Keep => swapping.arg("").arg(-1),
                New::Clear => swapping.arg("").arg(0),
                New::Set(text, millis) => swapping.arg(text).arg(*millis),
            };
        }
        self.link.run(&swapping).await
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
