#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod time;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{CasBackend, CasStore, Version, plan::Plan, record::Record};
use crate::{
    rate_limit::{Batch, Charge, ChargeKey, KeyPart, Op, Rate, RateLimitStore, TokenBucket, Verdicts},
    store::{BoxFuture, StoreError},
    time::Timestamp,
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A map of values, as far away as it is told to be.
#[derive(Debug, Default)]
struct Remote {
    values: Mutex<HashMap<String, (u64, Bytes)>>,
    /// Where versions come from: a value that was forgotten gets another one when it comes again.
    versions: AtomicU64,
    loads: AtomicUsize,
    swaps: AtomicUsize,
    lost: AtomicUsize,
    far: bool,
    fault: Mutex<Option<Fault>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The next swap is carried out, and its answer lost.
    LostAnswer,
    /// The next swap is not carried out.
    LostSwap,
    /// The second swap from now fails; what then comes works.
    SecondSwap,
    /// The second swap from now never answers.
    SecondHangs,
}

fn gone() -> StoreError {
    StoreError::unavailable("gone")
}

impl Remote {
    fn far() -> Self {
        Self { far: true, ..Self::default() }
    }

    async fn travel(&self) {
        if self.far {
            tokio::time::sleep(Duration::from_micros(300)).await;
        } else {
            tokio::task::yield_now().await;
        }
    }

    fn fault(&self) -> Option<Fault> {
        let mut fault = self.fault.lock().unwrap();
        match *fault {
            Some(Fault::SecondSwap) => {
                *fault = Some(Fault::LostSwap);
                None
            }
            Some(Fault::SecondHangs) if self.swaps.load(SeqCst) % 2 == 1 => None,
            _ => fault.take(),
        }
    }
}

impl CasBackend for Remote {
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<(Version, Bytes)>, StoreError>> {
        Box::pin(async move {
            self.loads.fetch_add(1, SeqCst);
            self.travel().await;
            let found = self.values.lock().unwrap().get(key).cloned();
            self.travel().await;
            Ok(found.map(|(version, value)| (version.into(), value)))
        })
    }

    fn swap<'a>(
        &'a self,
        key: &'a str,
        was: Option<&'a Version>,
        value: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            assert!(ttl >= Duration::from_secs(1) && ttl.subsec_nanos() == 0, "{ttl:?}");
            self.swaps.fetch_add(1, SeqCst);
            self.travel().await;
            let fault = self.fault();
            match fault {
                Some(Fault::LostSwap | Fault::SecondSwap) => return Err(gone()),
                Some(Fault::SecondHangs) => std::future::pending().await,
                Some(Fault::LostAnswer) | None => {}
            }
            let swapped = {
                let mut values = self.values.lock().unwrap();
                let is = values.get(key).map(|(version, _)| *version);
                let same = is == was.and_then(Version::number);
                if same {
                    values.insert(key.to_owned(), (self.versions.fetch_add(1, SeqCst), value));
                }
                same
            };
            self.travel().await;
            if fault == Some(Fault::LostAnswer) {
                return Err(gone());
            }
            self.lost.fetch_add(usize::from(!swapped), SeqCst);
            Ok(swapped)
        })
    }
}

fn bucket(units: u64) -> TokenBucket {
    TokenBucket::new(Rate::per_hour(units)).unwrap()
}

/// One charge for each key, of the same algorithm.
fn batch<'a>(now: Timestamp, keys: &[ChargeKey<'a>], algorithm: &'a TokenBucket, op: Op) -> Batch<'a> {
    let mut batch = Batch::new(now);
    for key in keys {
        batch.push(Charge::new(*key, algorithm, op)).unwrap();
    }
    batch
}

fn of(caller: &[u8]) -> ChargeKey<'_> {
    ChargeKey::new("rule").with(KeyPart::Bytes(caller)).unwrap()
}

async fn take(store: &CasStore, key: ChargeKey<'_>, bucket: &TokenBucket) -> Result<Verdicts, StoreError> {
    store.apply(&batch(NOW, &[key], bucket, Op::Take(1))).await
}

