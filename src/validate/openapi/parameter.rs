use super::document::{Document, Part, Said};
use crate::{config_error::ConfigIssues, validate::Parameter};

const KNOWN: &[&str] = &[
    "name",
    "in",
    "description",
    "required",
    "deprecated",
    "allowEmptyValue",
    "style",
    "explode",
    // It is about what is not encoded: what is decoded is the same.
    "allowReserved",
    "schema",
    "example",
    "examples",
    "content",
];

/// Header fields that `OpenAPI` describes elsewhere; a parameter of that name is to be ignored (§4.8.12).
const ELSEWHERE: [&str; 3] = ["accept", "content-type", "authorization"];

/// The operation's parameters, and those of its path that it does not replace.
pub(super) fn all<'a>(
    document: &Document<'a>,
    own: Option<&Part<'a>>,
    shared: Option<&Part<'a>>,
    issues: &mut ConfigIssues,
) -> Vec<Parameter> {
    let mut parts: Vec<Part<'a>> = Vec::new();
    let key = |part: &Part<'a>| (part.text("in").map(str::to_owned), part.text("name").map(str::to_owned));
    for (list, replaces) in [(shared, false), (own, true)] {
        let items = list.map(|list| list.items(issues)).unwrap_or_default();
        for part in items.into_iter().filter_map(|item| document.resolve(item, issues)).collect::<Vec<_>>() {
            if replaces {
                parts.retain(|held| key(held) != key(&part) || held.at.starts_with(&own_prefix(own)));
            }
            parts.push(part);
        }
    }
    parts.iter().filter_map(|part| one(document, part, issues)).collect()
}

/// Two of one name within a list are a mistake, which the rule reports.
fn own_prefix(own: Option<&Part<'_>>) -> String {
    own.map_or_else(|| "\0".to_owned(), |own| format!("{}/", own.at))
}

fn one(document: &Document<'_>, part: &Part<'_>, issues: &mut ConfigIssues) -> Option<Parameter> {
    part.only(KNOWN, issues);
    let (Some(name), Some(place)) = (part.text("name"), part.text("in")) else {
        part.complain(issues, "it has no name, or no place", "correct the document");
        return None;
    };
    if let Some(content) = part.get("content") {
        content.complain(issues, "a parameter that is a document of its own cannot be checked", "send it in the body");
        return None;
    }
    let Some(schema) = part.get("schema") else {
        part.complain(issues, "it has no schema", "give it one; {} takes any text");
        return None;
    };
    let schema = document.schema(&schema);
    let (parameter, usual) = match place {
        "path" => (Parameter::path(name, schema), "simple"),
        "query" => (Parameter::query(name, schema), "form"),
        "header" if ELSEWHERE.iter().any(|known| name.eq_ignore_ascii_case(known)) => return None,
        "header" => (Parameter::header(name, schema), "simple"),
        "cookie" => (Parameter::cookie(name, schema), "form"),
        _ => {
            part.complain(issues, "there is no such place", "use path, query, header or cookie");
            return None;
        }
    };
    if let Some(style) = part.get("style").filter(|style| style.value != usual) {
        style.complain(issues, "parameters of this style cannot be read", "use form for queries, and simple else");
    }
    let required = part.says("required", Said::No, issues);
    if place == "path" && required == Said::No {
        part.complain(issues, "a parameter of the path is required", "write \"required\": true");
    }
    // `explode` is what `form` has by itself; in `simple` style it changes nothing for lists.
    let parameter = match part.says("explode", Said::Yes, issues) {
        Said::No if place == "query" => parameter.comma_separated(),
        _ => parameter,
    };
    let parameter = match part.says("allowEmptyValue", Said::No, issues) {
        Said::Yes => parameter.allow_empty(),
        Said::No => parameter,
    };
    Some(if required == Said::Yes { parameter.required() } else { parameter })
}
