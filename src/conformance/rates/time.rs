//! Laws about time.

use std::{sync::Arc, time::Duration};

use super::{
    RateClock,
    algorithms::{HOUR, KINDS, Random, any, bucket, hours},
    probe::Probe,
};
use crate::{
    rate_limit::{Algorithm, Charge, Op, Rate, RateLimitStore, State, Step},
    time::Timestamp,
};

const MICRO: Duration = Duration::from_micros(1);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// How far a clock goes back: the first three are requests that are late.
const AHEAD: [Duration; 6] = [
    MICRO,
    Duration::from_millis(400),
    Duration::from_secs(1),
    Duration::from_micros(1_000_001),
    hours(2),
    hours(9_600),
];

/// So many algorithms of each kind are tried by a law that sets the time.
const EACH: u64 = 20;

/// The pure step of a key that the law charges.
fn step<S: RateLimitStore + ?Sized>(
    probe: &Probe<S>,
    (key, algorithm): (&[u8], &dyn Algorithm),
    state: Option<&State>,
    now: Timestamp,
    op: Op,
) -> Step {
    Charge::new(probe.key(key), algorithm, op).step(state, now)
}

/// A store that steps with the caller's clock knows no other, and one that steps with its server's is not
/// to be moved by a caller's.
///
/// # Panics
/// If the law is broken.
pub async fn the_clock_is_the_one_that_was_said(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("the_clock_is_the_one_that_was_said", store, clock);
    let limit = bucket(Rate::per_hour(1));
    let real = probe.real();
    probe.holds(probe.one(real, b"k", &limit, Op::Take(1)).await.allowed, || "the first of one was refused".into());
    for (now, passes) in [
        (real.saturating_add(HOUR.saturating_sub(MICRO)), false),
        (real.saturating_add(HOUR), true),
        (real.saturating_add(HOUR), false),
        (real.saturating_add(YEAR), true),
    ] {
        let passes = passes && clock == RateClock::Callers;
        let found = probe.one(now, b"k", &limit, Op::Take(1)).await;
        probe.is(found.allowed, passes, format_args!("another one where the caller's clock says {now:?}"));
    }
}

/// After exactly what `retry_after` says the same charge passes, if nobody else charged meanwhile, and a
/// microsecond earlier it does not.
///
/// # Panics
/// If the law is broken.
pub async fn a_retry_after_is_the_truth(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("a_retry_after_is_the_truth", store, clock);
    match clock {
        RateClock::Callers => {
            let mut random = Random::seeded();
            for number in 0..KINDS.saturating_mul(EACH) {
                let algorithm = any(number, &mut random, clock);
                retry_to_the_microsecond(&probe, &number.to_be_bytes(), &*algorithm, &mut random).await;
            }
        }
        RateClock::Servers => {
            for number in 0_u8..3 {
                retry_in_real_time(&probe, &[number]).await;
            }
        }
    }
}

async fn retry_to_the_microsecond(
    probe: &Probe<impl RateLimitStore + ?Sized>,
    key: &[u8],
    algorithm: &dyn Algorithm,
    random: &mut Random,
) {
    let limit = probe.remaining(probe.at(Duration::ZERO), key, algorithm).await;
    let mut passed = Duration::ZERO;
    for _ in 0..4 {
        let cost = random.below(limit).saturating_add(1);
        let mut found = probe.one(probe.at(passed), key, algorithm, Op::Take(cost)).await;
        while found.allowed {
            found = probe.one(probe.at(passed), key, algorithm, Op::Take(cost)).await;
        }
        let Some(wait) = found.retry_after else { continue };
        let early =
            probe.one(probe.at(passed.saturating_add(wait).saturating_sub(MICRO)), key, algorithm, Op::Take(cost));
        let early = early.await;
        probe.holds(!early.allowed, || {
            format!("{algorithm:?}: {cost} passed a microsecond before the {wait:?} were over: {early:?}")
        });
        passed = passed.saturating_add(wait);
        let after = probe.one(probe.at(passed), key, algorithm, Op::Take(cost)).await;
        probe.holds(after.allowed, || format!("{algorithm:?}: {cost} was refused after {wait:?}: {after:?}"));
    }
}

