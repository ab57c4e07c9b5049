#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod alone;
mod batches;
mod late;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use super::LeasedStore;
use crate::{
    backend::memory::MemoryStore,
    rate_limit::{Batch, Charge, ChargeKey, Decision, KeyPart, Op, Rate, RateLimitStore, TokenBucket, Verdicts},
    store::{BoxFuture, StoreError},
    time::{ManualClock, Timestamp},
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A store that is elsewhere, and counts what it grants.
#[derive(Debug, Default)]
struct Remote {
    store: MemoryStore,
    calls: AtomicU64,
    granted: AtomicU64,
    returned: AtomicU64,
    down: AtomicBool,
    /// How often others have their turn while it answers, once more excepted.
    slowness: AtomicU64,
    under_way: AtomicU64,
    at_once: AtomicU64,
    /// For so many milliseconds nobody hears what it has done.
    silence: AtomicU64,
}

impl RateLimitStore for Remote {
    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(async move {
            self.calls.fetch_add(1, SeqCst);
            self.at_once.fetch_max(self.under_way.fetch_add(1, SeqCst) + 1, SeqCst);
            for _ in 0..=self.slowness.load(SeqCst) {
                tokio::task::yield_now().await;
            }
            self.under_way.fetch_sub(1, SeqCst);
            if self.down.load(SeqCst) {
                return Err(StoreError::TimedOut);
            }
            let verdicts = self.store.apply(batch).await?;
            for charge in batch.charges() {
                match charge.op() {
                    Op::Take(units) if verdicts.allowed() => self.granted.fetch_add(units, SeqCst),
                    Op::Give(units) => self.returned.fetch_add(units, SeqCst),
                    _ => 0,
                };
            }
            tokio::task::yield_now().await;
            let silence = Duration::from_millis(self.silence.load(SeqCst));
            if !silence.is_zero() {
                tokio::time::sleep(silence).await;
            }
            Ok(verdicts)
        })
    }
}

struct Scene {
    remote: Arc<Remote>,
    clock: ManualClock,
    now: Timestamp,
}

impl Scene {
    fn new() -> Self {
        Self { remote: Arc::default(), clock: ManualClock::at(NOW), now: NOW }
    }

    fn node(&self) -> LeasedStore {
        LeasedStore::new(Arc::clone(&self.remote)).nodes(1).clock(self.clock.clone())
    }

    fn pass(&mut self, time: Duration) {
        self.clock.advance(time);
        self.now = self.now.saturating_add(time);
    }

    fn calls(&self) -> u64 {
        self.remote.calls.load(SeqCst)
    }
}

fn slow(units: u64) -> TokenBucket {
    TokenBucket::new(Rate::per(units, Duration::from_secs(300 * 86_400))).unwrap()
}

fn key(name: &[u8]) -> ChargeKey<'_> {
    ChargeKey::new("rule").with(KeyPart::Bytes(name)).unwrap()
}

async fn ask(store: &LeasedStore, batch: &Batch<'_>) -> Result<Verdicts, StoreError> {
    match store.try_now(batch) {
        Some(answer) => answer,
        None => store.apply(batch).await,
    }
}

async fn charge(store: &LeasedStore, bucket: &TokenBucket, op: Op, now: Timestamp) -> Decision {
    let mut batch = Batch::new(now);
    batch.push(Charge::new(key(b"hot"), bucket, op)).unwrap();
    *ask(store, &batch).await.unwrap().get(0).unwrap()
}

async fn take(store: &LeasedStore, bucket: &TokenBucket, units: u64, now: Timestamp) -> bool {
    charge(store, bucket, Op::Take(units), now).await.allowed
}

/// What tasks have begun goes on.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_hot_key_asks_the_store_once_for_many_requests() {
    let mut scene = Scene::new();
    let (node, bucket) = (scene.node(), slow(1_000_000));
    for _ in 0..5_000 {
        assert!(take(&node, &bucket, 1, scene.now).await);
        scene.pass(Duration::from_micros(50));
        tokio::task::yield_now().await;
    }
    assert!(scene.calls() * 20 < 5_000, "{} calls", scene.calls());
    // Everything that was granted was spent, or is held.
    let granted = scene.remote.granted.load(SeqCst);
    settle().await;
    assert!((5_000..=5_000 + 200).contains(&granted), "{granted}");
}

