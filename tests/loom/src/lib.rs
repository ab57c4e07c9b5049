//! Models of the slots' protocol: as it stands, and with its two loads in the wrong order.

mod right;
mod swapped;

#[path = "../../../src/backend/memory/rates/slots/word.rs"]
#[allow(dead_code, reason = "what only the table uses")]
mod word;

mod sync {
    pub(crate) use std::sync::{PoisonError, atomic::Ordering};

    pub(crate) use loom::{
        sync::{Mutex, MutexGuard, atomic::AtomicU64},
        thread::yield_now,
    };

    /// Two buckets of one slot each: every key meets every other one.
    pub(crate) const WAYS: usize = 1;
}

pub use right::models;
pub use swapped::models as models_of_swapped_loads;
