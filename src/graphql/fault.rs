//! What is wrong with a request.

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Limit {
    Depth,
    Aliases,
    RootFields,
    Directives,
    Tokens,
    Batch,
    Cost,
}

impl Limit {
    /// What clients tell them apart by.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Depth => "depth",
            Self::Aliases => "aliases",
            Self::RootFields => "root_fields",
            Self::Directives => "directives",
            Self::Tokens => "tokens",
            Self::Batch => "batch",
            Self::Cost => "cost",
        }
    }

    pub(super) const fn detail(self) -> &'static str {
        match self {
            Self::Depth => "The query is nested too deeply.",
            Self::Aliases => "The query has too many aliases.",
            Self::RootFields => "The query has too many root fields.",
            Self::Directives => "The query has too many directives.",
            Self::Tokens => "The query is too long.",
            Self::Batch => "The batch has too many operations.",
            Self::Cost => "The query asks for too much at once.",
        }
    }
}

/// Why a request goes no further. None of it repeats what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The body is no JSON, or the address no form.
    Unreadable,
    /// It is JSON, but not what a GraphQL request is made of.
    Malformed(&'static str),
    /// The document is none, from this byte on.
    Syntax { at: usize },
    /// The document means nothing.
    Invalid(&'static str),
    /// It asks for too much of something.
    Exceeded(Limit),
    /// A change by a method that must change nothing.
    UnsafeMethod,
}
