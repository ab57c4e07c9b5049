//! The regions that one batch holds, locked in ascending order, so that no two batches wait for each
//! other.

use std::sync::{MutexGuard, PoisonError};

use super::{Rates, region::Region};
use crate::rate_limit::{Batch, Inline};

/// By their place in here.
pub(super) struct Held<'t> {
    regions: Inline<(u32, MutexGuard<'t, Region>), { Batch::MAX }>,
}

impl Held<'_> {
    pub(super) const fn new() -> Self {
        Self { regions: Inline::new() }
    }

    pub(super) fn index_of(&self, number: u32) -> usize {
        self.regions.iter().position(|(held, _)| *held == number).unwrap_or(usize::MAX)
    }

    pub(super) fn get(&self, index: usize) -> Option<&Region> {
        self.regions.get(index).map(|(_, region)| &**region)
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Region> {
        self.regions.get_mut(index).map(|(_, region)| &mut **region)
    }
}

impl Rates {
    /// Locks one region more, whose number must be above all that are held. Every number behind the
    /// mask has a region.
    pub(super) fn lock<'t>(&'t self, held: &mut Held<'t>, number: u32) -> usize {
        if let Some(region) = self.regions.region(usize::try_from(number).unwrap_or(usize::MAX)) {
            // A batch has no more charges than there are places.
            let _ = held.regions.push((number, region.lock().unwrap_or_else(PoisonError::into_inner)));
        }
        held.regions.len().saturating_sub(1)
    }

    /// Locks all of them, each once.
    pub(super) fn lock_all(&self, numbers: &mut Inline<u32, { Batch::MAX }>) -> Held<'_> {
        numbers.as_mut_slice().sort_unstable();
        let mut held = Held::new();
        let mut last = None;
        for number in numbers.iter().filter(|number| last.replace(**number) != Some(**number)) {
            self.lock(&mut held, *number);
        }
        held
    }
}
