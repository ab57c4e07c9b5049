//! Laws about what a charge does, and what a batch of them.

use std::{sync::Arc, time::Duration};

use super::{
    RateClock,
    algorithms::{Ledger, hours, limit_of, window_of},
    probe::{Ask, Probe},
};
use crate::rate_limit::{Algorithm, Op, RateLimitStore, Verdicts};

fn told(verdicts: &Verdicts) -> Vec<(bool, u64)> {
    verdicts.decisions().map(|decision| (decision.allowed, decision.remaining)).collect()
}

/// A verdict for each charge, in the order of the charges, for one to eight of them.
///
/// # Panics
/// If the law is broken.
pub async fn a_batch_is_answered_in_its_order(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("a_batch_is_answered_in_its_order", store, clock);
    let limits: Vec<_> = (10..18).map(limit_of).collect();
    for count in 1_u8..=8 {
        let keys: Vec<[u8; 2]> = (0..8).map(|index| [count, index]).collect();
        let count = usize::from(count);
        let charges: Vec<Ask<'_>> = keys
            .iter()
            .zip(&limits)
            .take(count)
            .map(|(key, limit)| (probe.key(key), limit as &dyn Algorithm, Op::Take(2)))
            .collect();
        for round in 1_u64..=2 {
            let expected: Vec<_> =
                (10_u64..18).take(count).map(|limit| (true, limit.saturating_sub(round.saturating_mul(2)))).collect();
            let found = told(&probe.ask(probe.at(Duration::ZERO), &charges).await);
            probe.is(found, expected, format_args!("a batch of {count}, asked {round} times"));
        }
    }
}

/// If one charge of a batch is refused, none is made, and each limit is shown as it stands; wherever
/// in the batch the refused one is.
///
/// # Panics
/// If the law is broken.
pub async fn a_refused_batch_charges_nothing(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("a_refused_batch_charges_nothing", store, clock);
    let (wide, narrow) = (limit_of(10), limit_of(1));
    let now = || probe.at(Duration::ZERO);
    for place in 0_u8..3 {
        let keys: Vec<[u8; 2]> = (0..3).map(|index| [place, index]).collect();
        let at = usize::from(place);
        let charges: Vec<Ask<'_>> = keys
            .iter()
            .enumerate()
            .map(|(index, key)| {
                let limit: &dyn Algorithm = if index == at { &narrow } else { &wide };
                (probe.key(key), limit, Op::Take(1))
            })
            .collect();
        let stands = |allowed| -> Vec<(bool, u64)> {
            (0..3).map(|index| if index == at { (allowed, 0) } else { (true, 9) }).collect()
        };
        probe.is(told(&probe.ask(now(), &charges).await), stands(true), "the batch that passes");
        for _ in 0..3 {
            probe.is(told(&probe.ask(now(), &charges).await), stands(false), "the batch that is refused");
        }
        for ((key, algorithm, _), (_, remaining)) in charges.iter().zip(stands(true)) {
            let found = probe.ask(now(), &[(*key, *algorithm, Op::Take(0))]).await;
            probe.is(told(&found), vec![(true, remaining)], "what is left after refusals");
        }
    }
}

/// What costs more than there ever is does not pass, is given no time to wait, and charges nothing.
///
/// # Panics
/// If the law is broken.
pub async fn a_cost_above_the_limit_never_passes(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("a_cost_above_the_limit_never_passes", store, clock);
    let limit = limit_of(5);
    for cost in [6, 1 << 20, 1 << 32, 1 << 53, u64::MAX] {
        let found = probe.one(probe.at(Duration::ZERO), b"k", &limit, Op::Take(cost)).await;
        probe.holds(found.is_never(), || format!("a cost of {cost} of 5: {found:?}"));
        probe.is(found.remaining, 5, format_args!("what is left after a cost of {cost}"));
    }
}

/// To look is free, however often, of a fresh key and of one that was charged; so is a cost of zero.
///
/// # Panics
/// If the law is broken.
pub async fn a_peek_charges_nothing(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("a_peek_charges_nothing", store, clock);
    let limit = limit_of(2);
    for taken in 0..=2 {
        for _ in 0..5 {
            for op in [Op::Peek, Op::Take(0)] {
                let found = probe.one(probe.at(Duration::ZERO), b"k", &limit, op).await;
                probe.is(found.remaining, 2_u64.saturating_sub(taken), format_args!("{op:?} after {taken} of 2"));
                let would_pass = op == Op::Take(0) || taken < 2;
                probe.is(found.allowed, would_pass, format_args!("{op:?} after {taken} of 2"));
            }
        }
        let found = probe.one(probe.at(Duration::ZERO), b"k", &limit, Op::Take(1)).await;
        probe.is(found.allowed, taken < 2, format_args!("a charge after {taken} of 2, and many looks"));
    }
}

