//! What holds for every algorithm: every number that a decision names is true to the microsecond.

use proptest::prelude::*;

use super::*;

const MICRO: Duration = Duration::from_micros(1);
const BASE: u64 = 1_700_000_000_000_000;
/// By so much a request may be late, on top of what a state can lie ahead.
const LATEST: Duration = Duration::from_micros(crate::rate_limit::LATE);

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(BASE + micros)
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.saturating_add(by)
}

/// What is left of the operations where the state is unknown: `step` of none is `begin` in a store.
fn step(algorithm: &dyn Algorithm, state: Option<&State>, now: Timestamp, op: Op) -> Step {
    match state {
        Some(state) => algorithm.step(Some(state), now, op),
        None => algorithm.begin(&|| 123_456_789_012_345, now, op),
    }
}

/// All built-in algorithms of one rate.
fn all(limit: u64, period: Duration) -> Vec<Arc<dyn Algorithm>> {
    let rate = Rate::per(limit, period);
    let window = |windows| Arc::new(FixedWindow::new(rate).unwrap().windows(windows)) as Arc<dyn Algorithm>;
    let mut algorithms: Vec<Arc<dyn Algorithm>> = vec![
        Arc::new(TokenBucket::new(rate).unwrap()),
        Arc::new(TokenBucket::new(rate).unwrap().overdraft(3)),
        Arc::new(TokenBucket::new(rate).unwrap().exact()),
        Arc::new(TokenBucket::new(rate.burst(3)).unwrap()),
        Arc::new(LeakyBucket::new(rate).unwrap()),
        Arc::new(SlidingLog::new(rate).unwrap()),
        Arc::new(SlidingCounter::new(rate).unwrap()),
        window(Windows::EpochAligned),
        window(Windows::FirstHit),
        window(Windows::Spread),
    ];
    let tagged: Vec<_> =
        algorithms.iter().map(|inner| Arc::new(Inheriting::new(Arc::clone(inner), Inherit::Additive)) as _).collect();
    algorithms.extend(tagged);
    for longest in [period, Duration::from_millis(70), Duration::from_secs(3_000)] {
        // A queue whose turns take less than a microsecond is none.
        algorithms.extend(LeakyQueue::new(rate, 4, longest).ok().map(|queue| Arc::new(queue) as Arc<dyn Algorithm>));
    }
    algorithms
}

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0_u64..12).prop_map(Op::Take),
        4 => Just(Op::Take(1)),
        1 => (0_u64..12).prop_map(Op::Give),
        1 => (0_u64..12).prop_map(Op::Force),
        1 => Just(Op::Peek),
        1 => Just(Op::Reset),
        1 => (0_u64..5, 0_u64..100_000_000).prop_map(|(n, wait)| Op::take_within(n, Duration::from_micros(wait))),
        1 => (0_u64..5, any::<u64>()).prop_map(|(n, ticket)| Op::leave(n, ticket)),
    ]
}

fn periods() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::from_secs(1)),
        Just(Duration::from_secs(60)),
        (1_u64..5_000_000).prop_map(Duration::from_nanos),
    ]
}

/// Waits in parts of a period, so that edges are met; and now and then the clock goes back.
fn traces() -> impl Strategy<Value = Vec<(i64, Op)>> {
    let wait = prop_oneof![6 => 0_i64..400, 2 => Just(0_i64), 1 => 400_i64..3_000, 1 => -3_000_i64..0];
    proptest::collection::vec((wait, ops()), 1..30)
}

/// Whether the same state, asked after a time, decides so.
struct Ask<'a>(&'a dyn Algorithm, Option<&'a State>, Timestamp);

