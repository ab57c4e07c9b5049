use proptest::prelude::*;

use super::*;

const PERIOD: u64 = 60_000_000;
const LIMIT: u64 = 10;

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn log() -> SlidingLog {
    SlidingLog::new(Rate::per_minute(LIMIT)).unwrap()
}

fn counter() -> SlidingCounter {
    SlidingCounter::new(Rate::per_minute(LIMIT)).unwrap()
}

fn hits() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let wait = prop_oneof![Just(0_u64), 0_u64..9_000_000, Just(PERIOD), 0_u64..3 * PERIOD];
    proptest::collection::vec((wait, 0_u64..12), 1..80)
}

proptest! {
    /// The definition: all charges ever, summed anew each time.
    #[test]
    fn the_log_counts_like_a_list(hits in hits(), start in 0_u64..1 << 50) {
        let (log, mut state, mut now, mut list) = (log(), None, start, Vec::<(u64, u64)>::new());
        for (wait, cost) in hits {
            now += wait;
            let in_window = |list: &[(u64, u64)], now: u64| -> u64 {
                list.iter().filter(|(at, _)| at + PERIOD > now).map(|(_, n)| n).sum()
            };
            let allowed = in_window(&list, now) + cost <= LIMIT;
            let decision_after = |now| in_window(&list, now) + cost <= LIMIT;
            let step = log.step(state.as_ref(), at(now), Op::Take(cost));
            prop_assert_eq!(step.decision.allowed, allowed);
            if !allowed && cost <= LIMIT {
                let wait = u64::try_from(step.decision.retry_after.unwrap().as_micros()).unwrap();
                prop_assert!(decision_after(now + wait) && !decision_after(now + wait - 1));
            }
            if allowed && cost > 0 {
                list.push((now, cost));
            }
            prop_assert_eq!(step.decision.remaining, LIMIT - in_window(&list, now));
            state = step.apply(state);
            // Never more words than units.
            prop_assert!(state.as_ref().is_none_or(|state| state.words().len() <= 10));
        }
    }

    /// Whichever charge is given back: no span of a period holds more than the limit of those that stand.
    #[test]
    fn no_refund_lets_the_log_admit_too_much(
        trace in proptest::collection::vec((0_u64..20_000_000, 1_u64..4, any::<prop::sample::Index>(), any::<bool>()), 1..80),
    ) {
        let (log, mut state, mut now, mut stand) = (log(), None, 1 << 40, Vec::<(u64, u64)>::new());
        for (wait, cost, which, refund) in trace {
            now += wait;
            if refund && !stand.is_empty() {
                // Any of them that is still young: one that is too old has nothing to give back.
                let index = which.index(stand.len());
                if stand[index].0 + PERIOD > now {
                    let (_, units) = stand.remove(index);
                    state = log.step(state.as_ref(), at(now), Op::Give(units)).apply(state);
                }
            }
            let step = log.step(state.as_ref(), at(now), Op::Take(cost));
            if step.decision.allowed {
                stand.push((now, cost));
            }
            state = step.apply(state);
            for (from, _) in &stand {
                let sum: u64 = stand.iter().filter(|(at, _)| at >= from && *at < from + PERIOD).map(|(_, n)| n).sum();
                prop_assert!(sum <= LIMIT);
            }
        }
    }

    /// The definition, in exact fractions of counts by window.
    #[test]
    fn the_counter_counts_like_its_formula(hits in hits(), start in 0_u64..1 << 50) {
        let (counter, mut state, mut now) = (counter(), None, start);
        let mut counts = std::collections::HashMap::<u64, u64>::new();
        for (wait, cost) in hits {
            now += wait;
            let count = |counts: &std::collections::HashMap<u64, u64>, index| counts.get(&index).copied().unwrap_or(0);
            let load = |counts: &std::collections::HashMap<u64, u64>, now: u64| {
                let (index, elapsed) = (now / PERIOD, now % PERIOD);
                let previous = index.checked_sub(1).map_or(0, |index| count(counts, index));
                u128::from(previous) * u128::from(PERIOD - elapsed) + u128::from(count(counts, index) * PERIOD)
            };
            let fits = |now| load(&counts, now) + u128::from(cost * PERIOD) <= u128::from(LIMIT * PERIOD);
            let allowed = cost <= LIMIT && fits(now);
            let step = counter.step(state.as_ref(), at(now), Op::Take(cost));
            // A cost of nothing always passes, though more than the limit may count.
            prop_assert_eq!(step.decision.allowed, allowed || cost == 0);
            if let Some(wait) = step.decision.retry_after {
                let wait = u64::try_from(wait.as_micros()).unwrap();
                prop_assert!(fits(now + wait) && !fits(now + wait - 1));
            }
            if allowed {
                *counts.entry(now / PERIOD).or_default() += cost;
            }
            let left = (u128::from(LIMIT * PERIOD)).saturating_sub(load(&counts, now)) / u128::from(PERIOD);
            prop_assert_eq!(u128::from(step.decision.remaining), left);
            state = step.apply(state);
        }
    }
}

