use std::fmt;

use super::append_only::AppendOnly;
use crate::rejection::RejectionKind;

/// What one layer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The request went on.
    Passed,
    /// The layer answered itself, as CORS answers a preflight.
    Answered,
    /// The request was refused.
    Rejected(RejectionKind),
}

impl Outcome {
    /// The stable name: `passed`, `answered`, or the rejection's code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Answered => "answered",
            Self::Rejected(kind) => kind.code(),
        }
    }
}

/// One entry of the [`Trail`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// The layer's name; `handler` for a rejection that a handler or extractor returned.
    pub layer: &'static str,
    /// What it said.
    pub outcome: Outcome,
}

/// The verdicts on one request, in the order in which they were spoken. Holds sixteen; more are
/// counted.
pub struct Trail {
    verdicts: AppendOnly<Verdict, 16>,
}

impl Trail {
    pub(crate) const fn new() -> Self {
        Self { verdicts: AppendOnly::new() }
    }

    pub(crate) fn record(&self, layer: &'static str, outcome: Outcome) {
        self.verdicts.push(Verdict { layer, outcome });
    }

    /// The verdicts so far.
    pub fn iter(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter()
    }

    /// How many did not fit.
    pub fn overflowed(&self) -> usize {
        self.verdicts.overflowed()
    }
}

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
