/// What a handler did with data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataAccess {
    /// Read.
    Read,
    /// Created.
    Create,
    /// Changed.
    Update,
    /// Deleted.
    Delete,
}

impl DataAccess {
    /// The stable name: `read`, `create`, `update`, `delete`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// What the handler adds to the request's audit record, through the `Audit` extractor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notes {
    /// What was done, in the application's words: `order.refund`.
    pub action: Option<String>,
    /// Which objects were concerned: kind and id.
    pub resources: Vec<(String, String)>,
    /// What was read or changed, and how many records.
    pub accesses: Vec<(DataAccess, u64)>,
}

/// A handler in a loop must not fill the memory.
pub(crate) const MAX_NOTES: usize = 16;