/// A round trip in which more is used than one purchase brings.
#[tokio::test]
async fn who_needs_more_than_one_purchase_brings_has_several_under_way() {
    let mut scene = Scene::new();
    let (node, bucket) = (scene.node(), slow(10_000_000));
    scene.remote.slowness.store(60, SeqCst);
    let (mut used, mut waits) = (0_u64, 0_u64);
    for round in 0..20_000 {
        let mut batch = Batch::new(scene.now);
        batch.push(Charge::new(key(b"hot"), &bucket, Op::Take(5))).unwrap();
        let mut answer = node.try_now(&batch);
        if answer.is_none() {
            // At first nothing is known of the demand.
            waits += u64::from(round > 2_000);
            answer = Some(node.apply(&batch).await);
        }
        assert!(answer.unwrap().unwrap().allowed());
        used += 5;
        scene.pass(Duration::from_micros(10));
        tokio::task::yield_now().await;
    }
    let at_once = scene.remote.at_once.load(SeqCst);
    assert!((4..=16).contains(&at_once), "{at_once} purchases under way");
    assert!(waits < 180, "{waits} of 18,000 waited");
    // A drain waits for all of them.
    assert!(scene.remote.under_way.load(SeqCst) > 0);
    node.drain().await.unwrap();
    assert_eq!(scene.remote.under_way.load(SeqCst), 0);
    assert_eq!(scene.remote.granted.load(SeqCst) - scene.remote.returned.load(SeqCst), used);
}

