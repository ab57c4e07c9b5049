//! Windows, batches, callers who go away, and whatever else happens in whatever order.

use proptest::prelude::*;

use super::*;
use crate::rate_limit::{FixedWindow, SlidingLog};

/// A window that is over has nothing to do with units of the one before.
#[tokio::test]
async fn units_of_a_window_end_with_it() {
    let mut scene = Scene::new();
    let node = scene.node().hold(Duration::from_secs(60));
    let window = FixedWindow::new(Rate::per(1_000, Duration::from_secs(1))).unwrap();
    let mut batch = Batch::new(scene.now);
    for _ in 0..100 {
        batch = Batch::new(scene.now);
        batch.push(Charge::new(key(b"hot"), &window, Op::Take(1))).unwrap();
        assert!(ask(&node, &batch).await.unwrap().allowed());
        scene.pass(Duration::from_micros(50));
    }
    settle().await;
    assert!(node.try_now(&batch).is_some(), "some are held");
    scene.pass(Duration::from_secs(1));
    let mut batch = Batch::new(scene.now);
    batch.push(Charge::new(key(b"hot"), &window, Op::Take(1))).unwrap();
    assert!(node.try_now(&batch).is_none(), "none of them is used");
    node.drain().await.unwrap();
    assert_eq!(scene.remote.returned.load(SeqCst), 0, "and none given to the next window");
}

#[tokio::test]
async fn exact_rules_and_other_algorithms_are_asked_each_time() {
    let mut scene = Scene::new();
    let node = scene.node().exact("rule");
    let bucket = slow(1_000_000);
    for _ in 0..100 {
        take(&node, &bucket, 1, scene.now).await;
        scene.pass(Duration::from_micros(10));
    }
    assert_eq!(scene.calls(), 100);
    let node = scene.node();
    let log = SlidingLog::new(Rate::per_minute(1_000)).unwrap();
    for _ in 0..100 {
        let mut batch = Batch::new(scene.now);
        batch.push(Charge::new(key(b"hot"), &log, Op::Take(1))).unwrap();
        ask(&node, &batch).await.unwrap();
        scene.pass(Duration::from_micros(10));
    }
    assert_eq!(scene.calls(), 200);
}

#[tokio::test]
async fn a_batch_that_is_refused_keeps_what_is_held() {
    let mut scene = Scene::new();
    let (node, wide, narrow) = (scene.node(), slow(100_000), slow(1));
    for _ in 0..200 {
        take(&node, &wide, 1, scene.now).await;
        scene.pass(Duration::from_micros(50));
    }
    settle().await;
    let both = |now| {
        let mut batch = Batch::new(now);
        batch.push(Charge::new(key(b"hot"), &wide, Op::Take(1))).unwrap();
        batch.push(Charge::new(key(b"narrow"), &narrow, Op::Take(1))).unwrap();
        batch
    };
    assert!(ask(&node, &both(scene.now)).await.unwrap().allowed());
    let before = scene.remote.granted.load(SeqCst);
    for _ in 0..50 {
        let refused = ask(&node, &both(scene.now)).await.unwrap();
        let shown: Vec<bool> = refused.decisions().map(|decision| decision.allowed).collect();
        assert_eq!(shown, [true, false]);
    }
    assert_eq!(scene.remote.granted.load(SeqCst), before);
    node.drain().await.unwrap();
    let used = scene.remote.granted.load(SeqCst) - scene.remote.returned.load(SeqCst);
    assert_eq!(used, 201 + 1);
}

/// Callers who go away while their batch is asked leave nothing taken out.
#[tokio::test]
async fn a_caller_who_goes_away_keeps_nothing() {
    let mut scene = Scene::new();
    let (node, wide, narrow) = (scene.node(), slow(100_000), slow(1_000));
    for _ in 0..200 {
        take(&node, &wide, 1, scene.now).await;
        scene.pass(Duration::from_micros(50));
    }
    settle().await;
    for _ in 0..50 {
        let mut batch = Batch::new(scene.now);
        batch.push(Charge::new(key(b"hot"), &wide, Op::Take(1))).unwrap();
        batch.push(Charge::new(key(b"narrow"), &narrow, Op::Take(1))).unwrap();
        let asked = node.apply(&batch);
        tokio::select! {
            biased;
            _ = asked => {}
            () = tokio::task::yield_now() => {}
        }
    }
    settle().await;
    node.drain().await.unwrap();
    let mut batch = Batch::new(scene.now);
    batch.push(Charge::new(key(b"hot"), &wide, Op::Peek)).unwrap();
    let left = scene.remote.store.apply(&batch).await.unwrap().get(0).unwrap().remaining;
    assert!((100_000 - 250..=100_000 - 200).contains(&left), "{left}");
}

#[derive(Clone, Debug)]
enum Event {
    Take { node: usize, units: u64 },
    Pass(u64),
    Settle,
    Drain(usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        20 => (0..3_usize, 1..4_u64).prop_map(|(node, units)| Event::Take { node, units }),
        6 => (1..2_000_u64).prop_map(Event::Pass),
        1 => (500_000..3_000_000_u64).prop_map(Event::Pass),
        4 => Just(Event::Settle),
        1 => (0..3_usize).prop_map(Event::Drain),
    ];
    prop::collection::vec(event, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens, no more passes than the store has granted for good, and than the limit is.
    #[test]
    fn no_more_passes_than_was_granted(events in events(), cap in 1_u64..400) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut scene = Scene::new();
            let bucket = slow(cap);
            let nodes = [scene.node(), scene.node().nodes(3), scene.node().at_most(7)];
            let mut passed = 0;
            for event in events {
                match event {
                    Event::Take { node, units } => {
                        passed += if take(&nodes[node], &bucket, units, scene.now).await { units } else { 0 };
                    }
                    Event::Pass(micros) => scene.pass(Duration::from_micros(micros)),
                    Event::Settle => settle().await,
                    Event::Drain(node) => drop(nodes[node].drain().await.unwrap()),
                }
                let returned = scene.remote.returned.load(SeqCst);
                let granted = scene.remote.granted.load(SeqCst);
                assert!(passed + returned <= granted, "{passed} passed, {returned} returned, {granted} granted");
                assert!(passed <= cap);
            }
            drop(nodes);
            settle().await;
            let kept = scene.remote.granted.load(SeqCst) - scene.remote.returned.load(SeqCst);
            assert_eq!(kept, passed, "at rest nothing is missing");
        });
    }
}