#[test]
fn a_log_by_hand() {
    let (log, mut state) = (log(), None);
    let mut see = |secs: u64, op| {
        let step = log.step(state.as_ref(), Timestamp::from_secs(secs), op);
        let decision = step.decision;
        state = step.apply(state.take());
        let wait = decision.retry_after.map(|wait| wait.as_secs());
        (decision.allowed, decision.remaining, decision.next_after.as_secs(), decision.full_after.as_secs(), wait)
    };
    assert_eq!(see(1_000, Op::Peek), (true, 10, 0, 0, None));
    assert_eq!(see(1_000, Op::Take(4)), (true, 6, 60, 60, None));
    assert_eq!(see(1_010, Op::Take(4)), (true, 2, 50, 60, None));
    assert_eq!(see(1_020, Op::Take(3)), (false, 2, 40, 50, Some(40)));
    assert_eq!(see(1_020, Op::Take(7)), (false, 2, 40, 50, Some(50)));
    assert_eq!(see(1_020, Op::Take(11)), (false, 2, 40, 50, None));
    // Of the oldest.
    assert_eq!(see(1_020, Op::Give(3)), (true, 5, 40, 50, None));
    // A forced charge is remembered in full; for it the oldest are forgotten.
    assert_eq!(see(1_030, Op::Force(9)), (true, 0, 40, 60, None));
    assert_eq!(see(1_030, Op::Take(2)), (false, 0, 40, 60, Some(60)));
    assert_eq!(see(1_070, Op::Take(1)), (true, 0, 20, 60, None));
    assert_eq!(see(1_080, Op::Reset), (true, 10, 0, 0, None));
}

/// The research's run: 100 at 59.99 s, then as much as passes.
#[test]
fn the_counter_admits_199_within_a_minute() {
    let counter = SlidingCounter::new(Rate::per_minute(100)).unwrap();
    let mut state = counter.step(None, at(59_990_000), Op::Take(100)).apply(None);
    let (mut now, mut passed) = (60_000_000_u64, 100);
    while now < 119_990_000 {
        let step = counter.step(state.as_ref(), at(now), Op::Take(1));
        match step.decision.retry_after {
            None => passed += 1,
            Some(wait) => now += u64::try_from(wait.as_micros()).unwrap(),
        }
        state = step.apply(state);
    }
    assert_eq!(passed, 199);
}

#[test]
fn a_counter_of_one_admits_one() {
    // A known defect elsewhere: with a limit of one nothing ever passes.
    let counter = SlidingCounter::new(Rate::per_minute(1)).unwrap();
    let first = counter.step(None, at(30_000_000), Op::Take(1));
    assert!(first.decision.allowed);
    let second = counter.step(first.state(), at(30_000_000), Op::Take(1));
    assert_eq!(second.decision.retry_after, Some(Duration::from_secs(90)));
    assert!(counter.step(first.state(), at(120_000_000), Op::Take(1)).decision.allowed);
}

/// Two machines, one a little behind, at a window's border: neither forgets what the other counted.
#[test]
fn a_clock_that_is_a_little_behind_forgets_no_window() {
    let counter = counter();
    let full = counter.step(None, at(PERIOD - 1_000), Op::Take(10)).apply(None);
    let ahead = counter.step(full.as_ref(), at(PERIOD + 5_000_000), Op::Take(0)).apply(full);
    let rolled = counter.step(ahead.as_ref(), at(PERIOD + 12_000_000), Op::Take(1)).apply(ahead).unwrap();
    let behind = counter.step(Some(&rolled), at(PERIOD - 10), Op::Take(1));
    assert!(!behind.decision.allowed);
    assert_eq!(behind.write, Write::Keep);
    assert!(!counter.step(Some(&rolled), at(PERIOD + 1), Op::Take(1)).decision.allowed);
}

#[test]
fn small_logs_need_no_box_and_large_ones_a_word_for_an_instant() {
    let log = SlidingLog::new(Rate::per_minute(60_000)).unwrap();
    let step = log.step(None, at(PERIOD), Op::Take(2_048));
    assert_eq!(step.state().unwrap().words().len(), 1);
    // Units of one instant share their word.
    let step = log.step(step.state(), at(PERIOD), Op::Take(1));
    assert_eq!(step.state().unwrap().words().len(), 2);
    let step = log.step(step.state(), at(PERIOD), Op::Take(57_951));
    assert_eq!((step.state().unwrap().words().len(), step.decision.remaining), (30, 0));
}

#[test]
fn what_a_log_or_a_counter_cannot_be_is_an_error() {
    assert!(SlidingLog::new(Rate::per_minute(10).burst(20)).is_err());
    assert!(SlidingLog::new(Rate::per_minute(65_537)).is_err());
    assert!(SlidingLog::new(Rate::per_minute(65_536)).is_ok());
    assert!(SlidingLog::new(Rate::per_minute(0)).is_err());
    assert!(SlidingCounter::new(Rate::per_minute(10).burst(20)).is_err());
    assert!(SlidingCounter::new(Rate::per(5, Duration::ZERO)).is_err());
}
