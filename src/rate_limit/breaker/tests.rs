use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp::from_secs(1_000);

fn at(millis: u64) -> Timestamp {
    START.saturating_add(Duration::from_millis(millis))
}

fn watched(settings: Breaker) -> Arc<Watched> {
    Arc::new(Watched::new(settings))
}

fn answer(failed: bool) -> Ending {
    Ending::Response { failed, took: Duration::ZERO }
}

fn run(breaker: &Arc<Watched>, now: Timestamp, failed: bool) -> bool {
    breaker.enter(now).map(|permit| permit.end(answer(failed), now)).is_ok()
}

#[test]
fn it_opens_at_the_share_and_closes_after_good_probes() {
    let breaker =
        watched(Breaker::new().failures(50).window(Duration::from_secs(10), 4).pause(Duration::from_secs(5), 2));
    for failed in [false, false, true] {
        assert!(run(&breaker, at(0), failed));
    }
    assert!(run(&breaker, at(1), true), "the fourth response opens it");
    assert_eq!(breaker.enter(at(2)).unwrap_err(), Duration::from_millis(4_999));
    assert!(breaker.enter(at(5_000)).is_err());
    let (first, second) = (breaker.enter(at(5_001)).unwrap(), breaker.enter(at(5_002)).unwrap());
    assert!(breaker.enter(at(5_003)).is_err(), "two probes, and no third");
    first.end(answer(false), at(5_004));
    assert!(breaker.enter(at(5_005)).is_err(), "one that did well is not enough");
    second.end(answer(false), at(5_006));
    assert!((0..10).all(|_| run(&breaker, at(5_007), false)));
}

#[test]
fn a_bad_probe_opens_it_again_and_a_lost_one_gives_its_place() {
    let settings = Breaker::new().failures(1).window(Duration::from_secs(10), 1).pause(Duration::from_secs(5), 1);
    let breaker = watched(settings);
    assert!(run(&breaker, at(0), true));
    drop(breaker.enter(at(5_000)).unwrap());
    assert!(run(&breaker, at(5_000), true), "the place of the one that was dropped");
    assert!(breaker.enter(at(9_999)).is_err());
    let lost = breaker.enter(at(10_000)).unwrap();
    assert!(breaker.enter(at(14_999)).is_err());
    // Nothing was heard of it for a pause.
    let next = breaker.enter(at(15_000)).unwrap();
    lost.end(answer(true), at(15_001));
    next.end(answer(false), at(15_002));
    assert!(run(&breaker, at(15_003), false), "what came from before counts no more");
}

#[test]
fn who_was_under_way_when_it_opened_says_nothing_about_the_probes() {
    let breaker =
        watched(Breaker::new().failures(50).window(Duration::from_secs(10), 2).pause(Duration::from_secs(1), 1));
    let late: Vec<_> = (0..5).map(|_| breaker.enter(at(0)).unwrap()).collect();
    assert!(run(&breaker, at(0), true) && run(&breaker, at(0), true));
    let probe = breaker.enter(at(1_000)).unwrap();
    for permit in late {
        permit.end(answer(false), at(1_001));
    }
    assert!(breaker.enter(at(1_002)).is_err(), "still half open");
    probe.end(answer(true), at(1_003));
    assert!(breaker.enter(at(1_004)).is_err());
}

#[test]
fn slow_responses_count_and_few_do_not() {
    let breaker = watched(Breaker::new().slow(Duration::from_millis(100), 100).window(Duration::from_secs(1), 3));
    let slow = Ending::Response { failed: false, took: Duration::from_millis(100) };
    // Two in each window: never three.
    for second in 0..10 {
        for _ in 0..2 {
            breaker.enter(at(second * 1_000)).unwrap().end(slow, at(second * 1_000));
        }
    }
    breaker.enter(at(9_500)).unwrap().end(slow, at(9_500));
    assert!(breaker.enter(at(9_501)).is_err());
}

#[test]
fn places_come_back_however_a_request_ends() {
    let breaker = watched(Breaker::new().max_in_flight(2));
    for _ in 0..20 {
        let (a, b) = (breaker.enter(at(0)).unwrap(), breaker.enter(at(0)).unwrap());
        assert_eq!(breaker.enter(at(0)).unwrap_err(), Duration::from_secs(1));
        a.end(answer(true), at(1));
        drop(b);
    }
}

proptest! {
    /// It never gets stuck: after a pause and a window, good answers close it.
    #[test]
    fn good_answers_close_it(trace in prop::collection::vec((0_u64..3_000, 0_u8..4), 0..60)) {
        let settings = Breaker::new().failures(30).window(Duration::from_secs(2), 3).pause(Duration::from_secs(1), 2);
        let breaker = watched(settings);
        let (mut now, mut held) = (0_u64, Vec::new());
        for (pause, what) in trace {
            now = now.saturating_add(pause);
            match (what, breaker.enter(at(now))) {
                (0, Ok(permit)) => held.push(permit),
                (1, Ok(permit)) => drop(permit),
                (what, Ok(permit)) => permit.end(answer(what == 2), at(now)),
                (_, Err(wait)) => prop_assert!(!wait.is_zero() && wait <= Duration::from_secs(1)),
            }
        }
        for _ in 0..4 {
            now = now.saturating_add(1_000);
            run(&breaker, at(now), false);
            run(&breaker, at(now), false);
        }
        prop_assert!(run(&breaker, at(now), false) && run(&breaker, at(now), false) && run(&breaker, at(now), false));
        drop(held);
        prop_assert_eq!(breaker.counts.lock().unwrap().under_way, 0);
    }
}
