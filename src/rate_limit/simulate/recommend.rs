use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use super::{SimulatedLimit, TraceRequest, simulate};
use crate::rate_limit::{Rate, TokenBucket};

/// A share of requests, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

impl Share {
    const WHOLE: u32 = 1_000_000;
    /// All of them.
    pub const ALL: Self = Self(Self::WHOLE);

    /// So many of a thousand, at most all.
    pub const fn per_thousand(parts: u32) -> Self {
        Self::per_million(parts.saturating_mul(1_000))
    }

    /// So many of a million, at most all.
    pub const fn per_million(parts: u32) -> Self {
        Self(if parts > Self::WHOLE { Self::WHOLE } else { parts })
    }

    /// Millionths.
    pub const fn as_millionths(self) -> u32 {
        self.0
    }

    /// Rounded down.
    fn of(part: usize, whole: usize) -> Self {
        let millionths = part.saturating_mul(1_000_000).checked_div(whole).unwrap_or(1_000_000);
        Self::per_million(u32::try_from(millionths).unwrap_or(Self::WHOLE))
    }
}

/// A limit that lets the wanted share of a trace pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proposal {
    /// The rate and the burst, for a token bucket of each caller.
    pub rate: Rate,
    /// The share of the trace that passes it.
    pub passes: Share,
    /// The most that one caller can send within any minute under it: what an attacker gains.
    pub worst_minute: u64,
}

const MINUTE: Duration = Duration::from_secs(60);

/// Token buckets that let at least `target` of a trace pass: capacity and refill. The trace should be of legitimate
/// callers, a typical day of them or more.
///
/// The method: each caller's units are counted, minute by minute. What all, or 99, 90 or 50 of a hundred of
/// the minutes with requests stay below is a candidate for the refill, and so is the busiest caller's mean. For each
/// the smallest burst is searched with which the simulated trace passes as wanted: by halving, for a larger burst
/// never lets less of requests of one unit pass. Proposals that are no better than another one in both numbers are
/// left out; the rest come with the smallest worst minute first.
///
/// None for a trace without requests. The cost: about twenty simulations for each of five candidates.
pub fn recommend(trace: &[TraceRequest], target: Share) -> Vec<Proposal> {
    let mut proposals: Vec<Proposal> =
        candidates(trace).into_iter().filter_map(|refill| smallest(trace, refill, target)).collect();
    proposals.sort_by_key(|proposal| (proposal.worst_minute, proposal.rate.refill()));
    let mut kept: Vec<Proposal> = Vec::new();
    for proposal in proposals {
        let numbers = |of: &Proposal| (of.rate.refill(), of.rate.capacity());
        let (refill, burst) = numbers(&proposal);
        if !kept.iter().map(numbers).any(|(other, less)| other <= refill && less <= burst) {
            kept.push(proposal);
        }
    }
    kept
}

/// Units a minute.
fn candidates(trace: &[TraceRequest]) -> BTreeSet<u64> {
    let mut minutes: HashMap<(u64, u64), u64> = HashMap::new();
    let mut callers: HashMap<u64, (u64, u64, u64)> = HashMap::new();
    for request in trace {
        let minute = request.at.as_secs() / 60;
        let units = minutes.entry((request.caller, minute)).or_default();
        *units = units.saturating_add(request.units);
        let (first, last, units) = callers.entry(request.caller).or_insert((minute, minute, 0));
        (*first, *last, *units) = ((*first).min(minute), (*last).max(minute), units.saturating_add(request.units));
    }
    let mut counts: Vec<u64> = minutes.into_values().collect();
    counts.sort_unstable();
    let quantile = |percent: usize| {
        let index = counts.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
        counts.get(index).copied()
    };
    let mean = |(first, last, units): &(u64, u64, u64)| units.div_ceil(last.saturating_sub(*first).saturating_add(1));
    let busiest = callers.values().map(mean).max();
    [50, 90, 99, 100].map(quantile).into_iter().chain([busiest]).flatten().map(|units| units.max(1)).collect()
}

/// The smallest burst for a refill.
fn smallest(trace: &[TraceRequest], refill: u64, target: Share) -> Option<Proposal> {
    let passes = |burst: u64| {
        let bucket = TokenBucket::new(Rate::per(refill, MINUTE).burst(burst)).ok()?;
        let timeline = simulate(&[SimulatedLimit::new("proposal", bucket)], trace).ok()?;
        Some(Share::of(timeline.admitted(), trace.len()))
    };
    let all = trace.iter().fold(0_u64, |sum, request| sum.saturating_add(request.units)).clamp(1, Rate::MOST);
    let (mut low, mut high) = (1, all);
    while low < high {
        let middle = low.midpoint(high);
        if passes(middle)? >= target {
            high = middle;
        } else {
            low = middle.saturating_add(1);
        }
    }
    let rate = Rate::per(refill, MINUTE);
    // As `Rate` writes it: a burst of one period's units is the one without saying.
    let rate = if high == refill { rate } else { rate.burst(high) };
    let passes = passes(high)?;
    (passes >= target).then_some(Proposal { rate, passes, worst_minute: refill.saturating_add(high) })
}
