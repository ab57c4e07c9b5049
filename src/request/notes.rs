use std::sync::Arc;

use super::context::RequestContext;
use crate::lint::Waivers;

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
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Notes {
    /// What was done, in the application's words: `order.refund`.
    pub action: Option<String>,
    /// Which objects were concerned: kind and id.
    pub resources: Vec<(String, String)>,
    /// What was read or changed, and how many records.
    pub accesses: Vec<(DataAccess, u64)>,
    /// What layers on the way announced.
    pub(crate) waivers: Vec<Arc<Waivers>>,
}

/// By what the handler said.
impl PartialEq for Notes {
    fn eq(&self, other: &Self) -> bool {
        let Self { action, resources, accesses, waivers: _ } = self;
        (action, resources, accesses) == (&other.action, &other.resources, &other.accesses)
    }
}

impl Eq for Notes {}

impl RequestContext {
    /// Has the audit log put on record what a layer's owner has allowed, unless it is there already.
    pub fn announce(&self, waivers: Option<&Arc<Waivers>>) {
        if let Some(waivers) = waivers.filter(|waivers| waivers.are_due()) {
            waivers.tell();
            self.note(|notes| notes.waivers.push(Arc::clone(waivers)));
        }
    }

    /// What layers have announced so far.
    pub(crate) fn announced(&self) -> Vec<Arc<Waivers>> {
        self.notes().waivers
    }
}

/// A handler in a loop must not fill the memory.
pub(crate) const MAX_NOTES: usize = 16;
