//! The one table of exceptions. An exception that nothing needs fails the check.

use super::findings::{Exception, Rule};

pub(crate) const EXCEPTIONS: &[Exception] = &[
    Exception {
        rule: Rule::ErrorResponse,
        path: "stack/bounds.rs",
        what: "`StatusCode::GATEWAY_TIMEOUT`",
        reason: "tower-http wants a status for its bare answer, which ProblemLayer outside makes a document of",
    },
    Exception {
        rule: Rule::Mechanism,
        path: "stack/service.rs",
        what: "`Service`",
        reason: "gives the nested gates a name of our own; it polls nothing itself",
    },
    Exception {
        rule: Rule::PublicApi,
        path: "backend/redis/mod.rs",
        what: "a type of redis",
        reason: "an application hands in the client or the connection that it has, under the feature of that name",
    },
];