/// A token every 100 ms.
async fn retry_in_real_time(probe: &Probe<impl RateLimitStore + ?Sized>, key: &[u8]) {
    let limit = bucket(Rate::per_second(10).burst(3));
    let mut found = probe.one(probe.real(), key, &limit, Op::Take(3)).await;
    let mut asked = probe.real();
    while found.allowed {
        asked = probe.real();
        found = probe.one(asked, key, &limit, Op::Take(3)).await;
    }
    let wait = found.retry_after.unwrap_or_default();
    probe.holds(wait <= Duration::from_millis(300), || format!("to wait {wait:?} for three of ten a second"));
    let early = probe.one(probe.real(), key, &limit, Op::Take(3)).await;
    // Unless the machine stood still between the two.
    if probe.real().since(asked) < wait.saturating_sub(Duration::from_millis(5)) {
        probe.holds(!early.allowed, || format!("three passed before the {wait:?} were over: {early:?}"));
    }
    if !early.allowed {
        tokio::time::sleep(wait.saturating_add(Duration::from_millis(5))).await;
        let after = probe.one(probe.real(), key, &limit, Op::Take(3)).await;
        probe.holds(after.allowed, || format!("three were refused after {wait:?}: {after:?}"));
    }
}

/// Nothing is forgotten before its time: until `expires_after` is over, the state counts.
///
/// # Panics
/// If the law is broken.
pub async fn a_state_lives_until_it_expires(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("a_state_lives_until_it_expires", store, clock);
    if clock == RateClock::Servers {
        let (long, asked) = (bucket(Rate::per(1, Duration::from_secs(20)).burst(2)), probe.real());
        probe.one(asked, b"k", &long, Op::Take(2)).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let found = probe.one(probe.real(), b"k", &long, Op::Peek).await;
        if probe.real().since(asked) < Duration::from_secs(19) {
            probe.is(found.remaining, 0, "what is left of two that take 40 s");
        }
        return;
    }
    let mut random = Random::seeded();
    for number in 0..KINDS.saturating_mul(EACH) {
        let (algorithm, key) = (any(number, &mut random, clock), number.to_be_bytes());
        let now = probe.at(Duration::ZERO);
        let units = random.below(probe.remaining(now, &key, &*algorithm).await).saturating_add(1);
        probe.one(now, &key, &*algorithm, Op::Take(units)).await;
        let Some(state) = step(&probe, (&key, &*algorithm), None, now, Op::Take(units)).apply(None) else { continue };
        let lives = algorithm.expires_after(&state, now);
        for share in [2_u32, 1] {
            let later = now.saturating_add(lives.checked_div(share).unwrap_or_default().saturating_sub(MICRO));
            let expected = step(&probe, (&key, &*algorithm), Some(&state), later, Op::Peek).decision;
            let found = probe.one(later, &key, &*algorithm, Op::Peek).await;
            probe.is(found, expected, format_args!("{algorithm:?}, of whose {lives:?} 1/{share} has passed"));
        }
    }
}

/// Once `expires_after` is over, a key is as good as one that was never seen.
///
/// # Panics
/// If the law is broken.
pub async fn an_expired_state_is_no_state(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("an_expired_state_is_no_state", store, clock);
    if clock == RateClock::Servers {
        let short = bucket(Rate::per_second(50).burst(3));
        for _ in 0..3 {
            let taken = probe.one(probe.real(), b"k", &short, Op::Take(3)).await;
            probe.holds(taken.allowed, || format!("all of a limit that had time to come back: {taken:?}"));
            tokio::time::sleep(taken.full_after.saturating_add(Duration::from_millis(10))).await;
            let found = probe.one(probe.real(), b"k", &short, Op::Peek).await;
            probe.is((found.remaining, found.full_after), (3, Duration::ZERO), "a limit that has come back");
        }
        return;
    }
    let mut random = Random::seeded();
    for number in 0..KINDS.saturating_mul(EACH) {
        let (algorithm, key) = (any(number, &mut random, clock), number.to_be_bytes());
        let now = probe.at(Duration::ZERO);
        let units = probe.remaining(now, &key, &*algorithm).await;
        probe.one(now, &key, &*algorithm, Op::Take(units)).await;
        let Some(state) = step(&probe, (&key, &*algorithm), None, now, Op::Take(units)).apply(None) else { continue };
        let lives = algorithm.expires_after(&state, now);
        let later = now.saturating_add(lives);
        let mut state = None;
        for op in [Op::Peek, Op::Take(units), Op::Take(1)] {
            let found = probe.one(later, &key, &*algorithm, op).await;
            let expected = step(&probe, (&key, &*algorithm), state.as_ref(), later, op);
            probe.is(found, expected.decision, format_args!("{op:?} of {algorithm:?}, whose {lives:?} are over"));
            state = expected.apply(state);
        }
    }
}

