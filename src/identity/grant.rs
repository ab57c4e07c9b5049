use std::sync::Arc;

/// What a layer, or a check in the handler, found the caller to be allowed: the proof that a
/// requirement was checked.
///
/// Taken as an extractor, it makes a handler that stands behind no authorization layer fail closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    required: Arc<[Box<str>]>,
    reach: Reach,
    /// Beyond scopes; most grants have nothing here.
    other: Option<Arc<Other>>,
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

#[derive(Debug, Default, PartialEq, Eq)]
struct Other {
    roles: Box<[Box<str>]>,
    details: Box<[Box<str>]>,
    policies: Box<[Box<str>]>,
}

impl Grant {
    pub(crate) fn new(required: Arc<[Box<str>]>) -> Self {
        Self { required, reach: Reach::All, other: None }
    }

    /// The same, for the caller's own objects only.
    pub(crate) fn for_own(self) -> Self {
        Self { reach: Reach::Own, ..self }
    }

    /// Whether it reaches every object, or only the caller's own.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    pub(crate) fn with_roles(self, roles: Box<[Box<str>]>) -> Self {
        if roles.is_empty() {
            self
        } else {
            Self { other: Some(Arc::new(Other { roles, ..Other::default() })), ..self }
        }
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
        Self { required: Arc::from([]), reach: Reach::All, other: Some(Arc::new(other)) }
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
        let scopes = Grant::new(Arc::from(["read:orders".into()])).with_roles(Box::from(["clerk".into()]));
        assert!(scopes.required().eq(["read:orders"]) && scopes.roles().eq(["clerk"]));
        assert_eq!((scopes.details().count(), scopes.policies().count()), (0, 0));
        let detail = Grant::of_detail("payment_initiation");
        assert!(detail.details().eq(["payment_initiation"]) && detail.required().next().is_none());
        let policy = Grant::of_policy("office-hours");
        assert!(policy.policies().eq(["office-hours"]) && policy.roles().next().is_none());
    }
}
