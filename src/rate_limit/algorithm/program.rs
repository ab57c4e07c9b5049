use std::borrow::Cow;

/// A language in which a remote store can run a step by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// Lua 5.1, as Redis and its relatives run it.
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
