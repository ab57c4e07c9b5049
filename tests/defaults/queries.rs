//! Defaults of versions and of limits on queries that nothing shows but the source.

use super::source::Quotation;

const VERSIONS: &str = "Versions";
const GRAPHQL: &str = "GraphQL";
const JUDGE: &str = "src/graphql/judge.rs";
/// Everything that can be opened is closed.
const OPENED: &[(&str, &str)] = &[
    ("src/graphql/builder.rs", "opened: Opened::default(),"),
    ("src/graphql/lints.rs", "#[derive(Clone, Copy, Debug, Default)]\npub(super) struct Opened {"),
];

pub(crate) const QUERIES: &[Quotation] = &[
    (
        VERSIONS,
        "notice without a finding",
        "180 days",
        &[("src/versioning/lints.rs", "const NOTICE: Duration = Duration::from_secs(180 * 24 * 3_600);")],
    ),
    (
        VERSIONS,
        "callers told apart, of each version that ends",
        "10,000 clients, subjects and networks each",
        &[("src/versioning/builder.rs", "const CALLERS: usize = 10_000;")],
    ),
    (
        VERSIONS,
        "most callers told apart",
        "1,000,000 each",
        &[("src/versioning/builder.rs", "const MOST_CALLERS: usize = 1_000_000;")],
    ),
    (
        VERSIONS,
        "longest `Accept` that is read",
        "8 KiB",
        &[("src/versioning/accept.rs", "const MAX_BYTES: usize = 8 * 1024;")],
    ),
    // The layer is there with its feature only; its own tests see these limits at their borders.
    (GRAPHQL, "nested fields", "15", &[(JUDGE, "Self { depth: 15,")]),
    (GRAPHQL, "aliases of a request", "30", &[(JUDGE, "aliases: 30,")]),
    (GRAPHQL, "root fields of a request", "30", &[(JUDGE, "root_fields: 30,")]),
    (GRAPHQL, "directives of a request", "50", &[(JUDGE, "directives: 50,")]),
    (GRAPHQL, "tokens of a request", "10,000", &[(JUDGE, "tokens: 10_000,")]),
    (GRAPHQL, "operations of a batch", "10", &[(JUDGE, "batch: 10,")]),
    (GRAPHQL, "cost of a request", "10,000", &[(JUDGE, "cost: 10_000 }")]),
    (
        GRAPHQL,
        "list arguments",
        "`first`, `last`",
        &[("src/graphql/costs.rs", "list_arguments: vec![\"first\".into(), \"last\".into()]")],
    ),
    (GRAPHQL, "introspection", "refused", OPENED),
    (GRAPHQL, "GET", "refused", OPENED),
    (GRAPHQL, "documents that are named, not sent", "refused", OPENED),
    (
        GRAPHQL,
        "body of a GraphQL request",
        "1 MiB",
        &[("src/graphql/builder.rs", "const MAX_BODY: usize = 1024 * 1024;")],
    ),
    (
        GRAPHQL,
        "time for a GraphQL request",
        "30 s",
        &[("src/graphql/builder.rs", "const BODY_TIMEOUT: Duration = Duration::from_secs(30);")],
    ),
    (
        GRAPHQL,
        "nested brackets and braces",
        "64, or twice the depth",
        &[
            ("src/graphql/document.rs", "const NESTING: usize = 64;"),
            ("src/graphql/document.rs", "self.reading.depth.saturating_mul(2)"),
        ],
    ),
    (GRAPHQL, "variables of a request", "1,000", &[("src/graphql/variables.rs", "const MOST: usize = 1_000;")]),
    (GRAPHQL, "refusals", "problem documents", &[("src/graphql/builder.rs", "graphql_errors: false,")]),
];
