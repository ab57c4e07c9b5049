use std::sync::atomic::{AtomicU8, Ordering::AcqRel, Ordering::Acquire, Ordering::Release};

const NONE: u8 = 0;
const OPEN: u8 = 1;
const MET: u8 = 2;
/// The body was wanted while the obligation was open: whatever is checked afterwards comes too late.
const BROKEN: u8 = 3;

/// Whether it is still to be checked that the caller may have the object of the request.
///
/// One byte, because every request has it. The last word counts: who opens it after it was met
/// wants another check.
#[derive(Debug)]
pub(crate) struct ObligationSlot(AtomicU8);

impl ObligationSlot {
    pub(crate) const fn new() -> Self {
        Self(AtomicU8::new(NONE))
    }

    /// The object must be checked from here on.
    pub(crate) fn open(&self) {
        self.change(OPEN);
    }

    /// The object was checked.
    pub(crate) fn meet(&self) {
        self.change(MET);
    }

    /// Whether the check is still missing, or came too late.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.0.load(Acquire), OPEN | BROKEN)
    }

    /// For who hands the body over: whether the check is still missing. If so, it cannot be made
    /// good any more.
    pub(crate) fn break_if_open(&self) -> bool {
        self.0.compare_exchange(OPEN, BROKEN, AcqRel, Acquire).is_ok() || self.is_broken()
    }

    /// Whether the body was wanted before the check.
    pub(crate) fn is_broken(&self) -> bool {
        self.0.load(Acquire) == BROKEN
    }

    fn change(&self, to: u8) {
        // Fails only if it is broken, and so it stays.
        let _ = self.0.fetch_update(Release, Acquire, |state| (state != BROKEN).then_some(to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts() {
        let slot = ObligationSlot::new();
        assert!(!slot.is_open());
        slot.meet();
        assert!(!slot.break_if_open());
        slot.open();
        assert!(slot.is_open());
        slot.meet();
        assert!(!slot.is_open() && !slot.is_broken());
    }

    #[test]
    fn a_check_after_the_body_comes_too_late() {
        let slot = ObligationSlot::new();
        assert!(!slot.break_if_open(), "nobody asked for a check");
        slot.open();
        assert!(slot.break_if_open() && slot.break_if_open());
        slot.meet();
        slot.open();
        assert!(slot.is_open() && slot.is_broken());
    }
}
