#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod alike;
mod end_of_clock;

use std::{mem::size_of, sync::Arc, time::Duration};

use super::{region::Slot, slots::Tick, *};
use crate::{
    rate_limit::{Algorithm, Charge, ChargeKey, FixedWindow, KeyPart, Op, Rate, State, TokenBucket},
    time::Timestamp,
};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn after(secs: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_secs(secs))
}

fn bucket(rate: Rate) -> TokenBucket {
    TokenBucket::new(rate).unwrap()
}

fn key<'a>(rule: &'a str, bytes: &'a [u8]) -> ChargeKey<'a> {
    ChargeKey::new(rule).with(KeyPart::Bytes(bytes)).unwrap()
}

fn ask(store: &MemoryStore, now: Timestamp, charges: &[(ChargeKey<'_>, &dyn Algorithm, Op)]) -> Verdicts {
    let mut batch = Batch::new(now);
    for (key, algorithm, op) in charges {
        batch.push(Charge::new(*key, *algorithm, *op)).unwrap();
    }
    store.try_now(&batch).unwrap().unwrap()
}

fn take(store: &MemoryStore, now: Timestamp, bytes: &[u8], algorithm: &dyn Algorithm) -> bool {
    ask(store, now, &[(key("r", bytes), algorithm, Op::Take(1))]).allowed()
}

fn remaining(store: &MemoryStore, now: Timestamp, key: ChargeKey<'_>, algorithm: &dyn Algorithm) -> u64 {
    ask(store, now, &[(key, algorithm, Op::Peek)]).get(0).unwrap().remaining
}

fn in_regions(store: &MemoryStore) -> usize {
    store.inner.rates.regions.made().map(|region| region.lock().unwrap().in_use()).sum()
}

fn in_slots(store: &MemoryStore, now: Timestamp) -> usize {
    let clock = store.inner.rates.clock.get().unwrap();
    store.inner.rates.slots.live(Tick::of(clock.reading(now).unwrap()))
}

/// The same bucket, whose states the first form keeps.
#[derive(Debug)]
struct Unpacked(TokenBucket);

impl Algorithm for Unpacked {
    fn id(&self) -> crate::rate_limit::AlgorithmId {
        crate::rate_limit::AlgorithmId::new("test.unpacked", 1, &[])
    }
    fn step(&self, state: Option<&State>, now: Timestamp, op: Op) -> Step {
        self.0.step(state, now, op)
    }
    fn expires_after(&self, state: &State, now: Timestamp) -> Duration {
        self.0.expires_after(state, now)
    }
}

fn unpacked(rate: Rate) -> Unpacked {
    Unpacked(bucket(rate))
}

#[test]
fn a_slot_takes_80_bytes() {
    assert_eq!(size_of::<Option<Slot>>(), 80);
    assert_eq!(size_of::<State>(), 40);
    // And the other form's, 16.
    assert_eq!(size_of::<slots::Bucket>(), 8 * 16);
}

/// The bucket in either form.
fn forms(rate: Rate) -> [Arc<dyn Algorithm>; 2] {
    let forms: [Arc<dyn Algorithm>; 2] = [Arc::new(bucket(rate)), Arc::new(unpacked(rate))];
    assert_eq!(forms.each_ref().map(|form| form.packing().is_some()), [true, false]);
    forms
}

/// 640,000 takes at a limit of 1,000.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_64_tasks_exactly_the_limit_passes() {
    for form in forms(Rate::per_hour(1_000)) {
        let store = MemoryStore::new();
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let (store, form) = (store.clone(), Arc::clone(&form));
                tokio::spawn(async move {
                    let mut passed = 0;
                    for turn in 0..10_000 {
                        let mut batch = Batch::new(NOW);
                        batch.push(Charge::new(key("r", b"hot"), &*form, Op::Take(1))).unwrap();
                        passed += usize::from(RateLimitStore::apply(&store, &batch).await.unwrap().allowed());
                        if turn % 100 == 0 {
                            tokio::task::yield_now().await;
                        }
                    }
                    passed
                })
            })
            .collect();
        let mut passed = 0;
        for task in tasks {
            passed += task.await.unwrap();
        }
        assert_eq!(passed, 1_000, "{form:?}");
    }
}

