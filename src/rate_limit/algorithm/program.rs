use std::borrow::Cow;

use arrayvec::ArrayVec;

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
    parameters: Parameters,
    origin: Origin,
}

/// Whose text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Foreign,
    /// A part of this crate: known to have no errors.
    BuiltIn,
    /// The same, of the token bucket.
    Bucket,
}

/// A store asks for them with each charge: the few that most programs have are not allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Parameters {
    Few(ArrayVec<u64, 6>),
    Many(Box<[u64]>),
}

impl Program {
    /// A program. The text is the same for all parameters, so that a store can prepare it once.
    pub fn new(text: impl Into<Cow<'static, str>>, parameters: impl AsRef<[u64]>) -> Self {
        Self::of(Origin::Foreign, text, parameters)
    }

    pub(super) fn of(origin: Origin, text: impl Into<Cow<'static, str>>, parameters: impl AsRef<[u64]>) -> Self {
        let parameters = parameters.as_ref();
        let parameters =
            ArrayVec::try_from(parameters).map_or_else(|_| Parameters::Many(parameters.into()), Parameters::Few);
        Self { text: text.into(), parameters, origin }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The parameters, in the order in which the text expects them.
    pub fn parameters(&self) -> &[u64] {
        match &self.parameters {
            Parameters::Few(parameters) => parameters,
            Parameters::Many(parameters) => parameters,
        }
    }

    /// Whether it is known to have no errors.
    #[cfg(feature = "redis")]
    pub(crate) const fn is_built_in(&self) -> bool {
        !matches!(self.origin, Origin::Foreign)
    }

    /// What a unit costs and how much can be owed, in whole microseconds, if this is a token bucket whose
    /// state is one number: the time at which it will be full.
    #[cfg(feature = "redis")]
    pub(crate) fn whole_bucket(&self) -> Option<(u64, u64)> {
        match (self.origin, self.parameters()) {
            (Origin::Bucket, [unit, 1, empty, most, 1]) if empty == most => Some((*unit, *empty)),
            _ => None,
        }
    }
}
