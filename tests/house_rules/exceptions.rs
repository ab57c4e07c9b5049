//! The one table of exceptions. An exception that nothing needs fails the check.

use super::findings::{Exception, Rule};

pub(crate) const EXCEPTIONS: &[Exception] = &[Exception {
    rule: Rule::ErrorResponse,
    path: "gate/problem.rs",
    what: "`.status_mut()`",
    reason: "ProblemLayer gives a foreign error its own status back, on a document that the renderer wrote",
}];
