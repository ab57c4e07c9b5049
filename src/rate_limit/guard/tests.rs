use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use super::*;
use crate::{
    backend::memory::MemoryStore,
    rate_limit::{Algorithm, Charge, ChargeKey, KeyPart, Op, Rate, TokenBucket},
    time::Timestamp,
};

const START: Timestamp = Timestamp::from_secs(1_000);

/// A memory store that must be awaited, and can be told to be lost or slow.
#[derive(Debug)]
struct Remote {
    memory: MemoryStore,
    calls: AtomicU32,
    mood: Mutex<Mood>,
}

#[derive(Clone, Copy, Debug)]
enum Mood {
    Well,
    Slow,
    Lost,
}

impl Remote {
    fn guarded(settings: GuardSettings) -> (Arc<Self>, Guard) {
        let memory = MemoryStore::new();
        let remote = Arc::new(Self { memory, calls: AtomicU32::new(0), mood: Mutex::new(Mood::Well) });
        let guard = Guard::new(Arc::clone(&remote) as Arc<dyn RateLimitStore>, settings);
        (remote, guard)
    }

    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn calls(&self) -> u32 {
        self.calls.load(SeqCst)
    }
}

impl RateLimitStore for Remote {
    fn apply<'a>(&'a self, batch: &'a Batch<'a>) -> BoxFuture<'a, Result<Verdicts, StoreError>> {
        Box::pin(async move {
            self.calls.fetch_add(1, SeqCst);
            let mood = *self.mood.lock().unwrap();
            match mood {
                Mood::Well => {}
                Mood::Slow => std::future::pending().await,
                Mood::Lost => return Err(StoreError::unavailable("lost")),
            }
            self.memory.apply(batch).await
        })
    }
}

async fn ask(guard: &Guard, batch: Batch<'_>) -> Result<Verdicts, StoreError> {
    match guard.try_now(&batch) {
        Some(answer) => answer,
        None => guard.apply(&batch).await,
    }
}

fn charge<'a>(rule: &'static str, algorithm: &'a dyn Algorithm, op: Op) -> Charge<'a> {
    Charge::new(ChargeKey::new(rule).with(KeyPart::Bytes(b"alice")).unwrap(), algorithm, op)
}

