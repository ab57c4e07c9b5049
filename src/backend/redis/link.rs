//! The time that a call may take, and what an answer means.

use std::{fmt, future::Future, time::Duration};

use redis::{ErrorKind, FromRedisValue, RedisError, RedisResult, ScriptInvocation};

use super::{connection::Connection, outage::Outage};
use crate::store::StoreError;

/// After every so many calls without an answer the connection is given up for a new one. A peer that
/// vanished without a word (a failover, a firewall) would else be waited for until the kernel gives
/// up, a quarter of an hour later.
const GIVE_UP_EVERY: u32 = 16;

pub(super) struct Link {
    connection: Connection,
    outage: Outage,
    budget: Duration,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("budget", &self.budget)
            .field("down", &self.outage.is_down())
            .finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn over(connection: Connection, budget: Duration) -> Self {
        Self { connection, outage: Outage::default(), budget }
    }

    /// Runs a script, however long it takes.
    pub(super) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> RedisResult<T> {
        self.connection.run(script).await
    }

    /// The answer to a call, within the budget. A caller that wants to hear a late one keeps the
    /// call, and hands in a reference to it.
    pub(super) async fn answer<T>(&self, call: impl Future<Output = RedisResult<T>>) -> Result<T, StoreError> {
        let Some(attempt) = self.outage.attempt() else { return Err(StoreError::unavailable(Down)) };
        let error = match tokio::time::timeout(self.budget, call).await {
            Ok(Ok(answer)) => {
                attempt.answered();
                return Ok(answer);
            }
            Ok(Err(error)) if is_an_answer(&error) => {
                attempt.answered();
                return Err(meaning(error));
            }
            Ok(Err(error)) => meaning(error),
            Err(_) => StoreError::TimedOut,
        };
        let failures = attempt.unanswered();
        if failures.is_multiple_of(GIVE_UP_EVERY) {
            tracing::warn!(target: "portcullis", failures, "Redis does not answer: connecting anew");
            self.connection.give_up();
        }
        Err(error)
    }
}

/// Whether the server has answered, if only with an error.
fn is_an_answer(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::UnexpectedReturnType)
}

/// Never `TimedOut`: that is for calls that are still waiting.
fn meaning(error: RedisError) -> StoreError {
    match error.kind() {
        _ if error.code() == Some("OOM") => StoreError::Full,
        ErrorKind::UnexpectedReturnType | ErrorKind::Parse => StoreError::corrupt(error),
        _ => StoreError::unavailable(error),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("Redis has not answered the last calls, and is not asked by all at once")]
struct Down;
