//! The one table of exceptions. An exception that nothing needs fails the check.

use super::findings::{Exception, Rule};

pub(crate) const EXCEPTIONS: &[Exception] = &[
    Exception {
        rule: Rule::PublicApi,
        path: "auth/jwt/jwks_client_rs.rs",
        what: "jwks_client_rs",
        reason: "a bridge to that crate's trait, behind a feature of the same name",
    },
    Exception {
        rule: Rule::ErrorResponse,
        path: "stack/bounds.rs",
        what: "`StatusCode::GATEWAY_TIMEOUT`",
        reason: "tower-http wants a status for its bare answer, which ProblemLayer outside makes a document of",
    },
    Exception {
        rule: Rule::PublicApi,
        path: "backend/sql/mod.rs",
        what: "a type of sqlx",
        reason: "the pool that the application hands in, under the features that bring sqlx",
    },
    Exception {
        rule: Rule::Mechanism,
        path: "stack/service.rs",
        what: "`Service`",
        reason: "gives the nested gates a name of our own; it polls nothing itself",
    },
    Exception {
        rule: Rule::Mechanism,
        path: "conformance/rates/concurrency.rs",
        what: "`poll_fn`",
        reason: "a law gives up a call at each point at which it waits, as a client who goes away does",
    },
    Exception {
        rule: Rule::PublicApi,
        path: "backend/redis/mod.rs",
        what: "a type of redis",
        reason: "an application hands in the client or the connection that it has, under the feature of that name",
    },
    Exception {
        rule: Rule::Mechanism,
        path: "backend/redis/rates/coach.rs",
        what: "`poll_fn`",
        reason: "a question is dropped when all who asked it have left, and tokio's `select!` costs a feature",
    },
];
