use http::Method;

use super::{AuthMatrix, Endpoint, Expected, MatrixCaller, MatrixCheck, parse};
use crate::{
    authz::RoleMap,
    config_error::{ConfigError, ConfigIssues},
    identity::Scopes,
};

/// Builds an [`AuthMatrix`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct AuthMatrixBuilder {
    endpoints: Vec<Endpoint>,
    callers: Vec<(String, MatrixCaller)>,
    tables: Vec<String>,
    rows: Vec<Row>,
    expectations: Vec<(String, Method, String, Expected)>,
    examples: Vec<(String, String)>,
}

/// What one caller may do with one resource.
#[derive(Clone, Debug)]
struct Row {
    place: String,
    caller: String,
    resource: String,
    verbs: Vec<String>,
}

impl AuthMatrixBuilder {
    /// What a verb of a resource is in HTTP, and the scope that it takes.
    pub fn endpoint(
        mut self,
        resource: impl Into<String>,
        verb: impl Into<String>,
        method: Method,
        path: impl Into<String>,
        scope: impl Into<String>,
    ) -> Self {
        let (resource, verb, path, scope) = (resource.into(), verb.into(), path.into(), scope.into());
        self.endpoints.push(Endpoint { resource, verb, method, path, scope });
        self
    }

    /// Who a caller of the table is. Default: somebody with the role of that name, in lower case and
    /// with `_` for blanks.
    pub fn caller(mut self, name: impl Into<String>, caller: MatrixCaller) -> Self {
        self.callers.push((name.into(), caller));
        self
    }

    /// What a caller may do with a resource, in code: `.row("Support", "Refunds", ["Create"])`.
    pub fn row(
        mut self,
        caller: impl Into<String>,
        resource: impl Into<String>,
        verbs: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let (caller, resource) = (caller.into(), resource.into());
        let place = format!("row[{caller}, {resource}]");
        self.rows.push(Row { place, caller, resource, verbs: verbs.into_iter().map(Into::into).collect() });
        self
    }

    /// A table in Markdown or CSV: resources and callers, or expectations. See the
    /// [module](super).
    pub fn table(mut self, text: impl Into<String>) -> Self {
        self.tables.push(text.into());
        self
    }

    /// One more check. The caller is one of the table, one that [`caller`](Self::caller) names, or
    /// `anonymous`.
    pub fn expect(
        mut self,
        caller: impl Into<String>,
        method: Method,
        path: impl Into<String>,
        expected: Expected,
    ) -> Self {
        self.expectations.push((caller.into(), method, path.into(), expected));
        self
    }

    /// What stands for a parameter of a path when it is asked for. Default `1`.
    pub fn example(mut self, parameter: impl Into<String>, value: impl Into<String>) -> Self {
        self.examples.push((parameter.into(), value.into()));
        self
    }

    /// The matrix.
    ///
    /// # Errors
    /// If there is no endpoint or no row; a table is none, or names a resource, a verb, a caller or a
    /// method that there is not; a scope is none; or the matrix denies a caller what another of its
    /// cells includes.
    pub fn build(mut self) -> Result<AuthMatrix, ConfigError> {
        let mut issues = ConfigIssues::new();
        for (index, text) in std::mem::take(&mut self.tables).iter().enumerate() {
            self.read(index, text, &mut issues);
        }
        if self.endpoints.is_empty() || self.rows.is_empty() {
            let cure = "add endpoint(…) for each verb, and row(…) or table(…)";
            issues.add("endpoint", "the matrix has no endpoints or no rows", cure);
        }
        for endpoint in self.endpoints.iter().filter(|endpoint| !Scopes::is_requirement(&endpoint.scope)) {
            let field = format!("endpoint[{}, {}]", endpoint.resource, endpoint.verb);
            issues.add(field, format!("{:?} is not a scope", endpoint.scope), "write action:resource, without *");
        }
        self.look_at_rows(&mut issues);
        let names = self.columns();
        let roles = self.role_map(&names, &mut issues);
        for name in &names {
            self.look_for_contradictions(name, &mut issues);
        }
        let checks = self.checks(&names, &mut issues);
        let roles = issues.finish(roles)?;
        let roles =
            roles.ok_or_else(|| ConfigError::new("row", "nobody may do anything", "allow somebody something"))?;
        Ok(AuthMatrix { endpoints: self.endpoints, roles, checks })
    }

    fn read(&mut self, index: usize, text: &str, issues: &mut ConfigIssues) {
        let mut rows = parse::rows(text).into_iter();
        let Some((_, header)) = rows.next() else {
            issues.add(format!("table[{index}]"), "the table is empty", "give it a header and rows");
            return;
        };
        let is_list = header.iter().map(|cell| cell.to_lowercase()).eq(["caller", "method", "path", "expected"]);
        for (number, cells) in rows {
            let place = format!("table[{index}] line {number}");
            if cells.len() != header.len() {
                issues.add(
                    place,
                    "the row has another number of cells than the header",
                    "fill in each cell, with - for nothing",
                );
            } else if is_list {
                match expectation(&cells) {
                    Some(expectation) => self.expectations.push(expectation),
                    None => issues.add(
                        place,
                        "the expectation cannot be read",
                        "write caller, method, path, and allow, deny or a status",
                    ),
                }
            } else if let [resource, cells @ ..] = cells.as_slice() {
                self.rows.extend(header.iter().skip(1).zip(cells).map(|(caller, cell)| Row {
                    place: place.clone(),
                    caller: caller.clone(),
                    resource: resource.clone(),
                    verbs: parse::verbs(cell).map(str::to_owned).collect(),
                }));
            }
        }
    }

