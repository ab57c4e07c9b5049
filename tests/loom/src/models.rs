use loom::{
    sync::{Arc, Mutex},
    thread,
};

use super::{
    bucket::{Bucket, Home, Inserted},
    sync::Ordering::Relaxed,
    word::{Tick, Word},
};

const TICK: u64 = 1 << 20;
const NOW: Tick = Tick::of(10 * TICK);
/// Payloads that have not expired, from which one can tell whose they are.
const A: u64 = 20 * TICK + 100;
const B: u64 = 30 * TICK + 200;
const EXPIRED: u64 = 5 * TICK + 100;

const KEY_A: u64 = 1;
const KEY_B: u64 = 2;

struct Table {
    buckets: [Bucket; 2],
    stripes: [Mutex<()>; 2],
}

impl Table {
    fn new() -> Self {
        Self { buckets: [Bucket::default(), Bucket::default()], stripes: [Mutex::new(()), Mutex::new(())] }
    }

    fn home(&self, key: u64, buckets: [usize; 2]) -> Home<'_> {
        let stripe = &self.stripes[usize::from(key == KEY_B)];
        Home { fingerprint: key, buckets: buckets.map(|bucket| &self.buckets[bucket]), stripe }
    }

    /// Fingerprint and payload of every slot that was taken.
    fn slots(&self) -> Vec<(u64, u64)> {
        let both = self.buckets.iter().flat_map(Bucket::words);
        both.map(|(fingerprint, state)| (fingerprint.load(Relaxed), Word(state.load(Relaxed))))
            .inspect(|(_, word)| assert!(!word.is_locked(), "at rest nobody is taking a slot"))
            .map(|(fingerprint, word)| (fingerprint, word.payload()))
            .filter(|(fingerprint, _)| *fingerprint != 0)
            .collect()
    }
}

/// One unit more, as often as somebody else was faster; the payload that was written.
fn charge(home: &Home<'_>, first: u64) -> u64 {
    loop {
        let seen = home.find();
        match seen.as_ref().and_then(|seen| seen.payload(NOW)) {
            Some(payload) => {
                if seen.is_some_and(|seen| seen.exchange(payload + 1)) {
                    return payload + 1;
                }
            }
            None => match seen {
                // Its own slot, whose state has expired.
                Some(seen) => {
                    if seen.exchange(first) {
                        return first;
                    }
                }
                None => {
                    if home.insert(first, NOW) != Inserted::Present {
                        return first;
                    }
                }
            },
        }
    }
}

/// Whether the first unit is left, which only one may take; a look that changes nothing is repeated if it
/// was at what was not the key's.
fn take_the_only_one(home: &Home<'_>, first: u64) -> bool {
    loop {
        let seen = home.find();
        match (&seen, seen.as_ref().and_then(|seen| seen.payload(NOW))) {
            (Some(seen), Some(_)) if seen.stands() => return false,
            (Some(_), Some(_)) => {}
            (Some(seen), None) if seen.exchange(first) => return true,
            (Some(_), None) => {}
            (None, _) if home.insert(first, NOW) != Inserted::Present => return true,
            (None, _) => {}
        }
    }
}

/// Every interleaving in which a thread is interrupted at most so often where it need not be.
fn model(interruptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(interruptions);
    builder.check(body);
}

const OF_TWO: usize = 4;
const OF_THREE: usize = 2;

/// One slot: somebody charges A while B takes the slot from it. B's state is B's alone.
pub fn a_charge_does_not_land_on_the_next_key() {
    model(OF_TWO, || {
        let table = Arc::new(Table::new());
        assert_eq!(table.home(KEY_A, [0, 0]).insert(A, NOW), Inserted::Free);
        let (of_a, of_b) = (Arc::clone(&table), Arc::clone(&table));
        let a = thread::spawn(move || {
            let home = of_a.home(KEY_A, [0, 0]);
            // Once: a second turn would take the slot back.
            if let Some(seen) = home.find()
                && let Some(payload) = seen.payload(NOW)
            {
                seen.exchange(payload + 1);
            }
        });
        let b = thread::spawn(move || of_b.home(KEY_B, [0, 0]).insert(B, NOW));
        a.join().unwrap();
        assert_eq!(b.join().unwrap(), Inserted::Evicted);
        assert_eq!(table.slots(), [(KEY_B, B)]);
    });
}