async fn left(store: &CasStore, key: ChargeKey<'_>, bucket: &TokenBucket) -> u64 {
    store.apply(&batch(NOW, &[key], bucket, Op::Peek)).await.unwrap().get(0).unwrap().remaining
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_takes_in_several_processes_as_many_pass_as_there_are() {
    let remote = Arc::new(Remote::default());
    let bucket = Arc::new(bucket(100));
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        // A store is a process: they have no turns in common.
        let store = CasStore::new(Arc::clone(&remote)).time_budget(Duration::from_secs(30));
        for _ in 0..16 {
            let (store, bucket) = (store.clone(), Arc::clone(&bucket));
            tasks.spawn(async move {
                let mut passed = 0;
                for _ in 0..20 {
                    passed += u64::from(take(&store, of(b"hot"), &bucket).await.unwrap().allowed());
                }
                passed
            });
        }
    }
    assert_eq!(tasks.join_all().await.into_iter().sum::<u64>(), 100);
    assert!(remote.lost.load(SeqCst) > 0, "they have met");
}

/// What Bucket4j's users met (its issue 603): n requests for one key make n rounds of retries.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_one_process_nobody_loses_a_swap() {
    let remote = Arc::new(Remote::far());
    let store = CasStore::new(Arc::clone(&remote)).time_budget(Duration::from_secs(30));
    let bucket = Arc::new(bucket(1_000));
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (store, bucket) = (store.clone(), Arc::clone(&bucket));
        tasks.spawn(async move { take(&store, of(b"hot"), &bucket).await.unwrap().allowed() });
    }
    assert!(tasks.join_all().await.into_iter().all(|allowed| allowed));
    // But for one that was read while another wrote.
    assert!(remote.lost.load(SeqCst) <= 6, "{} lost", remote.lost.load(SeqCst));
    assert!(remote.loads.load(SeqCst) <= 80, "each loads for itself once: {}", remote.loads.load(SeqCst));
}

/// A key that is refused is read by all at once, and by nobody in turn.
#[tokio::test]
async fn a_refusal_is_one_load() {
    let remote = Arc::new(Remote::default());
    let store = CasStore::new(Arc::clone(&remote));
    let bucket = bucket(1);
    assert!(take(&store, of(b"a"), &bucket).await.unwrap().allowed());
    let before = (remote.loads.load(SeqCst), remote.swaps.load(SeqCst));
    let refused = take(&store, of(b"a"), &bucket).await.unwrap();
    assert_eq!(refused.get(0).unwrap().retry_after, Some(Duration::from_secs(3_600)));
    assert_eq!((remote.loads.load(SeqCst), remote.swaps.load(SeqCst)), (before.0 + 1, before.1));
}

/// Whoever goes on asking costs a read at a time, and not one for each request.
#[tokio::test]
async fn refusals_at_the_same_time_share_their_load() {
    let remote = Arc::new(Remote::default());
    let store = CasStore::new(Arc::clone(&remote));
    let bucket = Arc::new(bucket(1));
    assert!(take(&store, of(b"a"), &bucket).await.unwrap().allowed());
    let before = remote.loads.load(SeqCst);
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (store, bucket) = (store.clone(), Arc::clone(&bucket));
        tasks.spawn(async move { take(&store, of(b"a"), &bucket).await.unwrap().allowed() });
    }
    assert!(tasks.join_all().await.into_iter().all(|allowed| !allowed));
    assert!(remote.loads.load(SeqCst) - before <= 4, "{}", remote.loads.load(SeqCst) - before);
}

#[tokio::test]
async fn all_limits_on_a_caller_are_one_load_and_one_swap() {
    let remote = Arc::new(Remote::default());
    let store = CasStore::new(Arc::clone(&remote));
    let bucket = bucket(3);
    let caller = KeyPart::Bytes(b"a");
    let endpoint = KeyPart::Endpoint { method: "GET", route: Some("/") };
    let keys = ["a", "b", "c"].map(|rule| ChargeKey::new(rule).with(caller).unwrap());
    let keys = [keys[0], keys[1], keys[2], keys[0].with(endpoint).unwrap()];
    assert!(store.apply(&batch(NOW, &keys, &bucket, Op::Take(1))).await.unwrap().allowed());
    assert_eq!((remote.loads.load(SeqCst), remote.swaps.load(SeqCst)), (1, 1));
    for key in keys {
        assert_eq!(left(&store, key, &bucket).await, 2);
    }
}

