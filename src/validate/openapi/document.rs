use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{
    config_error::ConfigIssues,
    validate::{Schema, schema::step},
};

/// A chain of references that is longer leads in a circle.
const HOPS: usize = 16;

/// The document, and what is to be left unchecked.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) root: &'a Value,
    unchecked: &'a [String],
}

/// A part of the document, and its place in it as a JSON pointer.
#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    pub(super) value: &'a Value,
    pub(super) at: String,
}

impl<'a> Part<'a> {
    /// A member, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<Self> {
        self.value.get(name).map(|value| Self { value, at: step(&self.at, name) })
    }

    /// The members of an object. Something else has none, and is a mistake.
    pub(super) fn members(&self, issues: &mut ConfigIssues) -> Vec<(&'a str, Self)> {
        let Value::Object(members) = self.value else {
            self.complain(issues, "it is no object", "correct the document");
            return Vec::new();
        };
        let part = |(name, value): (&'a String, &'a Value)| (name.as_str(), Self { value, at: step(&self.at, name) });
        members.iter().map(part).collect()
    }

    /// The items of an array. Something else has none, and is a mistake.
    pub(super) fn items(&self, issues: &mut ConfigIssues) -> Vec<Self> {
        let Value::Array(items) = self.value else {
            self.complain(issues, "it is no array", "correct the document");
            return Vec::new();
        };
        let part = |(index, value)| Self { value, at: format!("{}/{index}", self.at) };
        items.iter().enumerate().map(part).collect()
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.value.get(name).and_then(Value::as_str)
    }

    /// Whether a member says yes. What is neither yes nor no is a mistake.
    pub(super) fn says(&self, name: &str, otherwise: Said, issues: &mut ConfigIssues) -> Said {
        match self.get(name) {
            None => otherwise,
            Some(part) => match part.value {
                Value::Bool(true) => Said::Yes,
                Value::Bool(false) => Said::No,
                _ => {
                    part.complain(issues, "it is neither true nor false", "correct the document");
                    otherwise
                }
            },
        }
    }

    /// Reports a member that `OpenAPI` does not have here, or that means something this crate cannot check.
    pub(super) fn only(&self, known: &[&str], issues: &mut ConfigIssues) {
        for (name, part) in self.members(issues) {
            if !known.contains(&name) && !name.starts_with("x-") {
                part.complain(issues, "this crate does not know what it asks of requests", "remove it");
            }
        }
    }

    pub(super) fn complain(&self, issues: &mut ConfigIssues, reason: &'static str, cure: &'static str) {
        issues.add(format!("openapi#{}", self.at), reason, cure);
    }
}

/// Yes or no, as the document says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Yes,
    No,
}

impl<'a> Document<'a> {
    pub(super) fn new(root: &'a Value, unchecked: &'a [String]) -> Self {
        Self { root, unchecked }
    }

    pub(super) fn whole(&self) -> Part<'a> {
        Part { value: self.root, at: String::new() }
    }

    pub(super) fn is_unchecked(&self, media_type: &str) -> bool {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        self.unchecked.iter().any(|held| held.eq_ignore_ascii_case(essence))
    }

    /// What a `$ref` leads to; the part itself where there is none.
    pub(super) fn resolve(&self, part: Part<'a>, issues: &mut ConfigIssues) -> Option<Part<'a>> {
        let mut part = part;
        for _ in 0..HOPS {
            let Some(target) = part.text("$ref") else { return Some(part) };
            let found = target.strip_prefix('#').and_then(|at| self.root.pointer(at).map(|value| (at, value)));
            let Some((at, value)) = found else {
                part.complain(issues, "its $ref leads to no place in this document", "bundle what it refers to");
                return None;
            };
            part = Part { value, at: at.to_owned() };
        }
        part.complain(issues, "its $ref leads in a circle", "correct the document");
        None
    }

    /// A schema, with the schemas of the document that it needs.
    pub(super) fn schema(&self, part: &Part<'_>) -> Schema {
        let mut schema = match part.value {
            Value::Object(keywords) => keywords.clone(),
            // `true` and `false` are schemas, too; a value that is none is found when it is compiled.
            other => Map::from_iter([("allOf".to_owned(), json!([other]))]),
        };
        let mut names = BTreeSet::new();
        self.collect(part.value, &mut names);
        if !names.is_empty() {
            let all = self.root.pointer("/components/schemas");
            let held = |name: String| all.and_then(|all| all.get(&name)).cloned().map(|schema| (name, schema));
            let needed: Map<String, Value> = names.into_iter().filter_map(held).collect();
            schema.insert("components".to_owned(), json!({ "schemas": needed }));
        }
        Schema::within(Value::Object(schema), &part.at)
    }

    /// The names of the schemas that are needed, and those that they need.
    fn collect(&self, value: &Value, names: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                let target = members.get("$ref").and_then(Value::as_str);
                let name = target.and_then(|target| target.strip_prefix("#/components/schemas/"));
                if let Some(name) = name.and_then(|rest| rest.split('/').next()) {
                    let name = name.replace("~1", "/").replace("~0", "~");
                    let schema = self.root.pointer("/components/schemas").and_then(|all| all.get(&name));
                    if names.insert(name)
                        && let Some(schema) = schema
                    {
                        self.collect(schema, names);
                    }
                }
                members.values().for_each(|value| self.collect(value, names));
            }
            Value::Array(items) => items.iter().for_each(|value| self.collect(value, names)),
            _ => {}
        }
    }
}
