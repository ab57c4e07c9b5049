//! The simulation, and with it the worst cases that the documentation names.

use proptest::prelude::*;

use super::*;
use crate::backend::memory::MemoryStore;

fn at(millis: u64) -> TraceRequest {
    TraceRequest::at(Duration::from_millis(millis))
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const MINUTE: Duration = Duration::from_secs(60);

/// A hundred just before the minute ends, a hundred when it begins, and from then on as many as are let through.
fn at_the_edge() -> Vec<TraceRequest> {
    let edge = [59_990; 100].into_iter().chain([60_000; 100]);
    edge.chain((60_000..180_000).step_by(5)).map(at).collect()
}

/// How many of it pass within a span so long, for a hundred a minute.
fn worst(algorithm: impl Algorithm, span: Duration) -> usize {
    simulate(&[SimulatedLimit::new("one", algorithm)], &at_the_edge()).unwrap().most_within(span)
}

#[test]
fn the_worst_case_of_each_algorithm_is_the_one_that_is_documented() {
    let rate = Rate::per_minute(100);
    assert_eq!(worst(SlidingLog::new(rate).unwrap(), MINUTE), 100);
    assert_eq!(worst(FixedWindow::new(rate).unwrap(), MINUTE), 200);
    assert_eq!(worst(FixedWindow::new(rate).unwrap(), Duration::from_millis(20)), 200, "within an instant");
    assert_eq!(worst(TokenBucket::new(rate).unwrap(), MINUTE), 199);
    assert_eq!(worst(TokenBucket::new(rate.burst(10)).unwrap(), MINUTE), 109);
    assert_eq!(worst(LeakyBucket::new(rate).unwrap(), MINUTE), 199);
    assert_eq!(worst(SlidingCounter::new(rate).unwrap(), Duration::from_millis(59_900)), 199, "smeared");
    assert!(worst(SlidingCounter::new(rate).unwrap(), secs(10)) <= 117, "and not at once");
    let queue = LeakyQueue::new(rate, 50, MINUTE).unwrap();
    assert_eq!(worst(queue, MINUTE), 100, "what waits goes ahead evenly");
}

/// Cloudflare's example: 42 in the last minute, 18 in the first quarter of this one.
#[test]
fn the_counters_estimate_is_cloudflares() {
    let trace: Vec<_> = (0..42).map(|_| at(30_000)).chain((0..20).map(|_| at(75_000))).collect();
    let passed = |limit: u64| {
        let counter = SlidingCounter::new(Rate::per_minute(limit)).unwrap();
        simulate(&[SimulatedLimit::new("counter", counter)], &trace).unwrap().admitted()
    };
    // 42 · 45/60 + 18 = 49.5: the nineteenth does not fit into fifty, and the eighteenth not into forty-nine.
    assert_eq!((passed(50), passed(49)), (42 + 18, 42 + 17));
}

#[test]
fn a_request_is_charged_to_all_limits_or_to_none() {
    let bucket = |units| TokenBucket::new(Rate::per_hour(units)).unwrap();
    let limits = [SimulatedLimit::new("wide", bucket(10)), SimulatedLimit::new("narrow", bucket(3)).shared()];
    let trace: Vec<_> = (0..8).map(|number| at(0).by(number % 2)).collect();
    let timeline = simulate(&limits, &trace).unwrap();
    let told: Vec<_> = timeline.outcomes().iter().map(|it| (it.admitted, it.remaining, it.refused_by)).collect();
    let mut expected = vec![(true, 2, None), (true, 1, None), (true, 0, None)];
    expected.extend([(false, 0, Some(1)); 5]);
    assert_eq!(told, expected);
    assert_eq!((timeline.admitted(), timeline.refused(), timeline.admitted_units()), (3, 5, 3));
    assert_eq!(timeline.outcomes()[3].retry_after, Some(secs(1_200)));
    assert_eq!(simulate(&vec![limits[0].clone(); 9], &trace), Err(BatchFull));
}

#[test]
fn a_trace_may_be_out_of_order_and_requests_cost_their_units() {
    let bucket = TokenBucket::new(Rate::per_second(1).burst(5)).unwrap();
    let timeline = simulate(&[SimulatedLimit::new("one", bucket)], &[at(2_000).units(9), at(1_000).units(4), at(0)]);
    let told: Vec<_> = timeline.unwrap().outcomes().iter().map(|it| (it.at, it.admitted, it.remaining)).collect();
    assert_eq!(told, [(secs(0), true, 4), (secs(1), true, 1), (secs(2), false, 2)]);
}

#[test]
fn rules_are_tried_out_as_they_are() {
    let rule = Rule::new("clients", Key::client(), Rate::per_minute(2))
        .plan("pro", Rate::per_minute(6))
        .plan("internal", Limit::unlimited())
        .cost(2);
    let passed = |plan| {
        let limit = SimulatedLimit::of_rule(&rule, plan).unwrap()?;
        Some(simulate(&[limit], &[at(0); 5]).unwrap().admitted())
    };
    assert_eq!((passed(None), passed(Some("pro")), passed(Some("internal"))), (Some(1), Some(3), None));
    let all = SimulatedLimit::of_rule(&Rule::new("all", Key::global(), Rate::per_minute(2)), None).unwrap().unwrap();
    assert_eq!(simulate(&[all], &[at(0), at(0).by(1), at(0).by(2)]).unwrap().admitted(), 2);
    assert!(SimulatedLimit::of_rule(&Rule::new("none", Key::ip(), Rate::per_minute(0)), None).is_err());
}

#[test]
fn slices_count_where_a_request_came_and_where_it_went_ahead() {
    let queue = LeakyQueue::new(Rate::per_second(1), 2, secs(10)).unwrap();
    let timeline = simulate(&[SimulatedLimit::new("queue", queue)], &[at(500); 4]).unwrap();
    let slices: Vec<_> =
        timeline.slices(secs(1)).iter().map(|it| (it.begins, it.came, it.admitted, it.refused)).collect();
    assert_eq!(slices, [(secs(0), 4, 1, 1), (secs(1), 0, 1, 0), (secs(2), 0, 1, 0)]);
    assert!(Timeline::default().slices(Duration::ZERO).is_empty());
}

#[test]
fn a_proposal_passes_what_was_wanted_and_a_smaller_burst_does_not() {
    // Pages of twelve requests at once, and a job that sends one every two seconds.
    let pages = (0..120).flat_map(|page| (0..12).map(move |_| at(page * 30_000).by(1)));
    let job = (0..1_800).map(|number| at(number * 2_000).by(2));
    let trace: Vec<TraceRequest> = pages.chain(job).collect();
    for target in [Share::ALL, Share::per_thousand(999), Share::per_thousand(900)] {
        let proposals = recommend(&trace, target);
        assert!(!proposals.is_empty());
        for Proposal { rate, passes, worst_minute, .. } in proposals {
            let share = |rate: Rate| {
                let bucket = TokenBucket::new(rate).unwrap();
                simulate(&[SimulatedLimit::new("it", bucket)], &trace).unwrap().admitted() * 1_000_000 / trace.len()
            };
            assert_eq!(share(rate), usize::try_from(passes.as_millionths()).unwrap(), "{rate:?}");
            assert!(passes >= target, "{rate:?}");
            assert_eq!(worst_minute, rate.refill() + rate.capacity());
            if rate.capacity() > 1 {
                let less = share(rate.burst(rate.capacity() - 1));
                assert!(less < usize::try_from(target.as_millionths()).unwrap(), "{rate:?}");
            }
        }
    }
    assert_eq!(recommend(&[], Share::ALL), []);
}

proptest! {
    /// What is simulated is what the layer's store decides.
    #[test]
    fn the_simulation_decides_as_the_store(
        times in proptest::collection::vec((0_u64..90_000, 0_u64..3, 1_u64..4), 1..60),
        units in 1_u64..20,
    ) {
        let rate = Rate::per_minute(units);
        let all: Vec<Arc<dyn Algorithm>> = vec![
            Arc::new(TokenBucket::new(rate).unwrap()),
            Arc::new(FixedWindow::new(rate).unwrap().windows(Windows::Spread)),
            Arc::new(SlidingLog::new(rate).unwrap()),
            Arc::new(SlidingCounter::new(rate).unwrap()),
        ];
        let mut times = times;
        times.sort_unstable();
        let trace: Vec<_> = times.iter().map(|(millis, caller, units)| at(*millis).by(*caller).units(*units)).collect();
        for algorithm in all {
            let limit = SimulatedLimit::of("it", Arc::clone(&algorithm));
            let timeline = simulate(&[limit], &trace).unwrap();
            let store = MemoryStore::new();
            for ((millis, caller, units), outcome) in times.iter().zip(timeline.outcomes()) {
                let midnight = Timestamp::from_secs(1_699_920_000);
                let caller = caller.to_be_bytes();
                let mut batch = Batch::new(midnight.saturating_add(Duration::from_millis(*millis)));
                let key = ChargeKey::new("it").with(KeyPart::Bytes(&caller)).unwrap();
                batch.push(Charge::new(key, &*algorithm, Op::Take(*units))).unwrap();
                let verdicts = store.try_now(&batch).unwrap().unwrap();
                let decision = verdicts.get(0).unwrap();
                prop_assert_eq!((decision.allowed, decision.remaining), (outcome.admitted, outcome.remaining));
                prop_assert_eq!(decision.retry_after, outcome.retry_after);
            }
        }
    }
}
