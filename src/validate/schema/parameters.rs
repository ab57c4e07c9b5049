//! Parameters that are ready to be asked about.

use std::borrow::Cow;

use axum::extract::MatchedPath;
use http::{Extensions, HeaderMap, HeaderName, Uri, header};
use serde_json::Value;

use super::{
    Checked, Parameter,
    checked::step,
    coerce::{Types, meanings},
    parameter::{List, Place},
    query::{self, Pair, decode_form},
};
use crate::{
    config_error::ConfigIssues,
    lint::Lints,
    rejection::{Rejection, RejectionKind},
    request::path_param,
    validate::{
        SchemaStatus,
        finding::{self, Finding, MOST_FINDINGS},
    },
};

/// Those of one route.
#[derive(Debug, Default)]
pub(in super::super) struct Parameters {
    each: Box<[Ready]>,
    reads_query: bool,
    closed_query: bool,
}

#[derive(Debug)]
struct Ready {
    place: Place,
    name: Box<str>,
    header: Option<HeaderName>,
    /// Which parameter of the route's path, counted from zero: names may differ.
    index: Option<usize>,
    required: bool,
    list: Option<List>,
    types: Types,
    items: Types,
    allow_empty: bool,
    schema: Checked,
    /// `/query/limit`
    pointer: String,
}

/// What stands in a request under one name.
type Texts<'a> = Vec<Cow<'a, str>>;

impl Parameters {
    pub(in super::super) fn compile(
        parameters: &[Parameter],
        closed_query: bool,
        template: Option<&str>,
        field: &str,
        issues: &mut ConfigIssues,
        lints: &mut Lints,
    ) -> Self {
        let mut each: Vec<Ready> = Vec::new();
        for parameter in parameters {
            let place = parameter.place.name();
            let field = format!("{field}parameter[{place} {}]", parameter.name);
            let same = |held: &Ready| held.place == parameter.place && held.is_called(&parameter.name);
            if each.iter().any(same) {
                issues.add(field.clone(), "it stands twice", "keep one");
            }
            each.extend(Ready::compile(parameter, template, &field, issues, lints));
        }
        let reads_query = closed_query || each.iter().any(|parameter| parameter.place == Place::Query);
        Self { each: each.into_boxed_slice(), reads_query, closed_query }
    }

    pub(in super::super) fn check(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        extensions: &Extensions,
        status: SchemaStatus,
    ) -> Result<(), Rejection> {
        if self.each.is_empty() && !self.closed_query {
            return Ok(());
        }
        let query = if self.reads_query { uri.query().unwrap_or_default() } else { "" };
        let unreadable = || Rejection::new(RejectionKind::InvalidRequest).with_detail("A parameter is not readable.");
        let pairs = query::pairs(query).ok_or_else(unreadable)?;
        let mut findings = Vec::new();
        for parameter in &self.each {
            let texts = parameter.texts(&pairs, uri, headers, extensions).ok_or_else(unreadable)?;
            parameter.look(&texts, &mut findings);
        }
        if self.closed_query && pairs.iter().any(|pair| !self.knows(&pair.name)) {
            findings.push(unknown());
        }
        if findings.is_empty() { Ok(()) } else { Err(finding::refuse(status, findings)) }
    }

    fn knows(&self, name: &str) -> bool {
        self.each.iter().any(|parameter| parameter.place == Place::Query && *parameter.name == *name)
    }
}

fn unknown() -> Finding {
    Finding {
        pointer: "/query".into(),
        schema_pointer: String::new(),
        keyword: "additionalProperties".into(),
        detail: "has a parameter that there is not".into(),
    }
}

impl Ready {
    fn compile(
        parameter: &Parameter,
        template: Option<&str>,
        field: &str,
        issues: &mut ConfigIssues,
        lints: &mut Lints,
    ) -> Option<Self> {
        let header = HeaderName::try_from(parameter.name.as_str()).ok().filter(|_| parameter.place == Place::Header);
        let names = template.map(|template| parameter_names(template).collect::<Vec<_>>());
        let index = names.as_ref().and_then(|names| names.iter().position(|name| *name == parameter.name));
        match parameter.place {
            Place::Path if names.is_some() && index.is_none() => {
                issues.add(
                    field.to_owned(),
                    "the path has no parameter of that name",
                    "name one that stands in braces",
                );
            }
            Place::Header if header.is_none() => {
                issues.add(field.to_owned(), "it is no name of a header field", "use letters, digits and hyphens");
            }
            _ if parameter.name.is_empty() => issues.add(field.to_owned(), "it has no name", "give it one"),
            _ => {}
        }
        if parameter.allow_empty && parameter.place != Place::Query {
            issues.add(field.to_owned(), "only a query has parameters without a value", "leave allow_empty() out");
        }
        let schema = parameter.schema.compile(&format!("{field}.schema"), issues, lints)?;
        let root = parameter.schema.value()?;
        let (types, items) = (types_of(root, root, HOPS), types_of(items_of(root, root), root, HOPS));
        if types.has_object() || items.has_object() || items.has_array() {
            issues.add(
                field.to_owned(),
                "objects, and lists in lists, are not read from parameters",
                "use numbers, text, or a list of them; send what is larger in the body",
            );
        }
        Some(Self {
            place: parameter.place,
            name: parameter.name.as_str().into(),
            header,
            index,
            required: parameter.required,
            list: if types.has_array() { Some(parameter.list) } else { None },
            types,
            items,
            allow_empty: parameter.allow_empty,
            schema,
            pointer: step(&format!("/{}", parameter.place.name()), &parameter.name),
        })
    }

    fn is_called(&self, name: &str) -> bool {
        if self.place == Place::Header { self.name.eq_ignore_ascii_case(name) } else { *self.name == *name }
    }

