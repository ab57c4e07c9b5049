use proptest::prelude::*;

use super::*;

const MICRO: Duration = Duration::from_micros(1);

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + micros)
}

/// Steps a bucket and remembers its state.
struct Trace {
    bucket: TokenBucket,
    state: Option<State>,
}

impl Trace {
    fn new(rate: Rate) -> Self {
        Self { bucket: TokenBucket::new(rate).unwrap(), state: None }
    }

    fn op(&mut self, now: Timestamp, op: Op) -> Decision {
        let step = self.bucket.step(self.state.as_ref(), now, op);
        let decision = step.decision;
        self.state = step.apply(self.state.take());
        decision
    }
}

/// The definition, in exact fractions and in the other form: tokens that grow, not a debt that
/// falls. Tokens are counted in units of 1 / (period in ns).
struct Reference {
    period: u128,
    refill: u128,
    capacity: u128,
    tokens: u128,
    last: u64,
}

impl Reference {
    fn new(rate: Rate) -> Self {
        let (period, capacity) = (rate.period().as_nanos(), u128::from(rate.capacity()));
        Self { period, refill: rate.refill().into(), capacity, tokens: capacity * period, last: 0 }
    }

    fn take(&mut self, micros: u64, cost: u64) -> (bool, u64, Option<u64>) {
        let elapsed = u128::from(micros - self.last) * 1_000 * self.refill;
        self.tokens = (self.tokens + elapsed).min(self.capacity * self.period);
        self.last = micros;
        let needed = u128::from(cost) * self.period;
        let passed = needed <= self.tokens;
        if passed {
            self.tokens -= needed;
        }
        let wait = (!passed && u128::from(cost) <= self.capacity)
            .then(|| u64::try_from((needed - self.tokens).div_ceil(self.refill * 1_000)).unwrap());
        (passed, u64::try_from(self.tokens / self.period).unwrap(), wait)
    }
}

fn rates() -> impl Strategy<Value = Rate> {
    let periods = prop_oneof![
        Just(Duration::from_secs(1)),
        Just(Duration::from_secs(60)),
        Just(Duration::from_secs(300)),
        Just(Duration::from_secs(3_600)),
        (1_u64..5_000_000).prop_map(Duration::from_nanos),
    ];
    (1_u64..200, periods, 1_u64..50).prop_map(|(n, period, burst)| Rate::per(n, period).burst(burst))
}

/// Rates for which governor's arithmetic is used.
fn common_rates() -> impl Strategy<Value = Rate> {
    (1_u64..100, 1_u64..5_000_000, 1_u64..50)
        .prop_map(|(n, unit, burst)| Rate::per(n, Duration::from_micros(unit * n)).burst(burst))
}

/// All for which governor's arithmetic is used, of any magnitude, and a trace that suits it.
fn wide_rates() -> impl Strategy<Value = (Rate, Vec<(u64, Op)>)> {
    const YEAR: u64 = 366 * 86_400 * 1_000_000;
    const DOMAIN: u64 = (1 << 62) / 1_000;
    let unit = (0_u32..45, any::<u64>()).prop_map(|(bits, random)| ((1 << bits) | (random % (1 << bits))).min(YEAR));
    let burst = (unit, 0_u32..33, any::<u64>()).prop_map(|(unit, bits, random)| {
        let most = (DOMAIN / unit).min(u32::MAX.into());
        (unit, ((1_u64 << bits) | (random % (1 << bits))).min(most))
    });
    burst.prop_flat_map(|(unit, burst)| {
        let op = prop_oneof![
            4 => (0..=burst).prop_map(Op::Take),
            2 => Just(Op::Take(1)),
            1 => Just(Op::Take(burst)),
            1 => (0..=burst).prop_map(Op::Give),
            1 => (0..=burst).prop_map(Op::Force),
            1 => Just(Op::Peek),
        ];
        let wait = prop_oneof![0..=unit * burst, 0..=unit];
        (Just(Rate::per(1, Duration::from_micros(unit)).burst(burst)), proptest::collection::vec((wait, op), 1..40))
    })
}

fn ops() -> impl Strategy<Value = Vec<(i64, Op)>> {
    let op = prop_oneof![
        6 => (0_u64..60).prop_map(Op::Take),
        3 => Just(Op::Take(1)),
        1 => (0_u64..60).prop_map(Op::Give),
        1 => (0_u64..60).prop_map(Op::Force),
        1 => Just(Op::Peek),
        1 => Just(Op::Reset),
    ];
    // Back as well as forward.
    proptest::collection::vec((-2_000_000_i64..8_000_000, op), 1..60)
}

