//! All regions, by number.

use std::sync::{Mutex, OnceLock};

use super::region::Region;

/// A fixed number of regions, each made when it is first met. To find one takes neither a lock nor a
/// count of who holds it.
#[derive(Debug)]
pub(super) struct Table(Box<[OnceLock<Block>]>);

type Block = Box<[OnceLock<Box<Mutex<Region>>>]>;

/// A table for 2^31 slots would else take a quarter of a gigabyte before it holds anything.
const BLOCK: usize = 256;

impl Table {
    pub(super) fn new(regions: usize) -> Self {
        Self(empty(regions.div_ceil(BLOCK)))
    }

    /// The region with that number, if there are so many.
    pub(super) fn region(&self, number: usize) -> Option<&Mutex<Region>> {
        let block = self.0.get(number / BLOCK)?.get_or_init(|| empty(BLOCK));
        Some(block.get(number % BLOCK)?.get_or_init(Box::default))
    }

    #[cfg(test)]
    pub(super) fn made(&self) -> impl Iterator<Item = &Mutex<Region>> {
        self.0.iter().filter_map(OnceLock::get).flatten().filter_map(OnceLock::get).map(|region| &**region)
    }
}

fn empty<T>(len: usize) -> Box<[OnceLock<T>]> {
    (0..len).map(|_| OnceLock::new()).collect()
}
