//! What rules that only count have counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counted by a shadow rule since the layer was made.
#[derive(Debug, Default)]
pub(super) struct ShadowCounts {
    asked: AtomicU64,
    refused: AtomicU64,
    unknown: AtomicU64,
}

/// What a shadow rule would have done: see [`Rule::shadow`](super::Rule::shadow).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shadowed {
    /// The rule's name.
    pub rule: String,
    /// To how many requests it applied.
    pub asked: u64,
    /// How many of them it would have refused.
    pub refused: u64,
    /// Of how many it is not known, because the store could not answer.
    pub unknown: u64,
}

impl ShadowCounts {
    pub(super) fn passed(&self) {
        self.asked.fetch_add(1, Relaxed);
    }

    pub(super) fn refused(&self) {
        self.asked.fetch_add(1, Relaxed);
        self.refused.fetch_add(1, Relaxed);
    }

    pub(super) fn unknown(&self) {
        self.asked.fetch_add(1, Relaxed);
        self.unknown.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self, rule: &str) -> Shadowed {
        Shadowed {
            rule: rule.to_owned(),
            asked: self.asked.load(Relaxed),
            refused: self.refused.load(Relaxed),
            unknown: self.unknown.load(Relaxed),
        }
    }
}
