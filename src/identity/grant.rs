use std::sync::Arc;

/// What a layer, or a check in the handler, found the caller to be allowed: the proof that a
/// requirement was checked.
///
/// Taken as an extractor, it makes a handler that stands behind no authorization layer fail closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    required: Arc<[Box<str>]>,
    /// Beyond scopes; most grants have nothing here.
    other: Option<Arc<Other>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Other {
    roles: Box<[Box<str>]>,
    details: Box<[Box<str>]>,
    policies: Box<[Box<str>]>,
}

impl Grant {
    pub(crate) fn new(required: Arc<[Box<str>]>) -> Self {
        Self { required, other: None }
    }

    /// A grant by these roles.
    pub(crate) fn of_roles(roles: Box<[Box<str>]>) -> Self {
        Self::of(Other { roles, ..Other::default() })
    }

    /// A grant by an authorization detail of this type (RFC 9396).
    pub(crate) fn of_detail(kind: &str) -> Self {
        Self::of(Other { details: Box::from([kind.into()]), ..Other::default() })
    }

    /// A grant by the policy with this id.
    pub(crate) fn of_policy(id: &str) -> Self {
        Self::of(Other { policies: Box::from([id.into()]), ..Other::default() })
    }

    fn of(other: Other) -> Self {
        Self { other: Some(Arc::new(other)), ..Self::new(Arc::from([])) }
    }

    /// The scopes that were required, and held.
    pub fn required(&self) -> impl Iterator<Item = &str> {
        self.required.iter().map(|scope| &**scope)
    }

    /// The roles that were required, and held.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.other.iter().flat_map(|other| &other.roles).map(|role| &**role)
    }

    /// The types of the authorization details (RFC 9396) that were required, and held.
    pub fn details(&self) -> impl Iterator<Item = &str> {
        self.other.iter().flat_map(|other| &other.details).map(|kind| &**kind)
    }

    /// The ids of the policies that granted.
    pub fn policies(&self) -> impl Iterator<Item = &str> {
        self.other.iter().flat_map(|other| &other.policies).map(|id| &**id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_grant_says_only_what_was_checked() {
        let scopes = Grant::new(Arc::from(["read:orders".into()]));
        assert!(scopes.required().eq(["read:orders"]));
        assert_eq!((scopes.roles().count(), scopes.details().count(), scopes.policies().count()), (0, 0, 0));
        let roles = Grant::of_roles(Box::from(["clerk".into()]));
        assert!(roles.roles().eq(["clerk"]) && roles.required().next().is_none());
        let detail = Grant::of_detail("payment_initiation");
        assert!(detail.details().eq(["payment_initiation"]) && detail.required().next().is_none());
        let policy = Grant::of_policy("office-hours");
        assert!(policy.policies().eq(["office-hours"]) && policy.roles().next().is_none());
    }
}