fn batch<'a>(at: Duration, charges: &[Charge<'a>]) -> Batch<'a> {
    let mut batch = Batch::new(START.saturating_add(at));
    for charge in charges {
        batch.push(*charge).unwrap();
    }
    batch
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[tokio::test(start_paused = true)]
async fn retries_of_a_refused_key_ask_nobody_until_they_would_pass() {
    let (remote, guard) = Remote::guarded(GuardSettings::default());
    let bucket = TokenBucket::new(Rate::per(1, millis(500))).unwrap();
    let take = [charge("a", &bucket, Op::Take(1))];
    assert!(ask(&guard, batch(millis(0), &take)).await.unwrap().allowed());
    assert!(!ask(&guard, batch(millis(100), &take)).await.unwrap().allowed());
    assert_eq!(remote.calls(), 2);
    for at in [100, 300, 499] {
        let verdicts = ask(&guard, batch(millis(at), &take)).await.unwrap();
        let decision = verdicts.get(0).unwrap();
        assert!(!decision.allowed && decision.limit == 1 && decision.remaining == 0);
        // Never too short, and by no more than the store's budget too long.
        let (wait, truth) = (decision.retry_after.unwrap(), millis(500 - at));
        assert!(wait >= truth && wait <= truth + millis(25), "{wait:?} at {at}");
    }
    assert_eq!(remote.calls(), 2);
    assert!(ask(&guard, batch(millis(500), &take)).await.unwrap().allowed());
    assert_eq!(remote.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_remembered_for_a_second_at_most_and_only_for_as_much() {
    let (remote, guard) = Remote::guarded(GuardSettings::default());
    let bucket = TokenBucket::new(Rate::per_minute(3)).unwrap();
    let take = |units| [charge("a", &bucket, Op::Take(units))];
    assert!(ask(&guard, batch(millis(0), &take(2))).await.unwrap().allowed());
    assert!(!ask(&guard, batch(millis(0), &take(2))).await.unwrap().allowed());
    assert!(!ask(&guard, batch(millis(1), &take(3))).await.unwrap().allowed());
    assert_eq!(remote.calls(), 2);
    // Less might pass; looking is not charged, and is answered with the truth.
    assert!(ask(&guard, batch(millis(2), &take(1))).await.unwrap().allowed());
    assert!(!ask(&guard, batch(millis(2), &[charge("a", &bucket, Op::Peek)])).await.unwrap().allowed());
    assert_eq!(remote.calls(), 4);
    assert!(!ask(&guard, batch(millis(999), &take(2))).await.unwrap().allowed());
    assert_eq!(remote.calls(), 4);
    assert!(!ask(&guard, batch(millis(1_000), &take(2))).await.unwrap().allowed());
    assert_eq!(remote.calls(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_is_given_back_here_and_another_limit_end_it_at_once() {
    for op in [Op::Give(1), Op::Reset] {
        let (remote, guard) = Remote::guarded(GuardSettings::default());
        let bucket = TokenBucket::new(Rate::per_minute(1)).unwrap();
        let take = [charge("a", &bucket, Op::Take(1))];
        assert!(ask(&guard, batch(millis(0), &take)).await.unwrap().allowed());
        assert!(!ask(&guard, batch(millis(0), &take)).await.unwrap().allowed());
        assert!(ask(&guard, batch(millis(1), &[charge("a", &bucket, op)])).await.unwrap().allowed());
        assert!(ask(&guard, batch(millis(2), &take)).await.unwrap().allowed());
        assert_eq!(remote.calls(), 4);
        assert!(!ask(&guard, batch(millis(3), &take)).await.unwrap().allowed());
        let more = TokenBucket::new(Rate::per_minute(1).burst(5)).unwrap();
        assert!(ask(&guard, batch(millis(4), &[charge("a", &more, Op::Take(1))])).await.unwrap().allowed());
        assert_eq!(remote.calls(), 6);
    }
}

/// A refusal that was on its way while somebody gave back is not believed.
#[tokio::test(start_paused = true)]
async fn a_refusal_from_before_a_refund_is_not_remembered() {
    let refusals = Refusals::new(millis(1_000), millis(25));
    let memory = MemoryStore::new();
    let bucket = TokenBucket::new(Rate::per_minute(1)).unwrap();
    let take = batch(millis(0), &[charge("a", &bucket, Op::Take(1))]);
    let give = batch(millis(0), &[charge("a", &bucket, Op::Give(1))]);
    memory.apply(&take).await.unwrap();
    let before = refusals.watch(&take);
    let refused = memory.apply(&take).await.unwrap();
    let given = memory.apply(&give).await.unwrap();
    refusals.learn(&give, &given, &refusals.watch(&give));
    refusals.learn(&take, &refused, &before);
    assert!(!refused.allowed() && refusals.refuse(&take).is_none());
    refusals.learn(&take, &refused, &refusals.watch(&take));
    assert!(refusals.refuse(&take).is_some());
}

#[tokio::test(start_paused = true)]
async fn the_others_of_a_refused_batch_are_shown_as_they_stood_and_not_refused() {
    let (remote, guard) = Remote::guarded(GuardSettings::default());
    let (one, ten) = (TokenBucket::new(Rate::per_minute(1)).unwrap(), TokenBucket::new(Rate::per_minute(10)).unwrap());
    let both = [charge("ten", &ten, Op::Take(1)), charge("one", &one, Op::Take(1))];
    assert!(ask(&guard, batch(millis(0), &both)).await.unwrap().allowed());
    assert!(!ask(&guard, batch(millis(0), &both)).await.unwrap().allowed());
    let here = ask(&guard, batch(millis(1), &both)).await.unwrap();
    let (ten_left, one_left) = (here.get(0).unwrap(), here.get(1).unwrap());
    assert!(ten_left.allowed && ten_left.remaining == 9 && ten_left.retry_after.is_none());
    assert!(!one_left.allowed && one_left.retry_after.is_some());
    assert_eq!(remote.calls(), 2);
    // Alone it passes: nobody refused it.
    assert!(ask(&guard, batch(millis(2), &both[..1])).await.unwrap().allowed());
    assert_eq!(remote.calls(), 3);
}

#[test]
fn the_memory_of_refusals_is_bounded() {
    let refusals = Refusals::new(millis(1_000), millis(25));
    let bucket = TokenBucket::new(Rate::per_minute(1)).unwrap();
    let refused = crate::rate_limit::Decision::refused(1, 0, Duration::from_secs(60));
    for key in 0..100_000_u32 {
        let bytes = key.to_be_bytes();
        let key = ChargeKey::new("a").with(KeyPart::Bytes(&bytes)).unwrap();
        let batch = batch(millis(0), &[Charge::new(key, &bucket, Op::Take(1))]);
        let mut verdicts = Verdicts::new();
        verdicts.push(refused).unwrap();
        refusals.learn(&batch, &verdicts, &refusals.watch(&batch));
        assert!(refusals.refuse(&batch).is_some());
    }
    assert!(refusals.len() <= 512 * 8);
}

#[tokio::test(start_paused = true)]
#[allow(clippy::disallowed_methods, reason = "what is promised is a time")]
async fn a_store_that_does_not_answer_costs_its_budget_three_times_and_then_one_caller_at_a_time() {
    let (remote, guard) = Remote::guarded(GuardSettings::default());
    let bucket = TokenBucket::new(Rate::per_minute(100)).unwrap();
    let take = || batch(millis(0), &[charge("a", &bucket, Op::Take(1))]);
    remote.is(Mood::Slow);
    for _ in 0..3 {
        let asked = tokio::time::Instant::now();
        assert!(matches!(ask(&guard, take()).await, Err(StoreError::TimedOut)));
        assert!((millis(25)..millis(28)).contains(&asked.elapsed()));
    }
    let batch = take();
    let mut probe = std::pin::pin!(guard.apply(&batch));
    assert!(tokio::time::timeout(millis(5), &mut probe).await.is_err());
    let asked = tokio::time::Instant::now();
    for _ in 0..100 {
        assert!(matches!(guard.try_now(&take()), Some(Err(StoreError::Unavailable(_)))));
        assert!(matches!(guard.apply(&take()).await, Err(StoreError::Unavailable(_))));
    }
    assert_eq!((asked.elapsed(), remote.calls()), (Duration::ZERO, 4));
    assert!(matches!(probe.await, Err(StoreError::TimedOut)));
    remote.is(Mood::Well);
    assert!(ask(&guard, take()).await.unwrap().allowed());
    assert!(guard.try_now(&take()).is_none());
}

#[tokio::test(start_paused = true)]
async fn an_error_is_not_a_refusal_and_is_not_remembered() {
    let (remote, guard) = Remote::guarded(GuardSettings::default());
    let bucket = TokenBucket::new(Rate::per_minute(100)).unwrap();
    let take = || batch(millis(0), &[charge("a", &bucket, Op::Take(1))]);
    remote.is(Mood::Lost);
    for _ in 0..10 {
        assert!(matches!(ask(&guard, take()).await, Err(StoreError::Unavailable(_))));
    }
    assert_eq!(remote.calls(), 10);
    remote.is(Mood::Well);
    assert!(ask(&guard, take()).await.unwrap().allowed());
}

#[tokio::test]
async fn a_store_that_answers_at_once_is_asked_and_nothing_else() {
    let guard = Guard::new(Arc::new(MemoryStore::new()), GuardSettings::default());
    let bucket = TokenBucket::new(Rate::per_minute(1)).unwrap();
    let take = batch(millis(0), &[charge("a", &bucket, Op::Take(1))]);
    assert!(guard.try_now(&take).unwrap().unwrap().allowed());
    assert!(!guard.try_now(&take).unwrap().unwrap().allowed());
    assert_eq!(guard.refusals.as_ref().unwrap().len(), 0);
}

#[test]
fn settings_out_of_bounds_are_named() {
    let wrong = GuardSettings { budget: Duration::ZERO, remembered: Some(Duration::from_secs(61)) };
    let fields: Vec<_> = wrong.check().unwrap_err().issues().iter().map(|issue| issue.field.to_string()).collect();
    assert_eq!(fields, ["store_budget", "remember_refusals"]);
    assert!(GuardSettings { budget: Duration::from_secs(10), remembered: None }.check().is_ok());
}
