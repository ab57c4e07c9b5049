use std::sync::Arc;

/// What `ScopeLayer` found the caller to be allowed: the proof that a requirement was checked.
///
/// Taken as an extractor, it makes a handler that stands behind no `ScopeLayer` fail closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    required: Arc<[Box<str>]>,
    reach: Reach,
}

/// How far a [`Grant`] reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Reach {
    /// To every object of the kind.
    #[default]
    All,
    /// To the caller's own objects: it was granted by a scope with the qualifier `own`.
    Own,
}

impl Grant {
    pub(crate) fn new(required: Arc<[Box<str>]>) -> Self {
        Self { required, reach: Reach::All }
    }

    /// The same, for the caller's own objects only.
    pub(crate) fn for_own(self) -> Self {
        Self { reach: Reach::Own, ..self }
    }

    /// Whether it reaches every object, or only the caller's own.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// The scopes that were required, and held.
    pub fn required(&self) -> impl Iterator<Item = &str> {
        self.required.iter().map(|scope| &**scope)
    }
}