proptest! {
    #[test]
    fn it_decides_like_the_definition(
        rate in rates(),
        trace in proptest::collection::vec((0_u64..3_000_000, 1_u64..60), 1..60),
    ) {
        let (mut bucket, mut reference, mut now) = (Trace::new(rate), Reference::new(rate), 0);
        for (wait, cost) in trace {
            now += wait;
            let decision = bucket.op(at(now), Op::Take(cost));
            let (allowed, remaining, retry) = reference.take(now, cost);
            prop_assert_eq!((decision.allowed, decision.remaining), (allowed, remaining));
            prop_assert_eq!(decision.retry_after, retry.map(Duration::from_micros));
            prop_assert_eq!(decision.is_never(), !allowed && retry.is_none());
        }
    }

    #[test]
    fn after_exactly_the_wait_it_passes_and_a_microsecond_earlier_it_does_not(
        rate in rates(), cost in 1_u64..50, start in 0_u64..10_000_000,
    ) {
        let mut bucket = Trace::new(rate);
        let cost = cost.min(rate.capacity());
        let refused = loop {
            let decision = bucket.op(at(start), Op::Take(cost));
            if !decision.allowed { break decision }
        };
        let wait = refused.retry_after.unwrap();
        let then = at(start).saturating_add(wait);
        let step = |now, op| bucket.bucket.step(bucket.state.as_ref(), now, op).decision;
        prop_assert!(step(then, Op::Take(cost)).allowed);
        prop_assert!(!step(then.saturating_sub(MICRO), Op::Take(cost)).allowed);
        // The same holds for one more unit, and for all of them.
        let next = at(start).saturating_add(refused.next_after);
        // More than one unit may come in a microsecond.
        prop_assert!(step(next, Op::Peek).remaining > refused.remaining);
        prop_assert_eq!(step(next.saturating_sub(MICRO), Op::Peek).remaining, refused.remaining);
        let full = at(start).saturating_add(refused.full_after);
        prop_assert_eq!(step(full, Op::Peek).full_after, Duration::ZERO);
        prop_assert!(step(full.saturating_sub(MICRO), Op::Peek).full_after > Duration::ZERO);
    }

    #[test]
    fn both_arithmetics_decide_alike(rate in common_rates(), overdraft in 0_u64..20, trace in ops()) {
        let governor = TokenBucket::new(rate).unwrap().overdraft(overdraft);
        prop_assert!(governor.is_governors());
        let exact = governor.clone().exact();
        prop_assert!(!exact.is_governors());
        let (mut state, mut now) = (None, 10_000_000_000_i64);
        for (wait, op) in trace {
            now = (now + wait).max(0);
            let now = Timestamp::from_micros(u64::try_from(now).unwrap());
            let (ours, theirs) = (exact.step(state.as_ref(), now, op), governor.step(state.as_ref(), now, op));
            prop_assert_eq!(&ours, &theirs, "{:?} at {:?} of {:?}", op, now, state);
            state = ours.apply(state);
            if let Some(state) = &state {
                prop_assert_eq!(exact.expires_after(state, now), governor.expires_after(state, now));
            }
        }
    }

    /// To the edges of the domain: a microsecond and a year for a token, a burst of 2^32 - 1, debts of
    /// 2^62 ns.
    #[test]
    fn both_arithmetics_decide_alike_wherever_both_can(
        (rate, trace) in wide_rates(), overdraft in prop_oneof![Just(0_u64), 0_u64..1_000],
    ) {
        let governor = TokenBucket::new(rate).unwrap().overdraft(overdraft);
        // An overdraft may lead out of the domain.
        prop_assume!(governor.is_governors());
        let exact = governor.clone().exact();
        let (mut state, mut now) = (None, 1_u64 << 50);
        for (wait, op) in trace {
            now += wait;
            let now = Timestamp::from_micros(now);
            let (ours, theirs) = (exact.step(state.as_ref(), now, op), governor.step(state.as_ref(), now, op));
            prop_assert_eq!(&ours, &theirs, "{:?} at {:?} of {:?}", op, now, state);
            state = ours.apply(state);
            if let Some(state) = &state {
                prop_assert_eq!(exact.used(state, now), governor.used(state, now));
            }
        }
    }

    /// governor itself, with a clock of its own, as its users call it.
    #[test]
    fn it_decides_like_governor(
        rate in common_rates(), trace in proptest::collection::vec((0_u64..3_000_000, 1_u32..60), 1..60),
    ) {
        let clock = governor::clock::FakeRelativeClock::default();
        let burst = std::num::NonZeroU32::new(u32::try_from(rate.capacity()).unwrap()).unwrap();
        let unit = rate.period() / u32::try_from(rate.refill()).unwrap();
        let quota = governor::Quota::with_period(unit).unwrap().allow_burst(burst);
        let theirs = governor::RateLimiter::direct_with_clock(quota, clock.clone());
        let (mut ours, mut now) = (Trace::new(rate), 0);
        prop_assert!(ours.bucket.is_governors());
        for (wait, cost) in trace {
            now += wait;
            clock.advance(Duration::from_micros(wait));
            let decision = ours.op(at(now), Op::Take(cost.into()));
            match theirs.check_n(std::num::NonZeroU32::new(cost).unwrap()) {
                Ok(Ok(())) => prop_assert!(decision.allowed),
                Ok(Err(until)) => {
                    prop_assert_eq!(decision.retry_after, Some(until.wait_time_from(governor::clock::Clock::now(&clock))));
                }
                Err(_) => prop_assert!(decision.is_never()),
            }
        }
    }

    #[test]
    fn no_words_make_it_panic_or_let_more_through(
        rate in rates(), words in proptest::collection::vec(any::<u64>(), 0..6), now in any::<u64>(), n in any::<u64>(),
    ) {
        let bucket = TokenBucket::new(rate).unwrap();
        let (state, now) = (State::from(words), Timestamp::from_micros(now));
        for bucket in [bucket.clone(), bucket.exact()] {
            for op in [Op::Take(n), Op::Peek, Op::Give(n), Op::Force(n), Op::Reset] {
                let decision = bucket.step(Some(&state), now, op).decision;
                prop_assert!(decision.remaining <= rate.capacity());
                prop_assert!(!decision.allowed || !matches!(op, Op::Take(_)) || n <= rate.capacity());
                let _ = bucket.expires_after(&state, now);
            }
        }
    }

    #[test]
    fn an_expired_state_is_no_state(rate in rates(), used in 1_u64..50, cost in 1_u64..60) {
        let mut bucket = Trace::new(rate);
        bucket.op(at(0), Op::Take(used.min(rate.capacity())));
        let state = bucket.state.unwrap();
        let later = at(0).saturating_add(bucket.bucket.expires_after(&state, at(0)));
        let (with, without) = (
            bucket.bucket.step(Some(&state), later, Op::Take(cost)),
            bucket.bucket.step(None, later, Op::Take(cost)),
        );
        prop_assert_eq!(with, without);
    }
}

