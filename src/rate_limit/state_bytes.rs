//! A state as bytes, for stores that keep it elsewhere.

use super::State;

/// The layout below. Another one gets another number, and is then told apart.
const LAYOUT: u8 = 1;

/// The layout's number, then each word, the highest byte first.
pub(crate) fn write_state(state: &State, bytes: &mut Vec<u8>) {
    bytes.push(LAYOUT);
    state.words().iter().for_each(|word| bytes.extend_from_slice(&word.to_be_bytes()));
}

/// `None` if it is none that [`write_state`] wrote.
pub(crate) fn read_state(bytes: &[u8]) -> Option<State> {
    let (&LAYOUT, words) = bytes.split_first()? else { return None };
    let (words, rest) = words.as_chunks::<8>();
    (rest.is_empty() && !words.is_empty())
        .then(|| words.iter().copied().map(u64::from_be_bytes).collect::<Vec<_>>().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_written_is_read(words in prop::collection::vec(any::<u64>(), 1..20)) {
            let state = State::from(words);
            let mut bytes = Vec::new();
            write_state(&state, &mut bytes);
            prop_assert_eq!(read_state(&bytes), Some(state));
            prop_assert_eq!(read_state(&bytes[..bytes.len().saturating_sub(1)]), None);
        }

        #[test]
        fn anything_else_is_none_or_a_state(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(state) = read_state(&bytes) {
                let mut again = Vec::new();
                write_state(&state, &mut again);
                prop_assert_eq!(again, bytes);
            }
        }
    }

    #[test]
    fn the_layout_is_pinned() {
        let mut bytes = Vec::new();
        write_state(&[1, 0x0203].into(), &mut bytes);
        assert_eq!(bytes, [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 3]);
        assert_eq!((read_state(&[]), read_state(&[1]), read_state(&[2, 0, 0, 0, 0, 0, 0, 0, 0])), (None, None, None));
    }
}
