use std::fmt;

/// What an algorithm remembers of one key: some 64-bit words whose meaning is the algorithm's.
///
/// Up to four words are held inline and cost no allocation; more (a log) are held in a box. No
/// state at all is the state of a key that was never seen, so an algorithm never stores that one.
///
/// ```
/// use portcullis::rate_limit::State;
///
/// assert_eq!(State::from([7, 8]).words(), [7, 8]);
/// assert_eq!(State::from([7, 8]).word(2), None);
/// assert_eq!(State::from(vec![1; 100]).words().len(), 100);
/// ```
#[derive(Clone)]
pub struct State(Repr);

#[derive(Clone)]
enum Repr {
    One([u64; 1]),
    Two([u64; 2]),
    Three([u64; 3]),
    Four([u64; 4]),
    Many(Box<[u64]>),
}

impl State {
    /// How many words are held without a box.
    pub const INLINE_WORDS: usize = 4;

    /// The words.
    pub fn words(&self) -> &[u64] {
        match &self.0 {
            Repr::One(words) => words,
            Repr::Two(words) => words,
            Repr::Three(words) => words,
            Repr::Four(words) => words,
            Repr::Many(words) => words,
        }
    }

    /// One word, if there are so many.
    pub fn word(&self, index: usize) -> Option<u64> {
        self.words().get(index).copied()
    }
}

impl From<u64> for State {
    fn from(word: u64) -> Self {
        Self(Repr::One([word]))
    }
}

impl From<[u64; 2]> for State {
    fn from(words: [u64; 2]) -> Self {
        Self(Repr::Two(words))
    }
}

impl From<[u64; 3]> for State {
    fn from(words: [u64; 3]) -> Self {
        Self(Repr::Three(words))
    }
}

impl From<[u64; 4]> for State {
    fn from(words: [u64; 4]) -> Self {
        Self(Repr::Four(words))
    }
}

/// Up to four words are copied inline; the vector becomes the box of more.
impl From<Vec<u64>> for State {
    fn from(words: Vec<u64>) -> Self {
        Self(match *words {
            [a] => Repr::One([a]),
            [a, b] => Repr::Two([a, b]),
            [a, b, c] => Repr::Three([a, b, c]),
            [a, b, c, d] => Repr::Four([a, b, c, d]),
            _ => Repr::Many(words.into_boxed_slice()),
        })
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.words() == other.words()
    }
}

impl Eq for State {}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").field(&self.words()).finish()
    }
}
