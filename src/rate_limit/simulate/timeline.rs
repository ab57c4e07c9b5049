use std::time::Duration;

use super::TraceRequest;
use crate::rate_limit::{Decision, Verdicts};

/// What became of one request of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceOutcome {
    /// When it came, after the trace began.
    pub at: Duration,
    /// Who sent it.
    pub caller: u64,
    /// How many units it asked for.
    pub units: u64,
    /// Whether it passed.
    pub admitted: bool,
    /// What was left afterwards of the limit that had least left.
    pub remaining: u64,
    /// How long it was held back; zero unless a limit is a queue.
    pub delay: Duration,
    /// The index of the first limit that refused it.
    pub refused_by: Option<usize>,
    /// How long it was told to wait: the longest wait of those that refused. `None` if it passed, or never will.
    pub retry_after: Option<Duration>,
}

impl TraceOutcome {
    pub(super) fn of(request: &TraceRequest, verdicts: &Verdicts) -> Self {
        let refused = || verdicts.decisions().filter(|decision| !decision.allowed);
        let never = refused().any(Decision::is_never);
        Self {
            at: request.at,
            caller: request.caller,
            units: request.units,
            admitted: verdicts.allowed(),
            remaining: verdicts.decisions().map(|decision| decision.remaining).min().unwrap_or(u64::MAX),
            delay: verdicts.decisions().map(Decision::delay).max().unwrap_or_default(),
            refused_by: verdicts.decisions().position(|decision| !decision.allowed),
            retry_after: if never { None } else { refused().filter_map(|decision| decision.retry_after).max() },
        }
    }
}

/// What became of a trace, request by request, in the order of their times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    outcomes: Vec<TraceOutcome>,
}

/// What happened in a slice of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimeSlice {
    /// When it begins, after the trace began.
    pub begins: Duration,
    /// How many requests came.
    pub came: u64,
    /// How many went ahead: those that were held back count where their turn was.
    pub admitted: u64,
    /// How many were refused.
    pub refused: u64,
}

impl Timeline {
    pub(super) fn new(outcomes: Vec<TraceOutcome>) -> Self {
        Self { outcomes }
    }

    /// Each request.
    pub fn outcomes(&self) -> &[TraceOutcome] {
        &self.outcomes
    }

    /// How many requests passed.
    pub fn admitted(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.admitted).count()
    }

    /// How many requests were refused.
    pub fn refused(&self) -> usize {
        self.outcomes.len().saturating_sub(self.admitted())
    }

    /// How many units passed.
    pub fn admitted_units(&self) -> u64 {
        let admitted = self.outcomes.iter().filter(|outcome| outcome.admitted);
        admitted.fold(0, |sum, outcome| sum.saturating_add(outcome.units))
    }

    /// The most requests that went ahead within any span so long: what stands behind has to bear it.
    pub fn most_within(&self, span: Duration) -> usize {
        let mut times: Vec<Duration> = self.admissions().collect();
        times.sort_unstable();
        let mut begins = times.iter().peekable();
        let (mut most, mut inside) = (0, 0_usize);
        for time in &times {
            inside = inside.saturating_add(1);
            while begins.next_if(|begin| time.saturating_sub(**begin) >= span).is_some() {
                inside = inside.saturating_sub(1);
            }
            most = most.max(inside);
        }
        most
    }

    fn admissions(&self) -> impl Iterator<Item = Duration> {
        self.outcomes.iter().filter(|outcome| outcome.admitted).map(|outcome| outcome.at.saturating_add(outcome.delay))
    }

    /// The same in slices of time, from the beginning to the last that anything happened in: at most a million, the
    /// last of which holds the rest. Slices of no length are one of a microsecond.
    pub fn slices(&self, length: Duration) -> Vec<TimeSlice> {
        let length = length.max(Duration::from_micros(1));
        let mut slices = Vec::new();
        for outcome in &self.outcomes {
            count(&mut slices, outcome.at, length, |slice| {
                slice.came = slice.came.saturating_add(1);
                slice.refused = slice.refused.saturating_add(u64::from(!outcome.admitted));
            });
            if outcome.admitted {
                let turn = outcome.at.saturating_add(outcome.delay);
                count(&mut slices, turn, length, |slice| slice.admitted = slice.admitted.saturating_add(1));
            }
        }
        slices
    }
}

fn count(slices: &mut Vec<TimeSlice>, at: Duration, length: Duration, count: impl FnOnce(&mut TimeSlice)) {
    let index = at.as_nanos().checked_div(length.as_nanos()).unwrap_or(0);
    let index = usize::try_from(index).unwrap_or(usize::MAX).min(999_999);
    while slices.len() <= index {
        let begins = length.saturating_mul(u32::try_from(slices.len()).unwrap_or(u32::MAX));
        slices.push(TimeSlice { begins, ..TimeSlice::default() });
    }
    if let Some(slice) = slices.get_mut(index) {
        count(slice);
    }
}