#[tokio::test]
async fn what_is_here_is_answered_at_once_also_in_an_outage() {
    let mut scene = Scene::new();
    let (node, bucket) = (scene.node(), slow(1_000_000));
    for _ in 0..300 {
        take(&node, &bucket, 1, scene.now).await;
        scene.pass(Duration::from_micros(50));
    }
    settle().await;
    scene.remote.down.store(true, SeqCst);
    let mut batch = Batch::new(scene.now);
    batch.push(Charge::new(key(b"hot"), &bucket, Op::Take(1))).unwrap();
    let mut passed = 0;
    while let Some(answer) = node.try_now(&batch) {
        assert!(answer.unwrap().allowed());
        passed += 1;
    }
    assert!((10..=200).contains(&passed), "{passed}");
    assert!(matches!(node.apply(&batch).await, Err(StoreError::TimedOut)), "what is not here is not let through");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_nodes_use_up_the_cap_and_never_more() {
    for cap in [7, 100, 1_000, 10_000] {
        let scene = Scene::new();
        let bucket = Arc::new(slow(cap));
        let (clock, remote) = (scene.clock.clone(), Arc::clone(&scene.remote));
        let mut tasks = tokio::task::JoinSet::new();
        let ticking = tokio::spawn(async move {
            loop {
                clock.advance(Duration::from_micros(100));
                tokio::time::sleep(Duration::from_micros(100)).await;
            }
        });
        for _ in 0..4 {
            let node = scene.node().nodes(4);
            for _ in 0..4 {
                let (node, bucket, clock) = (node.clone(), Arc::clone(&bucket), scene.clock.clone());
                tasks.spawn(async move {
                    let mut passed = 0;
                    for _ in 0..cap / 8 + 20 {
                        use crate::time::Clock as _;
                        passed += u64::from(take(&node, &bucket, 1, clock.now().monotonic).await);
                        tokio::task::yield_now().await;
                    }
                    passed
                });
            }
        }
        let passed: u64 = tasks.join_all().await.into_iter().sum();
        ticking.abort();
        assert!(passed <= cap, "{passed} of {cap} passed");
        assert!(passed * 100 >= cap * 95, "{passed} of {cap} passed");
        let (granted, returned) = (remote.granted.load(SeqCst), remote.returned.load(SeqCst));
        assert!(passed + returned <= granted && granted <= cap + returned, "{passed} {granted} {returned}");
    }
}

#[tokio::test]
async fn near_the_cap_it_is_exact() {
    let mut scene = Scene::new();
    let (node, bucket) = (scene.node(), slow(50));
    let mut passed = 0;
    for _ in 0..80 {
        passed += u64::from(take(&node, &bucket, 1, scene.now).await);
        scene.pass(Duration::from_micros(10));
    }
    assert_eq!(passed, 50);
    let refused = charge(&node, &bucket, Op::Take(1), scene.now).await;
    assert_eq!((refused.remaining, refused.limit), (0, 50));
    assert!(refused.retry_after.is_some());
}

/// Held units are worth as much as the store's: what is left of both together passes.
#[tokio::test]
async fn a_large_cost_is_met_from_here_and_there() {
    let mut scene = Scene::new();
    let (node, bucket) = (scene.node(), slow(1_000));
    for _ in 0..100 {
        take(&node, &bucket, 1, scene.now).await;
        scene.pass(Duration::from_micros(50));
    }
    settle().await;
    let peek = charge(&node, &bucket, Op::Peek, scene.now).await;
    let left = 1_000 - 100;
    let granted = scene.remote.granted.load(SeqCst);
    assert!(granted > 100, "something is held");
    assert_eq!(peek.remaining, 1_000 - granted, "a peek shows what the store has");
    assert!(take(&node, &bucket, left, scene.now).await);
    assert!(!take(&node, &bucket, 1, scene.now).await);
    let never = charge(&node, &bucket, Op::Take(1_001), scene.now).await;
    assert!(never.is_never(), "{never:?}");
}

#[tokio::test]
async fn what_is_left_is_given_back() {
    // By a drain.
    let mut scene = Scene::new();
    let (node, bucket) = (scene.node(), slow(10_000));
    let hot = async |scene: &mut Scene, node: &LeasedStore| {
        for _ in 0..200 {
            assert!(take(node, &bucket, 1, scene.now).await);
            scene.pass(Duration::from_micros(50));
        }
        settle().await;
    };
    hot(&mut scene, &node).await;
    let missing = |scene: &Scene| scene.remote.granted.load(SeqCst) - scene.remote.returned.load(SeqCst);
    assert!(missing(&scene) > 200);
    let given = node.drain().await.unwrap();
    assert_eq!((missing(&scene), given), (200, scene.remote.returned.load(SeqCst)));
    // Then every request is asked.
    let before = scene.calls();
    assert!(take(&node, &bucket, 1, scene.now).await);
    assert!(take(&node, &bucket, 1, scene.now).await);
    assert_eq!(scene.calls(), before + 2);

    // By the last drop.
    let other = scene.node();
    hot(&mut scene, &other).await;
    assert!(missing(&scene) > 402);
    drop(other.clone());
    settle().await;
    assert!(missing(&scene) > 402);
    drop(other);
    settle().await;
    assert_eq!(missing(&scene), 402);

    // By the next request for the key, when they have ended; by another key's, when nobody asks.
    for name in [&b"hot"[..], b"another"] {
        let node = scene.node();
        let used = missing(&scene);
        hot(&mut scene, &node).await;
        assert!(missing(&scene) > used + 230, "much is held: {}", missing(&scene) - used);
        scene.pass(Duration::from_secs(2));
        for _ in 0..3 {
            let mut batch = Batch::new(scene.now);
            batch.push(Charge::new(key(name), &bucket, Op::Take(1))).unwrap();
            ask(&node, &batch).await.unwrap();
            settle().await;
            scene.pass(Duration::from_secs(2));
        }
        let mut batch = Batch::new(scene.now);
        batch.push(Charge::new(key(name), &bucket, Op::Take(1))).unwrap();
        ask(&node, &batch).await.unwrap();
        settle().await;
        // Who asks seldom holds next to nothing.
        assert!(missing(&scene) <= used + 210, "{name:?}: {}", missing(&scene) - used);
        node.drain().await.unwrap();
        assert_eq!(missing(&scene), used + 204, "{name:?}");
    }
}

/// Where nothing is bought any more, nothing stays behind.
#[tokio::test]
async fn what_has_ended_is_there_for_the_last_requests() {
    let mut scene = Scene::new();
    let (node, other, bucket) = (scene.node(), scene.node(), slow(100));
    for _ in 0..20 {
        assert!(take(&node, &bucket, 1, scene.now).await);
        scene.pass(Duration::from_micros(50));
    }
    settle().await;
    let held = scene.remote.granted.load(SeqCst) - 20;
    assert!(held > 5, "{held} are held");
    scene.pass(Duration::from_secs(2));
    let mut passed = 20;
    while take(&other, &bucket, 1, scene.now).await {
        passed += 1;
        scene.pass(Duration::from_micros(50));
        settle().await;
    }
    assert_eq!(passed, 100 - held);
    while take(&node, &bucket, 1, scene.now).await {
        passed += 1;
    }
    assert_eq!(passed, 100);
}