#[test]
fn a_trace_by_hand() {
    // 6 a minute, 3 at once: a token each 10 s.
    let mut bucket = Trace::new(Rate::per_minute(6).burst(3));
    let secs = |secs: u64| at(secs * 1_000_000);
    let mut see = |now, op| {
        let decision = bucket.op(now, op);
        let wait = decision.retry_after.map(|wait| wait.as_secs());
        (decision.allowed, decision.remaining, decision.next_after.as_secs(), decision.full_after.as_secs(), wait)
    };
    assert_eq!(see(secs(0), Op::Peek), (true, 3, 0, 0, None));
    assert_eq!(see(secs(0), Op::Take(1)), (true, 2, 10, 10, None));
    assert_eq!(see(secs(4), Op::Take(2)), (true, 0, 6, 26, None));
    assert_eq!(see(secs(4), Op::Take(1)), (false, 0, 6, 26, Some(6)));
    assert_eq!(see(secs(4), Op::Peek), (false, 0, 6, 26, Some(6)));
    assert_eq!(see(secs(4), Op::Take(3)), (false, 0, 6, 26, Some(26)));
    assert_eq!(see(secs(4), Op::Take(4)), (false, 0, 6, 26, None));
    assert_eq!(see(secs(4), Op::Take(0)), (true, 0, 6, 26, None));
    assert_eq!(see(secs(10), Op::Take(1)), (true, 0, 10, 30, None));
    assert_eq!(see(secs(10), Op::Give(2)), (true, 2, 10, 10, None));
    assert_eq!(see(secs(10), Op::Give(9)), (true, 3, 0, 0, None));
    assert_eq!(see(secs(10), Op::Force(9)), (true, 0, 10, 30, None));
    assert_eq!(see(secs(10), Op::Reset), (true, 3, 0, 0, None));
}

#[test]
fn an_overdraft_is_paid_off_first() {
    let bucket = TokenBucket::new(Rate::per_second(1).burst(2)).unwrap().overdraft(5);
    let forced = bucket.step(None, at(0), Op::Force(100));
    assert_eq!(forced.decision.full_after, Duration::from_secs(7));
    let refused = bucket.step(forced.state(), at(0), Op::Take(1));
    assert_eq!((refused.decision.remaining, refused.decision.retry_after), (0, Some(Duration::from_secs(6))));
}

