//! What a fault is called. Every word comes from here or from the schema: the engine's own messages
//! repeat the value, and even its masked ones repeat the names of members.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};

/// A longer one is cut.
const LONGEST: usize = 200;

pub(super) fn of(kind: &Kind) -> String {
    let mut words = words(kind);
    if let Some((end, _)) = words.char_indices().nth(LONGEST) {
        words.truncate(end);
        words.push('…');
    }
    words
}

fn words(kind: &Kind) -> String {
    match kind {
        Kind::Type { kind: TypeKind::Single(one) } => format!("must be of type {one}"),
        Kind::Type { kind: TypeKind::Multiple(types) } => {
            let names: Vec<&str> = types.iter().map(jsonschema::JsonType::as_str).collect();
            format!("must be of type {}", names.join(" or "))
        }
        Kind::Required { property } => format!("lacks the member {property}"),
        Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } => {
            "is not a member that there is".into()
        }
        Kind::AdditionalItems { limit } => format!("must have at most {limit} items"),
        Kind::UnevaluatedItems { .. } => "has more items than there are".into(),
        Kind::PropertyNames { .. } => "has a member whose name is not as it must be".into(),
        Kind::Enum { options } => format!("must be one of {options}"),
        Kind::Constant { expected_value } => format!("must be {expected_value}"),
        Kind::Format { format } => format!("must be of format {format}"),
        Kind::Pattern { pattern } => format!("must match the pattern {pattern}"),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} items"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items"),
        Kind::MinProperties { limit } => format!("must have at least {limit} members"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} members"),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::UniqueItems => "must have no item twice".into(),
        Kind::Contains => "lacks an item that it must have".into(),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => "is none of the alternatives".into(),
        Kind::OneOfMultipleValid { .. } => "is more than one of the alternatives".into(),
        Kind::Not { .. } | Kind::FalseSchema => "must not be there, or not be this".into(),
        _ => format!("is not as {} says", kind.keyword()),
    }
}
