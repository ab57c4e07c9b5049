//! A state as text: its words in decimal, separated by a space. The scripts read and write it, too.

use crate::{rate_limit::State, store::StoreError};

/// The words of a state that has none: it is still a state.
const NONE: &str = "-";

pub(super) fn write(state: &State) -> String {
    let mut text = String::with_capacity(20);
    let mut digits = itoa::Buffer::new();
    for word in state.words() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(digits.format(*word));
    }
    if text.is_empty() { NONE.to_owned() } else { text }
}

pub(super) fn read(text: &str) -> Result<State, StoreError> {
    if text == NONE {
        return Ok(State::from(Vec::new()));
    }
    if let Some(word) = number(text) {
        return Ok(State::from(word));
    }
    text.split(' ').map(number).collect::<Option<Vec<u64>>>().map(State::from).ok_or_else(not_words)
}

/// Digits only: no sign, no space.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn not_words() -> StoreError {
    StoreError::corrupt("the state of a rate limit is not a list of numbers")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(words in proptest::collection::vec(any::<u64>(), 0..9)) {
            let state = State::from(words);
            prop_assert_eq!(read(&write(&state)).unwrap(), state);
        }

        #[test]
        fn garbage_is_corrupt(text in ".{0,40}") {
            match read(&text) {
                Ok(state) => prop_assert!(!state.words().is_empty() || text == "-"),
                Err(error) => prop_assert!(matches!(error, StoreError::Corrupt(_))),
            }
        }
    }

    #[test]
    fn near_misses_are_corrupt() {
        for text in ["", " ", "1 ", " 1", "+1", "-1", "1  2", "1\n", "18446744073709551616", "1e3", "0x1", "--"] {
            assert!(matches!(read(text), Err(StoreError::Corrupt(_))), "{text:?}");
        }
    }
}
