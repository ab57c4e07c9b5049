//! Laws about many at the same time, and about calls that do not end.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use tokio::task::JoinSet;

use super::{
    RateClock,
    algorithms::limit_of,
    probe::{Ask, Probe},
};
use crate::rate_limit::{Op, RateLimitStore, TokenBucket};

/// Sixty-four tasks at once ask 2,560 times for a limit of 1,000: that many pass, no more and no fewer.
///
/// # Panics
/// If the law is broken.
pub async fn of_64_tasks_exactly_the_limit_passes(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    exactly_the_limit_passes(store, clock, 64, 40, 1_000).await;
}

/// The same with as many tasks, charges of each, and units as you like.
///
/// # Panics
/// If the law is broken.
pub async fn exactly_the_limit_passes(
    store: &Arc<impl RateLimitStore + ?Sized>,
    clock: RateClock,
    tasks: usize,
    each: usize,
    limit: u64,
) {
    let probe = Probe::new("of_64_tasks_exactly_the_limit_passes", store, clock);
    let mut asking = JoinSet::new();
    for _ in 0..tasks {
        let probe = probe.clone();
        asking.spawn(async move {
            let (limit, mut passed) = (limit_of(limit), 0_u64);
            for _ in 0..each {
                let found = probe.one(probe.at(Duration::ZERO), b"hot", &limit, Op::Take(1)).await;
                passed = passed.saturating_add(u64::from(found.allowed));
                tokio::task::yield_now().await;
            }
            passed
        });
    }
    let passed: u64 = asking.join_all().await.into_iter().fold(0, u64::saturating_add);
    let asked = u64::try_from(tasks.saturating_mul(each)).unwrap_or(u64::MAX);
    probe.is(passed, asked.min(limit), format_args!("how many of {asked} passed a limit of {limit}"));
}

/// The two limits that batches of several tasks charge in both orders.
struct Pair {
    wide: TokenBucket,
    narrow: TokenBucket,
}

impl Pair {
    const WIDE: u64 = 1_000;
    const NARROW: u64 = 150;

    fn new() -> Self {
        Self { wide: limit_of(Self::WIDE), narrow: limit_of(Self::NARROW) }
    }

    fn charges<'a>(&'a self, probe: &'a Probe<impl RateLimitStore + ?Sized>, turned: bool) -> [Ask<'a>; 2] {
        let mut charges: [Ask<'_>; 2] =
            [(probe.key(b"wide"), &self.wide, Op::Take(1)), (probe.key(b"narrow"), &self.narrow, Op::Take(1))];
        if turned {
            charges.reverse();
        }
        charges
    }

    /// How much was charged to each.
    async fn charged(&self, probe: &Probe<impl RateLimitStore + ?Sized>) -> (u64, u64) {
        let now = probe.at(Duration::ZERO);
        let wide = probe.remaining(now, b"wide", &self.wide).await;
        let narrow = probe.remaining(now, b"narrow", &self.narrow).await;
        (Self::WIDE.saturating_sub(wide), Self::NARROW.saturating_sub(narrow))
    }

    /// The same once nothing is under way any more.
    async fn charged_at_rest(&self, probe: &Probe<impl RateLimitStore + ?Sized>) -> (u64, u64) {
        let mut charged = self.charged(probe).await;
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let again = self.charged(probe).await;
            if again == charged {
                break;
            }
            charged = again;
        }
        charged
    }
}

/// Tasks charge two limits in both orders at once: none waits for ever, no more pass than the narrower limit
/// allows, and when all is quiet, what one limit was charged the other was, which is what passed.
///
/// While others are at work a batch may be refused that would have passed alone: then the rest passes after.
///
/// # Panics
/// If the law is broken.
pub async fn batches_that_meet_are_charged_alike(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("batches_that_meet_are_charged_alike", store, clock);
    let mut asking = JoinSet::new();
    for task in 0..64_usize {
        let probe = probe.clone();
        asking.spawn(async move {
            let (pair, mut passed) = (Pair::new(), 0_u64);
            for _ in 0..6 {
                let turned = task.is_multiple_of(2);
                let verdicts = probe.ask(probe.at(Duration::ZERO), &pair.charges(&probe, turned)).await;
                passed = passed.saturating_add(u64::from(verdicts.allowed()));
                tokio::task::yield_now().await;
            }
            passed
        });
    }
    let mut passed: u64 = asking.join_all().await.into_iter().fold(0, u64::saturating_add);
    let pair = Pair::new();
    probe.is(pair.charged_at_rest(&probe).await, (passed, passed), "what was charged to the two limits");
    while passed <= Pair::NARROW && probe.ask(probe.at(Duration::ZERO), &pair.charges(&probe, false)).await.allowed() {
        passed = passed.saturating_add(1);
    }
    probe.is(passed, Pair::NARROW, "how many passed in all");
}

