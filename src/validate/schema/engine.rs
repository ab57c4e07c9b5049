//! How the engine is made: nothing is fetched, formats are asserted, patterns take linear time.

use std::sync::LazyLock;

use base64ct::{Base64, Encoding as _};
use jsonschema::{PatternOptions, ValidationOptions, Validator};
use serde_json::Value;

/// The formats of `OpenAPI`'s registry that say something about numbers, or nothing that can be checked.
const ANNOTATIONS: [&str; 6] = ["int32", "int64", "float", "double", "password", "binary"];

/// A compiled pattern may take so many bytes.
const PATTERN_SIZE: usize = 1024 * 1024;

fn options() -> ValidationOptions<'static> {
    let options = jsonschema::options()
        // A `$ref` to elsewhere is a mistake of the configuration, and no reason to call anybody.
        .offline()
        // 2020-12 takes `format` for a remark, unless it is told otherwise.
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        // Neither look-around nor back-references, so no pattern takes exponential time.
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_SIZE))
        .with_format("byte", |text: &str| Base64::decode_vec(text).is_ok());
    ANNOTATIONS.iter().fold(options, |options, name| options.with_format(*name, |_: &str| true))
}

/// The validator, or what is wrong with the schema.
pub(super) fn build(schema: &Value) -> Result<Validator, String> {
    static OPTIONS: LazyLock<ValidationOptions<'static>> = LazyLock::new(options);
    OPTIONS.build(schema).map_err(|error| {
        let at = error.instance_path().as_str();
        if at.is_empty() { error.to_string() } else { format!("at {at}: {error}") }
    })
}