/// Two limits of different keys, one of them used up by others: at rest both have been charged alike.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_or_nothing_over_several_records_and_processes() {
    let remote = Arc::new(Remote::default());
    let bucket = Arc::new(bucket(60));
    let mut tasks = JoinSet::new();
    for process in 0..3 {
        let store = CasStore::new(Arc::clone(&remote)).time_budget(Duration::from_secs(30));
        for _ in 0..8 {
            let (store, bucket) = (store.clone(), Arc::clone(&bucket));
            tasks.spawn(async move {
                let mut passed = 0;
                // Some use the one limit only, so that the other has room to be charged wrongly.
                let keys = [of(b"one"), of(b"two"), of(b"three")];
                let keys = if process == 0 { &keys[..2] } else { &keys[..] };
                for _ in 0..8 {
                    let verdicts = store.apply(&batch(NOW, keys, &bucket, Op::Take(1))).await.unwrap();
                    passed += u64::from(verdicts.allowed());
                }
                (process, passed)
            });
        }
    }
    let passed = tasks.join_all().await;
    let all: u64 = passed.iter().map(|(_, passed)| passed).sum();
    let both: u64 = passed.iter().filter(|(process, _)| *process != 0).map(|(_, passed)| passed).sum();
    let store = CasStore::new(Arc::clone(&remote));
    assert_eq!(60 - left(&store, of(b"one"), &bucket).await, all);
    assert_eq!(60 - left(&store, of(b"two"), &bucket).await, all);
    assert_eq!(60 - left(&store, of(b"three"), &bucket).await, both);
    assert_eq!(all, 60);
}

#[tokio::test]
async fn a_lost_answer_is_looked_into_and_a_lost_swap_is_an_error() {
    let remote = Arc::new(Remote::default());
    let store = CasStore::new(Arc::clone(&remote));
    let bucket = bucket(2);
    *remote.fault.lock().unwrap() = Some(Fault::LostAnswer);
    assert!(take(&store, of(b"a"), &bucket).await.unwrap().allowed());
    assert_eq!(left(&store, of(b"a"), &bucket).await, 1);
    *remote.fault.lock().unwrap() = Some(Fault::LostSwap);
    assert!(matches!(take(&store, of(b"a"), &bucket).await, Err(StoreError::Unavailable(_))));
    assert_eq!(left(&store, of(b"a"), &bucket).await, 1);
}

#[tokio::test]
async fn what_was_charged_in_part_is_taken_back() {
    for fault in [Fault::SecondSwap, Fault::SecondHangs] {
        let remote = Arc::new(Remote::default());
        let store = CasStore::new(Arc::clone(&remote)).time_budget(Duration::from_millis(50));
        let bucket = bucket(2);
        let keys = [of(b"a"), of(b"b")];
        *remote.fault.lock().unwrap() = Some(fault);
        assert!(store.apply(&batch(NOW, &keys, &bucket, Op::Take(1))).await.is_err(), "{fault:?}");
        *remote.fault.lock().unwrap() = None;
        let mut tries = 0;
        while left(&store, keys[0], &bucket).await + left(&store, keys[1], &bucket).await < 4 {
            tries += 1;
            assert!(tries < 500, "{fault:?}: it was not taken back");
            tokio::task::yield_now().await;
        }
        assert!(remote.swaps.load(SeqCst) >= 3, "{fault:?}: one of them was charged");
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_hangs_is_an_error_within_the_budget() {
    #[derive(Debug)]
    struct Hangs;
    impl CasBackend for Hangs {
        fn load<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<(Version, Bytes)>, StoreError>> {
            Box::pin(std::future::pending())
        }
        fn swap<'a>(
            &'a self,
            _: &'a str,
            _: Option<&'a Version>,
            _: Bytes,
            _: Duration,
        ) -> BoxFuture<'a, Result<bool, StoreError>> {
            Box::pin(std::future::pending())
        }
    }
    let store = CasStore::new(Hangs);
    assert!(matches!(take(&store, of(b"a"), &bucket(1)).await, Err(StoreError::TimedOut)));
}

#[tokio::test]
async fn a_record_that_makes_no_sense_is_corrupt() {
    let remote = Arc::new(Remote::default());
    let store = CasStore::new(Arc::clone(&remote));
    let bucket = bucket(1);
    let key = Plan::of(&batch(NOW, &[of(b"a")], &bucket, Op::Peek)).targets[0].key.clone();
    for value in [&b""[..], b"pc\x02", b"pc\x01short"] {
        remote.values.lock().unwrap().insert(key.clone(), (1, Bytes::copy_from_slice(value)));
        assert!(matches!(take(&store, of(b"a"), &bucket).await, Err(StoreError::Corrupt(_))));
    }
    let record = Record::default().encode();
    remote.values.lock().unwrap().insert(key, (1, record.into()));
    assert!(take(&store, of(b"a"), &bucket).await.unwrap().allowed());
}
