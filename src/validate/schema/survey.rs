//! Looks through a schema before it is compiled: for what is doubtful, for what other versions of
//! `OpenAPI` have, and for formats that bound numbers.

use serde_json::{Map, Value, json};

use crate::{
    config_error::ConfigIssues,
    lint::Lints,
    validate::lints::{OPEN_OBJECT, READ_ONLY, UNBOUNDED},
};

/// Keywords whose value is a schema.
const ONE: [&str; 6] =
    ["additionalProperties", "unevaluatedProperties", "items", "unevaluatedItems", "contains", "propertyNames"];
/// The same, where the object that is described is the outer schema's.
const SAME: [&str; 4] = ["not", "if", "then", "else"];
/// Keywords whose value is a list of schemas; the first three describe the outer schema's object.
const MANY: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value has a schema for each name.
const NAMED: [&str; 6] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "schemas"];

/// The places of what was found.
#[derive(Debug, Default)]
struct Survey {
    open: Vec<String>,
    unbounded: Vec<String>,
    read_only: Vec<String>,
    nullable: Vec<String>,
    /// What a branch refers to: it describes another schema's object.
    branches: Vec<String>,
}

/// Reports, and makes assertions of what `OpenAPI`'s formats say of numbers.
pub(super) fn prepare(schema: &mut Value, field: &str, issues: &mut ConfigIssues, lints: &mut Lints) {
    let mut survey = Survey::default();
    survey.visit(schema, "", false);
    survey.open.retain(|place| !survey.branches.contains(place));
    for place in &survey.nullable {
        issues.add(
            format!("{field}{place}"),
            "nullable is OpenAPI 3.0's, and means nothing in JSON Schema",
            "write \"type\": [\"string\", \"null\"]",
        );
    }
    let mut add = |lint, places: &[String], message: &'static str| {
        if !places.is_empty() {
            let some: Vec<&str> =
                places.iter().take(5).map(|place| if place.is_empty() { "/" } else { place }).collect();
            lints.add(lint, field.to_owned(), format!("{}: {message}", places.len()), Some(&some.join(" ")));
        }
    };
    add(&OPEN_OBJECT, &survey.open, "objects take members that are not described");
    add(&UNBOUNDED, &survey.unbounded, "strings or arrays may be as long as the body");
    add(&READ_ONLY, &survey.read_only, "members are marked as read-only, and requests may set them");
}

impl Survey {
    /// `branch`: it describes the same object as the schema that it stands in.
    fn visit(&mut self, schema: &mut Value, place: &str, branch: bool) {
        let Value::Object(keywords) = schema else { return };
        self.look(keywords, place, branch);
        bound_number(keywords);
        for (keyword, value) in keywords.iter_mut() {
            let at = format!("{place}/{keyword}");
            let keyword = keyword.as_str();
            if ONE.contains(&keyword) || SAME.contains(&keyword) {
                self.visit(value, &at, SAME.contains(&keyword));
            } else if let (true, Value::Array(schemas)) = (MANY.contains(&keyword), &mut *value) {
                for (index, schema) in schemas.iter_mut().enumerate() {
                    self.visit(schema, &format!("{at}/{index}"), keyword != "prefixItems");
                }
            } else if let (true, Value::Object(named)) = (NAMED.contains(&keyword), &mut *value) {
                for (name, schema) in named.iter_mut() {
                    self.visit(schema, &super::checked::step(&at, name), keyword == "dependentSchemas");
                }
            } else if keyword == "components" && place.is_empty() {
                // The part of an OpenAPI document that came with the schema.
                self.visit(value, &at, true);
            }
        }
    }

    fn look(&mut self, keywords: &Map<String, Value>, place: &str, branch: bool) {
        let has = |names: &[&str]| names.iter().any(|name| keywords.contains_key(*name));
        let is = |kind: &str| match keywords.get("type") {
            Some(Value::String(name)) => name == kind,
            Some(Value::Array(names)) => names.iter().any(|name| name == kind),
            _ => false,
        };
        if keywords.get("nullable").is_some_and(Value::is_boolean) {
            self.nullable.push(place.to_owned());
        }
        if keywords.get("readOnly") == Some(&Value::Bool(true)) {
            self.read_only.push(place.to_owned());
        }
        if !branch
            && keywords.get("properties").is_some_and(Value::is_object)
            && !has(&["additionalProperties", "unevaluatedProperties"])
        {
            self.open.push(place.to_owned());
        }
        let string = is("string") && !has(&["maxLength", "enum", "const", "pattern", "format"]);
        if string || (is("array") && !has(&["maxItems", "enum", "const"])) {
            self.unbounded.push(place.to_owned());
        }
        let target = keywords.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
        if let Some(target) = target.filter(|_| branch) {
            self.branches.push(target.to_owned());
        }
    }
}

/// `int32` and `int64` bound the number that they describe (`OpenAPI`'s format registry).
fn bound_number(keywords: &mut Map<String, Value>) {
    let (least, most) = match keywords.get("format").and_then(Value::as_str) {
        Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
        Some("int64") => (i64::MIN, i64::MAX),
        _ => return,
    };
    for (keyword, exclusive, bound) in [("minimum", "exclusiveMinimum", least), ("maximum", "exclusiveMaximum", most)] {
        if !keywords.contains_key(keyword) && !keywords.contains_key(exclusive) {
            keywords.insert(keyword.to_owned(), json!(bound));
        }
    }
}