    /// `None` if what is there cannot be read.
    fn texts<'a>(
        &self,
        pairs: &'a [Pair<'a>],
        uri: &Uri,
        headers: &'a HeaderMap,
        extensions: &Extensions,
    ) -> Option<Texts<'a>> {
        let commas = self.list == Some(List::Commas);
        match self.place {
            Place::Query => {
                let named = pairs.iter().filter(|pair| *pair.name == *self.name);
                if commas {
                    // A comma that is encoded separates nothing.
                    let written = named.flat_map(|pair| pair.written.split(','));
                    return written.map(decode_form).collect();
                }
                Some(named.map(|pair| Cow::Borrowed(&*pair.value)).collect())
            }
            Place::Path => {
                Some(self.in_path(uri, extensions).map(|text| split(Cow::Owned(text), commas)).unwrap_or_default())
            }
            Place::Header => {
                let lines = headers.get_all(self.header.as_ref()?).iter();
                lines
                    .map(|line| line.to_str().ok().map(|text| split(Cow::Borrowed(text.trim()), commas)))
                    .collect::<Option<Vec<_>>>()
                    .map(|lines| lines.concat())
            }
            Place::Cookie => {
                let lines = headers.get_all(header::COOKIE).iter();
                let lines = lines.map(|line| line.to_str().ok()).collect::<Option<Vec<_>>>()?;
                let pieces =
                    lines.into_iter().flat_map(|line| line.split(';')).filter_map(|piece| piece.trim().split_once('='));
                let named = pieces.filter(|(name, _)| *name == &*self.name);
                Some(named.flat_map(|(_, value)| split(Cow::Borrowed(value), commas)).collect())
            }
        }
    }

    fn in_path(&self, uri: &Uri, extensions: &Extensions) -> Option<String> {
        let Some(index) = self.index else { return path_param(extensions, uri, &self.name) };
        // The route may call it something else.
        let route = extensions.get::<MatchedPath>()?;
        path_param(extensions, uri, parameter_names(route.as_str()).nth(index)?)
    }

    fn look(&self, texts: &[Cow<'_, str>], findings: &mut Vec<Finding>) {
        let Some(first) = texts.first() else {
            if self.required {
                findings.push(self.finding("required", "must be there"));
            }
            return;
        };
        if self.allow_empty && texts.iter().all(|text| text.is_empty()) {
            return;
        }
        if self.list.is_none() {
            if texts.len() > 1 {
                findings.push(self.finding("type", "stands several times, and is no list"));
                return;
            }
            self.judge(&meanings(first, self.types), findings);
            return;
        }
        let items = texts.iter().filter_map(|text| meanings(text, self.items).into_iter().next()).collect();
        self.judge(&[Value::Array(items)], findings);
    }

    /// One of them must be right; else what is wrong with the first is told.
    fn judge(&self, meanings: &[Value], findings: &mut Vec<Finding>) {
        if meanings.iter().any(|value| self.schema.is_valid(value)) {
            return;
        }
        let told = meanings.first().map(|value| self.schema.findings(value, 0)).unwrap_or_default();
        findings.extend(
            told.into_iter()
                .take(MOST_FINDINGS)
                .map(|finding| Finding { pointer: format!("{}{}", self.pointer, finding.pointer), ..finding }),
        );
    }

    fn finding(&self, keyword: &str, detail: &str) -> Finding {
        Finding {
            pointer: self.pointer.clone(),
            schema_pointer: String::new(),
            keyword: keyword.into(),
            detail: detail.into(),
        }
    }
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }
}

fn split(text: Cow<'_, str>, commas: bool) -> Texts<'_> {
    if !commas || !text.contains(',') {
        return vec![text];
    }
    match text {
        Cow::Borrowed(text) => text.split(',').map(|item| Cow::Borrowed(item.trim())).collect(),
        Cow::Owned(text) => text.split(',').map(|item| Cow::Owned(item.trim().to_owned())).collect(),
    }
}

fn parameter_names(template: &str) -> impl Iterator<Item = &str> {
    template
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| name.strip_prefix('*').unwrap_or(name))
}

/// A `$ref` that leads in a circle names no type.
const HOPS: usize = 16;

fn resolved<'a>(schema: &'a Value, root: &'a Value) -> Option<&'a Value> {
    root.pointer(schema.get("$ref")?.as_str()?.strip_prefix('#')?)
}

/// The types that a schema names, as far as it does.
fn types_of(schema: &Value, root: &Value, hops: usize) -> Types {
    let Some(hops) = hops.checked_sub(1) else { return Types::default() };
    let all = |schemas: &Value| {
        let schemas = schemas.as_array().map(Vec::as_slice).unwrap_or_default();
        schemas.iter().fold(Types::default(), |types, schema| types.or(types_of(schema, root, hops)))
    };
    let own = match schema.get("type") {
        Some(Value::String(name)) => Types::of_name(name),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).fold(Types::default(), |types, name| types.or(Types::of_name(name)))
        }
        _ => Types::default(),
    };
    if !own.is_empty() {
        return own;
    }
    let values =
        schema.get("const").into_iter().chain(schema.get("enum").and_then(Value::as_array).into_iter().flatten());
    let mut types = values.fold(Types::default(), |types, value| types.or(Types::of_value(value)));
    for keyword in ["allOf", "anyOf", "oneOf"] {
        types = types.or(schema.get(keyword).map(all).unwrap_or_default());
    }
    resolved(schema, root).map_or(types, |target| types.or(types_of(target, root, hops)))
}

/// What the items of a list are.
fn items_of<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let list = resolved(schema, root).filter(|_| schema.get("items").is_none()).unwrap_or(schema);
    list.get("items").unwrap_or(&Value::Null)
}
