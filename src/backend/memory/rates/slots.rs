//! The table of one-word states: bounded, no lock to charge a key that is there.

mod bucket;
mod word;

/// What the protocol is made of; loom has its own in its place.
mod sync {
    pub(super) use std::{
        sync::{
            Mutex, MutexGuard, PoisonError,
            atomic::{AtomicU64, Ordering},
        },
        thread::yield_now,
    };

    pub(super) const WAYS: usize = 8;
}

use std::sync::{
    Mutex, OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

pub(super) use self::bucket::Bucket;
use self::bucket::{Home, Inserted};
pub(super) use self::{bucket::Seen, word::Tick};

/// Sixty-four buckets: 8 KiB, made when they are first met.
type Block = Box<[Bucket; Slots::BUCKETS]>;

/// Slots of 16 bytes in blocks, and the stripes for inserting.
#[derive(Debug)]
pub(super) struct Slots {
    blocks: Box<[OnceLock<Block>]>,
    stripes: Box<[Stripe; Slots::STRIPES]>,
    evicted: AtomicU64,
}

/// Each in a line of its own, so that two inserts do not slow each other down.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Stripe(Mutex<()>);

/// Where one key can be.
#[derive(Clone, Copy)]
pub(super) struct Place<'t> {
    home: Home<'t>,
    evicted: &'t AtomicU64,
}

impl Slots {
    const BUCKETS: usize = 64;
    pub(super) const BLOCK: usize = Self::BUCKETS * sync::WAYS;
    const STRIPES: usize = 256;
    const MOST: usize = 1 << 28;

    /// As many slots, rounded up to whole blocks.
    pub(super) fn new(slots: usize) -> Self {
        let blocks = slots.clamp(1, Self::MOST).div_ceil(Self::BLOCK);
        Self {
            blocks: (0..blocks).map(|_| OnceLock::new()).collect(),
            stripes: Box::new(std::array::from_fn(|_| Stripe::default())),
            evicted: AtomicU64::new(0),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.blocks.len().saturating_mul(Self::BLOCK)
    }

    /// How many states were lost that were still worth something.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    /// How many states are worth something.
    #[cfg(test)]
    pub(super) fn live(&self, now: Tick) -> usize {
        self.blocks.iter().filter_map(OnceLock::get).flat_map(|block| block.iter()).map(|bucket| bucket.live(now)).sum()
    }

    /// Where a key with that identity can be: two buckets of one block.
    #[inline]
    pub(super) fn place(&self, identity: u128) -> Option<Place<'_>> {
        let [block, ..] = spots(identity, self.blocks.len());
        let home = self.home(self.blocks.get(block)?.get_or_init(make), identity)?;
        Some(Place { home, evicted: &self.evicted })
    }

    #[inline]
    fn home<'t>(&'t self, block: &'t Block, identity: u128) -> Option<Home<'t>> {
        let [_, first, second, stripe] = spots(identity, self.blocks.len());
        let buckets = [block.get(first)?, block.get(second)?];
        Some(Home { fingerprint: fingerprint(identity), buckets, stripe: &self.stripes.get(stripe)?.0 })
    }

    /// The state of a key, if it ever had one here: nothing is made.
    pub(super) fn find(&self, identity: u128) -> Option<Seen<'_>> {
        let [block, ..] = spots(identity, self.blocks.len());
        self.home(self.blocks.get(block)?.get()?, identity)?.find()
    }

    /// The state of a key, if it is found at once, which most are that have one: nothing is made, waited for
    /// or called.
    #[inline]
    pub(super) fn find_at_once(&self, identity: u128) -> Option<Seen<'_>> {
        let [block, first, second, _] = spots(identity, self.blocks.len());
        let block = self.blocks.get(block)?.get()?;
        Bucket::named([block.get(first)?, block.get(second)?], fingerprint(identity))
    }
}

/// Zero is what slots hold that nobody ever took.
#[inline]
fn fingerprint(identity: u128) -> u64 {
    low(identity).max(1)
}

#[cold]
fn make() -> Block {
    Box::new(std::array::from_fn(|_| Bucket::default()))
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is asked for")]
#[inline]
const fn low(identity: u128) -> u64 {
    identity as u64
}

/// Block, both buckets, stripe: of the upper half of the identity, whose lower half is the fingerprint;
/// only the stripe goes by the fingerprint, so that all of one are inserted one after the other.
#[expect(clippy::cast_possible_truncation, reason = "each is below a number that is no larger than `usize`")]
#[inline]
const fn spots(identity: u128, blocks: usize) -> [usize; 4] {
    let upper = low(identity >> 64);
    // The upper 32 bits as a fraction of the number of blocks, which fits 32 bits.
    let block = (upper >> 32).wrapping_mul(blocks as u64) >> 32;
    let stripe = low(identity) as usize % Slots::STRIPES;
    [block as usize, upper as usize % Slots::BUCKETS, (upper >> 16) as usize % Slots::BUCKETS, stripe]
}

impl<'t> Place<'t> {
    /// The key's state, if it has one.
    #[inline]
    pub(super) fn find(&self) -> Option<Seen<'t>> {
        self.home.find()
    }

    /// The same, of a key that was not [found at once](Slots::find_at_once).
    pub(super) fn search(&self) -> Option<Seen<'t>> {
        self.home.search()
    }

    /// Stores the first state of a key that had none; `false` if it has one by now.
    pub(super) fn insert(&self, payload: u64, now: Tick) -> bool {
        match self.home.insert(payload, now) {
            Inserted::Present => return false,
            Inserted::Evicted => {
                self.evicted.fetch_add(1, Relaxed);
            }
            Inserted::Free => {}
        }
        true
    }
}
