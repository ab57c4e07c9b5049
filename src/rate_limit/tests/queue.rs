use proptest::prelude::*;

use super::*;

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + micros)
}

/// Ten a second, five wait, none for more than a second.
fn queue() -> LeakyQueue {
    LeakyQueue::new(Rate::per_second(10), 5, Duration::from_secs(1)).unwrap()
}

struct Trace {
    queue: LeakyQueue,
    state: Option<State>,
}

impl Trace {
    fn op(&mut self, micros: u64, op: Op) -> Decision {
        let step = self.queue.step(self.state.as_ref(), at(micros), op);
        let decision = step.decision;
        self.state = step.apply(self.state.take());
        decision
    }
}

#[test]
fn a_queue_by_hand() {
    let mut trace = Trace { queue: queue(), state: None };
    let mut see = |millis: u64, op| {
        let decision = trace.op(millis * 1_000, op);
        let wait = decision.retry_after.map(|wait| wait.as_millis());
        (decision.allowed, decision.remaining, decision.delay().as_millis(), decision.full_after.as_millis(), wait)
    };
    // The first goes ahead, and five find room behind it.
    assert_eq!(see(0, Op::Peek), (true, 6, 0, 0, None));
    assert_eq!(see(0, Op::Take(1)), (true, 5, 0, 100, None));
    assert_eq!(see(0, Op::Take(1)), (true, 4, 100, 200, None));
    assert_eq!(see(50, Op::Take(3)), (true, 1, 150, 450, None));
    assert_eq!(see(50, Op::Take(2)), (false, 1, 0, 450, Some(50)));
    assert_eq!(see(100, Op::Take(2)), (true, 0, 400, 600, None));
    assert_eq!(see(100, Op::Take(7)), (false, 0, 0, 600, None));
    // Whose client waits for 250 ms only.
    assert_eq!(see(300, Op::take_within(1, Duration::from_millis(250))), (false, 2, 0, 400, Some(150)));
    assert_eq!(see(450, Op::take_within(1, Duration::from_millis(250))), (true, 2, 250, 350, None));
    assert_eq!(see(450, Op::Reset), (true, 6, 0, 0, None));
}

#[test]
fn the_last_in_the_queue_can_leave_and_nobody_else() {
    let mut trace = Trace { queue: queue(), state: None };
    trace.op(0, Op::Take(1));
    let (second, third) = (trace.op(0, Op::Take(1)), trace.op(0, Op::Take(1)));
    assert_eq!((second.delay(), third.delay()), (Duration::from_millis(100), Duration::from_millis(200)));
    // Somebody stands behind: those who wait have been told their times.
    trace.op(10, Op::leave(1, second.ticket()));
    assert_eq!(trace.op(10, Op::Peek).delay(), Duration::from_micros(299_990));
    trace.op(20, Op::leave(1, third.ticket()));
    assert_eq!(trace.op(20, Op::Peek).delay(), Duration::from_micros(199_980));
    // Not twice, and the second is the last now.
    trace.op(20, Op::leave(1, third.ticket()));
    assert_eq!(trace.op(20, Op::Peek).delay(), Duration::from_micros(199_980));
    trace.op(30, Op::leave(1, second.ticket()));
    assert_eq!(trace.op(30, Op::Peek).delay(), Duration::from_micros(99_970));
}

#[test]
fn a_turn_that_has_come_is_not_given_back() {
    let mut trace = Trace { queue: queue(), state: None };
    trace.op(0, Op::Take(1));
    let second = trace.op(0, Op::Take(1));
    // A microsecond after its turn it has gone ahead.
    trace.op(100_001, Op::leave(1, second.ticket()));
    assert_eq!(trace.op(100_001, Op::Peek).delay(), Duration::from_micros(99_999));
}

