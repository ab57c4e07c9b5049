//! Finds a word in a text of many. Pure.

use std::fmt;

/// So many words, which is what most credentials have, cost no allocation.
const FEW: usize = 8;

/// Where the words of a text of at most 64 KiB are: a few places in a row, or a hash table with open
/// addressing and at least twice as many places as words.
///
/// The hash has no key: there are so few words that a text made of collisions costs what comparing
/// all of them costs.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum WordIndex {
    Few([Place; FEW]),
    Many(Box<[Place]>),
}

/// Half of a word's hash, and where it ends; the end of a word is never 0.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    tag: u16,
    end: u16,
}

impl WordIndex {
    /// Of a text of these words, with one space between them.
    pub(super) fn of<'a>(words: impl Iterator<Item = &'a str> + Clone) -> Self {
        let count = words.clone().count();
        if count <= FEW {
            let mut few = [Place::default(); FEW];
            for (place, (_, word)) in few.iter_mut().zip(places(words)) {
                *place = word;
            }
            return Self::Few(few);
        }
        let mut table = vec![Place::default(); count.saturating_mul(2).next_power_of_two()].into_boxed_slice();
        for (hash, word) in places(words) {
            let free = Probe::new(hash, table.len()).find(|at| table.get(*at).is_some_and(|place| place.end == 0));
            if let Some(place) = free.and_then(|at| table.get_mut(at)) {
                *place = word;
            }
        }
        Self::Many(table)
    }

    /// Whether `text`, of which this is the index, has the word.
    pub(super) fn contains(&self, text: &str, word: &str) -> bool {
        let (hash, tag) = hash(word);
        let is_it = |place: &Place| place.tag == tag && place.end != 0 && ends_with(text, usize::from(place.end), word);
        match self {
            Self::Few(places) => places.iter().any(is_it),
            Self::Many(table) => {
                let taken = |at: usize| table.get(at).filter(|place| place.end != 0);
                Probe::new(hash, table.len()).map_while(taken).any(is_it)
            }
        }
    }
}

impl Default for WordIndex {
    fn default() -> Self {
        Self::Few([Place::default(); FEW])
    }
}

/// Each word's hash and place.
fn places<'a>(words: impl Iterator<Item = &'a str>) -> impl Iterator<Item = (usize, Place)> {
    let mut end = 0_usize;
    words.filter_map(move |word| {
        let here = end.saturating_add(word.len());
        end = here.saturating_add(1);
        let (hash, tag) = hash(word);
        // Scopes are 8 KiB at most: none is lost.
        Some((hash, Place { tag, end: u16::try_from(here).ok()? }))
    })
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
        f.write_str(match self {
            Self::Few(_) => "Few",
            Self::Many(_) => "Many",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_end_of_a_longer_word_is_not_a_word() {
        let text = "a:b c:a:b d:e f:g h:i j:k l:m n:o p:q";
        let index = WordIndex::of(text.split(' '));
        assert!(matches!(index, WordIndex::Many(_)));
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
        let index = WordIndex::of(text.split(' '));
        for (word, found) in [("a:b", true), ("c:d:e", true), ("f", true), ("c:d", false), ("d:e", false), ("b", false)]
        {
            assert_eq!(index.contains(text, word), found, "{word}");
        }
        assert!(
            !WordIndex::of("".split(' ')).contains("", "a") && !index.contains(text, "") && !index.contains(text, "fg")
        );
    }

    #[test]
    fn few_words_have_no_table() {
        for (text, few) in [("", true), ("a", true), ("a b c d e f g h", true), ("a b c d e f g h i", false)] {
            assert_eq!(matches!(WordIndex::of(text.split(' ')), WordIndex::Few(_)), few, "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_finds_what_is_there_and_nothing_else(
            words in proptest::collection::btree_set("[a-c:]{1,12}", 1..256),
            others in proptest::collection::vec("[a-c: ]{0,12}", 0..64),
        ) {
            let text = words.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
            let index = WordIndex::of(text.split(' '));
            for word in &words {
                prop_assert!(index.contains(&text, word), "{}", word);
            }
            for other in &others {
                prop_assert_eq!(index.contains(&text, other), words.contains(other), "{}", other);
            }
        }
    }
}
