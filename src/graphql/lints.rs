//! What is doubtful about limits on queries.

use super::{fault::Limit, judge::Limits};
use crate::lint::{Lint, Lints, Severity};

const OVER_HTTP: &str = "https://graphql.github.io/graphql-over-http/draft/";
const OWASP: &str = "https://cheatsheetseries.owasp.org/cheatsheets/GraphQL_Cheat_Sheet.html";

const INTROSPECTION: Lint = Lint {
    code: "graphql-introspection",
    severity: Severity::Low,
    fix: "allow introspection where the API is developed, and give others the schema as a file",
    spec: OWASP,
};

const GET: Lint = Lint {
    code: "graphql-get",
    severity: Severity::Low,
    fix: "send queries by POST: addresses end up in logs and histories, and pages of other origins can make a browser fetch them",
    spec: OVER_HTTP,
};

const PERSISTED: Lint = Lint {
    code: "graphql-persisted-unjudged",
    severity: Severity::Info,
    fix: "let nobody but the build of your own clients store documents",
    spec: OWASP,
};

const LOOSE: Lint = Lint {
    code: "graphql-loose-limit",
    severity: Severity::Medium,
    fix: "measure what honest queries need, and allow that",
    spec: OWASP,
};

/// Up to where a limit still is one: ten times the default, or a depth that stacks survive.
const LOOSE_FROM: [(Limit, &str, u64); 7] = [
    (Limit::Depth, "max_depth", 50),
    (Limit::Aliases, "max_aliases", 300),
    (Limit::RootFields, "max_root_fields", 300),
    (Limit::Directives, "max_directives", 500),
    (Limit::Tokens, "max_tokens", 100_000),
    (Limit::Batch, "max_batch", 100),
    (Limit::Cost, "max_cost", 1_000_000),
];

/// What was opened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Opened {
    pub(super) introspection: bool,
    pub(super) get: bool,
    pub(super) persisted: bool,
}

pub(super) fn look(limits: &Limits, opened: Opened, lints: &mut Lints) {
    if opened.introspection {
        lints.add(&INTROSPECTION, "allow_introspection", "everybody may read the whole schema", None);
    }
    if opened.get {
        lints.add(&GET, "allow_get", "queries may stand in addresses", None);
    }
    if opened.persisted {
        lints.add(&PERSISTED, "allow_persisted_queries", "documents that are not in the request are not judged", None);
    }
    for (limit, setter, loose) in LOOSE_FROM {
        let value = limits.of(limit);
        if value > loose {
            lints.add(&LOOSE, setter, format!("more than {loose} is hardly a limit"), Some(&value.to_string()));
        }
    }
}
