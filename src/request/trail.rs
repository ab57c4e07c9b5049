use std::{
    fmt,
    sync::atomic::{
        AtomicU16, AtomicUsize,
        Ordering::{AcqRel, Acquire, Release},
    },
};

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

/// The names that stand in trails: those of the gates, and a few more. A trail has their numbers, so
/// that a verdict takes one atomic step and two bytes.
static NAMES: AppendOnly<&'static str, 128> = AppendOnly::new();

/// Where a program has more gates of its own than [`NAMES`] has room.
const UNNAMED: &str = "another";

/// The number of a name; `NAMES` holds it from then on.
fn number_of(name: &'static str) -> Option<u16> {
    let find = || NAMES.iter().position(|held| *held == name);
    let found = find().or_else(|| {
        NAMES.push(name);
        find()
    });
    u16::try_from(found?).ok()
}

/// The number of a name, found once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrailName(u16);

impl TrailName {
    pub(crate) fn of(name: &'static str) -> Self {
        Self(number_of(name).unwrap_or(u16::from(u8::MAX)))
    }
}

/// A verdict in two bytes: name and outcome. Never zero, which is no verdict.
fn packed(TrailName(layer): TrailName, outcome: Outcome) -> u16 {
    let outcome = match outcome {
        Outcome::Passed => 1,
        Outcome::Answered => 2,
        Outcome::Rejected(kind) => u16::try_from(kind.index()).unwrap_or(0).saturating_add(3),
    };
    layer << 8 | outcome
}

fn unpacked(word: u16) -> Option<Verdict> {
    let outcome = match word & 0xff {
        0 => return None,
        1 => Outcome::Passed,
        2 => Outcome::Answered,
        kind => Outcome::Rejected(*RejectionKind::ALL.get(usize::from(kind.saturating_sub(3)))?),
    };
    let layer = NAMES.iter().nth(usize::from(word >> 8)).copied().unwrap_or(UNNAMED);
    Some(Verdict { layer, outcome })
}

const _: () = assert!(RejectionKind::COUNT < 250, "an outcome fits a byte");

/// The verdicts on one request, in the order in which they were spoken. Holds 24, half as many
/// again as a full stack says; more are counted.
pub struct Trail {
    verdicts: [AtomicU16; Trail::ROOM],
    taken: AtomicUsize,
}

impl Trail {
    const ROOM: usize = 24;

    pub(crate) const fn new() -> Self {
        Self { verdicts: [const { AtomicU16::new(0) }; Self::ROOM], taken: AtomicUsize::new(0) }
    }

    pub(crate) fn record(&self, layer: TrailName, outcome: Outcome) {
        let index = self.taken.fetch_add(1, AcqRel);
        if let Some(slot) = self.verdicts.get(index) {
            slot.store(packed(layer, outcome), Release);
        }
    }

    /// The verdicts so far.
    pub fn iter(&self) -> impl Iterator<Item = Verdict> {
        self.verdicts.iter().map_while(|word| unpacked(word.load(Acquire)))
    }

    /// How many did not fit.
    pub fn overflowed(&self) -> usize {
        self.taken.load(Acquire).saturating_sub(Self::ROOM)
    }
}

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_comes_back_as_it_was_spoken() {
        let trail = Trail::new();
        trail.record(TrailName::of("cors"), Outcome::Answered);
        trail.record(TrailName::of("auth"), Outcome::Passed);
        let said: Vec<_> = trail.iter().map(|verdict| (verdict.layer, verdict.outcome)).collect();
        assert_eq!(said, [("cors", Outcome::Answered), ("auth", Outcome::Passed)]);
        for kind in RejectionKind::ALL {
            let trail = Trail::new();
            trail.record(TrailName::of("rate_limit"), Outcome::Rejected(*kind));
            assert!(trail.iter().eq([Verdict { layer: "rate_limit", outcome: Outcome::Rejected(*kind) }]), "{kind:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let trail = Trail::new();
        (0..28).for_each(|_| trail.record(TrailName::of("auth"), Outcome::Passed));
        assert_eq!((trail.iter().count(), trail.overflowed()), (24, 4));
    }
}
