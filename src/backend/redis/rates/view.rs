use redis::Value;

use super::{Clock, words};
use crate::{
    rate_limit::{Batch, State, Verdicts},
    store::StoreError,
    time::Timestamp,
};

/// What a script found: the time, and the states before it wrote.
#[derive(Debug)]
pub(super) struct View {
    pub(super) now: Timestamp,
    /// As the script said it; nothing was charged, if not.
    passed: bool,
    texts: Vec<Option<Vec<u8>>>,
    states: Vec<Option<State>>,
}

impl View {
    /// Of a batch that brings its own time, what Lua made of it does not count.
    pub(super) fn read_for(answer: Value, batch: &Batch<'_>, clock: Clock) -> Result<Self, StoreError> {
        let view = Self::read(answer, batch.len())?;
        Ok(match clock {
            Clock::Servers => view,
            Clock::Callers => Self { now: batch.now(), ..view },
        })
    }

    /// The states, each as text or nil, and the time in microseconds: negative if a charge was refused.
    fn read(answer: Value, charges: usize) -> Result<Self, StoreError> {
        let Value::Array(mut items) = answer else { return Err(malformed()) };
        let Some(Value::Int(time)) = items.pop() else { return Err(malformed()) };
        if items.len() != charges {
            return Err(malformed());
        }
        let texts = items.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
        let read = |text: &Option<Vec<u8>>| text.as_deref().map(words::read).transpose();
        let states = texts.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { now: Timestamp::from_micros(time.unsigned_abs()), passed: time >= 0, texts, states })
    }

    pub(super) fn state(&self, index: usize) -> Option<&State> {
        self.states.get(index)?.as_ref()
    }

    /// As it is stored; empty if it is not.
    pub(super) fn text(&self, index: usize) -> &[u8] {
        self.texts.get(index).and_then(Option::as_deref).unwrap_or_default()
    }

    pub(super) const fn passed(&self) -> bool {
        self.passed
    }

    /// The decisions on a batch that a script has decided and written.
    pub(super) fn verdicts(&self, batch: &Batch<'_>) -> Result<Verdicts, StoreError> {
        let verdicts = batch.step(self.now, |index| self.state(index)).verdicts;
        if verdicts.allowed() == self.passed {
            return Ok(verdicts);
        }
        Err(StoreError::corrupt("an algorithm and its program for Redis disagree"))
    }
}

fn text(value: Value) -> Result<Option<Vec<u8>>, StoreError> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(text) => Ok(Some(text)),
        _ => Err(malformed()),
    }
}

fn malformed() -> StoreError {
    StoreError::corrupt("Redis did not answer with states and a time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_states_and_a_time_are_an_answer() {
        let text = |text: &str| Value::BulkString(text.into());
        let view = View::read(Value::Array(vec![text("7 8"), Value::Nil, Value::Int(-9)]), 2).unwrap();
        assert_eq!((view.now.as_micros(), view.passed), (9, false));
        assert_eq!((view.state(0), view.state(1)), (Some(&State::from([7, 8])), None));
        assert_eq!((view.text(0), view.text(1)), (&b"7 8"[..], &b""[..]));
        for wrong in [
            Value::Nil,
            Value::Int(1),
            Value::Array(vec![]),
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![text("x"), Value::Nil, Value::Int(1)]),
            Value::Array(vec![text("1"), Value::Int(2), Value::Int(1)]),
            Value::Array(vec![text("1"), Value::Nil, text("1")]),
        ] {
            assert!(matches!(View::read(wrong, 2), Err(StoreError::Corrupt(_))));
        }
    }
}
