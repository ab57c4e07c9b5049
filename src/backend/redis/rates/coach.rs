//! Batches that are asked at the same instant are decided in one run of their script.
//!
//! A run costs the server more than what it decides: the command, the clock, the answer. So whoever
//! asks does not send his batch himself. The first at a [`Stop`] orders a coach, a task that goes when all
//! tasks that could run have had their turn, and those that they have woken; who has come by then rides along. Nobody waits for others
//! to come, nor for one coach to be back before the next one goes, and each batch is decided as if it was
//! alone, in the order in which they came.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    task::Poll,
};

use redis::{RedisError, Value};
use tokio::sync::oneshot;

use super::{
    Rates,
    answer::{Answer, Found, malformed},
    ask::{Asked, Told},
    shapes::Line,
};
use crate::{backend::redis::RedisStore, store::StoreError};

/// So many batches at most, lest they keep the server from its other work: a tenth of a millisecond.
const SEATS: usize = 32;

/// Where batches of one shape wait.
#[derive(Debug, Default)]
pub(super) struct Stop(Mutex<VecDeque<Coach>>);

#[derive(Debug, Default)]
struct Coach {
    told: Told,
    seats: Vec<oneshot::Sender<Arrival>>,
}

#[derive(Debug)]
pub(super) enum Arrival {
    Found(Result<Found, StoreError>),
    /// Nothing was done, because of somebody else on board, perhaps.
    GoAlone,
}

/// That a task will drive one of the coaches. If it ends before it could (its runtime shuts down), nobody is
/// left waiting.
struct Order {
    line: Arc<Line>,
    is_open: bool,
}

impl Stop {
    fn coaches(&self) -> MutexGuard<'_, VecDeque<Coach>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Order {
    /// As many coaches are there as orders.
    fn take(mut self) -> Option<Coach> {
        self.is_open = false;
        self.line.stop.coaches().pop_front()
    }
}

impl Drop for Order {
    fn drop(&mut self) {
        if self.is_open {
            drop(self.line.stop.coaches().pop_front());
        }
    }
}

impl RedisStore {
    /// What is found for a batch that rides with others.
    pub(super) async fn ride(&self, line: &Arc<Line>, asked: &[Asked<'_>]) -> Arrival {
        let (tell, arrival) = oneshot::channel();
        let order = {
            let mut coaches = line.stop.coaches();
            let is_full = coaches.back().is_none_or(|coach| coach.seats.len() >= SEATS);
            if is_full {
                coaches.push_back(Coach::default());
            }
            if let Some(coach) = coaches.back_mut() {
                coach.told.add(&self.prefix, line, asked, |op| op);
                coach.seats.push(tell);
            }
            is_full.then(|| Order { line: Arc::clone(line), is_open: true })
        };
        if let Some(order) = order {
            drop(tokio::spawn(drive(self.clone(), Arc::clone(line), order)));
        }
        arrival.await.unwrap_or_else(|_| Arrival::Found(Err(StoreError::unavailable("the runtime shuts down"))))
    }
}

async fn drive(store: RedisStore, line: Arc<Line>, order: Order) {
    // Once for those who could run, and once for those whom an answer has woken meanwhile.
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    let Some(Coach { told, mut seats }) = order.take() else { return };
    let shared = seats.len() > 1;
    let run = told.into_invocation(&line, None);
    // In a box: else the task would be several kilobytes, copied when it is spawned and when it ends.
    let asking = Box::pin(async {
        match store.link.run::<Value>(&run).await {
            Err(error) if shared && store.rates.did_nothing(&error) => Ok(None),
            answer => answer.map(Some),
        }
    });
    let Some(answer) = unless_all_left(store.link.answer(asking), &mut seats).await else { return };
    let mut found = match answer.and_then(|answer| answer.map(Answer::read).transpose()) {
        Ok(Some(answer)) if answer.is_about(seats.len(), line.shape.len()) => answer.batches(line.shape.len()),
        Ok(Some(_)) => return tell_all(seats, &malformed()),
        Ok(None) => return seats.into_iter().for_each(|seat| drop(seat.send(Arrival::GoAlone))),
        Err(error) => return tell_all(seats, &error),
    };
    for seat in seats {
        // Who has left does not want to know.
        drop(seat.send(Arrival::Found(found.next().ok_or_else(malformed))));
    }
}

fn tell_all(seats: Vec<oneshot::Sender<Arrival>>, error: &StoreError) {
    for seat in seats {
        drop(seat.send(Arrival::Found(Err(error.clone()))));
    }
}

impl Rates {
    /// Whether the error came before the script has written anything: the server is full, which is nothing
    /// to those on board who write nothing; or it keeps the keys of some of them only.
    fn did_nothing(&self, error: &RedisError) -> bool {
        if error.code() == Some("CROSSSLOT") {
            self.is_partial.store(true, Relaxed);
        }
        matches!(error.code(), Some("OOM" | "CROSSSLOT"))
    }
}

/// `None` if nobody waits for it any more.
async fn unless_all_left<T>(answer: impl Future<Output = T>, seats: &mut [oneshot::Sender<Arrival>]) -> Option<T> {
    let left = async {
        for seat in seats {
            seat.closed().await;
        }
    };
    let (mut answer, mut left) = (pin!(answer), pin!(left));
    poll_fn(|context| match answer.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => left.as_mut().poll(context).map(|()| None),
    })
    .await
}
