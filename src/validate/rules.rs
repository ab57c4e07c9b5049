use std::{collections::HashMap, sync::Arc};

use http::{HeaderValue, Method, header};

use super::{
    Rule,
    rule::{Compiled, Defaults},
};
use crate::{
    config_error::ConfigIssues,
    lint::Lints,
    rejection::{Rejection, RejectionKind},
};

/// The rules of a router's routes, by method and path: a registry that is made in one place and given
/// to the layer, whole or in parts.
///
/// ```
/// use http::Method;
/// use portcullis::validate::{Rule, Rules};
///
/// let orders = Rules::new()
///     .route(Method::POST, "/orders", Rule::json().max_body(64 * 1024))
///     .route(Method::DELETE, "/orders/{id}", Rule::bodyless());
/// let all = Rules::new().nest("/v1", orders);
/// # let _ = all;
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Rules {
    pub(super) rows: Vec<(Method, String, Rule)>,
}

impl Rules {
    /// No rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// The rule of one route: its method and its path, spelled as in `Router::route`, with the
    /// prefixes under which it is nested. Parameters may have other names than there. `HEAD` follows
    /// `GET` unless it has a row of its own.
    pub fn route(mut self, method: Method, path: impl Into<String>, rule: Rule) -> Self {
        self.rows.push((method, path.into(), rule));
        self
    }

    /// All rules of another registry.
    pub fn merge(mut self, other: Self) -> Self {
        self.rows.extend(other.rows);
        self
    }

    /// All rules of another registry, under a prefix.
    pub fn nest(mut self, prefix: &str, other: Self) -> Self {
        let prefix = prefix.trim_end_matches('/');
        self.rows.extend(other.rows.into_iter().map(|(method, path, rule)| {
            let path = if path == "/" && !prefix.is_empty() { prefix.to_owned() } else { format!("{prefix}{path}") };
            (method, path, rule)
        }));
        self
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

type Row = (Method, Arc<Compiled>);

/// Rules by path and method.
#[derive(Debug, Default)]
pub(super) struct Table {
    paths: HashMap<Box<str>, Vec<Row>>,
    /// The path that the rules have, by what is the same however its parameters are named.
    shapes: HashMap<String, Box<str>>,
}

/// What the table has for a request.
#[derive(Debug)]
pub(super) enum Found<'a> {
    Rule(&'a Arc<Compiled>),
    /// The path is listed, for other methods.
    Others(&'a [Row]),
    Nothing,
}

impl Table {
    pub(super) fn compile(rules: &Rules, defaults: &Defaults, issues: &mut ConfigIssues, lints: &mut Lints) -> Self {
        let mut table = Self::default();
        for (method, path, rule) in &rules.rows {
            let name = format!("route[{method} {path}]");
            check_path(path, &name, issues);
            let field = format!("{name}.");
            let compiled = rule.compile(Some(path), &field, defaults, issues, lints);
            compiled.lint_shape(method, &field, lints);
            let held = table.shapes.entry(shape(path)).or_insert_with(|| path.as_str().into());
            if **held != **path {
                let reason = format!("{held} matches the same paths");
                issues.add(name.clone(), reason, "give the parameters the same names everywhere");
            }
            let rows = table.paths.entry(path.as_str().into()).or_default();
            if rows.iter().any(|(held, _)| held == method) {
                issues.add(name, "the route is there twice", "keep one row for each method and path");
            }
            rows.push((method.clone(), Arc::new(compiled)));
        }
        table
    }

    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = &Arc<Compiled>> {
        self.paths.values().flatten().map(|(_, rule)| rule)
    }

    pub(super) fn find(&self, method: &Method, route: &str) -> Found<'_> {
        let same = || {
            // Only a path with parameters can be spelled in two ways.
            let held = if route.contains('{') { self.shapes.get(&shape(route)) } else { None };
            held.and_then(|path| self.paths.get(path))
        };
        let Some(rows) = self.paths.get(route).or_else(same) else { return Found::Nothing };
        let row = |wanted: &Method| rows.iter().find(|(held, _)| held == wanted).map(|(_, rule)| rule);
        // axum answers HEAD with the handler of GET.
        let found = row(method).or_else(|| if method == Method::HEAD { row(&Method::GET) } else { None });
        found.map_or(Found::Others(rows), Found::Rule)
    }
}

/// What is not listed.
pub(super) fn unlisted(found: &Found<'_>) -> Rejection {
    let Found::Others(rows) = found else { return RejectionKind::NotFound.into() };
    let head = if rows.iter().any(|(method, _)| method == Method::GET) { Some("HEAD") } else { None };
    let mut methods: Vec<&str> = rows.iter().map(|(method, _)| method.as_str()).chain(head).collect();
    methods.sort_unstable();
    methods.dedup();
    let rejection = Rejection::new(RejectionKind::MethodNotAllowed);
    match HeaderValue::try_from(methods.join(", ")) {
        Ok(allow) => rejection.with_header(header::ALLOW, allow),
        Err(_) => rejection,
    }
}

/// The path without the names of its parameters.
fn shape(path: &str) -> String {
    let blank = |segment: &str| match segment.strip_prefix('{') {
        Some(rest) if rest.starts_with('*') => "{*}".to_owned(),
        Some(_) => "{}".to_owned(),
        None => segment.to_owned(),
    };
    path.split('/').map(blank).collect::<Vec<_>>().join("/")
}

fn check_path(path: &str, field: &str, issues: &mut ConfigIssues) {
    if !path.starts_with('/') {
        issues.add(field.to_owned(), "the path does not begin with /", "spell it as in Router::route");
    }
    if path.split('/').any(|segment| segment.starts_with([':', '*'])) {
        issues.add(field.to_owned(), "the path has a parameter in axum 0.7's spelling", "write {id} or {*rest}");
    }
    let partial = |segment: &str| {
        segment.contains(['{', '}'])
            && !(segment.starts_with('{') && segment.ends_with('}') && segment.matches(['{', '}']).count() == 2)
    };
    if path.split('/').any(partial) {
        let cure = "axum routes whole segments: write /{name}, and check the rest by a parameter's pattern";
        issues.add(field.to_owned(), "a parameter is only a part of its segment", cure);
    }
}
