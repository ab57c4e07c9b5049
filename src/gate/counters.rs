use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{rejection::RejectionKind, request::Outcome};

/// How often a layer said what, since it was made.
#[derive(Debug)]
pub(crate) struct VerdictCounters {
    passed: AtomicU64,
    answered: AtomicU64,
    rejected: [AtomicU64; RejectionKind::COUNT],
}

impl VerdictCounters {
    pub(crate) fn new() -> Self {
        Self {
            passed: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            rejected: [const { AtomicU64::new(0) }; RejectionKind::COUNT],
        }
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Passed => Some(&self.passed),
            Outcome::Answered => Some(&self.answered),
            Outcome::Rejected(kind) => self.rejected.get(kind.index()),
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn read(&self) -> VerdictCounts {
        let kinds = RejectionKind::ALL.iter().zip(&self.rejected);
        VerdictCounts {
            passed: self.passed.load(Relaxed),
            answered: self.answered.load(Relaxed),
            rejected: kinds.map(|(kind, count)| (*kind, count.load(Relaxed))).filter(|(_, count)| *count > 0).collect(),
        }
    }
}

/// What a layer said so far, read from its `verdicts()`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerdictCounts {
    /// Requests let through.
    pub passed: u64,
    /// Requests answered in place of the inner service.
    pub answered: u64,
    /// Requests refused, by kind; kinds that did not occur are left out.
    pub rejected: Vec<(RejectionKind, u64)>,
}

impl VerdictCounts {
    /// How many requests were refused with `kind`.
    pub fn rejected(&self, kind: RejectionKind) -> u64 {
        self.rejected.iter().find(|(held, _)| *held == kind).map_or(0, |(_, count)| *count)
    }
}