/// Threads take the same two limits in both orders: none waits for ever, and what one limit was
/// charged, the other was. With each limit in either form.
#[test]
fn batches_are_all_or_nothing_under_contention() {
    for (wide, narrow) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let store = MemoryStore::with_rate_slots(4_096);
        let (wide, narrow) = (&*forms(Rate::per_hour(1_000))[wide], &*forms(Rate::per_hour(300))[narrow]);
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|thread| {
                    let store = &store;
                    scope.spawn(move || {
                        let mut charges: [(ChargeKey<'_>, &dyn Algorithm, Op); 2] =
                            [(key("wide", b"k"), wide, Op::Take(1)), (key("narrow", b"k"), narrow, Op::Take(1))];
                        if thread % 2 == 0 {
                            charges.reverse();
                        }
                        (0..2_000).filter(|_| ask(store, NOW, &charges).allowed()).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 300);
        assert_eq!(remaining(&store, NOW, key("wide", b"k"), wide), 700);
        assert_eq!(remaining(&store, NOW, key("narrow", b"k"), narrow), 0);
    }
}

/// Two limits that are reached at once: now one refuses first, now the other, and what the first one
/// charged is given back each time.
#[test]
fn what_a_later_limit_refuses_is_given_back() {
    let forms = forms(Rate::per_hour(500));
    for [left, right] in [[0, 0], [0, 1]] {
        let store = MemoryStore::new();
        let (left, right) = (&*forms[left], &*forms[right]);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let store = &store;
                scope.spawn(move || {
                    let both = [(key("l", b"k"), left, Op::Take(1)), (key("r", b"k"), right, Op::Take(1))];
                    let backwards = [both[1], both[0]];
                    for _ in 0..1_000 {
                        let charges = if thread % 2 == 0 { &both } else { &backwards };
                        if ask(store, NOW, charges).allowed() {
                            ask(store, NOW, &[(key("l", b"k"), left, Op::Give(1))]);
                            ask(store, NOW, &[(key("r", b"k"), right, Op::Give(1))]);
                        }
                    }
                });
            }
        });
        assert_eq!(remaining(&store, NOW, key("l", b"k"), left), 500);
        assert_eq!(remaining(&store, NOW, key("r", b"k"), right), 500);
    }
}