    /// Each resource and each verb is an endpoint.
    fn look_at_rows(&self, issues: &mut ConfigIssues) {
        for row in &self.rows {
            for verb in &row.verbs {
                if self.endpoint_of(&row.resource, verb).is_none() {
                    let reason = format!("there is no endpoint for {verb:?} of {:?}", row.resource);
                    issues.add(row.place.clone(), reason, "add endpoint(resource, verb, …), or correct the cell");
                }
            }
        }
    }

    fn endpoint_of(&self, resource: &str, verb: &str) -> Option<&Endpoint> {
        let is = |endpoint: &&Endpoint| endpoint.resource == resource && endpoint.verb.eq_ignore_ascii_case(verb);
        self.endpoints.iter().find(is)
    }

    /// The callers of the rows, each once, in the order of the table.
    fn columns(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for row in &self.rows {
            if !names.contains(&row.caller) {
                names.push(row.caller.clone());
            }
        }
        names
    }

    fn who(&self, name: &str) -> MatrixCaller {
        let named = self.callers.iter().rev().find(|(held, _)| held == name).map(|(_, caller)| caller.clone());
        named.unwrap_or_else(|| match name {
            "anonymous" => MatrixCaller::anonymous(),
            name => MatrixCaller::roles([name.to_lowercase().replace(' ', "_")]),
        })
    }

    fn allows(&self, name: &str, endpoint: &Endpoint) -> bool {
        let rows = self.rows.iter().filter(|row| row.caller == name && row.resource == endpoint.resource);
        rows.flat_map(|row| &row.verbs).any(|verb| verb.eq_ignore_ascii_case(&endpoint.verb))
    }

    /// The scopes of what the table lets a caller do.
    fn scopes_of(&self, name: &str) -> Vec<&str> {
        let allowed = self.endpoints.iter().filter(|endpoint| self.allows(name, endpoint));
        allowed.map(|endpoint| endpoint.scope.as_str()).collect()
    }

    /// Callers with one role give that role its scopes.
    fn role_map(&self, names: &[String], issues: &mut ConfigIssues) -> Option<RoleMap> {
        let mut builder = RoleMap::builder();
        for name in names {
            let (caller, scopes) = (self.who(name), self.scopes_of(name));
            match caller.held_roles() {
                [role] if !scopes.is_empty() => builder = builder.role(role, scopes),
                _ => {}
            }
        }
        issues.take("", builder.build())
    }

    /// A cell that says no, and another one of the same caller whose scope includes it.
    fn look_for_contradictions(&self, name: &str, issues: &mut ConfigIssues) {
        let caller = self.who(name);
        let by_table = self.scopes_of(name);
        let held = match caller.held_roles() {
            [_] => Scopes::from_own_data(by_table.iter().copied()),
            _ => Scopes::from_own_data(caller.held_scopes().iter().map(String::as_str)),
        };
        let Ok(held) = held else { return };
        for endpoint in &self.endpoints {
            let (allowed, has) = (self.allows(name, endpoint), held.satisfies(&endpoint.scope));
            if allowed != has && caller.held_roles().len() < 2 {
                let (resource, verb, scope) = (&endpoint.resource, &endpoint.verb, &endpoint.scope);
                let (says, what) = if has { ("denies", "includes") } else { ("allows", "lacks") };
                let reason = format!("the table {says} {verb} of {resource}, but what the caller holds {what} {scope}");
                let cure = "give the resource a scope of its own, or correct the cell";
                issues.add(format!("row[{name}, {resource}]"), reason, cure);
            }
        }
    }

    fn checks(&self, names: &[String], issues: &mut ConfigIssues) -> Vec<MatrixCheck> {
        let mut checks = Vec::new();
        let mut ask = |name: &str, caller: MatrixCaller, method: &Method, path: &str, expected| {
            let path = filled(path, &self.examples);
            checks.push(MatrixCheck { name: name.into(), caller, method: method.clone(), path, expected });
        };
        for endpoint in &self.endpoints {
            for name in names {
                let expected = if self.allows(name, endpoint) { Expected::Allowed } else { Expected::Denied };
                ask(name, self.who(name), &endpoint.method, &endpoint.path, expected);
            }
            let nobody = [("anonymous", MatrixCaller::anonymous()), ("without roles", MatrixCaller::roles([""; 0]))];
            for (name, caller) in nobody {
                ask(name, caller, &endpoint.method, &endpoint.path, Expected::Denied);
            }
        }
        for (name, method, path, expected) in &self.expectations {
            let known =
                name == "anonymous" || names.contains(name) || self.callers.iter().any(|(held, _)| held == name);
            if !known {
                let cure = "say who it is with caller(…)";
                issues.add(format!("expect[{name} {method} {path}]"), "there is no such caller", cure);
            }
            ask(name, self.who(name), method, path, *expected);
        }
        checks
    }
}

fn expectation(cells: &[String]) -> Option<(String, Method, String, Expected)> {
    let [caller, method, path, expected] = cells else { return None };
    let expected = match expected.to_lowercase().as_str() {
        "allow" | "allowed" | "yes" => Expected::Allowed,
        "deny" | "denied" | "no" => Expected::Denied,
        status => Expected::Status(status.parse().ok().filter(|status| (100..600).contains(status))?),
    };
    let method = Method::from_bytes(method.as_bytes()).ok()?;
    path.starts_with('/').then(|| (caller.clone(), method, path.clone(), expected))
}

/// A path with an example for each parameter.
pub(crate) fn filled(path: &str, examples: &[(String, String)]) -> String {
    let fill = |segment: &str| match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(name) => {
            let name = name.trim_start_matches('*');
            let example = examples.iter().rev().find(|(held, _)| held == name);
            example.map_or("1", |(_, value)| value).to_owned()
        }
        None => segment.to_owned(),
    };
    path.split('/').map(fill).collect::<Vec<_>>().join("/")
}
