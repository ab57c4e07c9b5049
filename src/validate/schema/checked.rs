use std::{fmt, sync::Arc};

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use serde_json::Value;

use super::{engine, survey, words};
use crate::{
    config_error::ConfigIssues,
    lint::Lints,
    validate::{
        finding::{Finding, MOST_FINDINGS},
        json::{self, Bounds, DEEPEST, JsonFault},
    },
};

/// The engine looks for all faults or for the first: of a larger text only the first is told, because
/// each of a million wrong numbers would be an object of its own.
const EXPLAINED: usize = 16 * 1024;
/// A pointer repeats the names of members; a longer one is cut at one of its steps.
const LONGEST_POINTER: usize = 256;

/// A JSON Schema. It is compiled when the layer is built, which reports what is wrong with it.
///
/// Formats are asserted (`"format": "email"` refuses what is no address), and an unknown one is a
/// mistake. Patterns are those of the crate `regex`, which take linear time; look-around and
/// back-references are mistakes, too. Nothing is ever fetched: a `$ref` must lead to a place in the
/// same schema, such as `#/$defs/money`.
///
/// ```
/// use portcullis::validate::{Rule, Schema};
/// use serde_json::json;
///
/// let order = Schema::json(json!({
///     "type": "object",
///     "properties": { "pieces": { "type": "integer", "minimum": 1 } },
///     "required": ["pieces"],
///     "additionalProperties": false
/// }));
/// let rule = Rule::json().schema(order);
/// // As text, such as one that comes with `include_str!`.
/// let rule = Rule::json().schema(Schema::text(r#"{"type":"array","maxItems":100}"#));
/// # let _ = rule;
/// ```
#[derive(Clone)]
#[must_use]
pub struct Schema {
    text: Result<Arc<Value>, JsonFault>,
    /// Where it stands in the document that it comes from.
    base: Arc<str>,
}

impl Schema {
    /// The schema.
    pub fn json(schema: Value) -> Self {
        Self { text: Ok(Arc::new(schema)), base: "".into() }
    }

    /// The schema as JSON text.
    pub fn text(schema: &str) -> Self {
        let bounds = Bounds { depth: DEEPEST, values: usize::MAX };
        Self { text: json::parse(schema.as_bytes(), bounds).map(Arc::new), base: "".into() }
    }

    /// A schema that stands at `base` in an `OpenAPI` document; `components` of the document are in it.
    pub(in super::super) fn within(schema: Value, base: &str) -> Self {
        Self { text: Ok(Arc::new(schema)), base: base.into() }
    }

    pub(super) fn value(&self) -> Option<&Value> {
        self.text.as_deref().ok()
    }

    pub(in super::super) fn compile(
        &self,
        field: &str,
        issues: &mut ConfigIssues,
        lints: &mut Lints,
    ) -> Option<Checked> {
        let field = if self.base.is_empty() { field.to_owned() } else { format!("openapi#{}", self.base) };
        let mut schema = match &self.text {
            Ok(schema) => Value::clone(schema),
            Err(fault) => {
                let reason = format!("the schema is no JSON, at byte {} ({:?})", fault.offset, fault.what);
                issues.add(field, reason, "correct it");
                return None;
            }
        };
        survey::prepare(&mut schema, &field, issues, lints);
        match engine::build(&schema) {
            Ok(validator) => Some(Checked(Arc::new(Ready { validator, base: Arc::clone(&self.base) }))),
            Err(reason) => {
                issues.add(field, reason, "correct the schema; patterns have no look-around, and $ref stays inside");
                None
            }
        }
    }
}

impl From<Value> for Schema {
    fn from(schema: Value) -> Self {
        Self::json(schema)
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").field("base", &self.base).finish_non_exhaustive()
    }
}

/// A schema that is ready to be asked.
#[derive(Clone)]
pub(in super::super) struct Checked(Arc<Ready>);

struct Ready {
    validator: Validator,
    base: Arc<str>,
}

impl Checked {
    /// Whether the value is as the schema says.
    pub(super) fn is_valid(&self, value: &Value) -> bool {
        self.0.validator.is_valid(value)
    }

    /// What is wrong with a value whose text has so many bytes; nothing, if nothing is.
    pub(in super::super) fn findings(&self, value: &Value, length: usize) -> Vec<Finding> {
        if self.is_valid(value) { Vec::new() } else { self.explain(value, length) }
    }

    #[cold]
    fn explain(&self, value: &Value, length: usize) -> Vec<Finding> {
        let validator = &self.0.validator;
        let mut findings: Vec<Finding> = if length > EXPLAINED {
            validator.validate(value).err().into_iter().flat_map(|error| self.told(&error)).collect()
        } else {
            validator.iter_errors(value).flat_map(|error| self.told(&error)).take(MOST_FINDINGS).collect()
        };
        if findings.is_empty() {
            // The two ways of asking disagree: the stricter one is right.
            let detail = "is not as the schema says".to_owned();
            let (pointer, schema_pointer, keyword) = (String::new(), String::from(&*self.0.base), String::new());
            findings.push(Finding { pointer, schema_pointer, keyword, detail });
        }
        findings
    }

    /// One for each member that should not be there: its place says which.
    fn told(&self, error: &ValidationError<'_>) -> Vec<Finding> {
        let kind = error.kind();
        let finding = |pointer: &str| Finding {
            pointer: bounded(pointer).to_owned(),
            schema_pointer: self.schema_pointer(error.schema_path().as_str()),
            keyword: kind.keyword().to_owned(),
            detail: words::of(kind),
        };
        let place = error.instance_path().as_str();
        match kind {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                unexpected.iter().take(MOST_FINDINGS).map(|name| finding(&step(place, name))).collect()
            }
            _ => vec![finding(place)],
        }
    }

    /// In the document that the schema comes from.
    fn schema_pointer(&self, path: &str) -> String {
        // What a `$ref` led to stands in the document itself, and not below the schema.
        let own = if path.starts_with("/components/") { "" } else { &*self.0.base };
        format!("{own}{path}")
    }
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked").field("base", &self.0.base).finish_non_exhaustive()
    }
}

/// One step further (RFC 6901 §3).
pub(in super::super) fn step(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn bounded(pointer: &str) -> &str {
    if pointer.len() <= LONGEST_POINTER {
        return pointer;
    }
    let end = (0..=LONGEST_POINTER).rev().find(|end| pointer.is_char_boundary(*end)).unwrap_or(0);
    pointer.get(..end).and_then(|cut| cut.rsplit_once('/')).map_or("", |(whole, _)| whole)
}