#[test]
fn a_refused_batch_shows_every_limit_as_it_stands() {
    let (store, wide, narrow) = (MemoryStore::new(), bucket(Rate::per_hour(10)), bucket(Rate::per_hour(1)));
    let charges: [(ChargeKey<'_>, &dyn Algorithm, Op); 2] =
        [(key("wide", b"k"), &wide, Op::Take(1)), (key("narrow", b"k"), &narrow, Op::Take(1))];
    assert!(ask(&store, NOW, &charges).allowed());
    let refused = ask(&store, NOW, &charges);
    let seen: Vec<_> = refused.decisions().map(|decision| (decision.allowed, decision.remaining)).collect();
    assert_eq!(seen, [(true, 9), (false, 0)]);
}

#[test]
fn keys_of_any_bytes_are_kept_apart() {
    let (store, once) = (MemoryStore::new(), bucket(Rate::per_hour(1)));
    let long = vec![0xff_u8; 4_096];
    let longer = vec![0xff_u8; 4_097];
    let keys: [&[u8]; 7] = [b"", b"\0", b"\0\0", b"a", b"a\0", &long, &longer];
    for bytes in keys {
        assert!(take(&store, NOW, bytes, &once), "{}", bytes.len());
    }
    for bytes in keys {
        assert!(!take(&store, NOW, bytes, &once), "{}", bytes.len());
    }
    assert!(ask(&store, NOW, &[(key("other", b"a"), &once, Op::Take(1))]).allowed());
}

#[test]
fn an_expired_state_is_a_free_slot() {
    let store = MemoryStore::with_rate_slots(1);
    for form in forms(Rate::per_second(1)) {
        // A slot counts as taken until its tick is over.
        for second in (0..100).step_by(2) {
            for index in 0..50_u32 {
                assert!(take(&store, after(second), &index.to_be_bytes(), &*form));
            }
            let other_keys = (50 * second / 2..).take(50);
            for index in other_keys {
                assert!(take(&store, after(second), &(1_000 + index).to_be_bytes(), &*form));
            }
        }
    }
    assert!(in_regions(&store) <= Region::SLOTS);
    assert_eq!(in_slots(&store, after(98)), 100);
    assert_eq!(in_slots(&store, after(102)), 0);
    assert_eq!(store.inner.rates.slots.evicted(), 0);
}

/// What lies where its fingerprint names is charged without a search; in a table that is a quarter full that is
/// almost everything.
#[test]
fn where_there_is_room_keys_are_found_at_once() {
    const KEYS: u32 = 10_000;
    let (store, rate) = (MemoryStore::with_rate_slots(4 * KEYS as usize), bucket(Rate::per_hour(1)));
    let keys: Vec<[u8; 4]> = (0..KEYS).map(u32::to_be_bytes).collect();
    assert!(keys.iter().all(|bytes| take(&store, NOW, bytes, &rate)));
    let slots = &store.inner.rates.slots;
    let identity = |bytes: &[u8; 4]| Charge::new(key("r", bytes), &rate, Op::Peek).identity_hash();
    let at_once = keys.iter().filter(|bytes| slots.find_at_once(identity(bytes)).is_some()).count();
    assert!(at_once >= 9_650, "{at_once} of {KEYS}");
}

#[test]
fn a_full_bucket_leaves_no_state() {
    let rate = Rate::per_second(5);
    for (form, count) in forms(rate).iter().zip([in_slots as fn(&_, _) -> _, |store: &_, _| in_regions(store)]) {
        let store = MemoryStore::new();
        assert!(take(&store, NOW, b"k", &**form));
        assert_eq!(count(&store, NOW), 1);
        ask(&store, NOW, &[(key("r", b"k"), &**form, Op::Give(1))]);
        assert_eq!(count(&store, NOW), 0);
        ask(&store, NOW, &[(key("r", b"k"), &**form, Op::Force(5))]);
        assert_eq!(count(&store, NOW), 1);
        ask(&store, NOW, &[(key("r", b"k"), &**form, Op::Reset)]);
        assert_eq!(count(&store, NOW), 0);
    }
}

/// An attacker with 10^5 addresses against a small table, in each form: whoever was over his limit
/// before is refused throughout, and the table does not grow.
#[test]
fn spraying_keys_frees_nobody() {
    let rate = Rate::per_hour(5);
    let [packed, unpacked] = forms(rate);
    for algorithm in [packed, unpacked, Arc::new(FixedWindow::new(rate).unwrap())] {
        let store = MemoryStore::with_rate_slots(1_024);
        let victims: Vec<[u8; 5]> = (0..20_u8).map(|index| [index; 5]).collect();
        for victim in &victims {
            while take(&store, NOW, victim, &*algorithm) {}
        }
        for spray in 0..100_000_u32 {
            take(&store, NOW, &spray.to_be_bytes(), &*algorithm);
            if spray % 1_000 == 0 {
                for victim in &victims {
                    assert!(!take(&store, NOW, victim, &*algorithm), "freed after {spray} keys by {algorithm:?}");
                }
            }
        }
        assert!(in_regions(&store) <= 1_024 && in_slots(&store, NOW) <= 1_024);
        assert!(store.inner.rates.regions.made().count() <= 8);
        let evicted = store.rate_statistics().evicted_live;
        assert!((98_000..100_000).contains(&evicted), "{evicted}");
    }
}

/// A limit of a second that is used up is worth less than one of an hour that is.
#[test]
fn of_equal_shares_the_one_that_lasts_is_kept() {
    for (hour, second) in forms(Rate::per_hour(1)).iter().zip(forms(Rate::per_second(1))) {
        let store = MemoryStore::with_rate_slots(1);
        assert!(take(&store, NOW, b"victim", &**hour));
        for spray in 0..10_000_u32 {
            take(&store, NOW, &spray.to_be_bytes(), &*second);
        }
        assert!(!take(&store, NOW, b"victim", &**hour));
    }
}

#[test]
fn a_clock_that_jumps_costs_one_bucket_at_most() {
    for rate in forms(Rate::per_second(2)) {
        let (store, rate) = (MemoryStore::new(), &*rate);
        assert!(take(&store, after(7_200), b"k", rate));
        // Two hours back: refused for half a second, and no longer.
        assert!(!take(&store, NOW, b"k", rate));
        assert!(take(&store, NOW.saturating_add(Duration::from_millis(500)), b"k", rate));
        // A year on: as good as new.
        assert_eq!(remaining(&store, after(31_536_000), key("r", b"k"), rate), 2);
        // From the end of time back to its beginning.
        assert!(take(&store, Timestamp::MAX, b"k", rate));
        assert!(!take(&store, Timestamp::EPOCH, b"k", rate));
        assert!(take(&store, Timestamp::from_micros(500_000), b"k", rate));
    }
}

#[test]
fn states_of_many_words_are_held() {
    /// Remembers every charge.
    #[derive(Debug)]
    struct Log;
    impl Algorithm for Log {
        fn id(&self) -> crate::rate_limit::AlgorithmId {
            crate::rate_limit::AlgorithmId::new("test.log", 1, &[])
        }
        fn step(&self, state: Option<&State>, now: Timestamp, _: Op) -> crate::rate_limit::Step {
            let mut words = state.map(State::words).unwrap_or_default().to_vec();
            words.push(now.as_micros());
            let count = u64::try_from(words.len()).unwrap();
            crate::rate_limit::Step::set(crate::rate_limit::Decision::passed(100, 100 - count), words.into())
        }
        fn expires_after(&self, _: &State, _: Timestamp) -> Duration {
            Duration::from_secs(60)
        }
    }
    let store = MemoryStore::new();
    for expected in (90..100).rev() {
        let verdicts = ask(&store, NOW, &[(key("r", b"k"), &Log, Op::Take(1))]);
        assert_eq!(verdicts.get(0).unwrap().remaining, expected);
    }
}

#[test]
fn capacities_are_rounded() {
    for (asked, mask, slots) in [
        (0, 0, 512),
        (1, 0, 512),
        (128, 0, 512),
        (129, 1, 512),
        (65_536, 511, 65_536),
        (70_000, 1_023, 70_144),
        (usize::MAX, (1 << 24) - 1, 1 << 28),
    ] {
        let rates = Rates::with_slots(asked);
        assert_eq!((rates.mask, rates.slots.capacity()), (mask, slots), "{asked}");
    }
}

#[test]
fn eight_charges_of_one_batch_are_kept_apart() {
    for slots in [1, 65_536] {
        let (store, forms) = (MemoryStore::with_rate_slots(slots), forms(Rate::per_hour(2)));
        let names: Vec<[u8; 1]> = (0..8_u8).map(|index| [index]).collect();
        let charges: Vec<(ChargeKey<'_>, &dyn Algorithm, Op)> =
            names.iter().map(|name| (key("r", name), &*forms[usize::from(name[0] % 2)], Op::Take(1))).collect();
        assert!(ask(&store, NOW, &charges).allowed() && ask(&store, NOW, &charges).allowed());
        let third = ask(&store, NOW, &charges);
        assert!(third.decisions().all(|decision| !decision.allowed) && third.len() == 8);
    }
}

#[test]
fn a_charge_asked_alone_is_decided_as_in_a_batch() {
    for form in forms(Rate::per_minute(6)) {
        let (alone, batched) = (MemoryStore::new(), MemoryStore::new());
        let ops = [Op::Take(1), Op::Peek, Op::Take(3), Op::Give(1), Op::Take(9), Op::Force(2), Op::Take(2), Op::Reset];
        for (op, secs) in ops.into_iter().cycle().zip(0..200) {
            // Now and then the clock goes back.
            let now = after(secs * 5 % 61);
            let one = alone.try_one(&Charge::new(key("r", b"k"), &*form, op), now).unwrap().unwrap();
            assert_eq!(Some(&one), ask(&batched, now, &[(key("r", b"k"), &*form, op)]).get(0), "{op:?} {secs}");
        }
    }
}
