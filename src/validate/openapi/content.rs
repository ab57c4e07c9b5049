use serde_json::Value;

use super::document::{Document, Part, Said};
use crate::{
    config_error::ConfigIssues,
    validate::{Rule, media::MediaRange},
};

/// What a schema of text that is not looked into may have.
const PLAIN: &[&str] = &[
    "type",
    "format",
    "title",
    "description",
    "example",
    "examples",
    "contentMediaType",
    "contentEncoding",
    "deprecated",
];

/// The rule that a request body asks for.
pub(super) fn rule(document: &Document<'_>, body: &Part<'_>, issues: &mut ConfigIssues) -> Rule {
    body.only(&["description", "content", "required"], issues);
    let rule = match body.says("required", Said::No, issues) {
        Said::Yes => Rule::empty().required_body(),
        Said::No => Rule::empty().optional_body(),
    };
    let Some(contents) = body.get("content") else {
        body.complain(issues, "it has no content", "name the media types");
        return rule;
    };
    let members = contents.members(issues);
    if members.is_empty() {
        contents.complain(issues, "it is empty", "name the media types");
    }
    members.into_iter().fold(rule, |rule, (name, media)| media_type(document, rule, name, &media, issues))
}

fn media_type(document: &Document<'_>, rule: Rule, name: &str, media: &Part<'_>, issues: &mut ConfigIssues) -> Rule {
    media.only(&["schema", "example", "examples", "encoding"], issues);
    // A parameter such as the charset is no part of what is compared.
    let essence = name.split(';').next().unwrap_or_default().trim();
    let Some(range) = MediaRange::parse(essence) else {
        media.complain(issues, "it is no media type", "write application/json, or image/*");
        return rule;
    };
    let schema = media.get("schema");
    if range.is_json() {
        return match schema {
            Some(schema) => rule.schema_for(essence, document.schema(&schema)),
            None => rule.accept_json(essence),
        };
    }
    if let Some(schema) = schema.filter(|schema| !document.is_unchecked(essence) && !is_plain(schema.value)) {
        schema.complain(
            issues,
            "a body of this media type cannot be checked",
            "send JSON, or say OpenApi::leave_unchecked(…) and check it in the handler",
        );
    }
    rule.accept_opaque(essence)
}

/// Whether the schema asks for nothing: the bytes are what they are.
fn is_plain(schema: &Value) -> bool {
    match schema {
        Value::Bool(anything) => *anything,
        Value::Object(keywords) => {
            keywords.keys().all(|keyword| PLAIN.contains(&keyword.as_str()) || keyword.starts_with("x-"))
                && keywords.get("type").is_none_or(|kind| kind == "string")
        }
        _ => false,
    }
}