/// The research's defect: governor counts whole nanoseconds, and admits 11 % too many here.
#[test]
fn rates_that_governor_cannot_express_are_exact() {
    for (rate, period) in [(300_000_000, 1), (700_000_000, 1), (1_500_000_000, 1), (7, 60), (999_999_999_999_999, 1)] {
        let mut bucket = Trace::new(Rate::per(rate, Duration::from_secs(period)));
        assert!(!bucket.bucket.is_governors(), "{rate}");
        assert!(bucket.op(at(0), Op::Take(rate)).allowed);
        let end = at(period * 1_000_000);
        let step = bucket.bucket.step(bucket.state.as_ref(), end, Op::Take(rate)).decision;
        assert!(step.allowed, "{rate}");
        let early = bucket.bucket.step(bucket.state.as_ref(), end.saturating_sub(MICRO), Op::Take(rate)).decision;
        assert!(!early.allowed, "{rate}");
    }
}

/// The research's defect: governor's product wraps, and admits a burst of 145,984.
#[test]
fn a_burst_of_a_million_days_is_a_million() {
    let rate = Rate::per(1, Duration::from_secs(86_400)).burst(100_000);
    let mut bucket = Trace::new(rate);
    assert!(!bucket.bucket.is_governors());
    assert!(bucket.op(at(0), Op::Take(100_000)).allowed);
    assert!(!bucket.op(at(0), Op::Take(1)).allowed);
    assert_eq!(bucket.op(at(0), Op::Take(1)).retry_after, Some(Duration::from_secs(86_400)));
    assert!(TokenBucket::new(Rate::per(1, Duration::from_secs(86_400)).burst(1_000_000)).is_err());
}

/// The research's defect: a clock that was an hour ahead must not lock a key out for an hour.
#[test]
fn a_clock_that_goes_back_costs_one_bucket_at_most() {
    for exact in [false, true] {
        let mut bucket = Trace::new(Rate::per_second(2));
        if exact {
            bucket.bucket = bucket.bucket.exact();
        }
        let hour = 3_600_000_000;
        assert!(bucket.op(at(hour), Op::Take(1)).allowed);
        let refused = bucket.op(at(0), Op::Take(1));
        assert_eq!(refused.retry_after, Some(Duration::from_millis(500)));
        // The refusal has stored the shorter debt: half a second later it does pass.
        assert!(bucket.op(at(500_000), Op::Take(1)).allowed, "exact: {exact}");
        // A peek stores it, too.
        assert!(bucket.op(at(hour), Op::Take(2)).allowed);
        assert_eq!(bucket.op(at(1_000_000), Op::Peek).retry_after, Some(Duration::from_millis(500)));
        assert!(bucket.op(at(1_500_000), Op::Take(1)).allowed, "exact: {exact}");
    }
}

#[test]
fn a_new_limit_takes_over_what_is_owed() {
    let old = TokenBucket::new(Rate::per_minute(10).burst(20)).unwrap();
    let used_up = old.step(None, at(0), Op::Take(20));
    for new in [Rate::per_minute(600).burst(1_000), Rate::per_minute(7), Rate::per_second(3)] {
        let new = TokenBucket::new(new).unwrap();
        assert!(!new.step(used_up.state(), at(0), Op::Take(1)).decision.allowed);
    }
    // A fraction that one kernel left is a microsecond to the other, never nothing.
    let seventh = TokenBucket::new(Rate::per_minute(7)).unwrap().step(None, at(0), Op::Take(1));
    assert_eq!(seventh.state().unwrap().words().len(), 2);
    let plain = TokenBucket::new(Rate::per_minute(6)).unwrap();
    assert_eq!(plain.step(seventh.state(), at(0), Op::Peek).decision.full_after, Duration::from_micros(8_571_429));
}

/// The domain's edges, one step on either side.
#[test]
fn beyond_the_domain_the_exact_arithmetic_is_used() {
    let is_governors = |rate: Rate| TokenBucket::new(rate).unwrap().is_governors();
    // A token takes a microsecond, or less than one; or no whole number of them.
    assert!(is_governors(Rate::per_second(1_000_000)) && !is_governors(Rate::per_second(2_000_000)));
    assert!(is_governors(Rate::per_second(8)) && !is_governors(Rate::per_second(7)));
    // A burst fits 32 bits, or does not.
    let most = u64::from(u32::MAX);
    assert!(is_governors(Rate::per_second(1_000_000).burst(most)));
    assert!(!is_governors(Rate::per_second(1_000_000).burst(most + 1)));
    // All debts are less than 2^62 ns, or are not; an overdraft is one.
    let (slow, burst) = (Rate::per(1, Duration::from_secs(10)), (1_u64 << 62) / 10_000_000_000);
    assert!(is_governors(slow.burst(burst)) && !is_governors(slow.burst(burst + 1)));
    assert!(!TokenBucket::new(slow.burst(burst)).unwrap().overdraft(1).is_governors());
}

#[test]
fn the_common_rates_are_governors() {
    for rate in [Rate::per_second(100), Rate::per_minute(600), Rate::per_hour(1_000), Rate::per_minute(10).burst(20)] {
        assert!(TokenBucket::new(rate).unwrap().is_governors(), "{rate}");
    }
}
