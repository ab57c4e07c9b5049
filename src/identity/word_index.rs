//! Finds a word in a text of many. Pure.

use std::fmt;

/// So few words are compared one by one, and need no index.
const FEW: usize = 4;

/// Where the words of a text of at most 64 KiB are: a hash table with open addressing and at least
/// twice as many places as words. Empty for few words.
///
/// The hash has no key: there are so few words that a text made of collisions costs what comparing
/// all of them costs.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct WordIndex(Box<[Place]>);

/// Half of a word's hash, and where it ends; the end of a word is never 0.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    tag: u16,
    end: u16,
}

impl WordIndex {
    /// Of words with one space between them.
    pub(super) fn of(text: &str) -> Self {
        let count = text.split(' ').count();
        if count <= FEW || u16::try_from(text.len()).is_err() {
            return Self::default();
        }
        let mut places = vec![Place::default(); count.saturating_mul(2).next_power_of_two()].into_boxed_slice();
        let mut end = 0_usize;
        for word in text.split(' ') {
            end = end.saturating_add(word.len());
            let (hash, tag) = hash(word);
            let free = Probe::new(hash, places.len()).find(|at| places.get(*at).is_some_and(|place| place.end == 0));
            if let (Some(place), Ok(end)) = (free.and_then(|at| places.get_mut(at)), u16::try_from(end)) {
                *place = Place { tag, end };
            }
            end = end.saturating_add(1);
        }
        Self(places)
    }

    /// Whether `text`, of which this is the index, has the word.
    pub(super) fn contains(&self, text: &str, word: &str) -> bool {
        if word.is_empty() {
            return false;
        }
        if self.0.is_empty() {
            return is_among_few(text.as_bytes(), word.as_bytes());
        }
        let (hash, tag) = hash(word);
        let places = Probe::new(hash, self.0.len()).map_while(|at| self.0.get(at).filter(|place| place.end != 0));
        places.filter(|place| place.tag == tag).any(|place| ends_with(text, usize::from(place.end), word))
    }
}

/// By bytes: `str::split` costs more than all of the index.
fn is_among_few(mut text: &[u8], word: &[u8]) -> bool {
    loop {
        if text.strip_prefix(word).is_some_and(|after| matches!(after.first(), None | Some(b' '))) {
            return true;
        }
        let rest = text.iter().position(|byte| *byte == b' ').and_then(|space| text.get(space.saturating_add(1)..));
        match rest {
            Some(rest) => text = rest,
            None => return false,
        }
    }
}

/// Whether the word that ends there is this one, and not merely the end of a longer one.
fn ends_with(text: &str, end: usize, word: &str) -> bool {
    let before = text.get(..end).and_then(|text| text.strip_suffix(word));
    before.is_some_and(|before| before.is_empty() || before.ends_with(' '))
}

/// The places of a table of `len`, a power of two, from the one that the hash names on.
struct Probe {
    at: usize,
    mask: usize,
    left: usize,
}

impl Probe {
    fn new(hash: usize, len: usize) -> Self {
        let mask = len.wrapping_sub(1);
        Self { at: hash & mask, mask, left: len }
    }
}

impl Iterator for Probe {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let at = self.at;
        self.at = at.wrapping_add(1) & self.mask;
        Some(at)
    }
}

/// Eight bytes at a time, mixed by a multiplication with the golden ratio.
fn hash(word: &str) -> (usize, u16) {
    const RATIO: u64 = 0x9E37_79B9_7F4A_7C15;
    let (whole, rest) = word.as_bytes().as_chunks::<8>();
    let mix = |hash: u64, bytes: [u8; 8]| (hash.rotate_left(5) ^ u64::from_le_bytes(bytes)).wrapping_mul(RATIO);
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let hash = mix(whole.iter().fold(0, |hash, bytes| mix(hash, *bytes)), last);
    // The upper bits are the well-mixed ones.
    let [.., a, b, c, d] = hash.to_le_bytes();
    (usize::from(u16::from_le_bytes([c, d])), u16::from_le_bytes([a, b]))
}

impl fmt::Debug for WordIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WordIndex({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_end_of_a_longer_word_is_not_a_word() {
        let text = "a:b c:a:b d:e f:g h:i";
        let index = WordIndex::of(text);
        assert!(!index.0.is_empty());
        for (word, found) in
            [("a:b", true), ("c:a:b", true), ("h:i", true), (":b", false), ("b", false), ("b d:e", false)]
        {
            assert_eq!(index.contains(text, word), found, "{word}");
        }
        assert!(ends_with("x:y a:y", 7, "a:y") && !ends_with("x:y a:y", 7, ":y") && ends_with("x:y a:y", 3, "x:y"));
    }

    #[test]
    fn a_word_among_few_is_the_whole_word() {
        let text = "a:b c:d:e f";
        let index = WordIndex::of(text);
        for (word, found) in [("a:b", true), ("c:d:e", true), ("f", true), ("c:d", false), ("d:e", false), ("b", false)]
        {
            assert_eq!(index.contains(text, word), found, "{word}");
        }
        assert!(!WordIndex::of("").contains("", "a") && !index.contains(text, "") && !index.contains(text, "fg"));
    }

    #[test]
    fn few_words_have_no_index() {
        for (text, len) in [("", 0), ("a", 0), ("a b c d", 0), ("a b c d e", 16)] {
            assert_eq!(WordIndex::of(text).0.len(), len, "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_finds_what_is_there_and_nothing_else(
            words in proptest::collection::btree_set("[a-c:]{1,12}", 1..256),
            others in proptest::collection::vec("[a-c: ]{0,12}", 0..64),
        ) {
            let text = words.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
            let index = WordIndex::of(&text);
            for word in &words {
                prop_assert!(index.contains(&text, word), "{}", word);
            }
            for other in &others {
                prop_assert_eq!(index.contains(&text, other), words.contains(other), "{}", other);
            }
        }
    }
}
