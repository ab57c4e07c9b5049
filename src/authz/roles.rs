use std::{collections::HashMap, sync::Arc};

use crate::{
    config_error::{ConfigError, ConfigIssues},
    identity::Scopes,
};

/// What roles stand for: role → scopes. Our own data, so `read:*` is a wildcard here. Cheap to clone.
///
/// Roles have no order: `admin` may do what its scopes say, and nothing that only `support` may.
///
/// ```
/// use portcullis::authz::RoleMap;
///
/// let roles = RoleMap::builder()
///     .role("customer", ["read:orders:own", "write:orders:own", "read:profile"])
///     .role("support", ["read:orders", "read:customers", "write:tickets"])
///     .role("admin", ["read:*", "write:*", "admin:*"])
///     .build()?;
/// assert!(roles.scopes("admin").is_some_and(|scopes| scopes.satisfies("write:settings")));
/// assert!(roles.scopes("customer").is_some_and(|scopes| !scopes.satisfies("read:orders")));
/// assert!(roles.scopes("stranger").is_none());
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RoleMap(Arc<HashMap<Box<str>, Scopes>>);

impl RoleMap {
    /// A builder without roles.
    pub fn builder() -> RoleMapBuilder {
        RoleMapBuilder { roles: Vec::new() }
    }

    /// What a role stands for; `None` for a role that is not in the map, which stands for nothing.
    pub fn scopes(&self, role: &str) -> Option<&Scopes> {
        self.0.get(role)
    }
}

/// Builds a [`RoleMap`].
#[derive(Clone, Debug)]
#[must_use]
pub struct RoleMapBuilder {
    roles: Vec<(String, Vec<String>)>,
}

impl RoleMapBuilder {
    /// Adds a role. Names are compared exactly.
    pub fn role(mut self, name: impl Into<String>, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.roles.push((name.into(), scopes.into_iter().map(Into::into).collect()));
        self
    }

    /// The map.
    ///
    /// # Errors
    /// If there is no role, or one has no name, comes twice, has no scopes, or has a scope that is
    /// none: a wildcard must be the whole last segment after an action, so `*` and `*:*` are refused.
    pub fn build(self) -> Result<RoleMap, ConfigError> {
        let mut issues = ConfigIssues::new();
        if self.roles.is_empty() {
            issues.add("role", "the map has no roles", "add one with role(…), or leave the map out");
        }
        let mut map = HashMap::with_capacity(self.roles.len());
        for (name, scopes) in self.roles {
            let field = format!("role[{name}]");
            if name.is_empty() {
                issues.add(field.clone(), "the name is empty", "use the name that the tokens carry");
            }
            if scopes.is_empty() {
                issues.add(field.clone(), "the role stands for nothing", "name its scopes, or leave the role out");
            }
            let scopes = Scopes::from_own_data(scopes.iter().map(String::as_str)).unwrap_or_else(|error| {
                issues.add(field.clone(), error.to_string(), "write action:resource, or action:* for all of an action");
                Scopes::none()
            });
            if map.insert(name.into_boxed_str(), scopes).is_some() {
                issues.add(field, "the role is there twice", "put all its scopes into one role(…)");
            }
        }
        issues.finish(RoleMap(Arc::new(map)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_named() {
        let error = RoleMap::builder()
            .role("root", ["*"])
            .role("god", ["*:*"])
            .role("odd", ["re*d:orders"])
            .role("", ["read:orders"])
            .role("idle", [""; 0])
            .role("twice", ["read:a"])
            .role("twice", ["read:b"])
            .build()
            .unwrap_err();
        let fields: Vec<_> = error.issues().iter().map(|issue| issue.field.as_ref()).collect();
        assert_eq!(fields, ["role[root]", "role[god]", "role[odd]", "role[]", "role[idle]", "role[twice]"]);
        assert_eq!(RoleMap::builder().build().unwrap_err().issues().len(), 1);
    }
}
