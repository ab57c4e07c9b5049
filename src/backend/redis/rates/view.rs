use arrayvec::ArrayVec;

use super::{Clock, answer::Found, words};
use crate::{
    rate_limit::{Batch, State, Verdicts},
    store::StoreError,
    time::Timestamp,
};

/// What a script found for a batch: the time, and the states before it wrote.
#[derive(Debug)]
pub(super) struct View {
    pub(super) now: Timestamp,
    states: ArrayVec<Option<State>, { Batch::MAX }>,
    found: Found,
}

impl View {
    /// Of a batch that brings its own time, what Lua made of it does not count.
    pub(super) fn of(found: Found, batch: &Batch<'_>, clock: Clock) -> Result<Self, StoreError> {
        let mut states = ArrayVec::new();
        for text in found.states() {
            let state = if text.is_empty() { None } else { Some(words::read(text)?) };
            states.try_push(state).map_err(|_| super::answer::malformed())?;
        }
        if states.len() != batch.len() {
            return Err(super::answer::malformed());
        }
        let now = match clock {
            Clock::Servers => found.now(),
            Clock::Callers => batch.now(),
        };
        Ok(Self { now, states, found })
    }

    pub(super) fn state(&self, index: usize) -> Option<&State> {
        self.states.get(index)?.as_ref()
    }

    /// As they are stored; empty where there is none.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.found.states()
    }

    /// As the script said it; nothing was charged, if not.
    pub(super) fn passed(&self) -> bool {
        self.found.passed()
    }

    /// The decisions on a batch that a script has decided and written.
    pub(super) fn verdicts(&self, batch: &Batch<'_>) -> Result<Verdicts, StoreError> {
        let verdicts = batch.step(self.now, |index| self.state(index)).verdicts;
        if verdicts.allowed() == self.passed() {
            return Ok(verdicts);
        }
        Err(StoreError::corrupt("an algorithm and its program for Redis disagree"))
    }
}
