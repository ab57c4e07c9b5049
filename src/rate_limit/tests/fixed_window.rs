use proptest::prelude::*;

use super::*;

const MICRO: Duration = Duration::from_micros(1);

fn window(windows: Windows) -> FixedWindow {
    FixedWindow::new(Rate::per_minute(10)).unwrap().windows(windows)
}

#[test]
fn windows_begin_with_the_minute_or_the_first_hit() {
    let now = Timestamp::from_secs(60_010);
    let aligned = window(Windows::EpochAligned).step(None, now, Op::Take(10));
    assert_eq!(aligned.decision.full_after, Duration::from_secs(50));
    let first_hit = window(Windows::FirstHit).step(None, now, Op::Take(10));
    assert_eq!(first_hit.decision.full_after, Duration::from_secs(60));
}

proptest! {
    #[test]
    fn it_counts_like_a_counter(
        hits in proptest::collection::vec((0_u64..30_000_000, 0_u64..12), 1..80),
        start in 0_u64..1_000_000_000_000,
    ) {
        let window = window(Windows::EpochAligned);
        let (mut state, mut now, mut counter) = (None, start, (0, 0));
        for (wait, cost) in hits {
            now += wait;
            if counter.0 != now / 60_000_000 {
                counter = (now / 60_000_000, 0);
            }
            let allowed = counter.1 + cost <= 10;
            if allowed {
                counter.1 += cost;
            }
            let step = window.step(state.as_ref(), Timestamp::from_micros(now), Op::Take(cost));
            prop_assert_eq!((step.decision.allowed, step.decision.remaining), (allowed, 10 - counter.1));
            if !allowed && cost <= 10 {
                let left = Duration::from_micros(60_000_000 - now % 60_000_000);
                prop_assert_eq!(step.decision.retry_after, Some(left));
            }
            state = step.apply(state);
        }
    }

    #[test]
    fn after_exactly_the_wait_it_passes(start in 0_u64..1_000_000_000_000, later in 0_u64..60_000_000) {
        for windows in [Windows::EpochAligned, Windows::FirstHit] {
            let window = window(windows);
            let used = window.step(None, Timestamp::from_micros(start), Op::Take(10));
            let now = Timestamp::from_micros(start + later);
            let Some(wait) = window.step(used.state(), now, Op::Take(1)).decision.retry_after else { continue };
            let then = now.saturating_add(wait);
            prop_assert!(window.step(used.state(), then, Op::Take(10)).decision.allowed);
            prop_assert!(!window.step(used.state(), then.saturating_sub(MICRO), Op::Take(1)).decision.allowed);
        }
    }

    #[test]
    fn no_words_make_it_panic(words in proptest::collection::vec(any::<u64>(), 0..4), now in any::<u64>(), n in any::<u64>()) {
        let (state, now) = (State::from(words), Timestamp::from_micros(now));
        for windows in [Windows::EpochAligned, Windows::FirstHit] {
            let window = window(windows);
            for op in [Op::Take(n), Op::Peek, Op::Give(n), Op::Force(n), Op::Reset] {
                prop_assert!(window.step(Some(&state), now, op).decision.remaining <= 10);
                prop_assert!(window.expires_after(&state, now) <= Duration::from_secs(60));
            }
        }
    }
}

#[test]
fn a_clock_that_goes_back_costs_one_window_at_most() {
    let window = window(Windows::EpochAligned);
    let used = window.step(None, Timestamp::from_secs(7_200), Op::Take(10));
    let back = window.step(used.state(), Timestamp::from_secs(3_610), Op::Take(1));
    assert_eq!(back.decision.retry_after, Some(Duration::from_secs(50)));
    // The refusal has stored the window where it can be.
    assert!(window.step(back.state(), Timestamp::from_secs(3_660), Op::Take(10)).decision.allowed);
}

#[test]
fn what_is_given_back_after_the_window_is_not_gained() {
    let window = window(Windows::EpochAligned);
    let used = window.step(None, Timestamp::from_secs(59), Op::Take(5));
    let given = window.step(used.state(), Timestamp::from_secs(61), Op::Give(5));
    assert_eq!((given.decision.remaining, given.state()), (10, None));
}

/// Callers who wait for their windows' end do not come back together; and each one's windows follow on
/// each other, though nothing remembers where the last one began.
#[test]
fn windows_that_are_spread_begin_for_each_key_at_another_time() {
    let spread = window(Windows::Spread);
    let store = crate::backend::memory::MemoryStore::new();
    let ids: Vec<[u8; 4]> = (0_u32..200).map(u32::to_be_bytes).collect();
    let ends = |now: Timestamp| -> Vec<Duration> {
        let end = |id: &[u8; 4]| {
            let mut batch = Batch::new(now);
            let key = ChargeKey::new("spread").with(KeyPart::Bytes(id)).unwrap();
            batch.push(Charge::new(key, &spread, Op::Take(10))).unwrap();
            let verdicts = store.try_now(&batch).unwrap().unwrap();
            let decision = verdicts.get(0).unwrap();
            assert!(decision.allowed);
            decision.full_after
        };
        ids.iter().map(end).collect()
    };
    let now = Timestamp::from_secs(1_700_000_000);
    let first = ends(now);
    for part in 0..6 {
        let here = first.iter().filter(|end| end.as_secs() / 10 == part).count();
        assert!((15..60).contains(&here), "{here} of 200 in a sixth of the minute");
    }
    // Ten periods later, when all states have been forgotten.
    assert_eq!(ends(now.saturating_add(Duration::from_secs(600))), first);
}
