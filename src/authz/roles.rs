use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use arc_swap::ArcSwap;

use super::ScopeCatalogue;
use crate::{
    config_error::{ConfigError, ConfigIssues},
    identity::{RoleTable, Scopes, Written},
    request::RequestContext,
};

/// What roles stand for: role → scopes, and which role has all that another one has. Our own data, so
/// `read:*` is a wildcard here. Cheap to clone.
///
/// Roles have no order by themselves: `admin` may do what its scopes say, and what the roles that it
/// [inherits](RoleMapBuilder::inherits) say, and nothing else.
///
/// ```
/// use portcullis::authz::RoleMap;
///
/// let roles = RoleMap::builder()
///     .role("customer", ["read:orders:own", "write:orders:own", "read:profile"])
///     .role("support", ["read:orders", "read:customers", "write:tickets"])
///     .role("admin", ["write:*", "admin:*"])
///     .inherits("admin", ["support"])
///     .build()?;
/// let admin = roles.scopes("admin").unwrap();
/// assert!(admin.satisfies("write:settings") && admin.satisfies("read:customers"));
/// assert!(!roles.scopes("customer").unwrap().satisfies("read:orders"));
/// assert!(roles.scopes("stranger").is_none());
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
///
/// # Replacing it while the service runs
/// All clones of a map, in whichever layers, are one map: [`RoleHandle::reload`] replaces it for all
/// of them. A request that is under way sees one and the same map in all layers, the old or the new.
///
/// ```
/// use portcullis::authz::{RoleMap, ScopeLayer, Requirement};
///
/// let roles = RoleMap::builder().role("support", ["read:orders"]).build()?;
/// let layer = ScopeLayer::builder(Requirement::all(["read:orders"])).roles(roles.clone()).build()?;
/// let handle = roles.handle();
///
/// // Support loses the orders: from the next request on.
/// handle.reload(RoleMap::builder().role("support", ["read:tickets"]))?;
/// assert!(!roles.scopes("support").unwrap().satisfies("read:orders"));
///
/// // A map with mistakes changes nothing.
/// assert!(handle.reload(RoleMap::builder().role("support", ["*"])).is_err());
/// assert!(roles.scopes("support").unwrap().satisfies("read:tickets"));
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RoleMap(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    current: ArcSwap<RoleTable>,
    catalogue: Option<ScopeCatalogue>,
}

impl RoleMap {
    /// A builder without roles.
    pub fn builder() -> RoleMapBuilder {
        RoleMapBuilder { roles: Vec::new(), inherits: Vec::new(), catalogue: None }
    }

    /// What a role stands for, inherited scopes included; `None` for a role that is not in the map,
    /// which stands for nothing. A copy: layers do not ask this way.
    pub fn scopes(&self, role: &str) -> Option<Scopes> {
        self.0.current.load().get(role).map(|role| role.scopes.clone())
    }

    /// The roles, in alphabetical order.
    pub fn names(&self) -> Vec<String> {
        let names: BTreeSet<String> = self.0.current.load().names().map(str::to_owned).collect();
        names.into_iter().collect()
    }

    /// What replaces the map while the service runs.
    pub fn handle(&self) -> RoleHandle {
        RoleHandle(Arc::clone(&self.0))
    }

    /// The map as this request sees it.
    pub(super) fn for_request(&self, context: &RequestContext) -> Arc<RoleTable> {
        context.roles_of(Arc::as_ptr(&self.0).addr(), || self.0.current.load_full())
    }
}

/// Replaces a [`RoleMap`] in all layers that use it.
#[derive(Clone, Debug)]
pub struct RoleHandle(Arc<Shared>);

impl RoleHandle {
    /// Replaces the whole map, from the next request on. If the first map was built with a catalogue,
    /// each new one is held to it, or to a newer one that it brings along.
    ///
    /// # Errors
    /// As [`RoleMapBuilder::build`]. The map in force then stays.
    pub fn reload(&self, mut roles: RoleMapBuilder) -> Result<(), ConfigError> {
        if roles.catalogue.is_none() {
            roles.catalogue.clone_from(&self.0.catalogue);
        }
        self.0.current.store(Arc::new(roles.resolve()?));
        Ok(())
    }
}

