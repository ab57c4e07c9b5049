use std::sync::Arc;

/// What `ScopeLayer` found the caller to be allowed: the proof that a requirement was checked.
///
/// Taken as an extractor, it makes a handler that stands behind no `ScopeLayer` fail closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    required: Arc<[Box<str>]>,
}

impl Grant {
    pub(crate) fn new(required: Arc<[Box<str>]>) -> Self {
        Self { required }
    }

    /// The scopes that were required, and held.
    pub fn required(&self) -> impl Iterator<Item = &str> {
        self.required.iter().map(|scope| &**scope)
    }
}
