use http::Method;

use super::{
    content,
    document::{Document, Part},
    parameter,
};
use crate::{
    config_error::ConfigIssues,
    validate::{Rule, Rules},
};

const DIALECTS: [&str; 2] =
    ["https://spec.openapis.org/oas/3.1/dialect/base", "https://json-schema.org/draft/2020-12/schema"];

const METHODS: [(&str, Method); 8] = [
    ("get", Method::GET),
    ("put", Method::PUT),
    ("post", Method::POST),
    ("delete", Method::DELETE),
    ("options", Method::OPTIONS),
    ("head", Method::HEAD),
    ("patch", Method::PATCH),
    ("trace", Method::TRACE),
];

const DOCUMENT: &[&str] = &[
    "openapi",
    "info",
    "jsonSchemaDialect",
    "servers",
    "paths",
    "webhooks",
    "components",
    "security",
    "tags",
    "externalDocs",
];

/// What an operation may have that says nothing of a request's shape, and what is read.
const OPERATION: &[&str] = &[
    "tags",
    "summary",
    "description",
    "externalDocs",
    "operationId",
    "parameters",
    "requestBody",
    "responses",
    "callbacks",
    "deprecated",
    "security",
];

/// The rules of the whole document.
pub(super) fn rules(document: &Document<'_>, issues: &mut ConfigIssues) -> Rules {
    let whole = document.whole();
    whole.only(DOCUMENT, issues);
    check_version(&whole, issues);
    let mut rules = Rules::new();
    let Some(paths) = whole.get("paths") else {
        whole.complain(issues, "it has no paths", "describe the routes");
        return rules;
    };
    for (path, item) in paths.members(issues) {
        if path.starts_with("x-") {
            continue;
        }
        if !path.starts_with('/') {
            item.complain(issues, "a path begins with /", "correct the document");
            continue;
        }
        let Some(item) = document.resolve(item, issues) else { continue };
        rules = path_item(document, path, &item, rules, issues);
    }
    rules
}

fn check_version(whole: &Part<'_>, issues: &mut ConfigIssues) {
    if !whole.text("openapi").is_some_and(|version| version == "3.1" || version.starts_with("3.1.")) {
        let part = whole.get("openapi").unwrap_or_else(|| whole.clone());
        part.complain(issues, "it is no OpenAPI 3.1", "convert the document: older versions have other schemas");
    }
    if let Some(dialect) = whole.get("jsonSchemaDialect")
        && !dialect.value.as_str().is_some_and(|name| DIALECTS.contains(&name))
    {
        dialect.complain(issues, "this crate does not know the dialect", "use that of OpenAPI 3.1, or draft 2020-12");
    }
}

fn path_item(
    document: &Document<'_>,
    path: &str,
    item: &Part<'_>,
    mut rules: Rules,
    issues: &mut ConfigIssues,
) -> Rules {
    let known: Vec<&str> =
        METHODS.iter().map(|(name, _)| *name).chain(["summary", "description", "parameters"]).collect();
    item.only(&known, issues);
    let shared = item.get("parameters");
    for (name, method) in &METHODS {
        if let Some(operation) = item.get(name) {
            rules = rules.route(method.clone(), path, rule(document, &operation, shared.as_ref(), issues));
        }
    }
    rules
}

fn rule(document: &Document<'_>, operation: &Part<'_>, shared: Option<&Part<'_>>, issues: &mut ConfigIssues) -> Rule {
    operation.only(OPERATION, issues);
    let rule = match operation.get("requestBody") {
        None => Rule::bodyless(),
        Some(body) => match document.resolve(body, issues) {
            Some(body) => content::rule(document, &body, issues),
            None => Rule::bodyless(),
        },
    };
    let parameters = parameter::all(document, operation.get("parameters").as_ref(), shared, issues);
    parameters.into_iter().fold(rule, Rule::parameter)
}
