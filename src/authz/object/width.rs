//! What a requirement leaves to the handler. Pure.

/// Which callers the handler owes a check of the object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::authz) enum Objects {
    /// Those whose scope ends with `own`, where such a scope is what is required.
    #[default]
    OwnRequired,
    /// Those who have a required scope only with the qualifier `own`.
    OwnAllowed,
    /// Every one.
    Each,
}

/// A required scope in its two widths.
#[derive(Debug)]
pub(in crate::authz) struct Width {
    all: Box<str>,
    own: Option<Box<str>>,
}

impl Width {
    /// `read:orders:own` is the narrow form of `read:orders`. Without an action and a resource
    /// before it, `own` is no qualifier.
    pub(in crate::authz) fn of(scope: &str, objects: Objects) -> Self {
        match scope.strip_suffix(":own") {
            Some(all) if all.contains(':') => Self { all: all.into(), own: Some(scope.into()) },
            _ if objects >= Objects::OwnAllowed && scope.split(':').count() == 2 => {
                Self { all: scope.into(), own: Some(format!("{scope}:own").into()) }
            }
            _ => Self { all: scope.into(), own: None },
        }
    }

    /// The scope for every object.
    pub(in crate::authz) fn all(&self) -> &str {
        &self.all
    }

    /// The scope for the caller's own objects, if it is enough.
    pub(in crate::authz) fn own(&self) -> Option<&str> {
        self.own.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_has_two_widths() {
        for (scope, objects, all, own) in [
            ("read:orders", Objects::OwnRequired, "read:orders", None),
            ("read:orders", Objects::OwnAllowed, "read:orders", Some("read:orders:own")),
            ("read:orders", Objects::Each, "read:orders", Some("read:orders:own")),
            ("read:orders:own", Objects::OwnRequired, "read:orders", Some("read:orders:own")),
            ("read:orders:eu", Objects::OwnAllowed, "read:orders:eu", None),
            ("read:own", Objects::OwnRequired, "read:own", None),
            ("openid", Objects::OwnAllowed, "openid", None),
        ] {
            let width = Width::of(scope, objects);
            assert_eq!((width.all(), width.own()), (all, own), "{scope}");
        }
    }
}
