//! Batches that are asked at the same instant are decided in one run of their script.
//!
//! A run costs the server more than what it decides: the command, the clock, the answer. So whoever
//! asks does not send his batch himself. The first at a [`Stop`] orders a coach, a task that goes when all
//! tasks that could run have had their turn; who has come by then rides along. Nobody waits for others to come, nor
//! for one coach to be back before the next one goes, and each batch is decided as if it was alone.
//!
//! No coach takes more than half of all who are under way. If one took all of them, they would come back together,
//! and ask together the next time: the server would wait while they are told, and they while it decides. In halves
//! it decides on the ones while the others are told and ask again.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
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

/// Into so many runs those who are under way are divided, if they come evenly.
const PARTS: usize = 2;

/// So many coaches wait to be filled: all who come at one instant are divided between them.
const OPEN: usize = PARTS;

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

/// How many have asked and are not answered yet, whatever the shape of their batches: one server answers all of them.
#[derive(Debug, Default)]
pub(super) struct Crowd(AtomicUsize);

/// One of a crowd, until he leaves it in whatever way.
struct Member<'a>(&'a Crowd);

impl Crowd {
    /// With how many seats a coach is full now.
    fn join(&self) -> (Member<'_>, usize) {
        let size = self.0.fetch_add(1, Relaxed).saturating_add(1);
        (Member(self), size.div_ceil(PARTS).min(SEATS))
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

impl Stop {
    fn coaches(&self) -> MutexGuard<'_, VecDeque<Coach>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets somebody in, into the latest coach that has room; whether it is a new one, for which nobody has an order.
    fn board(&self, seats: usize, enter: impl FnOnce(&mut Coach)) -> bool {
        let mut coaches = self.coaches();
        if let Some(coach) = coaches.iter_mut().rev().take(OPEN).find(|coach| coach.seats.len() < seats) {
            enter(coach);
            return false;
        }
        let mut coach = Coach::default();
        enter(&mut coach);
        coaches.push_back(coach);
        true
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
        let (_member, seats) = self.rates.crowd.join();
        let is_new = line.stop.board(seats, |coach| {
            coach.told.add(&self.prefix, line, asked, |op| op);
            coach.seats.push(tell);
        });
        if is_new {
            let order = Order { line: Arc::clone(line), is_open: true };
            drop(tokio::spawn(drive(self.clone(), Arc::clone(line), order)));
        }
        arrival.await.unwrap_or_else(|_| Arrival::Found(Err(StoreError::unavailable("the runtime shuts down"))))
    }
}

async fn drive(store: RedisStore, line: Arc<Line>, order: Order) {
    // For those who could run. Whom an answer wakes meanwhile rides in the next one: to wait for him, too, cost
    // more than the larger run saved.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// So many come at one instant: how many each coach takes along.
    fn coaches_for(callers: usize) -> Vec<usize> {
        let (stop, crowd) = (Stop::default(), Crowd::default());
        let mut members = Vec::new();
        let come = |_: &usize| {
            let (member, seats) = crowd.join();
            members.push(member);
            stop.board(seats, |coach| coach.seats.push(oneshot::channel().0))
        };
        let orders = (0..callers).filter(come).count();
        let sizes: Vec<usize> = stop.coaches().iter().map(|coach| coach.seats.len()).collect();
        // Each is driven by somebody: nobody is left behind.
        assert_eq!((orders, sizes.iter().sum()), (sizes.len(), callers));
        sizes
    }

    #[test]
    fn who_comes_at_one_instant_is_divided_into_halves() {
        assert_eq!(coaches_for(1), [1]);
        assert_eq!(coaches_for(2), [1, 1]);
        for callers in 3..=2 * SEATS {
            let sizes = coaches_for(callers);
            assert!(matches!(sizes[..], [one, other] if one.abs_diff(other) <= 1), "{callers}: {sizes:?}");
        }
    }

    #[test]
    fn no_coach_takes_more_than_its_seats() {
        for callers in [65, 96, 100, 1_000, 1_024] {
            let sizes = coaches_for(callers);
            assert_eq!(sizes.len(), callers.div_ceil(SEATS), "{callers}: {sizes:?}");
            assert_eq!(sizes.iter().max(), Some(&SEATS));
        }
    }

    /// Those whose answer is on its way leave room for as many as they are.
    #[test]
    fn who_comes_back_while_the_others_are_away_rides_in_one_coach() {
        let (stop, crowd) = (Stop::default(), Crowd::default());
        let away: Vec<_> = (0..8).map(|_| crowd.join()).collect();
        let mut back = Vec::new();
        for _ in 0..7 {
            let (member, seats) = crowd.join();
            back.push(member);
            stop.board(seats, |coach| coach.seats.push(oneshot::channel().0));
        }
        assert_eq!(stop.coaches().iter().map(|coach| coach.seats.len()).collect::<Vec<_>>(), [7]);
        // As soon as they have left, in whatever way, there is nobody to make room for.
        drop((away, back));
        assert_eq!(crowd.join().1, 1);
    }
}