/// Builds a [`RoleMap`].
#[derive(Clone, Debug)]
#[must_use]
pub struct RoleMapBuilder {
    roles: Vec<(String, Vec<String>)>,
    inherits: Vec<(String, Vec<String>)>,
    catalogue: Option<ScopeCatalogue>,
}

impl RoleMapBuilder {
    /// Adds a role. Names are compared exactly.
    pub fn role(mut self, name: impl Into<String>, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.roles.push((name.into(), scopes.into_iter().map(Into::into).collect()));
        self
    }

    /// Says that a role has all that `parents` have, and what those inherit: their scopes, and their
    /// place where a [`RoleLayer`](super::RoleLayer) asks for one of them.
    pub fn inherits(mut self, role: impl Into<String>, parents: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.inherits.push((role.into(), parents.into_iter().map(Into::into).collect()));
        self
    }

    /// The scopes that there are: others are mistakes then. Default: any scope is taken.
    pub fn catalogue(mut self, catalogue: &ScopeCatalogue) -> Self {
        self.catalogue = Some(catalogue.clone());
        self
    }

    /// The map.
    ///
    /// # Errors
    /// If there is no role; or one has no name, comes twice, has neither scopes nor parents, has a
    /// scope that is none (a wildcard must be the whole last segment after an action, so `*` and
    /// `*:*` are refused) or that the catalogue does not have, inherits a role that is not in the
    /// map, or inherits itself by way of others.
    pub fn build(self) -> Result<RoleMap, ConfigError> {
        let catalogue = self.catalogue.clone();
        let current = ArcSwap::from_pointee(self.resolve()?);
        Ok(RoleMap(Arc::new(Shared { current, catalogue })))
    }

    fn resolve(self) -> Result<RoleTable, ConfigError> {
        let mut issues = ConfigIssues::new();
        if self.roles.is_empty() && self.inherits.is_empty() {
            issues.add("role", "the map has no roles", "add one with role(…), or leave the map out");
        }
        let mut written: HashMap<Box<str>, Written> = HashMap::with_capacity(self.roles.len());
        for (name, scopes) in self.roles {
            let field = format!("role[{name}]");
            if name.is_empty() {
                issues.add(field.clone(), "the name is empty", "use the name that the tokens carry");
            }
            if scopes.is_empty() && !self.inherits.iter().any(|(heir, _)| *heir == name) {
                issues.add(field.clone(), "the role stands for nothing", "name its scopes, or leave the role out");
            }
            let scopes = read(&scopes, &field, self.catalogue.as_ref(), &mut issues);
            if written.insert(name.into_boxed_str(), Written { scopes, parents: Vec::new() }).is_some() {
                issues.add(field, "the role is there twice", "put all its scopes into one role(…)");
            }
        }
        // A role may consist of what it inherits.
        for (heir, _) in &self.inherits {
            written.entry(heir.as_str().into()).or_default();
        }
        for (heir, parents) in self.inherits {
            inherit(&mut written, &heir, parents, &mut issues);
        }
        let table = RoleTable::resolve(&written).unwrap_or_else(|cycles| {
            for cycle in cycles {
                let path = cycle.0.join(" → ");
                issues.add("inherits", format!("{path} is a circle"), "take one of these steps out");
            }
            RoleTable::default()
        });
        issues.finish(table)
    }
}

fn read(scopes: &[String], field: &str, catalogue: Option<&ScopeCatalogue>, issues: &mut ConfigIssues) -> Scopes {
    match Scopes::from_own_data(scopes.iter().map(String::as_str)) {
        Ok(scopes) => {
            if let Some(catalogue) = catalogue {
                catalogue.look(field, &scopes, issues);
            }
            scopes
        }
        Err(error) => {
            let cure = "write action:resource, or action:* for all of an action";
            issues.add(field.to_owned(), error.to_string(), cure);
            Scopes::none()
        }
    }
}

