//! The slots' clock ends almost nine years after the first request: keys go over to the regions.

use super::*;

/// The first microsecond that slots cannot tell, of a store that saw its first request at [`NOW`].
const END: Timestamp = Timestamp::from_micros(NOW.as_micros() + (1 << 48));

/// A store whose clock began at [`NOW`].
fn begun() -> MemoryStore {
    let store = MemoryStore::new();
    assert!(take(&store, NOW, b"first", &bucket(Rate::per_second(1))));
    store
}

fn before(end: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_micros(end.as_micros() - u64::try_from(by.as_micros()).unwrap())
}

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn what_was_used_stays_used() {
    let week = &bucket(Rate::per(2, 7 * DAY));
    let other = &bucket(Rate::per(1, 7 * DAY));
    let (store, charged) = (begun(), before(END, DAY));
    assert!(take(&store, charged, b"alone", week) && take(&store, charged, b"alone", week));
    let both: [(ChargeKey<'_>, &dyn Algorithm, Op); 2] =
        [(key("r", b"one"), other, Op::Take(1)), (key("r", b"two"), week, Op::Take(2))];
    assert!(ask(&store, charged, &both).allowed());
    // A token every three and a half days, of which one is over.
    for at in [before(END, Duration::from_micros(1)), END, END.saturating_add(Duration::from_secs(1))] {
        assert!(!take(&store, at, b"alone", week), "{at:?}");
        assert!(!ask(&store, at, &both).allowed(), "{at:?}");
        assert_eq!(remaining(&store, at, key("r", b"two"), week), 0, "{at:?}");
    }
    let next = charged.saturating_add(7 * DAY / 2);
    assert!(!take(&store, before(next, Duration::from_micros(1)), b"alone", week));
    assert!(take(&store, next, b"alone", week));
    assert!(!take(&store, next, b"alone", week));
    assert!(ask(&store, charged.saturating_add(7 * DAY), &both).allowed());
    assert_eq!(store.rate_statistics().evicted_live, 0);
}

#[test]
fn what_was_given_back_or_forgotten_does_not_come_again() {
    for forget in [Op::Reset, Op::Give(2)] {
        for batch in [false, true] {
            let (store, week, other) = (begun(), &bucket(Rate::per(2, 7 * DAY)), &bucket(Rate::per_second(9)));
            let other: (ChargeKey<'_>, &dyn Algorithm, Op) = (key("r", b"other"), other, Op::Take(1));
            let run = |at: Timestamp, op: Op| {
                let asked: (ChargeKey<'_>, &dyn Algorithm, Op) = (key("r", b"k"), week, op);
                if batch { ask(&store, at, &[asked, other]) } else { ask(&store, at, &[asked]) }
            };
            assert!(run(before(END, DAY), Op::Take(2)).allowed());
            assert!(!run(END, Op::Take(1)).allowed());
            assert!(run(END, forget).allowed());
            for _ in 0..2 {
                assert!(run(END, Op::Take(1)).allowed(), "{forget:?}");
            }
            assert!(!run(END, Op::Take(1)).allowed(), "{forget:?}");
        }
    }
}

#[test]
fn a_leap_over_the_end_and_back_frees_nobody() {
    let (store, hour) = (begun(), &bucket(Rate::per_hour(1)));
    assert!(take(&store, after(10), b"k", hour));
    assert!(take(&store, END, b"k", hour));
    assert!(!take(&store, after(11), b"k", hour));
}
