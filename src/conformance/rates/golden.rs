//! Traces that were computed by hand.
#![allow(clippy::unwrap_used, reason = "the parameters are ours, and within what is allowed")]

use std::{sync::Arc, time::Duration};

use super::{
    RateClock,
    algorithms::{HOUR, bucket, hours},
    probe::Probe,
};
use crate::rate_limit::{Algorithm, Decision, FixedWindow, Op, Rate, RateLimitStore, Windows};

/// When (in microseconds), what, and what must be said.
type Row = (u64, Op, Decision);

fn passed(limit: u64, remaining: u64, next: u64, full: u64) -> Decision {
    Decision::passed(limit, remaining).next_after(Duration::from_micros(next)).full_after(Duration::from_micros(full))
}

fn refused(limit: u64, remaining: u64, next: u64, full: u64, retry: u64) -> Decision {
    let retry = Some(Duration::from_micros(retry));
    Decision { allowed: false, retry_after: retry, ..passed(limit, remaining, next, full) }
}

fn never(limit: u64, remaining: u64, next: u64, full: u64) -> Decision {
    Decision { allowed: false, ..passed(limit, remaining, next, full) }
}

/// A token every ten minutes, two at most.
fn whole() -> Vec<Row> {
    vec![
        (0, Op::Peek, passed(2, 2, 0, 0)),
        (0, Op::Take(1), passed(2, 1, 600_000_000, 600_000_000)),
        (0, Op::Take(1), passed(2, 0, 600_000_000, 1_200_000_000)),
        (0, Op::Take(1), refused(2, 0, 600_000_000, 1_200_000_000, 600_000_000)),
        (0, Op::Take(2), refused(2, 0, 600_000_000, 1_200_000_000, 1_200_000_000)),
        (0, Op::Take(3), never(2, 0, 600_000_000, 1_200_000_000)),
        (0, Op::Take(0), passed(2, 0, 600_000_000, 1_200_000_000)),
        (599_999_999, Op::Take(1), refused(2, 0, 1, 600_000_001, 1)),
        (600_000_000, Op::Take(1), passed(2, 0, 600_000_000, 1_200_000_000)),
        (1_500_000_000, Op::Peek, passed(2, 1, 300_000_000, 300_000_000)),
        (1_800_000_000, Op::Peek, passed(2, 2, 0, 0)),
        (1_800_000_000, Op::Force(5), passed(2, 0, 600_000_000, 1_200_000_000)),
        (1_800_000_000, Op::Give(1), passed(2, 1, 600_000_000, 600_000_000)),
        (1_800_000_000, Op::Reset, passed(2, 2, 0, 0)),
    ]
}

/// Seven an hour: a token takes 514,285,714 and two sevenths microseconds. Every time is rounded up.
fn fraction() -> Vec<Row> {
    vec![
        (0, Op::Take(7), passed(7, 0, 514_285_715, 3_600_000_000)),
        (0, Op::Take(1), refused(7, 0, 514_285_715, 3_600_000_000, 514_285_715)),
        (514_285_714, Op::Take(1), refused(7, 0, 1, 3_085_714_286, 1)),
        (514_285_715, Op::Take(1), passed(7, 0, 514_285_714, 3_600_000_000)),
        (3_600_000_000, Op::Peek, passed(7, 6, 514_285_715, 514_285_715)),
    ]
}

/// Three a day, counted from the first.
fn first_hit() -> Vec<Row> {
    const DAY: u64 = 86_400_000_000;
    vec![
        (0, Op::Take(2), passed(3, 1, DAY, DAY)),
        (0, Op::Take(2), refused(3, 1, DAY, DAY, DAY)),
        (0, Op::Take(4), never(3, 1, DAY, DAY)),
        (0, Op::Force(2), passed(3, 0, DAY, DAY)),
        (0, Op::Give(2), passed(3, 1, DAY, DAY)),
        (0, Op::Take(1), passed(3, 0, DAY, DAY)),
        (0, Op::Take(1), refused(3, 0, DAY, DAY, DAY)),
        (DAY - 1, Op::Take(1), refused(3, 0, 1, 1, 1)),
        (DAY, Op::Take(1), passed(3, 2, DAY, DAY)),
    ]
}

/// Three a day by the calendar: the laws begin 6,360 s before the day ends.
fn aligned() -> Vec<Row> {
    const REST: u64 = 6_360_000_000;
    vec![
        (0, Op::Take(3), passed(3, 0, REST, REST)),
        (0, Op::Take(1), refused(3, 0, REST, REST, REST)),
        (REST - 1, Op::Take(1), refused(3, 0, 1, 1, 1)),
        (REST, Op::Take(1), passed(3, 2, 86_400_000_000, 86_400_000_000)),
    ]
}

/// Traces that were computed by hand, of which every number is known: see the sources.
///
/// # Panics
/// If the law is broken.
pub async fn golden_traces_are_kept(store: &Arc<impl RateLimitStore + ?Sized>, clock: RateClock) {
    let probe = Probe::new("golden_traces_are_kept", store, clock);
    let day = FixedWindow::new(Rate::per(3, hours(24))).unwrap();
    let from_the_first = day.clone().windows(Windows::FirstHit);
    replay(&probe, b"whole", &bucket(Rate::per(6, HOUR).burst(2)), &whole()).await;
    replay(&probe, b"fraction", &bucket(Rate::per(7, HOUR)), &fraction()).await;
    replay(&probe, b"first hit", &from_the_first, &first_hit()).await;
    if clock == RateClock::Callers {
        replay(&probe, b"aligned", &day, &aligned()).await;
    }
}

async fn replay(probe: &Probe<impl RateLimitStore + ?Sized>, key: &[u8], algorithm: &dyn Algorithm, rows: &[Row]) {
    let since = probe.real();
    for (index, (at, op, expected)) in rows.iter().enumerate() {
        if probe.clock == RateClock::Servers && *at > 0 {
            // So much later it is on nobody's clock.
            break;
        }
        let found = probe.one(probe.at(Duration::from_micros(*at)), key, algorithm, *op).await;
        probe.holds(probe.same(&found, expected, since), || {
            format!("line {index} of {key:?}, {op:?} after {at} µs: expected {expected:?}, found {found:?}")
        });
    }
}
