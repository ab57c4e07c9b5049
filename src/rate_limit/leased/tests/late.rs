//! A store that is slow to say what it has done: nothing is lost by that.

use super::*;
use crate::rate_limit::FixedWindow;

async fn hot(scene: &mut Scene, node: &LeasedStore, bucket: &TokenBucket) {
    for _ in 0..2_000 {
        assert!(take(node, bucket, 1, scene.now).await);
        scene.pass(Duration::from_micros(50));
    }
    settle().await;
}

fn missing(scene: &Scene) -> u64 {
    scene.remote.granted.load(SeqCst) - scene.remote.returned.load(SeqCst)
}

/// Longer than a drain waits.
#[tokio::test(start_paused = true)]
async fn what_comes_after_a_drain_is_given_back() {
    let mut scene = Scene::new();
    let (node, bucket) = (scene.node(), slow(1_000_000));
    hot(&mut scene, &node, &bucket).await;
    scene.remote.silence.store(20_000, SeqCst);
    let (granted, mut used) = (scene.remote.granted.load(SeqCst), 2_000);
    while scene.remote.granted.load(SeqCst) == granted {
        let mut batch = Batch::new(scene.now);
        batch.push(Charge::new(key(b"hot"), &bucket, Op::Take(1))).unwrap();
        assert!(node.try_now(&batch).unwrap().unwrap().allowed());
        used += 1;
        settle().await;
    }
    // Five seconds, and what it gives back takes twenty.
    tokio::time::timeout(Duration::from_secs(26), node.drain()).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(missing(&scene), used);
}

/// What was bought of a window is not given to a later one, of which others may have used all.
#[tokio::test(start_paused = true)]
async fn what_comes_after_its_window_is_worth_nothing() {
    let mut scene = Scene::new();
    let (node, window) = (scene.node(), FixedWindow::new(Rate::per_second(10_000)).unwrap());
    scene.remote.silence.store(20_000, SeqCst);
    let asking = tokio::spawn({
        let (node, window, now) = (node.clone(), window.clone(), scene.now);
        async move {
            for _ in 0..200 {
                let mut batch = Batch::new(now);
                batch.push(Charge::new(key(b"hot"), &window, Op::Take(1))).unwrap();
                ask(&node, &batch).await.unwrap();
            }
        }
    });
    // The first is asked exactly, and the next buys.
    tokio::time::sleep(Duration::from_secs(21)).await;
    assert!(scene.remote.granted.load(SeqCst) > 1);
    scene.pass(Duration::from_secs(20));
    node.drain().await.unwrap();
    asking.await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(scene.remote.returned.load(SeqCst), 0);
}

/// Otherwise what the request buys would be held by a lease that nobody finds.
#[tokio::test(start_paused = true)]
async fn a_lease_that_a_request_waits_for_is_kept() {
    let mut scene = Scene::new();
    let (node, bucket) = (scene.node(), Arc::new(slow(1_000_000)));
    hot(&mut scene, &node, &bucket).await;
    // It gives back what has ended before it buys.
    scene.pass(Duration::from_secs(2));
    scene.remote.silence.store(20_000, SeqCst);
    let waiting = tokio::spawn({
        let (node, bucket, now) = (node.clone(), Arc::clone(&bucket), scene.now);
        async move { take(&node, &bucket, 1, now).await }
    });
    settle().await;
    assert!(scene.remote.returned.load(SeqCst) > 0 && !waiting.is_finished());
    scene.remote.silence.store(0, SeqCst);
    for _ in 0..3 {
        scene.pass(Duration::from_secs(2));
        let mut batch = Batch::new(scene.now);
        batch.push(Charge::new(key(b"another"), &*bucket, Op::Take(1))).unwrap();
        assert!(ask(&node, &batch).await.unwrap().allowed());
        settle().await;
    }
    assert!(!waiting.is_finished() && waiting.await.unwrap());
    node.drain().await.unwrap();
    assert_eq!(missing(&scene), 2_000 + 1 + 3);
}
