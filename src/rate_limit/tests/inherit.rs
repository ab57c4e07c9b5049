use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_000_020);

fn kinds(rate: Rate) -> Vec<Arc<dyn Algorithm>> {
    vec![
        Arc::new(TokenBucket::new(rate).unwrap()),
        Arc::new(TokenBucket::new(rate).unwrap().exact()),
        Arc::new(LeakyBucket::new(rate).unwrap()),
        Arc::new(FixedWindow::new(rate).unwrap()),
        Arc::new(FixedWindow::new(rate).unwrap().windows(Windows::FirstHit)),
        Arc::new(SlidingLog::new(rate).unwrap()),
        Arc::new(SlidingCounter::new(rate).unwrap()),
    ]
}

/// What is available after `used` of `old` when `new` takes over.
fn available(how: Inherit, old: Rate, new: Rate, used: u64) -> Vec<u64> {
    let pairs = kinds(old).into_iter().zip(kinds(new));
    pairs
        .map(|(old, new)| {
            let before = Inheriting::new(Arc::clone(&old), how).after(Arc::clone(&new));
            let after = Inheriting::new(new, how).after(old);
            assert_eq!((before.id().name(), before.id().version()), (after.id().name(), after.id().version()));
            let state = before.step(None, NOW, Op::Take(used)).apply(None);
            after.step(state.as_ref(), NOW, Op::Peek).decision.remaining
        })
        .collect()
}

#[test]
fn the_table_of_the_documentation() {
    let (old, new) = (Rate::per_minute(20), Rate::per_minute(100));
    for (how, expected) in [(Inherit::Proportional, 25), (Inherit::Additive, 85), (Inherit::Reset, 100)] {
        assert!(available(how, old, new, 15).iter().all(|left| *left == expected), "{how:?}");
    }
    let as_is = available(Inherit::AsIs, old, new, 15);
    assert_eq!(as_is, [25, 25, 25, 85, 85, 85, 85]);
    // And down again, where the debt is cut at what the smaller one lets anybody owe.
    for (how, expected) in [(Inherit::Proportional, 5), (Inherit::Additive, 0), (Inherit::Reset, 20)] {
        assert!(available(how, new, old, 75).iter().all(|left| *left == expected), "{how:?}");
    }
}

#[test]
fn the_algorithm_itself_takes_a_state_as_it_is() {
    for (old, new) in kinds(Rate::per_minute(20)).into_iter().zip(kinds(Rate::per_minute(100))) {
        let state = old.step(None, NOW, Op::Take(20)).apply(None);
        let left = new.step(state.as_ref(), NOW, Op::Peek).decision.remaining;
        assert!(left == 0 || left == 80, "{new:?}: {left}");
        // A smaller limit does not remember more than it can hold.
        let back = old.step(new.step(None, NOW, Op::Take(100)).state(), NOW, Op::Take(1));
        assert!(back.decision.retry_after.unwrap() <= Duration::from_secs(120), "{old:?}");
    }
}

#[test]
fn a_refusal_writes_down_what_it_took_over() {
    let (free, paid) = (
        Arc::new(TokenBucket::new(Rate::per_minute(6)).unwrap()),
        Arc::new(TokenBucket::new(Rate::per_hour(6)).unwrap()),
    );
    let before = Inheriting::new(paid.clone(), Inherit::Proportional).after(free.clone());
    let after = Inheriting::new(free, Inherit::Proportional).after(paid);
    let state = before.step(None, NOW, Op::Take(6)).apply(None);
    let refused = after.step(state.as_ref(), NOW, Op::Take(1));
    let wait = refused.decision.retry_after.unwrap();
    assert_eq!(wait, Duration::from_secs(10));
    let state = refused.apply(state);
    // From the old state, which has not aged by a unit, it would still be refused.
    assert!(after.step(state.as_ref(), NOW.saturating_add(wait), Op::Take(1)).decision.allowed);
}

#[test]
fn debt_below_zero_is_taken_along() {
    let bucket = |n| Arc::new(TokenBucket::new(Rate::per_minute(n)).unwrap().overdraft(50));
    let before = Inheriting::new(bucket(10), Inherit::Additive);
    let after = Inheriting::new(bucket(20), Inherit::Additive).after(bucket(10));
    let owing = before.step(None, NOW, Op::Force(35)).apply(None);
    // 35 of 20: one is free when 16 have been paid off, three seconds each.
    assert_eq!(after.step(owing.as_ref(), NOW, Op::Take(1)).decision.retry_after, Some(Duration::from_secs(48)));
}

#[test]
fn strangers_are_taken_as_they_are_and_other_kinds_are_not_met() {
    let bucket = |n| Arc::new(TokenBucket::new(Rate::per_minute(n)).unwrap());
    let stranger = Inheriting::new(bucket(7), Inherit::Reset).step(None, NOW, Op::Take(7)).apply(None);
    let own = Inheriting::new(bucket(60), Inherit::Reset);
    assert_eq!(own.step(stranger.as_ref(), NOW, Op::Peek).decision.remaining, 0);
    let window = Arc::new(FixedWindow::new(Rate::per_minute(7)).unwrap());
    let with_window = own.clone().after(window);
    assert_eq!(format!("{with_window:?}"), format!("{own:?}"));
    // A tagged state is no untagged one.
    assert_ne!(own.id().version(), bucket(60).id().version());
}

proptest! {
    /// Nobody gains by changing plans to and fro: what is free afterwards was free before.
    #[test]
    fn there_and_back_gains_nothing(
        a in 1_u64..50, b in 1_u64..50, used in 0_u64..50,
        how in prop_oneof![Just(Inherit::AsIs), Just(Inherit::Proportional)],
    ) {
        let (old, new) = (Rate::per_minute(a), Rate::per_minute(b));
        for (old, new) in kinds(old).into_iter().zip(kinds(new)) {
            let first = Inheriting::new(Arc::clone(&old), how).after(Arc::clone(&new));
            let second = Inheriting::new(new, how).after(old);
            let state = first.step(None, NOW, Op::Take(used.min(a))).apply(None);
            let free = first.step(state.as_ref(), NOW, Op::Peek).decision.remaining;
            let state = second.step(state.as_ref(), NOW, Op::Peek).apply(state);
            let left = first.step(state.as_ref(), NOW, Op::Peek).decision.remaining;
            // A counter that is cut to a smaller limit and comes back has forgotten what was cut.
            if how == Inherit::Proportional || b >= a {
                prop_assert!(left <= free, "{:?}: {} of {}", first, left, free);
            }
        }
    }
}