impl Ask<'_> {
    fn after(&self, by: Duration, op: Op) -> Decision {
        step(self.0, self.1, later(self.2, by), op).decision
    }

    /// A microsecond less; nothing to ask for if that would be before now.
    fn before(&self, by: Duration, op: Op) -> Option<Decision> {
        (!by.is_zero()).then(|| step(self.0, self.1, later(self.2, by).saturating_sub(MICRO), op).decision)
    }

    fn takes(&self, limit: u64) -> Result<(), TestCaseError> {
        let within = |n| Op::take_within(n, Duration::from_millis(35));
        for n in [1, 2, 3, limit / 2, limit] {
            for op in [Op::Take(n), within(n)] {
                let now = self.after(Duration::ZERO, op);
                let Some(wait) = now.retry_after else {
                    prop_assert!(now.allowed || n > limit, "{op:?}");
                    continue;
                };
                prop_assert!(!wait.is_zero(), "{op:?}");
                prop_assert!(self.after(wait, op).allowed, "{op:?} after {wait:?}");
                prop_assert!(!self.before(wait, op).unwrap().allowed, "{op:?} before {wait:?}");
            }
        }
        let never = self.after(Duration::ZERO, Op::Take(limit + 1));
        prop_assert!(never.is_never() && never.retry_after.is_none());
        Ok(())
    }

    fn numbers(&self) -> Result<(), TestCaseError> {
        let Decision { limit, remaining, next_after, full_after, .. } = self.after(Duration::ZERO, Op::Peek);
        prop_assert!(remaining <= limit);
        prop_assert!(self.after(Duration::ZERO, Op::Take(remaining)).allowed);
        prop_assert!(!self.after(Duration::ZERO, Op::Take(remaining + 1)).allowed);
        if next_after.is_zero() {
            prop_assert_eq!(remaining, limit);
        } else {
            prop_assert!(self.after(next_after, Op::Peek).remaining > remaining);
            prop_assert_eq!(self.before(next_after, Op::Peek).unwrap().remaining, remaining);
        }
        let full = self.after(full_after, Op::Peek);
        prop_assert_eq!((full.remaining, full.full_after), (limit, Duration::ZERO));
        if let Some(before) = self.before(full_after, Op::Peek) {
            prop_assert!(before.full_after > Duration::ZERO);
        }
        self.takes(limit)
    }

    /// A state that has expired decides as none.
    fn expiry(&self) -> Result<(), TestCaseError> {
        let Some(state) = self.1 else { return Ok(()) };
        let expires = self.0.expires_after(state, self.2);
        prop_assert_eq!(expires, self.after(Duration::ZERO, Op::Peek).full_after);
        let then = later(self.2, expires);
        for op in [Op::Take(1), Op::Take(3), Op::Peek] {
            let (with, without) = (step(self.0, self.1, then, op), step(self.0, None, then, op));
            prop_assert_eq!(with.decision, without.decision);
            prop_assert_eq!(with.apply(None), without.apply(None));
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn every_number_is_true_to_the_microsecond(limit in 1_u64..12, period in periods(), trace in traces()) {
        for algorithm in all(limit, period) {
            let unit = i64::try_from(period.as_nanos() / 100_000).unwrap().max(1);
            let (mut state, mut now, mut before) = (None, 1_000_000_000_000_i64, 0);
            for (wait, op) in &trace {
                now += wait * unit / 100;
                let time = at(u64::try_from(now).unwrap());
                let made = step(&*algorithm, state.as_ref(), time, *op);
                let refused = !made.decision.allowed;
                let forward = now >= before;
                before = before.max(now);
                if refused && forward {
                    // Nothing is charged for nothing.
                    prop_assert_eq!(&made.write, &Write::Keep, "{:?} of {:?}", op, algorithm);
                }
                state = made.clone().apply(state);
                let ask = Ask(&*algorithm, state.as_ref(), time);
                let checked = ask.numbers().and_then(|()| ask.expiry());
                prop_assert!(checked.is_ok(), "{algorithm:?} {op:?} {state:?} {time:?}: {checked:?}");
                if matches!(op, Op::Reset) {
                    prop_assert!(state.is_none());
                }
            }
        }
    }

    #[test]
    fn no_words_and_no_clock_make_one_panic_or_let_more_through(
        limit in 1_u64..12,
        period in periods(),
        words in proptest::collection::vec(any::<u64>(), 0..8),
        now in any::<u64>(),
        n in any::<u64>(),
        ticket in any::<u64>(),
    ) {
        let (state, now) = (State::from(words), Timestamp::from_micros(now));
        for algorithm in all(limit, period) {
            let most = step(&*algorithm, None, now, Op::Peek).decision.limit;
            let ops = [Op::Take(n), Op::Peek, Op::Give(n), Op::Force(n), Op::Reset,
                Op::take_within(n, Duration::MAX), Op::leave(n, ticket), Op::leave(1, ticket)];
            for op in ops {
                let made = step(&*algorithm, Some(&state), now, op);
                prop_assert!(made.decision.remaining <= most);
                prop_assert!(!matches!(op, Op::Take(_)) || !made.decision.allowed || n <= most);
                let _ = (algorithm.expires_after(&state, now), algorithm.used(&state, now));
                // Nothing is owed for longer than two periods, or than the queue is long.
                let full = step(&*algorithm, made.apply(Some(state.clone())).as_ref(), now, Op::Peek).decision.full_after;
                prop_assert!(full <= period * 22 + LATEST + MICRO * 3, "{:?} {:?}", full, algorithm);
            }
        }
    }

    /// A clock that was ahead locks nobody out, though every later request is refused or asks only.
    #[test]
    fn a_jump_back_of_the_clock_is_written_down(limit in 1_u64..12, period in periods(), jump in 2_u64..1_000) {
        for algorithm in all(limit, period) {
            let ahead = at(0).saturating_add(period * u32::try_from(jump).unwrap() + period * 22 + LATEST);
            let used = step(&*algorithm, None, ahead, Op::Force(limit)).apply(None);
            let asked = step(&*algorithm, used.as_ref(), at(0), Op::Peek);
            let full = asked.decision.full_after;
            prop_assert!(full <= period * 22 + MICRO * 3);
            let written = asked.apply(used);
            let then = step(&*algorithm, written.as_ref(), at(0).saturating_add(full), Op::Take(1));
            prop_assert!(then.decision.allowed, "{:?}", algorithm);
        }
    }

    /// What is given back after everything has expired is not gained.
    #[test]
    fn giving_back_is_never_worth_more_than_all(limit in 1_u64..12, period in periods(), n in 1_u64..12, wait in 0_u32..5) {
        for algorithm in all(limit, period) {
            let used = step(&*algorithm, None, at(0), Op::Take(n.min(limit))).apply(None);
            let then = at(0).saturating_add(period * wait);
            let given = step(&*algorithm, used.as_ref(), then, Op::Give(n * 5));
            prop_assert!(given.decision.remaining <= given.decision.limit);
            prop_assert!(given.apply(used).is_none());
        }
    }

    /// With a queue's first form, no wait at all, it refuses as its own limit does.
    #[test]
    fn a_cost_of_the_whole_limit_passes_a_fresh_key(limit in 1_u64..12, period in periods()) {
        for algorithm in all(limit, period) {
            let most = step(&*algorithm, None, at(0), Op::Peek).decision.limit;
            prop_assert!(step(&*algorithm, None, at(0), Op::Take(most)).decision.allowed);
            prop_assert!(step(&*algorithm, None, at(0), Op::Take(most + 1)).decision.is_never());
        }
    }
}

/// The most that passes within one period, of a caller who has nothing used, and asks at every
/// instant at which something may pass; `first` microseconds after a window's beginning.
fn most_in_a_period(algorithm: &dyn Algorithm, limit: u64, period: u64, first: u64) -> u64 {
    let (mut state, mut now) = (None, BASE - BASE % period + first);
    let mut passed: Vec<(u64, u64)> = Vec::new();
    let until = now + 4 * period;
    while now < until {
        let time = Timestamp::from_micros(now);
        let peek = step(algorithm, state.as_ref(), time, Op::Peek).decision;
        if peek.remaining > 0 {
            let units = peek.remaining.min(limit);
            let taken = step(algorithm, state.as_ref(), time, Op::Take(units));
            assert!(taken.decision.allowed);
            state = taken.apply(state);
            passed.push((now, units));
        }
        let next = step(algorithm, state.as_ref(), time, Op::Peek).decision.next_after;
        now += u64::try_from(next.as_micros()).unwrap().max(1);
    }
    let in_period =
        |from: u64| passed.iter().filter(|(at, _)| *at >= from && *at < from + period).map(|(_, n)| n).sum();
    passed.iter().map(|(at, _)| in_period(*at)).max().unwrap()
}

/// The column "worst case" of the documentation.
#[test]
fn the_worst_case_in_any_span_of_a_period_is_what_is_said() {
    let (limit, period) = (100, 60_000_000);
    let rate = Rate::per_minute(limit);
    let worst = |algorithm: &dyn Algorithm| {
        let starts = [0, 1, period / 2, period - 10_000, period - 1];
        starts.into_iter().map(|first| most_in_a_period(algorithm, limit, period, first)).max().unwrap()
    };
    assert_eq!(worst(&SlidingLog::new(rate).unwrap()), limit);
    assert_eq!(worst(&FixedWindow::new(rate).unwrap()), 2 * limit);
    // Not 2 × limit - 1 alone: asked at every instant, it is nearly twice the limit, never twice.
    assert_eq!(worst(&SlidingCounter::new(rate).unwrap()), 2 * limit - 1);
    let bucket = worst(&TokenBucket::new(rate).unwrap());
    assert!((2 * limit - 1..=2 * limit).contains(&bucket), "{bucket}");
    let bucket = worst(&TokenBucket::new(rate.burst(20)).unwrap());
    assert!((limit + 19..=limit + 20).contains(&bucket), "{bucket}");
    let queue = LeakyQueue::new(rate, 5, Duration::from_secs(60)).unwrap();
    // What is let in; what goes ahead is told by the delays, which `queue.rs` adds.
    assert!(worst(&queue) <= limit + 6);
}

#[test]
fn states_and_operations_are_small() {
    assert_eq!(std::mem::size_of::<Op>(), 16);
    assert!(std::mem::size_of::<Decision>() <= 96, "{}", std::mem::size_of::<Decision>());
}
