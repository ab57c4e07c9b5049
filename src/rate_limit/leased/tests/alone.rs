//! A charge that is asked alone is told what a batch of it would be.

use proptest::prelude::*;

use super::*;
use crate::rate_limit::{Algorithm, FixedWindow, SlidingLog};

#[derive(Clone, Copy, Debug)]
enum Event {
    Ask(Op),
    Pass(u64),
    /// The next requests carry an earlier time.
    Back(u64),
    Drain,
}

/// Enough of the same unit that some are held, and whatever else may be asked.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let op = prop_oneof![
        60 => Just(Op::Take(1)),
        6 => (0..4_u64).prop_map(Op::Take),
        3 => prop::sample::select(vec![40, 399, 401, 1 << 40, u64::MAX]).prop_map(Op::Take),
        1 => Just(Op::Peek),
        1 => (0..3_u64).prop_map(Op::Give),
        1 => (0..3_u64).prop_map(Op::Force),
        1 => Just(Op::Reset),
    ];
    let event = prop_oneof![
        60 => op.prop_map(Event::Ask),
        20 => (1..300_u64).prop_map(Event::Pass),
        1 => (400_000..3_000_000_u64).prop_map(Event::Pass),
        1 => (1..2_000_000_u64).prop_map(Event::Back),
    ];
    let drained = prop::collection::vec(event.clone(), 0..40);
    (prop::collection::vec(event, 100..600), drained).prop_map(|(mut events, drained)| {
        events.push(Event::Drain);
        events.extend(drained);
        events
    })
}

/// Two of the same: one is asked for a charge, the other one for a batch of it.
struct Pair {
    alone: (Scene, LeasedStore),
    batched: (Scene, LeasedStore),
    answered: [u32; 2],
}

impl Pair {
    fn new() -> Self {
        let one = || {
            let scene = Scene::new();
            let node = scene.node();
            (scene, node)
        };
        Self { alone: one(), batched: one(), answered: [0; 2] }
    }

    async fn ask(&mut self, limit: &dyn Algorithm, op: Op) {
        let (alone, now) = (Charge::new(key(b"hot"), limit, op), self.alone.0.now);
        let batch = Batch::of(now, alone);
        let one = self.alone.1.try_one(&alone, now).map(Result::unwrap);
        let many = self.batched.1.try_now(&batch).map(Result::unwrap);
        assert_eq!(one.as_ref(), many.as_ref().and_then(|verdicts| verdicts.get(0)), "{op:?}");
        self.answered[usize::from(one.is_none())] += 1;
        if one.is_none() {
            let found = ask(&self.alone.1, &batch).await.unwrap();
            let expected = self.batched.1.apply(&batch).await.unwrap();
            assert_eq!(found.get(0), expected.get(0), "{op:?}");
        }
        settle().await;
        assert_eq!(self.stands(true), self.stands(false), "{op:?}");
    }

    /// What the store behind it was asked, has granted, and was given back.
    fn stands(&self, alone: bool) -> [u64; 3] {
        let remote = if alone { &self.alone.0.remote } else { &self.batched.0.remote };
        [&remote.calls, &remote.granted, &remote.returned].map(|count| count.load(SeqCst))
    }
}

/// How many were answered by what is held, and how many were not.
async fn run(limit: &dyn Algorithm, events: &[Event]) -> [u32; 2] {
    let mut pair = Pair::new();
    for event in events {
        match *event {
            Event::Ask(op) => pair.ask(limit, op).await,
            Event::Pass(micros) => {
                pair.alone.0.pass(Duration::from_micros(micros));
                pair.batched.0.pass(Duration::from_micros(micros));
            }
            Event::Back(micros) => {
                for scene in [&mut pair.alone.0, &mut pair.batched.0] {
                    scene.now = scene.now.saturating_sub(Duration::from_micros(micros));
                }
            }
            Event::Drain => {
                assert_eq!(pair.alone.1.drain().await.unwrap(), pair.batched.1.drain().await.unwrap());
                assert!(
                    pair.alone.1.try_one(&Charge::new(key(b"hot"), limit, Op::Take(1)), pair.alone.0.now).is_none()
                );
            }
        }
    }
    pair.answered
}

fn on_one_thread<T>(running: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(running)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_charge_alone_is_told_what_a_batch_of_it_is(events in events()) {
        on_one_thread(async {
            run(&slow(400), &events).await;
            run(&FixedWindow::new(Rate::per(400, Duration::from_secs(1))).unwrap(), &events).await;
            let [held, _] = run(&SlidingLog::new(Rate::per_minute(400)).unwrap(), &events).await;
            assert_eq!(held, 0, "it is not leased");
        });
    }
}

/// Lest they agree because neither of them answers.
#[test]
fn most_charges_of_a_hot_key_are_answered_alone() {
    let events: Vec<Event> = (0..2_000).flat_map(|_| [Event::Ask(Op::Take(1)), Event::Pass(50)]).collect();
    let [held, asked] = on_one_thread(run(&slow(1_000_000), &events));
    assert!(asked >= 1 && held > 1_800, "{held} held, {asked} asked");
}
