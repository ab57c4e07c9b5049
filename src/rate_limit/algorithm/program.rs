use std::borrow::Cow;

/// A language in which a remote store can run a step by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// Lua 5.1, as Redis and its relatives run it: an expression that is a function.
    ///
    /// It is called with the state (its words in decimal, separated by one space; `false` if there is
    /// none), the time in microseconds, the operation (0 peek, 1 take, 2 give, 3 force, 4 reset), its
    /// units, and the parameters. It gives back whether the operation passed, what is to be written
    /// (`nil` keeps the state, `''` forgets it, anything else is the new state in the same form), and
    /// after how many microseconds that expires. If its numbers may exceed what a double can hold, it
    /// gives back `nil`: the step is then computed elsewhere. No number that it is given exceeds 2^51,
    /// but for words and the time.
    ///
    /// It must not call Redis, and must decide and write exactly as
    /// [`Algorithm::step`](super::Algorithm::step) does: a store checks the one against the other.
    Lua,
    /// SQL.
    Sql,
}

/// A step in another language: its text, and the numbers that stand for the parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    text: Cow<'static, str>,
    parameters: Box<[u64]>,
}

impl Program {
    /// A program. The text is the same for all parameters, so that a store can prepare it once.
    pub fn new(text: impl Into<Cow<'static, str>>, parameters: impl Into<Box<[u64]>>) -> Self {
        Self { text: text.into(), parameters: parameters.into() }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The parameters, in the order in which the text expects them.
    pub fn parameters(&self) -> &[u64] {
        &self.parameters
    }
}