/// The same with a third thread, which charges B as soon as it is there.
pub fn nor_among_three() {
    model(OF_THREE, || {
        let table = Arc::new(Table::new());
        assert_eq!(table.home(KEY_A, [0, 0]).insert(A, NOW), Inserted::Free);
        let threads: Vec<_> = [(KEY_A, A), (KEY_B, B), (KEY_B, B)]
            .into_iter()
            .map(|(key, first)| {
                let table = Arc::clone(&table);
                thread::spawn(move || {
                    let home = table.home(key, [0, 0]);
                    if key == KEY_B {
                        charge(&home, first);
                    } else if let Some(seen) = home.find()
                        && let Some(payload) = seen.payload(NOW)
                    {
                        seen.exchange(payload + 1);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(table.slots(), [(KEY_B, B + 1)]);
    });
}

/// A refusal writes nothing, and is by the key's own state all the same.
pub fn nobody_is_refused_by_the_state_of_another_key() {
    model(OF_TWO, || {
        let table = Arc::new(Table::new());
        assert_eq!(table.home(KEY_A, [0, 0]).insert(A, NOW), Inserted::Free);
        let (of_a, of_b) = (Arc::clone(&table), Arc::clone(&table));
        let a = thread::spawn(move || {
            let seen = of_a.home(KEY_A, [0, 0]).find()?;
            let payload = seen.payload(NOW)?;
            seen.stands().then_some(payload)
        });
        let b = thread::spawn(move || {
            of_b.home(KEY_B, [0, 0]).insert(B, NOW);
        });
        b.join().unwrap();
        let seen = a.join().unwrap();
        assert!(seen.is_none_or(|payload| payload == A), "{seen:?}");
    });
}

/// Two buckets: of the first requests of one key one inserts, whichever bucket each of them tries first
/// and whatever another key takes meanwhile.
pub fn of_two_first_requests_one_inserts() {
    model(OF_THREE, || {
        let table = Arc::new(Table::new());
        let takers: Vec<_> = [[0, 1], [1, 0]]
            .into_iter()
            .map(|buckets| {
                let table = Arc::clone(&table);
                thread::spawn(move || take_the_only_one(&table.home(KEY_A, buckets), A))
            })
            .collect();
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || charge(&table.home(KEY_B, [0, 1]), B))
        };
        let passed = takers.into_iter().map(|taker| taker.join().unwrap()).filter(|passed| *passed).count();
        other.join().unwrap();
        let mut slots = table.slots();
        slots.sort_unstable();
        assert_eq!((passed, slots.as_slice()), (1, [(KEY_A, A), (KEY_B, B)].as_slice()));
    });
}

/// An expired state is free: its key comes back while another one takes the slot. Each of them has one
/// slot then, whoever was faster.
pub fn a_key_that_comes_back_has_one_slot() {
    model(OF_TWO, || {
        let table = Arc::new(Table::new());
        assert_eq!(table.home(KEY_A, [0, 1]).insert(EXPIRED, NOW), Inserted::Free);
        let (of_a, of_b) = (Arc::clone(&table), Arc::clone(&table));
        let a = thread::spawn(move || charge(&of_a.home(KEY_A, [0, 1]), A));
        let b = thread::spawn(move || charge(&of_b.home(KEY_B, [0, 1]), B));
        assert_eq!((a.join().unwrap(), b.join().unwrap()), (A, B));
        let mut slots = table.slots();
        slots.sort_unstable();
        assert_eq!(slots, [(KEY_A, A), (KEY_B, B)]);
    });
}

/// The same with two requests of the key that comes back: the second one is charged on top of the first.
pub fn and_so_do_two_requests_of_it() {
    model(OF_THREE, || {
        let table = Arc::new(Table::new());
        assert_eq!(table.home(KEY_A, [0, 1]).insert(EXPIRED, NOW), Inserted::Free);
        let threads: Vec<_> = [(KEY_A, A), (KEY_A, A), (KEY_B, B)]
            .into_iter()
            .map(|(key, first)| {
                let table = Arc::clone(&table);
                thread::spawn(move || charge(&table.home(key, [0, 1]), first))
            })
            .collect();
        threads.into_iter().for_each(|thread| {
            thread.join().unwrap();
        });
        let mut slots = table.slots();
        slots.sort_unstable();
        assert_eq!(slots, [(KEY_A, A + 1), (KEY_B, B)]);
    });
}
