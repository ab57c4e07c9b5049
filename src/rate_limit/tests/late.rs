//! Requests that come to the store later than their clock says: whoever had to wait for a gate, or was
//! overtaken between his reading of the clock and the store.

use proptest::prelude::*;

use super::*;
use crate::{backend::memory::MemoryStore, gate::Waited};

/// Those whose windows and queues do not begin with whoever comes first.
fn steady(limit: u64, period: Duration) -> Vec<Arc<dyn Algorithm>> {
    let rate = Rate::per(limit, period);
    let window = |windows| Arc::new(FixedWindow::new(rate).unwrap().windows(windows)) as Arc<dyn Algorithm>;
    let bucket = || TokenBucket::new(rate).unwrap();
    let mut algorithms: Vec<Arc<dyn Algorithm>> = vec![
        Arc::new(bucket()),
        Arc::new(bucket().overdraft(2)),
        Arc::new(bucket().exact()),
        Arc::new(LeakyBucket::new(rate).unwrap()),
        Arc::new(SlidingLog::new(rate).unwrap()),
        Arc::new(SlidingCounter::new(rate).unwrap()),
        window(Windows::EpochAligned),
        window(Windows::Spread),
    ];
    algorithms.extend(LeakyQueue::new(rate, 3, period).ok().map(|queue| Arc::new(queue) as Arc<dyn Algorithm>));
    algorithms
}

fn all(limit: u64, period: Duration) -> Vec<Arc<dyn Algorithm>> {
    let rate = Rate::per(limit, period);
    let mut algorithms = steady(limit, period);
    algorithms.push(Arc::new(FixedWindow::new(rate).unwrap().windows(Windows::FirstHit)));
    algorithms.push(Arc::new(Blocking::new(Arc::new(TokenBucket::new(rate).unwrap()), period / 3)));
    algorithms
}

/// Ten of ten are used; somebody who is late asks, and is refused. What has been used stays used.
#[test]
fn who_is_late_forgives_nothing() {
    for algorithm in all(10, Duration::from_millis(500)) {
        let mut state = None;
        let edge = START.saturating_add(Duration::from_millis(500));
        while let step @ Step { decision: Decision { allowed: true, .. }, .. } =
            algorithm.step(state.as_ref(), edge, Op::Take(1))
        {
            state = step.apply(state);
        }
        state = algorithm.step(state.as_ref(), edge, Op::Take(1)).apply(state);
        for micros in [1, 1_000, 400_000, 1_000_000] {
            let late = edge.saturating_sub(Duration::from_micros(micros));
            let step = algorithm.step(state.as_ref(), late, Op::Take(1));
            // A queue of half a second has room by its own clock.
            assert!(!step.decision.allowed, "{algorithm:?}");
            state = step.apply(state);
            let on_time = algorithm.step(state.as_ref(), edge, Op::Take(1));
            assert!(!on_time.decision.allowed, "{micros} {algorithm:?}");
            state = on_time.apply(state);
        }
    }
}

/// Waits, in hundredths of a period, most of them none, so that limits are used up; and by how much each is late.
fn trace() -> impl Strategy<Value = Vec<(u64, Option<u64>)>> {
    let wait = prop_oneof![6 => Just(0_u64), 2 => 0_u64..30, 1 => 0_u64..300];
    let late =
        prop_oneof![3 => Just(None), 1 => (0_u64..2_000).prop_map(Some), 1 => (0_u64..=1_000_000).prop_map(Some)];
    proptest::collection::vec((wait, late), 1..80)
}

proptest! {
    /// Whatever late ones do in between, those that come in time pass no more often than without them. (A window of
    /// its own, or a block, any request may begin earlier, late or not, and so end it earlier.)
    #[test]
    fn late_requests_help_nobody(
        limit in 1_u64..8,
        period in prop_oneof![Just(1_000_000_u64), Just(60_000_000), 1_000_u64..3_000_000],
        trace in trace(),
    ) {
        for algorithm in steady(limit, Duration::from_micros(period)) {
            let (mut with, mut without) = (None, None);
            let (mut passed, mut would_have) = (0, 0);
            let mut now = START;
            for (wait, late) in &trace {
                now = now.saturating_add(Duration::from_micros(wait * period / 100));
                let asked = now.saturating_sub(Duration::from_micros(late.unwrap_or(0)));
                let step = algorithm.step(with.as_ref(), asked, Op::Take(1));
                passed += u32::from(late.is_none() && step.decision.allowed);
                with = step.apply(with);
                if late.is_none() {
                    let step = algorithm.step(without.as_ref(), now, Op::Take(1));
                    would_have += u32::from(step.decision.allowed);
                    without = step.apply(without);
                }
                prop_assert!(passed <= would_have, "{passed} {would_have} {algorithm:?}");
            }
        }
    }
}

/// Lets requests to `/slow` wait for ten seconds of the clock.
#[derive(Debug)]
struct Slow(ManualClock);

impl Gate<Body> for Slow {
    const NAME: &'static str = "slow";
    type Pass = ();

    fn enter(self: &Arc<Self>, request: &mut Request<Body>, _: &Arc<RequestContext>) -> Entry<Body, ()> {
        if request.uri().path() != "/slow" {
            return Entry::Pass(());
        }
        let gate = Arc::clone(self);
        Entry::wait(move |request| async move {
            gate.0.advance(Duration::from_secs(10));
            Waited::Pass(request, ())
        })
    }
}

/// A body that is held back must not make its request one of ten seconds ago: that would be before all that was
/// used meanwhile.
#[tokio::test]
async fn a_request_that_had_to_wait_is_one_of_now() {
    let clock = ManualClock::at(START);
    let store = MemoryStore::new();
    for rule in [
        Rule::new("bucket", Key::global(), Rate::per_second(10)),
        Rule::new("window", Key::global(), Rate::per_second(10)).fixed_window(),
    ] {
        let limit = RateLimitLayer::builder(store.clone()).rule(rule).build().unwrap();
        let layers = tower::ServiceBuilder::new()
            .layer(crate::gate::RequestContextLayer::new().clock(clock.clone()))
            .layer(GateLayer::new(Slow(clock.clone())))
            .layer(limit);
        let app = axum::Router::new().fallback(async || "ok").layer(layers);
        let status = async |path: &str| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            tower::ServiceExt::oneshot(app.clone(), request).await.unwrap().status().as_u16()
        };
        assert_eq!(status("/slow").await, 200);
        for _ in 0..9 {
            assert_eq!(status("/fast").await, 200);
        }
        assert_eq!(status("/fast").await, 503, "the one that waited has used one of them");
    }
}