#[test]
fn the_wait_is_bounded_by_room_and_by_time() {
    let by_time = LeakyQueue::new(Rate::per_second(10), 1_000, Duration::from_millis(250)).unwrap();
    let mut trace = Trace { queue: by_time, state: None };
    let delays: Vec<_> = (0..5).map(|_| trace.op(0, Op::Take(1))).collect();
    assert_eq!(delays.iter().filter(|decision| decision.allowed).count(), 3);
    assert_eq!(delays[2].delay(), Duration::from_millis(200));
    // 300 ms are 50 too many.
    assert_eq!(delays[3].retry_after, Some(Duration::from_millis(50)));
    assert_eq!(trace.op(50_000, Op::Take(1)).delay(), Duration::from_millis(250));
}

#[test]
fn what_a_queue_cannot_be_is_an_error() {
    let second = Duration::from_secs(1);
    let is_err = |rate, waiting, longest| LeakyQueue::new(rate, waiting, longest).is_err();
    assert!(is_err(Rate::per_second(10).burst(20), 5, second));
    assert!(is_err(Rate::per_second(0), 5, second));
    assert!(is_err(Rate::per_second(10), 0, second));
    assert!(is_err(Rate::per_second(10), 5, Duration::ZERO));
    assert!(is_err(Rate::per_second(10), 1_000_001, second));
    assert!(is_err(Rate::per_second(10), 5, Duration::from_secs(3_601)));
    assert!(is_err(Rate::per_second(1_000_001), 5, second));
    assert!(!is_err(Rate::per_second(1_000_000), 5, second));
    assert!(!is_err(Rate::per_second(10).burst(10), 5, second));
}

proptest! {
    /// The definition: turns in exact fractions, each a period's part after the one before.
    #[test]
    fn turns_come_at_an_even_rate(
        rate in 1_u64..50,
        period in prop_oneof![Just(1_000_000_000_u64), Just(60_000_000_000), 50_000_u64..9_000_000],
        waiting in 1_u64..20,
        trace in proptest::collection::vec((0_u64..300, 1_u64..4), 1..60),
    ) {
        let queue = LeakyQueue::new(Rate::per(rate, Duration::from_nanos(period)), waiting, Duration::from_secs(3_600)).unwrap();
        let mut trace_ = Trace { queue, state: None };
        // Time in nanoseconds times the rate: a turn takes `period` of those.
        let (mut now, mut free, turn) = (0_u64, 0_u128, u128::from(period));
        for (wait, cost) in trace {
            now += wait * period / 100_000;
            let scaled = u128::from(now) * 1_000 * u128::from(rate);
            let starts = free.max(scaled);
            let fits = starts - scaled + u128::from(cost) * turn <= u128::from(waiting + 1) * turn;
            let decision = trace_.op(now, Op::Take(cost));
            prop_assert_eq!(decision.allowed, fits);
            if fits {
                let delay = (starts - scaled).div_ceil(1_000 * u128::from(rate));
                prop_assert_eq!(decision.delay().as_micros(), delay);
                free = starts + u128::from(cost) * turn;
            }
        }
    }

    /// Who leaves takes nobody's turn: of those who stay, no two go ahead within one turn.
    #[test]
    fn whoever_leaves_the_others_keep_their_turns(
        trace in proptest::collection::vec((0_u64..150_000, any::<bool>(), any::<prop::sample::Index>()), 1..60),
    ) {
        let (mut trace_, mut now, mut turns) = (Trace { queue: queue(), state: None }, 0, Vec::<(u64, u64)>::new());
        for (wait, leave, which) in trace {
            now += wait;
            let mut waiting: Vec<_> = turns.iter().copied().filter(|(turn, _)| *turn > now).collect();
            if leave && !waiting.is_empty() {
                let (turn, ticket) = waiting.remove(which.index(waiting.len()));
                trace_.op(now, Op::leave(1, ticket));
                turns.retain(|held| *held != (turn, ticket));
            } else {
                let decision = trace_.op(now, Op::Take(1));
                if decision.allowed {
                    turns.push((now + u64::try_from(decision.delay().as_micros()).unwrap(), decision.ticket()));
                }
            }
            let mut sorted: Vec<_> = turns.iter().map(|(turn, _)| *turn).collect();
            sorted.sort_unstable();
            prop_assert!(sorted.windows(2).all(|pair| pair[1] - pair[0] >= 100_000), "{:?}", sorted);
        }
    }
}