/// A clock that goes back by more than a second refuses a key for as long as a full debt takes, and no longer: what
/// lay too far ahead is cut back in the store, also by a request that is refused. Up to a second is no clock, but a
/// request that is late, and forgives nothing.
///
/// # Panics
/// If the law is broken.
pub async fn a_clock_that_goes_back_costs_one_bucket_at_most(
    store: &Arc<impl RateLimitStore + ?Sized>,
    clock: RateClock,
) {
    let probe = Probe::new("a_clock_that_goes_back_costs_one_bucket_at_most", store, clock);
    if clock == RateClock::Servers {
        // Nobody can turn the server's: but a caller's that went back must change nothing.
        let short = bucket(Rate::per_second(20).burst(1));
        let taken = probe.one(probe.real(), b"k", &short, Op::Take(1)).await;
        tokio::time::sleep(taken.full_after.saturating_add(Duration::from_millis(10))).await;
        let found = probe.one(Timestamp::from_secs(1), b"k", &short, Op::Take(1)).await;
        probe.holds(found.allowed, || {
            format!("a caller's clock at the epoch, and the server's where it was: {found:?}")
        });
        return;
    }
    let mut random = Random::seeded();
    for number in 0..KINDS.saturating_mul(EACH) {
        let (algorithm, key) = (any(number, &mut random, clock), number.to_be_bytes());
        let ahead = probe.at(random.of(&AHEAD).unwrap_or(HOUR));
        let now = probe.at(Duration::ZERO);
        let units = probe.remaining(ahead, &key, &*algorithm).await;
        probe.one(ahead, &key, &*algorithm, Op::Take(units)).await;
        let mut state = step(&probe, (&key, &*algorithm), None, ahead, Op::Take(units)).apply(None);
        let mut later = now;
        for _ in 0..3 {
            let expected = step(&probe, (&key, &*algorithm), state.as_ref(), later, Op::Take(1));
            let found = probe.one(later, &key, &*algorithm, Op::Take(1)).await;
            probe.is(found, expected.decision, format_args!("{algorithm:?}, charged when the clock was ahead"));
            state = expected.apply(state);
            later = later.saturating_add(found.retry_after.unwrap_or_default());
        }
        let found = probe.one(later, &key, &*algorithm, Op::Take(1)).await;
        let expected = step(&probe, (&key, &*algorithm), state.as_ref(), later, Op::Take(1)).decision;
        probe.is(found, expected, format_args!("{algorithm:?}, after the times that it was told to wait"));
    }
}

/// A clock that leaps forward makes a key as good as new, and no better; and what is charged then counts.
///
/// # Panics
/// If the law is broken.
pub async fn a_clock_that_leaps_gives_one_bucket_at_most(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("a_clock_that_leaps_gives_one_bucket_at_most", store, clock);
    let limit = bucket(Rate::per_hour(5).burst(10));
    let leaps = match clock {
        RateClock::Callers => vec![Duration::ZERO, YEAR, YEAR.saturating_mul(50), YEAR.saturating_mul(200)],
        RateClock::Servers => vec![Duration::ZERO],
    };
    for leap in leaps {
        let now = probe.at(leap);
        let mut passed = 0_u64;
        for _ in 0..25 {
            passed = passed.saturating_add(u64::from(probe.one(now, b"k", &limit, Op::Take(1)).await.allowed));
        }
        probe.is(passed, 10, format_args!("how many of 25 passed when the clock had leapt {leap:?}"));
    }
}
