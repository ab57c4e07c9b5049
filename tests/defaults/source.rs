//! Defaults that nothing shows but the source.

use std::{collections::BTreeMap, fs, path::Path};

use super::{addresses::ADDRESSES, credentials::CREDENTIALS, leases::LEASES, queries::QUERIES, shapes::SHAPES};

/// Section, setting, what the page says, and the lines that make it true.
pub(crate) type Quotation = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

const REQUEST: &str = "The request";

/// All but the credentials.
const QUOTATIONS: &[Quotation] = &[
    (REQUEST, "clock", "`SystemClock`", &[("src/time/clock.rs", "const REFRESH_EVERY: u64 = 100_000;")]),
    (
        REQUEST,
        "field values of configurations that are kept for good",
        "256 of at most 1 KiB",
        &[
            ("src/gate/constants.rs", "const MOST: usize = 256;"),
            ("src/gate/constants.rs", "const LONGEST: usize = 1_024;"),
        ],
    ),
    (REQUEST, "verdicts on a request's trail", "24", &[("src/request/trail.rs", "const ROOM: usize = 24;")]),
    (
        "Stack",
        "what is read of a refused body",
        "8 MiB within 5 s",
        &[
            ("src/gate/drain.rs", "const MAX_BYTES: u64 = 8 * 1024 * 1024;"),
            ("src/gate/drain.rs", "const MAX_TIME: Duration = Duration::from_secs(5);"),
        ],
    ),
    (
        "Objects and properties",
        "longest id in a path",
        "256 bytes",
        &[("src/authz/object/authorized.rs", "const MAX_ID: usize = 256;")],
    ),
    (
        "Objects and properties",
        "deepest JSON of which properties are looked at",
        "128 levels",
        &[("src/authz/fields/json.rs", "const MAX_DEPTH: usize = 128;")],
    ),
    (
        "Scopes",
        "most authorization details of a token",
        "64",
        &[("src/identity/details.rs", "const MAX_DETAILS: usize = 64;")],
    ),
    (
        "Scopes",
        "time for policies that wait",
        "1 s",
        &[("src/authz/policy/set.rs", "const DEFAULT_BUDGET: Duration = Duration::from_secs(1);")],
    ),
    (
        "Signed requests",
        "time for a signed body",
        "10 s",
        &[("src/auth/authenticator.rs", "const BODY_TIMEOUT: Duration = Duration::from_secs(10);")],
    ),
    (
        "Signed requests",
        "longest life of a presigned URL",
        "7 days",
        &[("src/auth/signed/sigv4/time.rs", "const MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3_600);")],
    ),
    (
        "Signed requests",
        "paths",
        "resolved, encoded twice",
        &[("src/auth/signed/sigv4/builder.rs", "paths: Paths::Normalized,")],
    ),
    ("Signed requests", "nonces of RFC 9421", "not needed", &[("src/auth/signed/message/builder.rs", "nonces: None,")]),
    (
        "Signed requests",
        "wait for the store of signing keys",
        "3 s",
        &[("src/auth/signed/lookup.rs", "const PATIENCE: Duration = Duration::from_secs(3);")],
    ),
    (
        "Security headers",
        "nonce of a policy that has one",
        "128 bits, anew for each request",
        &[
            ("src/headers/nonce.rs", "let mut bits = [0; 16];"),
            ("src/headers/layer.rs", "match CspNonce::generate() {"),
        ],
    ),
    (
        "HTTPS",
        "who is told of exposed credentials",
        "the audit log",
        &[("src/require_https/layer.rs", "exposed.note();"), ("src/require_https/builder.rs", "observer: None,")],
    ),
    ("Rate limits", "algorithm", "token bucket", &[("src/rate_limit/rule.rs", "family: Family::TokenBucket,")]),
    (
        "Rate limits",
        "most that is owed beyond the bucket, where costs are settled",
        "ten times the burst",
        &[("src/rate_limit/rule.rs", "rate.capacity().saturating_mul(10)")],
    ),
    (
        "Rate limits",
        "how late a request may be",
        "1 s",
        &[("src/rate_limit/algorithm/step.rs", "pub(crate) const LATE: u64 = 1_000_000;")],
    ),
    ("Rate limits", "who is exempt", "nobody", &[("src/rate_limit/rule.rs", "exempt: Vec::new(),")]),
    ("Rate limits", "block after a refusal", "none", &[("src/rate_limit/rule.rs", "block: None,")]),
    (
        "Rate limits",
        "what a change of plan takes along",
        "the time until all is available",
        &[("src/rate_limit/rule.rs", "inherit: Inherit::AsIs,")],
    ),
    ("Rate limits", "breaker", "none", &[("src/rate_limit/builder.rs", "breaker: None,")]),
    ("Rate limits", "header of shadow rules", "none", &[("src/rate_limit/builder.rs", "shadow_header: None,")]),
    (
        "Rate limits",
        "a resolver's answer is good for",
        "60 s",
        &[("src/rate_limit/builder.rs", "const PLAN_TTL: Duration = Duration::from_secs(60);")],
    ),
    (
        "Rate limits",
        "callers whose plans are remembered",
        "10,000",
        &[("src/rate_limit/builder.rs", "const PLAN_CAPACITY: usize = 10_000;")],
    ),
    (
        "Rate limits",
        "time for a resolver",
        "1 s",
        &[("src/rate_limit/plans.rs", "const PATIENCE: Duration = Duration::from_secs(1);")],
    ),
    (
        "Rate limits",
        "units below zero that a forced charge may go",
        "none",
        &[("src/rate_limit/algorithm/token_bucket.rs", "overdraft: 0,")],
    ),
    (
        "Rate limits",
        "what becomes of a debt when the limit changes",
        "it stays as it is",
        &[("src/rate_limit/algorithm/inherit.rs", "#[default]\n    AsIs,")],
    ),
    (
        "Rate limits",
        "units that may wait for one key",
        "64",
        &[("src/rate_limit/shaping/builder.rs", "pub const WAITING: u64 = 64;")],
    ),
    (
        "Rate limits",
        "longest wait for a turn",
        "5 s",
        &[("src/rate_limit/shaping/builder.rs", "pub const LONGEST_WAIT: Duration = Duration::from_secs(5);")],
    ),
    (
        "Rate limits",
        "requests that may wait in one process",
        "4,096",
        &[(
            "src/rate_limit/shaping/builder.rs",
            "pub const ROOM: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4_095);",
        )],
    ),
    ("Rate limits", "turns of a request", "1", &[("src/rate_limit/shaping/builder.rs", "cost: 1,")]),
    (
        "Rate limits",
        "permits of requests under way",
        "none",
        &[("src/rate_limit/concurrency/builder.rs", "limits: Vec::new(),")],
    ),
    (
        "Rate limits",
        "life of a permit without a sign of life",
        "60 s",
        &[("src/rate_limit/concurrency/builder.rs", "pub const LEASE: Duration = Duration::from_secs(60);")],
    ),
    (
        "Rate limits",
        "`Retry-After` where too many are under way",
        "none",
        &[("src/rate_limit/concurrency/builder.rs", "retry_after: None }")],
    ),
    (
        "CORS",
        "an origin source may take",
        "2 s",
        &[("src/cors/source.rs", "const PATIENCE: Duration = Duration::from_secs(2);")],
    ),
    ("CORS", "most answers that are remembered", "10000", &[("src/cors/source.rs", "const CAPACITY: usize = 10_000;")]),
    (
        "SQL stores",
        "rows that a new rate state has looked at",
        "2",
        &[
            ("src/backend/sql/rates/sqlite.rs", "ORDER BY id LIMIT 2)"),
            ("src/backend/sql/rates/postgres.rs", "ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED)"),
        ],
    ),
    (
        "Stores that compare and swap",
        "time for a batch",
        "500 ms",
        &[("src/rate_limit/cas/store.rs", "const TIME_BUDGET: Duration = Duration::from_millis(500);")],
    ),
    (
        "Stores that compare and swap",
        "clocks apart",
        "1 s",
        &[("src/rate_limit/cas/store.rs", "const CLOCK_SKEW: Duration = Duration::from_secs(1);")],
    ),
    (
        "Webhooks",
        "time for the body",
        "10 s",
        &[("src/webhook/builder.rs", "const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(10);")],
    ),
    ("Audit", "sink", "none", &[("src/audit/layer.rs", "pub fn builder(sink: impl AuditSink)")]),
    (
        "Audit",
        "longest path or query",
        "1,024 bytes",
        &[
            ("src/audit/redact/target.rs", "const MAX_PATH: usize = 1_024;"),
            ("src/audit/redact/target.rs", "const MAX_QUERY: usize = 1_024;"),
        ],
    ),
    ("Audit", "longest user agent", "256 bytes", &[("src/audit/ticket.rs", "const MAX_USER_AGENT: usize = 256;")]),
    (
        "Audit",
        "notes of a handler",
        "16 of each kind, 128 bytes each",
        &[
            ("src/request/notes.rs", "const MAX_NOTES: usize = 16;"),
            ("src/audit/extract.rs", "const MAX_TEXT: usize = 128;"),
        ],
    ),
    ("Audit", "mode of a new audit file", "0600", &[("src/audit/sinks/json_lines.rs", "::mode(&mut options, 0o600);")]),
    (
        "Secrets",
        "validity of a replaced secret",
        "none",
        &[
            ("src/secret/set.rs", "pub fn rotate(&self, next: Secret, valid_until: Timestamp)"),
            ("src/secret/set.rs", "pub fn replace(&self, loaded: LoadedSecrets, valid_until: Timestamp)"),
        ],
    ),
    ("Secrets", "largest secret file", "64 KiB", &[("src/secret/source.rs", "const MAX_FILE: u64 = 64 * 1024;")]),
    (
        "Rate limits",
        "time for a store that must be awaited",
        "25 ms",
        &[(
            "src/rate_limit/guard/mod.rs",
            "budget: Duration::from_millis(25), remembered: Some(Duration::from_secs(1))",
        )],
    ),
    (
        "Rate limits",
        "memory of a refusal by such a store",
        "1 s",
        &[(
            "src/rate_limit/guard/mod.rs",
            "budget: Duration::from_millis(25), remembered: Some(Duration::from_secs(1))",
        )],
    ),
    (
        "Redis",
        "a token bucket's key is kept after the bucket is full",
        "up to 8 s",
        &[("src/backend/redis/rates/text.rs", "const SPAN: u64 = 8_000_000;")],
    ),
    (
        "Redis",
        "time for an operation on Redis",
        "250 ms",
        &[("src/backend/redis/mod.rs", "const DEFAULT_BUDGET: Duration = Duration::from_millis(250);")],
    ),
    (
        "Redis",
        "prefix of the keys",
        "`portcullis`",
        &[("src/backend/redis/mod.rs", "const DEFAULT_PREFIX: &str = \"portcullis\";")],
    ),
    (
        "Redis",
        "batches that share a run of a script",
        "up to 32",
        &[
            ("src/backend/redis/rates/coach.rs", "const SEATS: usize = 32;"),
            ("src/backend/redis/rates.rs", "#[default]\n    Others,"),
        ],
    ),
    (
        "Redis",
        "calls without an answer, until one at a time asks",
        "3",
        &[("src/store/outage.rs", "const PATIENCE: u32 = 3;")],
    ),
    (
        "The memory store",
        "metered callers in a month",
        "262,144",
        &[("src/backend/memory/quotas.rs", "const CAPACITY: usize = 262_144;")],
    ),
    (
        "The memory store",
        "metered addresses in a month",
        "262,144",
        &[("src/backend/memory/quotas.rs", "addresses: Pool::new(capacity) }")],
    ),
    (
        "The memory store",
        "API keys",
        "100,000",
        &[("src/backend/memory/api_keys.rs", "const CAPACITY: usize = 100_000;")],
    ),
    (
        "The memory store",
        "signing keys",
        "100,000",
        &[("src/backend/memory/signing_keys.rs", "const CAPACITY: usize = 100_000;")],
    ),
    (
        "The memory store",
        "webhook events",
        "100,000",
        &[("src/backend/memory/replays.rs", "const DEFAULT_CAPACITY: usize = 100_000;")],
    ),
    (
        "The memory store",
        "revocations",
        "100,000",
        &[("src/backend/memory/revocations.rs", "const DEFAULT_CAPACITY: usize = 100_000;")],
    ),
    (
        "SQL stores",
        "time for a statement",
        "1 s",
        &[("src/backend/sql/mod.rs", "const STATEMENT_LIMIT: Duration = Duration::from_secs(1);")],
    ),
    ("SQL stores", "cache of API keys", "none", &[("src/backend/sql/mod.rs", "api_keys: None, rates")]),
    ("Cargo features", "features", "`aws-lc`, `jwks`", &[("Cargo.toml", "\ndefault = [\"aws-lc\", \"jwks\"]\n")]),
];

fn quotations() -> impl Iterator<Item = &'static Quotation> {
    [QUOTATIONS, CREDENTIALS, SHAPES, ADDRESSES, QUERIES, LEASES].into_iter().flatten()
}

pub(crate) fn rows() -> BTreeMap<(String, String), String> {
    quotations()
        .map(|(section, setting, default, _)| (((*section).into(), (*setting).into()), (*default).into()))
        .collect()
}

/// What no longer stands where it stood.
pub(crate) fn missing() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    for (section, setting, default, lines) in quotations() {
        for (file, line) in *lines {
            let text = fs::read_to_string(root.join(file)).unwrap_or_default();
            if !text.contains(line) {
                missing
                    .push(format!("{section}: {setting} is {default}, says the page; {file} has no `{}`", line.trim()));
            }
        }
    }
    missing
}

/// All of the source, in one text.
pub(crate) fn all() -> String {
    fn read(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, text);
            } else {
                text.push_str(&fs::read_to_string(path).unwrap_or_default());
            }
        }
    }
    let mut text = String::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
    text
}
