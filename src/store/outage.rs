//! Who may still ask a store that does not answer: one at a time.

use std::sync::atomic::{
    AtomicBool, AtomicU32,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

/// How many calls in a row stay without an answer before the others are spared.
const PATIENCE: u32 = 3;

/// What is known of the store. It reads no clock: it is the next answer that ends an outage.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    failures: AtomicU32,
    probing: AtomicBool,
}

/// One call that may be made. Dropped undecided (the client went away), it changes nothing but that
/// another one may ask.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    outage: &'a Outage,
    probe: bool,
}

impl Outage {
    /// `None` while the store is down and somebody else is asking already.
    pub(crate) fn attempt(&self) -> Option<Attempt<'_>> {
        let probe = self.failures.load(Relaxed) >= PATIENCE;
        if probe && self.probing.swap(true, AcqRel) {
            return None;
        }
        Some(Attempt { outage: self, probe })
    }

    /// Whether the store is taken to be down.
    pub(crate) fn is_down(&self) -> bool {
        self.failures.load(Acquire) >= PATIENCE
    }

    /// Whether it is down, and somebody else is asking already.
    pub(crate) fn is_being_asked(&self) -> bool {
        self.is_down() && self.probing.load(Acquire)
    }
}

impl Attempt<'_> {
    pub(crate) fn answered(self) {
        self.outage.failures.store(0, Relaxed);
    }

    /// How many calls in a row have stayed without an answer, this one included.
    pub(crate) fn unanswered(self) -> u32 {
        let before = self.outage.failures.fetch_update(Relaxed, Relaxed, |failures| failures.checked_add(1));
        before.map_or(u32::MAX, |before| before.saturating_add(1))
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.outage.probing.store(false, Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_three_failures_in_a_row_one_at_a_time_asks() {
        let outage = Outage::default();
        for failures in 1..=PATIENCE {
            assert!(!outage.is_down());
            assert_eq!(outage.attempt().unwrap().unanswered(), failures);
        }
        assert!(outage.is_down());
        let probe = outage.attempt().unwrap();
        assert!(outage.attempt().is_none() && outage.attempt().is_none());
        probe.unanswered();
        let probe = outage.attempt().unwrap();
        assert!(outage.attempt().is_none());
        probe.answered();
        let both = (outage.attempt().unwrap(), outage.attempt().unwrap());
        assert!(!both.0.probe && !both.1.probe);
    }

    #[test]
    fn an_answer_between_failures_forgives_them() {
        let outage = Outage::default();
        for _ in 0..10 {
            outage.attempt().unwrap().unanswered();
            outage.attempt().unwrap().unanswered();
            outage.attempt().unwrap().answered();
        }
        assert!(!outage.is_down());
    }

    #[test]
    fn a_probe_that_was_given_up_makes_room_for_the_next() {
        let outage = Outage::default();
        (1..=PATIENCE).for_each(|failures| assert_eq!(outage.attempt().unwrap().unanswered(), failures));
        drop(outage.attempt().unwrap());
        assert!(outage.is_down() && outage.attempt().is_some());
    }
}