fn inherit(written: &mut HashMap<Box<str>, Written>, heir: &str, parents: Vec<String>, issues: &mut ConfigIssues) {
    let field = format!("inherits[{heir}]");
    if heir.is_empty() || parents.is_empty() {
        issues.add(
            field.clone(),
            "somebody inherits, or is inherited, without a name",
            "name the role and its parents",
        );
    }
    for parent in parents {
        if !written.contains_key(parent.as_str()) {
            let cure = "add it with role(…), or correct its name";
            issues.add(field.clone(), format!("{parent:?} is not a role of the map"), cure);
        } else if let Some(role) = written.get_mut(heir) {
            role.parents.push(parent.into_boxed_str());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(error: &ConfigError) -> Vec<&str> {
        error.issues().iter().map(|issue| issue.field.as_ref()).collect()
    }

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
        assert_eq!(fields(&error), ["role[root]", "role[god]", "role[odd]", "role[]", "role[idle]", "role[twice]"]);
        assert_eq!(RoleMap::builder().build().unwrap_err().issues().len(), 1);
    }

    #[test]
    fn a_circle_and_an_unknown_parent_are_mistakes() {
        let error = RoleMap::builder()
            .role("a", ["read:a"])
            .role("b", ["read:b"])
            .inherits("a", ["b", "nobody"])
            .inherits("b", ["a"])
            .inherits("c", [""; 0])
            .build()
            .unwrap_err();
        assert_eq!(fields(&error), ["inherits[a]", "inherits[c]", "inherits"]);
        let text = error.to_string();
        assert!(text.contains("a → b → a is a circle") && text.contains("\"nobody\" is not a role"), "{text}");
    }

    #[test]
    fn a_role_may_consist_of_others() {
        let roles = RoleMap::builder()
            .role("reader", ["read:a"])
            .role("writer", ["write:a"])
            .inherits("editor", ["reader"])
            .inherits("editor", ["writer"])
            .build()
            .unwrap();
        let editor = roles.scopes("editor").unwrap();
        assert!(editor.satisfies("read:a") && editor.satisfies("write:a"));
        assert_eq!(roles.names(), ["editor", "reader", "writer"]);
    }

    /// The workflow document, lines 270 and 315: three of its roles' scopes are none of its scopes.
    #[test]
    fn the_roles_of_the_document_do_not_fit_its_scopes() {
        let catalogue = ScopeCatalogue::builder()
            .scope("read:orders", "View all orders")
            .scope("read:orders:own", "View own orders only")
            .scope("read:customers", "View customer information")
            .scope("write:orders", "Create and modify orders")
            .scope("write:customers", "Create and modify customers")
            .scope("admin:orders", "Full order management including deletions")
            .scope("admin:users", "User management and role assignment")
            .sensitive("refund:orders", "Issue refunds")
            .sensitive("delete:data", "Permanent data deletion")
            .build()
            .unwrap();
        let document = RoleMap::builder()
            .role("customer", ["read:orders:own", "write:orders:own", "read:profile"])
            .role("support", ["read:orders", "read:customers", "write:tickets"])
            .role("admin", ["read:*", "write:*", "admin:*"])
            .role("api_consumer", ["read:orders", "read:customers", "write:orders"]);
        let error = document.catalogue(&catalogue).build().unwrap_err();
        assert_eq!(fields(&error), ["role[customer]", "role[customer]", "role[support]"]);
        for scope in ["write:orders:own", "read:profile", "write:tickets"] {
            assert!(error.to_string().contains(scope), "{scope}");
        }
    }

    #[test]
    fn a_new_map_is_held_to_the_catalogue_and_a_wrong_one_changes_nothing() {
        let catalogue = ScopeCatalogue::builder().scope("read:a", "a").scope("read:b", "b").build().unwrap();
        let roles = RoleMap::builder().catalogue(&catalogue).role("r", ["read:a"]).build().unwrap();
        let handle = roles.handle();
        assert!(handle.reload(RoleMap::builder().role("r", ["read:c"])).is_err());
        assert!(handle.reload(RoleMap::builder()).is_err());
        assert!(roles.scopes("r").unwrap().satisfies("read:a"));
        handle.reload(RoleMap::builder().role("r", ["read:b"])).unwrap();
        assert!(
            roles.clone().scopes("r").unwrap().satisfies("read:b") && !roles.scopes("r").unwrap().satisfies("read:a")
        );
    }
}
