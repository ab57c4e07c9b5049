use std::collections::HashMap;

use http::Method;

use super::{
    AuthInventory, RoleMap, ScopeCatalogue, ScopeLayer,
    layer::{Plan, ScopeGate},
    object::Objects,
    requirement::{Check, Requirement},
};
use crate::config_error::{ConfigError, ConfigIssues};

/// Builds a [`ScopeLayer`] that knows the requirement of every route of a router.
///
/// A route that is not in the table is refused: who adds a route and forgets its row finds out at
/// the first call, and nobody else does.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ScopeTableBuilder {
    rows: Vec<(Method, String, Option<Requirement>)>,
    roles: Option<RoleMap>,
    catalogue: Option<ScopeCatalogue>,
    objects: Objects,
}

impl ScopeTableBuilder {
    /// The requirement of one route: its method and its path, spelled as in `Router::route`, with
    /// the prefixes under which it is nested. `HEAD` follows `GET` unless it has a row of its own.
    pub fn route(mut self, method: Method, path: impl Into<String>, requirement: Requirement) -> Self {
        self.rows.push((method, path.into(), Some(requirement)));
        self
    }

    /// A route that everybody may call, anonymous callers included.
    pub fn public(mut self, method: Method, path: impl Into<String>) -> Self {
        self.rows.push((method, path.into(), None));
        self
    }

    /// On every route with a parameter in its path, `/orders/{id}`, the handler must show that the
    /// caller may have the object: as if each of these requirements were
    /// [`object_level`](Requirement::object_level), unless it says
    /// [`own_allowed`](Requirement::own_allowed) or [`function_level`](Requirement::function_level).
    /// Who adds a route cannot forget it then. Default: only where a requirement says so.
    pub fn object_level(mut self) -> Self {
        self.objects = Objects::Each;
        self
    }

    /// What the callers' roles stand for. Default: roles stand for nothing.
    pub fn roles(mut self, roles: RoleMap) -> Self {
        self.roles = Some(roles);
        self
    }

    /// The scopes that there are: another one in a row is a mistake. Default: any is taken.
    pub fn catalogue(mut self, catalogue: &ScopeCatalogue) -> Self {
        self.catalogue = Some(catalogue.clone());
        self
    }

    /// The layer.
    ///
    /// # Errors
    /// If there is no row, a route comes twice, a path is not one, or a requirement names no scope,
    /// or one that is none or not in the catalogue.
    pub fn build(mut self) -> Result<ScopeLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
        if self.rows.is_empty() {
            issues.add("route", "the table has no rows, so every call would be refused", "add route(…) or public(…)");
        }
        if self.objects == Objects::Each {
            for (_, path, requirement) in &mut self.rows {
                *requirement = requirement.take().map(|requirement| requirement.at(path));
            }
        }
        // What the list says is what is asked.
        let mut table = Table { inventory: AuthInventory::of(&self.rows), ..Table::default() };
        for (method, path, requirement) in self.rows {
            let field = format!("route[{method} {path}]");
            check_path(&path, &field, &mut issues);
            let row = match requirement {
                Some(requirement) => Row::Needs(requirement.compile(&field, self.catalogue.as_ref(), &mut issues)),
                None => Row::Public,
            };
            let rows = table.paths.entry(path.into_boxed_str()).or_default();
            if rows.iter().any(|(held, _)| *held == method) {
                issues.add(field, "the route is there twice", "keep one row for each method and path");
            }
            rows.push((method, row));
        }
        issues.finish(ScopeLayer::new(ScopeGate { plan: Plan::Table(table), roles: self.roles }))
    }
}

fn check_path(path: &str, field: &str, issues: &mut ConfigIssues) {
    if !path.starts_with('/') {
        issues.add(field.to_owned(), "the path does not begin with /", "spell it as in Router::route");
    }
    if path.split('/').any(|segment| segment.starts_with([':', '*'])) {
        issues.add(field.to_owned(), "the path has a parameter in axum 0.7's spelling", "write {id} or {*rest}");
    }
}

/// Rows by path and method.
#[derive(Debug, Default)]
pub(super) struct Table {
    paths: HashMap<Box<str>, Vec<(Method, Row)>>,
    inventory: AuthInventory,
}

#[derive(Debug)]
pub(super) enum Row {
    Public,
    Needs(Check),
}

impl Table {
    pub(super) fn inventory(&self) -> &AuthInventory {
        &self.inventory
    }

    /// One hash of the path and a look at each of its methods.
    pub(super) fn find(&self, method: &Method, path: &str) -> Option<&Row> {
        let rows = self.paths.get(path)?;
        let row = |wanted: &Method| rows.iter().find(|(held, _)| held == wanted).map(|(_, row)| row);
        // axum answers HEAD with the handler of GET.
        row(method).or_else(|| if method == Method::HEAD { row(&Method::GET) } else { None })
    }
}