/// A charge that is asked alone ([`try_one`](RateLimitStore::try_one)) is answered as a batch of it: the same
/// decision, and the same state from then on. A store that leaves it to the batch has charged nothing yet, and
/// may always do so.
///
/// # Panics
/// If the law is broken.
pub async fn a_charge_asked_alone_is_decided_as_in_a_batch(
    store: &Arc<impl RateLimitStore + ?Sized>,
    clock: RateClock,
) {
    let probe = Probe::new("a_charge_asked_alone_is_decided_as_in_a_batch", store, clock);
    let (bucket, ledger, window) = (limit_of(6).overdraft(2), Ledger { limit: 6, keep: hours(240) }, window_of(6));
    let limits: [(&[u8; 2], &[u8; 2], &dyn Algorithm); 3] =
        [(b"b1", b"b2", &bucket), (b"l1", b"l2", &ledger), (b"w1", b"w2", &window)];
    let ops = [
        Op::Take(1),
        Op::Peek,
        Op::Take(4),
        Op::Take(0),
        Op::Take(2),
        Op::Take(7),
        Op::Give(3),
        Op::Take(2),
        Op::Force(9),
        Op::Take(1),
        Op::Reset,
    ];
    for (alone, batched, limit) in limits {
        // The second time the clock goes back, where the law sets it.
        for (round, op) in [3_u64, 2].into_iter().flat_map(|round| ops.map(|op| (round, op))) {
            let since = probe.real();
            let now = probe.at(Duration::from_secs(round));
            let found = probe.one_alone(now, alone, limit, op).await;
            let expected = probe.one(now, batched, limit, op).await;
            probe.holds(probe.same(&found, &expected, since), || {
                format!("{op:?} of {limit:?}: a batch is told {expected:?}, a charge alone {found:?}")
            });
        }
    }
}

/// Units that were given back are there, and never more than the limit.
///
/// # Panics
/// If the law is broken.
pub async fn what_is_given_back_is_available(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("what_is_given_back_is_available", store, clock);
    let limit = limit_of(5);
    let steps = [(Op::Give(3), 5), (Op::Take(5), 0), (Op::Give(2), 2), (Op::Take(2), 0), (Op::Give(100), 5)];
    for (op, remaining) in steps {
        let found = probe.one(probe.at(Duration::ZERO), b"k", &limit, op).await;
        probe.is((found.allowed, found.remaining), (true, remaining), format_args!("{op:?}"));
    }
    probe.is(probe.remaining(probe.at(Duration::ZERO), b"k", &limit).await, 5, "what is left");
}

/// A forced charge passes where nothing is left, and is owed as far as the algorithm lets a key owe.
///
/// # Panics
/// If the law is broken.
pub async fn a_forced_charge_is_owed(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("a_forced_charge_is_owed", store, clock);
    let limit = limit_of(5).overdraft(3);
    let steps = [(Op::Force(4), 1), (Op::Force(2), 0), (Op::Give(1), 0), (Op::Give(1), 1), (Op::Force(100), 0)];
    for (op, remaining) in steps {
        let found = probe.one(probe.at(Duration::ZERO), b"k", &limit, op).await;
        probe.is((found.allowed, found.remaining), (true, remaining), format_args!("{op:?}"));
    }
    let found = probe.one(probe.at(Duration::ZERO), b"k", &limit, Op::Give(4)).await;
    probe.is(found.remaining, 1, "what is left after four of an overdraft of three");
}

/// A key that was reset is as good as one that was never seen.
///
/// # Panics
/// If the law is broken.
pub async fn a_reset_forgets(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("a_reset_forgets", store, clock);
    let limit = limit_of(3);
    for op in [Op::Take(3), Op::Force(9), Op::Give(1)] {
        probe.one(probe.at(Duration::ZERO), b"k", &limit, op).await;
        let reset = probe.one(probe.at(Duration::ZERO), b"k", &limit, Op::Reset).await;
        probe.is((reset.allowed, reset.remaining), (true, 3), "the reset");
        let found = probe.one(probe.at(Duration::ZERO), b"k", &limit, Op::Peek).await;
        probe.is((found.remaining, found.full_after), (3, Duration::ZERO), "the look after it");
    }
}

/// A state may have any number of words; each comes back.
///
/// # Panics
/// If the law is broken.
pub async fn states_of_many_words_are_kept(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("states_of_many_words_are_kept", store, clock);
    let ledger = Ledger { limit: 200, keep: hours(240) };
    for used in 1..=200_u64 {
        let found = probe.one(probe.at(Duration::from_micros(used)), b"k", &ledger, Op::Take(1)).await;
        probe.is((found.allowed, found.remaining), (true, 200_u64.saturating_sub(used)), format_args!("{used} words"));
    }
    let found = probe.one(probe.at(Duration::from_micros(201)), b"k", &ledger, Op::Take(1)).await;
    probe.holds(!found.allowed, || format!("charge 201 of 200: {found:?}"));
    let given = probe.one(probe.at(Duration::from_micros(202)), b"k", &ledger, Op::Give(197)).await;
    probe.is(given.remaining, 197, "what is left when 197 were given back");
}
