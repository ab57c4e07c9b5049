//! What a script answers: the time, and for each batch the states that it found.

use std::{ops::Range, sync::Arc};

use redis::Value;

use super::text::{REFUSED, TOO_GREAT};
use crate::{store::StoreError, time::Timestamp};

/// The whole answer, shared by all batches that it is about.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    text: Arc<str>,
    now: Timestamp,
    /// Where the states begin.
    states: usize,
}

/// The states of one batch.
#[derive(Clone, Debug)]
pub(super) struct Found {
    answer: Answer,
    part: Range<usize>,
}

impl Answer {
    pub(super) fn read(value: Value) -> Result<Self, StoreError> {
        let Value::BulkString(text) = value else { return Err(malformed()) };
        let text: Arc<str> = String::from_utf8(text).map_err(|_| malformed())?.into();
        let (now, states) = text.split_once(',').ok_or_else(malformed)?;
        let states = text.len().saturating_sub(states.len());
        let now = Timestamp::from_micros(now.parse().map_err(|_| malformed())?);
        Ok(Self { text, now, states })
    }

    /// Whether it is about so many batches, each of so many charges: somebody else may have written what is no
    /// state, and took for two what is one.
    pub(super) fn is_about(&self, batches: usize, charges: usize) -> bool {
        let states = self.text.get(self.states..).unwrap_or_default();
        let items = states.bytes().filter(|byte| *byte == b',').count().saturating_add(1);
        items == batches.saturating_mul(charges)
    }

    /// One for each batch of so many charges.
    pub(super) fn batches(self, charges: usize) -> impl Iterator<Item = Found> {
        let mut from = self.states;
        std::iter::from_fn(move || {
            let rest = self.text.get(from..)?;
            let mut commas = rest.bytes().enumerate().filter(|(_, byte)| *byte == b',').map(|(place, _)| place);
            let length = commas.nth(charges.saturating_sub(1)).unwrap_or(rest.len());
            let part = from..from.saturating_add(length);
            from = part.end.saturating_add(1);
            Some(Found { answer: self.clone(), part })
        })
    }
}

impl Found {
    pub(super) const fn now(&self) -> Timestamp {
        self.answer.now
    }

    /// The states, one after the other, as they are written.
    pub(super) fn states(&self) -> impl Iterator<Item = &str> {
        let text = self.text();
        text.strip_prefix([REFUSED, TOO_GREAT]).unwrap_or(text).split(',')
    }

    /// As the script said it; nothing was charged, if not.
    pub(super) fn passed(&self) -> bool {
        !self.text().starts_with([REFUSED, TOO_GREAT])
    }

    /// Lua could not decide.
    pub(super) fn is_too_great(&self) -> bool {
        self.text().starts_with(TOO_GREAT)
    }

    fn text(&self) -> &str {
        self.answer.text.get(self.part.clone()).unwrap_or_default()
    }
}

pub(super) fn malformed() -> StoreError {
    StoreError::corrupt("Redis did not answer with a time and states")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Answer, StoreError> {
        Answer::read(Value::BulkString(text.into()))
    }

    #[test]
    fn each_batch_finds_its_states() {
        let found: Vec<_> = read("9,7 8,,x1,2,x,,?,").unwrap().batches(2).collect();
        let states: Vec<Vec<_>> = found.iter().map(|found| found.states().collect()).collect();
        assert_eq!(states, [["7 8", ""], ["1", "2"], ["", ""], ["", ""]]);
        assert_eq!(found.iter().map(Found::passed).collect::<Vec<_>>(), [true, false, false, false]);
        assert_eq!(found.iter().map(Found::is_too_great).collect::<Vec<_>>(), [false, false, false, true]);
        assert!(found.iter().all(|found| found.now().as_micros() == 9));
        assert!(read("9,7 8,,x1,2").unwrap().is_about(2, 2));
        assert!(!read("9,7,8,,x1,2").unwrap().is_about(2, 2));
        let alone: Vec<_> = read("9,,x").unwrap().batches(1).map(|found| found.passed()).collect();
        assert_eq!(alone, [true, false]);
    }

    #[test]
    fn only_a_time_and_states_are_an_answer() {
        for wrong in ["", "9", "x,1", "-1,1", "1.5,"] {
            assert!(matches!(read(wrong), Err(StoreError::Corrupt(_))), "{wrong:?}");
        }
        for wrong in [Value::Nil, Value::Int(1), Value::Array(Vec::new()), Value::BulkString(vec![0xff, b','])] {
            assert!(matches!(Answer::read(wrong), Err(StoreError::Corrupt(_))));
        }
    }
}