/// A call whose caller goes away is charged wholly or not at all, at whatever point it was given up; and
/// the store serves the next one.
///
/// # Panics
/// If the law is broken.
pub async fn a_call_that_is_dropped_is_charged_wholly_or_not_at_all(
    store: &Arc<impl RateLimitStore + ?Sized>,
    clock: RateClock,
) {
    let probe = Probe::new("a_call_that_is_dropped_is_charged_wholly_or_not_at_all", store, clock);
    let (pair, mut certain) = (Pair::new(), 0_u64);
    for call in 0..12_u64 {
        let charges = pair.charges(&probe, call.is_multiple_of(2));
        let batch = probe.batch(probe.at(Duration::ZERO), &charges);
        // Given up after one look at it, after two …
        let mut looks = call / 2;
        let mut under_way = probe.store().apply(&batch);
        let ended = poll_fn(|context| match under_way.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer.is_ok())),
            Poll::Pending if looks == 0 => Poll::Ready(None),
            Poll::Pending => {
                looks = looks.saturating_sub(1);
                Poll::Pending
            }
        });
        let answered = ended.await == Some(true);
        drop(under_way);
        let (wide, narrow) = pair.charged_at_rest(&probe).await;
        probe.is(wide, narrow, format_args!("what call {call} left charged to the two limits"));
        certain = certain.saturating_add(u64::from(answered));
        probe.holds(certain <= wide && wide <= call.saturating_add(1), || {
            format!("{wide} were charged by {call} calls and one, of which {certain} were answered")
        });
    }
    let next = probe.ask(probe.at(Duration::ZERO), &pair.charges(&probe, false)).await;
    probe.holds(next.allowed(), || "after calls that were given up nothing passes".into());
}

/// A call whose reply is lost after the store has written (a connection that breaks) is charged once or not at
/// all, wholly; and the store serves the next one.
///
/// `lose` is called before each call: it arranges that the reply to the next command is lost. Not one of
/// [`all`](super::all), because only you can break your connection; a store behind no connection has none to
/// lose.
///
/// # Panics
/// If the law is broken.
pub async fn a_lost_reply_is_charged_wholly_or_not_at_all(
    store: &Arc<impl RateLimitStore + ?Sized>,
    clock: RateClock,
    mut lose: impl FnMut(),
) {
    let probe = Probe::new("a_lost_reply_is_charged_wholly_or_not_at_all", store, clock);
    let pair = Pair::new();
    for lost in 1..=8 {
        let before = pair.charged_at_rest(&probe).await;
        lose();
        let batch = probe.batch(probe.at(Duration::ZERO), &pair.charges(&probe, lost % 2 == 0));
        let answer = tokio::time::timeout(Duration::from_secs(30), probe.store().apply(&batch)).await;
        probe.holds(answer.is_ok(), || format!("call {lost}, whose reply was lost, does not end"));
        let allowed = answer.is_ok_and(|answer| answer.is_ok_and(|verdicts| verdicts.allowed()));
        let (wide, narrow) = at_rest_again(&probe, &pair).await;
        let more = (wide.saturating_sub(before.0), narrow.saturating_sub(before.1));
        probe.holds(more.0 == more.1 && more.0 >= u64::from(allowed) && more.0 <= 1, || {
            format!("call {lost}, whose reply was lost, was charged {more:?}; it said that it passed: {allowed}")
        });
    }
}

/// The connection is being made anew: the store may say meanwhile that it cannot answer.
async fn at_rest_again(probe: &Probe<impl RateLimitStore + ?Sized>, pair: &Pair) -> (u64, u64) {
    for _ in 0..200 {
        let batch = probe.batch(probe.at(Duration::ZERO), &[(probe.key(b"any"), &pair.wide, Op::Peek)]);
        if probe.store().apply(&batch).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    pair.charged_at_rest(probe).await
}
