//! The time that a call may take, and what an answer means.

use std::{fmt, future::Future, pin::pin, time::Duration};

use redis::{ErrorKind, FromRedisValue, RedisError, RedisResult};
use tokio::time::timeout;

use super::{connection::Connection, script::Invocation};
use crate::store::{Attempt, Outage, StoreError};

/// After every so many calls without an answer the connection is given up for a new one. A peer that
/// vanished without a word (a failover, a firewall) would else be waited for until the kernel gives
/// up, a quarter of an hour later.
const GIVE_UP_EVERY: u32 = 16;

/// Whoever gives up after so long, with less patience than the budget, says that the server does not
/// answer; whoever does earlier (the client went away) says nothing about it.
const OVERDUE: Duration = Duration::from_millis(10);

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

    /// Whether keys lie on several servers, so that no operation reaches two of them.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.connection, Connection::Cluster(_))
    }

    /// Whether it has left the last calls without an answer.
    pub(super) fn is_down(&self) -> bool {
        self.outage.is_down()
    }

    /// Runs a script, however long it takes.
    pub(super) async fn run<T: FromRedisValue>(&self, script: &Invocation<'_>) -> RedisResult<T> {
        self.connection.run(script).await
    }

    /// The answer to a call, within the budget. A caller that wants to hear a late one keeps the
    /// call, and hands in a reference to it.
    pub(super) async fn answer<T>(&self, call: impl Future<Output = RedisResult<T>>) -> Result<T, StoreError> {
        let mut asking = self.ask().ok_or_else(|| StoreError::unavailable(Down))?;
        let (overdue, mut call) = (self.budget.min(OVERDUE), pin!(call));
        let mut answer = timeout(overdue, &mut call).await;
        if answer.is_err() && overdue < self.budget {
            asking.overdue = true;
            answer = timeout(self.budget.saturating_sub(overdue), call).await;
        }
        let error = match answer {
            Ok(Ok(answer)) => {
                asking.answered();
                return Ok(answer);
            }
            Ok(Err(error)) if is_an_answer(&error) => {
                asking.answered();
                return Err(meaning(error));
            }
            Ok(Err(error)) => meaning(error),
            Err(_) => StoreError::TimedOut,
        };
        asking.unanswered();
        Err(error)
    }

    fn ask(&self) -> Option<Asking<'_>> {
        let attempt = self.outage.attempt()?;
        Some(Asking { link: self, attempt: Some(attempt), overdue: false })
    }
}

/// A call that was made, and whose end is to be told.
struct Asking<'a> {
    link: &'a Link,
    attempt: Option<Attempt<'a>>,
    overdue: bool,
}

impl Asking<'_> {
    fn answered(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            attempt.answered();
        }
    }

    fn unanswered(&mut self) {
        let Some(attempt) = self.attempt.take() else { return };
        let failures = attempt.unanswered();
        if failures.is_multiple_of(GIVE_UP_EVERY) {
            tracing::warn!(target: "portcullis", failures, "Redis does not answer: connecting anew");
            self.link.connection.give_up();
        }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if self.overdue {
            self.unanswered();
        }
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
        // Somebody else's key.
        _ if error.code() == Some("WRONGTYPE") => StoreError::corrupt(error),
        ErrorKind::UnexpectedReturnType | ErrorKind::Parse => StoreError::corrupt(error),
        _ => StoreError::unavailable(error),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("Redis has not answered the last calls, and is not asked by all at once")]
struct Down;
