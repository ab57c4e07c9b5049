//! What a requirement leaves to the handler. Pure.

/// Which callers the handler owes a check of the object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::authz) enum Objects {
    /// Those whose scope ends with `own`, where such a scope is what is required.
    #[default]
    OwnRequired,
    /// The same, and a table is not to ask for more.
    Function,
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

impl Objects {
    /// What a table in which routes with parameters owe the check makes of it.
    pub(in crate::authz) fn in_path(self, path: &str) -> Self {
        if self == Self::OwnRequired && path.contains('{') { Self::Each } else { self }
    }
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
    fn a_parameter_is_an_object_unless_somebody_said_otherwise() {
        for (said, made) in [
            (Objects::OwnRequired, Objects::Each),
            (Objects::Function, Objects::Function),
            (Objects::OwnAllowed, Objects::OwnAllowed),
            (Objects::Each, Objects::Each),
        ] {
            assert_eq!((said.in_path("/orders/{id}"), said.in_path("/orders")), (made, said));
        }
    }

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
