//! What a schema finds wrong, as the client is told it.

use serde_json::{Value, json};

use crate::rejection::{Rejection, RejectionKind};

/// The status of what is well-formed, and not as its schema says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SchemaStatus {
    /// 422 Unprocessable Content (RFC 9110 §15.5.21).
    #[default]
    Unprocessable,
    /// 400 Bad Request.
    BadRequest,
}

/// More are not told: who has so many mends them in rounds.
pub(super) const MOST_FINDINGS: usize = 20;

/// One thing. None of it repeats a value that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// Where in what was sent: a JSON pointer (RFC 6901).
    pub(super) pointer: String,
    /// Where in the schema.
    pub(super) schema_pointer: String,
    /// Which keyword.
    pub(super) keyword: String,
    /// What it asks for, in the schema's words.
    pub(super) detail: String,
}

/// The refusal: `errors` is the extension member of RFC 9457 §3's example.
#[cold]
pub(super) fn refuse(status: SchemaStatus, findings: Vec<Finding>) -> Rejection {
    let kind = match status {
        SchemaStatus::Unprocessable => RejectionKind::UnprocessableContent,
        SchemaStatus::BadRequest => RejectionKind::InvalidRequest,
    };
    let errors: Vec<Value> = findings
        .into_iter()
        .take(MOST_FINDINGS)
        .map(|finding| {
            json!({
                "pointer": finding.pointer,
                "schema_pointer": finding.schema_pointer,
                "keyword": finding.keyword,
                "detail": finding.detail,
            })
        })
        .collect();
    Rejection::new(kind)
        .with_detail("The request is not as its schema says; see `errors`.")
        .with_member("errors", errors)
}
