//! Whose time counts, and that nothing else does.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::rate_limit::{FixedWindow, State};

/// Two machines take turns, the clock of one behind: at the edge of a window the one would open the next,
/// and the other the last one again, each time anew.
#[tokio::test]
async fn clocks_that_differ_open_no_window_twice() {
    let window = FixedWindow::new(Rate::per_minute(10)).unwrap();
    let edge = Timestamp::from_secs(1_800_000_060);
    let seconds = Duration::from_secs;
    // By more than the algorithm takes for a late request, and without the allowance, it is what the clocks make of it.
    for (millis, skew, is_kept) in
        [(300, seconds(1), true), (300, seconds(0), true), (3_000, seconds(4), true), (3_000, seconds(0), false)]
    {
        let store = CasStore::new(Arc::new(Remote::default())).clock_skew(skew);
        let behind = edge.saturating_sub(Duration::from_millis(millis));
        let mut passed = 0;
        for round in 0..100 {
            let mut batch = Batch::new(if round % 2 == 0 { edge } else { behind });
            batch.push(Charge::new(of(b"a"), &window, Op::Take(1))).unwrap();
            passed += u64::from(store.apply(&batch).await.unwrap().allowed());
        }
        assert_eq!(passed == 10, is_kept, "{passed} with {millis} ms and {skew:?}");
    }
}

/// A clock that is an hour ahead moves nobody's time by more than the allowance.
#[tokio::test]
async fn a_clock_far_ahead_locks_nobody_out() {
    let store = CasStore::new(Arc::new(Remote::default()));
    let bucket = TokenBucket::new(Rate::per_second(1)).unwrap();
    let at = |now| batch(now, &[of(b"a")], &bucket, Op::Take(1));
    let ahead = NOW.saturating_add(Duration::from_secs(3_600));
    assert!(store.apply(&at(ahead)).await.unwrap().allowed());
    let refused = store.apply(&at(NOW)).await.unwrap();
    let wait = refused.get(0).unwrap().retry_after;
    assert!(wait <= Some(Duration::from_secs(2)), "{wait:?}");
}

#[cfg(feature = "conformance")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_laws_of_rates_hold() {
    use crate::conformance::rates::{self, RateClock::Callers};

    let remote = Arc::new(Remote::default());
    let budget = Duration::from_secs(30);
    let store = Arc::new(CasStore::new(Arc::clone(&remote)).clock_skew(Duration::ZERO).time_budget(budget));
    rates::golden_traces_are_kept(&store, Callers).await;
    rates::a_batch_is_answered_in_its_order(&store, Callers).await;
    rates::a_charge_asked_alone_is_decided_as_in_a_batch(&store, Callers).await;
    rates::a_refused_batch_charges_nothing(&store, Callers).await;
    rates::states_of_many_words_are_kept(&store, Callers).await;
    rates::keys_are_apart(&store, Callers).await;
    rates::rules_are_apart(&store, Callers).await;
    rates::algorithms_are_apart(&store, Callers).await;
    rates::a_new_rate_takes_over_what_is_owed(&store, Callers).await;
    rates::of_64_tasks_exactly_the_limit_passes(&store, Callers).await;
    rates::batches_that_meet_are_charged_alike(&store, Callers).await;
    rates::a_call_that_is_dropped_is_charged_wholly_or_not_at_all(&store, Callers).await;
    // All of them hold for the store of `examples/custom_store.rs`.
    rates::random_traces_are_those_of_the_pure_step(&store, Callers, 200).await;
    let lose = || *remote.fault.lock().unwrap() = Some(Fault::LostAnswer);
    rates::a_lost_reply_is_charged_wholly_or_not_at_all(&store, Callers, lose).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A single process without allowance decides as the pure steps do, also where its clock goes back.
    #[test]
    fn it_decides_as_the_steps_do(trace in prop::collection::vec((0_u64..4_000_000, 0_usize..3, 0_u64..4), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = CasStore::new(Remote::default()).clock_skew(Duration::ZERO);
            let bucket = TokenBucket::new(Rate::per_second(3)).unwrap();
            let mut states: [Option<State>; 3] = [None, None, None];
            for (micros, key, units) in trace {
                let now = NOW.saturating_add(Duration::from_micros(micros));
                let names = [b"a", b"b", b"c"];
                let key_of = of(names[key]);
                let verdicts = store.apply(&batch(now, &[key_of], &bucket, Op::Take(units))).await.unwrap();
                let charge = Charge::new(key_of, &bucket, Op::Take(units));
                let step = charge.step(states[key].as_ref(), now);
                assert_eq!(verdicts.get(0), Some(&step.decision));
                states[key] = step.apply(states[key].take());
            }
        });
    }
}
